"""The least payment that restores credit: what it buys, and what a day or three would cost on top of it."""

from __future__ import annotations

from dataclasses import dataclass

from fairwatt.core.spans import local_day_start
from fairwatt.core.units import MICRO, US_PER_DAY, US_PER_HOUR, micro_from_minor
from fairwatt.flows.borrow import CreditDesk
from fairwatt.store.models import UseDay
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.forecast import WINDOW_DAYS, Pace, pace_of


@dataclass(frozen=True, kw_only=True)
class Least:
    """The least payment that restores credit, what it lasts, and payments that last one day and three.

    `lasts_us`, `day_micro` and `three_micro` are 0 while the home's pace is not known; the last two are rounded up to
    whole units of the currency.
    """

    micro: int
    lasts_us: int
    day_micro: int
    three_micro: int

    @property
    def buys_time(self) -> bool:
        """Whether it lasts an hour."""
        return self.lasts_us >= US_PER_HOUR


def least_of(*, minor: int, available_micro: int, pace: Pace, minor_digits: int) -> Least | None:
    """Say how long the least payment lasts, and what days cost; `None` when nothing need be paid."""
    if minor <= 0:
        return None
    micro = micro_from_minor(amount_minor=minor, minor_digits=minor_digits)
    if not pace.speaks:
        return Least(micro=micro, lasts_us=0, day_micro=0, three_micro=0)
    return Least(
        micro=micro,
        lasts_us=(micro + available_micro) * US_PER_DAY // pace.mean_micro,
        day_micro=_whole(pace.mean_micro - available_micro),
        three_micro=_whole(3 * pace.mean_micro - available_micro),
    )


def least_now(*, credit: CreditDesk, pace: Pace) -> Least | None:
    """The same for a home as it stands, with what of the payment only repays."""
    minor = credit.least_minor
    repaid_micro = minor * credit.minor_micro - credit.split(minor=minor).credit_micro
    return least_of(
        minor=minor,
        available_micro=credit.available_micro - repaid_micro,
        pace=pace,
        minor_digits=credit.wallet.book.minor_digits,
    )


def pace_at_desk(*, credit: CreditDesk, now_us: int) -> Pace:
    """What a day costs a home, from its whole days of late."""
    wallet = credit.wallet
    today_us = local_day_start(zone=wallet.book.zone, at_us=now_us)
    since_us = now_us - (WINDOW_DAYS + 2) * US_PER_DAY
    with seeing(scope=scope_of_wallet(wallet=wallet)):
        days = UseDay.objects.filter(wallet=wallet.pk, day_us__gte=since_us, day_us__lt=today_us)
        return pace_of(costs_micro=list(days.order_by("day_us").values_list("cost_micro", flat=True)))


def _whole(micro: int) -> int:
    return -(-micro // MICRO) * MICRO
