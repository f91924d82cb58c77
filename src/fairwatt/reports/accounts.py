"""The accounts of the journal by their names: what a bookkeeper calls them."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from fairwatt.core.ledger.model import (
    CASH_OVER_SHORT,
    CLEARING,
    COST_PROVIDERS,
    DEPOSIT,
    OPENING,
    PAYABLE_REFUNDS,
    PAYABLE_VOIDS,
    RECEIVABLE_DEBT,
    RECEIVABLE_EMERGENCY,
    RECEIVABLE_FEES,
    RECEIVABLE_LANDLORD,
    RECEIVABLE_SHARED,
    RECOVERY_SHARED,
    REVENUE_ADJUSTMENT,
    REVENUE_ENERGY,
    REVENUE_FEE,
    REVENUE_STANDING,
    ROUNDING,
    SUSPENSE,
    TAX_OUTPUT,
    WALLET,
)
from fairwatt.reports.model import Words

ACCOUNTS: Final[dict[str, Words]] = {
    WALLET: _("Residents' wallets"),
    REVENUE_ENERGY: _("Revenue from use"),
    REVENUE_STANDING: _("Revenue from standing charges"),
    REVENUE_FEE: _("Revenue from a fee"),
    REVENUE_ADJUSTMENT: _("Given back by rulings"),
    RECOVERY_SHARED: _("Common costs recovered"),
    TAX_OUTPUT: _("Tax to be paid over"),
    CLEARING: _("On its way from a payment provider"),
    SUSPENSE: _("Payments that nobody could place"),
    RECEIVABLE_FEES: _("Fees still to come"),
    RECEIVABLE_SHARED: _("Shares of common costs still to come"),
    RECEIVABLE_LANDLORD: _("Still to come from the landlord"),
    RECEIVABLE_EMERGENCY: _("Emergency credit still to come"),
    RECEIVABLE_DEBT: _("Old debts still to come"),
    OPENING: _("Brought over from an earlier system"),
    COST_PROVIDERS: _("Kept by payment providers"),
    ROUNDING: _("Less than the smallest coin"),
    DEPOSIT: _("Residents' deposits"),
    PAYABLE_REFUNDS: _("Refunds owed"),
    CASH_OVER_SHORT: _("Cash over and short at the window"),
    PAYABLE_VOIDS: _("Owed for payments that were taken back"),
}


def account_class(account: str) -> str:
    """The key of `ACCOUNTS` that names an account: its own or its family's; the account itself where none does."""
    if account in ACCOUNTS:
        return account
    return next((key for key in ACCOUNTS if key.endswith(":") and account.startswith(key)), account)
