"""A schedule as plain lists, ints and strings: what a signed grant carries and a store keeps."""

from typing import Final, Literal, assert_never

from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks, Period, TariffError
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.model import Element, Schedule, TariffVersion

FORMAT: Final = 1
_ENERGY: Final = 1
_STANDING: Final = 2
_TAX: Final = 3


class ScheduleObjError(TariffError):
    """Data that is not a schedule in its wire form."""


def schedule_to_obj(schedule: Schedule) -> list[object]:
    """Flatten a schedule; ``schedule_from_obj`` gives back an equal one, and equal ones flatten equally."""
    return [
        FORMAT,
        schedule.currency,
        schedule.zone,
        [
            [v.number, v.effective_us, v.name, [_element_to_obj(e) for e in v.elements]]
            for v in schedule.versions
        ],
    ]


def schedule_from_obj(obj: object) -> Schedule:
    """Rebuild a schedule; raises ``ScheduleObjError`` for a wrong shape.

    A right shape with a wrong tariff raises ``TariffError``, an unknown zone ``UnknownZone``.
    """
    match obj:
        case [1, str(currency), str(zone), list(versions)]:
            return Schedule(currency, zone, tuple(_version_from_obj(v) for v in versions))
        case _:
            raise ScheduleObjError("this is not a version 1 schedule")


def _version_from_obj(obj: object) -> TariffVersion:
    match obj:
        case [int(number), int(effective_us), str(name), list(elements)]:
            return TariffVersion(number, effective_us, name, tuple(_element_from_obj(e) for e in elements))
        case _:
            raise ScheduleObjError("a tariff version is [number, effective_us, name, elements]")


def _element_to_obj(element: Element) -> list[object]:
    match element:
        case EnergyBlocks():
            periods = [_period_to_obj(period) for period in element.periods]
            return [_ENERGY, element.counter, list(element.bounds_wh), periods]
        case StandingCharge():
            return [_STANDING, element.micro_per_day]
        case Tax():
            return [_TAX, element.name, element.rate_bp, sorted(element.on)]
        case _:
            assert_never(element)


def _element_from_obj(obj: object) -> Element:
    match obj:
        case [1, "month" | "year" | "none" as counter, list(bounds), list(periods)]:
            counted: Literal["month", "year", "none"] = counter
            return EnergyBlocks(counted, _ints(bounds), tuple(_period_from_obj(p) for p in periods))
        case [2, int(micro_per_day)]:
            return StandingCharge(micro_per_day)
        case [3, str(name), int(rate_bp), list(on)]:
            return Tax(name, rate_bp, frozenset(_strs(on)))
        case _:
            raise ScheduleObjError("this is none of the known tariff elements")


def _period_to_obj(period: Period) -> list[object]:
    return [
        period.name,
        [[start, end] for start, end in period.windows],
        None if period.months is None else sorted(period.months),
        None if period.weekdays is None else sorted(period.weekdays),
        list(period.prices_micro),
    ]


def _period_from_obj(obj: object) -> Period:
    match obj:
        case [str(name), list(windows), list() | None as months, list() | None as weekdays, list(prices)]:
            return Period(
                name=name,
                windows=tuple(_window_from_obj(window) for window in windows),
                months=None if months is None else frozenset(_ints(months)),
                weekdays=None if weekdays is None else frozenset(_ints(weekdays)),
                prices_micro=_ints(prices),
            )
        case _:
            raise ScheduleObjError("a period is [name, windows, months, weekdays, prices]")


def _window_from_obj(obj: object) -> tuple[int, int]:
    match obj:
        case [int(start), int(end)]:
            return start, end
        case _:
            raise ScheduleObjError("a window is a pair of minutes")


def _ints(values: list[object]) -> tuple[int, ...]:
    if not all(type(value) is int for value in values):
        raise ScheduleObjError(f"whole numbers expected, got {values!r}")
    return tuple(value for value in values if isinstance(value, int))


def _strs(values: list[object]) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise ScheduleObjError(f"words expected, got {values!r}")
    return tuple(value for value in values if isinstance(value, str))
