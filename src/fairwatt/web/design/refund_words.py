"""Money on its way back, in the words of residents and of the desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.ledger.model import Kind
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.web.design import format as text

type Words = Mapping[str, str | Promise]

NAMES: Final[Words] = {"refund": _("Refund"), "chargeback": _("Payment taken back")}
EVENTS: Final[Words] = {
    "desk.refund_asked": _("{home}: the desk asked for a refund"),
    "desk.refund_approve": _("{home}: a refund was agreed to"),
    "desk.refund_refuse": _("{home}: a refund was refused"),
    "desk.refund_withdraw": _("{home}: a refund was taken back"),
    "desk.refund_paid_out": _("{home}: the window paid a refund out"),
    "desk.refund_confirm": _("{home}: a second person saw a refund paid out"),
    "refund.held": _("{home}: {amount} left the credit to be refunded"),
    "refund.used_meanwhile": _("{home}: {amount} of a refund was used before it was called back"),
    "refund.submitted": _("{home}: {amount} goes back to who paid it"),
    "refund.refused": _("{home}: a refund was not made"),
    "refund.withdrawn": _("{home}: a refund was taken back, and its money is where it was"),
    "refund.succeeded": _("{home}: {amount} was refunded"),
    "refund.failed": _("{home}: a refund failed, and its money is where it was"),
    "refund.abnormal": _("{home}: {amount} bounced at the provider, and waits at the window"),
    "refund.found": _("{home}: {amount} was refunded in the provider's own back office"),
    "refund.paid_twice": _("{home}: {amount} was refunded twice, by the window and by the provider"),
    "payment.charged_back": _("{home}: the provider took a payment of {amount} back"),
    "payment.dispute_won": _("{home}: a dispute was won, and {amount} came back"),
    "payment.dispute_lost": _("{home}: a dispute over {amount} was lost"),
}
STATES: Final[Words] = {
    "requested": _("waits for a second person"),
    "refused": _("not made"),
    "withdrawn": _("withdrawn"),
    "approved": _("is called back from the meter"),
    "submitted": _("on the way to the payer"),
    "window": _("waits at the window"),
    "succeeded": _("refunded"),
    "failed": _("failed"),
    "abnormal": _("bounced, waits at the window"),
}
NEXT: Final[Words] = {
    "requested": _("An administrator of your supplier looks at it."),
    "approved": _(
        "The amount has left the credit. It goes on as soon as the gateway has confirmed it and the meter was read."
    ),
    "submitted": _("The provider was asked; it takes it some days to reach you."),
    "window": _("Come to the window with the number of this refund."),
    "abnormal": _(
        "The provider could not pay it to the card or account it came from. Come to the window with the number of "
        "this refund."
    ),
    "failed": _("It is credit again, as before."),
    "refused": _("It is credit as before."),
    "withdrawn": _("It is credit as before."),
}
CODES: Final[Words] = {
    "nothing_left": _("nothing of it was left to go back"),
    "second_person": _("a second person did not agree"),
    "used_meanwhile": _("it was used before it could be called back"),
    "not_supported": _("this provider pays nothing back; pay it out at the window"),
}
REFUSED: Final[Words] = {
    "no_keys": _(
        "The provider answered, and the keys of its merchant account are missing here or cannot be used. No money "
        "moved here. Put the keys in again; it is asked again by itself within the hour."
    ),
    "amount_differs": _(
        "The provider says that it gave back another amount than was asked. No money moved here. Compare both in the "
        "provider's own back office before anybody pays."
    ),
    "other": _(
        "The provider's answer could not be booked. No money moved here. Pay nothing out before somebody has compared "
        "it with the provider's own back office."
    ),
}
ORIGINS: Final[Words] = {
    "desk": _("asked for by the desk"),
    "resident": _("asked for by the resident"),
    "move": _("left over from a move"),
    "provider": _("made in the provider's own back office"),
}
WAYS: Final[Words] = {
    "source": _("to where it was paid from"),
    "window": _("at the window"),
}
ANSWERS: Final[Words] = {
    "approve": _("Agree"),
    "refuse": _("Refuse"),
    "withdraw": _("Withdraw it"),
    "paid_out": _("I paid it out"),
    "confirm": _("I saw it paid out"),
}
ANSWERED: Final[Words] = {
    "approve": _("agreed"),
    "refuse": _("refused"),
    "withdraw": _("took it back"),
    "paid_out": _("paid it out"),
    "confirm": _("saw it paid out"),
}
BOUNDS: Final[Words] = {
    "asked": _("all of it is there still"),
    "payment": _("the rest of this payment went back already, or is on its way"),
    "unspent": _("the rest is used up, or was lent and not paid"),
}


def state(*, state: str, way: str) -> str:
    """Where a refund stands; one for the window waits there."""
    return "window" if (state, way) == ("submitted", "window") else state


def refused(*, code: str) -> str:
    """Why what a provider said of a refund was not posted, and what to do next."""
    said = "no_keys" if code in ("unknown_provider", "merchant_unusable") else code
    return str(REFUSED.get(said, REFUSED["other"]))


def refund_line(account: LineAccount) -> str:
    """A line of credit that went back, or came back because a refund was not made."""
    amount = text.money_exact(micro=abs(account.line.amount_micro), currency=account.currency)
    if account.line.amount_micro > 0:
        said = gettext("%(amount)s is credit again: the refund was not made, or a part of it was used before")
    elif account.facts.get("outcome") == "held":
        said = gettext("%(amount)s goes back to who paid it, and is owed until it is paid")
    else:
        said = gettext("%(amount)s was paid back by the payment provider itself")
    return said % {"amount": amount} + _when(account)


def chargeback_line(account: LineAccount) -> str:
    """A line of a payment that its provider took back, or gave back."""
    amount = text.money_exact(micro=abs(account.line.amount_micro), currency=account.currency)
    if account.line.amount_micro > 0:
        said = gettext("%(amount)s came back: the dispute over this payment was won")
    else:
        said = gettext("The payment provider took %(amount)s back that had been paid in")
    return said % {"amount": amount} + _when(account)


def _when(account: LineAccount) -> str:
    at_us, zone = account.line.ts_us, account.zone
    when = {"day": text.short_day(at_us=at_us, zone=zone), "time": text.clock(at_us=at_us, zone=zone)}
    return gettext(", on %(day)s at %(time)s.") % when


SENTENCES: Final[dict[int, Callable[[LineAccount], str]]] = {
    Kind.REFUND: refund_line,
    Kind.CHARGEBACK: chargeback_line,
}
