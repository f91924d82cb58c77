"""Tokens of twenty digits: a payment that the ledger has, typed where nobody can be told of it.

The gateway decodes it with the virtual meter that it keeps for each of its meters, remembers it on the disk, and counts
the payment until a grant comes that knows it. It books nothing: the ledger had the payment before the token was made.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fairwatt.core.commands import carried_payment as carried
from fairwatt.core.commands.carried_payment import Outcome, Verdict
from fairwatt.core.commands.restore_code import Lock, Marker, wait_s
from fairwatt.core.tokens.meter import Meter
from fairwatt.core.tokens.meter_state import MemoryUnreadable, meter_from_obj, meter_to_obj
from fairwatt.edge.guard import Guard
from fairwatt.edge.heads import Carried
from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.locks import TOKENS, Locks
from fairwatt.edge.local.look import money
from fairwatt.edge.meters import MeterPoint
from fairwatt.edge.rollback import Doubt
from fairwatt.edge.spool import Spool
from fairwatt.wire import cbor, cose
from fairwatt.wire.errors import BadShape, FrameError
from fairwatt.wire.frames import Detail, Event, Kind, encode_event
from fairwatt.wire.records import Relay

log = structlog.get_logger(__name__)

_KEPT: Final = "token/"
_FORMAT: Final = 1
_SEAL: Final = b"fairwatt/v1/carried-payment/kept"
_KEY_ID: Final = b"fairwatt/v1/carried-payment/key-id"
_NONCE_BYTES: Final = 12
_ID_BYTES: Final = 8
_CREDITS_MAX: Final = 64
_DAY_US: Final = 86_400_000_000
_S: Final = 1_000_000


class Settles(Protocol):
    """Lets the guard decide for one meter at once, by its own rules, where the line is down."""

    def __call__(self, point: MeterPoint, /, *, at_us: int) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Held:
    """What the gateway remembers of one meter's tokens. ``lock``: of what anybody typed there."""

    meter: Meter = field(repr=False)
    lock: Lock = field(default_factory=Lock)
    credits: tuple[Carried, ...] = ()


class Tokens:
    """Takes tokens for the meters of one gateway. Call it while nobody else asks or switches the meter."""

    def __init__(
        self,
        *,
        points: Mapping[int, MeterPoint],
        spool: Spool,
        doubt: Doubt,
        guard: Guard,
        marker: Marker | None,
        settle: Settles,
        may_close: Callable[[int, int], bool],
        entropy: Callable[[int], bytes],
        currency: str,
    ) -> None:
        self._points, self._spool, self._doubt, self._guard = points, spool, doubt, guard
        self._marker, self._settle, self._may_close = marker, settle, may_close
        self._entropy, self._currency = entropy, currency
        self._own_tries = Locks(spool=spool, kind=TOKENS)
        self._held: dict[int, Held] = {}
        self._lost: set[int] = set()

    def load(self) -> None:
        """Take up what was kept. Where it cannot be read, a meter takes no token: forgetting would use one twice."""
        if self._marker is None:
            return
        for key, value in self._spool.entries(_KEPT):
            meter = int(key.removeprefix(_KEPT))
            try:
                held = self._opened(meter, value, self._marker)
            except (FrameError, MemoryUnreadable, InvalidTag) as error:
                log.error("token_memory_lost", meter=meter, error=str(error) or type(error).__name__)
                self._lost.add(meter)
                continue
            if held is not None:
                self._held[meter] = held
                self._guard.carried[meter] = held.credits

    async def enter(self, *, meter: int, digits: str, now_us: int, proven: bool = False) -> Answer:
        """Try a token at a meter. What neither this gateway's keys nor the form of a token explains counts as a try.

        The tries of who is ``proven`` are counted apart from those of everybody.
        """
        if self._marker is None:
            return Answer("no_key")
        if meter in self._lost:
            return Answer("token_memory_lost")
        held = self._held.get(meter)
        if held is None:
            held = Held(carried.new_meter(marker=self._marker, meter=meter, at_us=now_us))
        lock = (self._own_tries.of(meter) if proven else held.lock).seen(now_us=now_us)
        if now_us < lock.until_us:
            return Answer("locked", wait_s=-(-(lock.until_us - now_us) // _S))
        verdict = carried.judge(
            kept=held.meter,
            digits=digits,
            meter=meter,
            others=[other for other in self._points if other != meter],
            marker=self._marker,
            now_us=now_us,
        )
        if verdict.outcome is not Outcome.ACCEPTED:
            return self._refuse(meter, held, lock, verdict.outcome, now_us, proven=proven)
        if verdict.paid_us <= self._doubt.codes_us:
            return Answer("token_in_doubt")
        wallet = self._guard.wallet_of(meter=meter)
        if wallet is None:
            return Answer("token_no_grant")
        if self._granted_us(wallet) >= verdict.paid_us:
            return Answer("token_in_balance")
        if proven and lock.failures:
            self._own_tries.keep(meter, Lock())
        return await self._take(meter, wallet, held, verdict, now_us)

    def _granted_us(self, wallet: int) -> int:
        return max(held.as_of_us for held in self._guard.holdings() if held.wallet == wallet)

    async def _take(self, meter: int, wallet: int, held: Held, verdict: Verdict, now_us: int) -> Answer:
        credit = Carried(wallet, verdict.paid_us, verdict.amount_micro)
        oldest_us = now_us - 2 * carried.TYPED_WITHIN_DAYS * _DAY_US
        kept = tuple(one for one in held.credits if one.paid_us > oldest_us)
        after = Held(verdict.after, Lock(), (*kept, credit)[-_CREDITS_MAX:])
        detail: Detail = {
            "wallet": wallet,
            "amount_micro": verdict.amount_micro,
            "paid_us": verdict.paid_us,
        }
        # On the disk before anything follows from it: a pulled plug neither takes a token twice nor forgets the credit.
        self._keep(meter, after, Event("token_taken", now_us, meter, detail), now_us)
        self._guard.carried[meter] = after.credits
        point = self._points[meter]
        await self._settle(point, at_us=now_us)
        amount = money(verdict.amount_micro, currency=self._currency)
        return Answer(self._came_to(point, wallet, now_us), amount=amount)

    def _came_to(self, point: MeterPoint, wallet: int, now_us: int) -> str:
        available = self._guard.available_micro(wallet=wallet)
        if point.relay == Relay.CLOSED:
            return Outcome.ACCEPTED
        if available is not None and available <= 0:
            return "token_accepted_short"
        return "token_accepted_waits" if self._may_close(point.number, now_us) else "token_accepted_unsafe"

    def _refuse(
        self, meter: int, held: Held, lock: Lock, outcome: Outcome, now_us: int, *, proven: bool
    ) -> Answer:
        # A neighbour's, an old or a used token is known to be ours: no guess. It gets no wait, and no event.
        if outcome not in (Outcome.WRONG, Outcome.EXPIRED, Outcome.NOT_YET):
            return Answer(outcome)
        lock = lock.failed(now_us=now_us)
        detail: Detail = {"outcome": outcome.value, "failures": lock.failures}
        with self._spool.atomic():
            if proven:
                self._own_tries.keep(meter, lock)
            else:
                held = replace(held, lock=lock)
            self._keep(meter, held, Event("token_refused", now_us, meter, detail), now_us)
        return Answer(outcome, wait_s=wait_s(lock.failures))

    def _keep(self, meter: int, held: Held, event: Event, now_us: int) -> None:
        assert self._marker is not None
        with self._spool.atomic():
            self._spool.put([(f"{_KEPT}{meter}", self._sealed(meter, held, self._marker))])
            self._spool.append(kind=Kind.EVENT, body=encode_event(event), at_us=now_us)
        log.warning(event.code, meter=meter, **event.detail)
        self._held[meter] = held

    def _sealed(self, meter: int, held: Held, marker: Marker) -> bytes:
        """What is kept of a meter contains its key: nobody reads it who has the disk alone."""
        nonce = self._entropy(_NONCE_BYTES)
        body = cbor.encode([meter_to_obj(held.meter), list(held.lock), [list(one) for one in held.credits]])
        sealed = AESGCM(marker(meter, _SEAL)).encrypt(nonce, body, _name(meter))
        return cbor.encode([_FORMAT, marker(meter, _KEY_ID)[:_ID_BYTES], nonce, sealed])

    def _opened(self, meter: int, value: bytes, marker: Marker) -> Held | None:
        """Read what `_sealed` wrote. None under another key than it was written with: its tokens are void now."""
        obj = cbor.decode(value, max_bytes=cose.MAX_MESSAGE_BYTES, what="what is kept of tokens")
        version, key_id, nonce, sealed = cbor.array(obj, length=4, what="what is kept of tokens")
        if version != _FORMAT:
            raise BadShape("what is kept of tokens is of another format")
        if key_id != marker(meter, _KEY_ID)[:_ID_BYTES]:
            return None
        body = AESGCM(marker(meter, _SEAL)).decrypt(
            cbor.octets(nonce, what="the nonce", length=_NONCE_BYTES),
            cbor.octets(sealed, what="what is sealed"),
            _name(meter),
        )
        plain = cbor.decode(body, max_bytes=cose.MAX_MESSAGE_BYTES, what="the memory of a meter")
        kept, lock, brought = cbor.array(plain, length=3, what="the memory of a meter")
        if type(brought) is not list:
            raise BadShape("the credits of a meter are not in a list")
        failures, last = cbor.array(lock, length=2, what="the kept lock")
        return Held(
            meter_from_obj(kept),
            Lock(cbor.integer(failures, what="failures"), cbor.signed(last, what="last_us")),
            tuple(_credit(one) for one in brought),
        )


def _credit(value: object) -> Carried:
    wallet, paid_us, amount = cbor.array(value, length=3, what="a carried payment")
    return Carried(
        cbor.integer(wallet, what="wallet"),
        cbor.signed(paid_us, what="paid_us"),
        cbor.integer(amount, what="amount_micro"),
    )


def _name(meter: int) -> bytes:
    return f"{_KEPT}{meter}".encode()
