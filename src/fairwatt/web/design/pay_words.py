"""Words for payments: who takes them, and in which way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

METHODS: Final[Mapping[str, str | Promise]] = {
    "redirect": _("on the provider's page"),
    "qr": _("by a code they scan"),
    "jsapi": _("inside the provider's app"),
    "push": _("on their telephone"),
    "scan": _("by their code at the window"),
    "auto": _("by themselves, as a resident agreed"),
    "paybill": _("from their telephone's own menu, by account number"),
}
PROVIDERS: Final[Mapping[str, str | Promise]] = {
    "sandbox": _("the practice payment platform"),
    "wechat": _("WeChat Pay"),
    "alipay": _("Alipay"),
    "stripe": _("Card"),
    "mpesa": _("M-PESA"),
    "cash": _("cash at the window"),
    "terminal": _("card at the window"),
    "transfer": _("bank transfer"),
}
EVENTS: Final[Mapping[str, str | Promise]] = {
    "desk.merchant_keys": _("An administrator proposed keys of a merchant account"),
    "desk.merchant_offer": _("An administrator chose how residents may pay"),
}


def method(slug: str) -> str:
    """A way to pay."""
    return str(METHODS.get(slug, slug))


def provider(slug: str) -> str:
    """A payment provider's name."""
    return str(PROVIDERS.get(slug, slug))
