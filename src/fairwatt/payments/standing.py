"""What is known of an order without a paper of the provider's about it: that there is none, or that it was closed."""

from __future__ import annotations

from fairwatt.payments.contract import Assurance, OrderAsk, ProviderFact, State
from fairwatt.payments.exchange import Moment


def stands(provider: str, order: OrderAsk, state: State, word: str, at: Moment) -> ProviderFact:
    """The order itself as a fact of `provider`'s answer; `word` is the provider's own for the state."""
    return ProviderFact(
        provider=provider,
        state=state,
        our_ref=order.our_ref,
        provider_ref="",
        event_id=f"{order.our_ref}:{word}",
        amount_minor=order.amount_minor,
        currency=order.currency,
        occurred_at_us=at.now_us,
        assurance=Assurance.QUERIED,
        detail=word,
    )
