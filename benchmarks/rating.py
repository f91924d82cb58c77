"""Rating alone: one bill of a year beside the System Advisor Model, and readings a second on one core."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.scalar import opening_state
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.vector import RatedRows, VectorTable, rate_rows
from fairwatt.core.spans import from_datetime
from fairwatt.core.units import MICRO

TESTS = Path(__file__).parents[1] / "tests"
# The oracle's modules find each other as the tests do.
sys.path.insert(0, str(TESTS))

from oracle import sam  # noqa: E402
from oracle.samples import intervals  # noqa: E402

CENT = 0.01
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Homes:
    """Readings of homes one after another, as columns for ``rate_rows``, and the prices they meet."""

    vtable: VectorTable
    first: npt.NDArray[np.bool_]
    prev_at: Ints
    at: Ints
    energy_wh: Ints
    counter: Ints
    window: Ints
    nothing: Ints

    @classmethod
    def of(cls, *, tariff: str, begin: datetime, step: timedelta, used_wh: list[int], homes: int) -> Homes:
        """So many homes with the same use, each from its own start of the year."""
        schedule = load_tariff(TESTS / "oracle" / "tariffs" / f"{tariff}.yaml").schedule
        step_us = step // timedelta(microseconds=1)
        edges = from_datetime(begin) + np.arange(len(used_wh) + 1, dtype=np.int64) * step_us
        opening = opening_state(schedule=schedule, at_us=int(edges[0]), register_wh=0)
        rows = len(used_wh) * homes
        return cls(
            vtable=VectorTable(SegmentTable(schedule=schedule)),
            first=np.arange(rows) % len(used_wh) == 0,
            prev_at=np.tile(edges[:-1], homes),
            at=np.tile(edges[1:], homes),
            energy_wh=np.tile(np.array(used_wh, dtype=np.int64), homes),
            counter=np.full(rows, opening.counter_wh, dtype=np.int64),
            window=np.full(rows, opening.window_us, dtype=np.int64),
            nothing=np.zeros(rows, dtype=np.int64),
        )

    def rate(self) -> RatedRows:
        """Charge every reading."""
        return rate_rows(
            vtable=self.vtable,
            first=self.first,
            prev_at=self.prev_at,
            at=self.at,
            energy_wh=self.energy_wh,
            counter=self.counter,
            window=self.window,
            carry_nano=self.nothing,
            carry_tax=self.nothing,
        )

    def months(self, starts: Ints) -> Ints:
        """The bills of the months that begin with these rows, in micro-units."""
        rated = self.rate()
        charged = rated.energy_micro + rated.standing_micro + rated.tax_micro
        bills: Ints = np.add.reduceat(charged, starts)
        return bills


@dataclass(frozen=True, kw_only=True)
class BillRun:
    """Seconds of each round, ours and theirs, and the greatest difference of a month."""

    ours_s: list[float]
    theirs_s: list[float]
    off: float

    @property
    def ratio(self) -> float:
        """How many of our bills fit into one of theirs: the median over rounds that ran side by side."""
        return statistics.median(t / o for o, t in zip(self.ours_s, self.theirs_s, strict=True))


def run_bill(*, minutes: int, tariff: str, rounds: int, progress: Callable[[], None]) -> BillRun:
    """One home, one year: our monthly bills and SAM's ``execute`` on a kept object, in turns.

    Raises ``AssertionError`` when a month differs by a cent: a faster wrong bill is no bill.
    """
    halves = [wh for _, _, wh in intervals("sydney_2013")]
    used = halves if minutes == 30 else [sum(halves[n : n + 2]) for n in range(0, len(halves), 2)]
    begins = [datetime(sam.MONDAYS_YEAR, month, 1, tzinfo=UTC) for month in range(1, 13)]
    step = timedelta(minutes=minutes)
    home = Homes.of(tariff=tariff, begin=begins[0], step=step, used_wh=used, homes=1)
    starts = np.array([(begin - begins[0]) // step for begin in begins], dtype=np.int64)
    theirs = sam.sam_for(TESTS / "oracle" / "tariffs" / f"{tariff}.yaml", steps=len(used))
    expected = sam.bill(theirs, kilowatts=[wh / 1000 * 60 / minutes for wh in used])
    months = home.months(starts).tolist()
    off = max(abs(ours / MICRO - of) for ours, of in zip(months, expected, strict=True))
    assert off < CENT, f"a month differs by {off}"
    ours_s, theirs_s = [], []
    for _ in range(rounds):
        ours_s.append(_seconds(lambda: home.months(starts)))
        theirs_s.append(_seconds(theirs.execute))
        progress()
    return BillRun(ours_s=ours_s, theirs_s=theirs_s, off=off)


def run_rating(*, homes: int, rounds: int, progress: Callable[[], None]) -> list[float]:
    """Readings a second in each round: yearly blocks by time of use with tax, half hours of a year, one core."""
    used = [wh for _, _, wh in intervals("london_2013")]
    begin = datetime(2013, 1, 1, tzinfo=UTC)
    many = Homes.of(
        tariff="london_year_blocks_by_time",
        begin=begin,
        step=timedelta(minutes=30),
        used_wh=used,
        homes=homes,
    )
    many.rate()
    rates = []
    for _ in range(rounds):
        rates.append(many.at.size / _seconds(many.rate))
        progress()
    return rates


def _seconds(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
