"""What is kept and what is done: readings and events to the disk, the guard's decisions to the meters.

In that order: a decision is on the disk before a relay moves.
"""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.errors import CannotReach
from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.guard import Act, Deed, Guard
from fairwatt.edge.meters import Branch, MeterPoint
from fairwatt.edge.obey import Obeyer
from fairwatt.edge.openings import opened_by_another
from fairwatt.edge.spool import Spool
from fairwatt.wire.frames import Detail, Event, Kind, encode_event
from fairwatt.wire.records import FLAG_TRIPPED_LOCALLY, Reading, Relay, pack_readings

log = structlog.get_logger(__name__)

_READINGS_PER_RECORD: Final = 1000


class Deeds:
    """Keeps and acts for one agent. ``more``: what else is to be kept with each tick, as of an instant."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        spool: Spool,
        guard: Guard,
        obeyer: Obeyer,
        more: Callable[[int], list[tuple[str, bytes]]],
    ) -> None:
        self._config = config
        self._spool = spool
        self._guard = guard
        self._obeyer = obeyer
        self._more = more
        self.slept: set[int] = set()
        """meters not looked at yet since this memory was without time"""
        self._tried: dict[int, set[tuple[int, Deed]]] = {}

    def follow(self, config: EdgeConfig) -> None:
        """Live by settings that came from afar."""
        self._config = config

    def keep(self, *, readings: Sequence[Reading], events: Sequence[Event], at_us: int) -> None:
        """Put them into the spool together with the guard's count. Raises SpoolError."""
        with self._spool.atomic():
            for first in range(0, len(readings), _READINGS_PER_RECORD):
                body = pack_readings(readings[first : first + _READINGS_PER_RECORD])
                self._spool.append(kind=Kind.READINGS, body=body, at_us=at_us)
            for event in events:
                self._spool.append(kind=Kind.EVENT, body=encode_event(event), at_us=at_us)
                log.warning(event.code, meter=event.meter, **event.detail)
            self._spool.put([("guard", self._guard.dump()), *self._more(at_us)])

    def flush(self, branch: Branch, *, at_us: int) -> None:
        """Keep what a bus has read so far; before an order cuts in, or its proof would come before them."""
        readings, events = branch.taken()
        if readings or events:
            self.keep(readings=readings, events=events, at_us=at_us)

    def flagged(self, reading: Reading) -> Reading:
        """Mark a relay that is open because this gateway opened it."""
        if reading.relay == Relay.OPEN and self._guard.is_tripped(meter=reading.meter):
            return reading._replace(flags=reading.flags | FLAG_TRIPPED_LOCALLY)
        return reading

    async def own_up(self, point: MeterPoint, reading: Reading) -> None:
        """Take a relay that was found open for this gateway's own deed, if it must be: told as such.

        For the first look after this memory has a hole: the plug was out, or an older copy was put back. No order
        said open, nothing spares this home, and credit may have run out on the way (in which hours it was used
        is forgotten, so at the dearest price): who else has opened it? The meter may have written that down, and
        then its word counts. A cut that nobody remembers is never undone.
        """
        if reading.meter not in self.slept:
            return
        self.slept.discard(reading.meter)
        known = self._guard.facts(meter=reading.meter)
        if known is None or reading.relay != Relay.OPEN or self._guard.is_tripped(meter=reading.meter):
            return
        facts = known[0]
        spared = facts.protected or facts.feeds_gateway or facts.safety_open
        if (
            spared
            or not self._guard.may_have_run_out(reading)
            or self._obeyer.was_told_to_open(meter=reading.meter)
        ):
            return
        detail: Detail = {
            "wallet": self._guard.wallet_of(meter=reading.meter),
            "available_micro": facts.available_micro,
        }
        opened = await opened_by_another(point)
        if opened is not None:
            told: Detail = {**detail, "opened_us": opened.begun_us, "operator": opened.operator}
            event = Event("relay_found_open", reading.at_us, reading.meter, told)
        else:
            self._guard.expect_trip(meter=reading.meter)
            event = Event(Deed.TRIP.value, reading.at_us, reading.meter, {**detail, "presumed": True})
        self.keep(readings=[], events=[event], at_us=reading.at_us)

    async def stand_guard(self, branch: Branch, *, alone: bool, at_us: int) -> None:
        """Decide for the meters of a bus as the offline rule says, and do it; alarms also end with the line up."""
        meters = {point.number: point for point in branch.points}
        acts = self._guard.alarms(now_us=at_us, alone=alone, meters=meters.keys())
        acts += self._guard.decide(now_us=at_us, meters=meters.keys()) if alone else []
        before = self._tried.get(id(branch), set())
        self._tried[id(branch)] = {(act.meter, act.deed) for act in acts}
        for act in acts:
            await self._act(act, meters[act.meter], at_us, again=(act.meter, act.deed) in before)

    async def settle(self, branch: Branch, point: MeterPoint, *, at_us: int) -> None:
        """Decide at once, alone, after credit was carried to a meter: also where the server had cut it for credit."""
        if self._obeyer.was_cut_for_credit(meter=point.number):
            self._guard.expect_trip(meter=point.number)
        await self.stand_guard(branch, alone=True, at_us=at_us)

    async def _act(self, act: Act, point: MeterPoint, at_us: int, *, again: bool) -> None:
        # What does not succeed is ordered again at every tick and told once: nothing but the head-end ever takes
        # an event out of the spool, and a long outage must leave room for readings.
        detail: Detail = {"wallet": act.wallet, "available_micro": act.available_micro}
        if act.decision is not None:
            rule = {"rule": act.decision.rule, "reason": act.decision.reason.value}
            detail = {**detail, **rule, **dict(act.decision.evidence)}
        if act.deed is Deed.TRIP:
            self._guard.expect_trip(meter=act.meter)
        if not again:
            self.keep(readings=[], events=[Event(act.deed.value, at_us, act.meter, detail)], at_us=at_us)
        valid_until_us = at_us + point.valid_us(self._config.relay_order_valid_s * 1_000_000)
        if act.deed in (Deed.WARN, Deed.END_WARNING):
            sounds = act.deed is Deed.WARN
            if point.trouble is None and await point.warn(sound=sounds, valid_until_us=valid_until_us):
                self._guard.settle_alarm(meter=act.meter, sounds=sounds)
                self.keep(readings=[], events=[], at_us=at_us)
        elif act.deed in (Deed.TRIP, Deed.RESTORE):
            await self._switch(point, act.deed is Deed.RESTORE, valid_until_us, at_us, tell=not again)

    async def _switch(
        self, point: MeterPoint, closed: bool, valid_until_us: int, at_us: int, *, tell: bool
    ) -> None:
        try:
            relay = await point.switch(closed=closed, valid_until_us=valid_until_us)
        except CannotReach:
            return  # it is sent when the meter speaks, if this is still to be done then
        except DriverError as error:
            log.info("switch_failed", meter=point.number, error=str(error))
            if tell:
                detail: Detail = {"why": error.code, "text": str(error)[:300]}
                event = Event("local_switch_failed", at_us, point.number, detail)
                self.keep(readings=[], events=[event], at_us=at_us)
            return
        self._guard.settle_relay(meter=point.number, relay=relay, tripped=not closed)
        proof = await self._obeyer.proof(point)
        with self._spool.atomic():
            if proof is not None:
                self._spool.append(kind=Kind.READINGS, body=proof, at_us=at_us)
            self._spool.put([("guard", self._guard.dump())])

    async def check_a_clock(self, branch: Branch, *, now: Callable[[], int]) -> None:
        """One meter's clock a pass is enough for all of them in a day, and holds nobody up."""
        now_us = now()
        for point in branch.points:
            if point.clock_is_due(now_us=now_us):
                await self.check_clock(point, now=now)
                return

    async def check_clock(self, point: MeterPoint, *, now: Callable[[], int]) -> None:
        """Look at one meter's clock and set it; what was done, or could not be, is told."""
        told: Event | None = None
        try:
            ahead_us = await point.check_clock(now=now)
        except DriverError as error:
            detail: Detail = {"why": error.code, "text": str(error)[:300]}
            told = Event("meter_clock_wrong", now(), point.number, detail)
        else:
            if ahead_us is not None:
                told = Event("meter_clock_set", now(), point.number, {"ahead_us": ahead_us})
        if told is not None:
            self.keep(readings=[], events=[told], at_us=now())

    def balances(self, *, at_us: int) -> list[Event]:
        """What this gateway counted while alone: the server names the difference, if there is one."""
        events = []
        for held in self._guard.holdings():
            detail: Detail = {
                "wallet": held.wallet,
                "available_micro": held.available_micro,
                "granted_micro": held.granted_micro,
                "as_of_us": held.as_of_us,
                "counted_us": held.counted_us,
            }
            events.append(Event("guard_balance", at_us, held.meter, detail))
        return events
