"""The samples of real use: intervals as (from, to, watt-hours)."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

FOLDER = Path(__file__).parents[1] / "data" / "samples"
STEP = {
    "london_2013": timedelta(minutes=30),
    "sydney_2013": timedelta(minutes=30),
    "sceaux_2006_12": timedelta(minutes=1),
}
Interval = tuple[datetime, datetime, int]


def intervals(sample: str) -> list[Interval]:
    """Read a sample; where it lacks a step, so does the list."""
    table: Any = pq.read_table(FOLDER / f"{sample}.parquet")
    rows = zip(table["start"].to_pylist(), table["wh"].to_pylist(), strict=True)
    return [(start, start + STEP[sample], wh) for start, wh in rows]


def readings_of(rows: list[Interval]) -> list[tuple[datetime, int]]:
    """Instants and the use since the one before; a missing step is a stretch without use."""
    made: list[tuple[datetime, int]] = []
    last = rows[0][0]
    for start, end, wh in rows:
        if start > last:
            made.append((start, 0))
        made.append((end, wh))
        last = end
    return made
