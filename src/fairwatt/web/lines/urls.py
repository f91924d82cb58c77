"""Addresses of single lines."""

from django.urls import path

from fairwatt.web.lines import views

app_name = "lines"
urlpatterns = [path("<str:line_id>/", views.line, name="line")]
