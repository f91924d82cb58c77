"""Words of the cash desk, and of what takes two people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

Words = Mapping[str, str | Promise]

EVENTS: Final[Words] = {
    "desk.cash_desk_set": _("The limits of a cash desk were set"),
    "desk.shift_asked": _("A cashier opened a shift"),
    "desk.money_taken": _("{home}: a cashier took money"),
    "desk.code_scanned": _("{home}: a payer's code was scanned at the window"),
    "desk.shift_counted": _("A drawer was counted"),
    "desk.cash_out_asked": _("A cashier handed out cash"),
    "desk.money_wished": _("Somebody asked for money to be moved by two people"),
    "desk.money_answered": _("A wish to move money was answered"),
    "shift.opened": _("A shift is open"),
    "shift.closed": _("A shift is counted and closed"),
    "cash.handed_out": _("{home}: cash was handed out"),
    "payment.voided": _("{home}: a payment was taken back"),
    "desk.deposit_asked": _("{home}: the desk set a deposit aside"),
    "deposit.taken": _("{home}: a deposit of {amount} is held"),
    "deposit.declared": _("{home}: a deposit of {amount} from an earlier time is held"),
    "deposit.released": _("{home}: the deposit of {amount} came back when the account ended"),
    "deposit.freed": _("{home}: a deposit of {amount} is credit again, as two people agreed"),
}
WISHES: Final[Words] = {
    "transfer": _("Bank transfer"),
    "void": _("Payment taken back"),
    "claim": _("Money claimed"),
    "deposit": _("Deposit"),
}
WAYS: Final[Words] = {
    "paid_back": _("The payer gets the money back"),
    "not_received": _("It was never received, or less was"),
    "suspense": _("It belongs to another home: keep it until it is claimed"),
    "declared": _("It is held from an earlier time"),
    "freed": _("It becomes credit again"),
}
_REFUSALS: Final[Words] = {
    "not_a_cashier": _("Only an operator sits at a cash desk. No shift was opened."),
    "unknown_desk": _("There is no such cash desk. No shift was opened."),
    "shift_is_open": _("This desk or this cashier has an open shift. Count that one first."),
    "no_open_shift": _(
        "The shift is closed. Nothing was credited: give the money back, or open a shift and take it again."
    ),
    "beyond_the_desk": _("This desk may not take so much. Nothing was credited: give the money back."),
    "slip": _("This slip was entered before. Nothing was credited: check its number."),
    "not_your_shift": _("Its cashier or an administrator counts a shift. It stays open."),
    "drawer_too_low": _("The drawer holds less than that. Nothing was handed out."),
    "handed_out": _("This cash was handed out before. Give nothing more."),
    "deposit_beyond_credit": _("The home has less credit than that. Nothing was set aside."),
    "beyond_the_deposit": _("Less than that is held as a deposit. No money was moved."),
    "nothing_owed": _("Nothing is to be handed out for this."),
    "not_agreed": _(
        "It takes two people who work here, the second one an administrator. No money was moved."
    ),
    "more_than_paid": _("That is more than is left of the payment. Nothing was taken back."),
    "spent": _("The credit was spent meanwhile. Nothing was taken back; ask for less."),
    "not_in_suspense": _("This money was placed meanwhile. Nothing was moved."),
}


def refusal(code: str) -> str:
    """Why the poster would not, and what to do now."""
    known = _REFUSALS.get(code)
    return (
        str(known)
        if known
        else gettext("It was refused, and no money was moved. Tell whoever runs the book.")
    )


def number_of(*, slug: str, number: int) -> str:
    """A receipt's number as it stands on paper: the series is the book's."""
    return f"{slug}-{number:06d}"


SCAN_REFUSED: Final[Words] = {
    "NOTENOUGH": _("the payer has not enough money there"),
    "AUTHCODEEXPIRE": _("the code is too old; ask the payer for a fresh one"),
    "AUTH_CODE_INVALID": _("the code is no good, or was used; ask the payer for a fresh one"),
    "ACQ.BUYER_BALANCE_NOT_ENOUGH": _("the payer has not enough money there"),
    "ACQ.PAYMENT_AUTH_CODE_INVALID": _("the code is no good, or was used; ask the payer for a fresh one"),
}


def scan_refusal(slug: str) -> str:
    """Why a scanned payment was refused; the provider's own word where we have none for it."""
    return str(SCAN_REFUSED.get(slug, slug.replace("_", " ")))
