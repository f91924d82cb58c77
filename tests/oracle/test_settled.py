"""Whole bands, lifelines, minimum, demand and rebates: the year comes out as the totals of its months say."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.bill import bill
from fairwatt.core.spans import Span, from_datetime
from oracle.month_bill import Months, demand, elements, lifeline, whole_bands
from oracle.samples import intervals, readings_of

TARIFFS = Path(__file__).parent / "tariffs"
Rule = Callable[[Months, dict[str, Any]], dict[str, Fraction]]


@pytest.mark.parametrize(
    ("sample", "tariff", "rule"),
    [
        ("london_2013", "london_lifeline", lifeline),
        ("london_2013", "london_whole_bands", whole_bands),
        ("sydney_2013", "sydney_demand", demand),
    ],
)
def test_what_closes_with_the_month_costs_what_its_totals_say(sample: str, tariff: str, rule: Rule) -> None:
    path = TARIFFS / f"{tariff}.yaml"
    rows = intervals(sample)
    zone, said = elements(path)
    months = Months(rows, zone)
    expected = rule(months, said)
    made = bill(
        schedule=load_tariff(path).schedule,
        readings=[(from_datetime(at), wh) for at, wh in readings_of(rows)],
        span=Span(from_datetime(rows[0][0]), from_datetime(rows[-1][1])),
        settle_open=True,
    )
    assert {name: made.element(name) / 10**6 for name in expected} == expected
    assert made.exact_micro == sum(expected.values()) * 10**6
    assert all(expected.values()), "a rule that never applied would prove nothing"
