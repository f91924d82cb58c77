"""Addresses of the operator's pages."""

from django.urls import path

from fairwatt.web.console import views

app_name = "console"
urlpatterns = [
    path("", views.books, name="books"),
    path("<slug:slug>/", views.today, name="today"),
    path("<slug:slug>/live/", views.live, name="live"),
    path("<slug:slug>/unit/<int:unit_id>/", views.unit, name="unit"),
    path("<slug:slug>/quarantine/", views.quarantine, name="quarantine"),
]
