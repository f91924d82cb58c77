"""Addresses of the resident's pages."""

from django.urls import path

from fairwatt.web.tenant import (
    auto,
    credit,
    disputes,
    invoices,
    messages,
    meter,
    owed,
    people,
    receipts,
    refunds,
    seconds,
    statements,
    views,
)

app_name = "tenant"
urlpatterns = [
    path("", views.homes, name="homes"),
    path("join/", people.join, name="join"),
    path("join/<slug:code>/", people.join, name="join_code"),
    path("<uuid:public_id>/", views.home, name="home"),
    path("<uuid:public_id>/people/", people.people, name="people"),
    path("<uuid:public_id>/live/", views.live, name="live"),
    path("<uuid:public_id>/seconds/", seconds.seconds, name="seconds"),
    path("<uuid:public_id>/seconds/live/", seconds.live, name="seconds_live"),
    path("<uuid:public_id>/meter/", meter.meter, name="meter"),
    path("<uuid:public_id>/meter/photos/<int:photo_id>/", meter.meter_photo, name="meter_photo"),
    path("<uuid:public_id>/dark/", views.dark, name="dark"),
    path("<uuid:public_id>/receipts/", receipts.receipts, name="receipts"),
    path("<uuid:public_id>/messages/", messages.told, name="messages"),
    path("<uuid:public_id>/messages/address/", messages.address, name="message_address"),
    path("<uuid:public_id>/messages/address/<int:contact_id>/", messages.prove, name="message_prove"),
    path("<uuid:public_id>/messages/address/<int:contact_id>/end/", messages.end, name="message_end"),
    path("<uuid:public_id>/messages/browser/", messages.browser, name="message_browser"),
    path("<uuid:public_id>/invoices/", invoices.invoices, name="invoices"),
    path("<uuid:public_id>/invoices/<int:invoice_id>/fapiao/", invoices.efapiao, name="efapiao"),
    path(
        "<uuid:public_id>/invoices/<int:invoice_id>/<slug:form>/", invoices.invoice_file, name="invoice_file"
    ),
    path("<uuid:public_id>/charges/", views.charges, name="charges"),
    path("<uuid:public_id>/reports/<slug:name>/", statements.statement, name="statement"),
    path(
        "<uuid:public_id>/reports/<slug:name>/<slug:form>/", statements.statement_file, name="statement_file"
    ),
    path("<uuid:public_id>/doubt/<int:seq>/", disputes.doubt, name="doubt"),
    path("<uuid:public_id>/disputes/<uuid:case_id>/", disputes.dispute, name="dispute"),
    path(
        "<uuid:public_id>/disputes/<uuid:case_id>/files/<int:entry_id>/",
        disputes.dispute_file,
        name="dispute_file",
    ),
    path("<uuid:public_id>/top-up/", views.top_up, name="top_up"),
    path("<uuid:public_id>/top-up/split/", credit.split, name="split"),
    path("<uuid:public_id>/emergency/", credit.emergency, name="emergency"),
    path("<uuid:public_id>/auto-top-up/", auto.auto, name="auto"),
    path("<uuid:public_id>/auto-top-up/go/", auto.auto_go, name="auto_go"),
    path("<uuid:public_id>/wechat/", views.wechat_back, name="wechat_back"),
    path("<uuid:public_id>/refunds/", refunds.refunds, name="refunds"),
    path("<uuid:public_id>/owed/", owed.owed, name="owed"),
    path("<uuid:public_id>/owed/<int:share_id>/", owed.share, name="share"),
    path("<uuid:public_id>/owed/<int:share_id>/object/", owed.object_to, name="object"),
    path("<uuid:public_id>/owed/<int:share_id>/file/", owed.share_file, name="share_file"),
]
