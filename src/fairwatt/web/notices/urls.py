"""Addresses that stand in messages, and those that providers are told."""

from django.urls import path

from fairwatt.web.notices import views

app_name = "notices"
urlpatterns = [
    path("worker.js", views.worker, name="worker"),
    path("heard/<slug:token>", views.heard, name="heard"),
    path("<slug:code>/", views.opened, name="opened"),
    path("<slug:code>/seen/", views.seen, name="seen"),
]
