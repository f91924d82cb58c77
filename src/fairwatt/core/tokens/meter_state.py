"""A meter's memory as plain lists, numbers and bytes, so that its holder can store it before acting on a code.

It contains keys: whoever stores it keeps it closed.
"""

from __future__ import annotations

from .cipher import Algorithm
from .code import read_block
from .crc import check_of
from .credit import Resource
from .errors import TokenError
from .identity import KeyType, MeterPan
from .key_change import DecoderKey, KeySection
from .meter import Counts, Meter

VERSION = 1


class MemoryUnreadable(TokenError):
    """What was stored is no meter's memory of this version."""

    code = "memory_unreadable"


def meter_to_obj(meter: Meter) -> list[object]:
    """Flatten a meter into lists, integers, text and bytes."""
    return [
        VERSION,
        meter.pan.digits,
        [int(meter.counts.resource), meter.counts.in_money],
        _key_to_obj(meter.held),
        list(meter.taken),
        None if meter.previous is None else _key_to_obj(meter.previous),
        None if meter.taken_before is None else list(meter.taken_before),
        meter.proven,
        [section.pack() for section in meter.sections],
        meter.memory,
    ]


def meter_from_obj(obj: object) -> Meter:
    """Rebuild a meter. Raises MemoryUnreadable: a code must not be taken by a meter that forgot what it took."""
    try:
        match obj:
            case [
                1,
                str(pan),
                [int(resource), bool(in_money)],
                held,
                list(taken),
                previous,
                list() | None as taken_before,
                bool(proven),
                list(sections),
                int(memory),
            ]:
                key = _key_from_obj(held)
                return Meter(
                    pan=MeterPan(pan),
                    counts=Counts(resource=Resource(resource), in_money=in_money),
                    held=key,
                    taken=_minutes(taken),
                    previous=None if previous is None else _key_from_obj(previous),
                    taken_before=None if taken_before is None else _minutes(taken_before),
                    proven=proven,
                    sections=tuple(_section(b48, key.algorithm) for b48 in sections),
                    memory=memory,
                )
    except (ValueError, TypeError, OverflowError) as error:
        raise _unreadable() from error
    raise _unreadable()


def _key_to_obj(key: DecoderKey) -> list[object]:
    return [key.key, int(key.algorithm), int(key.kt), key.krn, key.ti, key.ken, key.sgc]


def _key_from_obj(obj: object) -> DecoderKey:
    match obj:
        case [bytes(key), int(ea), int(kt), int(krn), int(ti), int(ken), str() | None as sgc]:
            algorithm = Algorithm(ea)
            if len(key) == algorithm.key_bytes:
                return DecoderKey(
                    key=key, algorithm=algorithm, kt=KeyType(kt), krn=krn, ti=ti, ken=ken, sgc=sgc
                )
    raise _unreadable()


def _minutes(said: list[object]) -> tuple[int, ...]:
    found = [one for one in said if isinstance(one, int)]
    if len(found) != len(said) or found != sorted(set(found)):
        raise _unreadable()
    return tuple(found)


def _section(b48: int, algorithm: Algorithm) -> KeySection:
    block = b48 << 16 | check_of(token_class=2, b48=b48)
    token = read_block(token_class=2, block=block, algorithm=algorithm)
    if not isinstance(token, KeySection):
        raise _unreadable()
    return token


def _unreadable() -> MemoryUnreadable:
    return MemoryUnreadable(
        "The meter's memory of used codes cannot be read, so it takes no code: one might act twice. Supply and credit "
        "stay as they are; restore the memory, or give the meter a new key with a new base date."
    )
