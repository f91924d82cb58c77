"""A schedule as plain lists, ints and strings: what a signed grant carries and a store keeps."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import date
from typing import Final

from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.energy_blocks import Case, EnergyBlocks, Extra, SeasonBounds
from fairwatt.core.rating.elements.market_price import MarketPrice, Series
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.periods import DateRange, Days, Period
from fairwatt.core.rating.elements.rebate import Rebate, RebateCase
from fairwatt.core.rating.elements.standing_charge import Band, StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.elements.use_charge import UseBand, UseCharge
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.model import Calendar, Parameter, Rounding, Schedule, TariffVersion
from fairwatt.core.spans import Span

FORMAT: Final = 2
# A number, once given, stays with its class: grants of yesterday are read tomorrow.
_CLASSES: Final[dict[int, type]] = {
    1: EnergyBlocks,
    2: StandingCharge,
    3: Tax,
    4: Package,
    5: MinimumCharge,
    6: DemandCharge,
    7: Rebate,
    8: VendingCharge,
    9: Period,
    10: Days,
    11: DateRange,
    12: Case,
    13: Extra,
    14: SeasonBounds,
    15: MarketPrice,
    16: Series,
    17: RebateCase,
    18: Band,
    19: Calendar,
    20: Parameter,
    21: Rounding,
    22: TariffVersion,
    23: Schedule,
    24: Span,
    25: UseCharge,
    26: UseBand,
}
_NUMBERS: Final = {made: number for number, made in _CLASSES.items()}
_LIST: Final = 0
_SET: Final = -1
_DATE: Final = -2


class ScheduleObjError(TariffError):
    """Data that is not a schedule in its wire form."""


def schedule_to_obj(schedule: Schedule) -> list[object]:
    """Flatten a schedule; ``schedule_from_obj`` gives back an equal one, and equal ones flatten equally."""
    return [FORMAT, _flat(schedule)]


def schedule_from_obj(obj: object) -> Schedule:
    """Rebuild a schedule; raises ``ScheduleObjError`` for a wrong shape.

    A right shape with a wrong tariff raises ``TariffError``, an unknown zone ``UnknownZone``.
    """
    match obj:
        case [2, body]:
            made = _made(body)
            if isinstance(made, Schedule):
                return made
    raise ScheduleObjError(f"this is not a version {FORMAT} schedule")


def _flat(value: object) -> object:
    """Lists begin with what they are: a class number, a plain list or a set."""
    match value:
        case None | bool() | int() | str():
            return value
        case date():
            return [_DATE, value.toordinal()]
        case frozenset():
            return [_SET, *sorted(map(_flat, value))]  # type: ignore[type-var]  # all of one kind
        case _ if type(value) in _NUMBERS:
            return [_NUMBERS[type(value)], *_values(value)]
        case tuple():
            return [_LIST, *map(_flat, value)]
        case _:
            raise AssertionError(f"a schedule holds no {type(value).__name__}")


def _values(value: object) -> list[object]:
    """The fields of a value in order; defaults at the end are left out."""
    if isinstance(value, tuple):
        return [_flat(part) for part in value]
    known = fields(value)  # type: ignore[arg-type]  # all others are dataclasses
    values = [getattr(value, field.name) for field in known]
    while values and known[len(values) - 1].default is not MISSING:
        if values[-1] != known[len(values) - 1].default:
            break
        values.pop()
    return [_flat(part) for part in values]


def _made(obj: object) -> object:
    match obj:
        case None | bool() | int() | str():
            return obj
        case [int(kind), *values] if type(kind) is int:
            parts = tuple(_made(part) for part in values)
            return _built(kind, parts)
        case _:
            raise ScheduleObjError(f"a schedule holds nothing like {obj!r:.60}")


def _built(kind: int, parts: tuple[object, ...]) -> object:
    if kind == _LIST:
        return parts
    try:
        if kind == _SET:
            return frozenset(parts)
        if kind == _DATE:
            return date.fromordinal(*parts)  # type: ignore[arg-type]
        return _CLASSES[kind](*parts)
    except TariffError:
        raise
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ScheduleObjError(f"this is none of the known parts of a tariff: {error}") from error
