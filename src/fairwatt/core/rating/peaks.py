"""The highest power that demand charges are paid for, found in interval readings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from fairwatt.core.rating.elements.base import month_of
from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.periods import kind_of
from fairwatt.core.rating.model import Schedule
from fairwatt.core.spans import date_start, local_date, local_datetime
from fairwatt.core.units import US_PER_HOUR, US_PER_MINUTE

Use = tuple[int, int, int]
"""(start, end, Wh) of a use. What lies between two of them is unknown, and no power is made of it."""


def uses_of(*, readings: Iterable[tuple[int, int]], start_us: int) -> list[Use]:
    """Readings without a gap, each an instant and the use since the one before, the first since the start."""
    uses = []
    for at_us, energy_wh in readings:
        uses.append((start_us, at_us, energy_wh))
        start_us = at_us
    return uses


def highest_powers(
    *, schedule: Schedule, uses: Sequence[Use], known_w: int | None
) -> dict[tuple[str, int], int]:
    """Return the highest average power in W by (demand charge, start of the settled month; 0 for a bill).

    A figure that is ``known_w`` stands for all (under month -1). A use over more than the interval counts with its
    average. Watts are whole: a fraction of one is never charged.
    """
    found: dict[tuple[str, int], int] = {}
    charges = [(v, e) for v in schedule.versions for e in v.elements if isinstance(e, DemandCharge)]
    if known_w is not None:
        return {(charge.name, -1): known_w for _, charge in charges}
    known = schedule.calendar.lookup()
    for version, charge in charges:
        for at_us, power_w in _powers(uses, charge.interval_min, schedule.zone):
            local = local_datetime(zone=schedule.zone, at_us=at_us)
            kind = kind_of(local.date(), known=known)
            index = schedule.version_index_at(at_us=at_us)
            if schedule.versions[index] is not version or not charge.measures(
                kind, local.hour * 60 + local.minute
            ):
                continue
            month_us = 0
            if charge.window == "month":
                first, _ = month_of(local.date(), start_day=version.month_start_day)
                month_us = date_start(zone=schedule.zone, day=first)
            key = (charge.name, month_us)
            found[key] = max(found.get(key, 0), power_w)
    return found


def _powers(uses: Sequence[Use], interval_min: int, zone: str) -> Iterable[tuple[int, int]]:
    """Yield the start and the average power in W of each interval that has readings.

    Intervals are counted from local midnight, as the clock on the wall shows them, also where the zone is no whole
    hour from UTC; one that a midnight cuts short counts with its own length.
    """
    interval_us = interval_min * US_PER_MINUTE
    sums: dict[tuple[int, int], int] = {}
    midnight_us, following_us = 0, 0
    for start_us, at_us, energy_wh in uses:
        length_us = at_us - start_us
        if length_us > interval_us:
            yield start_us, energy_wh * US_PER_HOUR // length_us
        else:
            if not midnight_us < at_us <= following_us:
                today = local_date(zone=zone, at_us=at_us - 1)
                midnight_us = date_start(zone=zone, day=today)
                following_us = date_start(zone=zone, day=today + timedelta(days=1))
            slot_us = midnight_us + (at_us - 1 - midnight_us) // interval_us * interval_us
            slot = slot_us, min(slot_us + interval_us, following_us)
            sums[slot] = sums.get(slot, 0) + energy_wh
    for (slot_us, end_us), energy_wh in sums.items():
        yield slot_us, energy_wh * US_PER_HOUR // (end_us - slot_us)
