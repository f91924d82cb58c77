"""A tariff as a live prepaid meter is charged by it: what a bill is where nobody sends one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.rebate import Rebate
from fairwatt.core.rating.elements.use_charge import UseCharge
from fairwatt.core.rating.model import Element, Schedule, TariffVersion
from fairwatt.core.spans import local_date

LAST_BILL_DAY: Final = 28
"""Accounts opened later in a month have periods that begin on this day: every month has it."""


def bill_day_of(*, schedule: Schedule, started_us: int) -> int:
    """The day of the month on which the settlement periods of an account begin: the one it was opened on."""
    return min(local_date(zone=schedule.zone, at_us=started_us).day, LAST_BILL_DAY)


def asks_for_bill(schedule: Schedule) -> bool:
    """Whether a version counts or settles by bill, so that accounts differ by the day on which they began."""
    return any(map(_by_bill, schedule.versions))


def as_live(schedule: Schedule, *, bill_day: int = 1) -> Schedule:
    """Return the tariff with each bill as a month that begins on a day; a ``start_day`` in the tariff goes before."""
    if not asks_for_bill(schedule):
        return schedule
    return replace(
        schedule, versions=tuple(_live_version(version, bill_day) for version in schedule.versions)
    )


def _by_bill(version: TariffVersion) -> bool:
    return version.settles == "bill" or any(e.counter == "bill" for e in version.energies)


def _live_version(version: TariffVersion, bill_day: int) -> TariffVersion:
    if not _by_bill(version):
        return version
    return replace(version, elements=tuple(_live_element(element, bill_day) for element in version.elements))


def _live_element(element: Element, bill_day: int) -> Element:
    match element:
        case EnergyBlocks(counter="bill") | EnergyBlocks(counter="none"):
            # One price needs no counter; with it the version knows on which day its month begins.
            day = element.start_day if element.start_day > 1 else bill_day
            return replace(element, counter="month", start_day=day)
        case MinimumCharge() | DemandCharge() | Rebate() | UseCharge():
            return replace(element, window="month")
        case _:
            return element
