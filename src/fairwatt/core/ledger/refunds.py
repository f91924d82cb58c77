"""Money on its way back: the life of a refund as one table, and how much may go back and what bounds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RefundState(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"
    REFUSED = "refused"
    """by a second person, or because nothing was left to go back"""
    WITHDRAWN = "withdrawn"
    APPROVED = "approved"
    """the money has left the wallet and lies in the liability account; gateways give back what they hold of it"""
    SUBMITTED = "submitted"
    """the amount is fixed: the provider is asked, or the window pays"""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABNORMAL = "abnormal"
    """it bounced at the provider (a closed card): the money stays in the liability account for the window"""


NEXT: Final[Mapping[RefundState, frozenset[RefundState]]] = {
    RefundState.REQUESTED: frozenset({RefundState.APPROVED, RefundState.REFUSED, RefundState.WITHDRAWN}),
    RefundState.APPROVED: frozenset({RefundState.SUBMITTED, RefundState.FAILED, RefundState.WITHDRAWN}),
    RefundState.SUBMITTED: frozenset(
        {RefundState.SUCCEEDED, RefundState.FAILED, RefundState.ABNORMAL, RefundState.WITHDRAWN}
    ),
    RefundState.ABNORMAL: frozenset({RefundState.SUCCEEDED, RefundState.FAILED}),
    # A provider has done what it said it could not.
    RefundState.FAILED: frozenset({RefundState.SUCCEEDED}),
    RefundState.REFUSED: frozenset(),
    RefundState.WITHDRAWN: frozenset(),
    # The payer's bank sent it back: it lies with the provider again, and is owed.
    RefundState.SUCCEEDED: frozenset({RefundState.ABNORMAL}),
}
HELD: Final = frozenset({RefundState.APPROVED, RefundState.SUBMITTED, RefundState.ABNORMAL})
"""States in which the liability account holds the money."""


class IllegalRefundStep(ValueError):
    """A refund was asked to move to a state it cannot reach from where it is."""


def advance_refund(state: RefundState, to: RefundState) -> RefundState:
    """Move a refund to its next state, or raise ``IllegalRefundStep`` naming both."""
    if to not in NEXT[state]:
        allowed = ", ".join(sorted(NEXT[state])) or "nothing, it is final"
        raise IllegalRefundStep(f"a refund that is {state} cannot become {to}; it can become: {allowed}")
    return to


class Bound(StrEnum):
    """What keeps a refund from being larger."""

    ASKED = "asked"
    """nothing: it is what was asked for"""
    PAYMENT = "payment"
    """the rest of the payment went back already, or is on its way back"""
    UNSPENT = "unspent"
    """the rest of the credit is used up, lent, or lies at a gateway that cannot be asked for it"""


@dataclass(frozen=True, slots=True)
class Room:
    """How much goes back, in minor units, and what bounds it."""

    amount_minor: int
    bound: Bound


def refund_room(
    *, asked_minor: int, payment_left_minor: int | None, unspent_micro: int, minor_micro: int
) -> Room:
    """The least of what was asked for, what of the payment has not gone back, and what is unspent.

    ``payment_left_minor`` is ``None`` for money that goes back of no single payment. Whole minor units, rounded down:
    nobody is paid a part of a fen that is not there.
    """
    if asked_minor <= 0 or minor_micro <= 0:
        raise ValueError(f"a refund of {asked_minor} minor units of {minor_micro} micro-units is none")
    unspent_minor = max(0, unspent_micro) // minor_micro
    left_minor = asked_minor if payment_left_minor is None else max(0, payment_left_minor)
    amount = min(asked_minor, left_minor, unspent_minor)
    if amount == asked_minor:
        return Room(amount, Bound.ASKED)
    return Room(amount, Bound.PAYMENT if left_minor <= unspent_minor else Bound.UNSPENT)


def shortfall_minor(*, available_micro: int, amount_minor: int, minor_micro: int) -> int:
    """How much of a held refund goes back to its wallet because it was used before it was recalled, in minor units."""
    short = -(min(0, available_micro) // minor_micro)
    return min(amount_minor, short)
