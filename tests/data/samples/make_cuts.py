"""Cut the samples of tests/oracle out of the larger public sets.

    python make_cuts.py FOLDER_OF_THE_SETS

Rows are picked, none is filled or smoothed; rows in which the meter said nothing are left out. Every cut has the
columns `start` (UTC) and `wh` (used from there to the next step).
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).parent
LONDON_HOME, SYDNEY_HOME = "MAC000005", "10017936"
YEAR = "2013-01-01", "2014-01-01"


def write(name: str, rows: list[tuple[datetime, int]]) -> None:
    starts = pa.array([start for start, _ in rows], type=pa.timestamp("us", tz="UTC"))
    used = pa.array([wh for _, wh in rows], type=pa.int32())
    pq.write_table(
        pa.table({"start": starts, "wh": used}),
        HERE / f"{name}.parquet",
        compression="zstd",
        compression_level=19,
        write_statistics=False,
        use_dictionary=["wh"],
        column_encoding={"start": "DELTA_BINARY_PACKED"},
    )


def rows_of(path: Path, *, key: str, home: str, at: str, used: str) -> list[tuple[datetime, Any]]:
    table: Any = pq.read_table(path)
    table = table.filter(pc.equal(table[key].cast(pa.string()), home)).drop_null().sort_by(at)
    return list(zip(table[at].to_pylist(), table[used].to_pylist(), strict=True))


def london(source: Path) -> None:
    rows = rows_of(source / "lcl2013_halfhourly.parquet", key="lclid", home=LONDON_HOME, at="ts", used="wh")
    write("london_2013", rows)


def sydney(source: Path) -> None:
    """Stamps are AEST (UTC+10) all year; kWh of three decimals, kept as 32-bit floats upstream."""
    rows = rows_of(
        source / "sgsc_10homes_halfhourly.parquet",
        key="customer_id",
        home=SYDNEY_HOME,
        at="ts_local",
        used="kwh",
    )
    # The year by the wall clock of Sydney, where summer time is an hour ahead of the stamps.
    begin, end = (datetime.fromisoformat(f"{day} 00:00") - timedelta(hours=1) for day in YEAR)
    local = [(at, round(kwh * 1000)) for at, kwh in rows if begin <= at < end]
    write("sydney_2013", [(at - timedelta(hours=10), wh) for at, wh in local])


def sceaux(source: Path) -> None:
    """Mean kW of each minute in local winter time (UTC+1); a register of whole Wh that counts them."""
    table: Any = pq.read_table(source / "uci_household_1min_33d.parquet").sort_by("ts_local")
    rows, watt_minutes = [], 0
    for at, kilowatts in zip(
        table["ts_local"].to_pylist(), table["active_power_kw"].to_pylist(), strict=True
    ):
        if kilowatts is None:
            continue
        before_wh = watt_minutes // 60
        watt_minutes += round(kilowatts * 1000)
        rows.append((at - timedelta(hours=1), watt_minutes // 60 - before_wh))
    write("sceaux_2006_12", rows)


if __name__ == "__main__":
    for cut in (london, sydney, sceaux):
        cut(Path(sys.argv[1]))
