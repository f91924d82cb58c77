"""What every protocol owes: the same seven trials for each meter model, over its own simulated device.

`MODELS` is closed: a protocol or a profile that is not tried here fails the first test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drivers.bench import Device, ask, one_by_one
from fairwatt.drivers.contract import DriverError, ReadsRegister
from fairwatt.drivers.dlt645.stream import FrameStream
from fairwatt.drivers.modbus.frame import crc16
from fairwatt.drivers.profile import load_profile, profile_keys
from fairwatt.drivers.registry import LISTENERS, PROTOCOLS, open_meter
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.simulate.meters.modbus import SimModbusBus, SimModbusMeter

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


def sum_off(said: bytes) -> bytes:
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
    "dlt645_single_phase": Model(dlt645, "202611210001", "202611210002", sum_off, b"\xfe\x68\x00\x68\x16"),
    "modbus_single_phase": Model(modbus, "12", "13", crc_off, b"\x0c\x04\x04\x0c\x84\x00"),
    "modbus_three_phase": Model(modbus, "12", "13", another_transaction, b"\x00\x01\x00\x00\x00\x07\x0c"),
}
every_model = pytest.mark.parametrize("key", MODELS)


def meter(key: str) -> ReadsRegister:
    return open_meter(
        profile=load_profile(key=key),
        address=MODELS[key].address,
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


def bad_once(say: Device, spoil: Callable[[bytes], bytes]) -> Device:
    """A line that spoils the first answer and carries the rest."""
    said: list[bytes] = []

    def spoiled(asked: bytes) -> bytes:
        said.append(say(asked))
        return spoil(said[-1]) if len(said) == 1 else said[-1]

    return spoiled


def test_every_protocol_and_every_model_is_tried_here() -> None:
    assert set(MODELS) == set(profile_keys())
    assert {load_profile(key=key).protocol for key in MODELS} == {*PROTOCOLS, *LISTENERS}


@every_model
@pytest.mark.parametrize("count", [0, 1, 1_234_567])
def test_a_register_comes_through_as_it_was_sent(key: str, count: int) -> None:
    reply = ask(meter(key).read_register(), device(key, steps(key, count)))

    assert reply.total_wh == steps(key, count)
    assert reply.register == load_profile(key=key).register


@every_model
def test_a_cut_frame_is_no_answer_wherever_it_is_cut(key: str) -> None:
    whole = device(key, steps(key, 77))(meter(key).read_register().request())

    for through in range(len(whole)):
        assert read(key, bad_once(device(key, steps(key, 77)), lambda said, n=through: said[:n])) == steps(
            key, 77
        )
    with pytest.raises(DriverError) as silence:
        read(key, lambda asked: whole[:-1])
    assert silence.value.code == "no_answer"


@every_model
def test_a_wrong_checksum_is_asked_again_and_never_believed(key: str) -> None:
    spoil = MODELS[key].spoil
    assert read(key, bad_once(device(key, steps(key, 77)), spoil)) == steps(key, 77)

    with pytest.raises(DriverError) as silence:
        read(key, lambda asked: spoil(device(key, steps(key, 78))(asked)))
    assert silence.value.code == "no_answer"


@every_model
def test_a_neighbours_answer_is_never_taken(key: str) -> None:
    neighbour = open_meter(
        profile=load_profile(key=key), address=MODELS[key].neighbour, zone="Asia/Shanghai"
    ).read_register()
    theirs = device(key, steps(key, 9), address=MODELS[key].neighbour)(neighbour.request())
    assert neighbour.feed(theirs) is not None

    assert read(key, lambda asked: theirs + device(key, steps(key, 77))(asked)) == steps(key, 77)
    with pytest.raises(DriverError) as silence:
        read(key, lambda asked: theirs)
    assert silence.value.code == "no_answer"


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

    half = bad_once(device(key, steps(key, 77)), lambda said: said[: len(said) // 2])
    assert read(key, half, line=one_by_one) == steps(key, 77)


def test_the_checksum_of_the_serial_line_is_the_published_one() -> None:
    assert crc16(bytes.fromhex("010300000001")) == bytes.fromhex("840a")
