"""One gateway, whole: poll the meters, keep what they say, send it, obey, and stand guard when alone.

Drivable in lock-step (`poll_once`, then `wait_drained`) or free-running (`run`: one task a bus). All times are
domain time in microseconds from ``now``; only timeouts of lines and of resending are wall time.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Final

import structlog

from fairwatt.edge.clock import Clock
from fairwatt.edge.config import EdgeConfig, TelemetryConfig
from fairwatt.edge.deeds import Deeds
from fairwatt.edge.guard import Guard
from fairwatt.edge.guard_kept import StateUnusable
from fairwatt.edge.holds import Holds
from fairwatt.edge.link import Link
from fairwatt.edge.listening import ListenBranch, Listening, Parts, listening_branches
from fairwatt.edge.local.local import Local
from fairwatt.edge.meters import Branch, MeterPoint, Meters, spec_of
from fairwatt.edge.obey import Obeyer
from fairwatt.edge.obeying import Obeying
from fairwatt.edge.orders import Orders
from fairwatt.edge.rollback import begun_anew
from fairwatt.edge.safety import Safety
from fairwatt.edge.spool import Spool, SpoolError
from fairwatt.edge.telemetry import Telemetry
from fairwatt.edge.waiting import Waits
from fairwatt.wire.commands import Command

log = structlog.get_logger(__name__)

_TIMES: Final = "times"
_ASLEEP_INTERVALS: Final = 2  # without a tick: what was done in between may be forgotten
_TURNS_EVERY_S: Final = 1.0
_KEEP_WITHIN_S: Final = 5.0
"""A slow bus takes minutes for a pass; what it said is on the disk much sooner."""


class Agent(Waits):
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
        self._entropy = entropy
        self._boot_id = entropy(8)
        self._progress = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._was_alone = False
        self.not_kept = ""  # why the last pass could not be kept
        self.spool: Spool
        self.meters: Meters
        self.guard: Guard
        self.safety: Safety
        self.link: Link
        self._orders: Orders
        self._obeyer: Obeyer
        self.deeds: Deeds
        self.local: Local

    async def start(self) -> None:
        """Open the spool, take up where the last run stopped, and begin to connect. Raises SpoolError."""
        config = self.config
        self.spool = Spool(
            path=config.spool,
            now_us=self.clock.now_us(),
            max_bytes=config.spool_max_bytes,
            history_bytes=config.spool_history_bytes,
            mark=config.spool_mark,
        )
        self.meters = Meters(config=config, spool=self.spool, more=listening_branches(config, self.spool))
        specs = {number: spec_of(point) for number, point in self.meters.points.items()}
        holds = Holds(spool=self.spool)
        self.guard = Guard(specs=specs, held=holds)
        self.obeying = Obeying(
            config=config,
            spool=self.spool,
            meters=self.meters,
            guard=self.guard,
            now=self.clock.now_us,
            on_settings=self._follow,
        )
        self._obeyer, self.standing = self.obeying.supply, self.obeying.standing
        self.deeds = Deeds(
            config=config, spool=self.spool, guard=self.guard, obeyer=self._obeyer, more=self._times
        )
        self._obeyer.load_grants()
        doubted = self._restore(self.spool.get("guard"))
        self.safety = Safety(
            config=config,
            spool=self.spool,
            meters=self.meters,
            guard=self.guard,
            holds=holds,
            watches=self.standing.watches,
            limits=self.standing.limits,
            prove=self._obeyer.proof,
        )
        self.safety.load()
        if doubted:
            self.safety.tell_holds(at_us=self.clock.now_us())
        self._obeyer.allowed_by(self.safety.allows)
        quiet_since_us = self._take_up_time()
        self.link = Link(
            config=config,
            spool=self.spool,
            clock=self.clock,
            boot_id=self._boot_id,
            on_command=self._queue_command,
            on_progress=self._progress.set,
            on_rollback=self._roll_back,
            on_set_back=self._set_back,
            quiet_since_us=quiet_since_us,
        )
        self.local = Local(agent=self, obeyer=self._obeyer, boot_id=self._boot_id, entropy=self._entropy)
        self._follow(self.standing.configured())
        await self.meters.start()
        self._orders = Orders(buses=len(self.meters.branches), obey=self._obey, after=self._obeyed)
        self._tasks = [asyncio.create_task(self.link.run()), asyncio.create_task(self._close_in_turn())]
        for n, branch in enumerate(self.meters.branches):
            self._tasks.append(asyncio.create_task(self._orders.carry_out(bus=n)))
            if isinstance(branch, ListenBranch):
                self._tasks.append(asyncio.create_task(self._listen(branch)))
        if config.telemetry is not None:
            self._tasks.append(asyncio.create_task(self._telemetry(config.telemetry).run()))
        await self.local.open()

    def _telemetry(self, settings: TelemetryConfig) -> Telemetry:
        return Telemetry(
            config=self.config,
            settings=settings,
            meters=self.meters,
            spool=self.spool,
            clock=self.clock,
            boot_id=self._boot_id,
        )

    async def _listen(self, branch: ListenBranch) -> None:
        """Take what the meters of a broker say by themselves, for as long as the agent runs."""
        parts = Parts(self.clock, self.deeds, self.guard, self.safety, self.link, self._conclude)
        await branch.ear.run(Listening(branch=branch, parts=parts).take)

    def _follow(self, config: EdgeConfig) -> None:
        """Live by settings that came from afar, from the next tick on."""
        self.config = config
        for part in (self.link, self._obeyer, self.deeds):
            part.follow(config)

    def _take_up_time(self) -> int | None:
        """Never be earlier than the last tick that was kept; return since when nobody answered, if so.

        A clock that lost its battery would stop the count of an outage, and supply would be free.
        """
        kept = self.spool.get(_TIMES)
        if kept is None:
            return None
        ticked_us, quiet_since_us = (int.from_bytes(kept[k : k + 8], "big", signed=True) for k in (0, 8))
        behind_us = ticked_us - self.clock.now_us()
        if -behind_us > _ASLEEP_INTERVALS * self.config.interval_s * 1_000_000:
            self.deeds.slept = set(self.meters.points)
        if behind_us > 0:
            self.clock.step(behind_us)
            log.warning("clock_lost", behind_us=behind_us)
        return quiet_since_us

    def _times(self, at_us: int) -> list[tuple[str, bytes]]:
        quiet_since_us = self.link.quiet_since_us
        since = at_us if quiet_since_us is None else quiet_since_us
        times = at_us.to_bytes(8, "big", signed=True) + since.to_bytes(8, "big", signed=True)
        return [(_TIMES, times), *self.meters.kept()]

    def _doubt_memory(self, told_us: int, *, of_codes: bool = True) -> None:
        """This memory is an older copy: no order from before this instant, no cut on a grant it holds."""
        self.obeying.doubt.begin(told_us, of_codes=of_codes)
        self.guard.doubt_grants()
        self.spool.put([("guard", self.guard.dump())])

    def _roll_back(self, told_us: int) -> None:
        self._doubt_memory(told_us)
        self.safety.tell_holds(at_us=told_us)

    def _set_back(self, now_us: int) -> None:
        """The clock was ahead: nobody may go on from an instant that is still to come."""
        self.obeying.doubt.set_back(now_us)
        self.guard.set_back(now_us=now_us)
        self.spool.put([("guard", self.guard.dump())])
        self.safety.set_back(now_us=now_us)
        self.local.set_back(now_us=now_us)

    def _restore(self, kept: bytes | None) -> bool:
        """Take up what was counted; say whether this memory turned out to be an older copy."""
        try:
            if kept is not None:
                self.guard.restore(kept)
        except StateUnusable as error:
            log.error("guard_state_lost", error=str(error))
        anew = begun_anew(self.spool, now_us=(now_us := self.clock.now_us()))
        if anew:
            self._doubt_memory(now_us, of_codes=not self.spool.recalls)
        return anew

    async def stop(self) -> None:
        """Stop, leaving everything unacknowledged in the spool."""
        await self.local.close()
        for task in self._tasks:
            task.cancel()
        results, self._tasks = await asyncio.gather(*self._tasks, return_exceptions=True), []
        self.meters.close()
        self.spool.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def run(
        self, *, beside: Callable[["Agent"], AbstractAsyncContextManager[None]] | None = None
    ) -> None:
        """Start, read every bus at each whole interval of the clock until cancelled, and stop.

        ``beside``: what else is open while it runs.
        """
        await self.start()
        try:
            async with nullcontext() if beside is None else beside(self):
                await self._watch_all()
        finally:
            await self.stop()

    async def _watch_all(self) -> None:
        watches = [asyncio.create_task(self._watch(branch)) for branch in self.meters.branches]
        try:
            # Whichever ends first has failed: a watch never ends by itself.
            done, _ = await asyncio.wait([*watches, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in watches:
                task.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(self, branch: Branch) -> None:
        """Read one bus for ever; however slow or broken it is, the others have their own."""
        snapshot_us = self.config.snapshot_s * 1_000_000
        while True:
            interval_us = self._interval_us(branch)
            now_us = self.clock.now_us()
            due_us = branch.next_due_us(now_us=now_us, interval_us=interval_us, snapshot_us=snapshot_us)
            await self._until(due_us)
            await self._survive(self._poll(branch, due_us, stamp=self._stamp(due_us)), at_us=due_us)
            branch.polled_us = due_us

    def _interval_us(self, branch: Branch) -> int:
        return (branch.config.interval_s or self.config.interval_s) * 1_000_000

    async def _survive(self, deed: Coroutine[Any, Any, None], *, at_us: int) -> None:
        try:
            await deed
            self.not_kept = ""
        except SpoolError as error:
            self.not_kept = str(error)
            log.critical("tick_lost", at_us=at_us, error=str(error))
        except Exception:
            # Whatever went wrong once, the meters are read again at the next tick.
            log.critical("tick_failed", at_us=at_us, exc_info=True)

    def _stamp(self, due_us: int) -> Callable[[], int]:
        """A reading near its boundary carries the boundary's instant, so that a price changes where it should."""
        tolerance_us = self.config.boundary_tolerance_s * 1_000_000
        return lambda: self.clock.near(due_us, tolerance_us=tolerance_us)

    async def _until(self, due_us: int) -> None:
        # Domain time may stand still or run many times faster than the wall: look often, sleep little.
        while (left_us := due_us - self.clock.now_us()) > 0:
            self._raise_if_dead()
            await asyncio.sleep(min(0.2, max(0.01, left_us / 64_000_000)))

    async def poll_once(self, at_us: int, /) -> None:
        """Read every meter as of ``at_us``, the buses side by side; keep it, and stand guard if alone.

        A meter that does not answer has no reading at this tick. Raises SpoolError when nothing could be
        kept; supply is then left as it is.
        """
        self._raise_if_dead()
        passes = [self._poll(branch, at_us, stamp=lambda: at_us) for branch in self.meters.branches]
        await asyncio.gather(*passes)

    async def _poll(self, branch: Branch, due_us: int, *, stamp: Callable[[], int]) -> None:
        """One pass over one bus. Between two meters an order may cut in."""
        branch.begin(now_us=self.clock.now_us(), interval_us=self._interval_us(branch))

        def flush() -> None:
            self.deeds.flush(branch, at_us=stamp())

        kept_s = asyncio.get_running_loop().time()
        for point in branch.asked:
            async with branch.turn:
                await self._read(branch, point, stamp, flush)
                if asyncio.get_running_loop().time() - kept_s > _KEEP_WITHIN_S:
                    flush()
                    self.link.records_wait(at_us=stamp())
                    kept_s = asyncio.get_running_loop().time()
        async with branch.turn:
            await self._conclude(branch, stamp())
            if self.link.knows_time:
                await self.deeds.check_a_clock(branch, now=self.clock.now_us)
        self.link.records_wait(at_us=stamp())

    async def _read(
        self, branch: Branch, point: MeterPoint, stamp: Callable[[], int], flush: Callable[[], None]
    ) -> None:
        """Energy and status of one meter, and a closer look where the bus has time for it."""
        with_voltage = (branch.polls - 1) % self.config.voltage_every == 0
        began_us = self.clock.now_us()
        reading = await branch.read(point, stamp=stamp, with_voltage=with_voltage)
        read_us = self.clock.now_us()
        branch.pace.was_quick(took_us=read_us - began_us)
        if reading is None:
            return
        branch.readings[-1] = reading = self.deeds.flagged(reading)
        await self.deeds.own_up(point, reading)
        self.guard.take_reading(reading)
        closely = branch.pace.may_look(meter=point.number, now_us=read_us)
        await self.safety.look(point, reading, flush=flush, closely=closely)
        if closely:
            branch.pace.was_close(meter=point.number, took_us=self.clock.now_us() - read_us)

    async def _conclude(self, branch: Branch, at_us: int) -> None:
        """Keep what a pass has read, and do what follows from it."""
        alone = not self.link.is_up(now_us=at_us)
        readings, events = branch.taken()
        if self._was_alone and not alone:
            events += self.deeds.balances(at_us=at_us)
        self.deeds.keep(readings=readings, events=events, at_us=at_us)
        self._was_alone = alone
        await self._obeyer.retry_open(branch.points)
        await self.local.keep(branch.points, at_us=at_us)
        await self.standing.retry_open(branch.points)
        await self.deeds.stand_guard(branch, alone=alone, at_us=at_us)
        await self.safety.follow(branch.points, at_us=at_us)

    async def _close_in_turn(self) -> None:
        """Relays that wait for their turn on a feeder do not wait for the next poll as well."""
        while True:
            await asyncio.sleep(_TURNS_EVERY_S)
            for branch in self.meters.branches:
                if not self.safety.wait(branch.points):
                    continue
                at_us = self.clock.now_us()
                await self._survive(self._close(branch, at_us), at_us=at_us)
                self.link.records_wait(at_us=at_us)

    async def _close(self, branch: Branch, at_us: int) -> None:
        async with branch.turn:
            self.deeds.flush(branch, at_us=at_us)
            await self.safety.close_due(points=branch.points, at_us=at_us)

    @asynccontextmanager
    async def turn_at(self, point: MeterPoint) -> AsyncIterator[None]:
        """Be the only one who asks or switches on the bus of a meter; what was read there before is kept before."""
        branch = self.meters.branch_of(meter=point.number)
        async with branch.turn:
            self.deeds.flush(branch, at_us=self.clock.now_us())
            yield

    def _queue_command(self, message: bytes) -> None:
        try:
            command = self._obeyer.check(message)
        except SpoolError as error:
            log.critical("command_not_kept", error=str(error))
            return
        if command is None:
            self.link.records_wait(at_us=self.clock.now_us())
            return
        known = command.meter in self.meters.points
        branch = self.meters.branch_of(meter=command.meter) if known else self.meters.branches[0]
        self._orders.offer(message, command, bus=self.meters.branches.index(branch))

    async def _obey(self, message: bytes, command: Command) -> None:
        async with self.turn_at(self.obeying.place_of(command)):
            await self.obeying.take(message, command)

    def _obeyed(self) -> None:
        self._progress.set()
        self.link.records_wait(at_us=self.clock.now_us())

    def _raise_if_dead(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()
