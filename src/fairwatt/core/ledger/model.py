"""Journal entries that cannot be built unless they balance."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

WALLET: Final = "wallet"
REVENUE_ENERGY: Final = "revenue:energy"
REVENUE_STANDING: Final = "revenue:standing"
TAX_OUTPUT: Final = "tax:output"
SUSPENSE: Final = "suspense"
CLEARING: Final = "clearing:"
REVENUE_FEE: Final = "revenue:fee:"
RECOVERY_SHARED: Final = "recovery:shared"
RECEIVABLE_FEES: Final = "receivable:fees"
RECEIVABLE_SHARED: Final = "receivable:shared"
RECEIVABLE_LANDLORD: Final = "receivable:landlord"
RECEIVABLE_EMERGENCY: Final = "receivable:emergency"
RECEIVABLE_DEBT: Final = "receivable:debt"
REVENUE_ADJUSTMENT: Final = "revenue:adjustment"
OPENING: Final = "opening"
PAYABLE_REFUNDS: Final = "payable:refunds"
COST_PROVIDERS: Final = "cost:providers"
"""what payment providers keep of what they settle"""
CASH_OVER_SHORT: Final = "cash:over-short"
PAYABLE_VOIDS: Final = "payable:voids"
"""Cash of payments that were taken back, until it leaves a drawer."""
ROUNDING: Final = "rounding"
DEPOSIT: Final = "deposit:residents"
"""Deposits of residents: a liability apart from their credit, which no use ever takes."""
DRAWER: Final = "cash"
"""The provider whose clearing account is the cash in drawers."""
WINDOW: Final = "window"
"""The provider whose clearing account pays out at the window."""


class Kind(IntEnum):
    """Why a line exists; stored as this number for ever."""

    READING = 1
    TOPUP = 2
    CORRECTION = 3
    FEE = 4
    """A fee, or fee arrears taken from a top-up."""
    SHARED = 5
    """A share of a common cost, or arrears of one."""
    ADJUSTMENT = 6
    """Money a person gave back by a ruling, or a balance brought over; it names the line or the entry it is about."""
    LATE = 7
    """A reading that arrived behind its register's head: its energy was already charged."""
    TRUE_UP = 8
    """What the end of a window adds or gives back: whole bands, minimum, demand, rebates; it names its fact."""
    REVERSAL = 9
    """A fee or a share taken back; its entry names the one it reverses."""
    MOVED = 12
    """Credit that goes with its person: owed to who left a home, or carried to another home; it names its fact."""
    EMERGENCY = 13
    """Emergency credit: lent, or repaid out of a top-up; its credit entry says which."""
    DEBT = 14
    """Owed energy that became a debt with a plan, or what the plan took; its credit entry says which."""
    VOID = 17
    """A payment by hand that was taken back, by one person's wish and another's word; it names its fact."""
    REFUND = 15
    """Credit that goes back to who paid it, or comes back because that failed; it names its fact."""
    CHARGEBACK = 16
    """A payment that its provider took back, or gave back after a dispute was won; it names its fact."""
    DEPOSIT = 20
    """Credit that became a deposit, or a deposit that became credit again at the end; its deposit entry says which."""


class UnbalancedEntry(ValueError):
    """The legs of an entry do not sum to zero in some currency: money would appear or vanish."""


@dataclass(frozen=True, slots=True, order=True)
class Leg:
    """One side of an entry: an account and the signed amount, in micro-units, that it moves by.

    A positive amount on ``wallet`` is credit the resident gains; every other account mirrors it, so revenue
    earned is positive too and money still to come from a provider is negative.
    """

    account: str
    currency: str
    amount_micro: int

    def __post_init__(self) -> None:
        if not self.account or not self.currency:
            raise ValueError(f"a leg needs an account and a currency: {self}")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Legs that belong together; raises ``UnbalancedEntry`` unless they sum to zero per currency."""

    kind: Kind
    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        for currency, total in totals(self.legs).items():
            if total:
                raise UnbalancedEntry(f"{self.kind.name} entry is off by {total} micro-units of {currency}")


def totals(legs: Iterable[Leg]) -> dict[str, int]:
    """Sum legs per currency, in micro-units; every total of whole entries is zero."""
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.currency] = sums.get(leg.currency, 0) + leg.amount_micro
    return sums


def combine(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """Join legs of the same account and currency, as a batch is posted: sorted, zero legs left out."""
    sums: dict[tuple[str, str], int] = {}
    for leg in legs:
        key = (leg.account, leg.currency)
        sums[key] = sums.get(key, 0) + leg.amount_micro
    return tuple(
        Leg(account, currency, amount) for (account, currency), amount in sorted(sums.items()) if amount
    )
