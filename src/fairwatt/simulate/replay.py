"""Any interval file through the whole product: which homes, which days, which terms."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.intervals.contract import FileEmpty
from fairwatt.intervals.series import HALF_HOUR_US, Gap, HomeSeries, read_intervals
from fairwatt.simulate.oracle import Opening, Wallet, expect
from fairwatt.simulate.scenario import TICKS_PER_DAY, Scenario, scenario_of_series
from fairwatt.simulate.terms import Terms

DAY_US = TICKS_PER_DAY * HALF_HOUR_US
DAYS_DEFAULT = 30


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A scenario made from files, and what of the files it leaves out."""

    scenario: Scenario
    left_out: tuple[str, ...]
    """homes without data over the whole span"""
    missing_intervals: int


def replay_of(*, readings: Path, tariff: Path, days: int | None, seed: int) -> Replay:
    """Make a scenario from an interval file and a tariff file.

    The span is the one that most homes cover, from a UTC midnight on; `days` cuts it short. Raises an
    IntervalFileError, a TariffFileError or FileNotFoundError.
    """
    schedule = parse_schedule(tariff.read_text(encoding="utf-8"))
    homes = [_half_hourly(series) for series in read_intervals(path=readings, step_us=None).values()]
    floor_us = schedule.versions[0].effective_us
    start_us, span = _span(homes, days, floor_us)
    chosen = [h for h in homes if h.start_us <= start_us and h.end_us >= start_us + span * DAY_US]
    if not chosen:
        raise FileEmpty(
            f"{readings.name} has no home with a whole day of data from "
            f"the tariff's first version on. Nothing was replayed; use a tariff in force at that time."
        )
    cut = [h.window(start_us=start_us, end_us=start_us + span * DAY_US) for h in chosen]
    change_us = _change([version.effective_us for version in schedule.versions], start_us, span)
    terms = _terms(tariff, schedule.currency, schedule.zone, change_us, cut)
    return Replay(
        scenario=scenario_of_series(seed=seed, days=span, start_us=start_us, terms=terms, series=cut),
        left_out=tuple(h.home for h in homes if h not in chosen),
        missing_intervals=sum(h.missing for h in cut),
    )


def _span(homes: list[HomeSeries], days: int | None, floor_us: int) -> tuple[int, int]:
    """The start and length in days that the most homes cover; among equals the earliest and longest."""
    wanted = days or DAYS_DEFAULT
    starts = sorted({-(-max(h.start_us, floor_us) // DAY_US) * DAY_US for h in homes})
    best = (0, 0, 0)
    for start_us in starts:
        lengths = sorted(
            ((h.end_us - start_us) // DAY_US for h in homes if h.start_us <= start_us), reverse=True
        )
        for count, length in enumerate(lengths, start=1):
            span = min(length, wanted)
            if span >= 1 and count * span > best[0]:
                best = (count * span, start_us, span)
    return best[1], best[2]


def _half_hourly(series: HomeSeries) -> HomeSeries:
    """The same energy on half hours: finer steps are added up, an hour is halved (odd Wh first)."""
    step = series.step_us
    if step == HALF_HOUR_US:
        return series
    if step > HALF_HOUR_US:
        parts = step // HALF_HOUR_US
        wh = array("q", [w // parts + (k < w % parts) for w in series.wh for k in range(parts)])
        return HomeSeries(series.home, series.start_us, HALF_HOUR_US, wh, series.gaps)
    per = HALF_HOUR_US // step
    first = -(-series.start_us // HALF_HOUR_US) * HALF_HOUR_US
    skip = (first - series.start_us) // step
    whole = (len(series.wh) - skip) // per
    wh = array("q", [sum(series.wh[skip + n * per : skip + (n + 1) * per]) for n in range(whole)])
    gaps = tuple(
        Gap(g.start_us // HALF_HOUR_US * HALF_HOUR_US, -(-g.end_us // HALF_HOUR_US) * HALF_HOUR_US)
        for g in series.gaps
    )
    return HomeSeries(series.home, first, HALF_HOUR_US, wh, gaps)


def _change(starts: list[int], start_us: int, span: int) -> int:
    """The last price change inside the span, or an instant after it."""
    end_us = start_us + span * DAY_US
    return max((s for s in starts if start_us < s < end_us), default=end_us + DAY_US)


def _terms(tariff: Path, currency: str, zone: str, change_us: int, homes: list[HomeSeries]) -> Terms:
    """Warn at a day and a half of a middling home's cost, urgently at half of that."""
    text = tariff.read_text(encoding="utf-8")
    days = len(homes[0].wh) // TICKS_PER_DAY
    daily = [_cost(text, home) // days for home in homes]
    low = max(1_000_000, int(median(daily)) * 3 // 2)
    return Terms(str(tariff.absolute()), currency, zone, change_us, low, low // 2, low_wh=0)


def _cost(text: str, home: HomeSeries) -> int:
    emitted, register_wh = [], 0
    for first in range(0, len(home.wh), TICKS_PER_DAY):
        register_wh += sum(home.wh[first : first + TICKS_PER_DAY])
        emitted.append((home.start_us + (first + TICKS_PER_DAY) * HALF_HOUR_US, register_wh))
    wallet = Wallet(0, text, [(Opening(home.start_us, 0), emitted)])
    return expect(wallet=wallet, modulus_wh=1 << 60).charge.amount_micro
