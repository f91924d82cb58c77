"""How long credit lasts, and how sure that is: as forecast every night, and by plain days until there is a forecast.

The forecast (`core.insight.ahead`) is read from its cache and asked about the balance of now. Before the first night of
a home, or when nobody has forecast for days, it goes by plain days. Each of the last fourteen whole local days cost
something; the mean day gives the run-out date, the spread of those days the range: over `d` days the cost has variance
`s2 * (d + d*d/n)`, where `d` is the luck of the days to come and `d*d/n` is how little `n` days say about the mean.
Money is integer micro-units throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from fairwatt.core.insight.ahead.outlook import Outlook
from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR

WINDOW_DAYS: Final = 14
DAYS_TO_SPEAK: Final = 3
DAYS_FOR_RANGE: Final = 5
HORIZON_DAYS: Final = 60
STALE_DAYS: Final = 4
DAYS_TO_TRUST: Final = 28
# 1.2816 standard deviations on either side hold 80 of 100 cases.
_Z_NUM, _Z_DEN = 12_816, 10_000


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a day costs: the days it rests on, their mean, and their variance (micro-units, squared)."""

    days: int
    mean_micro: int
    variance: int

    @property
    def speaks(self) -> bool:
        """Whether there is enough history to name a number of days."""
        return self.days >= DAYS_TO_SPEAK and self.mean_micro > 0

    def cost_micro(self, *, hours: int) -> int:
        """The expected cost of that many hours."""
        return self.mean_micro * hours // 24

    def spread_micro(self, *, hours: int) -> int:
        """Half the width of the 80 % range of the cost of that many hours."""
        if self.days < DAYS_FOR_RANGE:
            return 0
        square = self.variance * (24 * hours * self.days + hours * hours) // (576 * self.days)
        return isqrt(square) * _Z_NUM // _Z_DEN


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """When credit runs out. Instants in microseconds; `None` means beyond the horizon of sixty days.

    `early_us` and `late_us` bound the 80 % range and are both `None` while history is too short for one.
    """

    pace: Pace
    days_left: int
    hours_left: int
    runs_out_us: int | None
    early_us: int | None
    late_us: int | None
    ranged: bool
    ahead: Outlook | None = None
    """the forecast it is read from; without one it goes by plain days"""

    @property
    def history(self) -> int:
        """How many days it rests on."""
        return self.pace.days if self.ahead is None else self.ahead.history

    @property
    def little(self) -> bool:
        """Whether so few days are known that the range is wide for that alone."""
        return self.ahead is not None and self.ahead.history < DAYS_TO_TRUST

    @property
    def guessed_us(self) -> int | None:
        """From when on prices are not published yet, where that matters before credit ends."""
        if self.ahead is None or self.ahead.guessed_from is None:
            return None
        at_us = self.ahead.starts_us[self.ahead.guessed_from]
        return at_us if self.runs_out_us is None or at_us < self.runs_out_us else None


def pace_of(*, costs_micro: Sequence[int]) -> Pace:
    """Say what a day costs from whole days, newest last; only the last fourteen count."""
    days = list(costs_micro[-WINDOW_DAYS:])
    if not days:
        return Pace(days=0, mean_micro=0, variance=0)
    mean = sum(days) // len(days)
    squares = sum((cost - mean) ** 2 for cost in days)
    return Pace(days=len(days), mean_micro=mean, variance=squares // max(1, len(days) - 1))


def days_until(*, zone: str, now_us: int, end_us: int) -> int:
    """Days left as a calendar counts them, so that number and date agree; 0 within the next 24 hours."""
    if end_us - now_us < US_PER_DAY:
        return 0
    return (local_date(zone=zone, at_us=end_us) - local_date(zone=zone, at_us=now_us)).days


def forecast(*, available_micro: int, pace: Pace, now_us: int, zone: str) -> Forecast | None:
    """Say when `available_micro` runs out; `None` when there is no credit or too little history.

    `zone` is the site's: days are counted on its calendar.
    """
    if available_micro <= 0 or not pace.speaks:
        return None
    left_us = available_micro * US_PER_DAY // pace.mean_micro
    far = left_us > HORIZON_DAYS * US_PER_DAY
    ranged = pace.days >= DAYS_FOR_RANGE
    early = _first_hour(available_micro, pace, sign=1) if ranged else None
    late = _first_hour(available_micro, pace, sign=-1) if ranged else None
    return Forecast(
        pace=pace,
        days_left=left_us // US_PER_DAY
        if far
        else days_until(zone=zone, now_us=now_us, end_us=now_us + left_us),
        hours_left=left_us * 24 // US_PER_DAY,
        runs_out_us=None if far else now_us + left_us,
        early_us=None if early is None else now_us + early * US_PER_HOUR,
        late_us=None if late is None else now_us + late * US_PER_HOUR,
        ranged=ranged,
    )


def from_outlook(
    *, outlook: Outlook, available_micro: int, pace: Pace, now_us: int, zone: str
) -> Forecast | None:
    """The same from a forecast; `None` without credit, and where the forecast is days old."""
    if available_micro <= 0 or not outlook.from_us <= now_us < outlook.from_us + STALE_DAYS * US_PER_DAY:
        return None
    early_us, mid_us, late_us = outlook.range(available_micro=available_micro, now_us=now_us)
    left_us = outlook.end_us - now_us if mid_us is None else mid_us - now_us
    if mid_us is None and pace.mean_micro > 0:
        left_us = max(left_us, available_micro * US_PER_DAY // pace.mean_micro)
    return Forecast(
        pace=pace,
        days_left=left_us // US_PER_DAY
        if mid_us is None
        else days_until(zone=zone, now_us=now_us, end_us=mid_us),
        hours_left=left_us * 24 // US_PER_DAY,
        runs_out_us=mid_us,
        early_us=early_us,
        late_us=late_us,
        ranged=True,
        ahead=outlook,
    )


def _first_hour(available: int, pace: Pace, *, sign: int) -> int | None:
    def used_up(hours: int) -> bool:
        return pace.cost_micro(hours=hours) + sign * pace.spread_micro(hours=hours) >= available

    for day in range(HORIZON_DAYS + 1):
        if used_up(24 * day):
            return next(hours for hours in range(max(0, 24 * day - 23), 24 * day + 1) if used_up(hours))
    return None
