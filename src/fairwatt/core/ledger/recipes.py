"""The only makers of journal entries: each use of money has one recipe."""

import re

from fairwatt.core.ledger.model import (
    CLEARING,
    OPENING,
    REVENUE_ENERGY,
    REVENUE_FEE,
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


def charge_legs(
    *, currency: str, energy_micro: int, standing_micro: int, tax_micro: int, kind: Kind = Kind.READING
) -> tuple[Leg, ...]:
    """Charge a wallet for use: it falls by the sum, revenue and tax rise by their parts (micro-units)."""
    return _entry(
        kind,
        Leg(WALLET, currency, -(energy_micro + standing_micro + tax_micro)),
        Leg(REVENUE_ENERGY, currency, energy_micro),
        Leg(REVENUE_STANDING, currency, standing_micro),
        Leg(TAX_OUTPUT, currency, tax_micro),
    )


def correction_legs(
    *, currency: str, energy_micro: int, standing_micro: int, tax_micro: int
) -> tuple[Leg, ...]:
    """Correct earlier charges by the difference right minus wrong; negative parts give money back."""
    return charge_legs(
        currency=currency,
        energy_micro=energy_micro,
        standing_micro=standing_micro,
        tax_micro=tax_micro,
        kind=Kind.CORRECTION,
    )


def topup_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """Credit a wallet with money that a payment provider confirmed and will settle."""
    amount = _positive(amount_micro)
    return _entry(
        Kind.TOPUP, Leg(WALLET, currency, amount), Leg(clearing_account(provider=provider), currency, -amount)
    )


def refund_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """Take money out of a wallet and send it back through the provider it came from."""
    amount = _positive(amount_micro)
    return _entry(
        Kind.REFUND,
        Leg(WALLET, currency, -amount),
        Leg(clearing_account(provider=provider), currency, amount),
    )


def opening_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Start a wallet with a balance brought over from elsewhere; negative is a debt brought over."""
    return _entry(Kind.OPENING, Leg(WALLET, currency, amount_micro), Leg(OPENING, currency, -amount_micro))


def fee_legs(*, currency: str, fee_micro: int, tax_micro: int = 0) -> tuple[Leg, ...]:
    """Charge a wallet a fee and the tax on it."""
    return _entry(
        Kind.FEE,
        Leg(WALLET, currency, -(fee_micro + tax_micro)),
        Leg(REVENUE_FEE, currency, fee_micro),
        Leg(TAX_OUTPUT, currency, tax_micro),
    )


def unmatched_topup_legs(*, currency: str, provider: str, amount_micro: int) -> tuple[Leg, ...]:
    """Keep money nobody can place yet in suspense, so it is neither lost nor anyone's credit."""
    amount = _positive(amount_micro)
    return _entry(
        Kind.TOPUP,
        Leg(SUSPENSE, currency, amount),
        Leg(clearing_account(provider=provider), currency, -amount),
    )


def matched_topup_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Give a wallet money that waited in suspense."""
    amount = _positive(amount_micro)
    return _entry(Kind.TOPUP, Leg(WALLET, currency, amount), Leg(SUSPENSE, currency, -amount))


def rounding_legs(*, currency: str, amount_micro: int) -> tuple[Leg, ...]:
    """Settle the part of a micro-unit balance that no provider can pay out.

    ``amount_micro`` is what the wallet moves by; the rounding account takes the other side.
    """
    return _entry(Kind.REFUND, Leg(WALLET, currency, amount_micro), Leg(ROUNDING, currency, -amount_micro))


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
