"""Cells as numbers and instants: exact, and saying what is wrong where they are none."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from fairwatt.core.spans import from_datetime, zone_info

NOTHING: Final = frozenset({"", "null", "nan", "na", "n/a", "none", "-", "#n/a"})
"""How files write that there is no value, in small letters."""
WH_MAX: Final = 10**15
"""Above it no figure of a meter lies, and below it sums stay within 64 bits."""
_NUMBER: Final = re.compile(r"([+-]?)([0-9]*)(?:[.,]([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?")
_HOUR_24: Final = re.compile(r"[ T]24:00(:00)?(?=$|[Z+.-])")
ONE_US: Final = timedelta(microseconds=1)


class BadCell(ValueError):
    """A cell that is neither a value nor the mark for none; the message says why."""


def energy_wh(*, text: str, per_unit_wh: int) -> tuple[int | None, bool]:
    """A cell as whole watt-hours, and whether it was finer than that and was rounded (half up).

    `per_unit_wh` is 1 for a column of Wh and 1000 for one of kWh. A mark for no value gives None.
    """
    text = text.strip()
    if text.casefold() in NOTHING:
        return None, False
    found = _NUMBER.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        raise BadCell(f"{text[:40]!r} is no number")
    sign, whole, part, power = found[1], found[2] or "0", found[3] or "", int(found[4] or 0)
    if len(whole) + len(part) > 30 or abs(power) > 30:
        raise BadCell(f"{text[:40]!r} is beyond any meter")
    digits = int(whole + part) * per_unit_wh
    places = len(part) - power
    if places <= 0:
        wh, rest, scale = digits * 10**-places, 0, 1
    else:
        scale = 10**places
        wh, rest = divmod(digits, scale)
    if rest and per_unit_wh == 1:
        raise BadCell(f"{text[:40]!r} is not a whole number of watt-hours")
    wh += 2 * rest >= scale
    if wh > WH_MAX:
        raise BadCell(f"{text[:40]!r} is beyond any meter")
    return (-wh if sign == "-" else wh), bool(rest)


class Stamps:
    """Stamps as instants. One without an offset is on the wall clock of `zone`.

    An hour that the wall clock shows twice is told apart by its order in the file, home by home; an hour that it skips
    never was.
    """

    def __init__(self, *, zone: str) -> None:
        self.zone = zone_info(zone)
        self.name = zone
        self.plain = zone == "UTC"
        self._seen: set[tuple[str, datetime]] = set()

    def read(self, *, home: str, text: str) -> int:
        """An ISO 8601 stamp as microseconds since 1970. Raises BadCell."""
        text = text.strip()
        day = timedelta()
        if _HOUR_24.search(text):
            text, day = _HOUR_24.sub(lambda found: found[0].replace("24", "00", 1), text), timedelta(days=1)
        try:
            at = datetime.fromisoformat(text) + day
        except (ValueError, OverflowError) as error:
            raise BadCell(
                f"{text[:40]!r} is no date and time; write it as 2013-01-31 23:30 or with an offset"
            ) from error
        return self.instant(home=home, at=at)

    def instant(self, *, home: str, at: datetime) -> int:
        """A date and time as an instant; a naive one is on the wall clock."""
        if at.tzinfo is not None:
            return from_datetime(at)
        if self.plain:
            return from_datetime(at.replace(tzinfo=UTC))
        first, second = at.replace(tzinfo=self.zone), at.replace(tzinfo=self.zone, fold=1)
        if first.utcoffset() == second.utcoffset():
            return from_datetime(first)
        if from_datetime(first) > from_datetime(second):
            raise BadCell(f"{at} never was on the clocks of {self.name}: they were put forward over it")
        if (home, at) in self._seen:
            return from_datetime(second)
        self._seen.add((home, at))
        return from_datetime(first)
