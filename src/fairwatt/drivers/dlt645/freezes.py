"""Frozen data: snapshots a meter took of itself, and the order to take one (16H)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from fairwatt.drivers.contract import Accepted
from fairwatt.drivers.errors import BadRequest, UnreadableValue
from fairwatt.drivers.several import Several

from . import codec
from .access import nothing_more
from .blocks import decode_block
from .client import read_item
from .clock import from_meter_time
from .codec import Item
from .exchange import STANDARD_RETRY, FrameExchange, Retry, one_meter
from .follow_up import JoinedExchange
from .frame import BROADCAST, FREEZE, build_frame

_ANY: Final = 0x99


class FreezeKind(IntEnum):
    """DI2 of a frozen item: what made the meter take it."""

    TIMED = 0x00
    INSTANT = 0x01
    HOURLY = 0x04
    DAILY = 0x06


_KEPT: Final = {FreezeKind.TIMED: 60, FreezeKind.INSTANT: 3, FreezeKind.HOURLY: 254, FreezeKind.DAILY: 62}


@dataclass(frozen=True, slots=True)
class FrozenEnergy:
    """The forward active register as it stood at an instant of the meter's clock; None: nothing is kept there.

    `energies_wh` is the total, then tariff 1 and on where the meter keeps them.
    """

    at_us: int | None
    energies_wh: tuple[int | None, ...]


def read_frozen_energy(
    *, address: str, kind: FreezeKind, nth: int, zone: str, retry: Retry = STANDARD_RETRY
) -> Several[FrozenEnergy]:
    """Ask for the n-th last snapshot of the register (1 is the newest) and when it was taken."""
    if not 1 <= nth <= _KEPT[kind]:
        raise BadRequest(f"A meter keeps 1 to {_KEPT[kind]} of these freezes; got {nth}. Nothing was sent.")
    base = 0x05000000 | kind << 16 | nth
    time = read_item(address=address, identifier=base, parse=lambda data: _time(data, zone), retry=retry)
    energy = codec.FORWARD_ACTIVE_TOTAL
    item = Item("frozen energy", base | 0x0100, energy.size, times=energy.times)
    energies = JoinedExchange(
        address=address,
        identifier=item.identifier,
        parse=lambda data: decode_block(item=item, data=data),
        retry=retry,
    )
    return Several(parts=[time, energies], join=lambda replies: FrozenEnergy(replies[0].at_us, replies[1]))


def freeze_now(*, address: str, retry: Retry = STANDARD_RETRY) -> FrameExchange[Accepted]:
    """Order one meter to freeze at once; read it back as the newest `INSTANT` freeze."""
    return _freeze(address, bytes([_ANY] * 4), retry)


def freeze_at(
    *,
    address: str,
    minute: int,
    hour: int | None = None,
    day: int | None = None,
    month: int | None = None,
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[Accepted]:
    """Order one meter to freeze whenever its clock shows this; what is None stands for every one."""
    return _freeze(address, _pattern(minute, hour, day, month), retry)


def broadcast_freeze() -> bytes:
    """Return the frame that makes every meter of a line freeze at once. No meter answers it."""
    return build_frame(address=BROADCAST, control=FREEZE, data=bytes([_ANY] * 4), preamble=4)


def _freeze(address: str, when: bytes, retry: Retry) -> FrameExchange[Accepted]:
    return FrameExchange(
        address=one_meter(number=address), control=FREEZE, data=when, parse=nothing_more, retry=retry
    )


def _pattern(minute: int, hour: int | None, day: int | None, month: int | None) -> bytes:
    """Write `mm hh DD MM`; the standard has monthly, daily and hourly freezes, so gaps inside are refused."""
    parts = [minute, hour, day, month]
    known = [part for part in parts if part is not None]
    ranges = (range(60), range(24), range(1, 29), range(1, 13))
    fits = all(part is None or part in span for part, span in zip(parts, ranges, strict=True))
    if not fits or parts[: len(known)] != known:
        raise BadRequest(
            "A freeze is given as minute, hour and minute, day and hour and minute, or all four, on days 1 to 28. "
            "Nothing was sent."
        )
    return bytes(_ANY if part is None else int(f"{part:02d}", 16) for part in parts)


@dataclass(frozen=True, slots=True)
class _FrozenAt:
    at_us: int | None


def _time(data: bytes, zone: str) -> _FrozenAt:
    if len(data) != 5:
        raise UnreadableValue(what="the time of a freeze", data=data)
    if data in (bytes(5), b"\xff" * 5):
        return _FrozenAt(None)
    return _FrozenAt(from_meter_time(data=b"\0" + data, zone=zone))
