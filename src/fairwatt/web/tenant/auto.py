"""Automatic top-up on the resident's page: agreed to, changed, switched off with the second click, and its history."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_http_methods

from fairwatt.core.credit.auto_top_up import AutoTerms
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.auto_top_up.agreeing import AutoDesk, Consent, agree, auto_desk, change, switch_off
from fairwatt.store.auto_top_up import Step
from fairwatt.store.models import User, Wallet
from fairwatt.web import access
from fairwatt.web.design.auto_words import reason_words, step_words
from fairwatt.web.design.refusals import said
from fairwatt.web.plain import PlainForm
from fairwatt.web.tenant.forms import minor_of
from fairwatt.web.tenant.ways import CHECKOUTS

GO_WAIT_S: Final = 5.0
TIMES: Final = (1, 2, 3, 4, 6, 8, 12, 31)
DAYS: Final = (1, 2, 3, 5, 7, 10, 14)
_PAGE: Final = cast("dict[str, list[str]]", settings.SECURE_CSP)
FORM_CSP: Final = {
    **_PAGE,
    "form-action": [*_PAGE["form-action"], settings.FAIRWATT_PAYSIM_URL, *CHECKOUTS],
}


class AutoForm(PlainForm):
    """A level of money or of days, an amount, and the limits of a month; amounts as people write them."""

    level = forms.ChoiceField(choices=[("money", _("an amount")), ("days", _("a number of days"))])
    below = forms.CharField(max_length=12, required=False, label=_("Credit falls below"))
    days = forms.TypedChoiceField(coerce=int, choices=[(n, n) for n in DAYS], label=_("Days of credit"))
    amount = forms.CharField(max_length=12, label=_("Take this much each time"))
    times = forms.TypedChoiceField(
        coerce=int, choices=[(n, n) for n in TIMES], label=_("At most so often a month")
    )
    most = forms.CharField(max_length=12, label=_("And at most this much a month"))

    def __init__(self, *, data: Any = None, minor_digits: int, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self._digits = minor_digits

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        wanted = ["amount", "most"] + (["below"] if cleaned.get("level") == "money" else [])
        for name in wanted:
            minor = minor_of(str(cleaned.get(name, "")), minor_digits=self._digits)
            if minor is None and name not in self.errors:
                self.add_error(name, gettext("Write an amount such as 50 or 50.00. Nothing was agreed."))
            cleaned[name] = minor
        return cleaned

    def terms(self) -> AutoTerms:
        """What was chosen."""
        given = self.cleaned_data
        by_money = given["level"] == "money"
        return AutoTerms(
            below_micro=micro_from_minor(amount_minor=given["below"], minor_digits=self._digits)
            if by_money
            else None,
            below_days=None if by_money else given["days"],
            amount_minor=given["amount"],
            times_most=given["times"],
            month_most_minor=given["most"],
        )


@login_required
@require_http_methods(["GET", "POST"])
@csp_override(FORM_CSP)
def auto(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What is agreed and how it went; POST agrees, changes or switches off: parse, one flow, render."""
    user, now_us = access.person(request), access.now_us()
    wallet = access.resident_wallet(user=user, public_id=public_id, at_us=now_us)
    desk = auto_desk(wallet=wallet, user_id=user.pk, now_us=now_us)
    digits = wallet.book.minor_digits
    form = AutoForm(minor_digits=digits, initial=_initial(desk, digits))
    error = ""
    if request.method == "POST":
        wish = request.POST.get("do")
        if wish != "off":
            form = AutoForm(data=request.POST, minor_digits=digits)
        try:
            going = _done(request, wallet, desk, form, wish, now_us)
            if going is not None:
                return going
        except Refusal as refused:
            error = said(refused)
    context = {
        "wallet": wallet,
        "currency": wallet.book.currency,
        "zone": wallet.book.zone,
        "desk": desk,
        "form": form,
        "history": [_shown(one, wallet) for one in desk.steps],
        "month": _month(desk, wallet),
        "consent": _consent(wallet),
        "error": error,
    }
    wrong = bool(error or form.errors)
    return _private(render(request, "tenant/auto.html", context, status=422 if wrong else 200))


@login_required
@require_GET
async def auto_go(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """On to the provider's page as soon as it has told its address; to our own page where there is none to open."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    until_s = time.monotonic() + GO_WAIT_S
    while True:
        url, waits = await sync_to_async(_page_of)(user, public_id)
        if url or not waits or time.monotonic() > until_s:
            break
        await asyncio.sleep(0.1)
    return HttpResponseRedirect(url) if url else redirect("tenant:auto", public_id=public_id)


def _page_of(user: User, public_id: UUID) -> tuple[str, bool]:
    now_us = access.now_us()
    wallet = access.resident_wallet(user=user, public_id=public_id, at_us=now_us)
    desk = auto_desk(wallet=wallet, user_id=user.pk, now_us=now_us)
    if not (desk.signing and desk.mine and desk.plan is not None):
        return "", False
    return desk.plan.url, True


def _done(
    request: HttpRequest, wallet: Wallet, desk: AutoDesk, form: AutoForm, wish: str | None, now_us: int
) -> HttpResponse | None:
    user_id = access.person(request).pk
    here = reverse("tenant:auto", args=[wallet.public_id])
    if wish == "off":
        switch_off(wallet_id=wallet.pk, user_id=user_id, now_us=now_us)
        messages.success(request, gettext("Automatic top-up is off. Nothing more is taken."))
        return redirect(here)
    if not form.is_valid():
        return None
    if wish == "change":
        change(wallet_id=wallet.pk, terms=form.terms(), user_id=user_id, now_us=now_us)
        messages.success(request, gettext("Changed. It holds from now on."))
        return redirect(here)
    if not request.POST.get("agreed"):
        form.add_error(None, gettext("Tick that you agree. Nothing was agreed yet."))
        return None
    agree(
        wallet_id=wallet.pk,
        account_id=desk.offers[0].account if desk.offers else 0,
        terms=form.terms(),
        consent=Consent(
            words=_consent(wallet),
            language=get_language() or "en",
            return_url=request.build_absolute_uri(here),
        ),
        user_id=user_id,
        now_us=now_us,
        entropy=os.urandom(16),
    )
    return redirect("tenant:auto_go", public_id=wallet.public_id)


def _consent(wallet: Wallet) -> str:
    return gettext(
        "I allow %(organisation)s to charge the card that I save at the payment provider, without asking me each "
        "time, whenever credit falls below my level: the amount, as often and up to the limit that I chose. I am told "
        "of each charge when it is made, and I can switch it off here at any time."
    ) % {"organisation": wallet.book.organisation.name}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A step of the history, in words."""

    step: str
    words: str
    reason: str
    amount_micro: int | None
    available_micro: int | None
    our_ref: str
    at_us: int


def _shown(one: Step, wallet: Wallet) -> Shown:
    amount = one.evidence.get("amount_minor")
    digits = wallet.book.minor_digits
    return Shown(
        step=one.step,
        words=step_words(one.step),
        # What fell is said by the step itself; why nothing is taken is not.
        reason="" if one.step == "fell" and one.reason.startswith("below") else reason_words(one.reason),
        amount_micro=micro_from_minor(amount_minor=amount, minor_digits=digits) if amount else None,
        available_micro=one.evidence.get("available_micro"),
        our_ref=str(one.evidence.get("our_ref", "")) if one.step == "asked" else "",
        at_us=one.at_us,
    )


def _month(desk: AutoDesk, wallet: Wallet) -> dict[str, int] | None:
    """What is taken each time, and how much of the month's limits is used."""
    if desk.terms is None or not desk.running:
        return None
    most = desk.terms.month_most_minor
    micro = micro_from_minor(amount_minor=1, minor_digits=wallet.book.minor_digits)
    return {
        "amount_micro": desk.terms.amount_minor * micro,
        "times": desk.taken_times,
        "taken_micro": desk.taken_minor * micro,
        "most_micro": most * micro,
        "percent": min(100, 100 * desk.taken_minor // most),
    }


def _initial(desk: AutoDesk, digits: int) -> dict[str, Any]:
    """What the form begins with: what holds, or a proposal."""
    terms = desk.terms if desk.running else None
    if terms is None:
        return {"level": "money", "below": "10", "days": 3, "amount": "20", "times": 4, "most": "100"}

    def shown(minor: int) -> str:
        whole, part = divmod(minor, 10**digits)
        return f"{whole}.{part:0{digits}d}" if digits and part else str(whole)

    by_money = terms.below_micro is not None
    below_minor = (terms.below_micro or 0) // micro_from_minor(amount_minor=1, minor_digits=digits)
    return {
        "level": "money" if by_money else "days",
        "below": shown(below_minor) if by_money else "",
        "days": terms.below_days or 3,
        "amount": shown(terms.amount_minor),
        "times": terms.times_most,
        "most": shown(terms.month_most_minor),
    }


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
