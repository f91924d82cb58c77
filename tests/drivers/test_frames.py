"""Captured and worked frames of DL/T 645, byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from fairwatt.drivers.dlt645 import BadRequest, Item, broadcast_time, relay
from fairwatt.drivers.dlt645.codec import ControlOrder, Order
from fairwatt.drivers.dlt645.frame import address_matches, build_frame, wire_address
from fairwatt.drivers.dlt645.stream import FrameStream

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "dlt645_frames.json").read_text(encoding="utf-8")
)
BY_NAME = {vector["name"]: vector for vector in VECTORS}
NEW_YEAR_2027_SHANGHAI_US = 1_798_732_800_000_000


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_a_known_frame_opens_to_its_fields(vector: dict[str, Any]) -> None:
    (frame,) = FrameStream().feed(bytes.fromhex(vector["hex"]))

    assert frame.number == vector["address"].upper()
    assert frame.control == int(vector["control"], 16)
    assert len(frame.data) == vector["length"]
    assert frame.data == bytes.fromhex(vector["data_plain"])
    assert frame.is_1997 == vector["name"].startswith("1997")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_the_same_fields_close_to_the_known_frame(vector: dict[str, Any]) -> None:
    made = build_frame(
        address=wire_address(number=vector["address"]),
        control=int(vector["control"], 16),
        data=bytes.fromhex(vector["data_plain"]),
        preamble=vector["preamble"],
    )

    assert made.hex() == vector["hex"].lower()


@pytest.mark.parametrize("vector", [v for v in VECTORS if "value" in v], ids=lambda v: v["name"])
def test_a_captured_register_value_is_read_in_ten_watt_hour_steps(vector: dict[str, Any]) -> None:
    (frame,) = FrameStream().feed(bytes.fromhex(vector["hex"]))
    item = Item("energy", int(vector["di"], 16), 4, times=10)

    assert frame.data[:4] == item.wire
    assert item.decode(frame.data[4:]) == round(vector["value"] * 1000)


@pytest.mark.parametrize(
    ("name", "is_open"),
    [
        ("relay trip 1A, PA=02 pwd 123456, operator 00000001, valid until 2026-12-31 23:59:59", True),
        ("relay direct close 1C same", False),
    ],
)
def test_a_relay_order_is_the_known_frame(name: str, is_open: bool) -> None:
    exchange = relay(
        address="202611210001",
        open=is_open,
        valid_until_us=NEW_YEAR_2027_SHANGHAI_US - 1,  # the last second that still ends before midnight
        zone="Asia/Shanghai",
        password="02123456",
        operator="00000001",
    )

    assert exchange.request().hex() == "fefefefe" + BY_NAME[name]["hex"]


def test_a_public_trip_frame_is_understood_as_the_meter_understands_it() -> None:
    vector = next(v for v in VECTORS if v["name"].startswith("relay TRIP"))
    order = ControlOrder.decode(bytes.fromhex(vector["data_plain"]), zone="Asia/Shanghai")

    assert order.order == Order.TRIP
    assert (order.password, order.operator) == ("00000000", "00000000")
    assert order.valid_until_us == 1_526_110_884_000_000  # 2018-05-12 15:41:24 +08:00


def test_a_clock_broadcast_goes_to_everyone_seconds_first() -> None:
    frame = broadcast_time(at_us=1_526_110_884_999_999, zone="Asia/Shanghai")

    (heard,) = FrameStream().feed(frame)
    assert heard.number == "9" * 12
    assert (heard.control, heard.data.hex()) == (0x08, "244115120518")


@pytest.mark.parametrize("number", ["", "161", "000000000161"])
def test_a_short_meter_number_is_padded_with_zeros(number: str) -> None:
    assert wire_address(number=number)[::-1].hex() == number.zfill(12)


@pytest.mark.parametrize("number", ["0000000001610", "12G4", "-1", "1.5", "0A", "١٢", "A12345678901"])
def test_a_number_that_is_no_address_is_refused(number: str) -> None:
    with pytest.raises(BadRequest):
        wire_address(number=number)


def test_a_wildcard_byte_stands_for_any_byte_and_nothing_else_does() -> None:
    meter = wire_address(number="202611210001")

    assert address_matches(pattern=wire_address(number="AAAAAAAA0001"), address=meter)
    assert not address_matches(pattern=wire_address(number="AAAAAAAA0002"), address=meter)
    assert not address_matches(pattern=wire_address(number="202611210002"), address=meter)


@pytest.mark.parametrize(
    ("control", "size", "fits"), [(0x14, 50, True), (0x14, 51, False), (0x91, 200, True), (0x91, 201, False)]
)
def test_frames_keep_the_lengths_of_the_standard(control: int, size: int, fits: bool) -> None:
    if fits:
        assert len(build_frame(address=bytes(6), control=control, data=bytes(size))) == size + 12
    else:
        with pytest.raises(BadRequest):
            build_frame(address=bytes(6), control=control, data=bytes(size))
