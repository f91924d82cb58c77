"""Every address of the faces. What is not listed in tests/web/access_matrix.py fails the suite."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path
from django.views.decorators.http import require_GET
from django.views.i18n import set_language

from fairwatt.web.access import person


@login_required
@require_GET
def front(request: HttpRequest) -> HttpResponse:
    """Lead staff to the console and residents to their home."""
    return redirect("console:books" if person(request).is_desk else "tenant:homes")


urlpatterns = [
    path("", front, name="front"),
    path("home/", include("fairwatt.web.tenant.urls")),
    path("console/", include("fairwatt.web.console.urls")),
    path("lines/", include("fairwatt.web.lines.urls")),
    path("pay/", include("fairwatt.web.pay.urls")),
    path("n/", include("fairwatt.web.notices.urls")),
    path("language/", set_language, name="set_language"),
]
