"""LoRaWAN behind ChirpStack: a real event read, payloads by table, valve orders and when they arrive."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.drivers.contract import (
    DriverError,
    Heard,
    MeterEventKind,
    RegisterReading,
    RelayState,
    TakesOrders,
)
from fairwatt.drivers.errors import BadRequest, NotAMessage, UnreadableValue
from fairwatt.drivers.lorawan.chirpstack import downlink_topic, read_downlink, read_uplink, uplink_topic
from fairwatt.drivers.lorawan.meter import BytesMeter, LorawanMeter, ValveMeter, order_bytes
from fairwatt.drivers.lorawan.payload import crc8
from fairwatt.drivers.mailbox import Mailbox, Outcome, WaitingOrder
from fairwatt.drivers.profile import MeterProfile, ProfileError, load_profile, parse_profile
from fairwatt.drivers.registry import open_listener
from fairwatt.simulate.meters.lorawan import SimLorawanMeter

EXAMPLE = (Path(__file__).parents[1] / "data" / "chirpstack_uplink_example.json").read_bytes()
WATER = load_profile(key="lorawan_water")
OBJECT = load_profile(key="lorawan_object_water")
EUI = "0101010101010101"
NOW_US = 1_785_542_400_000_000
HOUR_US = 3_600_000_000
TEXT = """
title = "Another maker's twelve bytes"
protocol = "chirpstack"
medium = "gas"
[register]
resolution_l = 10
modulus_l = 10_000_000
max_flow_lph = 6_000
[uplink]
port = 2
size = 12
register = { at = 4, bytes = 3, order = "high_first", scale = [10, 1] }
open = { at = 7, mask = 0x80, value = 0x80 }
shut = { at = 7, mask = 0x80, value = 0x00 }
conditions = { low_battery = { at = 7, mask = 0x01 } }
[downlink]
port = 2
open = "0101"
shut = "0100"
"""


def valve(profile: MeterProfile = WATER) -> ValveMeter:
    meter = open_listener(profile=profile, address=EUI)
    assert isinstance(meter, ValveMeter)
    return meter


def event(**changed: Any) -> bytes:
    return json.dumps({**json.loads(EXAMPLE), **changed}).encode()


def payload(data: bytes, *, port: int = 10) -> bytes:
    return event(fPort=port, data=base64.b64encode(data).decode())


def test_the_example_of_the_network_server_is_read_to_the_litre() -> None:
    told = open_listener(profile=OBJECT, address=EUI).hear(EXAMPLE)
    assert told == Heard(
        key=f"lora:{EUI}:3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        device=EUI,
        sequence=4,
        at_us=1_784_367_255_775_023,
        reading=RegisterReading(12_565, register="V+"),
    )
    uplink = read_uplink(EXAMPLE)
    assert (uplink.data, uplink.device_class, uplink.listens) == (b"\xaa", "CLASS_A", False)
    assert downlink_topic(application="17c82e96", dev_eui=EUI).endswith(f"device/{EUI}/command/down")
    assert uplink_topic(application="17c82e96") == "application/17c82e96/device/+/event/up"


def test_our_form_is_read_byte_for_byte() -> None:
    body = bytes.fromhex("01 15310000 0D 0E 0102")  # 12565 l, shut and told to, leak, 14 %, order 513
    told = valve().hear(payload(body + bytes([crc8(body)])))
    assert told.reading == RegisterReading(12_565, register="V+")
    assert told.relay == RelayState(closed=False, ordered_closed=False)
    assert told.conditions == {MeterEventKind.LEAK, MeterEventKind.LOW_BATTERY}
    assert told.order == "513"
    assert crc8(b"123456789") == 0xF4


def test_a_moving_or_broken_valve_has_no_state() -> None:
    body = bytes.fromhex("01 15310000 03 FF 0000")
    told = valve().hear(payload(body + bytes([crc8(body)])))
    assert told.relay is None
    assert told.conditions == {MeterEventKind.VALVE_FAULT}


def test_an_uplink_that_says_nothing_of_the_register_is_still_a_sign_of_life() -> None:
    for message in (payload(b"\x01", port=3), event(data="", fPort=10), event(object=None)):
        told = open_listener(profile=WATER, address=EUI).hear(message)
        assert (told.reading, told.sequence) == (None, 4)


def test_another_makers_bytes_are_a_table() -> None:
    own = parse_profile(key="own", text=TEXT)
    meter = ValveMeter(profile=own, address=EUI)
    told = meter.hear(payload(bytes.fromhex("00000000 0004D2 81 00000000"), port=2))
    assert told.reading == RegisterReading(12_340, register="V+")
    assert told.relay == RelayState(closed=True, ordered_closed=True)
    assert told.conditions == {MeterEventKind.LOW_BATTERY}
    order = meter.order_relay(closed=False, order_id="7", valid_until_us=NOW_US)
    assert read_downlink(order) == (EUI, 2, b"\x01\x00")


def test_an_order_is_nine_bytes_that_lapse() -> None:
    order = valve().order_relay(closed=False, order_id="66049", valid_until_us=NOW_US)
    tree = json.loads(order)
    assert (tree["devEui"], tree["fPort"], tree["id"]) == (EUI, 10, "66049")
    assert tree["expiresAt"] == "2026-08-01T00:00:00+00:00"
    assert (
        base64.b64decode(tree["data"]).hex()
        == "8199010200376d6a" + f"{crc8(bytes.fromhex('8199010200376d6a')):02x}"
    )


@pytest.mark.parametrize("device_class", ["CLASS_B", "CLASS_C"])
def test_a_device_that_listens_obeys_at_once(device_class: str) -> None:
    sim = SimLorawanMeter(profile=WATER, dev_eui=EUI, device_class=device_class)
    meter = valve()
    assert meter.hear(sim.uplink(now_us=NOW_US)).reachable
    sim.downlink(
        meter.order_relay(closed=False, order_id="1", valid_until_us=NOW_US + HOUR_US), now_us=NOW_US
    )
    assert sim.add(100) == 0
    told = meter.hear(sim.uplink(now_us=NOW_US + 1))
    assert (told.relay, told.order) == (RelayState(closed=False, ordered_closed=False), "1")


def test_a_device_of_class_a_obeys_after_its_next_uplink_and_shows_it_in_the_one_after() -> None:
    sim = SimLorawanMeter(profile=WATER, dev_eui=EUI)
    meter, box = valve(), Mailbox()
    order = WaitingOrder("9", closed=False, decided_us=NOW_US, valid_until_us=NOW_US + 4 * HOUR_US)
    box = box.put(order=order, reachable=False).mailbox

    positions = []
    for hour in range(1, 4):
        now_us = NOW_US + hour * HOUR_US
        step = box.hear(heard=meter.hear(sim.uplink(now_us=now_us)), now_us=now_us)
        box = step.mailbox
        if step.send is not None:
            message = meter.order_relay(
                closed=step.send.closed, order_id=step.send.order_id, valid_until_us=step.send.valid_until_us
            )
            sim.downlink(message, now_us=now_us)
        positions.append((sim.valve_open, step.ended))
    assert positions == [(True, None), (False, None), (False, ("9", Outcome.PROVEN))]


def test_a_lapsed_order_is_obeyed_by_nobody() -> None:
    sim = SimLorawanMeter(profile=WATER, dev_eui=EUI, device_class="CLASS_C")
    late = valve().order_relay(closed=False, order_id="1", valid_until_us=NOW_US)
    sim.downlink(late, now_us=NOW_US + HOUR_US)
    assert sim.valve_open


def test_a_model_without_a_valve_takes_no_orders() -> None:
    assert not isinstance(open_listener(profile=OBJECT, address=EUI), TakesOrders)
    assert isinstance(valve(), TakesOrders)


@pytest.mark.parametrize("order_id", ["", "x1", "-1", "٣"])
def test_an_order_of_our_form_has_a_number(order_id: str) -> None:
    with pytest.raises(BadRequest, match="digits"):
        order_bytes(opened=True, order_id=order_id, valid_until_us=NOW_US)
    with pytest.raises(BadRequest, match="valid until"):
        order_bytes(opened=True, order_id="1", valid_until_us=-1)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"deduplicationId": ""}, "deduplicationId"),
        ({"deviceInfo": None}, "deviceInfo"),
        ({"deviceInfo": {"devEui": "01010101"}}, "devEui"),
        ({"deviceInfo": {"devEui": "0101010101010102"}}, "of device"),
        ({"time": "2026-07-18T09:34:15"}, "time"),
        ({"time": "soon"}, "time"),
        ({"time": 5}, "time"),
        ({"fCnt": -1}, "fCnt"),
        ({"fCnt": True}, "fCnt"),
        ({"fPort": 300}, "fPort"),
        ({"data": "q"}, "data"),
        ({"object": []}, "object"),
    ],
)
def test_what_is_not_an_uplink_of_this_device_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(NotAMessage, match=says):
        valve().hear(event(**changed))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[]", "no object"),
        (b"\xff", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": 1e999999999}', "more than 40 digits"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "more than 40 digits"),
        (b" " * 70_000, "longer than"),
    ],
)
def test_json_that_would_hurt_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(NotAMessage, match=says):
        read_uplink(text)


@pytest.mark.parametrize("volume", ["12.5", None, True, -1, 1e9, [1]])
def test_a_register_of_the_networks_codec_that_is_no_register_is_refused(volume: Any) -> None:
    with pytest.raises(UnreadableValue):
        open_listener(profile=OBJECT, address=EUI).hear(event(object={"volume": volume}))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("port = 2\nsize", "port = 0\nsize", "not whole"),
        ("size = 12", "size = 6", "beyond its size"),
        ("at = 4", "at = -4", "not whole"),
        ("scale = [10, 1]", "scale = [10]", "not whole"),
        ("low_battery", "low_batery", "not whole"),
        ('"0101"', '"01"0', "TOML"),
        ('"0101"', '"0g"', "hexadecimal"),
        ('open = "0101"\n', "", "open and shut"),
        ('order = "high_first"', 'order = "big"', "not whole"),
    ],
)
def test_a_broken_profile_is_refused_with_the_line_to_mend(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(ProfileError, match=says):
        ValveMeter(profile=parse_profile(key="own", text=TEXT.replace(old, new, 1)), address=EUI)


def test_an_address_is_an_eui() -> None:
    with pytest.raises(BadRequest, match="EUI"):
        BytesMeter(profile=WATER, address="W-0001")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(json.loads(EXAMPLE))), json_values, st.binary(max_size=12))
def test_whatever_an_event_holds_nothing_but_a_driver_error_comes_out(
    name: str, value: Any, data: bytes
) -> None:
    listeners: list[LorawanMeter] = [
        valve(),
        ValveMeter(profile=parse_profile(key="own", text=TEXT), address=EUI),
    ]
    messages = [event(**{name: value}), payload(data), payload(data, port=2), data]
    for listener in [*listeners, open_listener(profile=OBJECT, address=EUI)]:
        for message in messages:
            try:
                listener.hear(message)
            except DriverError:
                pass
