"""Parquet tables with the same columns as the tables of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fairwatt.core.metering.vee.model import Row, Status
from fairwatt.core.spans import to_datetime
from fairwatt.intervals.columns import find_columns
from fairwatt.intervals.contract import (
    BYTES_MAX,
    ROWS_MAX,
    FileBroken,
    FileTooLarge,
    IntervalFile,
    Unreadable,
    UnreadableValue,
)
from fairwatt.intervals.power import power_to_energy
from fairwatt.intervals.values import BadCell, Stamps, energy_wh

HELD_BYTES_MAX: Final = 2 * BYTES_MAX
"""Dictionaries that few bytes on disk repeat are spelt out in memory."""


def read_parquet(*, path: Path, zone: str) -> IntervalFile:
    """Read a Parquet table of intervals; a null energy is a row without a number."""
    import pyarrow as pa  # the edge reads no Parquet: pyarrow is a server part

    table = read_table(path=path, rows_max=ROWS_MAX)
    columns = find_columns(name=path.name, names=table.column_names)
    homes = ["home"] * len(table) if columns.home is None else table[columns.home].to_pylist()
    stamp, energy = table[columns.stamp], table[columns.energy]
    if stamp.null_count or any(home is None for home in homes):
        raise UnreadableValue(f"{path.name} has rows without a home or a stamp. Fetch the file again.")
    if not pa.types.is_timestamp(stamp.type):
        raise UnreadableValue(
            f"{path.name}: the stamps are {stamp.type}, not timestamps. Convert and read it again."
        )
    whole = pa.types.is_integer(energy.type) and columns.per_unit_wh == 1
    try:
        instants = stamp.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_pylist()
        # A float is taken by its shortest decimal form: 0.141, not the 0.14100000262 it is held as.
        cells = energy.to_pylist() if whole else energy.cast(pa.string()).to_pylist()
    except pa.ArrowException as error:
        raise UnreadableValue(f"{path.name}: the energy is no number ({error}). Nothing was read.") from error
    if stamp.type.tz is None and zone != "UTC":
        wall = Stamps(zone=zone)
        instants = [_on_the_wall(wall, str(home), at_us) for home, at_us in zip(homes, instants, strict=True)]
    file = IntervalFile(name=path.name, format="parquet")
    for number, (home, at_us, cell) in enumerate(zip(homes, instants, cells, strict=True), start=1):
        if isinstance(at_us, str):
            file.unreadable.append(Unreadable(number, str(home), at_us))
        elif whole or cell is None:
            file.add(Row(number, str(home), at_us, cell))
        elif not columns.per_unit_wh:
            file.add(Row(number, str(home), at_us, None, Status.ACTUAL, cell))
        else:
            try:
                wh, rounded = energy_wh(text=cell, per_unit_wh=columns.per_unit_wh)
            except BadCell as error:
                file.unreadable.append(Unreadable(number, str(home), str(error)))
                continue
            file.add(Row(number, str(home), at_us, wh, Status.ACTUAL, cell, "rounded" if rounded else ""))
    if not columns.per_unit_wh:
        power_to_energy(file=file)
    return file


def read_table(*, path: Path, rows_max: int) -> Any:
    """Read a Parquet file into memory, after its own footer has said that it fits."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            about = file.metadata
            groups = [about.row_group(n) for n in range(about.num_row_groups)]
            unpacked = sum(group.total_byte_size for group in groups)
            # The footer is the sender's word; what is read is weighed, too: a page may unpack to more than it says.
            if about.num_rows > rows_max:
                raise _too_large(path, f"{about.num_rows} rows", f"{rows_max}")
            if unpacked > BYTES_MAX:
                raise _too_large(path, f"{unpacked} bytes unpacked", f"{BYTES_MAX}")
            batches, held = [], 0
            for batch in file.iter_batches():
                held += batch.nbytes
                if held > HELD_BYTES_MAX:
                    raise _too_large(path, f"more than {HELD_BYTES_MAX} bytes in memory", "that")
                batches.append(batch)
            return pa.Table.from_batches(batches, schema=file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise FileBroken(f"{path.name} is not readable Parquet ({error}). Fetch it again.") from error


def _too_large(path: Path, held: str, most: str) -> FileTooLarge:
    return FileTooLarge(
        f"{path.name} has {held}; {most} is the most. Nothing was read; split it by time or home."
    )


def _on_the_wall(wall: Stamps, home: str, at_us: int) -> int | str:
    try:
        return wall.instant(home=home, at=to_datetime(at_us).replace(tzinfo=None))
    except BadCell as error:
        return str(error)
