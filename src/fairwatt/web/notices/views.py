"""A message is opened, a browser says that it showed one, a provider reports."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fairwatt.core.notices.model import State
from fairwatt.flows.notifying.door import BODY_MAX, hear_provider, hear_reader
from fairwatt.web import access


@login_required
@require_GET
def opened(request: HttpRequest, code: str) -> HttpResponse:
    """The address in a message: its reader signs in, and comes to the home it is about.

    Only then is it read: mail servers open addresses by themselves, and nobody has read anything by that.
    """
    person, now_us = access.person(request), access.now_us()
    row = hear_reader(code=code, state=State.READ, reader=person.pk, now_us=now_us)
    if row is None or row.person != person.pk:
        raise Http404
    home = access.wallets_of(user=person, at_us=now_us).filter(pk=row.wallet or 0).first()
    return redirect("tenant:homes") if home is None else redirect("tenant:home", public_id=home.public_id)


@csrf_exempt
@require_POST
def seen(request: HttpRequest, code: str) -> HttpResponse:
    """A browser showed a message. Nobody but it and us knows the address; unknown ones are answered the same."""
    del request
    hear_reader(code=code, state=State.DELIVERED, reader=None, now_us=access.now_us())
    return HttpResponse(status=204)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def heard(request: HttpRequest, token: str) -> HttpResponse:
    """A provider reports at the address it was told. Its bytes are kept; the notifier judges them by its keys."""
    if request.method == "GET":
        # WeChat asks once whether the address is ours, and wants its own number back.
        echo = request.GET.get("echostr", "")
        if not (echo.isascii() and echo.isdecimal() and len(echo) <= 32):
            raise Http404
        return HttpResponse(echo, content_type="text/plain")
    if int(request.headers.get("content-length") or 0) > BODY_MAX:
        raise Http404
    found = hear_provider(
        token=token,
        url=request.build_absolute_uri(),
        headers=request.headers,
        body=request.body,
        now_us=access.now_us(),
    )
    if not found:
        raise Http404
    return JsonResponse({"code": 0, "msg": "ok", "result": 0})


@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """The part of our pages that lives in the browser and shows messages while no page is open."""
    del request
    path = finders.find("js/worker.js")
    assert isinstance(path, str), "worker.js is part of the package"
    with open(path, encoding="utf-8") as file:  # noqa: PTH123  # the finder gives a name
        response = HttpResponse(file.read(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response
