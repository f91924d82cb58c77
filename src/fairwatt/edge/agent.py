"""One gateway, whole: poll the meters, keep what they say, send it, obey, and stand guard when alone.

Drivable in lock-step (`poll_once`, then `wait_drained`) or free-running (`run`). All times are domain time in
microseconds from ``now``; only timeouts of lines and of resending are wall time.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final

import structlog

from fairwatt.core.metering.register import RegisterSpec
from fairwatt.drivers.contract import DriverError
from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.guard import Act, Deed, Guard, StateUnusable
from fairwatt.edge.link import Clock, Link
from fairwatt.edge.meters import MeterPoint, Meters
from fairwatt.edge.obey import Obeyer
from fairwatt.edge.spool import Spool, SpoolError
from fairwatt.edge.telemetry import Telemetry
from fairwatt.wire.frames import Detail, Event, Kind, encode_event
from fairwatt.wire.records import FLAG_TRIPPED_LOCALLY, Reading, Relay, pack_readings

log = structlog.get_logger(__name__)

_READINGS_PER_RECORD: Final = 1000
_TIMES: Final = "times"
_WAITING_COMMANDS: Final = 4096


class Agent:
    """The program at the meters. Give it a configuration and a clock; `start` it inside an event loop."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        now: Callable[[], int],
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.config = config
        self.clock = Clock(raw=now)
        self._boot_id = entropy(8)
        self._commands: asyncio.Queue[bytes] = asyncio.Queue(maxsize=_WAITING_COMMANDS)
        # Polling and obeying take turns: a reading from before a switch must not be stored after its proof.
        self._turn = asyncio.Lock()
        self._progress = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._obeying = 0
        self._was_alone = False
        self._tried: dict[int, Deed] = {}
        self.spool: Spool
        self.meters: Meters
        self.guard: Guard
        self.link: Link
        self._obeyer: Obeyer

    async def start(self) -> None:
        """Open the spool, take up where the last run stopped, and begin to connect. Raises SpoolError."""
        now_us = self.clock.now_us()
        config = self.config
        self.spool = Spool(path=config.spool, now_us=now_us, max_bytes=config.spool_max_bytes)
        self.meters = Meters(config=config)
        specs = {number: _spec(point) for number, point in self.meters.points.items()}
        self.guard = Guard(specs=specs)
        self._obeyer = Obeyer(
            config=config, spool=self.spool, meters=self.meters, guard=self.guard, now=self.clock.now_us
        )
        self._obeyer.load_grants()
        kept = self.spool.get("guard")
        if kept is not None:
            self._restore(kept)
        quiet_since_us = self._take_up_time()
        self.link = Link(
            config=config,
            spool=self.spool,
            clock=self.clock,
            boot_id=self._boot_id,
            on_command=self._queue_command,
            on_progress=self._progress.set,
            quiet_since_us=quiet_since_us,
        )
        self._tasks = [asyncio.create_task(self.link.run()), asyncio.create_task(self._obey())]
        if config.telemetry is not None:
            telemetry = Telemetry(
                config=config,
                settings=config.telemetry,
                points=self.meters.points.values(),
                now_us=self.clock.now_us,
                busy=self._turn.locked,
                spool_room=lambda: self.spool.room,
                boot_id=self._boot_id,
            )
            self._tasks.append(asyncio.create_task(telemetry.run()))

    def _take_up_time(self) -> int | None:
        """Never be earlier than the last tick that was kept; return since when nobody answered, if so.

        A clock that lost its battery would stop the count of an outage, and supply would be free.
        """
        kept = self.spool.get(_TIMES)
        if kept is None:
            return None
        ticked_us, quiet_since_us = (int.from_bytes(kept[k : k + 8], "big", signed=True) for k in (0, 8))
        behind_us = ticked_us - self.clock.now_us()
        if behind_us > 0:
            self.clock.correction_us += behind_us
            log.warning("clock_lost", behind_us=behind_us)
        return quiet_since_us

    def _times(self, at_us: int) -> bytes:
        quiet_since_us = self.link.quiet_since_us
        since = at_us if quiet_since_us is None else quiet_since_us
        return at_us.to_bytes(8, "big", signed=True) + since.to_bytes(8, "big", signed=True)

    def _restore(self, kept: bytes) -> None:
        try:
            self.guard.restore(kept)
        except StateUnusable as error:
            log.error("guard_state_lost", error=str(error))

    async def stop(self) -> None:
        """Stop, leaving everything unacknowledged in the spool."""
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self.meters.close()
        self.spool.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def run(self) -> None:
        """Start, poll at every whole interval of the clock until cancelled, and stop."""
        await self.start()
        try:
            interval_us = self.config.interval_s * 1_000_000
            while True:
                due_us = (self.clock.now_us() // interval_us + 1) * interval_us
                await self._until(due_us)
                try:
                    await self.poll_once(due_us)
                except SpoolError as error:
                    log.critical("tick_lost", at_us=due_us, error=str(error))
                except Exception:
                    # Whatever went wrong once, the meters are read again at the next tick.
                    log.critical("tick_failed", at_us=due_us, exc_info=True)
        finally:
            await self.stop()

    async def _until(self, due_us: int) -> None:
        # Domain time may stand still or run many times faster than the wall: look often, sleep little.
        while (left_us := due_us - self.clock.now_us()) > 0:
            self._raise_if_dead()
            await asyncio.sleep(min(0.2, max(0.01, left_us / 64_000_000)))

    async def wait_connected(self, timeout_s: float) -> bool:
        """Wait (wall time) until the broker has accepted us; say whether it has."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.link.connected.wait()
        except TimeoutError:
            return False
        return True

    def drained(self) -> bool:
        """Say whether everything is acknowledged and no command is waiting or being carried out."""
        return not self.spool.count and not self._obeying

    async def wait_drained(self, timeout_s: float) -> bool:
        """Wait (wall time) until `drained`; say whether it is."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.drained():
                    self._raise_if_dead()
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    async def poll_once(self, at_us: int, /) -> None:
        """Read every meter as of ``at_us``, keep the readings as one record, and stand guard if alone.

        A meter that does not answer has no reading at this tick. Raises SpoolError when nothing could be
        kept; supply is then left as it is.
        """
        self._raise_if_dead()
        async with self._turn:
            readings, events = await self.meters.poll(at_us=at_us)
            readings = [self._flagged(reading) for reading in readings]
            for reading in readings:
                self.guard.take_reading(reading)
            alone = not self.link.is_up(now_us=at_us)
            if self._was_alone and not alone:
                events += self._balances(at_us)
            self._keep(readings, events, at_us)
            self._was_alone = alone
            await self._obeyer.retry_open()
            acts = self.guard.decide(now_us=at_us) if alone else []
            for act in acts:
                await self._act(act, at_us)
            self._tried = {act.meter: act.deed for act in acts if act.deed in (Deed.TRIP, Deed.RESTORE)}
        self.link.records_wait(at_us=at_us)

    def _keep(self, readings: list[Reading], events: list[Event], at_us: int) -> None:
        with self.spool.atomic():
            for first in range(0, len(readings), _READINGS_PER_RECORD):
                body = pack_readings(readings[first : first + _READINGS_PER_RECORD])
                self.spool.append(kind=Kind.READINGS, body=body, at_us=at_us)
            for event in events:
                self.spool.append(kind=Kind.EVENT, body=encode_event(event), at_us=at_us)
                log.warning(event.code, meter=event.meter, **event.detail)
            self.spool.put([("guard", self.guard.dump()), (_TIMES, self._times(at_us))])

    def _flagged(self, reading: Reading) -> Reading:
        if reading.relay == Relay.OPEN and self.guard.is_tripped(meter=reading.meter):
            return reading._replace(flags=reading.flags | FLAG_TRIPPED_LOCALLY)
        return reading

    def _balances(self, at_us: int) -> list[Event]:
        """What this gateway counted while alone: the server books the difference as drift."""
        events = []
        for wallet in self.guard.wallets():
            available = self.guard.available_micro(wallet=wallet)
            detail: Detail = {
                "wallet": wallet,
                "available_micro": available,
            }
            events.append(Event("guard_balance", at_us, 0, detail))
        return events

    async def _act(self, act: Act, at_us: int) -> None:
        """Do what the guard decided. The decision is on the disk before the relay moves."""
        detail: Detail = {
            "wallet": act.wallet,
            "available_micro": act.available_micro,
        }
        if act.decision is not None:
            rule = {"rule": act.decision.rule, "reason": act.decision.reason.value}
            detail = {**detail, **rule, **dict(act.decision.evidence)}
        # A relay that does not follow is ordered again at every tick and told once: nothing but the head-end
        # ever takes an event out of the spool, and a long outage must leave room for readings.
        again = self._tried.get(act.meter) is act.deed
        if act.deed is Deed.TRIP:
            self.guard.expect_trip(meter=act.meter)
        if not again:
            self._keep([], [Event(act.deed.value, at_us, act.meter, detail)], at_us)
        point = self.meters.points[act.meter]
        valid_until_us = at_us + self.config.relay_order_valid_s * 1_000_000
        if act.deed is Deed.WARN:
            await point.warn(valid_until_us=valid_until_us)
        elif act.deed in (Deed.TRIP, Deed.RESTORE):
            await self._switch(point, act.deed is Deed.RESTORE, valid_until_us, at_us, tell=not again)

    async def _switch(
        self, point: MeterPoint, closed: bool, valid_until_us: int, at_us: int, *, tell: bool
    ) -> None:
        try:
            relay = await point.switch(closed=closed, valid_until_us=valid_until_us)
        except DriverError as error:
            log.info("switch_failed", meter=point.number, error=str(error))
            if tell:
                detail: Detail = {
                    "why": error.code,
                    "text": str(error)[:300],
                }
                self._keep([], [Event("local_switch_failed", at_us, point.number, detail)], at_us)
            return
        self.guard.settle_relay(meter=point.number, relay=relay, tripped=not closed)
        proof = await self._obeyer.proof(point)
        with self.spool.atomic():
            if proof is not None:
                self.spool.append(kind=Kind.READINGS, body=proof, at_us=at_us)
            self.spool.put([("guard", self.guard.dump())])

    def _queue_command(self, message: bytes) -> None:
        try:
            self._commands.put_nowait(message)
        except asyncio.QueueFull:
            # Neither kept nor answered, so the head-end offers it again.
            log.error("command_queue_full", waiting=self._commands.qsize())
            return
        self._obeying += 1

    async def _obey(self) -> None:
        while True:
            message = await self._commands.get()
            try:
                async with self._turn:
                    await self._obeyer.take(message)
            except SpoolError as error:
                # Not remembered means not obeyed; the head-end sends it again.
                log.critical("command_not_kept", error=str(error))
            except Exception:
                # One message must not stop the meters from being read; it is offered again.
                log.critical("command_failed", exc_info=True)
            finally:
                self._obeying -= 1
                self._progress.set()
            self.link.records_wait(at_us=self.clock.now_us())

    def _raise_if_dead(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()


def _spec(point: MeterPoint) -> RegisterSpec:
    profile = point.profile
    return RegisterSpec(
        modulus_wh=profile.modulus_wh,
        resolution_wh=profile.resolution_wh,
        max_power_w=profile.max_power_w,
    )
