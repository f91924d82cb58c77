"""The only makers of journal entries: each use of money has one recipe."""

import re

from fairwatt.core.ledger.model import (
    CLEARING,
    COST_PROVIDERS,
    OPENING,
    PAYABLE_REFUNDS,
    RECEIVABLE_DEBT,
    REVENUE_ADJUSTMENT,
    REVENUE_ENERGY,
    REVENUE_STANDING,
    SUSPENSE,
    TAX_OUTPUT,
    WALLET,
    JournalEntry,
    Kind,
    Leg,
    combine,
)

_PROVIDER = re.compile(r"[a-z0-9_-]+")


def charge_legs(*, currency: str, energy_micro: int, standing_micro: int, tax_micro: int) -> tuple[Leg, ...]:
    """Charge a wallet for use: it falls by the sum, revenue and tax rise by their parts (micro-units).

    A correction is the same entry over the difference right minus wrong, a true-up over what the end of a window
    makes of it minus what was charged in time order; negative parts give money back.
    """
    return _entry(
        Kind.READING,
        Leg(WALLET, currency, -(energy_micro + standing_micro + tax_micro)),
        Leg(REVENUE_ENERGY, currency, energy_micro),
        Leg(REVENUE_STANDING, currency, standing_micro),
        Leg(TAX_OUTPUT, currency, tax_micro),
    )


def topup_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """Credit a wallet with money that a payment provider confirmed and will settle."""
    amount = _positive(amount_micro)
    return _entry(
        Kind.TOPUP, Leg(WALLET, currency, amount), Leg(clearing_account(provider=provider), currency, -amount)
    )


def unmatched_topup_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """Keep money nobody can place yet in suspense, so it is neither lost nor anyone's credit."""
    amount = _positive(amount_micro)
    return _entry(
        Kind.TOPUP,
        Leg(SUSPENSE, currency, amount),
        Leg(clearing_account(provider=provider), currency, -amount),
    )


def provider_fee_legs(*, currency: str, provider: str, fee_micro: int) -> tuple[Leg, ...]:
    """Book what a provider keeps of what it settles: so much less is to come from it. Below zero it gave back."""
    return _entry(
        Kind.FEE,
        Leg(clearing_account(provider=provider), currency, fee_micro),
        Leg(COST_PROVIDERS, currency, -fee_micro),
    )


def owed_legs(
    *,
    currency: str,
    kind: Kind,
    earned: str,
    receivable: str,
    net_micro: int,
    tax_micro: int,
    taken_micro: int,
) -> tuple[Leg, ...]:
    """Charge a fee or a share: the wallet gives `taken_micro`, the rest of net and tax is still to come.

    Net and tax of zero collect what was still to come; the same figures with the sign changed take an entry back.
    """
    return _entry(
        kind,
        Leg(WALLET, currency, -taken_micro),
        Leg(receivable, currency, taken_micro - net_micro - tax_micro),
        Leg(earned, currency, net_micro),
        Leg(TAX_OUTPUT, currency, tax_micro),
    )


def adjustment_legs(*, currency: str, amount_micro: int, tax_micro: int) -> tuple[Leg, ...]:
    """Give back a charge by a ruling: `amount_micro` in all, of it `tax_micro` tax that is owed no more.

    Below zero it takes back what a correction of the same charge gives as well.
    """
    amount = amount_micro
    if not amount or not 0 <= tax_micro * (1 if amount > 0 else -1) <= abs(amount):
        raise ValueError(f"tax of {tax_micro} micro-units is no part of an adjustment of {amount}")
    return _entry(
        Kind.ADJUSTMENT,
        Leg(WALLET, currency, amount),
        Leg(REVENUE_ADJUSTMENT, currency, tax_micro - amount),
        Leg(TAX_OUTPUT, currency, -tax_micro),
    )


def opening_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Bring a balance over from an earlier system: credit above zero, debt below."""
    return _entry(Kind.ADJUSTMENT, Leg(WALLET, currency, amount_micro), Leg(OPENING, currency, -amount_micro))


def lent_legs(*, currency: str, kind: Kind, receivable: str, amount_micro: int) -> tuple[Leg, ...]:
    """Lend to a wallet what is owed on another account from then on; below zero it is repaid."""
    return _entry(kind, Leg(WALLET, currency, amount_micro), Leg(receivable, currency, -amount_micro))


def brought_debt_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Take over a debt from an earlier system: it is owed here, and no wallet is moved."""
    amount = _positive(amount_micro)
    return _entry(Kind.DEBT, Leg(RECEIVABLE_DEBT, currency, -amount), Leg(OPENING, currency, amount))


def leaving_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Owe a person who left what is left of the credit, until a refund pays it out."""
    amount = _positive(amount_micro)
    return _entry(Kind.MOVED, Leg(WALLET, currency, -amount), Leg(PAYABLE_REFUNDS, currency, amount))


def clearing_account(*, provider: str) -> str:
    """Name the account of money a provider owes or is owed."""
    if not _PROVIDER.fullmatch(provider):
        raise ValueError(f"provider {provider!r} must be lower-case letters, digits, '-' or '_'")
    return CLEARING + provider


def _entry(kind: Kind, *legs: Leg) -> tuple[Leg, ...]:
    return JournalEntry(kind=kind, legs=combine(legs)).legs


def _positive(amount_micro: int) -> int:
    if amount_micro <= 0:
        raise ValueError(
            f"amount of {amount_micro} micro-units must be above zero; the other way has its own recipe"
        )
    return amount_micro
