"""The two frames between gateway and head-end, and the event that travels inside one of them.

Both end with a CRC-32 of what comes before: a line may flip a bit in a reading, which nobody signed.

UP    ``[2, epoch, boot_id, uptime_ms, clock_us, oldest_seq, hello, [[seq, kind, body], ...]]``
DOWN  ``[2, 0, epoch, seq, now_us, [boot_id, uptime_ms] or null]`` = stored up to seq, ``[2, 1, [command, ...]]``,
      or ``[2, 2, epoch, after_seq]`` = say again what came after after_seq

``epoch`` names one life of the gateway's spool, ``seq`` a record in it. The head-end acknowledges after its
own commit; the gateway deletes only then. docs/protocol/wire.md has the whole conversation.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple
from zlib import crc32

from fairwatt.wire import cbor
from fairwatt.wire.cose import MAX_MESSAGE_BYTES
from fairwatt.wire.errors import BadShape, BadVersion, Damaged, FrameError, TooLarge

VERSION: Final = 2
MAX_FRAME_BYTES: Final = 256 * 1024
MAX_ITEMS: Final = 4096
MAX_BODY_BYTES: Final = 128 * 1024
COMMANDS_BYTES: Final = 128 * 1024
"""How long a frame of commands gets: well under what the edge refuses."""
_I63: Final = cbor.I63
_SEAL_BYTES: Final = 4
_COMMANDS_HEAD: Final = 6 + _SEAL_BYTES  # [2, 1, [ with up to 2^16 commands
_OCTETS_HEAD: Final = 5


class Kind(IntEnum):
    """What a record of the spool carries."""

    READINGS = 1
    RECEIPT = 2
    EVENT = 3


class Item(NamedTuple):
    """One record of the spool: its number, what it is (`Kind`), its bytes."""

    seq: int
    kind: int
    body: bytes


class UpFrame(NamedTuple):
    """What a gateway says. ``clock_us`` is its clock at the moment of sending, not of the readings."""

    epoch: int
    boot_id: bytes
    uptime_ms: int
    clock_us: int
    oldest_seq: int
    hello: bool
    items: tuple[Item, ...]


class Sent(NamedTuple):
    """Which frame: the start of the agent that sent it, and how long after that."""

    boot_id: bytes
    uptime_ms: int


class Ack(NamedTuple):
    """Every record up to ``seq`` of that ``epoch`` is stored (or quarantined, which is stored too).

    ``answers`` is the newest of the frames that this answers: without it a late answer would tell a wrong time.
    """

    epoch: int
    seq: int
    now_us: int
    answers: Sent | None = None


class Commands(NamedTuple):
    """Signed commands, each a COSE_Sign1 message."""

    messages: tuple[bytes, ...]


class SayAgain(NamedTuple):
    """Records of that ``epoch`` behind ``after_seq`` have not all arrived: send them again from there."""

    epoch: int
    after_seq: int


type Detail = Mapping[str, int | str | bool | bytes | None]
"""What an event tells besides its code: flat, so that any receiver can show it."""


class Event(NamedTuple):
    """Something the gateway noticed. ``meter`` 0 means the gateway itself."""

    code: str
    at_us: int
    meter: int
    detail: Detail


def encode_up(frame: UpFrame, /) -> bytes:
    """Write an up frame. Raises what `decode_up` would: no gateway sends what nobody accepts."""
    items = [[item.seq, int(item.kind), item.body] for item in frame.items]
    data = seal(cbor.encode([VERSION, *frame[:6], items]))
    decode_up(data)
    return data


def decode_up(data: bytes, /) -> UpFrame:
    """Read an up frame; every field is checked. Raises a FrameError whose ``code`` names the fault.

    Items rise strictly in ``seq``. A gap between two items of one frame means that the gateway no longer has
    the records between them.
    """
    value = cbor.decode(_opened(data), max_bytes=MAX_FRAME_BYTES, what="the up frame")
    if type(value) is not list or not value:
        raise BadShape("the up frame is not an array")
    _check_version(value[0])
    if len(value) != 8:
        raise BadShape("the up frame does not have 8 fields")
    _, epoch, boot_id, uptime_ms, clock_us, oldest_seq, hello, raw = value
    # Written out rather than looped: this runs for every frame of every gateway.
    if (
        type(epoch) is not int
        or type(boot_id) is not bytes
        or type(uptime_ms) is not int
        or type(clock_us) is not int
        or type(oldest_seq) is not int
        or type(hello) is not bool
        or type(raw) is not list
        or not 0 < epoch < _I63
        or len(boot_id) != 8
        or not 0 <= uptime_ms < _I63
        or not -_I63 <= clock_us < _I63
        or not 0 < oldest_seq < _I63
        or len(raw) > MAX_ITEMS
    ):
        raise BadShape("the head of the up frame has a field of a wrong type or out of range")
    return UpFrame(epoch, boot_id, uptime_ms, clock_us, oldest_seq, hello, _items(raw, oldest_seq - 1))


def _items(raw: list[object], last: int) -> tuple[Item, ...]:
    items: list[Item] = []
    for entry in raw:
        if type(entry) is not list or len(entry) != 3:
            raise BadShape("an item of the up frame is not [seq, kind, body]")
        seq, kind, body = entry
        if (
            type(seq) is not int
            or type(kind) is not int
            or type(body) is not bytes
            or not last < seq < _I63
            or not 1 <= kind <= 3
            or not 0 < len(body) <= MAX_BODY_BYTES
        ):
            raise BadShape("an item of the up frame is out of order, of an unknown kind, empty or too long")
        last = seq
        items.append(Item(seq, kind, body))
    return tuple(items)


def stored_up_to(*, stored_seq: int, frame: UpFrame) -> int:
    """Say up to which record the head-end may acknowledge once it has stored all items of ``frame``.

    ``stored_seq`` is what it could acknowledge before for the same gateway and epoch. A frame that overtook
    another one leaves it unchanged: acknowledging over a hole would make the gateway delete records nobody
    has.
    """
    base = max(stored_seq, frame.oldest_seq - 1)
    if frame.items and frame.items[0].seq <= base + 1:
        return max(base, frame.items[-1].seq)
    return base


def encode_ack(*, epoch: int, seq: int, now_us: int, answers: Sent | None = None) -> bytes:
    """Write an acknowledgement. Send it only after the commit that stored the records."""
    sent = None if answers is None else list(answers)
    return seal(cbor.encode([VERSION, 0, epoch, seq, now_us, sent]))


def encode_say_again(*, epoch: int, after_seq: int) -> bytes:
    """Write the wish to hear records again, from behind ``after_seq`` on."""
    return seal(cbor.encode([VERSION, 2, epoch, after_seq]))


def encode_commands(messages: Iterable[bytes], /) -> bytes:
    """Write signed commands into one frame. For any number of them, use `command_frames`."""
    return seal(cbor.encode([VERSION, 1, list(messages)]))


def command_frames(messages: Iterable[bytes], /, *, max_bytes: int = COMMANDS_BYTES) -> list[bytes]:
    """Write signed commands, in order, into as many frames of at most ``max_bytes`` as they need.

    A command that alone exceeds ``max_bytes`` gets a frame of its own. Raises TooLarge for one that no
    gateway would take.
    """
    frames: list[bytes] = []
    batch: list[bytes] = []
    size = _COMMANDS_HEAD
    for message in messages:
        if len(message) > MAX_MESSAGE_BYTES:
            raise TooLarge(f"a command has {len(message)} bytes, the limit is {MAX_MESSAGE_BYTES}")
        if batch and (size + _OCTETS_HEAD + len(message) > max_bytes or len(batch) == MAX_ITEMS):
            frames.append(encode_commands(batch))
            batch, size = [], _COMMANDS_HEAD
        batch.append(message)
        size += _OCTETS_HEAD + len(message)
    if batch:
        frames.append(encode_commands(batch))
    return frames


def decode_down(data: bytes, /) -> Ack | Commands | SayAgain:
    """Read a down frame. Raises a FrameError whose ``code`` names the fault."""
    value = cbor.decode(_opened(data), max_bytes=MAX_FRAME_BYTES, what="the down frame")
    if type(value) is not list or len(value) < 2:
        raise BadShape("the down frame is not an array")
    _check_version(value[0])
    kind = cbor.integer(value[1], what="the kind of the down frame")
    if kind == 0:
        _, _, epoch, seq, now_us, answers = cbor.array(value, length=6, what="the acknowledgement")
        return Ack(
            cbor.integer(epoch, what="epoch", low=1),
            cbor.integer(seq, what="seq"),
            cbor.signed(now_us, what="now_us"),
            None if answers is None else _sent(answers),
        )
    if kind == 2:
        _, _, epoch, after_seq = cbor.array(value, length=4, what="the wish to hear again")
        return SayAgain(cbor.integer(epoch, what="epoch", low=1), cbor.integer(after_seq, what="after_seq"))
    if kind != 1:
        raise BadShape(f"the down frame has the unknown kind {kind}")
    messages = cbor.array(value, length=3, what="the command frame")[2]
    if type(messages) is not list or len(messages) > MAX_ITEMS:
        raise BadShape("the command frame does not hold a list of commands")
    return Commands(tuple(cbor.octets(message, what="a command") for message in messages))


def _sent(value: object) -> Sent:
    boot_id, uptime_ms = cbor.array(value, length=2, what="the frame that is answered")
    return Sent(cbor.octets(boot_id, what="boot_id", length=8), cbor.integer(uptime_ms, what="uptime_ms"))


def encode_event(event: Event, /) -> bytes:
    """Write an event as the body of an item of kind EVENT."""
    body = cbor.encode([event.code, event.at_us, event.meter, dict(event.detail)])
    decode_event(body)
    return body


def decode_event(body: bytes, /) -> Event:
    """Read an event. The detail is a flat map of text to integer, text, bytes, true, false or null."""
    value = cbor.decode(body, max_bytes=MAX_BODY_BYTES, what="the event")
    code, at_us, meter, detail = cbor.array(value, length=4, what="the event")
    if type(detail) is not dict or len(detail) > 64:
        raise BadShape("the detail of the event is not a map of at most 64 entries")
    for key, entry in detail.items():
        cbor.text(key, what="a key of the event's detail", max_chars=64)
        if entry is not None and type(entry) not in (int, str, bool, bytes):
            raise BadShape(
                "the event's detail holds something other than integer, text, bytes, true, false or null"
            )
    return Event(
        cbor.text(code, what="the event's code", max_chars=64),
        cbor.signed(at_us, what="at_us"),
        cbor.integer(meter, what="meter", high=(1 << 64) - 1),
        detail,
    )


def seal(data: bytes, /) -> bytes:
    """Add the checksum that ends every frame: CRC-32 (ISO-HDLC, as in zlib) of what is before it, high byte first."""
    return data + crc32(data).to_bytes(_SEAL_BYTES)


def _opened(data: bytes) -> bytes:
    if len(data) > MAX_FRAME_BYTES:
        raise TooLarge(f"the frame has {len(data)} bytes, the limit is {MAX_FRAME_BYTES}; it was not used")
    body, given = data[:-_SEAL_BYTES], int.from_bytes(data[-_SEAL_BYTES:])
    if len(data) <= _SEAL_BYTES or crc32(body) != given:
        raise Damaged(
            "the frame's checksum is wrong: it was damaged on its way, or is of version 1, which had none; "
            "nothing of it was used, and it is sent again until it is acknowledged"
        )
    return body


def _check_version(value: object) -> None:
    if type(value) is not int:
        raise BadShape("the frame does not begin with its version")
    if value != VERSION:
        # Not written out: an integer of thousands of digits cannot be.
        raise BadVersion(f"the frame is of another version than {VERSION}, which is all this program speaks")


__all__ = [
    "Ack",
    "Commands",
    "Detail",
    "Event",
    "FrameError",
    "Item",
    "Kind",
    "SayAgain",
    "Sent",
    "UpFrame",
    "command_frames",
    "decode_down",
    "decode_event",
    "decode_up",
    "encode_ack",
    "encode_commands",
    "encode_event",
    "encode_say_again",
    "encode_up",
    "seal",
    "stored_up_to",
]
