"""Rating alone: one bill of a year beside the System Advisor Model, and readings a second on one core."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.bill import Bill, bill_of_cells
from fairwatt.core.rating.scalar import opening_state
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.vector import RatedRows, rate_rows
from fairwatt.core.rating.vector_cells import use_cells
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.spans import Span, from_datetime
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
        schedule = load_tariff(TESTS / "oracle" / "tariffs" / f"{tariff}.yaml").schedule.for_account(None)
        step_us = step // timedelta(microseconds=1)
        edges = from_datetime(begin) + np.arange(len(used_wh) + 1, dtype=np.int64) * step_us
        opening = opening_state(schedule=schedule, at_us=int(edges[0]), register_wh=0)
        rows, span = len(used_wh) * homes, Span(int(edges[0]), int(edges[-1]))
        return cls(
            vtable=VectorTable(SegmentTable(schedule=schedule, span=span)),
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

    def bill(self, table: SegmentTable, span: Span) -> Bill:
        """The whole span of one home as an itemised bill: by element, period, block and price."""
        cells = use_cells(
            vtable=self.vtable,
            home=self.nothing,
            first=self.first,
            prev_at=self.prev_at,
            at=self.at,
            energy_wh=self.energy_wh,
            counter_wh=0,
        )
        return bill_of_cells(
            table=table, span=span, cells=cells[0], counter_wh=0, powers={}, settle_open=True
        )


@dataclass(frozen=True, kw_only=True)
class BillRun:
    """Seconds of each round, ours and theirs, and the greatest difference of a month."""

    months_s: list[float]
    itemised_s: list[float]
    theirs_s: list[float]
    off: float

    @property
    def ratio(self) -> float:
        """How many times our twelve sums fit into their bill: the median over rounds that ran side by side."""
        return _ratio(self.months_s, self.theirs_s)

    @property
    def itemised_ratio(self) -> float:
        """The same for one itemised bill of the year."""
        return _ratio(self.itemised_s, self.theirs_s)


def run_bill(*, minutes: int, tariff: str, rounds: int, progress: Callable[[], None]) -> BillRun:
    """One home, one year: our bills by month, our itemised bill, and SAM's ``execute`` on a kept object, in turns.

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
    span = Span(int(home.prev_at[0]), int(home.at[-1]))
    table = home.vtable.table
    months = home.months(starts).tolist()
    off = max(abs(ours / MICRO - of) for ours, of in zip(months, expected, strict=True))
    whole = float(home.bill(table, span).exact_micro) / MICRO
    assert off < CENT, f"a month differs by {off}"
    assert abs(whole - sum(expected)) < CENT, f"the year differs: {whole}, not {sum(expected)}"
    run = BillRun(months_s=[], itemised_s=[], theirs_s=[], off=off)
    for _ in range(rounds):
        run.months_s.append(_seconds(lambda: home.months(starts)))
        run.itemised_s.append(_seconds(lambda: home.bill(table, span)))
        run.theirs_s.append(_seconds(theirs.execute))
        progress()
    return run


def run_rating(*, homes: int, rounds: int, progress: Callable[[], None]) -> list[tuple[float, float]]:
    """Readings a second in each round, of one core's time and by the wall: yearly blocks by time of use with tax.

    On a machine that others use too, the wall also measures them; the core's own time does not.
    """
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
        core = process_time()
        wall_s = _seconds(many.rate)
        rates.append((many.at.size / (process_time() - core), many.at.size / wall_s))
        progress()
    return rates


def _ratio(ours_s: list[float], theirs_s: list[float]) -> float:
    return statistics.median(theirs / ours for ours, theirs in zip(ours_s, theirs_s, strict=True))


def _seconds(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
