"""A let with an end: when its power goes off, when who has it is told, and at which instant its account closes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fairwatt.core.credit.policy import Windows
from fairwatt.core.credit.terms import windows_joined
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR

WARN_US: Final = US_PER_DAY
"""So long before its end a let is told of it; a shorter one when it begins."""
GRACE_US: Final = US_PER_HOUR // 2
"""A cut within this time counts as done at the end itself: so long meters may take to be asked and to obey."""
LONGEST_US: Final = 2 * 366 * US_PER_DAY
_HOURS: Final = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_DAY_MIN: Final = 1_440


class HoursError(ValueError):
    """Trading hours that cannot be read."""


@dataclass(frozen=True, slots=True)
class Contract:
    """Until when a home is let, and since when who has it knows that it ends (``None``: was not told yet)."""

    end_us: int
    warned_us: int | None = None

    def over_at(self, *, at_us: int) -> bool:
        """Say whether the contract is over; its last instant belongs to what comes after."""
        return at_us >= self.end_us


def warn_at(*, begin_us: int, end_us: int) -> int:
    """When a let is told that it ends: a day before, or at once where it does not last so long."""
    return max(begin_us, end_us - WARN_US)


def closes_at(*, end_us: int, dark_us: int | None) -> int:
    """At which instant the account of a let that is over closes.

    ``dark_us``: since when its meters show that power is off; ``None`` where it may never be switched off. Use that a
    rule allowed after the end (trading hours, a holiday) is paid by who used it.
    """
    return end_us if dark_us is None or dark_us <= end_us + GRACE_US else dark_us


def trading_hours(text: str) -> Windows:
    """Read ``08:00-14:00, 18:00-02:00`` as minutes of the local day; hours past midnight are split there.

    Raises HoursError.
    """
    windows: list[tuple[int, int]] = []
    for part in filter(None, re.split(r"[,;，、\s]+", text.strip())):
        match = _HOURS.fullmatch(part)
        if match is None:
            raise HoursError(f"{part!r} is not FROM-TO, such as 08:00-22:00")
        start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if start >= _DAY_MIN or end > _DAY_MIN or start == end:
            raise HoursError(f"{part!r} is no span of a day; hours run from 00:00 to 24:00")
        windows += [(start, end)] if start < end else [(start, _DAY_MIN), *([(0, end)] if end else [])]
    return windows_joined(windows)


def hours_text(windows: Windows) -> str:
    """Hours of the day as they are typed: what runs past midnight is one span."""
    if len(windows) > 1 and windows[0][0] == 0 and windows[-1][1] == _DAY_MIN:
        windows = (*windows[1:-1], (windows[-1][0], windows[0][1]))
    return ", ".join(f"{a // 60:02d}:{a % 60:02d}-{b // 60:02d}:{b % 60:02d}" for a, b in windows)
