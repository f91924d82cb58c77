"""The collector's loop: told by the database what somebody means to pay, and by the clock what to ask again."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final, Protocol

import psycopg
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import InterfaceError, OperationalError, connection

from fairwatt.collector.agreements import Agreements
from fairwatt.collector.bills import LOOK_S as LOOK_AT_BILLS_S
from fairwatt.collector.bills import Bills
from fairwatt.collector.carrier import Carrier
from fairwatt.collector.efapiao import Efapiaos
from fairwatt.collector.hands import Hands, Piece
from fairwatt.collector.refunds import Refunds
from fairwatt.collector.unasked import Unasked
from fairwatt.flows import collecting
from fairwatt.flows.merchants import Merchant, Merchants
from fairwatt.payments.accounts import BadSettings
from fairwatt.payments.contract import Ability, Action, Method, State
from fairwatt.payments.exchange import Exchange, Moment, ProviderRefused, ProviderTrouble
from fairwatt.payments.sealing import SealBroken

log = structlog.get_logger(__name__)

HANDS: Final = 8
"""Questions asked at the same time, over all accounts."""
WORKING: Final = 1
"""So many of them are read, signed and written down at the same time; the others wait for their answers."""
LOOK_S: Final = 0.5
SKEW_S_MAX: Final = 120
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Domain time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


class Unusable(ProviderTrouble):
    """The account's keys cannot be opened or used by this process."""

    code = "merchant_unusable"
    outcome_known = True


class Collector:
    """Asks providers for every organisation; `run` until `stop`."""

    def __init__(
        self,
        *,
        merchants: Merchants,
        carrier: Carrier,
        clock: Clock,
        origin: str,
        dsn: str,
        einvoice_key: Ed25519PrivateKey | None = None,
    ) -> None:
        """`einvoice_key` signs requests for e-fapiao; without it none is asked for."""
        self._merchants, self._carrier, self._clock = merchants, carrier, clock
        self._origin, self._dsn = origin, dsn
        self._stop = threading.Event()
        self._hints: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._hands = Hands(most=HANDS, working=WORKING, do=self._safely)
        self._wake, self._called = threading.Event(), threading.Event()
        self._health: dict[int, tuple[bool, str, bool]] = {}
        self.bills = Bills(
            now_us=clock.now_us,
            merchant=self.merchant,
            carry=self.carry,
            ask=lambda intent: self.ask(intent_id=intent, hinted=True),
            read_day=lambda account, span: self.unasked.read_day(account=account, span=span),
        )
        self.refunds = Refunds(asks=self, origin=origin)
        self.agreements = Agreements(asks=self)
        self.unasked = Unasked(asks=self, origin=origin)
        self.efapiaos = (
            None if einvoice_key is None else Efapiaos(carrier=carrier, clock=clock, key=einvoice_key)
        )

    def stop(self) -> None:
        """End after what is in hand."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Ask until stopped; a database that is away is waited for."""
        ear = threading.Thread(target=self._listen, name="ear", daemon=True)
        ear.start()
        # The largest bills take minutes, and nobody's payment waits behind them.
        billing = threading.Thread(target=self._look_at_bills, name="bills", daemon=True)
        billing.start()
        looked_s = -LOOK_S
        with self._hands as hands:
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    if self._called.is_set() or time.monotonic() - looked_s >= LOOK_S:
                        self._called.clear()
                        looked_s = time.monotonic()
                        work = self._due()
                    else:
                        work = self._hinted()
                    for piece in work:
                        hands.put(piece)
                except (OperationalError, InterfaceError):
                    log.warning("collector.waiting", exc_info=True)
                    connection.close()
                self._wake.wait(LOOK_S)

    def _look_at_bills(self) -> None:
        while not self._stop.is_set():
            try:
                self.bills.look()
            except Exception:
                log.warning("bills.waiting", exc_info=True)
                connection.close()
            self._stop.wait(LOOK_AT_BILLS_S)

    def look(self) -> None:
        """Ask about everything that is due, and what was hinted at, one after another."""
        for piece in self._due():
            piece()

    def _due(self) -> list[Piece]:
        now_us = self._clock.now_us()
        collecting.let_go(now_us=now_us)
        others = self.refunds.due() + self.agreements.due() + self.unasked.due()
        others += self.efapiaos.due() if self.efapiaos is not None else []
        # Last, so that no hint is taken and lost by a database that goes away meanwhile.
        return self._hinted(also=collecting.due(now_us=now_us, limit=200)) + others

    def _hinted(self, *, also: Sequence[int] = ()) -> list[Piece]:
        """A piece of work for each payment that is due (`also`) or was hinted at since."""
        hinted = set()
        while True:
            try:
                hinted.add(self._hints.get_nowait())
            except queue.Empty:
                break
        return [
            partial(self.ask, intent_id=one, hinted=one in hinted) for one in dict.fromkeys((*also, *hinted))
        ]

    def hint(self, intent_id: int) -> None:
        """Somebody says that something happened to a payment."""
        self._hints.put(intent_id)
        self._wake.set()

    def _safely(self, piece: Piece) -> None:
        # Each hand keeps its connection: a new one costs more than the question. Where it broke meanwhile, the piece is
        # begun again on a new one, so that no hint is lost by it; what was taken in hand by then is not taken twice.
        kept = connection.connection is not None
        try:
            try:
                piece()
            except (OperationalError, InterfaceError):
                connection.close()
                if not kept:
                    raise
                piece()
        except Exception:
            # It is taken up again when its time in hand is over.
            log.error("collector.failed", about=piece.keywords, exc_info=True)
            connection.close()

    def ask(self, *, intent_id: int, hinted: bool = False) -> None:
        """Do what is next for one payment: make it, ask how it stands, or close it."""
        taken = collecting.take(
            intent_id=intent_id, now_us=self._clock.now_us(), origin=self._origin, hinted=hinted
        )
        if taken is None:
            return
        try:
            merchant = self.merchant(taken.account)
            if not taken.made:
                self._make(taken, merchant)
            else:
                self._enquire(taken, merchant)
            self._stands(taken, "")
        except ProviderTrouble as trouble:
            self._note(taken, trouble)

    def merchant(self, account: int) -> Merchant:
        """An account with its keys. Raises Unusable."""
        try:
            merchant = self._merchants.of(account=account)
        except (BadSettings, SealBroken) as wrong:
            raise Unusable(f"the keys of account {account} cannot be used: {wrong}") from None
        if merchant is None:
            raise Unusable(f"account {account} has no keys in force")
        return merchant

    def _make(self, taken: collecting.Taken, merchant: Merchant) -> None:
        provider, order = merchant.provider, taken.order
        if taken.tried or taken.expired:
            # How the first try ended is not known: what it may have made is asked for before anything is made again.
            scanned = order.method is Method.SCAN
            asking = provider.close if scanned and taken.expired else provider.query
            said = self.carry(merchant, lambda at: asking(order=order, at=at))
            if scanned and not taken.expired and said.state is State.PENDING:
                # The code is at the payer's telephone already; it may not be scanned again.
                action = Action(method=Method.SCAN)
                collecting.note_action(intent_id=taken.intent, action=action, now_us=self._clock.now_us())
                return
            done = said.moves_money or taken.expired or order.method is Method.PUSH
            if done:
                collecting.note_answer(
                    intent_id=taken.intent, said=said, now_us=self._clock.now_us(), expired=taken.expired
                )
                return
        action = self.carry(merchant, lambda at: provider.create(order=order, at=at))
        collecting.note_action(intent_id=taken.intent, action=action, now_us=self._clock.now_us())

    def _enquire(self, taken: collecting.Taken, merchant: Merchant) -> None:
        provider, order = merchant.provider, taken.order
        if taken.expired and Ability.CLOSE in provider.abilities.can:
            said = self.carry(merchant, lambda at: provider.close(order=order, at=at))
        else:
            said = self.carry(merchant, lambda at: provider.query(order=order, at=at))
        collecting.note_answer(
            intent_id=taken.intent, said=said, now_us=self._clock.now_us(), expired=taken.expired
        )

    def now_us(self) -> int:
        """Domain time."""
        return self._clock.now_us()

    def carry[T](self, merchant: Merchant, asking: Callable[[Moment], Exchange[T]]) -> T:
        """Carry an exchange to its end over this merchant's line. Raises ProviderTrouble."""
        at = Moment(now_us=self._clock.now_us(), nonce=secrets.token_hex(16))
        with self._hands.away():
            return self._carrier.carry(asking(at), account=merchant.token)

    def _note(self, taken: collecting.Taken, trouble: ProviderTrouble) -> None:
        log.warning("collector.trouble", intent=taken.intent, account=taken.account, code=trouble.code)
        collecting.note_trouble(
            intent_id=taken.intent,
            trouble=trouble,
            refused=isinstance(trouble, ProviderRefused),
            now_us=self._clock.now_us(),
        )
        # A no is an answer: the line stands.
        self._stands(taken, "" if isinstance(trouble, ProviderRefused) else trouble.code)

    def _stands(self, taken: collecting.Taken, code: str) -> None:
        """Tell how a line stands, when that is another than before."""
        account, now_us, skew = taken.account, self._clock.now_us(), None
        available = code != Unusable.code
        if available:
            available = self._carrier.available(account=taken.token)
            skew = skew_s(date_header=self._carrier.date(account=taken.token), now_us=now_us)
        wrong = skew is not None and abs(skew) > SKEW_S_MAX
        if self._health.get(account) == (available, code, wrong):
            return
        if wrong:
            # Fresh callbacks would look stale: asking credits them all the same, but somebody has to set the clock.
            log.error("collector.clock_differs", account=account, ahead_s=skew)
        self._health[account] = (available, code, wrong)
        collecting.note_health(account=account, available=available, code=code, skew_s=skew, now_us=now_us)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True, connect_timeout=5) as ear:
                    ear.execute("LISTEN collect")
                    self._called.set()
                    self._wake.set()
                    for told in ear.notifies():
                        if told.payload.isdigit():
                            self.hint(int(told.payload))
                        else:
                            self._called.set()
                            self._wake.set()
                        if self._stop.is_set():
                            return
            except (psycopg.Error, OSError) as error:
                log.warning("collector.listen_broken", error=type(error).__name__)
            self._stop.wait(LOOK_S)


def skew_s(*, date_header: str, now_us: int) -> int | None:
    """How far a provider's clock, by its `Date` header, is ahead of ours; None where it says nothing."""
    try:
        theirs = parsedate_to_datetime(date_header)
    except (TypeError, ValueError):
        return None
    if theirs.tzinfo is None:
        return None
    return int((theirs - _EPOCH).total_seconds()) - now_us // 1_000_000
