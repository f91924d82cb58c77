"""M-Bus: the standard's own telegram, exact numbers, frame counts, selection, and a second opinion on records."""

from __future__ import annotations

from fractions import Fraction

import meterbus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bench import Device, ask
from fairwatt.drivers.contract import Conditions, DriverError, MeterEventKind
from fairwatt.drivers.errors import BadRequest, NoAnswer, UnreadableValue
from fairwatt.drivers.mbus.frame import long_frame, long_telegrams, short_frame
from fairwatt.drivers.mbus.header import parse_address, read_header
from fairwatt.drivers.mbus.meter import MbusMeter
from fairwatt.drivers.mbus.records import Record, read_records
from fairwatt.drivers.profile import MeterProfile, ProfileError, load_profile, parse_profile
from fairwatt.simulate.meters.mbus import SimMbusBus, SimMbusMeter

WATER = load_profile(key="mbus_water")
HEAT = load_profile(key="mbus_heat")
HEADER = bytes.fromhex("78563412 2440 01 07 55 00 0000")
# The example of the standard: water meter 12345678 of PAD, 12565 l, at most 113 l/h, 218.37 kWh in unit 1, tariff 2.
STANDARD = bytes.fromhex(
    "68 1F 1F 68 08 02 72 78 56 34 12 24 40 01 07 55 00 00 00 03 13 15 31 00 DA 02 3B 13 01 8B 60 04 37 18 02 18 16"
)


def telegram(records: str, *, address: int = 1, header: bytes = HEADER, ci: int = 0x72) -> bytes:
    return long_frame(control=0x08, address=address, ci=ci, data=header + bytes.fromhex(records))


def answering(said: bytes) -> Device:
    return lambda asked: b"\xe5" if asked[1:2] == b"\x40" or asked[0] == 0x68 else said


def register(records: str, *, profile: MeterProfile = WATER, header: bytes = HEADER) -> int:
    meter = MbusMeter(profile=profile, address="1")
    return ask(meter.read_register(), answering(telegram(records, header=header))).total_wh


def bench(*meters: SimMbusMeter) -> Device:
    bus = SimMbusBus(meters=meters)
    return lambda asked: bus.answer(asked)[0]


def test_the_example_of_the_standard_is_read() -> None:
    header, data = read_header(long_telegrams(STANDARD)[0])
    assert (header.number, header.maker, header.medium, header.access) == ("12345678", "PAD", 7, 0x55)

    volume, flow, energy = read_records(data).records
    assert (volume.unit.quantity, volume.number(), volume.unit.unit) == ("volume", 12_565, "l")
    assert (flow.function, flow.storage, flow.number()) == ("maximum", 5, 113)
    assert (energy.tariff, energy.device, energy.number()) == (2, 1, 218_370)

    meter = MbusMeter(profile=WATER, address="2")
    assert ask(meter.read_register(), answering(STANDARD)).total_wh == 12_565


@pytest.mark.parametrize(
    ("record", "litres"),
    [
        ("04 13 15 31 00 00", 12_565),  # whole litres
        ("04 16 0C 00 00 00", 12_000),  # whole m3
        ("04 10 7F 96 98 00", 9_999),  # 9999.999 l: millilitres are rounded down
        ("0C 13 65 25 01 00", 12_565),  # eight digits
        ("0E 13 65 25 01 00 00 00", 12_565),
        ("06 13 15 31 00 00 00 00", 12_565),
        ("05 16 AE 0E 49 41", 12_566),  # float32 12.566083908081055 m3
        ("02 93 7D 0C 00", 12_000),  # an extension says: times 1000
        ("02 93 75 0C 00", 1),  # and another: times 0.1
        ("04 93 3B 15 31 00 00", 12_565),  # counted forward only
    ],
)
def test_a_volume_is_brought_to_litres_exactly(record: str, litres: int) -> None:
    assert register(record) == litres


@pytest.mark.parametrize(
    ("record", "wh"),
    [
        ("04 06 15 31 00 00", 12_565_000),
        ("04 03 15 31 00 00", 12_000),  # rounded down to the profile's whole kWh
        ("04 FB 00 2A 00 00 00", 4_200_000),  # 0.1 MWh
        ("04 0F 0A 00 00 00", 27_000),  # 100 MJ = 27777.8 Wh
        ("04 FB 08 01 00 00 00", 27_000),  # 0.1 GJ, the same heat
    ],
)
def test_heat_is_brought_to_watt_hours_exactly(record: str, wh: int) -> None:
    assert register(record, profile=HEAT) == wh


@pytest.mark.parametrize(
    "record",
    [
        pytest.param("44 13 15 31 00 00", id="last month's"),
        pytest.param("14 13 15 31 00 00", id="a maximum"),
        pytest.param("84 10 13 15 31 00 00", id="another tariff's"),
        pytest.param("84 40 13 15 31 00 00", id="another unit's"),
        pytest.param("04 93 3C 15 31 00 00", id="counted backward"),
        pytest.param("04 06 15 31 00 00", id="an energy"),
        pytest.param("0D 13 03 33 32 31", id="a text"),
        pytest.param("", id="nothing"),
    ],
)
def test_only_the_register_of_the_profile_is_charged_from(record: str) -> None:
    with pytest.raises(UnreadableValue, match="none of which"):
        register(record)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("0C 13 6A 25 01 00", "cannot hold"),  # a letter among the digits
        ("0C 13 65 25 01 F0", "cannot show"),  # negative
        ("04 13 FF FF FF FF", "cannot show"),
        ("05 16 00 00 C0 7F", "no number"),
        ("04 93 18 15 31 00 00", "marks as faulty"),
        ("04 13 15 31", "middle of a record"),
        ("84", "middle of a record"),
        ("04 FB", "middle of a record"),
        ("84 80 80 80 80 80 80 80 80 80 80 80 13 00 00 00 00", "more than ten"),
        ("0D 13 FF 00", "no version"),
        ("07 13 00 00 00 00 00 00 00 10", "cannot show"),
    ],
)
def test_a_value_that_breaks_its_coding_never_becomes_a_reading(record: str, says: str) -> None:
    with pytest.raises(UnreadableValue, match=says):
        register(record)


@pytest.mark.parametrize(
    ("header", "ci", "says"),
    [
        (HEADER[:10] + b"\x00\x05", 0x72, "encrypted"),
        (HEADER, 0x73, "structure of 1990"),
        (HEADER, 0x51, "structure that is not read"),
        (HEADER[:7], 0x72, "inside its header"),
    ],
)
def test_a_telegram_that_cannot_be_read_says_why(header: bytes, ci: int, says: str) -> None:
    said = long_frame(control=0x08, address=1, ci=ci, data=header)
    with pytest.raises(UnreadableValue, match=says):
        ask(MbusMeter(profile=WATER, address="1").read_register(), answering(said))


def test_whole_numbers_have_a_sign() -> None:
    assert [one.number() for one in read_records(bytes.fromhex("02 13 FF FF 01 13 7F")).records] == [-1, 127]


def test_a_telegram_whose_two_lengths_differ_is_none() -> None:
    assert long_telegrams(STANDARD)
    assert not long_telegrams(STANDARD[:2] + b"\x1e" + STANDARD[3:])


def test_fillers_and_a_makers_own_tail_are_stepped_over() -> None:
    assert register("2F 2F 04 13 07 00 00 00 2F 0F 01 02 03") == 7


def test_several_telegrams_are_asked_for_with_a_turning_bit() -> None:
    sim = SimMbusMeter(profile=WATER, primary=5, register=77, telegrams=3)
    asked: list[bytes] = []
    say = bench(sim)

    def recorded(request: bytes) -> bytes:
        asked.append(request)
        return say(request) if len(asked) != 3 else b""  # the second telegram is lost once

    assert ask(MbusMeter(profile=WATER, address="5").read_register(), recorded).total_wh == 77
    assert [one[1] for one in asked] == [0x40, 0x7B, 0x5B, 0x5B, 0x7B]


def test_a_meter_that_never_ends_is_refused() -> None:
    with pytest.raises(UnreadableValue, match="beyond 16"):
        register("04 13 07 00 00 00 1F")


def test_a_meter_is_called_by_the_number_on_it() -> None:
    one = SimMbusMeter(profile=WATER, number="11112222", register=1)
    two = SimMbusMeter(profile=WATER, number="11112223", register=2)
    meter = MbusMeter(profile=WATER, address="11112223")
    assert ask(meter.read_register(), bench(one, two)).total_wh == 2
    assert (one.selected, two.selected) == (False, True)


def test_maker_and_medium_tell_meters_of_one_number_apart() -> None:
    water = SimMbusMeter(profile=WATER, number="11112222", register=1_000)
    heat = SimMbusMeter(profile=HEAT, number="11112222", register=2_000)
    meter = MbusMeter(profile=HEAT, address="11112222DD5EFF04")
    assert ask(meter.read_register(), bench(water, heat)).total_wh == 2_000
    with pytest.raises(NoAnswer):
        ask(MbusMeter(profile=WATER, address="11112222DD5EFF16").read_register(), bench(water, heat))


@pytest.mark.parametrize(
    "address",
    ["251", "253", "254", "1234567", "1234567F", "123456789", "12345678GG5EFF04", "12345678DD 5E 04", ""],
)
def test_only_one_meter_can_be_called(address: str) -> None:
    with pytest.raises(BadRequest, match="not an M-Bus address"):
        parse_address(address)


def test_the_status_byte_says_what_is_wrong() -> None:
    sim = SimMbusMeter(profile=WATER, primary=1)
    meter, say = MbusMeter(profile=WATER, address="1"), bench(sim)
    assert ask(meter.read_conditions(), say) == Conditions(frozenset())

    sim.status = 0x04 | 0x08 | 0x20
    wrong = {MeterEventKind.LOW_BATTERY, MeterEventKind.METER_FAULT, MeterEventKind.LEAK}
    assert ask(meter.read_conditions(), say) == Conditions(frozenset(wrong))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[record]\nstorage = -1", "whole numbers"),
        ("[record]\nstorge = 0", "whole numbers"),
        ('[record]\nfunction = "now"', "instantaneous"),
        ("[status]\nleek = 0x20", "low_battery"),
        ("[status]\nleak = 0x120", "one byte"),
    ],
)
def test_a_broken_profile_is_refused_with_the_line_to_mend(table: str, says: str) -> None:
    text = f"""
title = "own"
protocol = "mbus"
medium = "water"
[register]
resolution_l = 1
modulus_l = 1000
max_flow_lph = 10
{table}
"""
    with pytest.raises(ProfileError, match=says):
        MbusMeter(profile=parse_profile(key="own", text=text), address="1")


# A second opinion: `pymeterbus` reads the same records. Its values are floats widened to decimals, and it reads
# letters among digits as numbers; so they are compared where both hold, at the scale of the VIF.
SAMPLES = {
    "volume, energy, flow, temperatures": "0C 06 27 04 85 02 0C 13 76 34 70 48 3B 3B 12 34 56 0A 5A 77 06 0A 5E 43 05",
    "power, voltage, current": "0B 2B 31 09 01 02 FD 48 FC 08 04 FD 58 31 00 00 00",
    "past and other tariffs": "4C 13 19 54 44 65 8C 10 06 99 85 13 00 84 40 13 10 00 00 00",
    "big units": "04 FB 00 2A 00 00 00 04 FB 10 02 00 00 00",
    "durations and pressure": "02 20 E0 01 02 24 2C 00 02 6A 10 27",
}


def peers(records: str) -> list[Fraction]:
    told = meterbus.load(telegram(records)).records
    return [Fraction(str(record.value)) * (1000 if record.unit in ("m^3", "m^3/h") else 1) for record in told]


@pytest.mark.parametrize("records", SAMPLES.values(), ids=SAMPLES)
def test_an_independent_reader_says_the_same_of_the_same_records(records: str) -> None:
    ours = read_records(bytes.fromhex(records)).records
    theirs = peers(records)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.number() == _rounded(other, mine), mine.unit


def _rounded(value: Fraction, record: Record) -> Fraction:
    return round(value / record.unit.scale) * record.unit.scale


def test_the_independent_reader_accepts_our_meters_telegrams() -> None:
    sim = SimMbusMeter(profile=WATER, primary=3, register=12_565)
    say = bench(sim)
    say(short_frame(control=0x40, address=3))
    told = meterbus.load(say(short_frame(control=0x7B, address=3)))
    assert told.secondary_address == "12345678DD5E0107"
    assert round(float(told.records[1].value), 3) == 12.565


def test_why_values_are_not_left_to_the_library() -> None:
    """It reads 3AH as "40": a broken digit would have been charged. We refuse it."""
    records = "0C 13 3A 25 01 00"
    assert [round(value) for value in peers(records)] == [12_540]
    with pytest.raises(UnreadableValue):
        read_records(bytes.fromhex(records)).records[0].number()


@settings(max_examples=400)
@given(st.binary(max_size=60), st.booleans())
def test_whatever_a_telegram_holds_nothing_but_a_driver_error_comes_out(data: bytes, whole: bool) -> None:
    said = long_frame(control=0x08, address=1, ci=0x72, data=HEADER + data) if whole else data
    exchange = MbusMeter(profile=WATER, address="1").read_records()
    exchange.request()
    exchange.feed(b"\xe5")
    exchange.request()
    try:
        told = exchange.feed(said)
        for record in told[1] if isinstance(told, tuple) else ():
            record.text()
            record.number()
    except DriverError:
        pass
