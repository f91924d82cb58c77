"""A resident's receipts, and the number the home is paid under."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET

from fairwatt.core.account_numbers import account_number
from fairwatt.store import cash_desk
from fairwatt.web import access
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.design.cash_words import number_of


@login_required
@require_GET
def receipts(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Every payment into this home, with its receipt."""
    wallet = access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())
    with seeing(scope=scope_of_wallet(wallet=wallet)), connection.cursor() as cursor:
        found = cash_desk.receipts_of_wallet(cursor=cursor, wallet=wallet.pk)
    context = {
        "wallet": wallet,
        "currency": wallet.book.currency,
        "zone": wallet.book.zone,
        "number": account_number(wallet=wallet.pk),
        "receipts": [(one, number_of(slug=wallet.book.slug, number=one.number)) for one in found],
    }
    response = render(request, "tenant/receipts.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response
