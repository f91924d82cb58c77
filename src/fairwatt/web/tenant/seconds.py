"""The resident's own home, second by second, as it happens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET

from fairwatt.core.spans import local_date
from fairwatt.store.models import Meter, User, Wallet
from fairwatt.web import access
from fairwatt.web import seconds as shown
from fairwatt.web.live import Fragments, live_response, still_active


@login_required
@require_GET
def seconds(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The last minutes, or one day by the minute."""
    wallet = access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())
    response = render(request, "tenant/seconds.html", _context(wallet, request.GET.dict()))
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_GET
async def live(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """The same page while it is open."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    wallet = await sync_to_async(access.resident_wallet)(
        user=user, public_id=public_id, at_us=access.now_us()
    )
    asked = {**request.GET.dict(), "day": ""}

    def draw() -> Fragments:
        return {"seconds": render_to_string("_seconds.html", _context(wallet, asked))}

    def may() -> bool:
        mine = access.wallets_of(user=user, at_us=access.now_us()).filter(pk=wallet.pk)
        return still_active(user=user) and mine.exists()

    scope = access.scope_of_wallet(wallet=wallet)
    return live_response(request=request, scope=scope, draw=draw, may=may, beside_ledger=True)


def _context(wallet: Wallet, asked: dict[str, str]) -> dict[str, Any]:
    now_us, zone = access.now_us(), wallet.book.zone
    meters = shown.meters_of_wallet(wallet_id=wallet.pk)
    meter = _chosen(meters, asked.get("meter", ""))
    frame = shown.page(zone=zone, now_us=now_us, asked=asked, first_us=wallet.opened_us)
    found = None
    if meter is not None:
        found = shown.found(scope=access.scope_of_wallet(wallet=wallet), meter=meter, page=frame)
        if frame.day is None:
            shown.watch(book=wallet.book_id, meter=meter)
    return {
        "wallet": wallet,
        "zone": zone,
        "now_us": now_us,
        "meters": meters,
        "meter": meter,
        "page": frame,
        "seconds": found,
        "looks": shown.looks(scope=access.scope_of_wallet(wallet=wallet)),
        "today": local_date(zone=zone, at_us=now_us),
    }


def _chosen(meters: list[Meter], asked: str) -> Meter | None:
    """The meter that was asked for among the home's own, else the first."""
    return next((meter for meter in meters if str(meter.pk) == asked), meters[0] if meters else None)
