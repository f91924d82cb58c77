"""What of a published tariff is charged live: empty homes, versions that are over, and the files that are shipped."""

from __future__ import annotations

from importlib import resources

import pytest

from flows.test_bill_periods import bills, london_us, opened
from flows.test_explain import explained, replayed
from flows.test_windows import HEAD, charged, set_values, windows
from support.street import DAY_US, HOUR_US

pytestmark = pytest.mark.usefixtures("house")

JULY_US = 1_372_633_200_000_000
SPARED = (
    HEAD
    + """
      - energy: {price: "0.20"}
      - standing: {name: line, per_day: "0.10"}
      - standing: {name: rent, per_day: "1.00", vacant: none}
      - tax: {name: VAT, percent: "10", on: [rent]}
"""
)


def test_an_empty_home_is_spared_from_its_day_on_and_charged_again_when_lived_in() -> None:
    with windows(SPARED) as desk:
        empty, lived_in = desk.home(), desk.home()
        for meter in (empty, lived_in):
            desk.read(meter, JULY_US + 2 * DAY_US, 1_000)
        for day, vacant in ((3, 1_000), (6, 0)):
            set_values(desk, JULY_US + day * DAY_US, JULY_US + 2 * DAY_US + HOUR_US, vacant=vacant)
        desk.post(now_us=JULY_US + 2 * DAY_US + HOUR_US)
        desk.open(now_us=JULY_US + 2 * DAY_US + HOUR_US)
        for day in (5, 10):
            for meter in (empty, lived_in):
                desk.read(meter, JULY_US + day * DAY_US, 1_000 + day)
        assert charged(desk, lived_in) - charged(desk, empty) == 3 * 1_100_000, (
            "three days, and the tax on them"
        )
        assert all(account.differences == () for account in explained(desk))
        assert replayed(desk).slips == []


def test_a_tariff_that_spares_nobody_knows_no_empty_home() -> None:
    from fairwatt.flows.account_values import AccountValueRefused

    with windows(SPARED.replace(", vacant: none", "")) as desk:
        desk.home()
        with pytest.raises(AccountValueRefused, match="vacant"):
            set_values(desk, JULY_US + DAY_US, JULY_US, vacant=1_000)


def test_old_versions_may_be_what_they_were_and_nobody_is_opened_under_them() -> None:
    from fairwatt.flows.provision import TariffNotLive

    old = HEAD + '      - energy: {counter: purchase_month, blocks: [50], prices: ["0.2", "0.3"]}\n'
    text = old + '  - effective: 2013-06-01\n    elements:\n      - energy: {price: "0.25"}\n'
    with opened(text, london_us(7, 1)) as desk:
        meter = desk.home()
        desk.read(meter, london_us(7, 2), 60_000)
        assert charged(desk, meter) == 60_000 * 250
        desk.street.opened_us = london_us(5, 1)
        with pytest.raises(TariffNotLive, match="bought"):
            desk.home()


NEVER = {
    "za-eskom-homelight.20a-2020.yaml",
    "za-joburg-prepaid-2023.yaml",
    "za-joburg-prepaid-fixed-2024.yaml",
    "za-joburg-prepaid-fixed-2024.press.yaml",
}


def test_of_the_shipped_tariffs_only_these_are_for_bills_alone() -> None:
    from fairwatt.cli.tariff_files import load_tariff
    from fairwatt.core.rating.closing import live_from

    folder = resources.files("fairwatt.tariffs")
    refused = set()
    with resources.as_file(folder) as path:
        files = sorted(path.glob("*.yaml"))
        for file in files:
            first, why = live_from(load_tariff(file).schedule)
            assert (first is None or first > 0) == bool(why)
            if first is None:
                refused.add(file.name)
    assert refused == NEVER
    assert len(files) == 30


def test_the_check_says_whether_wallets_can_be_charged() -> None:
    import json

    from typer.testing import CliRunner

    from fairwatt.cli.main import app

    folder = resources.files("fairwatt.tariffs")
    said = {}
    for name in ("za-eskom-homelight.60a.yaml", "za-joburg-prepaid-2023.yaml", "uk-agile.yaml"):
        result = CliRunner().invoke(app, ["tariff", "check", str(folder / name), "--json"])
        said[name.split("-")[1].split(".")[0]] = json.loads(result.stdout)["live"]
    assert (said["agile"]["ok"], said["agile"]["why"]) == (True, "")
    assert (said["eskom"]["ok"], said["eskom"]["from"]) == (True, "2025-03-31T22:00:00Z")
    assert (said["joburg"]["ok"], "bought" in said["joburg"]["why"]) == (False, True)


def test_the_homelight_tariff_is_charged_live_from_its_flat_price_on() -> None:
    text = (
        resources.files("fairwatt.tariffs")
        .joinpath("za-eskom-homelight.60a.yaml")
        .read_text(encoding="utf-8")
    )
    start_us = london_us(5, 1, 2025, "Africa/Johannesburg")
    with opened(text, start_us) as desk:
        meter = desk.home()
        shown = [(start_us + DAY_US, 100_007)]
        desk.read(meter, *shown[0])
        assert charged(desk, meter) == bills(text, shown, [start_us, start_us + DAY_US]) > 0
