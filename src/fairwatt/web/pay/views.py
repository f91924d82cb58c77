"""The page somebody comes back to after paying, and the door of the payment platform's callbacks."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, cast

import segno
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from fairwatt.flows.receive_payment import BODY_MAX, receive_callback
from fairwatt.payments.contract import Ack, CallbackRejected, Method
from fairwatt.store.models import Paid, PaymentIntent, Refund, User
from fairwatt.web import access
from fairwatt.web.live import Fragments, live_response, still_active
from fairwatt.web.pay.door import take
from fairwatt.web.progress import progress
from fairwatt.web.providers import open_providers
from fairwatt.web.refunding import RefundShown, shown

GO_WAIT_S: Final = 5.0
"""So long the browser waits for the provider's answer before our own page says that it is coming."""
GO_CSP = cast("dict[str, list[str]]", settings.SECURE_CSP)


@login_required
@require_GET
def status(request: HttpRequest, our_ref: str) -> HttpResponse:
    """Is my power safe now? Paid, credited, sent to the meter, confirmed by the meter."""
    steps = progress(intent=_intent(access.person(request), our_ref))
    context = {"steps": steps, "refunds": _refunds(steps.intent), **_shared(steps.intent)}
    response = render(request, "pay/status.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_GET
@csp_override(GO_CSP)
async def go(request: HttpRequest, our_ref: str) -> HttpResponse:
    """On to the provider's page as soon as it has told its address; to our own page where there is none to open."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    until_s = time.monotonic() + GO_WAIT_S
    while True:
        intent = await sync_to_async(_intent)(user, our_ref)
        action = intent.action or {}
        if action or intent.state != PaymentIntent.State.CREATED or time.monotonic() > until_s:
            break
        await asyncio.sleep(0.1)
    if action.get("method") == Method.REDIRECT and intent.state == PaymentIntent.State.PENDING:
        return HttpResponseRedirect(action["url"])
    return redirect("pay:status", our_ref=our_ref)


@login_required
@require_GET
async def live(request: HttpRequest, our_ref: str) -> HttpResponseBase:
    """The same steps while they happen."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    intent = await sync_to_async(_intent)(user, our_ref)

    def draw() -> Fragments:
        steps = progress(intent=intent)
        shown = {"steps": steps, **_shared(intent)}
        return {
            "steps": render_to_string("pay/_steps.html", shown),
            "next": render_to_string("pay/_next.html", shown),
        }

    def may() -> bool:
        mine = access.wallets_of(user=user, at_us=access.now_us()).filter(pk=intent.wallet_id)
        return still_active(user=user) and mine.exists()

    return live_response(
        request=request, scope=access.scope_of_wallet(wallet=intent.wallet), draw=draw, may=may
    )


@csrf_exempt
@require_POST
def callback(request: HttpRequest, provider: str) -> HttpResponse:
    """Take a provider's signed word. Only its signature speaks for it; cookies and sessions are ignored.

    The provider repeats until it hears 200, so everything that is stored, also for the second time, is 200.
    """
    known = open_providers().get(provider)
    if known is None:
        raise Http404
    try:
        receive_callback(provider=known, headers=request.headers, body=request.body, now_us=access.now_us())
    except CallbackRejected as refused:
        return _said(known.ack(refused=refused))
    return _said(known.ack(refused=None))


@csrf_exempt
@require_POST
def account_callback(request: HttpRequest, provider: str, token: str, hint_ref: str = "") -> HttpResponse:
    """The same for a merchant's own account: the address says whose, the signature says that it is true.

    Served, these addresses are answered by `CallbackDoor` and never come this far.
    """
    body = b"" if int(request.headers.get("Content-Length") or 0) > BODY_MAX else request.body
    ack = take(provider=provider, token=token, hint_ref=hint_ref, headers=request.headers, body=body)
    if ack is None:
        raise Http404
    return _said(ack)


def _said(ack: Ack) -> HttpResponse:
    return HttpResponse(ack.body, status=ack.status, content_type=ack.content_type)


def _intent(user: User, our_ref: str) -> PaymentIntent:
    mine = access.wallets_of(user=user, at_us=access.now_us())
    found = (
        PaymentIntent.objects.select_related("wallet__book", "wallet__unit__site")
        .filter(our_ref=our_ref, wallet__in=mine)
        .first()
    )
    if found is None:
        raise Http404
    return found


def _refunds(intent: PaymentIntent) -> list[RefundShown]:
    """What of this payment went back, or is on its way."""
    with access.seeing(scope=access.scope_of_wallet(wallet=intent.wallet)):
        mine = Paid.objects.filter(intent=intent.pk).values_list("fact", flat=True)
        rows = Refund.objects.filter(payment__in=list(mine)).order_by("pk")
        return shown(book=intent.wallet.book, rows=rows)


def next_step(intent: PaymentIntent) -> dict[str, Any] | None:
    """What the payer does now: a code to scan, a page to open, a telephone to look at; None where nothing is left."""
    waiting = intent.state in (PaymentIntent.State.CREATED, PaymentIntent.State.PENDING)
    if intent.account_id is None or not waiting:
        return None
    if intent.action is None:
        return {"kind": "opening", "trouble": intent.trouble}
    kind, url = str(intent.action["method"]), str(intent.action["url"])
    opens = url if url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")) else ""
    code = segno.make(url, error="m").svg_data_uri(border=2, scale=8) if kind == Method.QR else ""
    return {"kind": kind, "opens": opens, "code": code, "sheet": intent.action["sheet"]}


def _shared(intent: PaymentIntent) -> dict[str, object]:
    intent.refresh_from_db(fields=["state", "action", "trouble"])
    book = intent.wallet.book
    return {
        "wallet": intent.wallet,
        "next": next_step(intent),
        "ended": intent.state if intent.state in ("failed", "expired", "closed") else "",
        "currency": book.currency,
        "zone": book.zone,
        "amount_micro": intent.amount_minor * 10 ** (6 - book.minor_digits),
        "now_us": access.now_us(),
    }
