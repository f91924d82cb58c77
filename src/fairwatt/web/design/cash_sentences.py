"""Lines of the cash desk as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.ledger.model import Kind
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.web.design import format as text

NAMES: Final[Mapping[str, str | Promise]] = {"void": _("Payment taken back"), "deposit": _("Deposit")}


def void_sentence(account: LineAccount) -> str:
    """Of which payment it was taken back, and when."""
    return gettext(
        "%(amount)s of the payment with receipt %(receipt)s taken back, as two people agreed, on %(day)s at %(time)s."
    ) % {
        "amount": text.money_exact(micro=-account.line.amount_micro, currency=account.currency),
        "receipt": account.facts.get("receipt", ""),
        "day": text.short_day(at_us=account.line.ts_us, zone=account.zone),
        "time": text.clock(at_us=account.line.ts_us, zone=account.zone),
    }


def deposit_sentence(account: LineAccount) -> str:
    """That credit was set aside, or came back, and when."""
    said = (
        gettext("%(amount)s was set aside as a deposit, on %(day)s at %(time)s.")
        if account.line.amount_micro < 0
        else gettext("A deposit of %(amount)s became credit again, on %(day)s at %(time)s.")
    )
    return said % {
        "amount": text.money_exact(micro=abs(account.line.amount_micro), currency=account.currency),
        "day": text.short_day(at_us=account.line.ts_us, zone=account.zone),
        "time": text.clock(at_us=account.line.ts_us, zone=account.zone),
    }


SENTENCES: Final[Mapping[int, Callable[[LineAccount], str]]] = {
    Kind.VOID: void_sentence,
    Kind.DEPOSIT: deposit_sentence,
}
