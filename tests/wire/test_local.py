"""The session's bytes: whatever comes is a message or a named error, and no record is good twice or elsewhere."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.wire import cbor, courier
from fairwatt.wire.courier import BagUnreadable, FromGateway, ToGateway
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import Ack, Item, UpFrame, encode_up
from fairwatt.wire.local import GatewaySession, LocalError, LocalRefused, VisitorSession
from fairwatt.wire.local_frames import HANDSHAKE_BYTES, Framer, frame
from fairwatt.wire.permits import ALL, Permit, sign_permit, verify_permit

ISSUER = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
GATEWAY = Ed25519PrivateKey.from_private_bytes(b"g" * 32)
HOLDER = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
KEYS = {b"\x01": ISSUER.public_key()}
PERMIT = Permit(
    serial=b"s" * 16,
    holder="Lin",
    holder_key=HOLDER.public_key().public_bytes_raw(),
    book="b1",
    site="s1",
    gateways=(("gw1", GATEWAY.public_key().public_bytes_raw()),),
    meters=(100, 101),
    rights=ALL,
    hours_max=24,
    from_us=0,
    until_us=1000,
)
SIGNED = sign_permit(permit=PERMIT, key=ISSUER, kid=b"\x01")


def entropy(count: int, *, seed: bytes = b"e") -> bytes:
    return (seed * count)[:count]


def a_gateway() -> GatewaySession:
    return GatewaySession(
        gateway="gw1",
        place=("b1", "s1"),
        key=GATEWAY,
        kid=b"\x02",
        issuers=lambda: KEYS,
        now=lambda: 500,
        entropy=entropy,
    )


def a_visitor(seed: bytes = b"v") -> VisitorSession:
    return VisitorSession(permit=SIGNED, key=HOLDER, entropy=lambda count: entropy(count, seed=seed))


def inside() -> tuple[VisitorSession, GatewaySession]:
    visitor, gateway = a_visitor(), a_gateway()
    answer, _ = gateway.take(visitor.greeting)
    assert answer is not None
    welcome, _ = gateway.take(visitor.prove(answer))
    assert welcome is not None
    assert visitor.welcome(welcome).gateway == "gw1"
    return visitor, gateway


@given(st.lists(st.binary(min_size=1, max_size=700), max_size=5), st.integers(1, 64))
def test_frames_survive_any_cutting(payloads: list[bytes], step: int) -> None:
    data = b"".join(frame(payload) for payload in payloads)
    framer = Framer()
    found = [one for k in range(0, len(data), step) for one in framer.feed(data[k : k + step])]
    assert found == payloads
    assert framer.damaged == 0


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_flipped_bit_costs_its_frame_and_the_next_one_is_read(payload: bytes, data: st.DataObject) -> None:
    sent = bytearray(frame(payload))
    place = data.draw(st.integers(0, len(sent) - 2))
    sent[place] ^= 1 << data.draw(st.integers(0, 7))
    framer = Framer()
    found = framer.feed(bytes(sent) + frame(b"next"))
    assert found == [b"next"]


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_noise_is_bounded(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        framer.feed(piece)
        assert len(framer._held) <= HANDSHAKE_BYTES + 100
    framer.feed(b"x" * 1_000_000)
    assert len(framer._held) == 0
    assert framer.feed(b"\x00" + frame(b"ok"))[-1] == b"ok"


def test_a_request_is_heard_once_and_only_in_its_place() -> None:
    visitor, gateway = inside()
    first, second = visitor.ask(1, []), visitor.ask(2, [7])
    with pytest.raises(LocalError, match="does not belong"):
        gateway.take(second)
    visitor, gateway = inside()
    first = visitor.ask(1, [])
    _, request = gateway.take(first)
    assert request is not None
    assert (request.op, request.args) == (1, [])
    with pytest.raises(LocalError, match="does not belong"):
        gateway.take(first)


def test_answers_come_back_and_refusals_have_names() -> None:
    visitor, gateway = inside()
    _, request = gateway.take(visitor.ask(1, []))
    assert request is not None
    assert visitor.answer(gateway.result(request, [1, "x"])) == [1, "x"]
    _, request = gateway.take(visitor.ask(1, []))
    assert request is not None
    with pytest.raises(LocalRefused, match="why not"):
        visitor.answer(gateway.refusal(request, "no", "why not"))


def test_no_weaker_version_can_be_talked_into() -> None:
    visitor, gateway = a_visitor(), a_gateway()
    greeting = cbor.decode(visitor.greeting[1:], max_bytes=1000, what="x")
    assert isinstance(greeting, list)
    bent = b"\x00" + cbor.encode([0, [1, 0], *greeting[2:]])
    answer, _ = gateway.take(bent)
    assert answer is not None
    with pytest.raises(LocalError, match="none of the gateways"):
        visitor.prove(answer)
    answer, _ = gateway.take(b"\x00" + cbor.encode([0, [9], *greeting[2:]]))
    assert answer is not None
    with pytest.raises(LocalRefused, match="version 1 only"):
        a_visitor().prove(answer)


def test_a_record_of_another_session_is_worth_nothing() -> None:
    visitor, _ = inside()
    gateway, other = a_gateway(), a_visitor(b"w")
    answer, _ = gateway.take(other.greeting)
    assert answer is not None
    with pytest.raises(LocalError):
        gateway.take(visitor.ask(1, []))


@settings(max_examples=400)
@given(st.binary(max_size=400), st.booleans(), st.integers(0, 2))
def test_a_gateway_takes_any_bytes_with_a_named_error_at_most(data: bytes, opened: bool, stage: int) -> None:
    visitor, gateway = inside() if stage == 2 else (a_visitor(), a_gateway())
    if stage == 1:
        gateway.take(visitor.greeting)
    try:
        gateway.take((b"\x00" if opened else b"\x01") + data)
    except FrameError:
        pass


@settings(max_examples=400)
@given(st.data())
def test_mutated_messages_are_refused_by_name(data: st.DataObject) -> None:
    visitor, gateway = a_visitor(), a_gateway()
    answer, _ = gateway.take(visitor.greeting)
    assert answer is not None
    messages = [visitor.greeting, answer, visitor.prove(answer), SIGNED]
    message = bytearray(data.draw(st.sampled_from(messages)))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    for take in (gateway.take, a_gateway().take, a_visitor().prove, _permit):
        try:
            take(bytes(message))
        except (FrameError, LocalRefused):
            pass


def _permit(message: bytes) -> object:
    return verify_permit(message=message, keys=KEYS)


def test_a_permit_is_read_back() -> None:
    assert verify_permit(message=SIGNED, keys=KEYS) == PERMIT


def a_leaf(first: int, last: int, *, newest: int, oldest: int = 1) -> bytes:
    items = tuple(Item(seq, 3, b"x") for seq in range(first, last + 1))
    up = UpFrame(7, b"b" * 8, 0, 0, oldest, False, items)
    return courier.sign_frame(gateway="gw1", last_seq=newest, data=encode_up(up), key=GATEWAY, kid=b"\x02")


def test_a_courier_can_bend_nothing_and_a_lost_frame_shows() -> None:
    messages = [a_leaf(1, 3, newest=9), a_leaf(4, 6, newest=9), a_leaf(7, 9, newest=9)]
    bag = courier.decode_bag(courier.encode_bag(FromGateway("gw1", tuple(messages))))
    assert isinstance(bag, FromGateway)
    leaves = [
        courier.verify_frame(message=one, gateway="gw1", key=GATEWAY.public_key()) for one in bag.frames
    ]
    assert courier.missing(leaves) == []
    assert courier.missing(leaves[:2]) == [(7, 9)]
    assert courier.missing(leaves[1:]) == [(1, 3)]
    assert courier.missing([leaves[0], leaves[2]]) == [(4, 6)]
    bent = bytearray(messages[0])
    bent[-70] ^= 1
    with pytest.raises(FrameError):
        courier.verify_frame(message=bytes(bent), gateway="gw1", key=GATEWAY.public_key())
    with pytest.raises(FrameError):
        courier.verify_frame(message=messages[0], gateway="gw2", key=GATEWAY.public_key())


def test_an_acknowledgement_is_good_at_its_gateway_and_for_nothing_else() -> None:
    ack = Ack(7, 9, 123)
    signed = courier.sign_ack(gateway="gw1", ack=ack, key=ISSUER, kid=b"\x01")
    assert courier.verify_ack(message=signed, gateway="gw1", keys=KEYS) == ack
    with pytest.raises(FrameError):
        courier.verify_ack(message=signed, gateway="gw2", keys=KEYS)
    with pytest.raises(FrameError):
        courier.verify_ack(
            message=a_leaf(1, 1, newest=1), gateway="gw1", keys={b"\x02": GATEWAY.public_key()}
        )


@given(st.binary(max_size=300))
def test_any_file_is_a_bag_or_named(data: bytes) -> None:
    for one in (data, courier.encode_bag(ToGateway("gw1", 1, (data,), None))[:-1] + data[:1]):
        try:
            courier.decode_bag(one)
        except BagUnreadable:
            pass
