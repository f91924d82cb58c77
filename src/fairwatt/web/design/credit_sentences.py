"""Lines of emergency credit and debts as sentences: what was lent, what a top-up or a day gave back, by which rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import date_start
from fairwatt.core.units import BP
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.web.design import format as text

NAMES: Final[Mapping[str, str | Promise]] = {"emergency": _("Emergency credit"), "debt": _("Debt")}


def credit_sentence(account: LineAccount) -> str:
    """Why a line of emergency credit or of a debt is what it is."""
    facts = account.facts
    amount = text.money_exact(micro=abs(account.line.amount_micro), currency=account.currency)
    when = {
        "day": text.short_day(at_us=account.line.ts_us, zone=account.zone),
        "time": text.clock(at_us=account.line.ts_us, zone=account.zone),
    }
    match facts.get("what"):
        case "lent":
            return gettext(
                "%(amount)s of emergency credit lent on %(day)s at %(time)s, when %(left)s was left. It is repaid "
                "first out of the next top-up."
            ) % {"amount": amount, "left": _money(account, "available_micro"), **when}
        case "repaid":
            return gettext(
                "%(amount)s of the %(owed)s of emergency credit repaid out of a top-up of %(paid)s on %(day)s at "
                "%(time)s."
            ) % {
                "amount": amount,
                "owed": _money(account, "emergency_owed_micro"),
                "paid": _money(account, "paid_micro"),
                **when,
            }
        case "debt":
            return gettext(
                "%(amount)s that was owed for energy became a debt on %(day)s at %(time)s; its plan recovers it."
            ) % {"amount": amount, **when}
        case "share":
            return _share(account, amount, when)
        case "instalment":
            return gettext("Instalment of %(date)s for a debt of %(owed)s: %(amount)s.") % {
                "date": _date(facts.get("day"), account.zone),
                "owed": _money(account, "owed_micro"),
                "amount": amount,
            }
        case _:
            return gettext("%(amount)s on %(day)s at %(time)s.") % {"amount": amount, **when}


def _share(account: LineAccount, amount: str, when: dict[str, str]) -> str:
    share = account.facts.get("share_bp")
    said = gettext(
        "%(amount)s of a top-up of %(paid)s on %(day)s at %(time)s went to a debt of %(owed)s: %(share)s %% of it"
    ) % {
        "amount": amount,
        "paid": _money(account, "paid_micro"),
        "owed": _money(account, "owed_micro"),
        "share": _percent(share if isinstance(share, int) else 0),
        **when,
    }
    cap = account.facts.get("week_cap_micro")
    if isinstance(cap, int) and cap >= 0:
        said += gettext(", at most %(cap)s in a week, of which %(taken)s was taken before") % {
            "cap": _money(account, "week_cap_micro"),
            "taken": _money(account, "taken_this_week_micro"),
        }
    return said + "."


def _money(account: LineAccount, name: str) -> str:
    micro = account.facts.get(name)
    return text.money_exact(micro=micro if isinstance(micro, int) else 0, currency=account.currency)


def _percent(share_bp: int) -> str:
    whole, part = divmod(share_bp * 100, BP)
    return f"{whole}.{part:02d}".rstrip("0").rstrip(".") if part else str(whole)


def _date(said: object, zone: str) -> str:
    try:
        day = date.fromisoformat(str(said))
    except ValueError:
        return str(said)
    return text.short_day(at_us=date_start(zone=zone, day=day), zone=zone)


SENTENCES: Final[Mapping[int, Callable[[LineAccount], str]]] = {
    Kind.EMERGENCY: credit_sentence,
    Kind.DEBT: credit_sentence,
}
