"""What reconciliation finds, in the words of the desk: what it is, and who does what next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fairwatt.payments.reconcile import Drift

type Text = str | Promise

STATES: Final[Mapping[str, Text]] = {
    "open": _("Not judged yet"),
    "differs": _("Differences"),
    "agrees": _("0 differences"),
    "quiet": _("No movement"),
}
REASONS: Final[Mapping[str, Text]] = {
    "no_bill": _("The bill of this day has not been asked for yet."),
    "late": _("The provider has no bill of this day yet. It is asked again by itself, at least every hour."),
    "corrupt": _(
        "What was downloaded is not the bill: its digest or its sums differ. It is fetched again by itself."
    ),
    "refused": _(
        "The provider did not answer, or refused the bill. It is asked again by itself; look at the account's keys."
    ),
    "issued_again": _(
        "The provider issued this bill again with another content. It is fetched once more before it is believed."
    ),
    "over_midnight": _(
        "Some payments near midnight may stand on the bill beside this one, which is not here yet."
    ),
    "in_flight": _("Some payments are proven and not posted yet. The day is looked at again by itself."),
}
KINDS: Final[Mapping[str, Text]] = {
    Drift.NOT_CREDITED: _("Paid there, not credited here"),
    Drift.NOT_BILLED: _("Credited here, not in the bill"),
    Drift.UNKNOWN_PAYMENT: _("A payment of no order of ours"),
    Drift.AMOUNT_DIFFERS: _("Another amount in the bill"),
    Drift.BILLED_TWICE: _("Twice in the bill"),
    Drift.REFERENCE_DIFFERS: _("Another order's reference in the bill"),
    Drift.REFUND_UNKNOWN: _("Money went back that nobody here sent back"),
    Drift.REFUND_NOT_BILLED: _("A refund that is not in the bill"),
    Drift.LEDGER_DIFFERS: _("The ledger's line is missing or another one"),
    Drift.METER_NOT_TOLD: _("Credited, and the meter has not confirmed it for a day"),
}
NEXT: Final[Mapping[str, Text]] = {
    Drift.NOT_CREDITED: _(
        "The provider was asked and the bill was believed, and still nothing was credited. Operator: look at the "
        "payment, then at Set aside; the resident has paid."
    ),
    Drift.NOT_BILLED: _(
        "First priority. Refunds through this account wait. Administrator: ask the provider about its number; if it "
        "never had the money, somebody must have forged its word."
    ),
    Drift.UNKNOWN_PAYMENT: _(
        "Operator: ask the provider who paid and for what. Someone may use your account for another till; nothing was "
        "credited."
    ),
    Drift.AMOUNT_DIFFERS: _(
        "Operator: ask the provider which amount it settles. The home keeps what was proven to us until then."
    ),
    Drift.BILLED_TWICE: _("Operator: ask the provider to settle it once. The home was credited once."),
    Drift.REFERENCE_DIFFERS: _(
        "Operator: compare both payments with the provider. Each home has the credit of its own payment."
    ),
    Drift.REFUND_UNKNOWN: _(
        "Administrator: find out who sent money back at the provider's own page, or whether a payer's bank took it; "
        "the home still has the credit."
    ),
    Drift.REFUND_NOT_BILLED: _(
        "Operator: ask the provider where the refund is; the resident still waits for it."
    ),
    Drift.LEDGER_DIFFERS: _(
        "Technician: this may never be. Keep the database as it is and call who runs it."
    ),
    Drift.METER_NOT_TOLD: _(
        "Technician: the gateway of this home does not answer. Look at it, or carry the order there with the phone."
    ),
}
FIRST: Final = frozenset({Drift.NOT_BILLED, Drift.LEDGER_DIFFERS})
"""What is looked into before anything else."""
EVENTS: Final[Mapping[str, Text]] = {
    "desk.reconciled": _("A provider's day was held against ledger and meters"),
    "desk.difference_settled": _("Somebody settled a difference with a provider's bill"),
}
