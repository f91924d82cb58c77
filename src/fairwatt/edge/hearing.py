"""One meter that speaks by itself: what was heard of it, and the order that waits until it speaks again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from fairwatt.drivers.contract import Heard, HearsMessages, ReadsRegister, TakesOrders
from fairwatt.drivers.errors import CannotReach
from fairwatt.drivers.mailbox import Mailbox, Outcome, WaitingOrder
from fairwatt.drivers.profile import MeterProfile, ProfileError, only
from fairwatt.drivers.registry import open_listener
from fairwatt.edge.config import MeterConfig
from fairwatt.edge.ear import Ear
from fairwatt.edge.meters import CLOCK_STEP_US, CannotSwitch, MeterPoint
from fairwatt.wire import cbor
from fairwatt.wire.records import UNKNOWN_I32, Reading, Relay

log = structlog.get_logger(__name__)

_VERSION: Final = 1
_KEPT_MAX: Final = 1 << 16
_REMEMBERED_KEYS: Final = 32
_ORDERS: Final = 0xFFFF
_SECOND_US: Final = 1_000_000
_OLDEST_US: Final = 7 * 86_400 * _SECOND_US
SILENT_AFTER_S: Final = 26 * 3600
"""Of a profile that does not say: a daily message, and two hours."""


class NotHeard(CannotReach):
    """The meter has not spoken for longer than it may."""

    code = "not_heard"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message whose own instant was not believed, and why."""

    why: str
    text: str


class ListenPoint(MeterPoint):
    """A meter that cannot be asked. Its orders wait in a mailbox and are renewed by whoever wants them.

    An order that nobody renewed since the last look is withdrawn, so that nothing is switched at a wake for a reason
    that is gone. ``store`` puts what is kept on the disk.
    """

    bus: Ear
    driver: HearsMessages

    def __init__(
        self,
        *,
        config: MeterConfig,
        ear: Ear,
        zone: str,
        down_topic: str,
        store: Callable[[list[tuple[str, bytes]]], None],
    ) -> None:
        super().__init__(config=config, bus=ear, zone=zone)
        self._ear = ear
        self._down_topic = down_topic
        self._store = store
        asked_s = ear.config.silent_after_s
        self.silent_after_us = _SECOND_US * (silent_after_s(self.profile) if asked_s is None else asked_s)
        self.wakes_within_us = self.silent_after_us
        self.heard_us: int | None = None
        self._keys: list[str] = []
        self._sequence: int | None = None
        self._last_us: int | None = None
        self._listens = False
        self._said_order = 0
        self.clock_doubted = False
        self.mailbox = Mailbox()
        self._wanted = False
        self._hearing = False
        self._proven: bool | None = None
        self.now: Callable[[], int]

    def _open(self, config: MeterConfig, zone: str) -> ReadsRegister | HearsMessages:
        return open_listener(profile=self.profile, address=config.address)

    # What is said

    def is_new(self, heard: Heard, /) -> bool:
        """Say whether this message was not heard before; it is from now on."""
        if heard.key in self._keys:
            return False
        self._keys = [*self._keys, heard.key][-_REMEMBERED_KEYS:]
        return True

    def dated(self, heard: Heard, /, *, now_us: int) -> tuple[Heard, Doubt | None]:
        """Give a message the instant that it is kept under: the device's or the network's, if that can be.

        One from the future is of now, and so is one whose own clock has never been set.
        """
        at_us, doubt = heard.at_us, None
        if at_us is None:
            at_us = now_us
        elif at_us > now_us + CLOCK_STEP_US:
            doubt = Doubt("clock_ahead", f"it says {(at_us - now_us) // _SECOND_US} s from now")
        elif heard.clock is not None and at_us < now_us - _OLDEST_US:
            doubt = Doubt("clock_behind", f"it says {(now_us - at_us) // _SECOND_US} s ago")
        return replace(heard, at_us=now_us if doubt else min(at_us, now_us)), doubt

    def is_late(self, heard: Heard, /) -> bool:
        """Say whether a message was overtaken by a later one of the same meter."""
        if self._last_us is None or heard.at_us is None or heard.at_us >= self._last_us:
            return False
        newer = self._sequence is None or heard.sequence is None or heard.sequence > self._sequence
        return not newer

    def reading_of(self, heard: Heard, /, *, late: bool) -> Reading | None:
        """The reading of a dated message, or None when it says nothing of the register."""
        assert heard.at_us is not None
        if not late:
            self._sequence = heard.sequence
            self.conditions = heard.conditions
            if heard.relay is not None:
                self.relay = Relay.CLOSED if heard.relay.closed else Relay.OPEN
        if heard.reading is None:
            return None
        relay = Relay.UNKNOWN if heard.relay is None else (Relay.CLOSED if heard.relay.closed else Relay.OPEN)
        power_w = UNKNOWN_I32 if heard.power is None else heard.power.power_w
        at_us = heard.at_us if late else self._in_turn(heard.at_us)
        reading = Reading(self.number, at_us, heard.reading.total_wh, power_w, UNKNOWN_I32, relay)
        if not late:
            self.last, self._last_us = reading, at_us
        return reading

    def _in_turn(self, at_us: int) -> int:
        # As MeterPoint.in_order: two states need two instants, and a clock set back holds nothing in the future.
        if self._last_us is None or self._last_us - at_us > CLOCK_STEP_US or at_us > self._last_us:
            return at_us
        return self._last_us + 1

    def is_silent(self, *, now_us: int) -> bool:
        """Say whether it has not spoken for longer than it may; counted from the first look at a new meter."""
        if self.heard_us is None:
            self.heard_us = now_us
        return now_us - self.heard_us > self.silent_after_us

    # What it is told

    async def switch(self, *, closed: bool, valid_until_us: int) -> int:
        """Want the relay there; return where it is once a message has shown it. Raises CannotReach until then."""
        if not isinstance(self.driver, TakesOrders):
            raise CannotSwitch(f"meter {self.number} has no relay or valve to order; its supply is as it was")
        if self._proven == closed:
            self._proven = None
            return self.relay
        self._wanted = True
        waiting = self.mailbox.waiting
        if waiting is not None and waiting.closed == closed:
            until_us = max(waiting.valid_until_us, valid_until_us)
            self.mailbox = Mailbox(replace(waiting, valid_until_us=until_us))
        else:
            self._put(closed, valid_until_us)
        raise CannotReach(f"meter {self.number} speaks by itself: the order waits for its next message")

    def _put(self, closed: bool, valid_until_us: int) -> None:
        order = WaitingOrder(
            order_id=self._next_order_id(),
            closed=closed,
            decided_us=self.now(),
            valid_until_us=valid_until_us,
        )
        step = self.mailbox.put(order=order, reachable=self._listens and not self._hearing)
        self.mailbox = step.mailbox
        # On the disk before it can be obeyed.
        self._store([(f"meter/{self.number}", self.kept())])
        if step.ended is not None:
            log.info("order_ended", meter=self.number, order=step.ended[0], how=step.ended[1])
        if step.send is not None:
            self._say(step.send)

    def _next_order_id(self) -> str:
        # By the second, so that a gateway that lost its memory does not use a number again that was obeyed.
        number = self.now() // _SECOND_US % _ORDERS + 1
        self._said_order = number if number != self._said_order else number % _ORDERS + 1
        return str(self._said_order)

    def begin_hearing(self, heard: Heard, /, *, late: bool, now_us: int) -> None:
        """Open the mailbox at a message: what it proves is proven, and nobody wants the rest until he says so."""
        self.heard_us = now_us
        self._hearing, self._wanted, self._proven = True, False, None
        if late:
            return
        self._listens = heard.reachable and not heard.sleeps
        waiting = self.mailbox.waiting
        if waiting is None:
            return
        if heard.order == waiting.order_id and heard.at_us is not None:
            # It names the order, so it came after it, whatever its clock says within the second.
            heard = replace(heard, at_us=max(heard.at_us, waiting.decided_us))
        step = self.mailbox.hear(heard=heard, now_us=now_us)
        if step.ended is None:
            return  # it is sent when everybody has decided: see end_hearing
        self.mailbox = step.mailbox
        log.info("order_ended", meter=self.number, order=step.ended[0], how=step.ended[1])
        if step.ended[1] is Outcome.PROVEN:
            self._proven = waiting.closed

    def end_hearing(self) -> None:
        """Send what is still wanted to the device that has just spoken; withdraw what is not."""
        self._hearing, self._proven = False, None
        waiting = self.mailbox.waiting
        if waiting is None:
            return
        if not self._wanted:
            self._withdraw(waiting)
            return
        sent = replace(waiting, sent=waiting.sent + 1)
        self.mailbox = Mailbox(sent)
        self._store([(f"meter/{self.number}", self.kept())])
        self._say(sent)

    def look_through(self, *, now_us: int) -> None:
        """At each pass: let go of an order that is over, or that nobody has wanted since the last pass."""
        waiting = self.mailbox.waiting
        step = self.mailbox.lapse(now_us=now_us)
        self.mailbox = step.mailbox
        if step.ended is not None:
            log.info("order_ended", meter=self.number, order=step.ended[0], how=step.ended[1])
        elif waiting is not None and not self._wanted:
            self._withdraw(waiting)
        self._wanted = False

    def _withdraw(self, waiting: WaitingOrder) -> None:
        self.mailbox = Mailbox()
        log.info("order_withdrawn", meter=self.number, order=waiting.order_id)

    def _say(self, order: WaitingOrder) -> None:
        assert isinstance(self.driver, TakesOrders)
        message = self.driver.order_relay(
            closed=order.closed, order_id=order.order_id, valid_until_us=order.valid_until_us
        )
        said = self._ear.say(self._down_topic, message)
        log.info("order_said", meter=self.number, order=order.order_id, closed=order.closed, said=said)

    async def read(self, *, stamp: Callable[[], int], with_voltage: bool) -> Reading:
        """It cannot be asked. Raises CannotReach."""
        raise CannotReach(f"meter {self.number} speaks by itself and is not asked; its next message is kept")

    # What survives a restart

    def kept(self) -> bytes:
        """What was heard and what waits."""
        order = self.mailbox.waiting
        waits = (
            None
            if order is None
            else [order.order_id, order.closed, order.decided_us, order.valid_until_us, order.sent]
        )
        return cbor.encode(
            [
                _VERSION,
                self.heard_us,
                self._last_us,
                self._sequence,
                self._keys,
                self.trouble,
                self.relay,
                self._listens,
                self._said_order,
                self.clock_doubted,
                waits,
            ]
        )

    def resume(self, kept: bytes, /) -> None:
        """Go on from there. Raises FrameError."""
        what = f"what was kept of meter {self.number}"
        rows = cbor.array(cbor.decode(kept, max_bytes=_KEPT_MAX, what=what), length=11, what=what)
        cbor.integer(rows[0], what="version", low=_VERSION, high=_VERSION)
        heard_us, last_us, sequence = (
            None if row is None else cbor.signed(row, what=what) for row in rows[1:4]
        )
        keys = cbor.array(rows[4], length=len(rows[4]) if isinstance(rows[4], list) else 0, what=what)
        known = [cbor.text(key, what=what) for key in keys]
        trouble = None if rows[5] is None else cbor.text(rows[5], what=what)
        relay = cbor.integer(rows[6], what=what, high=2)
        listens, doubted = cbor.boolean(rows[7], what=what), cbor.boolean(rows[9], what=what)
        said = cbor.integer(rows[8], what=what, high=_ORDERS)
        mailbox = Mailbox() if rows[10] is None else Mailbox(_order(rows[10], what))
        self.heard_us, self._last_us, self._sequence, self._keys = heard_us, last_us, sequence, known
        self.trouble, self.relay, self._listens, self._said_order = trouble, relay, listens, said
        self.clock_doubted, self.mailbox = doubted, mailbox
        # Whoever wanted it has one pass to say so again.
        self._wanted = mailbox.waiting is not None


def _order(row: object, what: str) -> WaitingOrder:
    order_id, closed, decided_us, valid_until_us, sent = cbor.array(row, length=5, what=what)
    return WaitingOrder(
        order_id=cbor.text(order_id, what=what),
        closed=cbor.boolean(closed, what=what),
        decided_us=cbor.signed(decided_us, what=what),
        valid_until_us=cbor.signed(valid_until_us, what=what),
        sent=cbor.integer(sent, what=what),
    )


def silent_after_s(profile: MeterProfile) -> int:
    """How long a meter of this model may say nothing. Raises ProfileError."""
    row = only(profile.settings.get("speaks", {}), "silent_after_s", where="Table [speaks]")
    after_s = row.get("silent_after_s", SILENT_AFTER_S)
    if type(after_s) is not int or after_s < 1:
        raise ProfileError(
            f"Meter profile {profile.key!r}: speaks.silent_after_s is a whole number of seconds."
        )
    return after_s
