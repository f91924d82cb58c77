"""The benchmarks' town is built through the product's own doors: it must stand whenever those change."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairwatt.server.launcher.services import Services
from support.house import as_role

RATIO_FLOOR = 0.3
CORE_FLOOR = 800_000
WALL_FLOOR = 150_000
"""A tenth of what two slow cores do: noise stays above, another order of magnitude does not."""


def test_the_town_of_the_benchmarks_can_be_built_and_posted_to(
    house: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    from benchmarks.town import JULY_2013_US, Town

    from fairwatt.flows.posting.loading import load_book

    town = Town(config=house.config, gateways=2, meters_each=3, opened_us=JULY_2013_US)
    town.build()
    with as_role("poster"):
        state = load_book(book=town.book, now_us=town.opened_us)
        town.settle(state=state, now_us=town.opened_us)
        assert len(state.registers) == 6
        assert not state.orders
        assert (state.wallets["balance_micro"] > 0).all()


def test_the_benchmarks_of_rating_stand_and_agree_with_the_other_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    from benchmarks.rating import CENT, run_bill, run_rating

    run = run_bill(minutes=30, tariff="sam_daily_baseline", rounds=1, progress=lambda: None)
    assert run.off < CENT
    assert run.ratio > RATIO_FLOOR
    [(of_a_core, by_the_wall)] = run_rating(homes=1, rounds=1, progress=lambda: None)
    assert of_a_core > CORE_FLOOR
    assert by_the_wall > WALL_FLOOR


def test_the_benchmark_of_the_edge_reads_every_meter_in_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    from benchmarks.edge import run_edge

    run = run_edge(meters=5, baud=19_200, interval_s=5, passes=1, progress=lambda: None)
    assert run.whole == [5]
    # 5 meters, at least 3 questions each, 40 bytes of 11 bits and a thought of 20 ms: not faster than the line.
    assert run.passes_s[0] > 0.5
    assert 20 < run.rss_mb < 80
