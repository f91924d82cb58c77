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


def highest_powers(
    *, schedule: Schedule, readings: Sequence[tuple[int, int]], start_us: int, known_w: int | None
) -> dict[tuple[str, int], int]:
    """Return the highest average power in W by (demand charge, start of the settled month; 0 for a bill).

    ``readings`` are instants and the use since the one before. A figure that is ``known_w`` stands for all
    (under month -1). A reading over more than the interval counts with its average.
    """
    found: dict[tuple[str, int], int] = {}
    charges = [(v, e) for v in schedule.versions for e in v.elements if isinstance(e, DemandCharge)]
    if known_w is not None:
        return {(charge.name, -1): known_w for _, charge in charges}
    known = schedule.calendar.lookup()
    for version, charge in charges:
        for at_us, power_w in _powers(readings, start_us, charge.interval_min, schedule.zone):
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


def _powers(
    readings: Sequence[tuple[int, int]], start_us: int, interval_min: int, zone: str
) -> Iterable[tuple[int, int]]:
    """Yield the start and the average power in W of each interval that has readings.

    Intervals are counted from local midnight, as the clock on the wall shows them, also where the zone is no whole
    hour from UTC; one that a midnight cuts short counts with its own length.
    """
    interval_us = interval_min * US_PER_MINUTE
    sums: dict[tuple[int, int], int] = {}
    before_us, midnight_us, following_us = start_us, 0, 0
    for at_us, energy_wh in readings:
        length_us = at_us - before_us
        if length_us > interval_us:
            yield before_us, -(-energy_wh * US_PER_HOUR // length_us)
        else:
            if not midnight_us < at_us <= following_us:
                today = local_date(zone=zone, at_us=at_us - 1)
                midnight_us = date_start(zone=zone, day=today)
                following_us = date_start(zone=zone, day=today + timedelta(days=1))
            slot_us = midnight_us + (at_us - 1 - midnight_us) // interval_us * interval_us
            slot = slot_us, min(slot_us + interval_us, following_us)
            sums[slot] = sums.get(slot, 0) + energy_wh
        before_us = at_us
    for (slot_us, end_us), energy_wh in sums.items():
        yield slot_us, energy_wh * US_PER_HOUR // (end_us - slot_us)
