"""Alarms at the meters, and what they do: cut at once, hold, let power return one home after the other.

What is dangerous is decided here, with no server to ask; the server is told. The rules and the watch are
core.alarms; this is where their pictures come from and their acts go to. A decision is on the disk before
the relay moves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from fairwatt.core.alarms.dark import Darkness
from fairwatt.core.alarms.kept import state_from_obj, state_to_obj
from fairwatt.core.alarms.model import AlarmError
from fairwatt.core.alarms.restoring import SPACING, Closing, stagger
from fairwatt.core.alarms.watch import Act, Deed, Transition, WatchState, released_by_person, set_back, watch
from fairwatt.core.credit.decide import Action, decide_supply
from fairwatt.core.credit.landing import power_limit_w
from fairwatt.drivers.contract import DriverError, LimitsPower
from fairwatt.drivers.errors import CannotReach
from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.darkness import LastSeen
from fairwatt.edge.guard import Guard
from fairwatt.edge.holds import Holds
from fairwatt.edge.limits import Limits
from fairwatt.edge.meters import MeterPoint, Meters
from fairwatt.edge.pictures import Pictures
from fairwatt.edge.spool import Spool
from fairwatt.edge.watches import Watches
from fairwatt.wire import cbor
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import Detail, Event, Kind, encode_event
from fairwatt.wire.records import Reading, Relay

log = structlog.get_logger(__name__)

_KEPT: Final = "safety"
_VERSION: Final = 1
_MAX_STATE_BYTES: Final = 1 << 24
RESET: Final = "safety_reset"
"""The reason of an order by which a person lets power return after a cut that waits for one."""


class Safety:
    """The alarms of every meter of one gateway. Call it only while polling and obeying take turns."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        spool: Spool,
        meters: Meters,
        guard: Guard,
        holds: Holds,
        watches: Watches,
        limits: Limits,
        prove: Callable[[MeterPoint], Awaitable[bytes | None]],
    ) -> None:
        self._valid_us = config.relay_order_valid_s * 1_000_000
        self._spool = spool
        self._meters = meters
        self._guard = guard
        self._holds = holds
        self._prove = prove
        self._pictures = Pictures(every=config.measure_every)
        self._zone, self._watches = config.zone, watches
        self._limits = limits
        self._states: dict[int, WatchState] = {}
        self._closing: dict[int, int] = {}
        """meters that may have power again and wait for their turn -> what they drew, in W"""
        self._closed_us: dict[str, list[int]] = {}
        self._limits_w: dict[int, int] = {}
        self._said: set[tuple[int, str]] = set()
        self._seen = LastSeen()
        self._kept = b""
        """what is on the disk: a pass in which nothing changed writes nothing"""

    def load(self) -> None:
        """Take up what was kept; what cannot be read is begun anew, with every relay where it is."""
        kept = self._spool.get(_KEPT)
        if kept is not None:
            self._take_up(kept)
            self._kept = kept
        self._holds.only(meters=[n for n, state in self._states.items() if state.hold is not None])

    def set_back(self, *, now_us: int) -> None:
        """The clock was found ahead and set back: nothing remembered may be later than now. Raises SpoolError."""
        self._states = {n: set_back(state=state, now_us=now_us) for n, state in self._states.items()}
        self._closed_us = {f: [at for at in some if at <= now_us] for f, some in self._closed_us.items()}
        self._keep([], now_us)

    def tell_holds(self, *, at_us: int) -> None:
        """Say again which relays safety keeps open: the head-end may have heard otherwise from a newer memory."""
        events = [
            Event("safety_cut", at_us, n, {"reason": str(state.hold.code), "until_us": state.hold.until_us})
            for n, state in sorted(self._states.items())
            if state.hold is not None
        ]
        if events:
            self._keep(events, at_us)

    def _take_up(self, kept: bytes) -> None:
        try:
            value = cbor.decode(kept, max_bytes=_MAX_STATE_BYTES, what="the state of the alarms")
            version, states, closing, limits = cbor.array(value, length=4, what="the state of the alarms")
            if version != _VERSION:
                raise AlarmError("the state of the alarms is of another version")
            known = self._meters.points.keys()
            self._states = {n: state_from_obj(obj) for n, obj in _numbered(states) if n in known}
            self._closing = {n: _watts(w) for n, w in _numbered(closing) if n in known}
            self._limits_w = {n: _watts(w) for n, w in _numbered(limits) if n in known}
        except (FrameError, ValueError, TypeError) as error:
            log.error("alarms_begin_anew", error=str(error))
            self._states, self._closing, self._limits_w = {}, {}, {}

    async def look(
        self, point: MeterPoint, reading: Reading, *, flush: Callable[[], None], closely: bool = True
    ) -> None:
        """Look at a meter that was just read: tell what is raised and cleared, and cut at once where it must be.

        ``flush`` puts what was read before on the disk; a relay moves, and is read again, only behind it.
        """
        picture = await self._pictures.take(point, reading, closely=closely)
        self._seen.take(point.number, picture)
        state = self._states.get(point.number, WatchState())
        watched = watch(
            policy=self._watches.policy(point, zone=self._zone),
            state=state,
            now=picture,
            feeds_gateway=self._feeds_gateway(point.number, state),
        )
        self._states[point.number] = watched.state
        events = [_told(one, point.number) for one in watched.transitions]
        if watched.act is not None:
            events += self._note(point, watched.act, reading)
        if events:
            flush()
            self._keep(events, reading.at_us)
        if watched.act is not None and watched.act.deed is Deed.CUT and point.relay != Relay.OPEN:
            flush()
            await self._switch(point, closed=False, at_us=reading.at_us)

    async def follow(self, points: Sequence[MeterPoint], *, at_us: int) -> None:
        """After a pass over these meters: keep where every delay stands, close whose turn it is, land softly."""
        self._keep([], at_us)
        await self.close_due(points=points, at_us=at_us)
        for point in points:
            await self._land(point, at_us)

    def _feeds_gateway(self, meter: int, state: WatchState) -> bool:
        # Without a grant and a word of the desk nobody knows which meter feeds this gateway: then none is cut, and none
        # let go either.
        known, said = self._guard.facts(meter=meter), self._watches.get(meter)
        if known is None:
            return state.hold is None if said is None else said.feeds_gateway
        return known[0].feeds_gateway or (said is not None and said.feeds_gateway)

    def _note(self, point: MeterPoint, act: Act, reading: Reading) -> list[Event]:
        """Move what the guard and the queue know of this relay, and say it once."""
        if act.deed is Deed.RELEASE:
            return [self._release(point, str(act.code), reading.at_us)]
        self._closing.pop(point.number, None)
        if act.again:
            return []
        self._holds.begin(meter=point.number, was_closed=reading.relay == Relay.CLOSED)
        detail: Detail = {"reason": str(act.code), "until_us": act.until_us, "relay": reading.relay}
        return [Event("safety_cut", reading.at_us, point.number, detail)]

    def _release(self, point: MeterPoint, code: str, at_us: int) -> Event:
        """End a hold. The relay closes unless it was open before, or credit has run out meanwhile."""
        was_closed = self._holds.end(meter=point.number)
        empty = was_closed and self._is_due_to_be_cut(point.number, at_us)
        if was_closed and not empty:
            before = self._states[point.number].before
            self._closing[point.number] = max(0, (before.power_w or 0) if before is not None else 0)
        elif was_closed:
            # Credit holds it now, by this gateway's word: the server restores it when there is credit.
            self._guard.expect_trip(meter=point.number)
        detail: Detail = {"reason": code, "closes": was_closed and not empty, "empty": empty}
        return Event("safety_released", at_us, point.number, detail)

    def _is_due_to_be_cut(self, meter: int, at_us: int) -> bool:
        """Whether credit would cut this home at once if its relay were closed: then it is not closed at all."""
        known = self._guard.facts(meter=meter)
        if known is None:
            return False
        facts, policy = known
        closed = replace(facts, relay_closed=True, safety_open=False)
        return decide_supply(facts=closed, policy=policy, now_us=at_us).action is Action.CUT

    def allows(self, *, meter: int, relay: int, reason: str, at_us: int) -> bool:
        """Say whether an order may be carried out. None closes a relay that safety keeps open.

        An order with the reason `RESET` is a person's word that the cause is mended; it ends a hold when no danger
        is open any more.
        """
        if reason == RESET and not self._release_by_person(meter, at_us):
            return relay != RelayOrder.CLOSED
        if relay == RelayOrder.OPEN:
            self._holds.opened(meter=meter)
            self._closing.pop(meter, None)
        allowed = relay != RelayOrder.CLOSED or meter not in self._holds
        if allowed:
            self._seen.ordered(meter, relay=relay, reason=reason, at_us=at_us)
        return allowed

    def why_dark(self, *, meter: int, said_dark: bool, now_us: int) -> Darkness:
        """Say why a home of this gateway is dark; unknown where what was seen leaves a doubt."""
        point = self._meters.points[meter]
        neighbours = [one.number for one in self._meters.branch_of(meter=meter).points if one.number != meter]
        return self._seen.why_dark(
            meter=meter,
            neighbours=neighbours,
            hold=self._states.get(meter, WatchState()).hold,
            tripped=self._guard.is_tripped(meter=meter),
            silent=point.trouble is not None,
            relay=point.relay,
            said_dark=said_dark,
            now_us=now_us,
        )

    def _release_by_person(self, meter: int, at_us: int) -> bool:
        state = self._states.get(meter, WatchState())
        if state.hold is None:
            # This memory knows of no hold (an older copy, or a new one), the server does: it must hear that none is.
            self._keep([Event("safety_released", at_us, meter, {"closes": False, "empty": False})], at_us)
            return True
        try:
            policy = self._watches.policy(self._meters.points[meter], zone=self._zone)
            after = released_by_person(policy=policy, state=state, at_us=at_us)
        except AlarmError as error:
            detail: Detail = {"reason": str(state.hold.code), "text": str(error)[:300]}
            self._keep([Event("safety_reset_refused", at_us, meter, detail)], at_us)
            return False
        self._states[meter] = after
        event = self._release(self._meters.points[meter], str(state.hold.code), at_us)
        self._closing.pop(meter, None)  # the order that came with it says where the relay is to be
        self._keep([event], at_us)
        return True

    async def close_due(self, *, points: Iterable[MeterPoint], at_us: int) -> None:
        """Close the relays whose turn it is, feeder by feeder."""
        waiting = [
            Closing(point.number, self._watches.feeder(point), self._closing[point.number])
            for point in points
            if point.number in self._closing
        ]
        if not waiting:
            return
        due = stagger(closings=waiting, closed_us=self._closed_us, spacing=SPACING, now_us=at_us)
        for closing in sorted(waiting, key=lambda one: (due[one.key], one.load_w)):
            if due[closing.key] > at_us:
                continue
            if closing.key in self._holds or self._guard.is_tripped(meter=closing.key):
                del self._closing[closing.key]
            elif await self._switch(self._meters.points[closing.key], closed=True, at_us=at_us):
                del self._closing[closing.key]
                recent = self._closed_us.get(closing.feeder, [])
                self._closed_us[closing.feeder] = [*recent[-SPACING.homes :], at_us]
        self._keep([], at_us)

    def wait(self, points: Iterable[MeterPoint]) -> bool:
        """Say whether one of these relays waits for its turn to be closed, and can hear it before the next pass."""
        return any(point.number in self._closing and not point.wakes_within_us for point in points)

    async def _switch(self, point: MeterPoint, *, closed: bool, at_us: int) -> bool:
        """Order the relay and read the meter; say whether it obeyed. A failure is told once."""
        try:
            relay = await point.switch(closed=closed, valid_until_us=at_us + point.valid_us(self._valid_us))
        except CannotReach:
            return False
        except DriverError as error:
            log.info("switch_failed", meter=point.number, error=str(error))
            if (point.number, error.code) not in self._said:
                self._said.add((point.number, error.code))
                why: Detail = {"why": error.code, "text": str(error)[:300], "safety": True}
                self._keep([Event("local_switch_failed", at_us, point.number, why)], at_us)
            return False
        self._said -= {one for one in self._said if one[0] == point.number}
        proof = await self._prove(point)
        if proof is not None:
            self._spool.append(kind=Kind.READINGS, body=proof, at_us=at_us)
        return relay == (Relay.CLOSED if closed else Relay.OPEN)

    async def _land(self, point: MeterPoint, at_us: int) -> None:
        """Take power down with the credit where the meter can, and back up when there is credit again."""
        driver = point.driver
        if not isinstance(driver, LimitsPower) or point.trouble is not None:
            return
        known = self._guard.facts(meter=point.number)
        limit_w = available_micro = None
        if known is not None:
            facts, policy = known
            available_micro = facts.available_micro
            spared = facts.protected or facts.feeds_gateway
            limit_w = power_limit_w(policy=policy, available_micro=available_micro, spared=spared)
        before_w = self._limits_w.get(point.number)
        if limit_w is not None or before_w is not None:
            self._limits.leave(point.number, self._of_meter(point.number, limit_w))
        try:
            await self._limits.hold(point, driver, at_us=at_us)
        except DriverError as error:
            log.info("limit_failed", meter=point.number, error=str(error))
            return
        if limit_w != before_w:
            self._note_limit(point.number, limit_w, available_micro, at_us)

    def _of_meter(self, meter: int, limit_w: int | None) -> int | None:
        """The limit of a home in the watts that its meter sees behind its transformers."""
        return None if limit_w is None else self._guard.transformer_of(meter=meter).of_meter(limit_w)

    def _note_limit(self, meter: int, limit_w: int | None, available_micro: int | None, at_us: int) -> None:
        detail: Detail = {"limit_w": limit_w, "available_micro": available_micro}
        if limit_w is None:
            del self._limits_w[meter]
            self._keep([Event("power_limit_lifted", at_us, meter, detail)], at_us)
        else:
            self._limits_w[meter] = limit_w
            self._keep([Event("power_limited", at_us, meter, detail)], at_us)

    def _keep(self, events: list[Event], at_us: int) -> None:
        """Events, the state of every alarm and the holds: on the disk together, before anything is switched."""
        states = [[n, state_to_obj(state)] for n, state in sorted(self._states.items())]
        closing = [list(one) for one in sorted(self._closing.items())]
        limits = [list(one) for one in sorted(self._limits_w.items())]
        kept = cbor.encode([_VERSION, states, closing, limits])
        if not events and kept == self._kept:
            return
        with self._spool.atomic():
            for event in events:
                self._spool.append(kind=Kind.EVENT, body=encode_event(event), at_us=at_us)
                log.warning(event.code, meter=event.meter, **event.detail)
            self._spool.put([(_KEPT, kept)])
        self._kept = kept


def _told(one: Transition, meter: int) -> Event:
    """A transition as the server hears it."""
    detail: Detail = {"reason": str(one.code), "severity": str(one.severity), "protects": one.protects}
    detail = {**detail, **dict(one.evidence)}
    if one.raised:
        return Event("alarm_raised", one.at_us, meter, detail)
    return Event("alarm_cleared", one.at_us, meter, detail)


def _numbered(rows: object) -> list[tuple[int, object]]:
    if type(rows) is not list:
        raise AlarmError("the state of the alarms is no list of meters")
    pairs = [cbor.array(row, length=2, what="a meter and its state") for row in rows]
    return [(cbor.integer(meter, what="meter", high=(1 << 64) - 1), rest) for meter, rest in pairs]


def _watts(value: object) -> int:
    return cbor.integer(value, what="a power")
