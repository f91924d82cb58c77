"""Cut days of whole homes out of the larger Low Carbon London sample.

    python make_days.py lcl2013_halfhourly.parquet london_2013_days.csv.gz

A home is taken when at most 60 of its 17,520 half hours are missing and fewer than five of its days are exactly zero (a
dead meter or an empty home: no fridge uses nothing). Wh are summed by day; a missing half hour adds nothing. Nothing is
smoothed or rescaled. One row a home: its pseudonym, then 365 days of 2013.
"""

import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

MISSING_MAX, ZERO_DAYS_MAX = 60, 4


def cut(*, source: Path, target: Path) -> int:
    """Write the homes' days and return how many homes there are."""
    table: Any = pq.read_table(source, columns=["lclid", "ts", "wh"]).drop_null()
    homes, home = np.unique(table["lclid"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
    at = table["ts"].to_numpy()
    slot = ((at - np.datetime64("2013-01-01")) // np.timedelta64(30, "m")).astype(int)
    wh = np.full((homes.size, 365 * 48), -1, dtype=np.int64)
    wh[home, slot] = table["wh"].to_numpy()
    days = np.where(wh >= 0, wh, 0).reshape(homes.size, 365, 48).sum(axis=2)
    whole = ((wh < 0).sum(axis=1) <= MISSING_MAX) & ((days == 0).sum(axis=1) <= ZERO_DAYS_MAX)
    rows = [
        f"{name},{','.join(map(str, row))}"
        for name, row in zip(homes[whole], days[whole].tolist(), strict=True)
    ]
    with gzip.GzipFile(target, "wb", mtime=0) as file:
        file.write(("\n".join(rows) + "\n").encode())
    return len(rows)


if __name__ == "__main__":
    print(cut(source=Path(sys.argv[1]), target=Path(sys.argv[2])), "homes")
