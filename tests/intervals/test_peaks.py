"""Peak demand from interval files: a gap takes nothing off the interval that follows it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.intervals.bulk import read_bulk
from fairwatt.intervals.rating import rate_file

TARIFF = """
fairwatt_tariff: 1
name: demand
currency: AUD
zone: UTC
versions:
  - effective: 2024-01-01
    elements:
      - energy: {price: "0.1"}
      - demand: {per_kw: "1", interval_min: 30, window: bill}
"""


@pytest.mark.parametrize(("step_min", "watts"), [(15, (777 + 100) * 2), (60, 777)])
def test_the_interval_after_a_gap_counts_with_its_own_length(
    step_min: int, watts: int, tmp_path: Path
) -> None:
    minutes = [n * step_min for n in range(4)] + [600 + n * step_min for n in range(4)]
    used = [100, 100, 100, 100, 777, 100, 100, 100]
    rows = [f"a,2024-01-10 {m // 60:02d}:{m % 60:02d},{wh}" for m, wh in zip(minutes, used, strict=True)]
    file = tmp_path / "use.csv"
    file.write_text("\n".join(["lclid,ts,wh", *rows]) + "\n", encoding="utf-8")
    [home] = rate_file(schedule=parse_schedule(TARIFF), intervals=read_bulk(path=file))
    assert home.missing > 0
    assert home.bill.element("demand") == Fraction(watts, 1_000) * 10**6
