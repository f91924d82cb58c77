"""The only makers of journal entries: each use of money has one recipe."""

import re

from fairwatt.core.ledger.model import (
    CASH_OVER_SHORT,
    CLEARING,
    COST_PROVIDERS,
    DEPOSIT,
    OPENING,
    PAYABLE_REFUNDS,
    PAYABLE_VOIDS,
    RECEIVABLE_DEBT,
    REVENUE_ADJUSTMENT,
    REVENUE_ENERGY,
    REVENUE_STANDING,
    ROUNDING,
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


def deposit_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Set credit aside as a deposit; below zero the deposit is credit again, because the account ends."""
    return _entry(Kind.DEPOSIT, Leg(WALLET, currency, -amount_micro), Leg(DEPOSIT, currency, amount_micro))


def declared_deposit_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Take over a deposit that is held from an earlier time: it is owed here, and no wallet is moved."""
    amount = _positive(amount_micro)
    return _entry(Kind.DEPOSIT, Leg(DEPOSIT, currency, amount), Leg(OPENING, currency, -amount))


def claimed_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Credit a wallet with money that nobody could place until a person claimed it."""
    amount = _positive(amount_micro)
    return _entry(Kind.TOPUP, Leg(WALLET, currency, amount), Leg(SUSPENSE, currency, -amount))


def void_legs(*, currency: str, amount_micro: int, against: str) -> tuple[Leg, ...]:
    """Take a payment back from a wallet: it is owed to the payer, or was never there, or waits to be placed anew."""
    amount = _positive(amount_micro)
    return _entry(Kind.VOID, Leg(WALLET, currency, -amount), Leg(against, currency, amount))


def counted_legs(*, currency: str, provider: str, over_micro: int) -> tuple[Leg, ...]:
    """What a drawer holds beyond what was taken, or short of it (below zero), is gain or loss from now on."""
    return _entry(
        Kind.TOPUP,
        Leg(CASH_OVER_SHORT, currency, over_micro),
        Leg(clearing_account(provider=provider), currency, -over_micro),
    )


def handed_out_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """Pay what is owed since a payment was taken back, out of a drawer."""
    amount = _positive(amount_micro)
    return _entry(
        Kind.VOID,
        Leg(PAYABLE_VOIDS, currency, -amount),
        Leg(clearing_account(provider=provider), currency, amount),
    )


def refund_held_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Owe a refund from the moment it leaves the wallet; below zero it comes back there, for it was not made."""
    return _entry(
        Kind.REFUND, Leg(WALLET, currency, -amount_micro), Leg(PAYABLE_REFUNDS, currency, amount_micro)
    )


def refund_paid_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """A refund that was owed is paid: a provider says so, or two people at the window."""
    amount = _positive(amount_micro)
    return _entry(
        Kind.REFUND,
        Leg(PAYABLE_REFUNDS, currency, -amount),
        Leg(clearing_account(provider=provider), currency, amount),
    )


def refund_returned_legs(
    *, currency: str, provider: str, amount_micro: int, rest_micro: int, account: str
) -> tuple[Leg, ...]:
    """A refund that was paid came back from the payer's bank: the provider has it, and it is owed again.

    ``account``: who it is owed to, or the wallet where the payer has had it another way. ``rest_micro``: what was
    rounded off when it was paid, and is owed again with it; 0 for nothing.
    """
    amount = _positive(amount_micro)
    rounded = (
        (Leg(PAYABLE_REFUNDS, currency, rest_micro), Leg(ROUNDING, currency, -rest_micro))
        if rest_micro
        else ()
    )
    return _entry(
        Kind.REFUND,
        Leg(account, currency, amount),
        Leg(clearing_account(provider=provider), currency, -amount),
        *rounded,
    )


def refund_found_legs(*, currency: str, provider: str, amount_micro: int, account: str) -> tuple[Leg, ...]:
    """A refund that nobody asked for here: the provider paid it out of what it is to settle.

    ``account``: the wallet, or suspense where nobody knows whose payment it was.
    """
    amount = _positive(amount_micro)
    return _entry(
        Kind.REFUND,
        Leg(account, currency, -amount),
        Leg(clearing_account(provider=provider), currency, amount),
    )


def rounded_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """What is left of an amount owed that no coin can pay."""
    amount = _positive(amount_micro)
    return _entry(Kind.REFUND, Leg(PAYABLE_REFUNDS, currency, -amount), Leg(ROUNDING, currency, amount))


def chargeback_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """A provider took a payment back out of what it is to settle; below zero it gave it back (a dispute won)."""
    return _entry(
        Kind.CHARGEBACK,
        Leg(WALLET, currency, -amount_micro),
        Leg(clearing_account(provider=provider), currency, amount_micro),
    )


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
