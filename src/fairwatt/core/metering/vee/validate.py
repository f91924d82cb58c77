"""Every check over one meter's values: what is believed, what is not, and what it looks like on the grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Final

from fairwatt.core.metering.vee.model import Case, Defect, Effect, Row, Rows, Series, Status
from fairwatt.core.metering.vee.rules import ROW_RULES, SERIES_RULES
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_HOUR, US_PER_MINUTE

GAP_MAX_US: Final = 400 * 24 * US_PER_HOUR
"""Two values further apart than this belong to two stories: a wrong year, not a gap to fill."""


class NothingToValidate(ValueError):
    """No row of the meter can be believed, so there is nothing to put on a grid."""

    code = "nothing_usable"


class SpanTooLong(ValueError):
    """The believed rows lie so far apart that one of them carries a wrong date."""

    code = "span_too_long"


@dataclass(frozen=True, kw_only=True)
class Validated:
    """The believed values on their grid, and everything the rules found, in the order of the rules."""

    series: Series
    defects: tuple[Defect, ...]


def validate(*, case: Case) -> Validated:
    """Run every rule over a case.

    A row leaves the running when a rule sets it aside; later rules still see it where they look at what was sent.
    Raises NothingToValidate when no row is left, SpanTooLong when two neighbours are years apart.
    """
    defects: list[Defect] = []
    aside: frozenset[int] = frozenset()
    for rule in ROW_RULES:
        found = list(rule.find(Rows(case=case, aside=aside)))
        defects += found
        if rule.effect in (Effect.SET_ASIDE, Effect.DROPPED):
            aside |= {defect.row for defect in found}
    series = _placed(case, Rows(case=case, aside=aside).used)
    for series_rule in SERIES_RULES:
        defects += series_rule.find(series)
    return Validated(series=series, defects=tuple(defects))


def step_of(*, instants: Iterable[int]) -> int:
    """The grid most neighbouring stamps share: 1 to 60 whole minutes that divide the hour.

    Repeated and stray stamps do not decide it. Raises ValueError when no such grid is found.
    """
    ordered = sorted(set(instants))
    votes: dict[int, int] = {}
    for before, after in pairwise(ordered):
        votes[after - before] = votes.get(after - before, 0) + 1
    if not votes:
        return US_PER_HOUR // 2
    step_us = max(votes, key=lambda step: (votes[step], -step))
    if step_us % US_PER_MINUTE or gcd(step_us, US_PER_HOUR) != step_us:
        raise ValueError(
            f"most stamps are {step_us / US_PER_MINUTE:g} minutes apart; an interval has 1 to 60 whole minutes "
            "that divide the hour"
        )
    return step_us


def _placed(case: Case, rows: Iterable[Row]) -> Series:
    wh: dict[int, int] = {}
    status: dict[int, Status] = {}
    number: dict[int, int] = {}
    for row in rows:
        if row.wh is not None:
            wh[row.at_us], status[row.at_us], number[row.at_us] = row.wh, row.status, row.number
    if not wh:
        raise NothingToValidate("No row holds a value that can be believed, so nothing was taken over.")
    ordered = sorted(wh)
    for before, after in pairwise(ordered):
        if after - before > GAP_MAX_US:
            raise SpanTooLong(
                f"Row {number[before]} and row {number[after]} are {(after - before) // (24 * US_PER_HOUR)} days "
                "apart; one of them has a wrong date. Nothing was taken over; mend the date and import again."
            )
    span = Span(ordered[0], ordered[-1] + case.step_us)
    expected = (span.end_us - span.start_us) // case.step_us
    missing: tuple[int, ...] = ()
    if len(ordered) != expected:
        missing = tuple(at for at in range(span.start_us, span.end_us, case.step_us) if at not in wh)
    return Series(case=case, wh=wh, status=status, row=number, span=span, missing=missing)
