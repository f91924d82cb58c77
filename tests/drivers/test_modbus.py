"""Modbus: numbers exactly as they are, refusals by their reason, nothing taken for what it is not."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bench import Device, ask
from fairwatt.drivers.contract import (
    Accepted,
    DriverError,
    Measurements,
    PhaseReading,
    PowerReading,
    ReadsMeasurements,
    ReadsPower,
    ReadsRegister,
    RelayState,
    SwitchesRelay,
)
from fairwatt.drivers.errors import BadRequest, MeterRefused, NoAnswer, UnreadableValue
from fairwatt.drivers.exact import FLOAT32, binary_bits, binary_fraction
from fairwatt.drivers.modbus.frame import RtuFraming, TcpFraming, rtu_frame, tcp_frame
from fairwatt.drivers.modbus.meter import ModbusMeter, ModbusPrepaidMeter
from fairwatt.drivers.modbus.pdu import Question
from fairwatt.drivers.modbus.values import Item, parse_item
from fairwatt.drivers.profile import MeterProfile, ProfileError, load_profile, parse_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.simulate.meters.modbus import SimModbusBus, SimModbusMeter

FLOAT_KWH = Item(name="energy", function=4, address=72, kind="float32", times=1000, step=10)
ONE = load_profile(key="modbus_single_phase")
THREE = load_profile(key="modbus_three_phase")


def prepaid(sim: SimModbusMeter) -> tuple[ModbusPrepaidMeter, Device]:
    meter = ModbusPrepaidMeter(profile=sim.profile, address=str(sim.unit))
    bus = SimModbusBus(meters=[sim], rtu=sim.profile.protocol == "modbus-rtu")
    return meter, lambda asked: bus.answer(asked)[0]


@pytest.mark.parametrize(
    ("wire", "wh"),
    [
        ("414570a4", 12_340),  # what a display of 12.34 sends: 12.340000152587890625
        ("00000000", 0),
        ("49742400", 1_000_000_000),  # 1000000.0
        ("3c23d70a", 10),  # 0.01
    ],
)
def test_a_float_register_is_rounded_to_the_step_the_meter_shows(wire: str, wh: int) -> None:
    assert FLOAT_KWH.decode(bytes.fromhex(wire)) == wh


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_are_worked_with_exactly(number: float) -> None:
    exact = Fraction(number) * 1000
    told = FLOAT_KWH.decode(struct.pack(">f", number))
    assert told is not None
    assert told % 10 == 0
    assert -5 < exact - told <= 5 or exact - told == -5


@given(st.integers(-(10**9), 10**9), st.sampled_from(["float32", "float64"]))
def test_our_own_floats_are_the_machines_floats(number: int, kind: str) -> None:
    item = Item(name="power", function=4, address=0, kind=kind, over=1, times=1)
    assert item.encode(number) == struct.pack(">f" if kind == "float32" else ">d", number)


def test_the_smallest_floats_are_exact_too() -> None:
    assert binary_fraction(1, FLOAT32) == Fraction(1, 1 << 149)
    assert binary_fraction(0x80000001, FLOAT32) == -Fraction(1, 1 << 149)
    assert binary_bits(Fraction(1, 1 << 149), FLOAT32) == 1


@pytest.mark.parametrize("wire", ["7f800000", "ff800000", "7fc00000"])
def test_what_is_no_number_never_becomes_a_reading(wire: str) -> None:
    with pytest.raises(UnreadableValue, match="no number"):
        FLOAT_KWH.decode(bytes.fromhex(wire))


@pytest.mark.parametrize(
    ("word_order", "byte_order", "wire"),
    [
        ("high_first", "high_first", "01020304"),
        ("low_first", "high_first", "03040102"),
        ("high_first", "low_first", "02010403"),
        ("low_first", "low_first", "04030201"),
    ],
)
def test_words_and_bytes_are_put_in_the_order_the_profile_names(
    word_order: str, byte_order: str, wire: str
) -> None:
    row = {"function": 3, "address": 0, "type": "uint32", "word_order": word_order, "byte_order": byte_order}
    item = parse_item(name="energy", row=row)
    assert item.decode(bytes.fromhex(wire)) == 0x01020304
    assert item.encode(0x01020304) == bytes.fromhex(wire)


def test_the_question_of_the_manual_is_asked() -> None:
    meter = open_meter(profile=ONE, address="1", zone="UTC")
    assert meter.read_register().request() == bytes.fromhex("01 04 00 48 00 02 F1 DD")


def test_a_refusal_says_why() -> None:
    exchange = ModbusMeter(profile=ONE, address="1").read_register()
    exchange.request()
    with pytest.raises(MeterRefused, match="no such register") as refused:
        exchange.feed(rtu_frame(unit=1, pdu=b"\x84\x02"))
    assert refused.value.number == "1"


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(rtu_frame(unit=1, pdu=b"\x03\x04\x41\x45\x70\xa4"), id="another function"),
        pytest.param(rtu_frame(unit=1, pdu=b"\x04\x02\x41\x45"), id="another length"),
        pytest.param(rtu_frame(unit=1, pdu=b"\x04\x02\x41\x45\x70\xa4"), id="a byte count that lies"),
        pytest.param(rtu_frame(unit=2, pdu=b"\x84\x02"), id="another unit's refusal"),
        pytest.param(bytes.fromhex("01 04 00 48 00 02 F1 DD"), id="our own echo"),
    ],
)
def test_what_is_not_the_answer_is_stepped_over(stranger: bytes) -> None:
    exchange = ModbusMeter(profile=ONE, address="1").read_register()
    exchange.request()
    assert exchange.feed(stranger) is None
    reply = exchange.feed(rtu_frame(unit=1, pdu=b"\x04\x04\x41\x45\x70\xa4"))
    assert reply is not None
    assert reply.total_wh == 12_340


def test_a_late_answer_over_tcp_is_told_by_its_number() -> None:
    meter = ModbusMeter(profile=THREE, address="12")
    meter.read_register().request()
    second = meter.read_register()
    second.request()

    assert second.feed(tcp_frame(transaction=1, unit=12, pdu=b"\x03\x04\0\0\0\x07")) is None
    reply = second.feed(tcp_frame(transaction=2, unit=12, pdu=b"\x03\x04\0\0\0\x08"))
    assert reply is not None
    assert reply.total_wh == 8


def test_a_relay_moves_and_is_proven_by_asking() -> None:
    sim = SimModbusMeter(profile=THREE, unit="12", register_wh=100)
    meter, say = prepaid(sim)
    sim.load_w = 1_500

    assert ask(meter.open_relay(valid_until_us=0), say) == Accepted()
    assert ask(meter.read_relay(), say) == RelayState(closed=False, ordered_closed=False)
    assert ask(meter.read_power(), say) == PowerReading(0)
    assert sim.add_energy(50) == 0

    sim.stuck = True
    assert ask(meter.close_relay(valid_until_us=0), say) == Accepted()
    assert ask(meter.read_relay(), say) == RelayState(closed=False, ordered_closed=True)


def test_three_phases_come_in_as_few_questions_as_the_registers_allow() -> None:
    sim = SimModbusMeter(profile=THREE, unit="12")
    sim.load_w = -3_000
    sim.quantities = {"neutral_current_ma": 430, "terminal_temperature_dc": 415}
    bus = SimModbusBus(meters=[sim], rtu=False)
    meter = ModbusPrepaidMeter(profile=THREE, address="12")

    told = ask(meter.read_measurements(), lambda asked: bus.answer(asked)[0])

    phase = PhaseReading(2_300, -4_350, -1_000, 1_000)
    assert told == Measurements(
        phases=(phase, phase, phase),
        neutral_current_ma=430,
        frequency_chz=5_000,
        terminal_temperature_dc=415,
        residual_current_ma=0,
    )
    assert bus.requests == 4


def test_what_a_meter_does_not_measure_is_unknown_not_zero() -> None:
    sim = SimModbusMeter(profile=THREE, unit="12")
    meter, say = prepaid(sim)
    assert ask(meter.read_measurements(), say).terminal_temperature_dc is None


@pytest.mark.parametrize("power_w", [3 * 10**38, -(1 << 31)])
def test_a_float_that_no_meter_measures_never_becomes_a_value(power_w: int) -> None:
    sim = SimModbusMeter(profile=ONE, unit="5")
    sim.quantities = {"power_w": power_w, "a.power_w": power_w}
    bus = SimModbusBus(meters=[sim], rtu=True)
    meter = open_meter(profile=ONE, address="5", zone="UTC")
    assert isinstance(meter, ReadsMeasurements)
    assert isinstance(meter, ReadsPower)
    with pytest.raises(UnreadableValue, match="which no meter measures"):
        ask(meter.read_power(), lambda asked: bus.answer(asked)[0])
    sim.quantities = {"a.current_ma": power_w}
    with pytest.raises(UnreadableValue, match="which no meter measures"):
        ask(meter.read_measurements(), lambda asked: bus.answer(asked)[0])


def test_gaps_between_registers_are_read_over_only_where_the_model_allows_it() -> None:
    sim = SimModbusMeter(profile=ONE, unit="5")
    sim.load_w = 2_300
    bus = SimModbusBus(meters=[sim], rtu=True)
    meter = open_meter(profile=ONE, address="5", zone="UTC")
    assert isinstance(meter, ReadsMeasurements)

    told = ask(meter.read_measurements(), lambda asked: bus.answer(asked)[0])
    assert told == Measurements(phases=(PhaseReading(2_300, 10_000, 2_300, 1_000),), frequency_chz=5_000)
    assert bus.requests == 1


def test_a_model_can_do_what_it_has_registers_for() -> None:
    single = open_meter(profile=ONE, address="5", zone="UTC")
    assert isinstance(single, ReadsPower)
    assert not isinstance(single, SwitchesRelay)
    assert isinstance(open_meter(profile=THREE, address="5", zone="UTC"), SwitchesRelay)


@pytest.mark.parametrize("unit", ["0", "248", "255", "-1", "x", ""])
def test_nobody_is_asked_by_broadcast(unit: str) -> None:
    with pytest.raises(BadRequest, match="1 to 247"):
        open_meter(profile=ONE, address=unit, zone="UTC")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("items]", "iitems]", "items"),
        ("energy =", "enrgy =", "energy"),
        ("function = 4, address = 72", "function = 5, address = 72", "function is 3 or 4"),
        ('type = "float32", scale = [1000, 1] }          #', 'type = "float24" } #', "type one of"),
        ("scale = [1000, 1] }          #", "scale = [1000.5, 1] } #", "whole numbers"),
        ("scale = [1000, 1] }          #", "scale = 1000 } #", "whole numbers"),
        ("address = 72,", "address = 70000,", "0 to 65535"),
        ("voltage_dv =", "voltage =", "nobody reads"),
        ("scale = [1000, 1] }          #", 'word_ordr = "low_first" } #', "word_ordr"),
        ("reads_over_gaps", "reads_over_gap", "reads_over_gap"),
    ],
)
def test_a_broken_profile_is_refused_with_the_line_to_mend(old: str, new: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        open_meter(profile=_edited(old, new), address="1", zone="UTC")


def _edited(old: str, new: str) -> MeterProfile:
    from importlib.resources import files

    text = files("fairwatt.drivers").joinpath("profiles/modbus_single_phase.toml").read_text()
    assert old in text
    return parse_profile(key="own", text=text.replace(old, new, 1))


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
def test_whatever_is_heard_nothing_but_a_driver_error_comes_out(pieces: list[bytes], rtu: bool) -> None:
    meter: ReadsRegister = open_meter(profile=ONE if rtu else THREE, address="1", zone="UTC")
    exchange = meter.read_register()
    exchange.request()
    try:
        for piece in pieces:
            exchange.feed(piece)
    except DriverError:
        pass


@settings(max_examples=200)
@given(st.binary(max_size=300), st.binary(max_size=20), st.integers(0, 260))
def test_the_answer_is_found_in_any_noise_that_is_not_itself_an_answer(
    before: bytes, after: bytes, cut: int
) -> None:
    question = Question(function=4, address=72, count=2)
    answer = b"\x41\x45\x70\xa4"
    for framing, frame in (
        (RtuFraming(1), rtu_frame(unit=1, pdu=b"\x04\x04" + answer)),
        (TcpFraming(1), tcp_frame(transaction=1, unit=1, pdu=b"\x04\x04" + answer)),
    ):
        hear = framing.listener(question, framing.request(question))
        assert hear(before + frame + after) == answer


def test_a_silent_meter_is_named_after_its_attempts() -> None:
    with pytest.raises(NoAnswer, match="supply is unchanged"):
        ask(ModbusMeter(profile=ONE, address="9").read_register(), lambda asked: b"")
