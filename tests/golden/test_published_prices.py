"""The prices in the shipped files are the published ones, also where no worked bill looks."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

import fairwatt

TARIFFS = Path(fairwatt.__file__).parent / "tariffs"
FACTS = yaml.load(
    (Path(__file__).parent / "published" / "prices.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader
)


def elements(file: str, effective: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """(word, settings) of the version that takes effect on a day, or of all versions."""
    said = yaml.load((TARIFFS / file).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    versions = [v for v in said["versions"] if effective in (None, v["effective"])]
    assert versions, f"{file} has no version of {effective}"
    return [next(iter(element.items())) for version in versions for element in version["elements"]]


def numbers(said: list[str]) -> list[Decimal]:
    return [Decimal(text) for text in said]


@pytest.mark.parametrize(
    "fact", FACTS["energy"], ids=lambda f: f"{f['file']} {f['effective']} {f.get('period', '')}"
)
def test_an_energy_price_is_the_published_one(fact: dict[str, Any]) -> None:
    energy = next(of for word, of in elements(fact["file"], fact["effective"]) if word == "energy")
    priced = energy
    if "period" in fact:
        priced = next(period for period in energy["periods"] if period["name"] == fact["period"])
    if "prices" in fact:
        assert numbers(priced.get("prices") or [priced["price"]]) == numbers(fact["prices"])
    assert numbers(energy.get("blocks", [])) == numbers(fact.get("blocks", []))
    if "hours" in fact:
        assert priced["hours"] == fact["hours"]
    assert priced.get("months", []) == fact.get("months", [])


@pytest.mark.parametrize("fact", FACTS["other"], ids=lambda f: f"{f['file']} {f['element']}")
def test_another_charge_is_the_published_one(fact: dict[str, Any]) -> None:
    found = [of for word, of in elements(fact["file"]) if of.get("name", word) == fact["element"]]
    assert found
    for of in found:
        for key in {"percent", "per_day", "per_month", "price"} & set(fact):
            assert Decimal(of[key]) == Decimal(fact[key])
        if "bands" in fact:
            assert {band.get("upto", "above"): band["per_month"] for band in of["bands"]} == fact["bands"]
