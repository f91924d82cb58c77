"""The past of a balance: its line through the last days, and each movement with its sum in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from django.utils.translation import gettext, pgettext

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.model import Schedule, Tax
from fairwatt.core.spans import from_datetime, local_day_start, next_day_start
from fairwatt.core.units import US_PER_MINUTE
from fairwatt.store.models import Line, PaymentIntent, UseDay
from fairwatt.web.design import format as text
from fairwatt.web.design import words
from fairwatt.web.prices import price_at

HALF_HOUR_US: Final = 30 * US_PER_MINUTE
POINT_EVERY_SLOTS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Movement:
    """One entry of the list: a stretch of use or a payment, what it changed, and its sum."""

    kind: int
    start_us: int
    end_us: int
    energy_wh: int
    amount_micro: int
    balance_micro: int
    title: str
    sum_words: str
    estimated: bool

    @property
    def is_use(self) -> bool:
        """Whether this is energy that was used."""
        return self.kind == Kind.READING


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

    `days` are ordered by time and each carries its closing balance. A day that does not follow its
    predecessor begins a new stretch, so a gap in the data is not drawn as a slope.
    """
    points: list[tuple[int, int]] = []
    for before, today in pairwise(days):
        if not points:
            points.append((today.day_us, before.close_micro))
        end_us = next_day_start(zone=zone, at_us=today.day_us)
        jumps = [
            (top_up.credited_us, top_up.amount_minor * minor_micro)
            for top_up in top_ups
            if top_up.credited_us is not None and today.day_us <= top_up.credited_us < end_us
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
        for at_us, amount in jumps:
            if start_us <= at_us < start_us + HALF_HOUR_US:
                yield at_us, balance
                balance += amount
                yield at_us, balance
        balance -= cost or 0
        if slot % POINT_EVERY_SLOTS == POINT_EVERY_SLOTS - 1:
            yield min(until_us, start_us + HALF_HOUR_US), balance


def movements(
    *, lines: Iterable[Line], schedule: Schedule | None, zone: str, currency: str
) -> list[Movement]:
    """Gather a wallet's lines (in the order of their seq) into half hours of use and single payments, newest first.

    Hours without use are one entry.
    """
    groups: list[list[Line]] = []
    starts: list[int] = []
    previous_us: int | None = None
    for line in lines:
        if line.kind == Kind.LATE and not line.amount_micro:
            continue  # its energy was charged by the reading after it
        end_us = from_datetime(line.ts)
        is_reading = line.kind == Kind.READING
        same = (
            is_reading
            and bool(groups)
            and groups[-1][-1].kind == Kind.READING
            and groups[-1][-1].ref == line.ref
            and (_slot(groups[-1][-1], zone) == _slot(line, zone) or (_idle(groups[-1][-1]) and _idle(line)))
        )
        if same:
            groups[-1].append(line)
        else:
            groups.append([line])
            starts.append(_start(line, previous_us, zone) if is_reading else end_us)
        if is_reading:
            previous_us = end_us
    made = [
        _movement(group, start, schedule=schedule, zone=zone, currency=currency)
        for group, start in zip(groups, starts, strict=True)
    ]
    return made[::-1]


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


def _movement(
    group: Sequence[Line], start_us: int, *, schedule: Schedule | None, zone: str, currency: str
) -> Movement:
    last = group[-1]
    energy_wh = sum(line.energy_wh for line in group)
    amount = sum(line.amount_micro for line in group)
    end_us = from_datetime(last.ts)
    if last.kind == Kind.READING:
        title = f"{text.clock(at_us=start_us, zone=zone)}–{text.clock(at_us=end_us, zone=zone)}"
        sum_words = _use_in_words(group, energy_wh, schedule=schedule, currency=currency)
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
        amount_micro=amount,
        balance_micro=last.balance_micro,
        title=title,
        sum_words=sum_words,
        estimated=any(line.estimated for line in group),
    )


def _titles() -> dict[int, str]:
    return {
        Kind.TOPUP: gettext("Top-up"),
        Kind.CORRECTION: gettext("Correction of an earlier charge"),
        Kind.OPENING: gettext("Opening balance"),
        Kind.REFUND: gettext("Refund"),
        Kind.FEE: gettext("Fee"),
    }


def _use_in_words(group: Sequence[Line], energy_wh: int, *, schedule: Schedule | None, currency: str) -> str:
    """The sum of a charge: energy at its price, the standing charge, the tax, and what they come to."""
    energy = sum(line.energy_micro for line in group)
    standing = sum(line.standing_micro for line in group)
    tax = sum(line.tax_micro for line in group)
    parts = (
        [_energy_words(group, energy_wh, energy, schedule=schedule, currency=currency)] if energy_wh else []
    )
    if standing:
        parts.append(
            gettext("standing charge %(amount)s")
            % {"amount": text.money_fine(micro=standing, currency=currency)}
        )
    if not parts and not tax:
        return gettext("nothing used")
    if tax:
        parts.append(_tax_words(group[-1], tax, schedule=schedule, currency=currency))
    return f"{' + '.join(parts)} = {text.money_fine(micro=energy + standing + tax, currency=currency)}"


def _tax_words(line: Line, tax_micro: int, *, schedule: Schedule | None, currency: str) -> str:
    version = (
        next((v for v in schedule.versions if v.number == line.tariff_version), None) if schedule else None
    )
    tax = next((e for e in version.elements if isinstance(e, Tax)), None) if version else None
    if tax is None:
        return gettext("tax %(amount)s") % {"amount": text.money_fine(micro=tax_micro, currency=currency)}
    rate = (
        f"{tax.rate_bp // 100}" if tax.rate_bp % 100 == 0 else f"{tax.rate_bp // 100}.{tax.rate_bp % 100:02d}"
    )
    return gettext("%(rate)s%% %(tax)s") % {"rate": rate, "tax": words.tax(tax.name)}


def _energy_words(
    group: Sequence[Line], energy_wh: int, energy_micro: int, *, schedule: Schedule | None, currency: str
) -> str:
    amount_kwh = text.kwh(wh=energy_wh, places=3 if energy_wh % 10 else 2)
    price = None
    if schedule is not None:
        last = group[-1]
        price = price_at(
            schedule=schedule,
            version_number=last.tariff_version,
            at_us=from_datetime(last.ts) - 1,
            counter_wh=max(0, last.counter_wh - 1),
        )
    # One price explains the amount only if it gives the amount; each line may floor once.
    if price is None or abs(energy_wh * price.price_micro // 1000 - energy_micro) > len(group):
        return gettext("%(kwh)s at two or more prices %(amount)s") % {
            "kwh": amount_kwh,
            "amount": text.money_fine(micro=energy_micro, currency=currency),
        }
    words_of_price = text.money_exact(micro=price.price_micro, currency=currency)
    if price.period != "all":
        words_of_price += f" {words.period(price.period)}"
    if price.blocks > 1:
        words_of_price += pgettext("after a price", ", tier %(n)d") % {"n": price.block}
    return f"{amount_kwh} × {words_of_price}"
