"""Emergency restores: a code or a permit gives one home supply for hours; what was used is on the disk first.

While one is in force the guard cuts nothing for credit and counts on, and the head-end, once it knows, does the
same. It books nothing: the energy is charged by its readings like any other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog

from fairwatt.core.commands import restore_code
from fairwatt.core.commands.restore_code import Lock, Marker, Memory, Mistyped, Outcome
from fairwatt.drivers.contract import DriverError
from fairwatt.edge.guard import Guard
from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.locks import CODES, Locks
from fairwatt.edge.meters import MeterPoint
from fairwatt.edge.rollback import Doubt
from fairwatt.edge.spool import Spool
from fairwatt.wire import cbor, cose
from fairwatt.wire.errors import BadShape, FrameError
from fairwatt.wire.frames import Detail, Event, Kind, encode_event
from fairwatt.wire.permits import Permit
from fairwatt.wire.records import Relay

log = structlog.get_logger(__name__)

RESTORED: Final = b"fairwatt/v1/restored"
_KEPT: Final = "restore/"
_FORMAT: Final = 1
_SERIALS_MAX: Final = 64
_LOCKED_OUT: Final = (1 << 32) - 1024
"""A counter no office ever reaches: with it as the highest used, no code is taken."""
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_S: Final = 1_000_000


class Proves(Protocol):
    """Reads a meter now and gives the packed reading, or None when it is silent."""

    async def __call__(self, point: MeterPoint, /) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Held:
    """What the gateway remembers of one meter. ``done``: the relay was seen closed, so it is not ordered again.

    ``lock``: of what anybody typed there.
    """

    memory: Memory = field(default_factory=Memory)
    lock: Lock = field(default_factory=Lock)
    until_us: int = 0
    done: bool = True
    serials: tuple[bytes, ...] = ()


class Emergency:
    """Takes codes and permits for the meters of one gateway. Call it while nobody else asks or switches the meter."""

    def __init__(
        self,
        *,
        points: Mapping[int, MeterPoint],
        spool: Spool,
        doubt: Doubt,
        guard: Guard,
        marker: Marker | None,
        sign: Callable[[bytes], bytes],
        prove: Proves,
        may_close: Callable[[int, int], bool],
        valid_s: int,
    ) -> None:
        self._points, self._spool, self._guard = points, spool, guard
        self._doubt = doubt
        self._marker, self._sign, self._prove, self._may_close = marker, sign, prove, may_close
        self._valid_us = valid_s * _S
        self._own_tries = Locks(spool=spool, kind=CODES)
        self._held: dict[int, Held] = {}

    def load(self) -> None:
        """Take up what was kept. What cannot be read locks its meter's codes out: forgetting would use them twice."""
        for key, value in self._spool.entries(_KEPT):
            meter = int(key.removeprefix(_KEPT))
            try:
                self._held[meter] = _read(value)
            except FrameError as error:
                log.error("restore_memory_lost", meter=meter, error=str(error))
                self._held[meter] = Held(memory=Memory(_LOCKED_OUT))
            self._tell_guard(meter)

    def set_back(self, *, now_us: int) -> None:
        """The clock was found ahead and set back: no restore goes on for longer than one may ever last."""
        latest_us = now_us + max(restore_code.HOURS) * _HOUR_US
        for meter, held in list(self._held.items()):
            if held.until_us > latest_us:
                self._keep(meter, replace(held, until_us=latest_us), [], now_us)

    def in_force_until_us(self, *, meter: int, now_us: int) -> int:
        """Until when a restore is in force; 0 when none is."""
        until_us = self._held.get(meter, Held()).until_us
        return until_us if now_us < until_us else 0

    async def enter(self, *, meter: int, digits: str, now_us: int, proven: bool = False) -> Answer:
        """Try a restore code at a meter. Only a code whose check digit holds counts as a try.

        The tries of who is ``proven`` are counted apart from those of everybody.
        """
        if self._marker is None:
            return Answer("no_key")
        try:
            typed = restore_code.read_code(digits)
        except Mistyped:
            return Answer(Outcome.MISTYPED)
        held = self._held.get(meter, Held())
        lock = (self._own_tries.of(meter) if proven else held.lock).seen(now_us=now_us)
        if now_us < lock.until_us:
            return Answer("locked", wait_s=-(-(lock.until_us - now_us) // _S))
        verdict = restore_code.judge(
            typed=typed,
            meter=meter,
            others=[other for other in self._points if other != meter],
            memory=held.memory,
            today=now_us // _DAY_US,
            marker=self._marker,
        )
        if verdict.outcome is not Outcome.ACCEPTED:
            return self._refuse(meter, held, lock, verdict.outcome, now_us, proven=proven)
        if verdict.day <= self._doubt.codes_us // _DAY_US:
            return Answer("in_doubt")
        if not self._may_close(meter, now_us):
            return Answer("unsafe")
        if proven and lock.failures:
            self._own_tries.keep(meter, Lock())
        after = replace(held, memory=held.memory.using(verdict.counter), lock=Lock())
        said: Detail = {"how": "code", "counter": verdict.counter, "day": verdict.day}
        return await self._restore(meter, after, verdict.hours, said, now_us)

    async def by_permit(self, *, meter: int, hours: int, permit: Permit, now_us: int) -> Answer:
        """Restore a meter on an administrator's permit: once a permit and meter, within its hours."""
        held = self._held.get(meter, Held())
        if permit.serial in held.serials:
            return Answer("permit_used", until_us=held.until_us)
        if permit.from_us < self._doubt.codes_us:
            return Answer("permit_in_doubt")
        if not 0 < hours <= permit.hours_max:
            return Answer("hours_refused")
        if not self._may_close(meter, now_us):
            return Answer("unsafe")
        after = replace(held, serials=(*held.serials, permit.serial)[-_SERIALS_MAX:])
        said: Detail = {"how": "permit", "permit": permit.serial, "holder": permit.holder}
        return await self._restore(meter, after, hours, said, now_us)

    async def keep(self, point: MeterPoint, *, now_us: int) -> None:
        """At each pass: close what does not show closed yet, and end what is over."""
        held = self._held.get(point.number)
        if held is None or not held.until_us:
            return
        if now_us >= held.until_us:
            event = Event("restore_ended", now_us, point.number, {"until_us": held.until_us})
            self._keep(point.number, replace(held, until_us=0, done=True), [event], now_us)
        elif not held.done and point.trouble is None and self._may_close(point.number, now_us):
            await self._close(point, held, now_us)

    async def _restore(self, meter: int, held: Held, hours: int, said: Detail, now_us: int) -> Answer:
        until_us = max(held.until_us, now_us + hours * _HOUR_US)
        point = self._points[meter]
        after = replace(held, until_us=until_us, done=False)
        wallet = self._guard.wallet_of(meter=meter)
        available = None if wallet is None else self._guard.available_micro(wallet=wallet)
        detail: Detail = {**said, "hours": hours, "until_us": until_us, "available_micro": available}
        proof = self._sign(cbor.encode([_FORMAT, meter, now_us, until_us, dict(detail)]))
        # On the disk before the relay moves: a pulled plug neither uses a code twice nor forgets the hours.
        self._keep(meter, after, [Event("restored", now_us, meter, {**detail, "signed": proof})], now_us)
        closed = await self._close(point, after, now_us)
        return Answer(Outcome.ACCEPTED if closed else "accepted_waits", until_us=until_us, hours=hours)

    async def _close(self, point: MeterPoint, held: Held, now_us: int) -> bool:
        valid_until_us = min(held.until_us, now_us + point.valid_us(self._valid_us))
        try:
            relay = await point.switch(closed=True, valid_until_us=valid_until_us)
        except DriverError as error:
            log.warning("restore_waits_for_meter", meter=point.number, error=str(error))
            return False
        self._guard.settle_relay(meter=point.number, relay=relay, tripped=False)
        proof = await self._prove(point)
        with self._spool.atomic():
            if proof is not None:
                self._spool.append(kind=Kind.READINGS, body=proof, at_us=now_us)
            self._keep(point.number, replace(held, done=relay == Relay.CLOSED), [], now_us)
        return relay == Relay.CLOSED

    def _refuse(
        self, meter: int, held: Held, lock: Lock, outcome: Outcome, now_us: int, *, proven: bool
    ) -> Answer:
        # A code of a neighbour, an old or a used one is known to be ours: no guess. It gets no wait, and no event.
        if outcome is not Outcome.WRONG:
            return Answer(outcome)
        lock = lock.failed(now_us=now_us)
        detail: Detail = {"outcome": outcome.value, "failures": lock.failures}
        with self._spool.atomic():
            if proven:
                self._own_tries.keep(meter, lock)
            else:
                held = replace(held, lock=lock)
            self._keep(meter, held, [Event("restore_code_refused", now_us, meter, detail)], now_us)
        return Answer(outcome, wait_s=restore_code.wait_s(lock.failures))

    def _keep(self, meter: int, held: Held, events: list[Event], now_us: int) -> None:
        with self._spool.atomic():
            self._spool.put([(f"{_KEPT}{meter}", _written(held)), ("guard", self._guard.dump())])
            for event in events:
                self._spool.append(kind=Kind.EVENT, body=encode_event(event), at_us=now_us)
                log.warning(
                    event.code, meter=meter, **{k: v for k, v in event.detail.items() if k != "signed"}
                )
        self._held[meter] = held
        self._tell_guard(meter)

    def _tell_guard(self, meter: int) -> None:
        until_us = self._held[meter].until_us
        if until_us:
            self._guard.restored[meter] = until_us
        else:
            self._guard.restored.pop(meter, None)


def _written(held: Held) -> bytes:
    return cbor.encode(
        [
            _FORMAT,
            held.memory.highest,
            held.memory.below.to_bytes(8, "big"),
            list(held.lock),
            held.until_us,
            held.done,
            list(held.serials),
        ]
    )


def _read(value: bytes) -> Held:
    obj = cbor.decode(value, max_bytes=cose.MAX_MESSAGE_BYTES, what="what is kept of restores")
    version, highest, below, lock, until, done, serials = cbor.array(obj, length=7, what="a kept restore")
    if version != _FORMAT or type(serials) is not list:
        raise BadShape("what is kept of restores is of another format")
    failures, last = cbor.array(lock, length=2, what="the kept lock")
    return Held(
        Memory(
            cbor.integer(highest, what="highest"),
            int.from_bytes(cbor.octets(below, what="below", length=8), "big"),
        ),
        Lock(cbor.integer(failures, what="failures"), cbor.signed(last, what="last_us")),
        cbor.signed(until, what="until_us"),
        cbor.boolean(done, what="done"),
        tuple(cbor.octets(serial, what="a serial", length=16) for serial in serials),
    )
