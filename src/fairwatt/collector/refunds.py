"""Refunds and chargebacks at their providers: asked for under one reference, asked about until they end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import structlog

from fairwatt.collector.hands import Piece
from fairwatt.flows import collect_refunds
from fairwatt.flows.collect_refunds import Heard, TakenRefund
from fairwatt.flows.merchants import Merchant
from fairwatt.payments.contract import Ability, ProviderFact, State
from fairwatt.payments.exchange import Exchange, Moment, ProviderRefused, ProviderTrouble

log = structlog.get_logger(__name__)

AT_ONCE: Final = 100
AGAIN_US: Final = 60_000_000
"""Between two questions about the same thing that was heard, where the first found no answer."""


class Asks(Protocol):
    """What this needs of the collector: the present, its own address, keys, and the line."""

    def now_us(self) -> int:
        """Domain time."""
        ...

    def merchant(self, account: int) -> Merchant:
        """An account with its keys. Raises ProviderTrouble."""
        ...

    def carry[T](self, merchant: Merchant, asking: Callable[[Moment], Exchange[T]]) -> T:
        """Carry an exchange to its end. Raises ProviderTrouble."""
        ...


class Refunds:
    """What the collector does of refunds, beside payments."""

    def __init__(self, *, asks: Asks, origin: str) -> None:
        self._asks, self._origin = asks, origin
        self._later: dict[int, int] = {}
        """when to ask again about an event that nobody could answer for"""

    def due(self) -> list[Piece]:
        """Everything to be asked about now, one piece of work each."""
        now_us = self._asks.now_us()
        work: list[Piece] = []
        for refund in collect_refunds.due_refunds(now_us=now_us, limit=AT_ONCE):
            work.append(partial(self.ask, refund_id=refund))
        self._later = {event: at_us for event, at_us in self._later.items() if at_us > now_us}
        for event in collect_refunds.heard_of(now_us=now_us, limit=AT_ONCE, later=self._later):
            self._later[event] = now_us + AGAIN_US
            work.append(partial(self.follow, event_id=event))
        return work

    def ask(self, *, refund_id: int, heard: int | None = None) -> None:
        """Ask for a refund, or how it stands; also before its time where an event was `heard` of it."""
        taken = collect_refunds.take_refund(
            refund_id=refund_id, now_us=self._asks.now_us(), origin=self._origin, hinted=heard is not None
        )
        if taken is None:
            return
        try:
            said = self._stands(taken, self._asks.merchant(taken.account))
        except ProviderTrouble as trouble:
            log.warning("collector.refund_trouble", refund=taken.refund, code=trouble.code)
            collect_refunds.note_refund_trouble(
                refund_id=taken.refund, trouble=trouble, now_us=self._asks.now_us()
            )
            return
        collect_refunds.note_refund(
            refund_id=taken.refund, said=said, now_us=self._asks.now_us(), heard=heard
        )

    def _stands(self, taken: TakenRefund, merchant: Merchant) -> ProviderFact:
        provider = merchant.provider
        if Ability.REFUND not in provider.abilities.can:
            return self._no(taken, merchant, "not_supported")
        if taken.tried:
            # How the first try ended is not known, or it was accepted: ask for it before anything is made.
            said = self._known(taken, merchant)
            if said.state is not State.UNKNOWN:
                return said
        try:
            return self._asks.carry(merchant, lambda at: provider.refund(refund=taken.ask, at=at))
        except ProviderRefused as refused:
            # A no to this attempt may hide that an earlier one was done.
            said = self._known(taken, merchant)
            return self._no(taken, merchant, refused.reason) if said.state is State.UNKNOWN else said

    def _known(self, taken: TakenRefund, merchant: Merchant) -> ProviderFact:
        return self._asks.carry(merchant, lambda at: merchant.provider.query_refund(refund=taken.ask, at=at))

    def _no(self, taken: TakenRefund, merchant: Merchant, reason: str) -> ProviderFact:
        return collect_refunds.refused_word(
            ask=taken.ask, provider=merchant.provider.name, reason=reason, now_us=self._asks.now_us()
        )

    def follow(self, *, event_id: int) -> None:
        """Ask the provider about something that was heard of a refund or a chargeback."""
        heard = collect_refunds.take_heard(event_id=event_id, origin=self._origin)
        if heard is None:
            return
        if heard.refund is not None:
            self.ask(refund_id=heard.refund, heard=event_id)
            return
        try:
            said = self._true_of(heard, self._asks.merchant(heard.account))
        except ProviderTrouble as trouble:
            log.warning("collector.heard_trouble", heard=event_id, code=trouble.code)
            return
        if said.state is not State.UNKNOWN:
            collect_refunds.note_heard(event_id=event_id, said=said, now_us=self._asks.now_us())
            self._later.pop(event_id, None)

    def _true_of(self, heard: Heard, merchant: Merchant) -> ProviderFact:
        provider = merchant.provider
        if heard.dispute is not None:
            dispute = heard.dispute
            return self._asks.carry(merchant, lambda at: provider.query_dispute(dispute=dispute, at=at))
        return self._asks.carry(merchant, lambda at: provider.query_refund(refund=heard.ask, at=at))
