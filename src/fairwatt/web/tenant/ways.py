"""How a resident can pay: what the supplier offers, and which way of it suits this browser."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext

from fairwatt.flows.merchants import Offer, Place, offers
from fairwatt.payments.contract import Method
from fairwatt.payments.mpesa.provider import telephone
from fairwatt.payments.unasked import unasked
from fairwatt.store.models import Book
from fairwatt.web.providers import open_merchants

SANDBOX: Final = "sandbox"
_PHONE: Final = re.compile(r"Mobile|Android|iPhone|MicroMessenger", re.IGNORECASE)
_IN_WECHAT: Final = re.compile(r"MicroMessenger", re.IGNORECASE)
CHECKOUTS: Final = ("https://checkout.stripe.com", "https://*.alipay.com", "https://open.weixin.qq.com")
"""Where a form may lead a browser on to; a browser applies form-action to redirects as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One entry of the list a payer chooses from."""

    key: str
    provider: str
    label: str
    offer: Offer | None
    asks_phone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PayBill:
    """A merchant's number that payers type at the provider."""

    provider: str
    shop: str


def on_phone(request: HttpRequest) -> bool:
    """Whether the browser says it is a telephone's."""
    return bool(_PHONE.search(request.headers.get("User-Agent", "")))


def ways_of(*, book: Book, request: HttpRequest) -> list[Way]:
    """One way an account, the one that suits the browser; the practice platform where nobody offers anything.

    None where residents pay only by what they begin at the provider.
    """
    phone = on_phone(request)
    in_wechat = bool(_IN_WECHAT.search(request.headers.get("User-Agent", "")))
    by_account: dict[int, list[Offer]] = {}
    for one in offers(book=book):
        by_account.setdefault(one.account, []).append(one)
    out = []
    for account, several in by_account.items():
        chosen = _fitting(several, phone=phone, in_wechat=in_wechat)
        if chosen is not None:
            out.append(
                Way(
                    key=str(account),
                    provider=chosen.provider,
                    label=chosen.label,
                    offer=chosen,
                    asks_phone=chosen.method is Method.PUSH,
                )
            )
    if out or offers(book=book, place=Place.PROVIDER):
        return out
    return [Way(key=SANDBOX, provider=SANDBOX, label="", offer=None, asks_phone=False)]


def paybills_of(*, book: Book) -> list[PayBill]:
    """The numbers that a payer may type at a provider by himself, with the account number of the home."""
    out = []
    for one in offers(book=book, place=Place.PROVIDER):
        merchant = open_merchants().of(account=one.account)
        found = None if merchant is None else unasked(provider=merchant.provider)
        if found is not None:
            out.append(PayBill(provider=one.provider, shop=found.shop))
    return out


def _fitting(several: Collection[Offer], *, phone: bool, in_wechat: bool) -> Offer | None:
    order = [Method.PUSH, Method.REDIRECT, Method.QR] if phone else [Method.PUSH, Method.QR, Method.REDIRECT]
    if in_wechat:
        order = [Method.JSAPI, *order]
    by_method = {one.method: one for one in several}
    return next((by_method[method] for method in order if method in by_method), None)


def payer_of(*, way: Way, typed: str, amount_minor: int, minor_digits: int) -> tuple[str, str]:
    """Who is to be asked, and what is wrong with it. The code of a WeChat login comes with its own redirect."""
    if not way.asks_phone:
        return "", ""
    if amount_minor % 10**minor_digits:
        return "", gettext("M-PESA takes whole amounts only. Nothing has been paid; choose another amount.")
    try:
        return telephone(typed), ""
    except ValueError:
        return "", gettext(
            "Write the telephone number that pays, such as 0712 345678. Nothing has been paid."
        )


def chosen_way(*, ways: Collection[Way], key: Any) -> Way | None:
    """The way of that key; the only one where there is no choice."""
    if len(ways) == 1 and not key:
        return next(iter(ways))
    return next((one for one in ways if one.key == key), None)
