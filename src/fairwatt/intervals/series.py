"""Interval files as even series of homes: what `replay`, `rate` and the simulated street run on.

Strict on purpose: a file with a fault a person should know of is refused by name. Gaps are legal in real data, so they
are reported with the home and never filled. Use `fairwatt import readings` to see every fault of a file at once.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

from fairwatt.core.metering.vee.validate import step_of as grid_of
from fairwatt.core.spans import to_datetime
from fairwatt.core.units import US_PER_HOUR
from fairwatt.intervals.contract import (
    DuplicateStamp,
    EnergyTooLarge,
    FileEmpty,
    NegativeEnergy,
    OffGrid,
    OutsideSpan,
    UnreadableValue,
)
from fairwatt.intervals.reader import read_file

HALF_HOUR_US = US_PER_HOUR // 2
# 100 kWh in one interval is a feeder, not a home: such a figure is kWh written as Wh, or a broken file.
MAX_INTERVAL_WH = 100_000


@dataclass(frozen=True, slots=True)
class Gap:
    """Half-open span in which a home has no data."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class HomeSeries:
    """One home's use on an even grid: `wh[i]` belongs to the interval that starts at `start_us + i *
    step_us`.

    Intervals inside a gap hold 0 and are listed in `gaps`: nothing is known to have been used, and nothing is
    invented.
    """

    home: str
    start_us: int
    step_us: int
    wh: array[int]
    gaps: tuple[Gap, ...]

    @property
    def end_us(self) -> int:
        """End (excluded) of the last interval."""
        return self.start_us + len(self.wh) * self.step_us

    @property
    def missing(self) -> int:
        """Number of intervals without data."""
        return sum((gap.end_us - gap.start_us) // self.step_us for gap in self.gaps)

    @property
    def total_wh(self) -> int:
        """Energy of all known intervals."""
        return sum(self.wh)

    def window(self, *, start_us: int, end_us: int) -> HomeSeries:
        """Cut the half-open span out of the home's data; both ends must sit on its grid, inside its data.

        Raises OutsideSpan or OffGrid.
        """
        for at_us in (start_us, end_us):
            if (at_us - self.start_us) % self.step_us:
                raise OffGrid(
                    f"{_stamp(at_us)} is not on the {self.step_us // 60_000_000}-minute grid of {self.home}"
                )
        if start_us < self.start_us or end_us > self.end_us or end_us <= start_us:
            raise OutsideSpan(
                f"{self.home} has data from {_stamp(self.start_us)} to {_stamp(self.end_us)}; "
                f"asked for {_stamp(start_us)} to {_stamp(end_us)}. Ask for a span inside the data."
            )
        first, last = (start_us - self.start_us) // self.step_us, (end_us - self.start_us) // self.step_us
        gaps = tuple(
            Gap(max(gap.start_us, start_us), min(gap.end_us, end_us))
            for gap in self.gaps
            if gap.start_us < end_us and gap.end_us > start_us
        )
        return HomeSeries(self.home, start_us, self.step_us, self.wh[first:last], gaps)

    def moved(self, *, by_us: int, home: str) -> HomeSeries:
        """The same use at another time under another name: how a short file makes a longer street."""
        gaps = tuple(Gap(gap.start_us + by_us, gap.end_us + by_us) for gap in self.gaps)
        return HomeSeries(home, self.start_us + by_us, self.step_us, self.wh, gaps)


def read_intervals(
    *, path: Path, step_us: int | None = HALF_HOUR_US, zone: str = "UTC"
) -> dict[str, HomeSeries]:
    """Read every home of an interval file, in the order of first appearance.

    `step_us` is the file's grid (half hours by default; None: what most of its stamps share), `zone` the wall clock of
    stamps without an offset. Raises a subclass of IntervalFileError that names the home and the stamp at fault; a
    missing file raises FileNotFoundError.
    """
    file = read_file(path=path, zone=zone)
    for bad in file.unreadable:
        raise UnreadableValue(
            f"{path.name} row {bad.row}: {bad.detail}. Mend the row and read the file again."
        )
    if step_us is None:
        step_us = _grid(path.name, [row.at_us for rows in file.homes.values() for row in rows[:2000]])
    homes: dict[str, HomeSeries] = {}
    for home, rows in file.homes.items():
        known: dict[int, int] = {}
        for row in rows:
            if row.wh is None:
                # An empty cell is a gap like a missing row; a word in its place is a fault.
                if row.text:
                    raise UnreadableValue(f"{path.name} row {row.number}: {row.text!r} is no energy.")
                continue
            _check(home=home, at_us=row.at_us, energy_wh=row.wh, step_us=step_us)
            if row.at_us in known:
                raise DuplicateStamp(
                    f"{path.name}: {home} has two values for {_stamp(row.at_us)}. Keep the true one and read again."
                )
            known[row.at_us] = row.wh
        if known:
            homes[home] = _series(home=home, known=known, step_us=step_us)
    if not homes:
        raise FileEmpty(f"{path.name} holds no intervals. Nothing was read.")
    return homes


def _grid(name: str, instants: list[int]) -> int:
    try:
        step_us = grid_of(instants=instants)
    except ValueError as error:
        raise OffGrid(f"{name}: {error}.") from error
    return step_us


def _check(*, home: str, at_us: int, energy_wh: int, step_us: int) -> None:
    if at_us % step_us:
        raise OffGrid(f"{home}: {_stamp(at_us)} is not on the {step_us // 60_000_000}-minute grid.")
    if energy_wh < 0:
        raise NegativeEnergy(f"{home}: {energy_wh} Wh at {_stamp(at_us)}. Consumption is never negative.")
    if energy_wh > MAX_INTERVAL_WH:
        raise EnergyTooLarge(
            f"{home}: {energy_wh} Wh at {_stamp(at_us)} is over {MAX_INTERVAL_WH} Wh. Are these Wh?"
        )


def _series(*, home: str, known: dict[int, int], step_us: int) -> HomeSeries:
    start_us, last_us = min(known), max(known)
    wh = array("q", bytes(8 * ((last_us - start_us) // step_us + 1)))
    gaps: list[Gap] = []
    expected_us = start_us
    for at_us in sorted(known):
        if at_us != expected_us:
            gaps.append(Gap(expected_us, at_us))
        wh[(at_us - start_us) // step_us] = known[at_us]
        expected_us = at_us + step_us
    return HomeSeries(home, start_us, step_us, wh, tuple(gaps))


def _stamp(at_us: int) -> str:
    return to_datetime(at_us).strftime("%Y-%m-%d %H:%M:%SZ")
