"""Block reads: FFH in an identifier asks for all tariffs or all phases at once."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.errors import UnreadableValue

from . import codec
from .codec import Item
from .exchange import STANDARD_RETRY, Retry
from .follow_up import JoinedExchange

FORWARD_ACTIVE_BLOCK: Final = 0x0001FF00

# The blocks of present values: total where there is one, then phases A, B and C.
VOLTAGE_BLOCK: Final = Item("voltage", 0x0201FF00, 2)
CURRENT_BLOCK: Final = Item("current", 0x0202FF00, 3, signed=True)
POWER_BLOCK: Final = Item("active power", 0x0203FF00, 3, over=10, signed=True)
POWER_FACTOR_BLOCK: Final = Item("power factor", 0x0206FF00, 2, signed=True)
VOLTAGE_THD_BLOCK: Final = Item("voltage distortion", 0x0208FF00, 2, over=10)
CURRENT_THD_BLOCK: Final = Item("current distortion", 0x0209FF00, 2, over=10)


def read_block(
    *, address: str, item: Item, retry: Retry = STANDARD_RETRY
) -> JoinedExchange[tuple[int | None, ...]]:
    """Ask for a block whose values all have the form of `item`; None stands where the meter has no value.

    A meter may send fewer values than the standard has: a single-phase meter one voltage, a meter of two
    tariffs a total and two registers.
    """
    return JoinedExchange(
        address=address,
        identifier=item.identifier,
        parse=lambda data: decode_block(item=item, data=data),
        retry=retry,
    )


def read_tariff_energies(
    *, address: str, identifier: int = FORWARD_ACTIVE_BLOCK, retry: Retry = STANDARD_RETRY
) -> JoinedExchange[tuple[int | None, ...]]:
    """Ask for an energy block in Wh: the total, then tariff 1 and on."""
    total = codec.FORWARD_ACTIVE_TOTAL
    item = Item("energy block", identifier, total.size, times=total.times)
    return read_block(address=address, item=item, retry=retry)


def decode_block(*, item: Item, data: bytes) -> tuple[int | None, ...]:
    """Cut a block into values of one form. Raises `UnreadableValue` unless they fill it exactly."""
    if not data or len(data) % item.size:
        raise UnreadableValue(what=f"a block of {item.name}", data=data)
    parts = [data[at : at + item.size] for at in range(0, len(data), item.size)]
    return tuple(None if part == b"\xff" * item.size else item.decode(part) for part in parts)
