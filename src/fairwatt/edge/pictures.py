"""What is known of a meter at this poll: its reading, and what else this model measures and counts."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from fairwatt.core.alarms.model import AlarmCode
from fairwatt.core.alarms.picture import Picture
from fairwatt.drivers.contract import (
    DriverError,
    Exchange,
    Measurements,
    MeterEventKind,
    ReadsConditions,
    ReadsEvents,
    ReadsMeasurements,
)
from fairwatt.edge.bus import BusDown, Silent
from fairwatt.edge.meters import MeterPoint
from fairwatt.wire.records import UNKNOWN_I32, Reading, Relay

_COUNTED = tuple(kind for kind in MeterEventKind if kind.value in set(AlarmCode))
"""What a meter counts and an alarm rule asks about, under the same name."""


_TURNS_MAX = 255

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Mute:
    """How many turns a question is left out after a refusal, and how many of them are left."""

    turns: int = 0
    left: int = 0


class Pictures:
    """Makes a picture of each meter that was read. What a meter refused to tell is asked again ever less often: it may
    not hold it, or only have been busy.

    ``every``: so many looks lie between two measurements, 0 for none.
    """

    def __init__(self, *, every: int) -> None:
        self._every = every
        self._passes: dict[int, int] = {}
        self._mute: dict[tuple[int, str], _Mute] = {}
        self._turns: dict[int, int] = {}

    async def take(self, point: MeterPoint, reading: Reading, *, closely: bool) -> Picture:
        """Ask what else there is to know: all measurements, and one event counter in turn.

        Not ``closely``: there is no time on the line; what was not asked is not known.
        """
        counts, measured = await self._more(point) if closely else ((), None)
        conditions = await self._conditions(point, closely=closely)
        relay_closed = None if reading.relay == Relay.UNKNOWN else reading.relay == Relay.CLOSED
        power_w = _known(reading.power_w)
        if measured is None:
            voltage_dv = _known(reading.voltage_dv)
            return Picture(
                at_us=reading.at_us,
                voltages_dv=() if voltage_dv is None else (voltage_dv,),
                power_w=power_w,
                relay_closed=relay_closed,
                register_wh=reading.total_wh,
                counts=counts,
                conditions=conditions,
            )
        return Picture(
            at_us=reading.at_us,
            voltages_dv=tuple(phase.voltage_dv for phase in measured.phases),
            currents_ma=tuple(phase.current_ma for phase in measured.phases),
            powers_w=tuple(phase.power_w for phase in measured.phases),
            power_w=power_w,
            power_factors_milli=tuple(phase.power_factor_milli for phase in measured.phases),
            neutral_current_ma=measured.neutral_current_ma,
            terminal_temperature_dc=measured.terminal_temperature_dc,
            residual_current_ma=measured.residual_current_ma,
            voltage_thd_pm=measured.voltage_thd_pm,
            current_thd_pm=measured.current_thd_pm,
            relay_closed=relay_closed,
            register_wh=reading.total_wh,
            counts=counts,
            conditions=conditions,
        )

    async def _conditions(self, point: MeterPoint, *, closely: bool) -> tuple[str, ...] | None:
        """What its status word says: as it was heard with the reading, or asked for; None where it has none."""
        if point.conditions is not None:
            return tuple(sorted(kind.value for kind in point.conditions))
        if not closely or not isinstance(point.driver, ReadsConditions):
            return None
        heard = await self._ask(point, "conditions", point.driver.read_conditions())
        return None if heard is None else tuple(sorted(kind.value for kind in heard.kinds))

    async def _more(self, point: MeterPoint) -> tuple[tuple[tuple[str, int], ...], Measurements | None]:
        """One event counter and all measurements, where it is this meter's turn."""
        nth = self._passes.get(point.number, 0)
        self._passes[point.number] = nth + 1
        if not self._every or nth % self._every:
            return (), None
        return await self._count(point), await self._measured(point)

    async def _measured(self, point: MeterPoint) -> Measurements | None:
        if not isinstance(point.driver, ReadsMeasurements):
            return None
        return await self._ask(point, "measurements", point.driver.read_measurements())

    async def _count(self, point: MeterPoint) -> tuple[tuple[str, int], ...]:
        """One counter a poll: a slow line has no time for all of them, and a cover stays open for a while."""
        if not isinstance(point.driver, ReadsEvents):
            return ()
        kinds = [kind for kind in _COUNTED if kind in point.driver.event_kinds]
        if not kinds:
            return ()
        turn = self._turns.get(point.number, 0)
        self._turns[point.number] = turn + 1
        kind = kinds[turn % len(kinds)]
        heard = await self._ask(point, kind.value, point.driver.read_event_count(kind=kind))
        return () if heard is None else ((heard.kind.value, heard.count),)

    async def _ask[ReplyT](self, point: MeterPoint, what: str, exchange: Exchange[ReplyT]) -> ReplyT | None:
        mute = self._mute.get((point.number, what))
        if mute is not None and mute.left:
            mute.left -= 1
            return None
        try:
            heard = await point.bus.ask(exchange)
        except (BusDown, Silent):
            return None
        except DriverError as error:
            if mute is None:
                mute = self._mute[point.number, what] = _Mute()
                log.warning("meter_tells_not", meter=point.number, what=what, error=str(error))
            mute.turns = mute.left = min(2 * mute.turns + 1, _TURNS_MAX)
            return None
        self._mute.pop((point.number, what), None)
        return heard


def _known(value: int) -> int | None:
    return None if value == UNKNOWN_I32 else value
