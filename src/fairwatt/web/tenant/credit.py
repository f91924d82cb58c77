"""Emergency credit, and where a top-up goes before it is paid."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.flows.borrow import BorrowRefused, credit_desk, take_emergency
from fairwatt.web import access
from fairwatt.web.design.refusals import said
from fairwatt.web.tenant.forms import TopUpForm
from fairwatt.web.tenant.views import home_page, wallet_of


@login_required
@require_POST
def emergency(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take emergency credit."""
    wallet = wallet_of(request, public_id)
    try:
        take_emergency(wallet_id=wallet.pk, user_id=access.person(request).pk, now_us=access.now_us())
    except BorrowRefused as refused:
        messages.error(request, said(refused))
        return home_page(request, wallet, status=422)
    messages.success(
        request, gettext("Emergency credit is on its way. It is repaid out of your next top-up.")
    )
    return redirect("tenant:home", public_id=public_id)


@login_required
@require_GET
def split(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Where an amount would go: a part of the top-up form that follows what is chosen."""
    wallet = wallet_of(request, public_id)
    form = TopUpForm(data=request.GET, minor_digits=wallet.book.minor_digits)
    minor = form.cleaned_data["amount_minor"] if form.is_valid() else 0
    desk = credit_desk(wallet=wallet, now_us=access.now_us())
    context = {
        "credit": desk,
        "currency": wallet.book.currency,
        "paid_micro": minor * desk.minor_micro,
        "split": desk.split(minor=minor) if minor else None,
        "after_micro": desk.available_micro + desk.split(minor=minor).credit_micro,
    }
    response = render(request, "tenant/_split.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response
