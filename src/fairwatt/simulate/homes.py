"""The homes of the simulated street: real half hours of use, from London in 2013."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fairwatt.intervals.contract import OutsideSpan
from fairwatt.intervals.series import HomeSeries, read_intervals

STREET = Path(__file__).parent / "data" / "street_lcl2013.parquet"


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
