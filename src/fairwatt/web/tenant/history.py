"""The past of a balance: its line through the last days, and each movement with its sum in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from django.utils.translation import gettext

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.model import Schedule
from fairwatt.core.spans import from_datetime, local_day_start, next_day_start
from fairwatt.core.units import US_PER_MINUTE, Unit
from fairwatt.flows.explaining.ids import LineId
from fairwatt.store.models import Line, PaymentIntent, UseDay
from fairwatt.web.design import format as text
from fairwatt.web.tenant.sums import Sums, Use

HALF_HOUR_US: Final = 30 * US_PER_MINUTE
POINT_EVERY_SLOTS: Final = 8
_PAID: Final = (Kind.TOPUP, Kind.VOID)


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One entry of the list: a stretch of use or a payment, what it changed, and its sum."""

    kind: int
    start_us: int
    end_us: int
    energy_wh: int
    unit: Unit
    amount_micro: int
    balance_micro: int
    title: str
    sum_words: str
    estimated: bool
    line_id: str
    """of its last line, which has a page of its own"""
    at_us: int
    seq: int
    """Number of its line, where it is a single one; 0 for several."""

    @property
    def is_use(self) -> bool:
        """Whether this is energy that was used."""
        return self.kind == Kind.READING


@dataclass(frozen=True, kw_only=True)
class DayTotals:
    """What the lines of a day come to, to the micro-unit."""

    energy_wh: int
    charged_micro: int
    paid_micro: int


def totals_of(*, listed: Sequence[Movement]) -> DayTotals:
    """Add up a day: energy, everything that was taken, everything that was paid in."""
    return DayTotals(
        energy_wh=sum(movement.energy_wh for movement in listed if movement.is_use),
        charged_micro=-sum(movement.amount_micro for movement in listed if movement.kind not in _PAID),
        paid_micro=sum(movement.amount_micro for movement in listed if movement.kind in _PAID),
    )


def balance_points(
    *,
    days: Sequence[UseDay],
    top_ups: Sequence[PaymentIntent],
    minor_micro: int,
    zone: str,
    now_us: int,
    balance_micro: int,
) -> list[tuple[int, int]]:
    """Trace the balance: (instant, micro-units), falling with each half hour of use and jumping at top-ups.

    `days` are ordered by time and each carries its closing balance. Days without any line stay level. What
    happens exactly at midnight belongs to the day it closes, as in the ledger.
    """
    points: list[tuple[int, int]] = []
    for before, today in pairwise(days):
        if not points or points[-1][0] != today.day_us:
            points.append((today.day_us, before.close_micro))
        end_us = next_day_start(zone=zone, at_us=today.day_us)
        jumps = [
            (top_up.credited_us, top_up.amount_minor * minor_micro)
            for top_up in top_ups
            if top_up.credited_us is not None and today.day_us < top_up.credited_us <= end_us
        ]
        points += _within_day(today, before.close_micro, jumps, min(end_us, now_us))
        if end_us <= now_us:
            points.append((end_us, today.close_micro))
    points.append((now_us, balance_micro))
    return points


def _within_day(
    day: UseDay, balance: int, jumps: Sequence[tuple[int, int]], until_us: int
) -> Iterator[tuple[int, int]]:
    """The balance each four hours, and on both sides of each top-up."""
    for slot, cost in enumerate(day.slots_micro):
        start_us = day.day_us + slot * HALF_HOUR_US
        if start_us >= until_us:
            return
        end_us = start_us + HALF_HOUR_US
        paid = False
        for at_us, amount in jumps:
            if start_us < at_us <= end_us:
                # The half hour is charged at its end, and before what was paid at that very instant.
                if at_us == end_us and not paid:
                    balance, paid = balance - (cost or 0), True
                yield at_us, balance
                balance += amount
                yield at_us, balance
        balance -= 0 if paid else cost or 0
        if slot % POINT_EVERY_SLOTS == POINT_EVERY_SLOTS - 1:
            yield min(until_us, end_us), balance


def movements(
    *, lines: Iterable[Line], schedule: Schedule | None, zone: str, currency: str
) -> list[Movement]:
    """Gather a wallet's lines (in the order of their seq) into half hours of use and single payments, newest first.

    Hours without use are one entry.
    """
    groups: list[list[Use]] = []
    sums = Sums(schedule=schedule, currency=currency)
    previous_us: int | None = None
    for line in lines:
        if line.kind in (Kind.LATE, Kind.CORRECTION) and not line.amount_micro:
            continue  # its energy was charged by the reading after it; or only a fraction was set right
        end_us = from_datetime(line.ts)
        is_reading = line.kind == Kind.READING
        same = (
            is_reading
            and bool(groups)
            and (before := groups[-1][-1].line).kind == Kind.READING
            and before.ref == line.ref
            and (_slot(before, zone) == _slot(line, zone) or (_idle(before) and _idle(line)))
        )
        use = Use(line=line, start_us=_start(line, previous_us, zone) if is_reading else end_us)
        if same:
            groups[-1].append(use)
        else:
            groups.append([use])
        if is_reading:
            previous_us = end_us
    return [_movement(group, sums=sums, zone=zone, currency=currency) for group in reversed(groups)]


def _idle(line: Line) -> bool:
    return line.energy_wh == 0 and line.amount_micro == 0


def _start(line: Line, previous_us: int | None, zone: str) -> int:
    """Where a reading's interval began; for the first one in sight, the half hour it closes."""
    if previous_us is not None:
        return previous_us
    return local_day_start(zone=zone, at_us=from_datetime(line.ts) - 1) + _slot(line, zone) * HALF_HOUR_US


def _slot(line: Line, zone: str) -> int:
    # A reading closes the half hour before it: 18:30 belongs to 18:00-18:30.
    at_us = from_datetime(line.ts) - 1
    return (at_us - local_day_start(zone=zone, at_us=at_us)) // HALF_HOUR_US


def _movement(group: Sequence[Use], *, sums: Sums, zone: str, currency: str) -> Movement:
    start_us, last = group[0].start_us, group[-1].line
    energy_wh = sum(use.line.energy_wh for use in group)
    amount = sum(use.line.amount_micro for use in group)
    end_us = from_datetime(last.ts)
    if last.kind == Kind.READING:
        title = f"{text.clock(at_us=start_us, zone=zone)}–{text.clock(at_us=end_us, zone=zone)}"
        sum_words = sums.in_words(group=group, energy_wh=energy_wh)
    else:
        title = _titles()[last.kind] if last.kind in _titles() else gettext("Entry")
        sum_words = gettext("Balance afterwards %(balance)s") % {
            "balance": text.money(micro=last.balance_micro, currency=currency)
        }
    return Movement(
        kind=last.kind,
        start_us=start_us,
        end_us=end_us,
        energy_wh=energy_wh,
        unit=sums.unit,
        amount_micro=amount,
        balance_micro=last.balance_micro,
        title=title,
        sum_words=sum_words,
        estimated=sums.split_at_a_price(group=group),
        line_id=str(LineId(last.book, last.wallet, last.seq)),
        at_us=end_us,
        seq=last.seq if len(group) == 1 else 0,
    )


def _titles() -> dict[int, str]:
    return {
        Kind.TOPUP: gettext("Top-up"),
        Kind.VOID: gettext("Payment taken back"),
        Kind.FEE: gettext("Fee"),
        Kind.SHARED: gettext("Share of a common cost"),
        Kind.REVERSAL: gettext("Taken back"),
        Kind.CORRECTION: gettext("Correction of an earlier charge"),
        Kind.EMERGENCY: gettext("Emergency credit"),
        Kind.DEBT: gettext("Debt"),
        Kind.ADJUSTMENT: gettext("Given back or brought over"),
        Kind.DEPOSIT: gettext("Deposit"),
        Kind.MOVED: gettext("Credit that goes with you"),
        Kind.REFUND: gettext("Refund"),
        Kind.CHARGEBACK: gettext("Payment taken back"),
    }
