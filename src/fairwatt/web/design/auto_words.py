"""Words for automatic top-ups: what happened, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

STEPS: Final[Mapping[str, str | Promise]] = {
    "agreed": _("Agreed to"),
    "changed": _("Changed"),
    "saved": _("The card was saved, and it is on"),
    "not_saved": _("No card was saved; nothing came of it"),
    "fell": _("Credit fell below the level"),
    "rose": _("Credit is above the level again"),
    "asked": _("A payment was asked for"),
    "paid": _("Paid and credited"),
    "failed": _("The payment was refused; nothing was taken"),
    "held": _("No payment was asked for"),
    "ended": _("Switched off"),
    "forgotten": _("The card is forgotten at the provider"),
}
REASONS: Final[Mapping[str, str | Promise]] = {
    "below_money": _("credit was below the amount you chose"),
    "below_days": _("credit lasted fewer days than you chose"),
    "again": _("tried once more a day later"),
    "late": _("the provider's word came late"),
    "limit_times": _("the number you allow in a month is reached"),
    "limit_money": _("the most you allow in a month would be passed"),
    "not_let_in": _("the rules of the home do not let this amount in"),
    "way_closed": _("the supplier takes no payments this way just now"),
    "in_flight": _("a payment into the home is on its way already"),
    "by_resident": _("by a resident"),
    "agreed_again": _("it was agreed to anew"),
    "three_failures": _("the card was refused three times in a row"),
    "moved_out": _("whoever agreed lives here no more"),
    "card_declined": _("the bank refused the card"),
    "insufficient_funds": _("the card has not enough money"),
    "expired_card": _("the card has expired"),
    "authentication_required": _("the bank wants you to confirm it yourself"),
}


def step_words(slug: str) -> str:
    """What happened."""
    return str(STEPS.get(slug, slug))


def reason_words(slug: str) -> str:
    """Why; a provider's own word where we have none for it."""
    return str(REASONS.get(slug, slug.replace("_", " ")))
