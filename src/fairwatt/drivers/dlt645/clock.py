"""The meter's calendar: local civil time in two-digit years, seconds first on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from fairwatt.drivers.errors import BadRequest, UnreadableValue

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND_US: Final = 1_000_000


def meter_time(*, at_us: int, zone: str) -> bytes:
    """Write an instant as `ss mm hh DD MM YY` in the zone the meter's clock keeps.

    Fractions of a second are cut off, so a validity bound never ends later than it was meant to. In the
    hour that autumn repeats, meters cannot tell the two passes apart and read the earlier one: an order
    then lapses early, never late. Raises `BadRequest` outside 2000-2099.
    """
    local = datetime.fromtimestamp(at_us // _SECOND_US, tz=ZoneInfo(zone))
    if not 2000 <= local.year <= 2099:
        raise BadRequest(f"A meter's clock ends in 2099 and begins in 2000; {local.year} does not fit.")
    return bytes.fromhex(local.strftime("%S%M%H%d%m%y"))


def from_meter_time(*, data: bytes, zone: str) -> int:
    """Read `ss mm hh DD MM YY` as microseconds since 1970 UTC. Raises `UnreadableValue`."""
    try:
        second, minute, hour, day, month, year = (int(f"{byte:02x}") for byte in data)
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=ZoneInfo(zone))
    except ValueError as error:
        raise UnreadableValue(what="a date and time", data=data) from error
    return (local.astimezone(UTC) - _EPOCH) // _MICROSECOND


def meter_date(*, at_us: int, zone: str) -> bytes:
    """Write the local date as item 04000101H carries it: `WW DD MM YY`, Sunday being 00."""
    local = datetime.fromtimestamp(at_us // _SECOND_US, tz=ZoneInfo(zone))
    return bytes([local.isoweekday() % 7]) + meter_time(at_us=at_us, zone=zone)[3:]
