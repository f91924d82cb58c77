"""What a resident was told before credit ends, and what is to be told to who has left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.store.models import AccountEnd, Event, RefundWish, Wallet, WalletHead

BY_FORECAST = "credit.forecast"


@dataclass(frozen=True, kw_only=True)
class Warned:
    """The first warning since there was credit last; `days`: about how many it said were left, 0 if it named none."""

    at_us: int
    days: int
    lead_us: int
    """how long before the power went off; until now while it is on"""

    @property
    def lead_days(self) -> int:
        """Whole days of the lead."""
        return self.lead_us // US_PER_DAY

    @property
    def lead_hours(self) -> int:
        """Whole hours of a lead."""
        return self.lead_us // US_PER_HOUR


@dataclass(frozen=True, kw_only=True)
class Left:
    """An account whose person moved out. `settled`: every register is known and nothing more is charged."""

    at_us: int
    settled: bool
    way: str
    back_micro: int
    """what was left of the credit, and goes back"""
    owed_micro: int
    """what is still open; it stays with the person"""
    month: date
    """the first day of the account's last month, from which on its statement says how it ended"""


def warned_of(*, wallet: Wallet, head: WalletHead | None, off_us: int | None, now_us: int) -> Warned | None:
    """The warning that stands, as far as the transaction may see it; `off_us`: since when the power is off."""
    if head is None or not head.warned_us:
        return None
    event = (
        Event.objects.filter(wallet=wallet.pk, at_us=head.warned_us, kind__startswith="warning.")
        .order_by("id")
        .first()
    )
    days = event.evidence.get("days", 0) if event is not None and event.rule == BY_FORECAST else 0
    until_us = now_us if off_us is None else off_us
    return Warned(at_us=head.warned_us, days=days, lead_us=max(0, until_us - head.warned_us))


def left_of(*, wallet: Wallet, balance_micro: int) -> Left | None:
    """How the account of a person stands who moved out; `None` while it has a home."""
    end = AccountEnd.objects.filter(wallet=wallet.pk).first()
    if end is None:
        return None
    back = RefundWish.objects.filter(wallet=wallet.pk).values_list("amount_micro", flat=True)
    return Left(
        at_us=end.at_us,
        settled=Event.objects.filter(wallet=wallet.pk, kind="move.settled").exists(),
        way=end.settle,
        back_micro=sum(back),
        owed_micro=max(0, -balance_micro),
        month=local_date(zone=wallet.book.zone, at_us=end.at_us - 1).replace(day=1),
    )
