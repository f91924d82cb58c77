"""Meters that speak MQTT themselves: two forms of one message, and orders for those that sleep."""

from __future__ import annotations

import zlib
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.drivers.contract import (
    DriverError,
    MeterClock,
    MeterEventKind,
    PowerReading,
    RegisterReading,
    RelayState,
    TakesOrders,
)
from fairwatt.drivers.errors import BadRequest, NotAMessage, UnreadableValue
from fairwatt.drivers.mailbox import Mailbox, Outcome, WaitingOrder
from fairwatt.drivers.mqttmeter import message as wire
from fairwatt.drivers.mqttmeter.meter import MqttRelayMeter
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_listener
from fairwatt.simulate.meters.mqttmeter import SimMqttMeter

ELECTRICITY = load_profile(key="mqtt_electricity")
GAS = load_profile(key="mqtt_gas")
NOW_US = 1_785_542_400_000_000
HOUR_US = 3_600_000_000

# The examples of docs/protocol/mqtt-meter.md, byte for byte.
JSON_UP = (
    b'{"v":1,"meter":"G-0017","seq":41,"clock":1785542400,"register":12340,"relay":"closed","ordered":"closed",'
    b'"conditions":["low_battery"],"awake":10,"check":"%08x"}'
)


def meter(profile: Any = GAS, name: str = "G-0017") -> MqttRelayMeter:
    listener = open_listener(profile=profile, address=name)
    assert isinstance(listener, MqttRelayMeter)
    return listener


def checked(body: bytes) -> bytes:
    return body + zlib.crc32(body).to_bytes(4)


def test_the_published_json_message_is_read() -> None:
    body = JSON_UP[: JSON_UP.index(b',"check"')]
    told = meter().hear(JSON_UP % zlib.crc32(body))
    assert told.key == "mqtt:G-0017:41:1785542400"
    assert told.reading == RegisterReading(12_340, register="V+")
    assert told.relay == RelayState(closed=True, ordered_closed=True)
    assert told.clock == MeterClock(NOW_US)
    assert told.conditions == {MeterEventKind.LOW_BATTERY}
    assert (told.at_us, told.power, told.order, told.reachable) == (NOW_US, None, None, True)


def test_the_published_cbor_message_is_read() -> None:
    body = bytes.fromhex(
        "a8000101 66452d30303137 02182903 1a6a6d370004 19303405 010601 07 390101".replace(" ", "")
    )
    told = meter(ELECTRICITY, "E-0017").hear(checked(body))
    assert told.reading == RegisterReading(12_340)
    assert told.power == PowerReading(-258)
    assert (told.sequence, told.at_us) == (41, NOW_US)


def test_both_forms_say_the_same() -> None:
    sim = SimMqttMeter(profile=ELECTRICITY, meter="E-0017", register=500)
    sim.load_w, sim.conditions = 1_200, ["overload"]
    one = meter(ELECTRICITY, "E-0017").hear(sim.wake(now_us=NOW_US))
    sim.as_json, sim._seq = True, 0
    other = meter(ELECTRICITY, "E-0017").hear(sim.wake(now_us=NOW_US))
    assert one == other
    assert one.power == PowerReading(1_200)


@pytest.mark.parametrize("profile", [GAS, ELECTRICITY], ids=["json", "cbor"])
def test_a_turned_bit_anywhere_is_refused(profile: Any) -> None:
    said = SimMqttMeter(profile=profile, meter="G-0017", register=12_340).wake(now_us=NOW_US)
    for at in range(len(said)):
        with pytest.raises(NotAMessage):
            meter(profile).hear(said[:at] + bytes([said[at] ^ 1]) + said[at + 1 :])


def test_an_order_is_worded_in_the_form_the_meter_speaks() -> None:
    listener = meter()
    assert wire.is_json(listener.order_relay(closed=True, order_id="c-1", valid_until_us=NOW_US))
    listener.hear(SimMqttMeter(profile=ELECTRICITY, meter="G-0017").wake(now_us=NOW_US))
    order = listener.order_relay(closed=False, order_id="c-1", valid_until_us=NOW_US)
    assert not wire.is_json(order)
    assert wire.read(order) == {
        "v": 1,
        "meter": "G-0017",
        "relay": 0,
        "order": "c-1",
        "until": NOW_US // 1_000_000,
    }


def story(
    sim: SimMqttMeter, *, hours: int, order: WaitingOrder, lost: frozenset[int] = frozenset()
) -> list[Any]:
    """A meter wakes each hour, an order waits for it; say how each wake ended. ``lost`` sends are not heard."""
    listener, box, ends, sends = meter(), Mailbox().put(order=order, reachable=False).mailbox, [], 0
    for hour in range(hours):
        now_us = NOW_US + hour * HOUR_US
        said: bytes | None = sim.wake(now_us=now_us)
        ended = None
        while said is not None:
            step = box.hear(heard=listener.hear(said), now_us=now_us)
            box, said, ended = step.mailbox, None, step.ended
            if step.send is not None:
                sends += 1
                message = listener.order_relay(
                    closed=step.send.closed,
                    order_id=step.send.order_id,
                    valid_until_us=step.send.valid_until_us,
                )
                said = None if sends in lost else sim.hear(message, now_us=now_us)
        ends.append(ended)
    return [*ends, sends]


def gas() -> SimMqttMeter:
    return SimMqttMeter(profile=GAS, meter="G-0017", sleeps=True)


def shut(*, hours: int = 24) -> WaitingOrder:
    return WaitingOrder("17", closed=False, decided_us=NOW_US, valid_until_us=NOW_US + hours * HOUR_US)


def test_an_order_waits_for_the_wake_and_is_proven_by_what_the_meter_then_shows() -> None:
    sim = gas()
    order = meter().order_relay(closed=False, order_id="17", valid_until_us=NOW_US + HOUR_US)
    assert sim.hear(order, now_us=NOW_US) is None  # asleep
    assert story(sim, hours=2, order=shut()) == [("17", Outcome.PROVEN), None, 1]
    assert not sim.closed


def test_a_lost_order_is_said_again_at_the_next_wake() -> None:
    sim = gas()
    assert story(sim, hours=3, order=shut(), lost=frozenset({1, 2})) == [
        None,
        None,
        ("17", Outcome.PROVEN),
        3,
    ]


def test_an_acknowledged_order_that_moved_nothing_is_not_done() -> None:
    sim = gas()
    sim.stuck = True
    ends = story(sim, hours=1, order=shut(hours=0))
    assert ends == [("17", Outcome.EXPIRED), 0]
    box = Mailbox().put(order=shut(), reachable=False).mailbox
    sim.order, sim.ordered = "17", False
    step = box.hear(heard=meter().hear(sim.wake(now_us=NOW_US)), now_us=NOW_US)
    assert step.ended is None
    assert step.send is not None


def test_a_message_from_before_the_order_proves_nothing() -> None:
    sim = gas()
    sim.closed = False
    early = meter().hear(sim.wake(now_us=NOW_US - HOUR_US))
    box = Mailbox().put(order=shut(), reachable=False).mailbox
    assert box.hear(heard=early, now_us=NOW_US).ended is None


def test_a_newer_order_supersedes_an_older_one_and_the_same_twice_is_once() -> None:
    first = Mailbox().put(order=shut(), reachable=False)
    assert first.mailbox.put(order=shut(), reachable=True) == type(first)(first.mailbox)

    newer = WaitingOrder("18", closed=True, decided_us=NOW_US + 1, valid_until_us=NOW_US + HOUR_US)
    second = first.mailbox.put(order=newer, reachable=True)
    assert second.ended == ("17", Outcome.SUPERSEDED)
    assert second.send is not None
    assert second.send.sent == 1


def test_an_order_lapses_also_when_nothing_is_heard() -> None:
    box = Mailbox().put(order=shut(hours=1), reachable=False).mailbox
    assert box.lapse(now_us=NOW_US).ended is None
    assert box.lapse(now_us=NOW_US + HOUR_US).ended == ("17", Outcome.EXPIRED)
    assert Mailbox().lapse(now_us=NOW_US).ended is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"v": 2}, "version"),
        ({"v": None}, "version"),
        ({"meter": "a/b"}, "meter"),
        ({"meter": 17}, "meter"),
        ({"meter": "G-0018"}, "of meter G-0018"),
        ({"seq": -1}, "seq"),
        ({"seq": True}, "seq"),
        ({"clock": 1 << 32}, "clock"),
        ({"clock": 1.5}, "clock"),
        ({"register": "7"}, "register"),
        ({"register": -7}, "register"),
        ({"relay": "ajar"}, "relay"),
        ({"relay": True}, "relay"),
        ({"ordered": []}, "relay"),
        ({"power": 1 << 31}, "power"),
        ({"conditions": ["bored"]}, "condition"),
        ({"conditions": {"leak": 1}}, "list"),
        ({"order": 7}, "order"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_message_that_breaks_its_form_is_refused(fields: dict[str, Any], says: str, as_json: bool) -> None:
    good = {"v": 1, "meter": "G-0017", "seq": 1, "register": 5, "relay": "open" if as_json else 0}
    assert meter().hear(wire.write(good, as_json=as_json)).reading == RegisterReading(5, register="V+")
    with pytest.raises(NotAMessage, match=says):
        meter().hear(wire.write(good | fields, as_json=as_json))


def test_a_message_needs_its_number_and_only_known_fields() -> None:
    with pytest.raises(NotAMessage, match="seq is missing"):
        meter().hear(wire.write({"v": 1, "meter": "G-0017"}, as_json=True))
    with pytest.raises(NotAMessage, match="nobody knows"):
        meter().hear(checked(cbor2.dumps({0: 1, 1: "G-0017", 2: 1, 99: 1}, canonical=True)))
    with pytest.raises(NotAMessage, match="deterministic"):
        meter().hear(checked(bytes.fromhex("bf000101 66472d30303137 0201ff".replace(" ", ""))))
    with pytest.raises(NotAMessage, match="bytes"):
        meter().hear(b"")
    with pytest.raises(UnreadableValue, match="cannot show"):
        meter().hear(wire.write({"v": 1, "meter": "G-0017", "seq": 1, "register": 10**9}, as_json=True))


def test_an_order_must_fit_its_message() -> None:
    assert isinstance(meter(), TakesOrders)
    with pytest.raises(BadRequest, match="no id"):
        meter().order_relay(closed=True, order_id="a b", valid_until_us=NOW_US)
    with pytest.raises(BadRequest, match="valid until"):
        meter().order_relay(closed=True, order_id="1", valid_until_us=-1)
    with pytest.raises(BadRequest, match="no id"):
        wire.up_topic(meter="a/b")
    assert (wire.up_topic(meter="G-1"), wire.down_topic(meter="G-1")) == ("fm/v1/G-1/up", "fm/v1/G-1/down")


@settings(max_examples=300)
@given(st.binary(max_size=80), st.integers(0, 3), st.integers(0, 60), st.integers(0, 255))
def test_whatever_is_said_nothing_but_a_driver_error_comes_out(
    data: bytes, kind: int, at: int, byte: int
) -> None:
    sim = SimMqttMeter(profile=GAS, meter="G-0017")
    sim.as_json = kind == 1
    whole = sim.wake(now_us=NOW_US)[:-4]
    bent = whole[:at] + bytes([byte]) + whole[at + 1 :]
    for message in (data, checked(data), checked(bent), bent):
        try:
            meter().hear(message)
        except DriverError:
            pass
