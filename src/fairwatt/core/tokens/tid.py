"""Token identifiers: the minute a code was made in, counted from a base date, and when keys end by it.

Two codes of one meter never share a minute, because the meter knows a used code by it. Minutes are of the wall
clock that the supply group counts by: UTC since the 2014 base date, local time in older systems.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from fairwatt.core.spans import local_datetime

from .errors import TokenError

TID_MAX: Final = (1 << 24) - 1
KEN_MAX: Final = 255
MINUTES_PER_DAY: Final = 1_440
_RESERVED_MINUTE: Final = 1
"""00:01 of every day is kept for special codes; what is sold then carries 00:02."""


class BaseDate(StrEnum):
    """Where a supply group's minutes are counted from; the code is what DKGA04 mixes into keys."""

    D1993 = "93"
    D2014 = "14"
    D2035 = "35"

    @property
    def day(self) -> date:
        """The first day; minute 0 is its midnight."""
        return _DAYS[self]


_DAYS: Final = {
    BaseDate.D1993: date(1993, 1, 1),
    BaseDate.D2014: date(2014, 1, 1),
    BaseDate.D2035: date(2035, 1, 1),
}


class OutsideBaseDate(TokenError):
    """An instant that the supply group's base date cannot count."""

    code = "outside_base_date"


def tid_at(*, at_us: int, base: BaseDate, zone: str = "UTC", taken: Collection[int] = ()) -> int:
    """The identifier of a code made at an instant: its minute, or the next one that is free.

    `taken` are identifiers this meter's codes carry already. Raises OutsideBaseDate before the base date and
    31.9 years after it: the meter must then move to a newer base date by a key change.
    """
    wall = local_datetime(zone=zone, at_us=at_us).replace(tzinfo=None)
    tid = (wall - _midnight(base)) // timedelta(minutes=1)
    while tid % MINUTES_PER_DAY == _RESERVED_MINUTE or tid in taken:
        tid += 1
    if not 0 <= tid <= TID_MAX:
        raise OutsideBaseDate(
            "Codes counted from %(base)s cannot name the time %(at)s. No code was made; give the meter a key of "
            "another base date by a key change.",
            base=base.day.isoformat(),
            at=wall.isoformat(sep=" ", timespec="minutes"),
        )
    return tid


def minute_of(*, tid: int, base: BaseDate) -> datetime:
    """The minute an identifier stands for, on the wall clock its supply group counts by."""
    return _midnight(base) + timedelta(minutes=tid)


def is_expired(*, tid: int, ken: int) -> bool:
    """Say whether a key that ends with number `ken` is over for a code of this identifier.

    A step of the number is 65,536 minutes, about 45 days and a half; 255 never ends before the identifiers do.
    """
    return tid >> 16 > ken


def _midnight(base: BaseDate) -> datetime:
    return datetime.combine(base.day, datetime.min.time())
