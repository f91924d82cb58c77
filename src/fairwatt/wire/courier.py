"""What a courier carries between head-end and a gateway without a line: he can lose it, and bend nothing unnoticed.

Going in: the open commands of a gateway, each signed for itself, and a signed acknowledgement of what is stored.
Coming out: up frames as the gateway would have sent them, each signed with the number of the last record that
there was, so that a frame left out shows.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.wire import cbor, cose
from fairwatt.wire.errors import BadShape, BadVersion, FrameError
from fairwatt.wire.frames import Ack, UpFrame, decode_up
from fairwatt.wire.topics import check_id

VERSION: Final = 1
ACK: Final = b"fairwatt/v1/courier/ack"
LEAF: Final = b"fairwatt/v1/courier/frame"
MAX_BAG_BYTES: Final = 256 * 1024 * 1024
MESSAGES_MAX: Final = 1 << 16
_INBOUND, _OUTBOUND = "to-gateway", "from-gateway"
_LEAF_BYTES: Final = cose.MAX_MESSAGE_BYTES


class ToGateway(NamedTuple):
    """A bag on its way in. ``made_us`` says how old it is; ``ack`` is None when nothing was ever stored."""

    gateway: str
    made_us: int
    commands: tuple[bytes, ...]
    ack: bytes | None


class FromGateway(NamedTuple):
    """A bag on its way out: signed frames, in the order the gateway gave them."""

    gateway: str
    frames: tuple[bytes, ...]


class Leaf(NamedTuple):
    """One up frame of a visit; ``last_seq`` is the newest record that the gateway had then."""

    gateway: str
    last_seq: int
    data: bytes
    frame: UpFrame


class BagUnreadable(ValueError):
    """The file is no courier's bag. Nothing of it was used."""


def encode_bag(bag: ToGateway | FromGateway, /) -> bytes:
    """The file of a bag."""
    if isinstance(bag, ToGateway):
        fields: list[object] = [_INBOUND, bag.gateway, bag.made_us, list(bag.commands), bag.ack]
    else:
        fields = [_OUTBOUND, bag.gateway, list(bag.frames)]
    return cbor.encode([VERSION, *fields])


def decode_bag(data: bytes, /) -> ToGateway | FromGateway:
    """Read the file of a bag. Raises BagUnreadable."""
    try:
        value = cbor.decode(data, max_bytes=MAX_BAG_BYTES, what="the courier's file")
        if type(value) is not list or len(value) < 4:
            raise BadShape("the courier's file is not one of ours")
        if value[0] != VERSION:
            raise BadVersion(f"the courier's file is of another version than {VERSION}")
        gateway = check_id(cbor.text(value[2], what="gateway", max_chars=64))
        if value[1] == _INBOUND:
            _, _, _, made, commands, ack = cbor.array(value, length=6, what="the courier's file")
            acked = None if ack is None else cbor.octets(ack, what="the acknowledgement")
            return ToGateway(gateway, cbor.signed(made, what="made_us"), _messages(commands), acked)
        if value[1] == _OUTBOUND:
            return FromGateway(gateway, _messages(cbor.array(value, length=4, what="the courier's file")[3]))
        raise BadShape("the courier's file goes neither to a gateway nor from one")
    except FrameError as error:
        raise BagUnreadable(f"{error}. Nothing of it was used; take the file again") from error


def _messages(value: object) -> tuple[bytes, ...]:
    if type(value) is not list or len(value) > MESSAGES_MAX:
        raise BadShape(f"the courier's file holds no list of at most {MESSAGES_MAX} messages")
    return tuple(cbor.octets(message, what="a message") for message in value)


def sign_ack(*, gateway: str, ack: Ack, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """An acknowledgement that needs no line: without the signature a courier could make a gateway forget."""
    payload = cbor.encode([VERSION, gateway, *ack])
    return cose.sign(payload=payload, key=key, kid=kid, domain=ACK)


def verify_ack(*, message: bytes, gateway: str, keys: Mapping[bytes, Ed25519PublicKey]) -> Ack:
    """The acknowledgement, when an issuer of ``keys`` signed it for this gateway. Raises a FrameError."""
    payload = cose.verify(message=message, keys=keys, domain=ACK)
    value = cbor.decode(payload, max_bytes=1024, what="the acknowledgement")
    version, named, epoch, seq, now_us = cbor.array(value, length=5, what="the acknowledgement")
    if version != VERSION or named != gateway:
        raise BadShape(
            "the acknowledgement is of another version or for another gateway; nothing was deleted"
        )
    return Ack(
        cbor.integer(epoch, what="epoch", low=1),
        cbor.integer(seq, what="seq"),
        cbor.signed(now_us, what="now_us"),
    )


def sign_frame(*, gateway: str, last_seq: int, data: bytes, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """One encoded up frame, as a gateway gives it to a courier."""
    payload = cbor.encode([VERSION, gateway, last_seq, data])
    return cose.sign(payload=payload, key=key, kid=kid, domain=LEAF)


def verify_frame(*, message: bytes, gateway: str, key: Ed25519PublicKey) -> Leaf:
    """The frame, when ``gateway`` signed it. Raises a FrameError."""
    payload = cose.verify(message=message, keys={cose.named_key(message): key}, domain=LEAF)
    value = cbor.decode(payload, max_bytes=_LEAF_BYTES, what="the frame")
    version, named, last, data = cbor.array(value, length=4, what="the frame")
    if version != VERSION or named != gateway:
        raise BadShape("the frame is of another version or from another gateway")
    whole = cbor.octets(data, what="the frame")
    return Leaf(gateway, cbor.integer(last, what="last_seq"), whole, decode_up(whole))


def missing(leaves: Iterable[Leaf], /) -> list[tuple[int, int]]:
    """Records that the gateway gave and the bag does not hold: [first, last] spans. A dropped frame shows here."""
    gaps: list[tuple[int, int]] = []
    epoch, reached, last = 0, 0, 0
    for leaf in leaves:
        if leaf.frame.epoch != epoch:
            epoch, reached = leaf.frame.epoch, leaf.frame.oldest_seq - 1
        for item in leaf.frame.items[:1]:
            if item.seq > max(reached + 1, leaf.frame.oldest_seq):
                gaps.append((reached + 1, item.seq - 1))
        reached = max(reached, leaf.frame.items[-1].seq if leaf.frame.items else reached)
        last = leaf.last_seq
    if reached < last:
        gaps.append((reached + 1, last))
    return gaps
