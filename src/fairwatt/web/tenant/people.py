"""Who shares a home: its people, one code to let another in, and the page on which that code is used."""

from __future__ import annotations

import os
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from fairwatt.core.refusal import Refusal
from fairwatt.flows.household import (
    household_of,
    invite,
    join_home,
    leave_home,
    look_at_code,
    withdraw_invite,
)
from fairwatt.store.models import Role, Wallet
from fairwatt.web import access
from fairwatt.web.design.refusals import said


@login_required
@require_http_methods(["GET", "POST"])
def people(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The people of a home; POST invites, takes back, takes out or leaves: parse, one flow, render."""
    user = access.person(request)
    now_us = access.now_us()
    wallet = access.resident_wallet(user=user, public_id=public_id, at_us=now_us)
    error = code = ""
    if request.method == "POST":
        try:
            code = _done(request, wallet, user.pk, now_us)
            if not code:
                return redirect("tenant:people", public_id=public_id)
        except Refusal as refused:
            error = said(refused)
    home = household_of(wallet=wallet, user_id=user.pk, now_us=now_us)
    context = {
        "wallet": wallet,
        "zone": wallet.book.zone,
        "home": home,
        "me": user.pk,
        "code": code,
        "link": request.build_absolute_uri(reverse("tenant:join_code", args=[code])) if code else "",
        "error": error,
    }
    return _private(render(request, "tenant/people.html", context, status=422 if error else 200))


@login_required
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, code: str = "") -> HttpResponse:
    """What a code is for; POST uses it. Whoever has the code sees the home's name, and nothing else of it."""
    user = access.person(request)
    if user.role != Role.TENANT:
        raise Http404
    now_us = access.now_us()
    code = code or request.POST.get("code", "") or request.GET.get("code", "")
    error, seen = "", None
    try:
        if code:
            seen = look_at_code(code=code, user_id=user.pk, now_us=now_us)
        if code and request.method == "POST" and request.POST.get("join"):
            join_home(code=code, user_id=user.pk, now_us=now_us)
            messages.success(request, gettext("You are being let in. The home is on your list in a moment."))
            return redirect("tenant:homes")
    except Refusal as refused:
        error = said(refused)
    context = {"code": code, "seen": seen, "error": error, "now_us": now_us}
    return _private(render(request, "tenant/join.html", context, status=404 if error else 200))


def _done(request: HttpRequest, wallet: Wallet, user_id: int, now_us: int) -> str:
    """Do what was asked; return the code of an invitation, which is shown once."""
    typed = request.POST
    match typed.get("do"):
        case "invite":
            name, entropy = typed.get("name", ""), os.urandom(10)
            return invite(wallet_id=wallet.pk, name=name, user_id=user_id, now_us=now_us, entropy=entropy)
        case "withdraw":
            withdraw_invite(
                wallet_id=wallet.pk, invite_id=_number(typed.get("id", "")), user_id=user_id, now_us=now_us
            )
            messages.success(request, gettext("The invitation is being taken back."))
        case _:
            person = _number(typed.get("id", "")) if typed.get("do") == "remove" else user_id
            leave_home(wallet_id=wallet.pk, person_id=person, user_id=user_id, now_us=now_us)
            messages.success(request, gettext("It is being done. It takes a second or two."))
    return ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
