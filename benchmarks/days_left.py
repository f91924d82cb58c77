"""Are residents warned in time? Forecasts of London homes beside plain means: punctuality, silence, and the range.

A home pays in what a fortnight costs at the mean of its last four weeks, on every fifth morning of 2013 from the 57th
day on, and lives it down. Methods are asked the same on the same days; nothing after a morning is known on it.

The factors of the range are fitted on four fifths of the homes and judged on the last, five times over (`folds`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import process_time

import numpy as np

from benchmarks.london import DAYS_BACK, FLAT, TIERED, YEAR, ZONE, Year, homes, look, start_us
from fairwatt.core.insight.ahead.calibrated import CALIBRATED
from fairwatt.core.insight.ahead.look import PastUse, outlooks
from fairwatt.core.insight.ahead.prices import SLOTS, days_around, prices_ahead
from fairwatt.core.insight.ahead.use import DAYS_AHEAD, Ints
from fairwatt.core.insight.ahead.warning import warn_micro
from fairwatt.core.insight.ahead.widening import HISTORIES, HORIZONS, PER, Widening, unit_of
from fairwatt.core.rating.tariff_file import parse_schedule

FORTNIGHT = 14
WARNED_DAYS = 3
FOLDS = 5
_STEP = 5
_WALLETS = 10_000


@dataclass(frozen=True, slots=True)
class Case:
    """A home that paid in on a morning, and the instant at which it was used up, in days of the year."""

    home: int
    day: int
    micro: int
    end: float


@dataclass(frozen=True, slots=True)
class Punctuality:
    """Shares of warnings in per cent: two to four whole days ahead, less than one or none, more than five."""

    good: float
    late: float
    early: float


@dataclass(kw_only=True)
class Found:
    """All figures of a run."""

    cases: int = 0
    homes: int = 0
    live: dict[str, Punctuality] = field(default_factory=dict)
    daily: dict[str, Punctuality] = field(default_factory=dict)
    tiered: dict[str, Punctuality] = field(default_factory=dict)
    days_off: dict[str, float] = field(default_factory=dict)
    tiered_off: dict[str, float] = field(default_factory=dict)
    held: float = 0.0
    held_falling: float = 0.0
    held_tiered: float = 0.0
    held_raw: float = 0.0
    pinball: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fit: Widening = CALIBRATED
    fit_off: float = 0.0
    many_s: float = 0.0


def cases_of(year: Year) -> list[Case]:
    """Every top-up that was used up before the year was over."""
    total = year.total()
    made = []
    for home in range(total.shape[0]):
        for day in range(DAYS_BACK, YEAR - FORTNIGHT, _STEP):
            micro = int(total[home, day] - total[home, day - 28]) * FORTNIGHT // 28
            goal = total[home, day] + micro
            last = int(np.searchsorted(total[home], goal)) - 1
            if micro > 0 and last < YEAR:
                part = (goal - total[home, last]) / year.paid[home, last]
                made.append(Case(home, day, micro, last + float(part)))
    return made


def means(year: Year, days: int) -> Ints:
    """What a day cost in the mean of the last days, known on each morning: (days, homes)."""
    total = year.total().T
    made = np.zeros_like(total)
    made[days:] = (total[days:] - total[:-days]) // days
    return made


def warned(cases: Sequence[Case], year: Year, levels: Ints, *, live: bool) -> Punctuality:
    """Warn where less is left than the level of the day; `live` looks at every reading, else once each morning."""
    total = year.total()
    leads = []
    for one in cases:
        lead = -1.0
        for day in range(one.day, int(one.end) + 1):
            left = one.micro - int(total[one.home, day] - total[one.home, one.day])
            level, used = int(levels[day, one.home]), int(year.paid[one.home, day]) if day < YEAR else 0
            if left < level:
                lead = one.end - day
                break
            if live and left - used < level:
                lead = one.end - day - (left - level) / used
                break
        leads.append(lead)
    whole = np.floor(np.array(leads) + 1e-9)
    share = [float(np.mean(where)) * 100 for where in ((whole >= 2) & (whole <= 4), whole < 1, whole > 5)]
    return Punctuality(*share)


def lasts(curve: Ints, micro: int) -> float:
    """How many days an amount lasts on a running total; the whole horizon where it is not used up."""
    day = int(np.searchsorted(curve, micro))
    if day >= curve.size:
        return float(curve.size)
    before = int(curve[day - 1]) if day else 0
    return day + (micro - before) / max(1, int(curve[day]) - before)


def fitted(years: dict[int, Year], chosen: Ints) -> Widening:
    """Split conformal: the factors that hold nine of ten on each side for these homes, by horizon and history."""
    rows: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for history in HISTORIES:
        year = years[history]
        total = year.total()
        low, high = [], []
        for horizon in HORIZONS:
            below, above = [], []
            for day in range(year.first, YEAR - horizon + 1, 3):
                due = int(year.due[day, horizon - 1])
                came = total[chosen, day + horizon] - total[chosen, day] - due
                mid = year.mid[day, chosen, horizon - 1] - due
                for tenth, sign, into in ((year.low, -1, below), (year.high, 1, above)):
                    unit = unit_of(tenth=tenth[day, chosen, horizon - 1] - due, mid=mid)
                    into.append(sign * (came - mid) * PER // np.maximum(unit, 1))
            low.append(max(0, round(float(np.quantile(np.concatenate(below), 0.9)))))
            high.append(max(0, round(float(np.quantile(np.concatenate(above), 0.9)))))
        rows.append((tuple(low), tuple(high)))
    return Widening(low=tuple(low for low, _ in rows), high=tuple(high for _, high in rows))


@dataclass(kw_only=True)
class _Range:
    """How often truth lay in the range, and how far its edges lay from it."""

    held: list[bool] = field(default_factory=list)
    falling: list[bool] = field(default_factory=list)
    losses: list[tuple[float, float]] = field(default_factory=list)

    def judge(self, year: Year, cases: Sequence[Case], by: Widening | None) -> None:
        """Judge every morning from the top-up on; without factors the tenths of the paths as drawn."""
        total = year.total()
        for one in cases:
            for day in range(one.day, int(one.end) + 1):
                left = one.micro - int(total[one.home, day] - total[one.home, one.day])
                low, high = year.low[day, one.home], year.high[day, one.home]
                if by is not None:
                    low, high = year.widened(day=day, home=one.home, by=by)
                early, late, true = lasts(high, left), lasts(low, left), one.end - day
                inside = early <= true <= late or (late >= DAYS_AHEAD and true >= early)
                self.falling.append(inside)
                if day == one.day:
                    self.held.append(inside)
                    self.losses.append((_pinball(true - early, 0.1), _pinball(true - late, 0.9)))


def _pinball(off: float, at: float) -> float:
    return max(at * off, (at - 1) * off)


def folds(years: dict[int, Year], cases: Sequence[Case], count: int) -> _Range:
    """Each fifth of the homes judged by factors of the other four."""
    found = _Range()
    for fold in range(FOLDS):
        others = np.flatnonzero(np.arange(count) % FOLDS != fold)
        mine = [one for one in cases if one.home % FOLDS == fold]
        found.judge(years[DAYS_BACK], mine, fitted(years, others))
    return found


def off_by(cases: Sequence[Case], told: Callable[[Case], float]) -> float:
    """How many whole days a forecast was off at the top-up, in the mean."""
    return float(np.mean([abs(int(told(one)) - int(one.end - one.day)) for one in cases]))


def _off(year: Year, cases: Sequence[Case]) -> dict[str, float]:
    made = {"forecast": off_by(cases, lambda one: lasts(year.mid[one.day, one.home], one.micro))}
    for days in (7, 28):
        pace = means(year, days)
        made[f"mean{days}"] = off_by(
            cases, lambda one, pace=pace: min(DAYS_AHEAD, one.micro / max(1, pace[one.day, one.home]))
        )
    return made


def _live(year: Year, cases: Sequence[Case]) -> dict[str, Punctuality]:
    """As the product warns: at every reading, by the level of the morning; means by as many days."""
    half = (
        year.mid[:, :, WARNED_DAYS - 1] + (year.mid[:, :, WARNED_DAYS] - year.mid[:, :, WARNED_DAYS - 1]) // 2
    )
    levels = {"forecast": warn_micro(middle_micro=half, day_micro=year.spike[:, :, 0], days=WARNED_DAYS)}
    levels |= {f"mean{n}": means(year, n) * (2 * WARNED_DAYS + 1) // 2 for n in (7, 28)}
    return {name: warned(cases, year, level, live=True) for name, level in levels.items()}


def _daily(year: Year, cases: Sequence[Case]) -> dict[str, Punctuality]:
    """As the bars were measured: once each morning, three whole days or fewer left; by one in twenty, one or none."""
    middle = year.mid[:, :, WARNED_DAYS]
    levels = {"forecast": np.maximum(middle, year.spike[:, :, 1]), "middle alone": middle}
    levels |= {f"mean{n}": means(year, n) * (WARNED_DAYS + 1) for n in (7, 28)}
    return {name: warned(cases, year, level, live=False) for name, level in levels.items()}


def many() -> float:
    """Seconds of a core for ten thousand wallets under a tariff with blocks, from past days to outlooks."""
    use = homes()
    days = days_around(zone=ZONE, at_us=start_us(200))
    rows = np.arange(_WALLETS) % use.shape[0]
    past = PastUse(
        wallet=np.arange(_WALLETS, dtype=np.int64),
        energy_wh=use[rows, 200 - DAYS_BACK : 200],
        shape=np.ones((_WALLETS, 2, SLOTS), dtype=np.int64),
        counter_wh=np.zeros(_WALLETS, dtype=np.int64),
        prices=np.zeros(_WALLETS, dtype=np.int64),
    )
    began = process_time()
    prices = prices_ahead(schedule=parse_schedule(TIERED), days=days)
    made = outlooks(past=past, prices=[prices], starts_us=days.starts_us, seed=1)
    assert len(made) == _WALLETS
    return process_time() - began


def run_days_left(*, progress: Callable[[], None]) -> Found:
    """Look at every morning of the year and judge what was said."""
    flat = look(tariff=FLAT)
    progress()
    years = {n: flat if n == DAYS_BACK else look(tariff=FLAT, history=n, every=3) for n in HISTORIES}
    progress()
    cases = cases_of(flat)
    count = flat.paid.shape[0]
    judged = folds(years, cases, count)
    raw = _Range()
    raw.judge(flat, cases[::7], None)
    progress()
    whole = fitted(years, np.arange(count))
    tiered = look(tariff=TIERED)
    of_tiers = cases_of(tiered)
    in_tiers = _Range()
    in_tiers.judge(tiered, of_tiers[::3], CALIBRATED)
    progress()
    early, late = np.mean(np.array(judged.losses), axis=0).tolist()
    middle = [
        _pinball(one.end - one.day - lasts(flat.mid[one.day, one.home], one.micro), 0.5) for one in cases
    ]
    return Found(
        cases=len(cases),
        homes=count,
        live=_live(flat, cases),
        daily=_daily(flat, cases),
        tiered=_live(tiered, of_tiers),
        days_off=_off(flat, cases),
        tiered_off=_off(tiered, of_tiers),
        held=float(np.mean(judged.held)) * 100,
        held_falling=float(np.mean(judged.falling)) * 100,
        held_tiered=float(np.mean(in_tiers.held)) * 100,
        held_raw=float(np.mean(raw.held)) * 100,
        pinball=(early, float(np.mean(middle)), late),
        fit=whole,
        fit_off=_furthest(whole, CALIBRATED),
        many_s=many(),
    )


def _furthest(one: Widening, other: Widening) -> float:
    """The largest difference between two sets of factors, in per cent."""
    a, b = (np.array([*each.low, *each.high]) for each in (one, other))
    return float(np.max(np.abs(a - b) / np.maximum(b, 1))) * 100
