"""One question, one answer: what is taken for it, what is not, and how it ends."""

from typing import Any

import pytest

from fairwatt.drivers.contract import Accepted, MeterAddress, RegisterReading, RelayState
from fairwatt.drivers.dlt645 import (
    BadRequest,
    Edition1997,
    MeterRefused,
    NoAnswer,
    ReplyContinues,
    Retry,
    UnreadableValue,
    alarm,
    read_address,
    read_energy,
    read_status3,
    relay,
)
from fairwatt.drivers.dlt645.frame import build_frame, wire_address

METER = "202611210001"
NEIGHBOUR = "202611210002"
ENERGY = bytes.fromhex("00000100")
LATER_US = 1_800_000_000_000_000
KEY: dict[str, Any] = {"zone": "Asia/Shanghai", "password": "02123456", "operator": "00000001"}


def reply(data: bytes, *, control: int = 0x91, number: str = METER) -> bytes:
    return build_frame(address=wire_address(number=number), control=control, data=data, preamble=4)


def kwh_42() -> bytes:
    return ENERGY + bytes.fromhex("00420000")


def test_an_answer_in_pieces_is_one_answer() -> None:
    exchange = read_energy(address=METER)
    exchange.request()
    *pieces, last = [reply(kwh_42())[at : at + 3] for at in range(0, 24, 3)]

    assert all(exchange.feed(piece) is None for piece in pieces)
    assert exchange.feed(last) == RegisterReading(total_wh=42_000)


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(reply(kwh_42(), number=NEIGHBOUR), id="another meter"),
        pytest.param(reply(b"\x03\x05\x00\x04\x00\x00"), id="another item"),
        pytest.param(reply(b"", control=0x9C), id="another function"),
        pytest.param(read_energy(address=METER).request(), id="our own echo"),
        pytest.param(reply(kwh_42(), number=NEIGHBOUR, control=0xD1), id="another meter's refusal"),
        pytest.param(reply(b"\x00\x00", number=NEIGHBOUR, control=0x81), id="another meter's 1997"),
    ],
)
def test_what_is_not_the_answer_is_stepped_over(stranger: bytes) -> None:
    exchange = read_energy(address=METER)
    exchange.request()

    assert exchange.feed(stranger) is None
    assert exchange.feed(reply(kwh_42())) == RegisterReading(42_000)


def test_a_meter_is_asked_as_often_as_its_retry_says_and_then_named_silent() -> None:
    exchange = read_energy(address=METER, retry=Retry(attempts=2))
    assert exchange.request() == exchange.request()

    with pytest.raises(NoAnswer, match="supply is unchanged") as silence:
        exchange.request()
    assert (silence.value.code, silence.value.number, silence.value.attempts) == ("no_answer", METER, 2)


def test_half_an_answer_is_forgotten_when_the_meter_is_asked_again() -> None:
    exchange = read_energy(address=METER)
    exchange.request()
    assert exchange.feed(reply(kwh_42())[:-3]) is None
    exchange.request()

    assert exchange.feed(reply(kwh_42())) == RegisterReading(42_000)


def test_a_damaged_answer_is_no_answer_and_is_counted() -> None:
    exchange = read_energy(address=METER)
    exchange.request()
    damaged = bytearray(reply(kwh_42()))
    damaged[-2] ^= 1

    assert exchange.feed(bytes(damaged)) is None
    assert exchange.damaged == 1


@pytest.mark.parametrize(
    ("err", "reasons"),
    [
        (0x01, ("other",)),
        (0x02, ("no_data",)),
        (0x05, ("other", "password")),
        (0x00, ("unknown",)),
    ],
)
def test_a_refusal_says_why(err: int, reasons: tuple[str, ...]) -> None:
    exchange = read_energy(address=METER)
    exchange.request()

    with pytest.raises(MeterRefused) as refused:
        exchange.feed(reply(bytes([err]), control=0xD1))
    assert refused.value.reasons == reasons
    assert refused.value.number == METER


def test_a_refusal_without_a_reason_byte_is_still_a_refusal() -> None:
    with pytest.raises(MeterRefused):
        read_energy(address=METER).feed(reply(b"", control=0xD1))


def test_a_1997_meter_is_refused_by_name() -> None:
    with pytest.raises(Edition1997, match="1997"):
        read_energy(address=METER).feed(reply(b"\x10\x90\x00\x00\x42\x00", control=0x81))


def test_follow_up_frames_for_a_single_value_are_refused() -> None:
    with pytest.raises(ReplyContinues):
        read_energy(address=METER).feed(reply(kwh_42(), control=0xB1))


def test_a_register_that_is_not_decimal_is_refused() -> None:
    with pytest.raises(UnreadableValue):
        read_energy(address=METER).feed(reply(ENERGY + b"\xff\xff\xff\xff"))


def test_status_word_3_becomes_the_state_of_the_relay() -> None:
    answer = read_status3(address=METER).feed(reply(bytes.fromhex("03050004") + b"\x50\x00"))
    assert answer == RelayState(closed=False, ordered_closed=False, trip_warning=False)


def test_any_meter_may_answer_the_question_who_is_there() -> None:
    answer = read_address().feed(reply(wire_address(number=METER), control=0x93))
    assert answer == MeterAddress(METER)


def test_an_acknowledged_order_is_accepted_and_no_more() -> None:
    exchange = relay(address=METER, open=True, valid_until_us=LATER_US, **KEY)
    assert exchange.feed(reply(b"", control=0x9C)) == Accepted()


@pytest.mark.parametrize("address", ["A" * 12, "AA0000000001", "9" * 12])
def test_an_order_cannot_be_addressed_to_more_than_one_meter(address: str) -> None:
    with pytest.raises(BadRequest, match="full address"):
        relay(address=address, open=True, valid_until_us=LATER_US, **KEY)
    with pytest.raises(BadRequest, match="full address"):
        alarm(address=address, on=True, valid_until_us=LATER_US, **KEY)
