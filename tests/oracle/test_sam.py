"""Month by month the same bill as the System Advisor Model, to the cent and far below it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.bill import bill
from fairwatt.core.spans import Span, from_datetime
from oracle import sam
from oracle.samples import intervals

TARIFFS = Path(__file__).parent / "tariffs"
NEAR = 1e-6
"""SAM adds floats; a thousandth of a cent would already be ten times this."""


def year_of_use(minutes: int) -> list[int]:
    """The Sydney home's year, moved onto SAM's calendar."""
    halves = [wh for _, _, wh in intervals("sydney_2013")]
    return halves if minutes == 30 else [sum(halves[n : n + 2]) for n in range(0, len(halves), 2)]


def our_months(tariff: Path, used: list[int], step: timedelta) -> list[float]:
    schedule = load_tariff(tariff).schedule
    begins = [datetime(sam.MONDAYS_YEAR + n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in range(13)]
    made = []
    for begin, end in pairwise(begins):
        first = (begin - begins[0]) // step
        readings = [
            (from_datetime(begin + step * (n + 1)), used[first + n]) for n in range((end - begin) // step)
        ]
        month = bill(
            schedule=schedule,
            readings=readings,
            span=Span(from_datetime(begin), from_datetime(end)),
            settle_open=True,
        )
        made.append(float(month.exact_micro / 10**6))
    return made


@pytest.mark.parametrize("minutes", [60, 30])
@pytest.mark.parametrize("tariff", ["sam_two_blocks_two_periods", "sam_daily_baseline"])
def test_every_month_costs_what_the_system_advisor_model_says(tariff: str, minutes: int) -> None:
    path = TARIFFS / f"{tariff}.yaml"
    used = year_of_use(minutes)
    kilowatts = [wh / 1000 * 60 / minutes for wh in used]
    theirs = sam.bill(sam.sam_for(path, steps=len(used)), kilowatts=kilowatts)
    ours = our_months(path, used, timedelta(minutes=minutes))
    assert len(ours) == 12
    assert ours == pytest.approx(theirs, abs=NEAR)
    assert sum(ours) > 1_000, "a home that uses nothing would prove nothing"
