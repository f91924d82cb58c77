"""The root of all addresses: sign-in is allauth's, everything else belongs to the faces."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path, re_path


def no_mail(request: HttpRequest) -> HttpResponse:
    """Nobody here sends mail, so passwords are not reset by it: whoever looks after the building makes a new one."""
    raise Http404


urlpatterns = [
    re_path("^accounts/(?:password/(?:reset|set)|email|confirm-email)/", no_mail, name="account_no_mail"),
    path("accounts/", include("allauth.urls")),
    path("", include("fairwatt.web.urls")),
]
