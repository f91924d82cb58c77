"""How much power a home may draw: what the desk ordered and what its credit leaves, of which the smaller holds.

A meter has one place for both, so neither writes it alone. It is read again now and then: a meter that was exchanged,
or that somebody set by hand, is set anew.
"""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.contract import LimitsPower
from fairwatt.edge.meters import MeterPoint
from fairwatt.edge.spool import Spool
from fairwatt.wire import cbor

_KEPT: Final = "limit/"
_LOOK_EVERY_US: Final = 15 * 60 * 1_000_000


class Limits:
    """The limits of the meters of one gateway, in the watts that each meter sees. Call it with the bus for yourself."""

    def __init__(self, *, spool: Spool) -> None:
        self._spool = spool
        self._ordered: dict[int, int | None] = {
            int(key.removeprefix(_KEPT)): _read(value) for key, value in spool.entries(_KEPT)
        }
        self._left: dict[int, int | None] = {}
        self._shown: dict[int, tuple[int | None, int]] = {}
        """meter -> what it was set to, and when it was last seen to be so"""

    def left_w(self, meter: int) -> int | None:
        """What the credit of a home leaves it; None: all."""
        return self._left.get(meter)

    def leave(self, meter: int, limit_w: int | None, /) -> None:
        """Say what the credit of a home leaves it. Where nobody ever limited anything, the meter stays as it is."""
        if limit_w is not None or meter in self._left:
            self._left[meter] = limit_w

    async def order(self, point: MeterPoint, driver: LimitsPower, limit_w: int | None, /) -> None:
        """Set what the desk ordered, as far as credit leaves it. Raises DriverError: then nothing was changed."""
        await point.bus.ask(driver.limit_power(limit_w=_smaller(limit_w, self.left_w(point.number))))
        self._spool.put([(f"{_KEPT}{point.number}", cbor.encode([limit_w]))])
        self._ordered[point.number] = limit_w
        self._shown.pop(point.number, None)

    async def hold(self, point: MeterPoint, driver: LimitsPower, *, at_us: int) -> None:
        """See to it that the meter has the smaller limit. Raises DriverError."""
        meter = point.number
        if meter not in self._ordered and meter not in self._left:
            return
        due_w = _smaller(self._ordered.get(meter), self.left_w(meter))
        shown_w, seen_us = self._shown.get(meter, (None, at_us - _LOOK_EVERY_US))
        if shown_w == due_w and at_us - seen_us < _LOOK_EVERY_US:
            return
        if (await point.bus.ask(driver.read_power_limit())).limit_w != due_w:
            await point.bus.ask(driver.limit_power(limit_w=due_w))
        self._shown[meter] = due_w, at_us


def _smaller(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _read(value: bytes) -> int | None:
    (limit,) = cbor.array(
        cbor.decode(value, max_bytes=64, what="a kept limit"), length=1, what="a kept limit"
    )
    return None if limit is None else cbor.integer(limit, what="limit_w")
