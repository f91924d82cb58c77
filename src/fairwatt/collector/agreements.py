"""Agreements carried to their provider: the page to sign on, how it stands, and what is to be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

import structlog

from fairwatt.collector.hands import Piece
from fairwatt.flows.auto_top_up import signing
from fairwatt.flows.merchants import Merchant
from fairwatt.payments.agreements import SavesPayers
from fairwatt.payments.contract import Method
from fairwatt.payments.exchange import Exchange, Moment, ProviderTrouble

log = structlog.get_logger(__name__)


class Asks(Protocol):
    """What the collector lends: the clock, accounts with their keys, and the line."""

    def now_us(self) -> int:
        """Domain time."""
        ...

    def merchant(self, account: int) -> Merchant:
        """An account with its keys."""
        ...

    def carry[T](self, merchant: Merchant, asking: Callable[[Moment], Exchange[T]]) -> T:
        """Carry an exchange to its end."""
        ...


class Agreements:
    """Asks about what residents agree to."""

    def __init__(self, *, asks: Asks) -> None:
        self._asks = asks

    def due(self) -> list[Piece]:
        """What is to be asked now, piece by piece."""
        return [partial(self.ask, plan_id=one) for one in signing.due(now_us=self._asks.now_us())]

    def ask(self, *, plan_id: int) -> None:
        """Do what is next for one agreement."""
        one = signing.take(plan_id=plan_id, now_us=self._asks.now_us())
        if one is None:
            return
        try:
            merchant = self._asks.merchant(one.account)
            # Only accounts that offer `auto` are agreed with, and what offers it saves payers.
            assert Method.AUTO in merchant.provider.abilities.methods
            provider, wanted = cast("SavesPayers", merchant.provider), signing.ask_of(one)
            if one.state == "ended" and one.payer:
                self._asks.carry(merchant, lambda at: provider.forget(agreement=wanted, at=at))
                signing.note_forgotten(one=one, now_us=self._asks.now_us())
            elif one.state == "ended" and not one.provider_order:
                signing.note_forgotten(one=one, now_us=self._asks.now_us())
            elif not one.provider_order:
                page = self._asks.carry(merchant, lambda at: provider.sign(agreement=wanted, at=at))
                signing.note_page(one=one, action=page, now_us=self._asks.now_us())
            else:
                said = self._asks.carry(
                    merchant, lambda at: provider.query_agreement(agreement=wanted, at=at)
                )
                signing.note_stands(one=one, said=said, now_us=self._asks.now_us())
        except ProviderTrouble as trouble:
            log.warning("collector.agreement_trouble", plan=plan_id, code=trouble.code)
            signing.note_trouble(one=one, trouble=trouble, now_us=self._asks.now_us())
