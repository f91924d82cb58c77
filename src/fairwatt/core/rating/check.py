"""Recompute the worked examples that a tariff file carries, and say where the figures differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

from fairwatt.core.rating.bill import Bill, Reading, bill
from fairwatt.core.rating.elements.base import month_of
from fairwatt.core.rating.model import Schedule, StandingCharge, TariffError
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.shares import share_on
from fairwatt.core.rating.tariff_examples import Example, Figure
from fairwatt.core.rating.vending import Quote, TillState, quote
from fairwatt.core.spans import date_start, local_date
from fairwatt.core.units import MICRO, WH_PER_KWH


class ExampleUnusable(TariffError):
    """An example that cannot be computed as written."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that came out otherwise: ``total``, ``units``, ``energy`` or the name of an element."""

    figure: str
    expected: str
    computed: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one example; without differences it holds."""

    example: Example
    differences: tuple[Difference, ...]
    error: str = ""

    @property
    def holds(self) -> bool:
        """Whether all expected figures came out."""
        return not self.differences and not self.error


def run_example(*, schedule: Schedule, example: Example) -> Outcome:
    """Compute one example and compare every figure that it expects."""
    try:
        if example.purchases:
            return Outcome(example, tuple(_bought_otherwise(example, _buy(schedule, example))))
        made = bill(
            schedule=schedule,
            readings=readings_of(schedule=schedule, example=example),
            span=example.span,
            account=example.account,
            counter_wh=example.counter_wh,
            demand_w=example.demand_w,
            settle_open=True,
        )
        return Outcome(example, tuple(_billed_otherwise(schedule, example, made)))
    except (ValueError, LookupError) as error:
        return Outcome(example, (), str(error))


def readings_of(*, schedule: Schedule, example: Example) -> list[Reading]:
    """Turn what an example says of its use into readings that cover its span."""
    span = example.span
    if example.readings:
        rows = list(example.readings)
        return rows if rows[-1][0] == span.end_us else [*rows, (span.end_us, 0)]
    if example.used_by_month:
        return _by_month(schedule, example)
    if example.used_by_period:
        return _by_period(schedule, example)
    return [(span.end_us, example.used_wh or 0)]


def as_written(exact: Fraction, figure: Figure, *, scale: int) -> str:
    """An exact amount as text, rounded half up to the decimals of the expected figure."""
    tens: int = 10**figure.decimals
    scaled = exact * tens / scale
    whole = (abs(scaled) + Fraction(1, 2)).__floor__()
    sign = "-" if scaled < 0 and whole else ""
    if not figure.decimals:
        return f"{sign}{whole}"
    return f"{sign}{whole // tens}.{whole % tens:0{figure.decimals}d}"


def _billed_otherwise(schedule: Schedule, example: Example, made: Bill) -> Sequence[Difference]:
    found = []
    if example.total is not None:
        found += _compared("total", example.total, made.total_micro)
    for name, figure in example.parts:
        mine = [e for e in made.elements if e.name == name]
        if not mine:
            raise ExampleUnusable(f"no element of the tariff is called {name!r}")
        found += _compared(name, figure, sum((e.rounded_micro for e in mine), Fraction(0)))
    return found


def _bought_otherwise(example: Example, made: Quote) -> Sequence[Difference]:
    found = []
    if example.units is not None:
        found += _compared("units", example.units, made.exact_wh, scale=WH_PER_KWH)
    if example.energy is not None:
        found += _compared("energy", example.energy, made.energy_micro)
    for name, figure in example.parts:
        if name not in made.parts:
            raise ExampleUnusable(f"nothing called {name!r} is taken at the till")
        found += _compared(name, figure, made.parts[name])
    return found


def _compared(name: str, figure: Figure, exact: Fraction, *, scale: int = MICRO) -> list[Difference]:
    got = as_written(exact, figure, scale=scale)
    if Fraction(got) == Fraction(figure.text):
        return []
    return [Difference(name, figure.text, got)]


def _buy(schedule: Schedule, example: Example) -> Quote:
    """Make all purchases of an example in order; returns the last."""
    resolved = schedule.for_account(example.account)
    state = TillState(bought_wh=example.counter_wh, arrears_micro=example.arrears_micro)
    made: Quote | None = None
    for purchase in example.purchases:
        owed = Fraction(0)
        if made is None and example.elapsed_days:
            owed = _standing(resolved, purchase.at_us, example.elapsed_days)
        made = quote(
            schedule=resolved,
            at_us=purchase.at_us,
            paid_micro=purchase.paid_micro,
            state=state,
            owed_standing_micro=owed,
        )
        state = made.after
    assert made is not None, "a list of purchases is never empty"
    return made


def _standing(schedule: Schedule, at_us: int, days: int) -> Fraction:
    """The standing charges of the days before an instant, taxes included."""
    version = schedule.versions[schedule.version_index_at(at_us=at_us)]
    today = local_date(zone=schedule.zone, at_us=at_us)
    owed = Fraction(0)
    for element in version.elements:
        if isinstance(element, StandingCharge):
            micro = sum(
                element.micro_on(today - timedelta(days=n), start_day=version.month_start_day)
                for n in range(1, days + 1)
            )
            owed += micro * (1 + share_on(version, element.name))
    return owed


def _by_month(schedule: Schedule, example: Example) -> list[Reading]:
    """Each figure is spread evenly over one billing month; the first begins with the span."""
    span, rows = example.span, []
    at_us = span.start_us
    for energy_wh in example.used_by_month:
        if at_us >= span.end_us:
            raise ExampleUnusable(
                "there are more figures under `used` than months in the span; set `days` or `to`"
            )
        version = schedule.versions[schedule.version_index_at(at_us=at_us)]
        day = local_date(zone=schedule.zone, at_us=at_us)
        _, following = month_of(day, start_day=version.month_start_day)
        at_us = min(span.end_us, date_start(zone=schedule.zone, day=following))
        rows.append((at_us, energy_wh))
    return rows if at_us == span.end_us else [*rows, (span.end_us, 0)]


def _by_period(schedule: Schedule, example: Example) -> list[Reading]:
    """Spread each period's use evenly over its hours, in whole Wh that add up."""
    span = example.span
    resolved = schedule.for_account(example.account)
    table = SegmentTable(schedule=resolved, span=span, bill=span)
    first, last = table.locate(start_us=span.start_us, end_us=span.end_us)
    edges = [span.start_us, *table.starts_us[first + 1 : last + 1], span.end_us]
    names = [
        resolved.versions[table.version[n]].energy.periods[table.period[n]].name
        for n in range(first, last + 1)
    ]
    lengths: dict[str, int] = {}
    for name, (start, end) in zip(names, pairwise(edges), strict=True):
        lengths[name] = lengths.get(name, 0) + end - start
    wanted = dict(example.used_by_period)
    absent = [name for name, wh in wanted.items() if wh and name not in lengths]
    if absent:
        raise ExampleUnusable(
            f"period {absent[0]!r} does not occur in the span of the example; set `from` and `days`"
        )
    passed, rows = dict.fromkeys(lengths, 0), []
    for name, (start, end) in zip(names, pairwise(edges), strict=True):
        before = _share(wanted.get(name, 0), passed[name], lengths[name])
        passed[name] += end - start
        rows.append((end, _share(wanted.get(name, 0), passed[name], lengths[name]) - before))
    return rows


def _share(energy_wh: int, part_us: int, whole_us: int) -> int:
    return energy_wh * part_us // whole_us
