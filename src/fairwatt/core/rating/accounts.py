"""The prices of one account over time: its parameters put in, each from the day it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from fairwatt.core.rating.elements.base import MILLI
from fairwatt.core.rating.elements.energy_blocks import AVERAGE
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.live import as_live, asks_for_bill, bill_day_of
from fairwatt.core.rating.model import Schedule, TariffVersion


@dataclass(frozen=True, slots=True, order=True)
class AccountValue:
    """A parameter of an account, in thousandths, from an instant on."""

    from_us: int
    name: str
    value_milli: int


BILL_DAY: Final = "bill day"
"""The day of the month on which an account's settlement periods begin; no parameter of a tariff can be called so."""


VACANT: Final = "vacant"
"""From when a home is empty (1000) or lived in again (0), for tariffs that charge empty homes otherwise."""


PRIMARY: Final = "transformer primary"
SECONDARY: Final = "transformer secondary"
"""The current transformers in front of the meter, once for the whole life of an installation."""

DIRECT: Final = (1, 1)
"""The ratio of a meter that measures the wires themselves."""


def spares_vacant(schedule: Schedule) -> bool:
    """Whether some standing charge is not the resident's while the home is empty."""
    return any(charge.vacant != "tenant" for version in schedule.versions for charge in version.standings)


def values_of(
    values: Sequence[AccountValue],
    *,
    schedule: Schedule,
    opened_us: int,
    started_us: int,
    transformer: tuple[int, int] = DIRECT,
) -> tuple[AccountValue, ...]:
    """What of an account's values its tariff asks for; what holds when it opens holds since ever.

    So homes of the same kind have equal values, whenever each was opened. Of two words on one instant the later
    counts. ``started_us`` is when the account itself began: a tariff by bill asks for its day of the month.
    ``transformer`` is what the register is to be multiplied by, whatever the tariff asks for.
    """
    asked = {parameter.name for parameter in schedule.parameters} | {AVERAGE}
    if spares_vacant(schedule):
        asked |= {VACANT}
    newest = {
        (max(value.from_us, opened_us) if value.from_us > opened_us else 0, value.name): value.value_milli
        for value in sorted(values, key=lambda value: value.from_us)
        if value.name in asked
    }
    if asks_for_bill(schedule):
        newest[0, BILL_DAY] = bill_day_of(schedule=schedule, started_us=started_us) * MILLI
    if transformer[0] != transformer[1]:
        newest[0, PRIMARY], newest[0, SECONDARY] = (side * MILLI for side in transformer)
    return tuple(sorted(AccountValue(at_us, name, milli) for (at_us, name), milli in newest.items()))


def for_account_over_time(schedule: Schedule, values: Sequence[AccountValue]) -> Schedule:
    """The prices of one live account: each version is cut where a parameter changes what it asks.

    The parts of a version keep its number. Counting goes on over a cut, as it does over a new version. A bill is the
    account's settlement period. Raises ``UnknownParameter``.
    """
    fixed = {v.name: v.value_milli // MILLI for v in values if v.name in (BILL_DAY, PRIMARY, SECONDARY)}
    schedule = as_live(schedule, bill_day=fixed.get(BILL_DAY, 1))
    if PRIMARY in fixed:
        schedule = replace(schedule, transformer=(fixed[PRIMARY], fixed[SECONDARY]))
    values = [value for value in values if value.name not in fixed]
    known: dict[str, int] = {}
    resolved: list[tuple[int, Schedule]] = []
    for at_us, group in groupby(sorted(values), key=lambda value: value.from_us):
        known = known | {value.name: value.value_milli for value in group}
        told = {name: milli for name, milli in known.items() if name != VACANT}
        resolved.append((at_us, _emptied(schedule.for_account(told), known.get(VACANT, 0) > 0)))
    if not resolved or resolved[0][0] > schedule.versions[0].effective_us:
        resolved.insert(0, (schedule.versions[0].effective_us, schedule.for_account()))
    parts: list[TariffVersion] = []
    for index, version in enumerate(schedule.versions):
        last = index + 1 == len(schedule.versions)
        end_us = None if last else schedule.versions[index + 1].effective_us
        in_force = [r for at_us, r in resolved if at_us <= version.effective_us][-1]
        parts.append(in_force.versions[index])
        for at_us, later in resolved:
            if version.effective_us < at_us and (end_us is None or at_us < end_us):
                part = later.versions[index]
                if part.elements != parts[-1].elements:
                    parts.append(replace(part, effective_us=at_us))
    return replace(schedule, versions=tuple(parts))


def _emptied(schedule: Schedule, vacant: bool) -> Schedule:
    """The prices while a home is empty: what its wallet is not asked for stays in its place, and costs nothing."""
    if not vacant:
        return schedule
    versions = tuple(
        replace(
            version,
            elements=tuple(
                replace(element, amount_micro=0)
                if isinstance(element, StandingCharge) and element.vacant != "tenant"
                else element
                for element in version.elements
            ),
        )
        for version in schedule.versions
    )
    return replace(schedule, versions=versions)
