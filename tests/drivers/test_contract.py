"""What every protocol owes: the same seven trials for each meter model, over its own simulated device.

`MODELS` is closed: a protocol or a profile that is not tried here fails the first test.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drivers.bench import Device, ask, one_by_one
from fairwatt.drivers.contract import DriverError, ReadsRegister
from fairwatt.drivers.dlt645.stream import FrameStream
from fairwatt.drivers.modbus.frame import crc16
from fairwatt.drivers.profile import load_profile, profile_keys
from fairwatt.drivers.registry import LISTENERS, PROTOCOLS, open_listener, open_meter
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.simulate.meters.cjt188 import SimCjt188Bus, SimCjt188Meter
from fairwatt.simulate.meters.lorawan import SimLorawanMeter
from fairwatt.simulate.meters.mbus import SimMbusBus, SimMbusMeter
from fairwatt.simulate.meters.modbus import SimModbusBus, SimModbusMeter
from fairwatt.simulate.meters.mqttmeter import SimMqttMeter
from fairwatt.simulate.meters.pulse import SimPulseCounter

NOW_US = 1_785_542_400_000_000


def dlt645(profile: str, address: str, register: int) -> Device:
    settings = load_profile(key=profile)
    meter = SimMeter(
        number=address,
        register_wh=register,
        resolution_wh=settings.resolution_wh,
        modulus_wh=settings.modulus_wh,
    )
    bus = Dlt645Bus(meters=[meter], now=lambda: NOW_US)

    def say(asked: bytes) -> bytes:
        heard = [bus.answer(frame=frame) for frame in FrameStream().feed(asked)]
        return b"".join(said for answers in heard for said, _ in answers)

    return say


def modbus(profile: str, address: str, register: int) -> Device:
    settings = load_profile(key=profile)
    meter = SimModbusMeter(profile=settings, unit=address, register_wh=register)
    bus = SimModbusBus(meters=[meter], rtu=settings.protocol == "modbus-rtu")
    return lambda asked: bus.answer(asked)[0]


def cjt188(profile: str, address: str, register: int) -> Device:
    meter = SimCjt188Meter(profile=load_profile(key=profile), number=address, register=register)
    bus = SimCjt188Bus(meters=[meter], now=lambda: NOW_US)
    return lambda asked: bus.answer(asked)[0]


def mbus(profile: str, address: str, register: int) -> Device:
    meter = SimMbusMeter(
        profile=load_profile(key=profile), primary=int(address), register=register, telegrams=3
    )
    bus = SimMbusBus(meters=[meter])
    return lambda asked: bus.answer(asked)[0]


def mbus_by_number(profile: str, address: str, register: int) -> Device:
    meter = SimMbusMeter(profile=load_profile(key=profile), number=address, register=register)
    bus = SimMbusBus(meters=[meter])
    return lambda asked: bus.answer(asked)[0]


def pulse(profile: str, address: str, register: int) -> Device:
    unit, _, channel = address.partition("/")
    module = SimPulseCounter(profile=load_profile(key=profile), unit=unit)
    module.add(channel=int(channel), amount=register)
    return lambda asked: module.answer(asked)[0]


def sum_off(said: bytes) -> bytes:
    if len(said) == 1:  # M-Bus says "heard" in one byte
        return bytes([said[0] ^ 0x5A])
    return said[:-2] + bytes([said[-2] ^ 0x5A]) + said[-1:]


def crc_off(said: bytes) -> bytes:
    return said[:-1] + bytes([said[-1] ^ 0x5A])


def another_transaction(said: bytes) -> bytes:
    return bytes([said[0] ^ 0x5A]) + said[1:]


@dataclass(frozen=True, slots=True)
class Model:
    """A meter model on the bench: two addresses, its device, a wrong checksum, and what noise looks like."""

    device: Callable[[str, str, int], Device]
    address: str
    neighbour: str
    spoil: Callable[[bytes], bytes]
    noise: bytes


MODELS = {
    **{
        key: Model(dlt645, "202611210001", "202611210002", sum_off, b"\xfe\x68\x00\x68\x16")
        for key in ("dlt645_single_phase", "dlt645_three_phase", "dlt645_vendor_prepaid")
    },
    "cjt188_water": Model(cjt188, "78330011223344", "78330011223345", sum_off, b"\xfe\x68\x10\x44\x16"),
    "cjt188_heat": Model(cjt188, "78330011223344", "78330011223345", sum_off, b"\xfe\x68\x20\x44\x16"),
    "mbus_water": Model(mbus, "7", "8", sum_off, b"\x68\x03\x68\x68\x10\x16"),
    "mbus_heat": Model(mbus, "7", "8", sum_off, b"\x68\x03\x68\x68\x10\x16"),
    "mbus_gas": Model(mbus_by_number, "12345678", "12345679", sum_off, b"\x68\x03\x68\x68\x10\x16"),
    "pulse_water": Model(pulse, "12/3", "13/3", crc_off, b"\x0c\x04\x04\x0c\x84\x00"),
    "modbus_single_phase": Model(modbus, "12", "13", crc_off, b"\x0c\x04\x04\x0c\x84\x00"),
    "modbus_three_phase_ct": Model(modbus, "12", "13", another_transaction, b"\x00\x01\x00\x00\x00\x07\x0c"),
    "modbus_three_phase": Model(modbus, "12", "13", another_transaction, b"\x00\x01\x00\x00\x00\x07\x0c"),
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model that speaks by itself: two addresses, what it says of a register, and a spoiled message."""

    say: Callable[[str, str, int], bytes]
    address: str
    neighbour: str
    spoil: Callable[[bytes], bytes]


def lorawan(profile: str, address: str, register: int) -> bytes:
    meter = SimLorawanMeter(profile=load_profile(key=profile), dev_eui=address, register=register)
    return meter.uplink(now_us=NOW_US)


def mqtt(profile: str, address: str, register: int) -> bytes:
    meter = SimMqttMeter(profile=load_profile(key=profile), meter=address, register=register)
    return meter.wake(now_us=NOW_US)


def payload_off(said: bytes) -> bytes:
    event = json.loads(said)
    data = bytearray(base64.b64decode(event["data"]))
    data[2] ^= 0x5A
    return json.dumps({**event, "data": base64.b64encode(data).decode()}).encode()


def object_off(said: bytes) -> bytes:
    return said.replace(b'"volume": ', b'"volume": -1')


def bit_off(said: bytes) -> bytes:
    return said[:9] + bytes([said[9] ^ 0x10]) + said[10:]


EUI, OTHER_EUI = "0101010101010101", "0101010101010102"
SPEAKERS = {
    "lorawan_water": Speaker(lorawan, EUI, OTHER_EUI, payload_off),
    "lorawan_object_water": Speaker(lorawan, EUI, OTHER_EUI, object_off),
    "mqtt_electricity": Speaker(mqtt, "E-0017", "E-0018", bit_off),
    "mqtt_gas": Speaker(mqtt, "G-0017", "G-0018", bit_off),
}
every_speaker = pytest.mark.parametrize("key", SPEAKERS)
every_model = pytest.mark.parametrize("key", MODELS)


def meter(key: str, *, address: str | None = None) -> ReadsRegister:
    return open_meter(
        profile=load_profile(key=key),
        address=address or MODELS[key].address,
        zone="Asia/Shanghai",
        password="02123456",
        operator="00000001",
    )


def device(key: str, register: int, *, address: str | None = None) -> Device:
    return MODELS[key].device(key, address or MODELS[key].address, register)


def read(key: str, say: Device, **line: Callable[[bytes], list[bytes]]) -> int:
    return ask(meter(key).read_register(), say, **line).total_wh


def steps(key: str, count: int) -> int:
    return count * load_profile(key=key).resolution_wh


def answers(key: str, say: Device, *, address: str | None = None) -> list[bytes]:
    """Everything a device says while its register is read once."""
    said: list[bytes] = []

    def recorded(asked: bytes) -> bytes:
        said.append(say(asked))
        return said[-1]

    ask(meter(key, address=address).read_register(), recorded)
    return said


def spoiled(say: Device, spoil: Callable[[bytes], bytes], *, nth: int, on: bool = False) -> Device:
    """A line that spoils one answer, the nth, and carries the rest; with ``on`` it spoils all that follow, too."""
    said = 0

    def carried(asked: bytes) -> bytes:
        nonlocal said
        said += 1
        return spoil(say(asked)) if said == nth + 1 or (on and said > nth) else say(asked)

    return carried


def assert_silence(key: str, say: Device) -> None:
    with pytest.raises(DriverError) as silence:
        read(key, say)
    assert silence.value.code == "no_answer"


def test_every_protocol_and_every_model_is_tried_here() -> None:
    assert {*MODELS, *SPEAKERS} == set(profile_keys())
    assert {load_profile(key=key).protocol for key in MODELS} == set(PROTOCOLS)
    assert {load_profile(key=key).protocol for key in SPEAKERS} == set(LISTENERS)


@every_model
@pytest.mark.parametrize("count", [0, 1, 1_234_567])
def test_a_register_comes_through_as_it_was_sent(key: str, count: int) -> None:
    reply = ask(meter(key).read_register(), device(key, steps(key, count)))

    assert reply.total_wh == steps(key, count)
    assert reply.register == load_profile(key=key).register


@every_model
def test_a_cut_frame_is_no_answer_wherever_it_is_cut(key: str) -> None:
    whole = answers(key, device(key, steps(key, 77)))

    for nth, answer in enumerate(whole):
        for through in range(len(answer)):
            say = spoiled(device(key, steps(key, 77)), lambda said, n=through: said[:n], nth=nth)
            assert read(key, say) == steps(key, 77)
    say = device(key, steps(key, 77))
    assert_silence(key, lambda asked: say(asked)[:-1])


@every_model
def test_a_wrong_checksum_is_asked_again_and_never_believed(key: str) -> None:
    spoil = MODELS[key].spoil
    for nth in range(len(answers(key, device(key, steps(key, 77))))):
        assert read(key, spoiled(device(key, steps(key, 77)), spoil, nth=nth)) == steps(key, 77)
        assert_silence(key, spoiled(device(key, steps(key, 77)), spoil, nth=nth, on=True))


@every_model
def test_a_neighbours_answer_is_never_taken(key: str) -> None:
    other = MODELS[key].neighbour
    theirs = b"".join(answers(key, device(key, steps(key, 9), address=other), address=other))
    ours = device(key, steps(key, 77))

    assert read(key, lambda asked: theirs + ours(asked)) == steps(key, 77)
    assert_silence(key, lambda asked: theirs)
    assert_silence(key, device(key, steps(key, 9), address=other))


@every_model
def test_noise_before_and_after_an_answer_is_stepped_over(key: str) -> None:
    noise, say = MODELS[key].noise, device(key, steps(key, 77))
    for before, after in [(noise, b""), (b"", noise), (noise * 3, noise), (b"\x00\xff\xfe" * 9, b"\x00")]:
        assert read(key, lambda asked, b=before, a=after: b + say(asked) + a) == steps(key, 77)


@every_model
def test_a_register_turns_over_to_its_start(key: str) -> None:
    profile = load_profile(key=key)
    last = profile.modulus_wh - profile.resolution_wh

    assert read(key, device(key, last)) in (last, 0)  # a float32 cannot hold 999999.99
    assert read(key, device(key, profile.modulus_wh)) == 0
    assert read(key, device(key, profile.modulus_wh + steps(key, 5))) == steps(key, 5)


@every_model
def test_a_slow_line_brings_the_answer_byte_by_byte(key: str) -> None:
    assert read(key, device(key, steps(key, 77)), line=one_by_one) == steps(key, 77)

    half = spoiled(device(key, steps(key, 77)), lambda said: said[: len(said) // 2], nth=0)
    assert read(key, half, line=one_by_one) == steps(key, 77)


def test_the_checksum_of_the_serial_line_is_the_published_one() -> None:
    assert crc16(bytes.fromhex("010300000001")) == bytes.fromhex("840a")


# --- meters that speak by themselves: their network carries messages whole, or not at all ---------------------


def heard(key: str, message: bytes) -> int:
    told = open_listener(profile=load_profile(key=key), address=SPEAKERS[key].address).hear(message)
    assert told.reading is not None
    assert told.reading.register == load_profile(key=key).register
    return told.reading.total_wh


def said(key: str, register: int, *, address: str | None = None) -> bytes:
    return SPEAKERS[key].say(key, address or SPEAKERS[key].address, register)


def assert_refused(key: str, message: bytes) -> None:
    with pytest.raises(DriverError) as refused:
        heard(key, message)
    assert refused.value.code in ("not_a_message", "unreadable_value")


@every_speaker
@pytest.mark.parametrize("count", [0, 1, 1_234_567])
def test_a_register_is_heard_as_it_was_said_and_twice_is_once(key: str, count: int) -> None:
    message = said(key, steps(key, count))
    assert heard(key, message) == steps(key, count)

    listener = open_listener(profile=load_profile(key=key), address=SPEAKERS[key].address)
    assert listener.hear(message).key == listener.hear(message).key


@every_speaker
def test_a_cut_message_is_refused_wherever_it_is_cut(key: str) -> None:
    message = said(key, steps(key, 77))
    for through in range(len(message)):
        assert_refused(key, message[:through])
        assert_refused(key, message[through + 1 :])


@every_speaker
def test_a_spoiled_message_is_refused(key: str) -> None:
    assert_refused(key, SPEAKERS[key].spoil(said(key, steps(key, 77))))


@every_speaker
def test_a_neighbours_message_is_never_taken(key: str) -> None:
    assert_refused(key, said(key, steps(key, 77), address=SPEAKERS[key].neighbour))


@every_speaker
def test_noise_around_a_message_makes_it_none(key: str) -> None:
    message = said(key, steps(key, 77))
    assert_refused(key, b"\x00\xff" + message)
    assert_refused(key, message + b"\x00\xff")
    assert_refused(key, message + message)


@every_speaker
def test_a_register_that_turned_over_is_heard_from_its_start(key: str) -> None:
    modulus = load_profile(key=key).modulus_wh
    assert heard(key, said(key, modulus - steps(key, 1))) == modulus - steps(key, 1)
    assert heard(key, said(key, modulus + steps(key, 5))) == steps(key, 5)
