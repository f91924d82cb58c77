"""Addresses of the resident's pages."""

from django.urls import path

from fairwatt.web.tenant import views

app_name = "tenant"
urlpatterns = [
    path("", views.homes, name="homes"),
    path("<uuid:public_id>/", views.home, name="home"),
    path("<uuid:public_id>/live/", views.live, name="live"),
    path("<uuid:public_id>/charges/", views.charges, name="charges"),
    path("<uuid:public_id>/top-up/", views.top_up, name="top_up"),
]
