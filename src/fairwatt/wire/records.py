"""A reading on the wire: 40 fixed bytes, so that a million of them become an array without a parser.

Little endian, no padding: ``meter u64 | at_us i64 | total_wh i64 | power_w i32 | voltage_dv i32 | relay u8 |
quality u8 | flags u16 | reserved u32``.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from fairwatt.wire.errors import BadShape

RECORD: Final = struct.Struct("<QqqiiBBHI")
RECORD_BYTES: Final = RECORD.size
assert RECORD_BYTES == 40

UNKNOWN_I32: Final = -(1 << 31)
"""Power or voltage that was not read at this instant. Zero means a measured zero."""

FLAG_TRIPPED_LOCALLY: Final = 1
"""The relay is open because the gateway's offline rule opened it."""


class Relay(IntEnum):
    """What the meter itself said about its relay."""

    OPEN = 0
    CLOSED = 1
    UNKNOWN = 2


class Quality(IntEnum):
    """Where the register value comes from."""

    MEASURED = 0


class Reading(NamedTuple):
    """One meter at one instant: register in Wh, power in W, voltage in tenths of a volt."""

    meter: int
    at_us: int
    total_wh: int
    power_w: int = UNKNOWN_I32
    voltage_dv: int = UNKNOWN_I32
    relay: int = Relay.UNKNOWN
    quality: int = Quality.MEASURED
    flags: int = 0


def pack_readings(readings: Iterable[Reading], /) -> bytes:
    """Write readings one behind the other. Raises BadShape when a field does not fit its width."""
    pack = RECORD.pack
    try:
        return b"".join([pack(*reading, 0) for reading in readings])
    except struct.error as error:
        raise BadShape(f"a reading does not fit the 40-byte record: {error}") from None


def unpack_readings(body: bytes, /) -> list[Reading]:
    """Read what `pack_readings` wrote.

    Raises BadShape for a cut record, an unknown relay state or quality, or a reserved field in use. Whether
    the values are believable is metering's question, not the wire's.
    """
    if not body or len(body) % RECORD_BYTES:
        raise BadShape(f"readings have {len(body)} bytes, which is not a positive multiple of {RECORD_BYTES}")
    readings: list[Reading] = []
    for fields in RECORD.iter_unpack(body):
        if fields[5] > 2 or fields[6] != 0 or fields[8] != 0:
            raise BadShape(
                f"the reading of meter {fields[0]} has an unknown relay state, quality or reserved value"
            )
        readings.append(Reading._make(fields[:8]))
    return readings
