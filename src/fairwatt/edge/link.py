"""The line to the head-end: MQTT 3.1.1, QoS 1, and our own acknowledgement on top.

A broker's PUBACK promises nothing about the books, so a record leaves the spool only when the head-end says
that it is stored. No progress for a while: everything unacknowledged goes again, from the oldest. Duplicates
are the head-end's to recognise, by (gateway, epoch, seq).
"""

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import aiomqtt
import structlog
from aiomqtt.exceptions import MqttConnectError

from fairwatt.edge.clock import STEP_US, Clock
from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.mqtt import session
from fairwatt.edge.spool import Spool, SpoolError
from fairwatt.wire import topics
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import (
    MAX_FRAME_BYTES,
    MAX_ITEMS,
    Ack,
    Detail,
    Event,
    Item,
    Kind,
    SayAgain,
    UpFrame,
    decode_down,
    encode_event,
    encode_up,
)

log = structlog.get_logger(__name__)

_BACKLOG_RECORDS: Final = 3
_REMEMBERED_FRAMES: Final = 256
# No head-end lives outside of these years; a clock set there would break calendars and charge decades.
_YEAR_2000_US: Final = 946_684_800_000_000
_YEAR_2200_US: Final = 7_258_118_400_000_000


class SubscribeRefused(aiomqtt.MqttError):
    """The broker does not let this gateway listen to its own topic; commands could not arrive."""


class Link:
    """Sends the spool, takes acknowledgements and commands, and knows whether the head-end hears us."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        spool: Spool,
        clock: Clock,
        boot_id: bytes,
        on_command: Callable[[bytes], None],
        on_progress: Callable[[], None],
        on_rollback: Callable[[int], None],
        on_set_back: Callable[[int], None],
        quiet_since_us: int | None = None,
    ) -> None:
        self._config = config
        self._spool = spool
        self._clock = clock
        self._boot_id = boot_id
        self._on_command = on_command
        self._on_progress = on_progress
        self._on_rollback = on_rollback
        self._on_set_back = on_set_back
        # By its name, not by chance: two gateways of a street never wait alike, and a run can be repeated.
        self._dice = random.Random(f"{config.book}/{config.site}/{config.gateway}")
        self._quiet_until_s = 0.0
        self._spoke_s = 0.0
        self.knows_time = False
        """Whether an answer has shown, since the start, that the clock is right or was set."""
        self.acked_us: int | None = None
        place = {"book": config.book, "site": config.site, "gateway": config.gateway}
        self._up = topics.up(**place)
        self._down = topics.down(**place)
        self._wake = asyncio.Event()
        self._started_s = asyncio.get_running_loop().time()
        self.connected = asyncio.Event()
        self._hello_due = False
        self._beat_due = False
        self._heard = False
        self._sent_upto = 0
        self._in_flight: deque[int] = deque()
        self._sent_us: OrderedDict[int, int] = OrderedDict()
        """uptime_ms of a frame -> when it was sent by the clock as it is set now"""
        self._progress_s = 0.0
        # Since when nobody answered, also over a restart: else a gateway that is switched off and on in time
        # would wait for its server for ever.
        self._quiet_since_us: int | None = clock.now_us() if quiet_since_us is None else quiet_since_us

    def follow(self, config: EdgeConfig) -> None:
        """Live by settings that came from afar."""
        self._config = config

    @property
    def quiet_since_us(self) -> int | None:
        """Since when the head-end has owed us an answer; None while it owes none."""
        return self._quiet_since_us

    def is_up(self, *, now_us: int) -> bool:
        """Say whether the server may be trusted to decide.

        It may not once we were cut off from it, or records went unacknowledged, for longer than
        ``link_timeout_s`` of domain time. A connection that merely flickers moves no authority.
        """
        quiet = self._quiet_since_us
        return quiet is None or now_us - quiet <= self._config.link_timeout_s * 1_000_000

    def records_wait(self, *, at_us: int) -> None:
        """Tell the link that the spool has something to send."""
        if self._quiet_since_us is None and self._spool.count:
            self._quiet_since_us = at_us
        self._wake.set()

    async def run(self) -> None:
        """Keep a session up until cancelled."""
        broker = self._config.broker
        pause_s = broker.reconnect_min_s
        while True:
            try:
                async with self._client() as client:
                    pause_s = broker.reconnect_min_s
                    await self._session(client)
            except* MqttConnectError as group:
                # Wrong credentials do not mend themselves in a second.
                pause_s = broker.reconnect_max_s
                log.error("broker_refused", error=_first(group), retry_s=pause_s)
            except* SpoolError as group:
                # A full disk does not mend itself either, and every try sends everything again.
                pause_s = broker.reconnect_max_s
                log.critical("spool_failed", error=_first(group), retry_s=pause_s)
            except* (aiomqtt.MqttError, OSError) as group:
                log.warning(
                    "link_down", broker=f"{broker.host}:{broker.port}", error=_first(group), retry_s=pause_s
                )
            except* Exception as group:
                # The meters are read and kept whatever ails the line; without it the gateway is alone.
                pause_s = broker.reconnect_max_s
                log.critical("link_failed", error=_first(group), retry_s=pause_s, exc_info=True)
            finally:
                self._disconnected()
            await asyncio.sleep(pause_s * self._dice.uniform(0.7, 1.0))
            pause_s = min(pause_s * 2, broker.reconnect_max_s)

    def _client(self) -> aiomqtt.Client:
        config = self._config
        return session(broker=config.broker, gateway=config.gateway, boot_id=self._boot_id)

    async def _session(self, client: aiomqtt.Client) -> None:
        granted = await client.subscribe(self._down, qos=1)
        if any(getattr(code, "is_failure", code == 0x80) for code in granted):
            raise SubscribeRefused(f"the broker refuses {self._down}: check this gateway's rights")
        self._hello_due, self._heard = True, False
        self._rewind()
        self._spoke_s = asyncio.get_running_loop().time()
        self.connected.set()
        if not self._spool.count:
            self._quiet_since_us = None
        log.info("link_up", topic=self._up, waiting=self._spool.count)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(client))
            tasks.create_task(self._send(client))

    def _disconnected(self) -> None:
        self.connected.clear()
        self._spool.go_live(False)
        if self._quiet_since_us is None:
            self._quiet_since_us = self._clock.now_us()

    async def _send(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        resend_s = self._config.broker.resend_s
        self._progress_s = loop.time()
        while True:
            self._wake.clear()
            while frame := self._next_frame():
                self._spoke_s = loop.time()
                await client.publish(self._up, encode_up(frame), qos=1)
            waiting = bool(self._in_flight) or not self._heard
            now_s = loop.time()
            due_s = (
                self._progress_s + resend_s if waiting else self._spoke_s + self._config.broker.heartbeat_s
            )
            if due_s <= now_s:
                if waiting:
                    self._rewind()
                    self._hello_due = not self._heard
                else:
                    self._beat()
                self._progress_s = now_s
                continue
            if self._quiet_until_s > now_s:
                due_s = min(due_s, self._quiet_until_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(due_s - now_s):
                    await self._wake.wait()

    def _beat(self) -> None:
        """Speak although there is nothing to say: it is answered, or the head-end is not there."""
        self._beat_due = True
        if self._quiet_since_us is None:
            self._quiet_since_us = self._clock.now_us()

    def _next_frame(self) -> UpFrame | None:
        if not self._heard:
            # Until the head-end has said what it stored, nothing is sent: this may be an older copy of a memory.
            return self._frame([]) if self._hello_due else None
        broker = self._config.broker
        if self._beat_due:
            self._beat_due = False
            return self._frame([])
        now_s = asyncio.get_running_loop().time()
        if len(self._in_flight) >= broker.window_frames or now_s < self._quiet_until_s:
            return None
        items = self._spool.read(
            after_seq=self._sent_upto,
            max_bytes=min(broker.frame_bytes, MAX_FRAME_BYTES // 2),
            max_items=MAX_ITEMS,
        )
        return self._frame(items) if items else None

    def _frame(self, items: list[Item]) -> UpFrame:
        now_us = self._clock.now_us()
        if not self._in_flight:
            self._progress_s = asyncio.get_running_loop().time()
        if items:
            self._sent_upto = items[-1].seq
            self._in_flight.append(self._sent_upto)
        hello, self._hello_due = self._hello_due, False
        uptime_ms = self._note_sent(now_us)
        oldest = self._spool.oldest_seq()
        return UpFrame(self._spool.epoch, self._boot_id, uptime_ms, now_us, oldest, hello, tuple(items))

    def _note_sent(self, now_us: int) -> int:
        """Name a frame by its uptime, which rises strictly, and remember when it was sent."""
        uptime_ms = int((asyncio.get_running_loop().time() - self._started_s) * 1000)
        if self._sent_us:
            uptime_ms = max(uptime_ms, next(reversed(self._sent_us)) + 1)
        self._sent_us[uptime_ms] = now_us
        if len(self._sent_us) > _REMEMBERED_FRAMES:
            self._sent_us.popitem(last=False)
        return uptime_ms

    def _rewind(self) -> None:
        self._sent_upto = self._spool.acked_seq
        self._in_flight.clear()

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload
            try:
                frame = decode_down(payload if isinstance(payload, bytes) else b"")
            except FrameError as error:
                log.error("down_frame_refused", code=error.code, error=str(error))
                continue
            if isinstance(frame, Ack):
                self._take_ack(frame)
            elif isinstance(frame, SayAgain):
                self._say_again(frame)
            else:
                for command in frame.messages:
                    self._on_command(command)

    def _take_ack(self, ack: Ack) -> None:
        if ack.epoch > self._spool.epoch:
            self._start_new_epoch(ack)  # the head-end knows a later life of this gateway than we do
            return
        if ack.epoch != self._spool.epoch:
            return
        if ack.seq > self._spool.sent_seq:
            self._start_new_epoch(ack)
            return
        if not self._heard:
            if ack.answers is not None and ack.answers.boot_id != self._boot_id:
                return  # meant for an earlier run: it says nothing about this memory
            self._begin_sending()
        gone = self._spool.forget(epoch=ack.epoch, upto_seq=ack.seq)
        self._check_clock(ack, self._clock.now_us())
        while self._in_flight and self._in_flight[0] <= ack.seq:
            self._in_flight.popleft()
            gone += 1
        if gone:
            self._progress_s = asyncio.get_running_loop().time()
            self._quiet_since_us = self._clock.now_us()
        if not self._spool.count:
            self._quiet_since_us = None
        self.acked_us = self._clock.now_us()
        self._wake.set()
        self._on_progress()

    def take_carried(self, ack: Ack, /) -> int:
        """Take an acknowledgement that came by courier; how many records need not be kept any longer.

        It says nothing about the line: a gateway that is alone stays alone.
        """
        if (ack.epoch, ack.seq) > (self._spool.epoch, self._spool.sent_seq):
            self._start_new_epoch(ack)
            return 0
        gone = self._spool.forget(epoch=ack.epoch, upto_seq=ack.seq)
        self._check_clock(ack, self._clock.now_us())
        while self._in_flight and self._in_flight[0] <= ack.seq and ack.epoch == self._spool.epoch:
            self._in_flight.popleft()
        self._wake.set()
        self._on_progress()
        return gone

    def _begin_sending(self) -> None:
        """The head-end knows this memory. What was kept while away waits a moment of this gateway's own."""
        self._heard = True
        self._spool.go_live(True)
        if self._spool.count > _BACKLOG_RECORDS:
            wait_s = self._config.broker.return_spread_s * self._dice.random()
            self._quiet_until_s = asyncio.get_running_loop().time() + wait_s

    def _say_again(self, wish: SayAgain) -> None:
        """Go back to where the head-end lost the thread, as far as this memory reaches."""
        if wish.epoch != self._spool.epoch or not self._heard:
            return
        if wish.after_seq < self._sent_upto:
            self._sent_upto = wish.after_seq
            self._in_flight.clear()
            self._wake.set()

    def _start_new_epoch(self, ack: Ack) -> None:
        # The head-end has records that this file never sent: it is an older copy put back. Its new records would
        # pass for duplicates of lost ones, so it must become another spool; and what it holds of commands and
        # credit is old news.
        now_us = self._clock.now_us()
        detail = {"epoch": ack.epoch, "stored_seq": ack.seq, "last_seq": self._spool.last_seq}
        with self._spool.atomic():
            # What it may have sent before it was copied, the head-end has.
            if ack.epoch == self._spool.epoch:
                self._spool.forget(epoch=ack.epoch, upto_seq=self._spool.sent_seq)
            self._spool.new_epoch(now_us=max(now_us, ack.epoch + 1))
            self._note("spool_rolled_back", now_us, detail)
            self._on_rollback(ack.now_us)
        self._hello_due, self._heard = True, False
        self._rewind()
        self._wake.set()

    def _check_clock(self, ack: Ack, now_us: int) -> None:
        """Learn the time from an acknowledgement, however late it came.

        The head-end wrote it before we got it, and after we sent the frame that it names. Only outside of
        these two bounds is a clock wrong.
        """
        sent = ack.answers
        answers_us = self._sent_us.get(sent.uptime_ms) if sent and sent.boot_id == self._boot_id else None
        if not _YEAR_2000_US <= ack.now_us < _YEAR_2200_US:
            log.error("clock_ignored", now_us=ack.now_us)
            return
        self.knows_time |= answers_us is not None
        offset_us = 0
        if ack.now_us > now_us + STEP_US:
            offset_us = ack.now_us - now_us
        elif answers_us is not None and ack.now_us < answers_us - STEP_US:
            offset_us = ack.now_us - answers_us
        if offset_us:
            self._step_clock(now_us, offset_us)
        elif answers_us is not None:
            doubt_us = max(0, (now_us - answers_us + 1) // 2)
            told_us = self._clock.learn(offset_us=ack.now_us - (answers_us + now_us) // 2, doubt_us=doubt_us)
            if told_us is not None:
                self._note("clock_slewed", now_us, {"offset_us": told_us, "rate_ppb": self._clock.rate_ppb})

    def _step_clock(self, now_us: int, offset_us: int) -> None:
        self._clock.step(offset_us)
        self._sent_us = OrderedDict((name, at + offset_us) for name, at in self._sent_us.items())
        if self._quiet_since_us is not None:
            self._quiet_since_us += offset_us
        if offset_us < 0:
            self._on_set_back(now_us + offset_us)
        # Readings up to last_seq carry the old clock.
        detail = {"offset_us": offset_us, "last_seq": self._spool.last_seq}
        self._note("clock_offset", now_us + offset_us, detail)

    def _note(self, code: str, at_us: int, detail: Detail) -> None:
        self._spool.append(kind=Kind.EVENT, body=encode_event(Event(code, at_us, 0, detail)), at_us=at_us)
        log.error(code, **detail)


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    """The text of the first real error of a group."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else f"{type(error).__name__}: {error}"
