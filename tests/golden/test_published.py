"""The shipped tariffs reproduce every worked bill that was found for them, to the digit it was stated with."""

import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import pytest
import yaml

import fairwatt
from fairwatt.cli.tariff_files import load_tariff
from fairwatt.core.rating.check import run_example
from fairwatt.core.rating.tariff_examples import Example, Figure

TARIFFS = Path(fairwatt.__file__).parent / "tariffs"
FILES = sorted(TARIFFS.glob("*.yaml"))
BILLS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "published" / "bills.yaml").read_text(encoding="utf-8")
)["bills"]
PUBLISHED = {
    *("cn-zj-residential", "cn-bj-residential", "cn-bj-commercial-tou-windows", "cn-sh-residential"),
    *("cn-js-residential", "za-joburg-prepaid-2023", "za-joburg-prepaid-fixed-2024", "za-eskom-homelight"),
    *("uk-cap-prepay-2025q3", "uk-economy7", "uk-agile", "uk-lcl-2013", "ca-on-tou-winter-2011"),
    *("ng-band-a", "in-delhi-domestic", "de-dynamic"),
}
EXACT = 6
"""Decimals of a sum that was not rounded: a micro-unit."""


def half_up(exact: Fraction, decimals: int) -> Fraction:
    return Fraction(floor(exact * 10**decimals + Fraction(1, 2)), 10**decimals)


def reckoned(arith: str) -> Fraction:
    """The sum as it stands, in fractions, not in the floats that Python would make of it."""
    assert re.fullmatch(r"(?:[\d.+\-*/(), ]|round|min)+", arith), arith
    exact = re.sub(r"\d+(?:\.\d+)?", r"F('\g<0>')", arith)
    return eval(exact, {"F": Fraction, "round": lambda x, n: half_up(x, int(n)), "min": min})


def decimals_of(bill: dict[str, Any]) -> int:
    """How exact the published figure is, in the unit of the source."""
    rounding = re.search(r",(\d)\)$", bill["arith"])
    if rounding:
        return int(rounding[1])
    return 2 if bill["kind"] == "official" else EXACT


def example_of(bill: dict[str, Any]) -> Example:
    tariff = load_tariff(TARIFFS / bill["file"])
    return next(example for example in tariff.examples if example.name == bill["example"])


def expecting(example: Example, bill: dict[str, Any]) -> Example:
    """The example with the published figure as its only expectation."""
    times, total = bill.get("times", 1), Decimal(bill["total"])
    decimals = decimals_of(bill) + (2 if times == 100 else 0)
    if bill["figure"] == "charges":
        total = Decimal(example.purchases[-1].paid_micro) / 10**6 - total
    text = f"{total / times:.{min(decimals, EXACT)}f}"
    figure = Figure(text, int(Decimal(text) * 10**6), min(decimals, EXACT))
    bare = replace(example, total=None, units=None, energy=None, parts=())
    match bill["figure"].partition("."):
        case "parts", _, name:
            return replace(bare, parts=((name, figure),))
        case "charges" | "energy", _, _:
            return replace(bare, energy=figure)
        case "units", _, _:
            return replace(bare, units=figure)
    return replace(bare, total=figure)


def test_there_are_fifty_three_worked_bills_of_sixteen_tariffs() -> None:
    assert len(BILLS) == 53
    assert {bill["tariff"] for bill in BILLS} == PUBLISHED
    assert {path.name.partition(".")[0] for path in FILES} == PUBLISHED
    assert all(bill["file"].partition(".")[0] == bill["tariff"] for bill in BILLS)


def test_no_bill_is_stated_twice() -> None:
    told = Counter((bill["file"], bill["example"], bill["figure"]) for bill in BILLS)
    assert max(told.values()) == 1


@pytest.mark.parametrize("bill", BILLS, ids=lambda bill: f"{bill['tariff']}: {bill['case']}")
def test_a_published_bill_comes_out_as_stated(bill: dict[str, Any]) -> None:
    exact, total = reckoned(bill["arith"]), Fraction(bill["total"])
    assert half_up(exact, decimals_of(bill)) == total, "the published sum does not hold by itself"
    example = example_of(bill)
    outcome = run_example(
        schedule=load_tariff(TARIFFS / bill["file"]).schedule, example=expecting(example, bill)
    )
    assert outcome.holds, (outcome.differences, outcome.error)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_tariff_says_where_it_comes_from_and_recomputes_its_examples(path: Path) -> None:
    tariff = load_tariff(path)
    assert tariff.source
    assert tariff.status in {"read", "to_be_verified", "made_up"}
    assert tariff.examples
    for example in tariff.examples:
        outcome = run_example(schedule=tariff.schedule, example=example)
        assert outcome.holds, (example.name, outcome.differences, outcome.error)


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("za-eskom-homelight.20a-2020", ("158.54", "159.69")),
        ("uk-agile", ("W = 8", "5 + 0 + (10 x 1) = 18")),
        ("uk-agile.shape-shifters", ("W = 8", "5 + 0 + (10 x 1) = 18")),
        ("uk-lcl-2013.flat", ("14.228 pence", "prints 14.28.")),
        ("za-joburg-prepaid-2023", ("2.10", "2.41")),
    ],
)
def test_contradictions_of_the_sources_are_named(name: str, figures: tuple[str, str]) -> None:
    note = load_tariff(TARIFFS / f"{name}.yaml").note
    assert all(figure in note for figure in figures)


def test_the_readme_lists_every_tariff() -> None:
    text = (TARIFFS / "README.md").read_text(encoding="utf-8")
    assert {name for name in PUBLISHED if f"| `{name}` |" in text} == PUBLISHED
