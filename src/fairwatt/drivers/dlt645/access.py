"""What needs a password: writing items, address, speed and password; clearing demand, meter and events.

Every one of these names one meter by its full address. None of them is done over a wildcard or a broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fairwatt.drivers.contract import Accepted
from fairwatt.drivers.errors import BadRequest, UnreadableValue

from . import frame as wire
from .codec import encode_operator, encode_password
from .exchange import STANDARD_RETRY, FrameExchange, Retry, one_meter
from .frame import ANY_ADDRESS, MAX_WRITE_DATA
from .speed import code_of

ALL_EVENTS: Final = 0xFFFFFFFF
_HEAD: Final = 12  # identifier, password with its level, operator


def write_item(
    *,
    address: str,
    identifier: int,
    value: bytes,
    password: str,
    operator: str,
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[Accepted]:
    """Write one item (14H); `value` is as it lies on the wire, lowest byte first."""
    if not 0 < len(value) <= MAX_WRITE_DATA - _HEAD:
        raise BadRequest(
            f"A write takes 1 to {MAX_WRITE_DATA - _HEAD} bytes; got {len(value)}. Nothing was sent."
        )
    data = identifier.to_bytes(4, "little") + _keys(password, operator) + value
    return _ordered(address, wire.WRITE_DATA, data, retry)


def write_address(
    *, new: str, address: str | None = None, alone_on_line: bool = False, retry: Retry = STANDARD_RETRY
) -> FrameExchange[Accepted]:
    """Give a meter another address (15H); its programming button must be held.

    With `address` the meter is called by the one it has. Many meters take this order only under the wildcard
    address; that names every meter of the line, so it is sent only when the caller says that one is alone on it.
    """
    if (address is None) != alone_on_line:
        raise BadRequest(
            "A new address is written to a meter called by its old one, or to the only meter of a line "
            "(alone_on_line). Nothing was sent."
        )
    fresh = one_meter(number=new)
    return FrameExchange(
        address=ANY_ADDRESS if address is None else one_meter(number=address),
        control=wire.WRITE_ADDRESS,
        data=fresh,
        parse=nothing_more,
        answers_as=fresh,
        retry=retry,
    )


def change_speed(*, address: str, baud: int, retry: Retry = STANDARD_RETRY) -> FrameExchange[Accepted]:
    """Change the line speed of one meter (17H). The line must follow it after the acknowledgement.

    Meters fall back to their own speed after some silence. On a shared line change every meter, or none.
    """
    code = bytes([code_of(baud=baud)])
    return FrameExchange(
        address=one_meter(number=address), control=wire.BAUD, data=code, parse=_parse_same(code), retry=retry
    )


def change_password(
    *, address: str, identifier: int, old: str, new: str, retry: Retry = STANDARD_RETRY
) -> FrameExchange[Accepted]:
    """Change one password (18H): `identifier` 04000C01 is that of level 0, up to 04000C0A of level 9.

    `old` may be a password of a higher level. The meter answers with the new one; anything else is refused.
    """
    if not 0x04000C01 <= identifier <= 0x04000C0A:
        raise BadRequest(f"{identifier:08X} is no password of a DL/T 645 meter. Nothing was sent.")
    fresh = encode_password(new)
    return FrameExchange(
        address=one_meter(number=address),
        control=wire.PASSWORD,
        data=identifier.to_bytes(4, "little") + encode_password(old) + fresh,
        parse=_parse_same(fresh),
        retry=retry,
    )


def clear_demand(
    *, address: str, password: str, operator: str, retry: Retry = STANDARD_RETRY
) -> FrameExchange[Accepted]:
    """Clear the maximum demands of one meter (19H)."""
    return _ordered(address, wire.CLEAR_DEMAND, _keys(password, operator), retry)


def clear_meter(
    *, address: str, password: str, operator: str, retry: Retry = STANDARD_RETRY
) -> FrameExchange[Accepted]:
    """Set every register of one meter to zero (1AH).

    The meter counts and records it. Whoever charges from the register must be told before, by an exchange
    of the meter: to the ledger a cleared register is a backward one and goes to quarantine.
    """
    return _ordered(address, wire.CLEAR_METER, _keys(password, operator), retry)


def clear_events(
    *,
    address: str,
    password: str,
    operator: str,
    identifier: int = ALL_EVENTS,
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[Accepted]:
    """Clear all event records of one meter (1BH), or those of one counter (its identifier ends in FF)."""
    if identifier != ALL_EVENTS and identifier & 0xFF != 0xFF:
        raise BadRequest(
            f"Events are cleared by FFFFFFFF or an identifier that ends in FF, not {identifier:08X}. Nothing was sent."
        )
    return _ordered(
        address, wire.CLEAR_EVENTS, _keys(password, operator) + identifier.to_bytes(4, "little"), retry
    )


def nothing_more(data: bytes) -> Accepted:
    """Read an acknowledgement. Raises `UnreadableValue` when it carries anything."""
    if data:
        raise UnreadableValue(what="an empty acknowledgement", data=data)
    return Accepted()


def _ordered(address: str, control: int, data: bytes, retry: Retry) -> FrameExchange[Accepted]:
    return FrameExchange(
        address=one_meter(number=address), control=control, data=data, parse=nothing_more, retry=retry
    )


def _keys(password: str, operator: str) -> bytes:
    return encode_password(password) + encode_operator(operator)


def _parse_same(expected: bytes) -> Callable[[bytes], Accepted]:
    def parse(data: bytes) -> Accepted:
        if data != expected:
            raise UnreadableValue(what="the confirmation of what was ordered", data=data)
        return Accepted()

    return parse
