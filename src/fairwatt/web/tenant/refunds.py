"""Credit that goes back to a resident: where each refund is, how much may go back and why no more, and the asking."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from fairwatt.core.refusal import Refusal
from fairwatt.flows.ask_refund import look_at_refund, wish_refund
from fairwatt.payments.amounts import text_from_minor
from fairwatt.store.models import Chargeback, Refund
from fairwatt.web import access
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.design import refund_words
from fairwatt.web.design.refusals import said
from fairwatt.web.exact import ExactField
from fairwatt.web.plain import PlainForm
from fairwatt.web.refunding import micro_of, shown

SHOWN: Final = 40


class WishForm(PlainForm):
    """How much a resident wants back."""

    def __init__(self, *, minor_digits: int, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.fields["amount"] = ExactField(label=_("Amount"), places=minor_digits)

    def clean_amount(self) -> int:
        """Minor units."""
        amount = int(self.cleaned_data["amount"] or 0)
        if amount <= 0:
            raise forms.ValidationError(gettext("The amount must be above zero."))
        return amount


@login_required
@require_http_methods(["GET", "POST"])
def refunds(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Where each refund of this home is; POST asks for one."""
    user = access.person(request)
    wallet = access.resident_wallet(user=user, public_id=public_id, at_us=access.now_us())
    book, digits = wallet.book, wallet.book.minor_digits
    form = WishForm(minor_digits=digits, data=request.POST if request.method == "POST" else None)
    error = ""
    if request.method == "POST" and form.is_valid():
        try:
            wish_refund(
                wallet=wallet,
                user_id=user.pk,
                amount_minor=form.cleaned_data["amount"],
                now_us=access.now_us(),
            )
            messages.success(request, gettext("Asked for. You see here how far it is."))
            return redirect("tenant:refunds", public_id=public_id)
        except Refusal as refused:
            error = said(refused)
    look = look_at_refund(wallet=wallet, now_us=access.now_us())
    if request.method == "GET":
        form = WishForm(
            minor_digits=digits, initial={"amount": text_from_minor(look.most_minor, digits=digits)}
        )
    with seeing(scope=scope_of_wallet(wallet=wallet)):
        rows = shown(book=book, rows=Refund.objects.filter(wallet=wallet.pk).order_by("-pk")[:SHOWN])
        taken = list(Chargeback.objects.filter(wallet=wallet.pk).order_by("-pk")[:SHOWN])
    context = {
        "wallet": wallet,
        "currency": book.currency,
        "zone": book.zone,
        "rows": rows,
        "taken": [(one, micro_of(book=book, minor=one.amount_minor)) for one in taken],
        "look": look,
        "bound": refund_words.BOUNDS[look.bound],
        "form": form,
        "error": error,
    }
    wrong = bool(error) or (request.method == "POST" and not form.is_valid())
    response = render(request, "tenant/refunds.html", context, status=422 if wrong else 200)
    patch_cache_control(response, private=True, no_store=True)
    return response
