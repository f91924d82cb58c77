"""CJ/T 188: published frames byte for byte, units, status words, valves, and makers who disagree."""

from __future__ import annotations

from fractions import Fraction
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bench import Device, ask
from fairwatt.drivers.cjt188.frame import build_frame, frame_at, frames, wire_address
from fairwatt.drivers.cjt188.meter import Cjt188ValveMeter, read_address
from fairwatt.drivers.cjt188.values import decode_clock, decode_quantity, encode_clock, parse_layout
from fairwatt.drivers.contract import (
    Accepted,
    Conditions,
    DriverError,
    KeepsClock,
    MeterAddress,
    MeterClock,
    MeterEventKind,
    ReadsConditions,
    RelayState,
    SwitchesRelay,
)
from fairwatt.drivers.errors import BadRequest, MeterRefused, UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError, load_profile, parse_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.simulate.meters.cjt188 import SimCjt188Bus, SimCjt188Meter

WATER = load_profile(key="cjt188_water")
HEAT = load_profile(key="cjt188_heat")
NUMBER = "78330011223344"
NOW_US = 1_785_542_400_000_000


def bench(profile: MeterProfile = WATER) -> tuple[Cjt188ValveMeter, SimCjt188Meter, Device]:
    sim = SimCjt188Meter(profile=profile, number=NUMBER, register=12_340)
    bus = SimCjt188Bus(meters=[sim], now=lambda: NOW_US)
    return Cjt188ValveMeter(profile=profile, address=NUMBER), sim, lambda asked: bus.answer(asked)[0]


def edited(old: str, new: str) -> MeterProfile:
    text = files("fairwatt.drivers").joinpath("profiles/cjt188_water.toml").read_text()
    assert old in text
    return parse_profile(key="own", text=text.replace(old, new, 1))


# Frames as published for a cold-water meter: read its data, open its valve, shut it.
@pytest.mark.parametrize(
    ("number", "control", "data", "published"),
    [
        ("78330011223344", 0x01, "1F9000", "68 10 44332211003378 01 03 1F9000 80 16"),
        ("78331505900569", 0x04, "A0170155", "68 10 69059005153378 04 04 A0170155 50 16"),
        ("78331505900569", 0x04, "A0170199", "68 10 69059005153378 04 04 A0170199 94 16"),
    ],
)
def test_our_frames_are_the_published_ones(number: str, control: int, data: str, published: str) -> None:
    raw = build_frame(
        kind=0x10, address=wire_address(number=number), control=control, data=bytes.fromhex(data), preamble=0
    )
    assert raw == bytes.fromhex(published)
    read = frame_at(raw, 0)
    assert read is not None
    assert (read[0].number, read[0].control, read[0].data) == (number, control, bytes.fromhex(data))


def test_the_published_answer_of_a_water_meter_is_read() -> None:
    # 556677.00 m3 now and on settlement day, 2015-05-11 22:01:31, valve shut, battery good.
    value = bytes.fromhex("0077665 52C 0077665 52C 31012211051520 0100".replace(" ", ""))
    meter = Cjt188ValveMeter(profile=WATER, address=NUMBER)
    say = build_frame(
        kind=0x10, address=wire_address(number=NUMBER), control=0x81, data=b"\x1f\x90\x01" + value
    )
    assert ask(meter.read_register(), lambda asked: say).total_wh == 556_677_000
    layout = parse_layout(profile=WATER)
    assert decode_clock(value[10:17], zone="Asia/Shanghai") == 1_431_352_891_000_000
    assert layout.size == len(value)


@pytest.mark.parametrize(
    ("wire", "unit", "amount"),
    [
        ("563412002C", "l", 1_234_560),
        ("5634120029", "l", 1_234),
        ("5634120005", "Wh", 1_234_560),
        ("5634120008", "Wh", 1_234_560_000),
        ("5634120011", "Wh", 342_933_333),  # 1234.56 GJ, rounded down to whole Wh
    ],
)
def test_a_quantity_is_brought_to_the_unit_of_its_medium(wire: str, unit: str, amount: int) -> None:
    assert decode_quantity(bytes.fromhex(wire), medium_unit=unit, extra={}) == amount


@pytest.mark.parametrize(
    ("wire", "unit"), [("5634120005", "l"), ("563412002C", "Wh"), ("5634120035", "l"), ("56341A002C", "l")]
)
def test_a_value_of_another_unit_or_no_number_never_becomes_a_reading(wire: str, unit: str) -> None:
    with pytest.raises(UnreadableValue):
        decode_quantity(bytes.fromhex(wire), medium_unit=unit, extra={})


def test_a_makers_own_unit_is_a_line_in_its_profile() -> None:
    profile = edited("[layout] ", '[units]\n"2B" = [1, 1]\n[layout] ')
    meter, sim, say = bench(profile)
    sim.unit, sim.register = 0x2B, 1_234_567
    assert ask(meter.read_register(), say).total_wh == 1_234_567
    assert decode_quantity(b"\x01\0\0\0\x2b", medium_unit="l", extra={0x2B: Fraction(1)}) == 1


def test_a_valve_moves_and_is_proven_by_asking() -> None:
    meter, sim, say = bench()
    assert ask(meter.read_relay(), say) == RelayState(closed=True, ordered_closed=True)

    assert ask(meter.open_relay(valid_until_us=0), say) == Accepted()
    assert sim.add(500) == 0
    assert ask(meter.read_relay(), say) == RelayState(closed=False, ordered_closed=False)

    sim.valve_stuck = True
    assert ask(meter.close_relay(valid_until_us=0), say) == Accepted()
    assert ask(meter.read_relay(), say).closed is False


def test_a_valve_that_is_neither_open_nor_shut_has_no_state() -> None:
    meter, sim, say = bench()
    sim.valve_broken, sim.battery_low = True, True
    with pytest.raises(UnreadableValue, match="neither open nor shut"):
        ask(meter.read_relay(), say)
    told = ask(meter.read_conditions(), say)
    assert told == Conditions(frozenset({MeterEventKind.VALVE_FAULT, MeterEventKind.LOW_BATTERY}))


def test_makers_put_the_status_bits_elsewhere_and_the_profile_says_where() -> None:
    profile = edited("valve_shift = 0", "valve_shift = 6")
    meter, sim, say = bench(profile)
    sim.valve_open = False
    raw = frames(say(meter.read_relay().request()))[0].data
    assert raw[-2] == 0x40
    assert ask(meter.read_relay(), say).closed is False


def test_the_clock_is_read_and_set_in_the_meters_zone() -> None:
    meter, sim, say = bench()
    sim.clock_offset_us = 3_600_000_000
    assert ask(meter.read_clock(), say) == MeterClock(NOW_US + 3_600_000_000)
    assert ask(meter.set_clock(at_us=NOW_US), say) == Accepted()
    assert ask(meter.read_clock(), say) == MeterClock(NOW_US)
    assert encode_clock(NOW_US, zone="Asia/Shanghai").hex() == "00000801082620"


@pytest.mark.parametrize("wire", ["00000032082620", "61000801082620", "0A000801082620", "00000801080000"])
def test_a_time_that_is_on_no_calendar_is_refused(wire: str) -> None:
    with pytest.raises(UnreadableValue):
        decode_clock(bytes.fromhex(wire), zone="Asia/Shanghai")


def test_a_late_answer_to_an_older_question_is_not_taken() -> None:
    meter, sim, say = bench()
    late = say(meter.read_register().request())
    sim.register += 1_000
    assert ask(meter.read_register(), lambda asked: late + say(asked)).total_wh == 13_340


def test_a_refusal_is_told() -> None:
    meter, _, say = bench(edited("[identifiers]", "[identifiers] #"))
    meter._identifiers["valve"] = b"\x17\xa1"
    with pytest.raises(MeterRefused, match="Nothing was changed"):
        ask(meter.open_relay(valid_until_us=0), say)


def test_an_answer_of_another_length_is_another_models() -> None:
    meter = Cjt188ValveMeter(profile=WATER, address=NUMBER)
    short = build_frame(
        kind=0x10, address=wire_address(number=NUMBER), control=0x81, data=b"\x1f\x90\x01" + b"\0" * 7
    )
    with pytest.raises(UnreadableValue, match="19 bytes"):
        ask(meter.read_register(), lambda asked: short)


def test_one_meter_alone_tells_its_number() -> None:
    _, _, say = bench()
    assert ask(read_address(), say) == MeterAddress(NUMBER)


def test_a_model_can_do_what_its_profile_has() -> None:
    assert isinstance(open_meter(profile=WATER, address=NUMBER, zone="Asia/Shanghai"), SwitchesRelay)
    heat = open_meter(profile=HEAT, address=NUMBER, zone="Asia/Shanghai")
    assert isinstance(heat, ReadsConditions | KeepsClock)
    assert not isinstance(heat, SwitchesRelay)


@pytest.mark.parametrize("number", ["AAAAAAAAAAAAAA", "123456789012345", "12-3", ""])
def test_only_a_whole_number_is_an_address(number: str) -> None:
    with pytest.raises(BadRequest, match="fourteen"):
        wire_address(number=number)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind = 0x10", "kind = 0x110", "meter.kind"),
        ("size = 19", "size = 18", "beyond its size"),
        ("register_at = 0", "regster_at = 0", "not whole"),
        ('"1F90"', '"1F9"', "hexadecimal"),
        ('medium = "water"', 'medium = "milk"', "medium is"),
        ("resolution_l", "resolution_wh", "resolution_l"),
        ("battery_bit = 2", "battery_bit = 9", "beyond"),
    ],
)
def test_a_broken_profile_is_refused_with_the_line_to_mend(old: str, new: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        open_meter(profile=edited(old, new), address=NUMBER, zone="UTC")


@settings(max_examples=300)
@given(st.data())
def test_whatever_a_frame_holds_nothing_but_a_driver_error_comes_out(data: st.DataObject) -> None:
    profile = data.draw(st.sampled_from([WATER, HEAT]))
    value = data.draw(st.binary(min_size=0, max_size=50))
    wrapped = data.draw(st.booleans())
    address = wire_address(number=NUMBER)
    said = (
        build_frame(kind=0x10, address=address, control=0x81, data=b"\x1f\x90\x01" + value)
        if wrapped
        else value
    )
    meter = Cjt188ValveMeter(profile=profile, address=NUMBER)
    for exchange in (meter.read_register(), meter.read_relay(), meter.read_clock()):
        exchange.request()
        try:
            exchange.feed(said)
        except DriverError:
            pass
