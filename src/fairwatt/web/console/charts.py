"""What the console's two charts draw, with the sentence and the table that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext

from fairwatt.core.ledger.model import (
    CASH_OVER_SHORT,
    CLEARING,
    COST_PROVIDERS,
    DEPOSIT,
    OPENING,
    PAYABLE_REFUNDS,
    PAYABLE_VOIDS,
    RECEIVABLE_DEBT,
    RECEIVABLE_EMERGENCY,
    RECEIVABLE_FEES,
    RECEIVABLE_LANDLORD,
    RECEIVABLE_SHARED,
    RECOVERY_SHARED,
    REVENUE_ADJUSTMENT,
    REVENUE_ENERGY,
    REVENUE_FEE,
    REVENUE_STANDING,
    ROUNDING,
    SUSPENSE,
    TAX_OUTPUT,
)
from fairwatt.store.models import Book
from fairwatt.web.design import format as text
from fairwatt.web.design import words

LABELS = tuple(f"{slot // 2:02d}:{slot % 2 * 30:02d}" for slot in range(48))


def load_chart(*, now: Sequence[int | None], before: Sequence[int | None]) -> dict[str, Any]:
    """Mean power per half hour in W, today and the same day last week."""
    return {
        "kind": "load",
        "labels": LABELS,
        "now": list(now),
        "before": list(before),
        "names": [gettext("today"), gettext("same day last week")],
        "summary": load_summary(now=now, before=before),
    }


def load_summary(*, now: Sequence[int | None], before: Sequence[int | None]) -> str:
    """The load chart as a sentence."""
    known = [(watts, slot) for slot, watts in enumerate(now) if watts is not None]
    if not known:
        return gettext("No half hour of today is complete yet.")
    most, slot = max(known)
    said = gettext("Today's highest half hour is %(power)s at %(time)s.") % {
        "power": text.watts(power_w=most),
        "time": LABELS[slot],
    }
    earlier = [watts for watts in before if watts is not None]
    if earlier:
        said += " " + gettext("A week ago it was %(power)s.") % {"power": text.watts(power_w=max(earlier))}
    return said


def load_table(*, now: Sequence[int | None], before: Sequence[int | None]) -> list[tuple[str, str, str]]:
    """Half hour, today, a week ago: the chart's twin. A gap says so."""
    gap = gettext("no reading")
    return [
        (
            LABELS[slot],
            gap if now[slot] is None else text.watts(power_w=now[slot] or 0),
            gap if before[slot] is None else text.watts(power_w=before[slot] or 0),
        )
        for slot in range(48)
        if now[slot] is not None or before[slot] is not None
    ]


def money_rows(*, opening: int, moved: Sequence[tuple[str, int]], held: int) -> list[tuple[str, int, bool]]:
    """The month as named steps: (name, micro-units, whether it is a total)."""
    steps: dict[str, int] = {}
    for account, micro in moved:
        name = _step(account)
        steps[name] = steps.get(name, 0) + micro
    ordered = sorted(steps.items(), key=lambda step: step[1] < 0)
    return [
        (gettext("at the start"), opening, True),
        *((name, micro, False) for name, micro in ordered if micro),
        (gettext("held now"), held, True),
    ]


def _step(account: str) -> str:
    if account.startswith(REVENUE_FEE):
        return words.fee_category(account.removeprefix(REVENUE_FEE))
    # What a provider keeps, or a drawer is short of, was taken from no wallet: top-ups are what was paid.
    if account.startswith(CLEARING) or account in (COST_PROVIDERS, CASH_OVER_SHORT):
        return gettext("top-ups")
    names = {
        REVENUE_ENERGY: gettext("energy"),
        REVENUE_STANDING: gettext("standing charge"),
        REVENUE_ADJUSTMENT: gettext("given back"),
        RECOVERY_SHARED: gettext("shared costs"),
        RECEIVABLE_FEES: gettext("fees still open"),
        RECEIVABLE_SHARED: gettext("shares still open"),
        RECEIVABLE_LANDLORD: gettext("owed by the landlord"),
        RECEIVABLE_EMERGENCY: gettext("emergency credit still open"),
        RECEIVABLE_DEBT: gettext("old debts still open"),
        TAX_OUTPUT: gettext("tax"),
        SUSPENSE: gettext("not placed yet"),
        ROUNDING: gettext("rounding"),
        OPENING: gettext("brought over"),
        PAYABLE_REFUNDS: gettext("refunds owed"),
        PAYABLE_VOIDS: gettext("taken back"),
        DEPOSIT: gettext("deposits"),
    }
    return names.get(account, account)


def money_chart(*, rows: Sequence[tuple[str, int, bool]], book: Book) -> dict[str, Any]:
    """A waterfall from what was held at the start of the month to what is held now."""
    return {
        "kind": "money",
        "rows": [[name, micro, total] for name, micro, total in rows],
        "texts": [text.money(micro=micro, currency=book.currency, places=0) for _, micro, _ in rows],
        "symbol": text.symbol(currency=book.currency),
        "summary": gettext("This month the wallets went from %(opening)s to %(held)s.")
        % {
            "opening": text.money(micro=rows[0][1], currency=book.currency),
            "held": text.money(micro=rows[-1][1], currency=book.currency),
        },
    }
