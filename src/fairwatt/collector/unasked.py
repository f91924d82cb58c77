"""What payers begin at their provider: our addresses told there, its list read, and each payment taken in."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import structlog

from fairwatt.collector.hands import Piece
from fairwatt.flows import unasked as flow
from fairwatt.flows.merchants import Merchant
from fairwatt.payments.contract import BillCorrupt
from fairwatt.payments.exchange import Exchange, Moment, ProviderTrouble
from fairwatt.payments.unasked import Listed, TakesUnasked, unasked

log = structlog.get_logger(__name__)

REST_S: Final = 2.0
"""Between two questions to one account's provider: announcements, however many, ask no more often."""


class Asks(Protocol):
    """What the collector lends: the clock, accounts with their keys, and the line."""

    def now_us(self) -> int:
        """Domain time."""
        ...

    def merchant(self, account: int) -> Merchant:
        """An account with its keys. Raises ProviderTrouble."""
        ...

    def carry[T](self, merchant: Merchant, asking: Callable[[Moment], Exchange[T]]) -> T:
        """Carry an exchange to its end. Raises ProviderTrouble."""
        ...


class Unasked:
    """Reads the lists of every account that payers pay by themselves."""

    def __init__(self, *, asks: Asks, origin: str) -> None:
        self._asks, self._origin = asks, origin
        self._asked_s: dict[int, float] = {}

    def due(self) -> list[Piece]:
        """What is to be asked now, an account each."""
        now_s = time.monotonic()
        rested = [
            one
            for one in flow.due(now_us=self._asks.now_us())
            if now_s - self._asked_s.get(one, -REST_S) >= REST_S
        ]
        self._asked_s |= dict.fromkeys(rested, now_s)
        return [partial(self.ask, account=one) for one in rested]

    def ask(self, *, account: int) -> None:
        """Tell a provider our addresses where it does not know them, and read its list."""
        try:
            merchant = self._asks.merchant(account)
            taken = flow.take(merchant=merchant, now_us=self._asks.now_us(), origin=self._origin)
            if taken is None:
                return
            trouble = self._tell(merchant, taken)
            self._read(merchant, since_us=taken.since_us, until_us=taken.until_us)
        except (ProviderTrouble, BillCorrupt) as failed:
            code = failed.code if isinstance(failed, ProviderTrouble) else "list_broken"
            log.warning("collector.list_trouble", account=account, code=code)
            flow.note_trouble(account=account, code=code, now_us=self._asks.now_us())
            return
        if trouble is not None:
            # Its list was read all the same; only what it calls about does not come yet.
            flow.note_trouble(account=account, code=trouble.code, now_us=self._asks.now_us())

    def read_day(self, *, account: int, span: tuple[int, int]) -> None:
        """Read the list of a day whose bill came: what only that tells of is taken in with the rest."""
        merchant = self._asks.merchant(account)
        since_us = flow.since(account=account, from_us=span[0], now_us=self._asks.now_us())
        if since_us is not None and since_us < span[1] and unasked(provider=merchant.provider):
            listed = self._listed(merchant, since_us=since_us, until_us=span[1])
            flow.take_in(merchant=merchant, listed=listed, now_us=self._asks.now_us())

    def _tell(self, merchant: Merchant, taken: flow.InHand) -> ProviderTrouble | None:
        if taken.tell is None:
            return None
        tell, provider = taken.tell, _of(merchant)
        try:
            new = self._asks.carry(
                merchant, lambda at: provider.listen(check_url=tell[0], tell_url=tell[1], at=at)
            )
        except ProviderTrouble as trouble:
            log.warning("collector.not_listening", account=taken.account, code=trouble.code)
            return trouble
        flow.note_told(merchant=merchant, tell=tell, kept=not new, now_us=self._asks.now_us())
        return None

    def _read(self, merchant: Merchant, *, since_us: int, until_us: int) -> None:
        listed = self._listed(merchant, since_us=since_us, until_us=until_us)
        came = flow.take_in(merchant=merchant, listed=listed, now_us=self._asks.now_us())
        if came:
            log.info("collector.came_unasked", account=merchant.account, payments=came)
        flow.note_read(account=merchant.account, listed=listed, until_us=until_us, now_us=self._asks.now_us())

    def _listed(self, merchant: Merchant, *, since_us: int, until_us: int) -> Listed:
        provider = _of(merchant)
        return self._asks.carry(
            merchant, lambda at: provider.listed(since_us=since_us, until_us=until_us, at=at)
        )


def _of(merchant: Merchant) -> TakesUnasked:
    found = unasked(provider=merchant.provider)
    assert found is not None  # only such accounts are taken in hand
    return found
