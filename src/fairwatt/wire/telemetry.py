"""What meters did second by second: series packed small, the frame that carries them, and its answer.

TELE  ``[1, epoch, clock_us, [[seq, start_s, seconds, [[meter, body], ...]], ...]]``
TACK  ``[1, 0, epoch, seq]`` = kept up to seq, or ``[1, 1, for_s]`` = somebody watches: send small blocks for a while

Nothing here touches money: a lost block is a gap in a drawing. A body is packed the same way on the wire, in the
gateway's memory and in the database, so that it is made once and unpacked only where somebody looks.
"""

import sys
import zlib
from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

from fairwatt.wire import cbor
from fairwatt.wire.errors import BadShape, BadVersion, TooLarge
from fairwatt.wire.records import UNKNOWN_I32

VERSION: Final = 1
CHANNELS: Final = ("power_w", "voltage_dv", "current_ma")
"""In this order in every body: watts, tenths of a volt, milliamperes; UNKNOWN_I32 where nothing was read."""
SECONDS_MAX: Final = 600
METERS_MAX: Final = 1024
BLOCKS_MAX: Final = 512
MAX_FRAME_BYTES: Final = 256 * 1024
WATCH_S_MAX: Final = 600
BODY_BYTES_MAX: Final = 12 * SECONDS_MAX + 64
"""Deflate never makes a body longer than this."""
_U32: Final = (1 << 32) - 1
_RAW_DEFLATE: Final = -15
assert array("I").itemsize == 4


class Series(NamedTuple):
    """One meter, second by second: a value per channel and second, oldest first."""

    power_w: Sequence[int]
    voltage_dv: Sequence[int]
    current_ma: Sequence[int]


class Block(NamedTuple):
    """Some meters over the same seconds [start_s, start_s + seconds); bodies are what `pack` made."""

    seq: int
    start_s: int
    seconds: int
    bodies: tuple[tuple[int, bytes], ...]


class TeleFrame(NamedTuple):
    """What a gateway sends on its `tele` topic. ``epoch`` names one life of its telemetry memory."""

    epoch: int
    clock_us: int
    blocks: tuple[Block, ...]


class Kept(NamedTuple):
    """Every block up to ``seq`` of that epoch is kept, or was refused for good."""

    epoch: int
    seq: int


class Watch(NamedTuple):
    """Somebody looks at these meters now: send blocks of a few seconds for this long (wall time)."""

    for_s: int


def pack(series: Series, /) -> bytes:
    """Write one meter's series: differences, zigzag, bytes of equal weight together, deflate.

    Raises BadShape when channels differ in length, are empty, too long, or hold what is no 32-bit integer.
    """
    seconds = len(series.power_w)
    if not 0 < seconds <= SECONDS_MAX or any(len(channel) != seconds for channel in series):
        raise BadShape(f"a series has channels of different lengths, or not 1 to {SECONDS_MAX} seconds")
    steps = array("I")
    for channel in series:
        before = 0
        for value in channel:
            if not UNKNOWN_I32 <= value <= 0x7FFFFFFF:
                raise BadShape(f"{value} does not fit the 32 bits of a series")
            # Modulo 2^32, so that the step from and to "unknown" fits too.
            step = (value - before) & _U32
            steps.append(((step << 1) & _U32) ^ (_U32 if step >> 31 else 0))
            before = value
    if sys.byteorder == "big":
        steps.byteswap()
    plain = steps.tobytes()
    shuffled = plain[0::4] + plain[1::4] + plain[2::4] + plain[3::4]
    deflate = zlib.compressobj(6, zlib.DEFLATED, _RAW_DEFLATE)
    return deflate.compress(shuffled) + deflate.flush()


def unpack(body: bytes, /, *, seconds: int) -> Series:
    """Read what `pack` wrote. Raises BadShape for anything else; never makes more than the seconds need."""
    plain = unshuffled(body, seconds=seconds)
    steps = array("I", plain)
    if sys.byteorder == "big":
        steps.byteswap()
    channels: list[list[int]] = []
    for n in range(len(CHANNELS)):
        values: list[int] = []
        before = 0
        for step in steps[n * seconds : (n + 1) * seconds]:
            before = (before + ((step >> 1) ^ (_U32 if step & 1 else 0))) & _U32
            values.append(before - (1 << 32) if before >> 31 else before)
        channels.append(values)
    return Series(*channels)


def unshuffled(body: bytes, /, *, seconds: int) -> bytes:
    """Inflate a body into its zigzag steps, little endian, channel after channel. Raises BadShape."""
    if not 0 < seconds <= SECONDS_MAX:
        raise BadShape(f"a block is of {seconds} seconds, not 1 to {SECONDS_MAX}")
    wanted = len(CHANNELS) * 4 * seconds
    inflate = zlib.decompressobj(_RAW_DEFLATE)
    try:
        shuffled = inflate.decompress(body, wanted + 1)
    except zlib.error as error:
        raise BadShape(f"the body of a series cannot be inflated: {error}") from None
    if len(shuffled) != wanted or not inflate.eof or inflate.unused_data:
        raise BadShape(f"the body of a series is not {wanted} bytes long")
    plain = bytearray(wanted)
    quarter = wanted // 4
    for n in range(4):
        plain[n::4] = shuffled[n * quarter : (n + 1) * quarter]
    return bytes(plain)


def encode_tele(frame: TeleFrame, /) -> bytes:
    """Write a telemetry frame. Raises what `decode_tele` would."""
    blocks = [
        [block.seq, block.start_s, block.seconds, [list(pair) for pair in block.bodies]]
        for block in frame.blocks
    ]
    data = cbor.encode([VERSION, frame.epoch, frame.clock_us, blocks])
    if len(data) > MAX_FRAME_BYTES:
        raise TooLarge(f"the telemetry frame has {len(data)} bytes, the limit is {MAX_FRAME_BYTES}")
    return data


def decode_tele(data: bytes, /) -> TeleFrame:
    """Read a telemetry frame; every field is checked, the bodies are not opened. Raises a FrameError."""
    value = cbor.decode(data, max_bytes=MAX_FRAME_BYTES, what="the telemetry frame")
    _check_version(value)
    _, epoch, clock_us, raw = cbor.array(value, length=4, what="the telemetry frame")
    if type(raw) is not list or len(raw) > BLOCKS_MAX:
        raise BadShape(f"the telemetry frame does not hold a list of at most {BLOCKS_MAX} blocks")
    blocks: list[Block] = []
    last = 0
    for entry in raw:
        blocks.append(_block(entry, after_seq=last))
        last = blocks[-1].seq
    return TeleFrame(
        cbor.integer(epoch, what="epoch", low=1), cbor.signed(clock_us, what="clock_us"), tuple(blocks)
    )


def _block(entry: object, *, after_seq: int) -> Block:
    seq, start_s, seconds, raw = cbor.array(entry, length=4, what="a block")
    if type(raw) is not list or not 0 < len(raw) <= METERS_MAX:
        raise BadShape(f"a block does not hold 1 to {METERS_MAX} meters")
    bodies: list[tuple[int, bytes]] = []
    for pair in raw:
        meter, body = cbor.array(pair, length=2, what="a meter of a block")
        octets = cbor.octets(body, what="the body of a series")
        if not 0 < len(octets) <= BODY_BYTES_MAX:
            raise BadShape("the body of a series is empty or longer than its seconds could need")
        bodies.append((cbor.integer(meter, what="meter", low=1, high=(1 << 64) - 1), octets))
    if len({meter for meter, _ in bodies}) < len(bodies):
        raise BadShape("a block names a meter twice")
    return Block(
        cbor.integer(seq, what="seq", low=after_seq + 1),
        cbor.integer(start_s, what="start_s", high=(1 << 40)),
        cbor.integer(seconds, what="seconds", low=1, high=SECONDS_MAX),
        tuple(bodies),
    )


def encode_kept(*, epoch: int, seq: int) -> bytes:
    """Write the answer to a telemetry frame. Send it only after the commit that kept the blocks."""
    return cbor.encode([VERSION, 0, epoch, seq])


def encode_watch(*, for_s: int) -> bytes:
    """Ask a gateway for small blocks for a while."""
    return cbor.encode([VERSION, 1, for_s])


def decode_tack(data: bytes, /) -> Kept | Watch:
    """Read what comes down on the `tack` topic. Raises a FrameError."""
    value = cbor.decode(data, max_bytes=1024, what="the telemetry answer")
    _check_version(value)
    assert type(value) is list
    kind = cbor.integer(value[1] if len(value) > 1 else None, what="the kind of the telemetry answer")
    if kind == 0:
        _, _, epoch, seq = cbor.array(value, length=4, what="the telemetry answer")
        return Kept(cbor.integer(epoch, what="epoch", low=1), cbor.integer(seq, what="seq"))
    if kind != 1:
        raise BadShape(f"the telemetry answer has the unknown kind {kind}")
    for_s = cbor.array(value, length=3, what="the wish to watch")[2]
    return Watch(cbor.integer(for_s, what="for_s", low=1, high=WATCH_S_MAX))


def _check_version(value: object) -> None:
    if type(value) is not list or not value or type(value[0]) is not int:
        raise BadShape("the telemetry frame does not begin with its version")
    if value[0] != VERSION:
        raise BadVersion(f"the telemetry frame is of another version than {VERSION}")
