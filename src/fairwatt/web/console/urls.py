"""Addresses of the operator's pages."""

from django.urls import path

from fairwatt.web.console import costs, fees, views

app_name = "console"
urlpatterns = [
    path("", views.books, name="books"),
    path("<slug:slug>/", views.today, name="today"),
    path("<slug:slug>/live/", views.live, name="live"),
    path("<slug:slug>/unit/<int:unit_id>/", views.unit, name="unit"),
    path("<slug:slug>/quarantine/", views.quarantine, name="quarantine"),
    path("<slug:slug>/fees/", fees.fees, name="fees"),
    path("<slug:slug>/fees/add/", fees.add, name="add_fee"),
    path("<slug:slug>/fees/<int:fee_id>/", fees.fee, name="fee"),
    path("<slug:slug>/fees/<int:fee_id>/end/", fees.end, name="end_fee"),
    path("<slug:slug>/costs/", costs.costs, name="costs"),
    path("<slug:slug>/costs/draft/", costs.draft, name="draft_cost"),
    path("<slug:slug>/costs/<int:cost_id>/", costs.cost, name="cost"),
    path("<slug:slug>/costs/<int:cost_id>/publish/", costs.publish_cost, name="publish_cost"),
    path("<slug:slug>/costs/<int:cost_id>/take-back/", costs.take_back_cost, name="take_back_cost"),
    path("<slug:slug>/costs/<int:cost_id>/file/", costs.cost_file, name="cost_file"),
    path("<slug:slug>/costs/share/<int:share_id>/decide/", costs.decide, name="decide"),
]
