"""A register says how much was used, or why nobody can say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.metering.register import (
    BackwardRegister,
    ConflictingReading,
    DuplicateReading,
    ImpossibleRegister,
    LateReading,
    OutOfRangeRegister,
    ReadingRejected,
    RegisterSpec,
    advance,
)
from fairwatt.core.units import US_PER_HOUR, US_PER_MINUTE

HOME = RegisterSpec(modulus_wh=1_000_000_000, resolution_wh=10, max_power_w=13_200)
NOON = 1_700_000_000_000_000


def after_half_an_hour(prev_wh: int, wh: int) -> tuple[int, bool]:
    step = advance(spec=HOME, prev_at_us=NOON, prev_wh=prev_wh, at_us=NOON + 30 * US_PER_MINUTE, wh=wh)
    return step.energy_wh, step.rolled_over


def test_use_is_the_rise_of_the_register() -> None:
    assert after_half_an_hour(5_000, 5_440) == (440, False)
    assert after_half_an_hour(5_000, 5_000) == (0, False)


def test_a_register_wraps_to_zero_and_goes_on() -> None:
    assert after_half_an_hour(999_999_900, 100) == (200, True)
    assert after_half_an_hour(999_999_990, 0) == (10, True)


@pytest.mark.parametrize(("prev_wh", "wh"), [(5_000, 4_990), (900_000_000, 0), (999_999_990, 60_000)])
def test_a_register_that_goes_back_without_a_plausible_wrap_moves_no_money(prev_wh: int, wh: int) -> None:
    with pytest.raises(BackwardRegister, match="nothing is charged and supply stays on"):
        after_half_an_hour(prev_wh, wh)


def test_more_than_the_meter_can_carry_is_impossible_to_the_watt_hour() -> None:
    # 13.2 kW for half an hour is 6600 Wh, and each end may be cut by one 10 Wh step.
    assert after_half_an_hour(0, 6_620) == (6_620, False)
    with pytest.raises(ImpossibleRegister):
        after_half_an_hour(0, 6_621)
    assert after_half_an_hour(999_999_990, 6_600) == (6_610, True)
    with pytest.raises(BackwardRegister):
        after_half_an_hour(999_999_990, 6_601)


def test_one_instant_has_one_value() -> None:
    with pytest.raises(DuplicateReading):
        advance(spec=HOME, prev_at_us=NOON, prev_wh=7, at_us=NOON, wh=7)
    with pytest.raises(ConflictingReading, match="decide which"):
        advance(spec=HOME, prev_at_us=NOON, prev_wh=7, at_us=NOON, wh=8)


def test_an_older_reading_is_late_whatever_it_shows() -> None:
    with pytest.raises(LateReading):
        advance(spec=HOME, prev_at_us=NOON, prev_wh=7, at_us=NOON - 1, wh=7)


@pytest.mark.parametrize("wh", [-1, 1_000_000_000])
def test_a_value_the_register_cannot_show_is_refused(wh: int) -> None:
    with pytest.raises(OutOfRangeRegister):
        after_half_an_hour(0, wh)


@given(st.integers(0, HOME.modulus_wh - 1), st.integers(0, 6_600))
def test_true_use_is_found_wherever_the_register_stands(prev_wh: int, used_wh: int) -> None:
    energy, rolled = after_half_an_hour(prev_wh, (prev_wh + used_wh) % HOME.modulus_wh)
    assert energy == used_wh
    assert rolled == (prev_wh + used_wh >= HOME.modulus_wh)


@given(st.integers(0, HOME.modulus_wh - 1), st.integers(0, HOME.modulus_wh - 1), st.integers(1, 10**15))
def test_accepted_use_is_never_negative_nor_beyond_the_meter(prev_wh: int, wh: int, dt_us: int) -> None:
    try:
        step = advance(spec=HOME, prev_at_us=NOON, prev_wh=prev_wh, at_us=NOON + dt_us, wh=wh)
    except ReadingRejected as rejected:
        assert rejected.code in {"backward", "impossible"}
        return
    assert 0 <= step.energy_wh < HOME.modulus_wh
    assert (step.energy_wh - 20) * US_PER_HOUR <= HOME.max_power_w * dt_us


def test_every_rejection_has_its_own_code() -> None:
    kinds = ReadingRejected.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds) == 6


@pytest.mark.parametrize(
    ("modulus", "resolution", "power"), [(0, 1, 1), (100, 0, 1), (100, 1, 0), (10, 10, 1)]
)
def test_a_register_without_limits_is_no_register(modulus: int, resolution: int, power: int) -> None:
    with pytest.raises(ValueError):
        RegisterSpec(modulus_wh=modulus, resolution_wh=resolution, max_power_w=power)
