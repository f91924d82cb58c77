"""The resident's pages: parse, read or call one flow, render."""

from __future__ import annotations

import secrets
from datetime import date
from hmac import compare_digest
from typing import Any, cast
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, gettext
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.account_numbers import account_number
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import date_start, local_date, next_day_start
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.billed_unit import unit_of_wallet
from fairwatt.flows.merchants import Offer
from fairwatt.flows.postpaid.homes import Account, account_of
from fairwatt.flows.start_top_up import Payer, StartedTopUp, TopUpRefused, start_top_up
from fairwatt.payments.contract import Method, OrderAsk
from fairwatt.payments.exchange import Moment, answer_now
from fairwatt.payments.wechat import WechatPay
from fairwatt.payments.wechat.orders import login_url
from fairwatt.store.models import User, Wallet
from fairwatt.store.postpaid import postpaid_of
from fairwatt.web import access
from fairwatt.web.darkness import answer
from fairwatt.web.design.refusals import said
from fairwatt.web.live import Fragments, live_response, still_active
from fairwatt.web.providers import open_merchants, open_providers
from fairwatt.web.tenant import charts, queries
from fairwatt.web.tenant.forms import TopUpForm
from fairwatt.web.tenant.history import totals_of
from fairwatt.web.tenant.ways import CHECKOUTS, chosen_way, on_phone, paybills_of, payer_of, ways_of

PROVIDER = "sandbox"
_ASKED = "wechat_top_up"
# The form leads to the payment platform, and a browser applies form-action to where a form is redirected as well.
PAGE_CSP = cast("dict[str, list[str]]", settings.SECURE_CSP)
FORM_CSP = {
    **PAGE_CSP,
    "form-action": [*PAGE_CSP["form-action"], settings.FAIRWATT_PAYSIM_URL, *CHECKOUTS],
}


@login_required
@require_GET
def homes(request: HttpRequest) -> HttpResponse:
    """The homes of this person; a single one opens at once."""
    wallets = list(access.wallets_of(user=access.person(request), at_us=access.now_us()))
    if len(wallets) == 1:
        return redirect("tenant:home", public_id=wallets[0].public_id)
    return render(request, "tenant/homes.html", {"wallets": wallets})


@login_required
@require_GET
@csp_override(FORM_CSP)
def home(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """How many days are left, and everything that explains it."""
    return home_page(request, wallet_of(request, public_id))


@login_required
@require_GET
async def live(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """The same page, as changes while it is open."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    at_us = access.now_us()
    wallet = await sync_to_async(access.resident_wallet)(user=user, public_id=public_id, at_us=at_us)

    def draw() -> Fragments:
        context = _context(wallet)
        return {
            name: render_to_string(f"tenant/_{name}.html", context)
            for name in ("supply", "hero", "balance", "now", "today", "recent")
        }

    def may() -> bool:
        mine = access.wallets_of(user=user, at_us=access.now_us()).filter(pk=wallet.pk)
        return still_active(user=user) and mine.exists()

    return live_response(request=request, scope=access.scope_of_wallet(wallet=wallet), draw=draw, may=may)


@login_required
@require_GET
def charges(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Every movement of one local day."""
    wallet = wallet_of(request, public_id)
    zone, now_us = wallet.book.zone, access.now_us()
    today = local_date(zone=zone, at_us=now_us)
    shared = {"wallet": wallet, "currency": wallet.book.currency, "zone": zone, "today": today}
    try:
        asked = date.fromisoformat(request.GET["day"]) if "day" in request.GET else today
    except ValueError:
        return _private(render(request, "tenant/charges.html", {**shared, "unreadable": True}, status=400))
    if not local_date(zone=zone, at_us=wallet.opened_us) <= asked <= today:
        return _private(render(request, "tenant/charges.html", {**shared, "outside": asked}))
    day_us = date_start(zone=zone, day=asked)
    tomorrow_us = next_day_start(zone=zone, at_us=day_us)
    listed = queries.movements_of_day(wallet=wallet, day_us=day_us)
    context = {
        **shared,
        "day_us": day_us,
        "movements": listed,
        "totals": totals_of(listed=listed),
        "unit": unit_of_wallet(wallet=wallet.pk),
        "earlier": local_date(zone=zone, at_us=day_us - US_PER_DAY // 4)
        if day_us > wallet.opened_us
        else None,
        "later": local_date(zone=zone, at_us=tomorrow_us) if tomorrow_us <= now_us else None,
    }
    return _private(render(request, "tenant/charges.html", context))


@login_required
@require_GET
def dark(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Somebody sits in the dark: why, and the one next step."""
    wallet, now_us = wallet_of(request, public_id), access.now_us()
    context = {
        "wallet": wallet,
        "zone": wallet.book.zone,
        "now_us": now_us,
        "dark": answer(wallet=wallet, now_us=now_us, said_dark=True),
    }
    return _private(render(request, "tenant/dark.html", context))


@login_required
@require_POST
@csp_override(FORM_CSP)
def top_up(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Start a payment and lead to the platform that takes it."""
    wallet = wallet_of(request, public_id)
    form = TopUpForm(data=request.POST, minor_digits=wallet.book.minor_digits)
    if not form.is_valid():
        return home_page(request, wallet, form=form, status=422)
    way = chosen_way(ways=ways_of(book=wallet.book, request=request), key=request.POST.get("way"))
    if way is None:
        form.add_error(None, gettext("Choose how to pay; that way is not open now. Nothing has been paid."))
        return home_page(request, wallet, form=form, status=422)
    payer, wrong = payer_of(
        way=way,
        typed=request.POST.get("phone", ""),
        amount_minor=form.cleaned_data["amount_minor"],
        minor_digits=wallet.book.minor_digits,
    )
    if wrong:
        form.add_error(None, wrong)
        return home_page(request, wallet, form=form, status=422)
    if way.offer is not None and way.offer.method is Method.JSAPI:
        return _who_pays(request, wallet, way.offer, form.cleaned_data["amount_minor"])
    try:
        started = _start(request, wallet, way.offer, form.cleaned_data["amount_minor"], payer)
    except Refusal as refused:
        form.add_error("choice", said(refused))
        return home_page(request, wallet, form=form, status=422)
    if way.offer is not None:
        return redirect("pay:go", our_ref=started.our_ref)
    back = request.build_absolute_uri(reverse("pay:status", args=[started.our_ref]))
    order = OrderAsk(
        our_ref=started.our_ref,
        amount_minor=started.amount_minor,
        currency=started.currency,
        method=Method.REDIRECT,
        subject="",
        notify_url="",
        return_url=back,
        expires_us=0,
    )
    at = Moment(now_us=access.now_us(), nonce="")
    return HttpResponseRedirect(answer_now(open_providers()[PROVIDER].create(order=order, at=at)).url)


@login_required
@require_GET
def wechat_back(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Back from WeChat, which told a code of who pays: now the payment can start."""
    wallet = wallet_of(request, public_id)
    asked = request.session.pop(_ASKED, None)
    mine = isinstance(asked, dict) and asked["home"] == str(public_id)
    state = request.GET.get("state", "")
    if not mine or not compare_digest(asked["state"].encode(), state.encode()):
        return redirect("tenant:home", public_id=public_id)
    way = chosen_way(ways=ways_of(book=wallet.book, request=request), key=str(asked["account"]))
    code = request.GET.get("code", "")[:100]
    if way is None or way.offer is None or not code:
        return redirect("tenant:home", public_id=public_id)
    try:
        started = _start(request, wallet, way.offer, int(asked["amount_minor"]), f"code:{code}")
    except TopUpRefused as refused:
        form = TopUpForm(data={}, minor_digits=wallet.book.minor_digits)
        form.add_error("choice", said(refused))
        return home_page(request, wallet, form=form, status=422)
    return redirect("pay:go", our_ref=started.our_ref)


def _who_pays(request: HttpRequest, wallet: Wallet, offer: Offer, amount_minor: int) -> HttpResponse:
    """Inside WeChat the app has to say who pays before an order can be made."""
    merchant = open_merchants().of(account=offer.account)
    if merchant is None or not isinstance(merchant.provider, WechatPay):
        raise Http404
    state = secrets.token_urlsafe(16)
    request.session[_ASKED] = {
        "home": str(wallet.public_id),
        "account": offer.account,
        "amount_minor": amount_minor,
        "state": state,
    }
    back = request.build_absolute_uri(reverse("tenant:wechat_back", args=[wallet.public_id]))
    return HttpResponseRedirect(login_url(merchant.provider.account, back=back, state=state))


def _start(
    request: HttpRequest, wallet: Wallet, offer: Offer | None, amount_minor: int, payer: str
) -> StartedTopUp:
    return start_top_up(
        wallet_id=wallet.id,
        amount_minor=amount_minor,
        provider=PROVIDER,
        user_id=access.person(request).pk,
        now_us=access.now_us(),
        offer=offer,
        payer=Payer(
            payer=payer,
            language=get_language() or "en",
            on_phone=on_phone(request),
            origin=request.build_absolute_uri("/").rstrip("/"),
        ),
    )


def wallet_of(request: HttpRequest, public_id: UUID) -> Wallet:
    """This person's home of that public id, or 404."""
    return access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())


def home_page(
    request: HttpRequest, wallet: Wallet, *, form: TopUpForm | None = None, status: int = 200
) -> HttpResponse:
    """The resident's page; with a form, what was wrong with it."""
    context = {
        **_context(wallet),
        "form": form,
        "ways": ways_of(book=wallet.book, request=request),
        "paybills": paybills_of(book=wallet.book),
        "number": account_number(wallet=wallet.pk),
    }
    return _private(render(request, "tenant/home.html", context, status=status))


def _context(wallet: Wallet) -> dict[str, Any]:
    home = queries.home(wallet=wallet, now_us=access.now_us())
    checked = home.advice or home.presets[1]
    split = home.credit.split(minor=checked.amount_minor)
    return {
        "home": home,
        "wallet": wallet,
        "currency": home.currency,
        "zone": home.zone,
        "balance_chart": charts.balance_chart(home=home),
        "balance_table": charts.balance_table(home=home),
        "today_chart": charts.today_chart(home=home),
        "today_table": charts.today_table(home=home),
        "credit": home.credit,
        "split": split,
        "paid_micro": checked.amount_micro,
        "postpaid": _postpaid(wallet, home.balance_micro),
        "after_micro": home.credit.available_micro + split.credit_micro,
    }


def _postpaid(wallet: Wallet, balance_micro: int) -> Account | None:
    """What a home that pays after use owes; None for one that pays first."""
    with access.seeing(scope=access.scope_of_wallet(wallet=wallet)), connection.cursor() as cursor:
        one = postpaid_of(cursor=cursor, book=wallet.book_id, wallet=wallet.pk)
    if one is None:
        return None
    return account_of(one=one, balance_micro=balance_micro, zone=wallet.book.zone, now_us=access.now_us())


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
