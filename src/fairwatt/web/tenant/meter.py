"""The resident's own meter: from which register on, through which transformers, the picture of it, and where the
credit of a home behind several gateways lies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET

from fairwatt.core.metering.transformer import Transformer
from fairwatt.flows.credit_apart import credit_apart
from fairwatt.store.commissioning import photos_of
from fairwatt.store.models import Installation, Wallet
from fairwatt.web import access, metering


@login_required
@require_GET
def meter(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The meters that feed this home now."""
    wallet = access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())
    now_us = access.now_us()
    with access.seeing(scope=access.scope_of_wallet(wallet=wallet)):
        apart = credit_apart(book=wallet.book_id, wallet=wallet.pk, now_us=now_us)
    context = {
        "wallet": wallet,
        "zone": wallet.book.zone,
        "currency": wallet.book.currency,
        "meters": _meters(wallet),
        "apart": apart,
        "now_us": now_us,
    }
    response = render(request, "tenant/meter.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_GET
def meter_photo(request: HttpRequest, public_id: UUID, photo_id: int) -> HttpResponse:
    """A picture of a meter of this home."""
    wallet = access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())
    return metering.photo_response(scope=access.scope_of_wallet(wallet=wallet), photo_id=photo_id)


def _meters(wallet: Wallet) -> list[dict[str, Any]]:
    homes = list(
        Installation.objects.filter(wallet=wallet, closed_us__isnull=True)
        .select_related("meter")
        .order_by("meter__number")
    )
    with access.seeing(scope=access.scope_of_wallet(wallet=wallet)):
        photos = list(photos_of(meters=[home.meter_id for home in homes]))
    return [
        {
            "home": home,
            "unit": metering.unit_of_meter(home.meter),
            "ratio": str(Transformer(home.ct_primary, home.ct_secondary)),
            "through": home.ct_primary != home.ct_secondary and not home.ct_in_register,
            "photos": [(photo, at_us) for of, photo, at_us in photos if of == home.meter_id],
        }
        for home in homes
    ]
