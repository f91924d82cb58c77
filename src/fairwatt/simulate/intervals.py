"""Interval files become homes: real half hours of use that drive the simulated meters.

Reads Parquet or CSV with the columns `lclid, ts, wh` or `meter, ts, wh`; `ts` is the start of the interval
(UTC unless the stamp says otherwise). A file with a fault a person should know of is refused by name; gaps
are legal in real data, so they are reported with the home and never filled.
"""

import csv
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

HALF_HOUR_US = 1_800_000_000
STREET = Path(__file__).parent / "data" / "street_lcl2013.parquet"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
# 100 kWh in one interval is a feeder, not a home: such a figure is kWh written as Wh, or a broken file.
MAX_INTERVAL_WH = 100_000


class IntervalFileError(Exception):
    """The interval file cannot be trusted; nothing of it was used. `.code` names the kind of fault."""

    code = "interval_file"


class FileBroken(IntervalFileError):
    """The file is neither readable Parquet nor readable CSV."""

    code = "file_broken"


class FileEmpty(IntervalFileError):
    """The file holds no intervals at all."""

    code = "file_empty"


class UnknownColumns(IntervalFileError):
    """The file has no home column (`lclid` or `meter`), or lacks `ts` or `wh`."""

    code = "unknown_columns"


class UnreadableValue(IntervalFileError):
    """An energy or a stamp is not a number or a date (the London files write "Null")."""

    code = "unreadable_value"


class NegativeEnergy(IntervalFileError):
    """A home used less than nothing; a consumption register cannot run backward."""

    code = "negative_energy"


class EnergyTooLarge(IntervalFileError):
    """One interval holds more energy than a home can draw."""

    code = "energy_too_large"


class OffGrid(IntervalFileError):
    """A stamp does not sit on the file's interval grid."""

    code = "off_grid"


class DuplicateStamp(IntervalFileError):
    """One home has two values for one interval; which is true cannot be guessed."""

    code = "duplicate_stamp"


class OutsideSpan(IntervalFileError):
    """The asked span is not covered by the home's data."""

    code = "outside_span"


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
    wh: "array[int]"
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

    def window(self, *, start_us: int, end_us: int) -> "HomeSeries":
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

    def moved(self, *, by_us: int, home: str) -> "HomeSeries":
        """The same use at another time under another name: how a short file makes a longer street."""
        gaps = tuple(Gap(gap.start_us + by_us, gap.end_us + by_us) for gap in self.gaps)
        return HomeSeries(home, self.start_us + by_us, self.step_us, self.wh, gaps)


def read_intervals(*, path: Path, step_us: int = HALF_HOUR_US) -> dict[str, HomeSeries]:
    """Read every home of an interval file, in the order of first appearance.

    `step_us` is the file's grid (half hours by default). Raises a subclass of IntervalFileError that names
    the home and the stamp at fault; a missing file raises FileNotFoundError.
    """
    rows = _csv_rows(path) if _is_csv(path) else _parquet_rows(path)
    homes: dict[str, dict[int, int]] = {}
    for home, at_us, energy_wh in rows:
        _check(home=home, at_us=at_us, energy_wh=energy_wh, step_us=step_us)
        known = homes.setdefault(home, {})
        if at_us in known:
            raise DuplicateStamp(
                f"{path.name}: {home} has two values for {_stamp(at_us)}. Keep the true one and read again."
            )
        known[at_us] = energy_wh
    if not homes:
        raise FileEmpty(f"{path.name} holds no intervals. Nothing was read.")
    return {home: _series(home=home, known=known, step_us=step_us) for home, known in homes.items()}


def step_of(*, path: Path) -> int:
    """Find the grid of an interval file: the smallest step between two stamps of its first home.

    Raises OffGrid for anything that is not 1 to 60 whole minutes that divide the hour or the half hour.
    """
    rows = _csv_rows(path) if _is_csv(path) else _parquet_rows(path)
    first, stamps = None, set[int]()
    for home, at_us, _ in rows:
        first = first or home
        if home != first or len(stamps) > 1000:
            break
        stamps.add(at_us)
    ordered = sorted(stamps)
    step_us = min((b - a for a, b in pairwise(ordered)), default=HALF_HOUR_US)
    if step_us % 60_000_000 or (HALF_HOUR_US % step_us and step_us != 2 * HALF_HOUR_US):
        raise OffGrid(
            f"{path.name}: {first} has stamps {step_us / 60_000_000:g} minutes apart; "
            "the grid must be 60 or a whole part of 30 minutes."
        )
    return step_us


def street_homes(*, count: int, start_us: int, end_us: int) -> list[HomeSeries]:
    """Give `count` homes of use over a half-open span inside 2013, from the built-in London street.

    The file has 24 homes. A longer street (up to 96) uses them again from other months, whole weeks apart so
    that weekdays stay weekdays, under names like `MAC000018+1`. Raises OutsideSpan.
    """
    street = _street()
    if not 1 <= count <= 4 * len(street):
        raise OutsideSpan(f"The street can have up to {4 * len(street)} homes; asked for {count}.")
    homes = []
    for door in range(count):
        series, again = street[door % len(street)], door // len(street)
        shift_us = again * 28 * 48 * series.step_us
        if end_us + shift_us > series.end_us:
            shift_us = -shift_us
        source = series.window(start_us=start_us + shift_us, end_us=end_us + shift_us)
        homes.append(source.moved(by_us=-shift_us, home=f"{series.home}+{again}") if again else source)
    return homes


@cache
def _street() -> tuple[HomeSeries, ...]:
    return tuple(read_intervals(path=STREET).values())


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


def _is_csv(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) != b"PAR1" and path.suffix.lower() not in {".parquet", ".pq"}


def _columns(*, path: Path, names: Iterable[str]) -> str:
    names = list(names)
    home = next((name for name in ("lclid", "meter") if name in names), None)
    if home is None or not {"ts", "wh"} <= set(names):
        raise UnknownColumns(
            f"{path.name} has the columns {names}; it needs `lclid` or `meter`, and `ts` and `wh`."
        )
    return home


def _parquet_rows(path: Path) -> Iterator[tuple[str, int, int]]:
    import pyarrow as pa  # the edge reads no Parquet: pyarrow is a server part
    import pyarrow.parquet as pq

    try:
        table: Any = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise FileBroken(f"{path.name} is not readable Parquet ({error}). Fetch it again.") from error
    home_column = _columns(path=path, names=table.column_names)
    if table[home_column].null_count or table["ts"].null_count:
        raise UnreadableValue(f"{path.name} has rows without a home or a stamp. Fetch the file again.")
    try:
        instants = table["ts"].cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()
        energy = table["wh"].cast(pa.int64(), safe=True).to_pylist()
    except pa.ArrowException as error:
        raise UnreadableValue(
            f"{path.name}: `ts` must be a timestamp and `wh` a whole number of watt-hours ({error})."
        ) from error
    for home, at_us, wh in zip(table[home_column].to_pylist(), instants, energy, strict=True):
        # The London files write a half hour nobody knows as a null: it is a gap like a missing row.
        if wh is not None:
            yield str(home), at_us, wh


def _csv_rows(path: Path) -> Iterator[tuple[str, int, int]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames is None:
                raise FileEmpty(f"{path.name} is empty. Nothing was read.")
            home_column = _columns(path=path, names=reader.fieldnames)
            for row in reader:
                if row["wh"] != "":
                    yield _csv_row(
                        where=f"{path.name} line {reader.line_num}", row=row, home_column=home_column
                    )
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileBroken(f"{path.name} is not readable CSV ({error}). Fetch it again.") from error


def _csv_row(*, where: str, row: dict[str, str | None], home_column: str) -> tuple[str, int, int]:
    home, stamp, energy = row[home_column], row["ts"], row["wh"]
    if not home or stamp is None or energy is None:
        raise UnreadableValue(f"{where} is cut short. Fetch the file again.")
    try:
        at = datetime.fromisoformat(stamp)
        energy_wh = int(energy)
    except ValueError as error:
        raise UnreadableValue(
            f"{where}: {error}. Energy is a whole number of Wh, stamps are ISO 8601."
        ) from error
    return home, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _US, energy_wh


def _stamp(at_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%d %H:%M:%SZ")
