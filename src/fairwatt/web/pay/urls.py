"""Addresses around a payment."""

from django.urls import path

from fairwatt.web.pay import receipts, views

app_name = "pay"
urlpatterns = [
    path("callback/<slug:provider>", views.callback, name="callback"),
    path(
        "callback/<slug:provider>/<slug:token>/<slug:hint_ref>",
        views.account_callback,
        name="account_callback",
    ),
    path("callback/<slug:provider>/<slug:token>", views.account_callback, name="shop_callback"),
    path("receipt/<slug:code>/", receipts.receipt, name="receipt"),
    path("receipt/<slug:code>/<slug:paper>.pdf", receipts.receipt_file, name="receipt_file"),
    path("<slug:our_ref>/", views.status, name="status"),
    path("<slug:our_ref>/go/", views.go, name="go"),
    path("<slug:our_ref>/live/", views.live, name="live"),
]
