"""Today's prices: the block that use has reached, the hours the home really uses, the tax on top."""

from __future__ import annotations

from typing import Any

import pytest

from web.scene import NOW_US, TARIFF, Scene


@pytest.fixture
def schedule(scene: Scene) -> Any:
    from fairwatt.core.rating.tariff_file import parse_schedule

    return parse_schedule(TARIFF)


def test_the_bands_of_a_day_name_the_dearest(schedule: Any) -> None:
    from fairwatt.web.prices import bands_of_day

    bands = bands_of_day(schedule=schedule, at_us=NOW_US, counter_wh=0)
    assert [(b.start_min, b.end_min, b.name, b.dearest) for b in bands] == [
        (0, 480, "valley", False),
        (480, 1320, "peak", True),
        (1320, 1440, "valley", False),
    ]


def test_the_bands_follow_the_block(schedule: Any) -> None:
    from fairwatt.web.prices import bands_of_day

    prices = {b.price_micro for b in bands_of_day(schedule=schedule, at_us=NOW_US, counter_wh=250_000)}
    assert prices == {618_000, 338_000}


def test_energy_for_an_amount_walks_through_the_blocks(schedule: Any) -> None:
    from fairwatt.web.prices import energy_for

    night = [1] * 12 + [0] * 36  # uses energy at valley prices only
    price_1, price_2 = 288_000 * 113 // 100, 338_000 * 113 // 100
    available = 10 * price_1 + 5 * price_2  # ten kWh are left of the first block
    bought = energy_for(
        schedule=schedule, at_us=NOW_US, counter_wh=190_000, available_micro=available, slots_wh=night
    )
    assert bought == 15_000


def test_a_home_without_history_is_weighed_by_the_clock(schedule: Any) -> None:
    from fairwatt.web.prices import energy_for

    mean = (568_000 * 28 + 288_000 * 20) * 113 // (48 * 100)
    bought = energy_for(
        schedule=schedule, at_us=NOW_US, counter_wh=0, available_micro=100_000_000, slots_wh=[0] * 48
    )
    assert bought == 100_000_000 * 1000 // mean


def test_no_credit_buys_nothing(schedule: Any) -> None:
    from fairwatt.web.prices import energy_for

    assert (
        energy_for(schedule=schedule, at_us=NOW_US, counter_wh=0, available_micro=-5, slots_wh=[1] * 48) == 0
    )


def test_before_the_first_version_there_is_no_price(schedule: Any) -> None:
    from fairwatt.web.prices import bands_of_day

    assert bands_of_day(schedule=schedule, at_us=0, counter_wh=0) == ()
