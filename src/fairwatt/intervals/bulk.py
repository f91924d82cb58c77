"""Many homes of an interval file as columns of numbers: what rates a whole file in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fairwatt.core.spans import to_datetime
from fairwatt.intervals.columns import find_columns
from fairwatt.intervals.contract import (
    COLUMN_ROWS_MAX,
    DuplicateStamp,
    FileEmpty,
    NegativeEnergy,
    OffGrid,
    OutsideSpan,
)
from fairwatt.intervals.parquet_file import read_table
from fairwatt.intervals.reader import check_size, read_file

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BulkIntervals:
    """Rows sorted by home and instant: number of the home, start and end of the interval, Wh.

    ``left_out`` counts rows without a readable number.
    """

    names: tuple[str, ...]
    home: Ints
    start_us: Ints
    end_us: Ints
    wh: Ints
    step_us: int
    left_out: int

    def between(self, *, start_us: int | None, end_us: int | None) -> BulkIntervals:
        """The intervals that lie wholly between two instants; raises ``OutsideSpan`` when none does."""
        keep = np.ones(self.home.size, dtype=np.bool_)
        if start_us is not None:
            keep &= self.start_us >= start_us
        if end_us is not None:
            keep &= self.end_us <= end_us
        if not keep.any():
            raise OutsideSpan(
                "the file has no interval in the asked span. Nothing was rated; ask for another."
            )
        used, home = np.unique(self.home[keep], return_inverse=True)
        return BulkIntervals(
            names=tuple(self.names[n] for n in used.tolist()),
            home=home.astype(np.int64),
            start_us=self.start_us[keep],
            end_us=self.end_us[keep],
            wh=self.wh[keep],
            step_us=self.step_us,
            left_out=self.left_out,
        )


def read_bulk(*, path: Path, zone: str = "UTC", stamps_end: bool = False) -> BulkIntervals:
    """Read an interval file of one even grid; stamps say where an interval begins (or ends).

    ``zone`` is the wall clock of stamps without an offset. Raises a subclass of IntervalFileError, UnknownZone
    or OSError; a file with doubled stamps or negative energy is refused by name, never mended.
    """
    columns = _fast(path) if zone == "UTC" else None
    if columns is None:
        columns = _slow(path, zone)
    names, home, at, wh, left_out = columns
    if not home.size:
        raise FileEmpty(f"{path.name} holds no intervals. Nothing was read.")
    order = np.lexsort((at, home))
    home, at, wh = home[order], at[order], wh[order]
    same = home[1:] == home[:-1]
    steps = np.diff(at)[same]
    if bool((steps == 0).any()):
        row = int(np.flatnonzero(same & (np.diff(at) == 0))[0])
        raise DuplicateStamp(
            f"{path.name}: {names[int(home[row])]} has two values for {_stamp(int(at[row]))}. Keep the true one "
            "and read again."
        )
    if int(wh.min()) < 0:
        row = int(np.argmin(wh))
        raise NegativeEnergy(
            f"{path.name}: {names[int(home[row])]} used {int(wh[row])} Wh at {_stamp(int(at[row]))}."
        )
    step_us = _step(path, steps)
    start = at - step_us if stamps_end else at
    return BulkIntervals(names, home, start, start + step_us, wh, step_us, left_out)


def _step(path: Path, steps: Ints) -> int:
    """The grid: the commonest step; nothing may lie nearer."""
    if not steps.size:
        return 1_800_000_000
    values, counts = np.unique(steps, return_counts=True)
    step_us = int(values[int(np.argmax(counts))])
    if int(values[0]) < step_us:
        raise OffGrid(
            f"{path.name}: some stamps lie {int(values[0]) // 1_000_000} s apart on a grid of "
            f"{step_us // 1_000_000} s. `fairwatt import readings` names them all."
        )
    return step_us


def _fast(path: Path) -> tuple[tuple[str, ...], Ints, Ints, Ints, int] | None:
    """Whole Wh in Parquet, straight into columns; ``None`` for every other file."""
    check_size(path=path)
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return None
    import pyarrow as pa  # the edge reads no Parquet: pyarrow is a server part
    import pyarrow.compute as pc

    table = read_table(path=path, rows_max=COLUMN_ROWS_MAX)
    found = find_columns(name=path.name, names=table.column_names)
    energy, stamp = table[found.energy], table[found.stamp]
    plain = pa.types.is_timestamp(stamp.type) and pa.types.is_integer(energy.type)
    if found.home is None or found.per_unit_wh != 1 or not plain:
        return None
    known = pc.is_valid(energy)
    left_out = len(energy) - int(pc.sum(known).as_py() or 0)
    table = table.filter(known)
    coded = pc.cast(table[found.home], pa.string()).combine_chunks().dictionary_encode()
    names = tuple(str(name) for name in coded.dictionary.to_pylist())
    at = table[found.stamp].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    wh = table[found.energy].cast(pa.int64()).to_numpy()
    return names, coded.indices.to_numpy().astype(np.int64), at, wh, left_out


def _slow(path: Path, zone: str) -> tuple[tuple[str, ...], Ints, Ints, Ints, int]:
    """Every file that is known, row by row."""
    file = read_file(path=path, zone=zone)
    names = tuple(file.homes)
    rows = [
        (number, row.at_us, row.wh)
        for number, name in enumerate(names)
        for row in file.homes[name]
        if row.wh is not None
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return names, columns[:, 0], columns[:, 1], columns[:, 2], file.count - len(rows)


def _stamp(at_us: int) -> str:
    return f"{to_datetime(at_us):%Y-%m-%d %H:%M}Z"
