"""Addresses of the operator's pages."""

from django.urls import path

from fairwatt.web.console import (
    bookkeeping,
    corrections,
    costs,
    disputes,
    fees,
    orders,
    quality,
    reports,
    seconds,
    trying,
    views,
)

app_name = "console"
urlpatterns = [
    path("", views.books, name="books"),
    path("<slug:slug>/", views.today, name="today"),
    path("<slug:slug>/live/", views.live, name="live"),
    path("<slug:slug>/unit/<int:unit_id>/", views.unit, name="unit"),
    path("<slug:slug>/reports/", reports.reports, name="reports"),
    path("<slug:slug>/reports/<slug:name>/", reports.report, name="report"),
    path("<slug:slug>/reports/<slug:name>/<slug:form>/", reports.report_as_file, name="report_file"),
    path("<slug:slug>/try-tariff/", trying.try_tariff, name="try_tariff"),
    path("<slug:slug>/bookkeeping/", bookkeeping.bookkeeping, name="bookkeeping"),
    path("<slug:slug>/bookkeeping/<slug:month>/", bookkeeping.closed_pack, name="closed_pack"),
    path("<slug:slug>/disputes/", disputes.disputes, name="disputes"),
    path("<slug:slug>/disputes/<uuid:case_id>/", disputes.dispute, name="dispute"),
    path(
        "<slug:slug>/disputes/<uuid:case_id>/files/<int:entry_id>/",
        disputes.dispute_file,
        name="dispute_file",
    ),
    path("<slug:slug>/corrections/", corrections.corrections, name="corrections"),
    path("<slug:slug>/quarantine/", views.quarantine, name="quarantine"),
    path("<slug:slug>/data/", quality.data, name="data"),
    path("<slug:slug>/data/check/", quality.data_check, name="data_check"),
    path("<slug:slug>/data/<int:meter_id>/", quality.data_day, name="data_day"),
    path("<slug:slug>/data/<int:meter_id>/edit/", quality.data_edit, name="data_edit"),
    path("<slug:slug>/meters/", quality.meters, name="meters"),
    path("<slug:slug>/meters/<int:meter_id>/", quality.meter, name="meter"),
    path("<slug:slug>/orders/", orders.orders, name="orders"),
    path("<slug:slug>/orders/held/", orders.answer_held, name="answer_held"),
    path("<slug:slug>/orders/<int:push_id>/", orders.step, name="step_push"),
    path("<slug:slug>/meters/<int:meter_id>/orders/", orders.meter_orders, name="meter_orders"),
    path("<slug:slug>/meters/<int:meter_id>/orders/limit/", orders.limit_meter, name="limit_meter"),
    path("<slug:slug>/meters/<int:meter_id>/seconds/", seconds.seconds, name="seconds"),
    path("<slug:slug>/meters/<int:meter_id>/seconds/live/", seconds.live, name="seconds_live"),
    path(
        "<slug:slug>/meters/<int:meter_id>/certificate/", quality.meter_certificate, name="meter_certificate"
    ),
    path("<slug:slug>/meters/<int:meter_id>/check/", quality.meter_check, name="meter_check"),
    path("<slug:slug>/meters/<int:meter_id>/estimate/", quality.meter_estimate, name="meter_estimate"),
    path("<slug:slug>/fees/", fees.fees, name="fees"),
    path("<slug:slug>/fees/add/", fees.add, name="add_fee"),
    path("<slug:slug>/fees/<int:fee_id>/", fees.fee, name="fee"),
    path("<slug:slug>/fees/<int:fee_id>/end/", fees.end, name="end_fee"),
    path(
        "<slug:slug>/fees/<int:fee_id>/charged/<int:entry_id>/take-back/",
        fees.take_back_fee,
        name="take_back_fee",
    ),
    path("<slug:slug>/costs/", costs.costs, name="costs"),
    path("<slug:slug>/costs/draft/", costs.draft, name="draft_cost"),
    path("<slug:slug>/costs/<int:cost_id>/", costs.cost, name="cost"),
    path("<slug:slug>/costs/<int:cost_id>/publish/", costs.publish_cost, name="publish_cost"),
    path("<slug:slug>/costs/<int:cost_id>/take-back/", costs.take_back_cost, name="take_back_cost"),
    path("<slug:slug>/costs/<int:cost_id>/file/", costs.cost_file, name="cost_file"),
    path("<slug:slug>/costs/share/<int:share_id>/decide/", costs.decide, name="decide"),
]
