"""Half-open spans of time and the local days, months and years inside them.

Instants are ``int`` microseconds since the Unix epoch, UTC. A local day starts at the first instant
that carries its date, so a day has 23, 24 or 25 hours where clocks change and a skipped date has none.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = date(1970, 1, 2)
LAST_DAY = date(2199, 12, 31)
"""Days that a person may name: what lies outside is a slip of the hand, and no page could show its instants."""
_ONE_DAY = timedelta(days=1)
_ONE_US = timedelta(microseconds=1)


class UnknownZone(ValueError):
    """The named time zone is not in the time zone database of this machine."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time from ``start_us`` (included) to ``end_us`` (excluded); never backward."""

    start_us: int
    end_us: int

    def __post_init__(self) -> None:
        if self.end_us < self.start_us:
            raise ValueError(f"span ends at {self.end_us}, before its start {self.start_us}")

    def __contains__(self, at_us: int) -> bool:
        return self.start_us <= at_us < self.end_us


@lru_cache(maxsize=256)
def zone_info(zone: str) -> ZoneInfo:
    """Look up an IANA zone such as ``Asia/Shanghai``; raises ``UnknownZone`` with the name."""
    try:
        return ZoneInfo(zone)
    # zoneinfo answers odd names (folders, absolute paths, blanks) with errors of several families.
    except (KeyError, ValueError, OSError) as error:
        raise UnknownZone(
            f"no time zone is called {zone!r}; use an IANA name such as Asia/Shanghai"
        ) from error


def to_datetime(us: int) -> datetime:
    """Turn an instant into an aware UTC ``datetime``, exactly."""
    return _EPOCH + timedelta(microseconds=us)


def from_datetime(dt: datetime) -> int:
    """Turn an aware ``datetime`` into an instant, exactly; a naive one raises ``ValueError``."""
    if dt.utcoffset() is None:
        raise ValueError(f"{dt.isoformat()} has no time zone, so it names no instant")
    return (dt - _EPOCH) // _ONE_US


def local_datetime(*, zone: str, at_us: int) -> datetime:
    """Show an instant on the wall clock of ``zone``."""
    return to_datetime(at_us).astimezone(zone_info(zone))


def local_date(*, zone: str, at_us: int) -> date:
    """Return the date that the wall calendar of ``zone`` shows at an instant."""
    return local_datetime(zone=zone, at_us=at_us).date()


def date_start(*, zone: str, day: date) -> int:
    """Return the first instant of a local date.

    Where clocks skip midnight the day starts at the skip; a date that never happened (Samoa, 2011-12-30)
    shares its start with the next one.
    """
    # fold=0 reads a skipped midnight with the offset before the skip, which is the instant of the skip,
    # and a doubled midnight as its first passing.
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone_info(zone)))


def local_day_start(*, zone: str, at_us: int) -> int:
    """Return the first instant of the local day that contains ``at_us``."""
    return date_start(zone=zone, day=local_date(zone=zone, at_us=at_us))


def next_day_start(*, zone: str, at_us: int) -> int:
    """Return the first instant of the local day after the one that contains ``at_us``."""
    day = local_date(zone=zone, at_us=at_us) + _ONE_DAY
    while (start := date_start(zone=zone, day=day)) <= at_us:
        day += _ONE_DAY
    return start


def month_start(*, zone: str, at_us: int) -> int:
    """Return the first instant of the local calendar month that contains ``at_us``."""
    return date_start(zone=zone, day=local_date(zone=zone, at_us=at_us).replace(day=1))


def year_start(*, zone: str, at_us: int) -> int:
    """Return the first instant of the local calendar year that contains ``at_us``."""
    return date_start(zone=zone, day=local_date(zone=zone, at_us=at_us).replace(month=1, day=1))


def local_midnights(*, zone: str, start_us: int, end_us: int) -> list[int]:
    """List the starts of local days ``m`` with ``start_us < m <= end_us``, in order.

    The opening instant is left out and the closing one kept, so consecutive spans share no midnight and
    miss none: this is what makes a daily charge independent of how readings split the time.
    """
    midnights: list[int] = []
    at_us = next_day_start(zone=zone, at_us=start_us)
    while at_us <= end_us:
        midnights.append(at_us)
        at_us = next_day_start(zone=zone, at_us=at_us)
    return midnights
