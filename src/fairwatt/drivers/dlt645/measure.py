"""Everything a meter measures at one instant, from its blocks or its single items, as a profile says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fairwatt.drivers.contract import DriverError, Exchange, Measurements, PhaseReading
from fairwatt.drivers.several import Several

from . import blocks
from .blocks import read_block
from .codec import Item
from .errors import MeterRefused
from .exchange import STANDARD_RETRY, Retry

NEUTRAL_CURRENT: Final = Item("neutral current", 0x02800001, 3, signed=True)
FREQUENCY: Final = Item("frequency", 0x02800002, 2)

# The single items of phase A, for meters without blocks. Power and power factor are the totals there.
_SINGLE: Final = (
    Item("voltage", 0x02010100, 2),
    Item("current", 0x02020100, 3, signed=True),
    Item("active power", 0x02030000, 3, over=10, signed=True),
    Item("power factor", 0x02060000, 2, signed=True),
)
_BLOCKS: Final = (
    blocks.VOLTAGE_BLOCK,
    blocks.CURRENT_BLOCK,
    blocks.POWER_BLOCK,
    blocks.POWER_FACTOR_BLOCK,
)
_DISTORTIONS: Final = (blocks.VOLTAGE_THD_BLOCK, blocks.CURRENT_THD_BLOCK)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a model measures: its phases, and the items beside them (`[measurements]` of a profile)."""

    phases: int = 1
    by_blocks: bool = False
    distortion: bool = False
    extras: tuple[tuple[str, Item], ...] = ()


def read_measurements(
    *, address: str, measures: Measures, retry: Retry = STANDARD_RETRY
) -> Exchange[Measurements]:
    """Ask for everything one after another and return it as one. What the meter does not hold is None."""
    items = list(_BLOCKS if measures.by_blocks else _SINGLE)
    if measures.distortion:
        items += _DISTORTIONS
    parts = [read_block(address=address, item=item, retry=retry) for item in items]
    extras = [read_block(address=address, item=item, retry=retry) for _, item in measures.extras]
    return Several(
        parts=[*parts, *extras],
        join=lambda replies: _measurements(measures, replies[: len(parts)], replies[len(parts) :]),
        may_lack=_does_not_hold_it,
    )


def _does_not_hold_it(error: DriverError) -> bool:
    return isinstance(error, MeterRefused) and error.reasons == ("no_data",)


type _Block = tuple[int | None, ...] | None


def _measurements(measures: Measures, parts: tuple[_Block, ...], extras: tuple[_Block, ...]) -> Measurements:
    voltages, currents, powers, factors = parts[:4]
    first = 1 if measures.by_blocks else 0  # the blocks of power and power factor begin with the total
    phases = tuple(
        PhaseReading(
            voltage_dv=_at(voltages, phase),
            current_ma=_at(currents, phase),
            power_w=_at(powers, phase + first),
            power_factor_milli=_at(factors, phase + first),
        )
        for phase in range(measures.phases)
    )
    beside: dict[str, Any] = {
        name: _at(value, 0) for (name, _), value in zip(measures.extras, extras, strict=True)
    }
    if measures.distortion:
        beside |= {"voltage_thd_pm": _worst(parts[4]), "current_thd_pm": _worst(parts[5])}
    return Measurements(phases=phases, **beside)


def _at(block: _Block, place: int) -> int | None:
    return block[place] if block is not None and place < len(block) else None


def _worst(block: _Block) -> int | None:
    return max((value for value in block or () if value is not None), default=None)
