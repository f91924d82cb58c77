"""Who opened a relay, where the meter wrote it down."""

from __future__ import annotations

from typing import Final

import structlog

from fairwatt.drivers.contract import DriverError, EventRecord, MeterEventKind, ReadsEvents
from fairwatt.edge.meters import MeterPoint

log = structlog.get_logger(__name__)

_OLDER: Final = (
    (MeterEventKind.RELAY_OPENED, 2),
    (MeterEventKind.RELAY_OPENED, 3),
    (MeterEventKind.RELAY_CLOSED, 1),
    (MeterEventKind.RELAY_CLOSED, 2),
)
"""Where else a meter that writes operators down has this gateway's, if it ever switched there."""


async def opened_by_another(point: MeterPoint) -> EventRecord | None:
    """The record of a relay's last opening, if the meter says that it was not this gateway's order; else None.

    Its operator must be another than this gateway's, and this gateway's must stand in an older record: then the
    meter is one that writes down whose order it was. Instants say nothing: a clock may have been lost with the power.
    """
    driver = point.driver
    if not isinstance(driver, ReadsEvents) or MeterEventKind.RELAY_OPENED not in driver.event_kinds:
        return None
    newest = await _record(point, driver, MeterEventKind.RELAY_OPENED, 1)
    if newest is None or newest.operator in (None, point.operator):
        return None
    for kind, nth in _OLDER:
        if kind in driver.event_kinds:
            older = await _record(point, driver, kind, nth)
            if older is not None and older.operator == point.operator:
                return newest
    return None


async def _record(
    point: MeterPoint, driver: ReadsEvents, kind: MeterEventKind, nth: int
) -> EventRecord | None:
    try:
        return await point.bus.ask(driver.read_event_record(kind=kind, nth=nth))
    except DriverError as error:
        log.info("opening_unread", meter=point.number, error=str(error))
        return None
