"""Answers in several frames: joined in order, each part once, and only so many."""

from __future__ import annotations

import pytest

from fairwatt.drivers.contract import NEXT
from fairwatt.drivers.dlt645 import Edition1997, JoinedExchange, MeterRefused, NoAnswer, ReplyTooLong, Retry
from fairwatt.drivers.dlt645.frame import build_frame, wire_address
from fairwatt.drivers.dlt645.stream import FrameStream

METER = "202611210001"
BLOCK = bytes.fromhex("00ff0605")


def block(**more: Retry) -> JoinedExchange[bytes]:
    return JoinedExchange(address=METER, identifier=0x0506FF00, parse=bytes, **more)


def said(data: bytes, *, control: int, number: str = METER) -> bytes:
    return build_frame(address=wire_address(number=number), control=control, data=data, preamble=4)


def first(part: bytes, *, more: bool = True) -> bytes:
    return said(BLOCK + part, control=0xB1 if more else 0x91)


def further(part: bytes, sequence: int, *, more: bool = False) -> bytes:
    return said(BLOCK + part + bytes([sequence]), control=0xB2 if more else 0x92)


def asked(exchange: JoinedExchange[bytes]) -> str:
    (frame,) = FrameStream().feed(exchange.request())
    return f"{frame.control:02x} {frame.data.hex()}"


def test_each_part_is_asked_for_by_its_number_and_the_parts_are_joined() -> None:
    exchange = block()
    assert asked(exchange) == "11 00ff0605"
    assert exchange.feed(first(b"ab")) is NEXT
    assert asked(exchange) == "12 00ff060501"
    assert exchange.feed(further(b"cd", 1, more=True)) is NEXT
    assert asked(exchange) == "12 00ff060502"
    assert exchange.feed(further(b"e", 2)) == b"abcde"


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(first(b"ab"), id="the first part again"),
        pytest.param(further(b"zz", 2), id="a part of another number"),
        pytest.param(said(b"\x00\xff\x05\x05zz\x01", control=0x92), id="a part of another item"),
        pytest.param(said(BLOCK + b"zz\x01", control=0x92, number="7"), id="another meter's part"),
    ],
)
def test_what_is_not_the_missing_part_is_not_joined_in(stranger: bytes) -> None:
    exchange = block()
    exchange.request()
    exchange.feed(first(b"ab"))
    exchange.request()
    assert exchange.feed(stranger) is None
    assert exchange.feed(further(b"cd", 1)) == b"abcd"


def test_a_lost_part_is_asked_for_again_and_every_part_has_all_its_attempts() -> None:
    exchange = block(retry=Retry(attempts=2))
    exchange.request()
    exchange.request()
    assert exchange.feed(first(b"ab")) is NEXT
    assert asked(exchange) == asked(exchange) == "12 00ff060501"
    with pytest.raises(NoAnswer):
        exchange.request()


def test_a_value_that_fits_into_one_frame_needs_no_second() -> None:
    exchange = block()
    exchange.request()
    assert exchange.feed(first(b"ab", more=False)) == b"ab"


def test_a_meter_that_never_ends_is_stopped() -> None:
    exchange = block()
    exchange.request()
    exchange.feed(first(bytes(190)))
    with pytest.raises(ReplyTooLong, match="Nothing is charged"):
        for sequence in range(1, 256):
            exchange.request()
            assert exchange.feed(further(bytes(190), sequence, more=True)) is NEXT


def test_a_meter_may_refuse_in_the_middle_or_be_of_1997() -> None:
    exchange = block()
    exchange.request()
    exchange.feed(first(b"ab"))
    with pytest.raises(MeterRefused):
        exchange.feed(said(b"\x02", control=0xD2))
    with pytest.raises(Edition1997):
        block().feed(said(b"\x10\x90", control=0x81))
