"""Pulse counters: what a pulse is worth, turning over, and a counter that falls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bench import ask
from fairwatt.drivers.contract import PulseState
from fairwatt.drivers.errors import BadRequest, CounterFell, MeterRefused
from fairwatt.drivers.profile import ProfileError, load_profile, parse_profile
from fairwatt.drivers.pulse.counter import Opening, Pulses, look, parse_address, register
from fairwatt.drivers.pulse.meter import PulseMeter
from fairwatt.simulate.meters.pulse import SimPulseCounter

WATER = load_profile(key="pulse_water")
TEXT = """
title = "1600 imp/kWh on a counter of 16 bits"
protocol = "pulse"
[register]
resolution_wh = 1
modulus_wh = 1_000_000_000
max_power_w = 15_000
[pulses]
number = 1600
amount = 1000
[counter]
function = 4
address = 10
bits = 16
channels = 2
"""
SIXTEEN = parse_profile(key="own", text=TEXT)
PULSES = Pulses(number=1600, amount=1000, bits=16, turnover_max=4096)


def test_pulses_become_the_register_of_the_dial() -> None:
    module = SimPulseCounter(profile=WATER, unit="12")
    module.counts[1] = 17
    meter = PulseMeter(profile=WATER, address="12/2=184520@17")
    module.add(channel=2, amount=239)

    assert ask(meter.read_register(), lambda asked: module.answer(asked)[0]).total_wh == 184_520 + 230


def test_a_sixteen_bit_counter_turns_over_and_the_register_goes_on() -> None:
    module = SimPulseCounter(profile=SIXTEEN, unit="3")
    meter = PulseMeter(profile=SIXTEEN, address="3/1")
    used = 0
    for wh in [20_000, 20_900, 20_000, 1, 1, 1]:
        for part in (wh // 10,) * 10:
            module.add(channel=1, amount=part)
            used += part
            told = ask(meter.read_register(), lambda asked: module.answer(asked)[0]).total_wh
            assert 0 <= used - told <= 1
    assert module.counts[0] < used * 16 // 10


def test_a_counter_that_lost_its_memory_is_refused_and_stays_refused() -> None:
    module = SimPulseCounter(profile=WATER, unit="12")
    module.add(channel=1, amount=1_000)
    meter = PulseMeter(profile=WATER, address="12/1")
    assert ask(meter.read_register(), lambda asked: module.answer(asked)[0]).total_wh == 1_000

    module.lose_memory()
    module.add(channel=1, amount=50)
    for _ in range(2):
        with pytest.raises(CounterFell, match="fell from 100 to 5") as fell:
            ask(meter.read_register(), lambda asked: module.answer(asked)[0])
        assert fell.value.code == "counter_fell"

    with pytest.raises(CounterFell):
        ask(
            PulseMeter(profile=WATER, address="12/1=1000@100").read_register(),
            lambda asked: module.answer(asked)[0],
        )
    again = PulseMeter(profile=WATER, address="12/1=1000@0")
    assert ask(again.read_register(), lambda asked: module.answer(asked)[0]).total_wh == 1_050


def test_what_was_remembered_goes_on_after_a_restart() -> None:
    module = SimPulseCounter(profile=SIXTEEN, unit="3")
    meter = PulseMeter(profile=SIXTEEN, address="3/1")
    meter.resume(PulseState(count=65_000, pulses=650_000))
    module.counts[0] = 64
    told = ask(meter.read_register(), lambda asked: module.answer(asked)[0])
    assert meter.state == PulseState(count=64, pulses=650_600)
    assert told.total_wh == 406_625


@given(st.lists(st.integers(0, 4_096), max_size=60), st.integers(0, 65_535))
def test_however_it_is_looked_at_the_pulses_are_the_same(steps: list[int], start: int) -> None:
    opening = Opening(register=500, count=start)
    state = look(pulses=PULSES, opening=opening, before=None, count=start, number="1/1")
    total = 0
    for step in steps:
        total += step
        count = (start + total) % 65_536
        state = look(pulses=PULSES, opening=opening, before=state, count=count, number="1/1")
    assert state.pulses == total
    assert register(pulses=PULSES, opening=opening, state=state, modulus=10**9) == 500 + total * 1000 // 1600


def test_a_channel_the_module_has_not_is_refused() -> None:
    with pytest.raises(ProfileError, match="counters 1 to 4"):
        PulseMeter(profile=WATER, address="12/5")
    with pytest.raises(MeterRefused):
        module = SimPulseCounter(profile=SIXTEEN, unit="12")
        ask(PulseMeter(profile=WATER, address="12/4").read_register(), lambda asked: module.answer(asked)[0])


@pytest.mark.parametrize("address", ["12", "12/", "12/1=5", "x/1", "12/1=-5@0", "12/1=5@0 ", "248/1", "0/1"])
def test_an_address_names_unit_channel_and_opening(address: str) -> None:
    with pytest.raises(BadRequest):
        PulseMeter(profile=WATER, address=address)
    assert parse_address("7/3=20@10") == ("7", 3, Opening(20, 10))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bits = 16", "bits = 24"),
        ("number = 1600", "number = 0"),
        ("amount = 1000", "amount = 0.5"),
        ("amount = 1000", "amount = 1\nturnover_max = 65536"),
        ("function = 4", "function = 9"),
    ],
)
def test_a_broken_profile_is_refused(old: str, new: str) -> None:
    with pytest.raises(ProfileError):
        PulseMeter(profile=parse_profile(key="own", text=TEXT.replace(old, new)), address="3/1")
