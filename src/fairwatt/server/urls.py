"""The root of all addresses: sign-in is allauth's, everything else belongs to the faces."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("", include("fairwatt.web.urls")),
]
