"""Commands: verify, remember, carry out, answer.

In that order, so that a pulled plug neither obeys twice nor forgets.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairwatt.core.credit.decide import Reason
from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.errors import CannotReach
from fairwatt.edge.bus import BusDown, Silent
from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.guard import GrantRefused, Guard
from fairwatt.edge.meters import MeterPoint, Meters
from fairwatt.edge.rollback import Doubt
from fairwatt.edge.spool import Spool, StoredCommand
from fairwatt.wire import cbor, cose
from fairwatt.wire.commands import (
    SET_SUPPLY,
    Command,
    Receipt,
    RelayOrder,
    Result,
    decode_command,
    grant_from_obj,
    grant_to_obj,
    hash8,
    sign_receipt,
    verify_command,
)
from fairwatt.wire.errors import BadShape, FrameError
from fairwatt.wire.frames import Detail, Event, Kind, encode_event
from fairwatt.wire.records import Relay, pack_readings

log = structlog.get_logger(__name__)

_GRANT: Final = "grant/"
_FORGED_EVERY_US: Final = 60_000_000
_REMEMBERED_REFUSALS: Final = 256


class Allows(Protocol):
    """Says whether an order may be carried out now."""

    def __call__(self, *, meter: int, relay: int, reason: str, at_us: int) -> bool: ...


def _anything(*, meter: int, relay: int, reason: str, at_us: int) -> bool:
    return True


class Obeyer:
    """Takes signed commands, one at a time, and leaves receipts and proofs in the spool."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        issuers: Callable[[], Mapping[bytes, Ed25519PublicKey]],
        spool: Spool,
        doubt: Doubt,
        meters: Meters,
        guard: Guard,
        now: Callable[[], int],
    ) -> None:
        self._config = config
        self._issuers = issuers
        self._spool = spool
        self._doubt = doubt
        self._meters = meters
        self._guard = guard
        self._now = now
        self._refused: OrderedDict[bytes, bytes] = OrderedDict()
        self._forged_at_us: int | None = None
        self._forged_unsaid = 0

    def follow(self, config: EdgeConfig) -> None:
        """Live by settings that came from afar."""
        self._config = config

    def allowed_by(self, allows: Allows, /) -> None:
        """Ask this before any relay is switched."""
        self._allows = allows

    def load_grants(self) -> None:
        """Give the guard the grants that were kept, when the agent starts."""
        for key, value in self._spool.entries(_GRANT):
            try:
                meter = int(key.removeprefix(_GRANT))
                if not value or meter not in self._meters.points:
                    continue
                obj = cbor.decode(value, max_bytes=cose.MAX_MESSAGE_BYTES, what="a kept grant")
                self._guard.take_grant(meter=meter, grant=grant_from_obj(obj))
            # One that cannot be used (FrameError and GrantRefused are ValueErrors) leaves its meter without
            # an offline rule, and the others with theirs.
            except ValueError as error:
                log.error("grant_unusable", key=key, error=str(error))

    def check(self, message: bytes, /) -> Command | None:
        """Return the command when an issuer signed it and its meter is here; else tell, once, and return None."""
        try:
            command = verify_command(message=message, keys=self._issuers())
        except FrameError as error:
            self._refuse_forged(message, error)
            return None
        if command.kind == SET_SUPPLY and command.meter not in self._meters.points:
            self._refuse_foreign(message, command)
            return None
        return command

    async def take(self, message: bytes, command: Command, /) -> None:
        """Obey a checked command, or say in a receipt why not. The same bytes twice get the same answer.

        Nothing else may ask or switch its meter meanwhile.
        """
        point = self._meters.points[command.meter]
        stored = self._spool.command(meter=command.meter)
        if stored is None or command.seq > stored.seq:
            if command.issued_us < self._doubt.orders_us:
                self._refuse(message, command, Result.STALE)
            elif self._now() >= command.expires_us:
                self._refuse(message, command, Result.EXPIRED)
            else:
                self._accept(message, command)
                await self._carry_out(message, command, point)
        elif command.seq < stored.seq:
            self._refuse(message, command, Result.STALE)
        elif message != stored.message:
            self._alarm_other_bytes(message, stored.message, command)
        elif stored.receipt is not None:
            self._say_again(stored.receipt)
        elif point.trouble is None:
            await self._carry_out(message, command, point)
        # Else it waits for the meter to answer a poll (`retry_open`): asked at every repetition of the order, a dead
        # meter would keep its neighbours' orders from the bus.

    def was_told_to_open(self, *, meter: int) -> bool:
        """Say whether the newest command kept for a meter ordered its relay open."""
        stored = self._spool.command(meter=meter)
        if stored is None:
            return False
        try:
            return _kept_command(meter, stored).supply.relay == RelayOrder.OPEN
        except FrameError:
            return True  # it cannot be read any more: nothing may be made of it

    def was_cut_for_credit(self, *, meter: int) -> bool:
        """Say whether the newest command kept for a meter, carried out, cut it because its credit was used up."""
        stored = self._spool.command(meter=meter)
        if stored is None or stored.receipt is None:
            return False
        try:
            supply = _kept_command(meter, stored).supply
        except FrameError:
            return False
        return supply.relay == RelayOrder.OPEN and supply.reason == Reason.BALANCE_EMPTY

    async def retry_open(self, points: Collection[MeterPoint], /) -> None:
        """Carry out what was accepted but not done: the meter was silent, or the power failed in between."""
        mine = {point.number: point for point in points if point.trouble is None}
        for meter, stored in self._spool.open_commands():
            point = mine.get(meter)
            if point is None:
                continue
            try:
                command = _kept_command(meter, stored)
            except FrameError as error:
                self._give_up(meter, stored, point, error)
                continue
            await self._carry_out(stored.message, command, point)

    def _give_up(self, meter: int, stored: StoredCommand, point: MeterPoint, error: FrameError) -> None:
        # Answered like an order that the meter refused: the head-end decides anew and sends another.
        detail: Detail = {"seq": stored.seq, "why": error.code, "text": str(error)[:300]}
        receipt = self._receipt(meter, stored.seq, Result.METER_REFUSED, point.relay, hash8(stored.message))
        with self._spool.atomic():
            self._event("meter_refused", meter, detail)
            self._append(Kind.RECEIPT, receipt)
            self._spool.keep_receipt(meter=meter, seq=stored.seq, receipt=receipt)

    def _accept(self, message: bytes, command: Command) -> None:
        grant = command.supply.grant
        kept = b"" if grant is None else cbor.encode(grant_to_obj(grant))
        with self._spool.atomic():
            self._spool.keep_command(meter=command.meter, seq=command.seq, message=message)
            self._spool.put([(f"{_GRANT}{command.meter}", kept)])
        # Only now: a grant that the disk did not take must not be counted from either.
        try:
            self._guard.take_grant(meter=command.meter, grant=grant)
        except GrantRefused as error:
            self._event("grant_unusable", command.meter, {"seq": command.seq, "text": str(error)[:300]})

    async def _carry_out(self, message: bytes, command: Command, point: MeterPoint) -> None:
        now_us = self._now()
        if command.issued_us < self._doubt.orders_us:
            # Accepted in an older copy of this memory: what became of it, and of those after it, nobody knows here.
            self._finish(message, command, Result.STALE, point.relay, None)
            return
        if now_us >= command.expires_us:
            self._finish(message, command, Result.EXPIRED, point.relay, None)
            return
        order, reason = command.supply.relay, command.supply.reason
        restored_until_us = self._guard.restored.get(point.number, 0)
        decided = reason in (Reason.BALANCE_EMPTY, Reason.CONTRACT_ENDED)
        if order == RelayOrder.OPEN and decided and now_us < restored_until_us:
            # Decided before the head-end knew: it learns of the restore first, and decides anew.
            self._event("cut_spared", point.number, {"seq": command.seq, "until_us": restored_until_us})
            self._finish(message, command, Result.METER_REFUSED, point.relay, None)
            return
        if not self._allows(meter=point.number, relay=order, reason=reason, at_us=now_us):
            self._finish(message, command, Result.SAFETY_OPEN, point.relay, None)
            return
        if order == RelayOrder.LEAVE:
            self._finish(message, command, Result.APPLIED, point.relay, None)
            return
        valid_us = point.valid_us(self._config.relay_order_valid_s * 1_000_000)
        valid_until_us = min(command.expires_us, now_us + valid_us)
        try:
            relay = await point.switch(closed=order == RelayOrder.CLOSED, valid_until_us=valid_until_us)
        except CannotReach as error:
            # It waits in the meter's mailbox, renewed at every pass, until a message shows the relay there.
            log.info("order_waits_for_meter", meter=point.number, seq=command.seq, error=str(error))
            return
        except (BusDown, Silent) as error:
            # No receipt: the command stays open and is tried again when the meter answers, until it expires.
            point.trouble = point.trouble or error.code
            log.warning("order_waits_for_meter", meter=point.number, seq=command.seq, error=str(error))
            return
        except DriverError as error:
            self._event(
                "meter_refused",
                point.number,
                {"seq": command.seq, "why": error.code, "text": str(error)[:300]},
            )
            self._finish(message, command, Result.METER_REFUSED, point.relay, None)
            return
        self._guard.settle_relay(meter=point.number, relay=relay, tripped=False)
        self._finish(message, command, Result.APPLIED, relay, await self.proof(point))

    async def proof(self, point: MeterPoint) -> bytes | None:
        """Read the meter now, so that its own register and relay tell what happened. None when it is silent.

        The instant is always later than the meter's last reading: two states need two instants.
        """
        try:
            reading = await point.read(
                stamp=lambda: point.in_order(self._now(), strictly=True), with_voltage=False
            )
        except DriverError as error:
            log.warning("no_proof_yet", meter=point.number, error=str(error))
            return None
        self._guard.take_reading(reading)
        return pack_readings([reading])

    def _finish(
        self, message: bytes, command: Command, result: Result, relay: int, proof: bytes | None
    ) -> None:
        receipt = self._receipt(command.meter, command.seq, result, relay, hash8(message))
        with self._spool.atomic():
            self._append(Kind.RECEIPT, receipt)
            self._spool.keep_receipt(meter=command.meter, seq=command.seq, receipt=receipt)
            if proof is not None:
                self._append(Kind.READINGS, proof)
            self._spool.put([("guard", self._guard.dump())])
        log.info("command_done", meter=command.meter, seq=command.seq, result=result.name, relay=relay)

    def _refuse(self, message: bytes, command: Command, result: Result) -> None:
        digest = hash8(message)
        receipt = self._refused.get(digest)
        if receipt is None:
            relay = self._meters.points[command.meter].relay
            receipt = self._receipt(command.meter, command.seq, result, relay, digest)
            self._remember_refusal(digest, receipt)
            log.warning("command_refused", meter=command.meter, seq=command.seq, result=result.name)
        self._say_again(receipt)

    def _alarm_other_bytes(self, message: bytes, stored: bytes, command: Command) -> None:
        digest = hash8(message)
        if digest not in self._refused:
            detail: Detail = {"seq": command.seq, "hash8": digest, "stored_hash8": hash8(stored)}
            self._event("command_forged", command.meter, detail)
        self._refuse(message, command, Result.OTHER_BYTES)

    def _refuse_foreign(self, message: bytes, command: Command) -> None:
        digest = hash8(message)
        if digest not in self._refused:
            self._remember_refusal(digest, b"")
            self._event("command_unknown_meter", command.meter, {"seq": command.seq, "hash8": digest})

    def _refuse_forged(self, message: bytes, error: FrameError) -> None:
        # Who can publish here could otherwise fill the spool, where receipts and events are never dropped.
        now_us = self._now()
        self._forged_unsaid += 1
        if self._forged_at_us is not None and 0 <= now_us - self._forged_at_us < _FORGED_EVERY_US:
            return
        self._forged_at_us = now_us
        meter, seq = _claimed(message)
        detail: Detail = {"why": error.code, "count": self._forged_unsaid, "hash8": hash8(message)}
        with self._spool.atomic():
            self._event("command_bad_signature", meter, detail)
            self._append(
                Kind.RECEIPT,
                self._receipt(meter, seq, Result.BAD_SIGNATURE, Relay.UNKNOWN, hash8(message)),
            )
        self._forged_unsaid = 0

    def _remember_refusal(self, digest: bytes, receipt: bytes) -> None:
        self._refused[digest] = receipt
        if len(self._refused) > _REMEMBERED_REFUSALS:
            self._refused.popitem(last=False)

    def _say_again(self, receipt: bytes) -> None:
        if not self._spool.has_record(kind=Kind.RECEIPT, body=receipt):
            self._append(Kind.RECEIPT, receipt)

    def _receipt(self, meter: int, seq: int, result: Result, relay: int, digest: bytes) -> bytes:
        wallet = self._guard.wallet_of(meter=meter)
        available = None if wallet is None else self._guard.available_micro(wallet=wallet)
        receipt = Receipt(meter, seq, result, relay, available, self._now(), digest)
        return sign_receipt(receipt=receipt, key=self._config.key, kid=self._config.kid)

    def _event(self, code: str, meter: int, detail: Detail) -> None:
        self._append(Kind.EVENT, encode_event(Event(code, self._now(), meter, detail)))
        log.warning(code, meter=meter, **detail)

    def _append(self, kind: Kind, body: bytes) -> None:
        self._spool.append(kind=kind, body=body, at_us=self._now())


def _kept_command(meter: int, stored: StoredCommand) -> Command:
    """Read a command from the spool. Its signature was checked when it was accepted; keys may change since."""
    command = decode_command(cose.unverified_payload(stored.message))
    if (command.meter, command.seq) != (meter, stored.seq):
        raise BadShape(f"the command kept as number {stored.seq} of meter {meter} is another one")
    return command


def _claimed(message: bytes) -> tuple[int, int]:
    """The meter and sequence a refused message claims to be for; zeros when it cannot be read."""
    try:
        command = decode_command(cose.unverified_payload(message))
    except FrameError:
        return 0, 0
    return command.meter, command.seq
