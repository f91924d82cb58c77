"""Moving from postpaid in words: what homes are, where each of a wave is, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = Mapping[str, str | Promise]

EVENTS: Final[Words] = {
    "desk.postpaid_set": _("The desk let homes pay after use"),
    "desk.hand_reading": _("{home}: somebody read the meter by hand"),
    "desk.hand_reading_again": _("{home}: a reading by hand was looked at again"),
    "desk.debts_brought": _("Debts of an earlier system were brought over"),
    "desk.wave_written": _("A wave of homes that will pay first was planned"),
    "desk.wave_step": _("A wave of homes moved on"),
    "postpaid.switched": _("{home}: pays first from now on; {amount} became a debt with a plan"),
    "reading.by_hand": _("{home}: a reading by hand was charged"),
}
STATES: Final[Words] = {
    "unnoticed": _("no notice yet"),
    "waiting": _("waits for its day"),
    "due": _("changes now"),
    "grace": _("pays first, in grace"),
    "done": _("pays first"),
    "off": _("called off"),
}
WHY_NOT: Final[Words] = {
    "unknown": _("no home of this book with an account"),
    "prepaid": _("pays first already: it was never said to pay after use"),
    "done": _("changed before"),
    "taken": _("is in another wave"),
}
DOUBTS: Final[Words] = {
    "much": _("That is much more than this home uses."),
    "little": _("That is much less than this home uses."),
}
