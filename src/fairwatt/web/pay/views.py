"""The page somebody comes back to after paying, and the door of the payment platform's callbacks."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from fairwatt.flows.receive_payment import BODY_MAX, count_refused, receive_callback
from fairwatt.payments.contract import Ack, CallbackRejected
from fairwatt.store.models import PaymentIntent, User
from fairwatt.web import access
from fairwatt.web.live import Fragments, live_response, still_active
from fairwatt.web.pay.queries import progress
from fairwatt.web.providers import open_merchants, open_providers


@login_required
@require_GET
def status(request: HttpRequest, our_ref: str) -> HttpResponse:
    """Is my power safe now? Paid, credited, sent to the meter, confirmed by the meter."""
    steps = progress(intent=_intent(access.person(request), our_ref))
    response = render(request, "pay/status.html", {"steps": steps, **_shared(steps.intent)})
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_GET
async def live(request: HttpRequest, our_ref: str) -> HttpResponseBase:
    """The same steps while they happen."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    intent = await sync_to_async(_intent)(user, our_ref)

    def draw() -> Fragments:
        steps = progress(intent=intent)
        return {"steps": render_to_string("pay/_steps.html", {"steps": steps, **_shared(intent)})}

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
    """The same for a merchant's own account: the address says whose, the signature says that it is true."""
    merchant = open_merchants().by_token(token=token, provider=provider)
    if merchant is None:
        raise Http404
    now_us = access.now_us()
    try:
        body = b"" if int(request.headers.get("Content-Length") or 0) > BODY_MAX else request.body
        receive_callback(
            provider=merchant.provider,
            headers=request.headers,
            body=body,
            now_us=now_us,
            account=merchant.account,
            hint_ref=hint_ref,
        )
    except CallbackRejected as refused:
        count_refused(account=merchant.account, code=refused.code, now_us=now_us)
        return _said(merchant.provider.ack(refused=refused))
    return _said(merchant.provider.ack(refused=None))


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


def _shared(intent: PaymentIntent) -> dict[str, object]:
    book = intent.wallet.book
    return {
        "wallet": intent.wallet,
        "currency": book.currency,
        "zone": book.zone,
        "amount_micro": intent.amount_minor * 10 ** (6 - book.minor_digits),
        "now_us": access.now_us(),
    }
