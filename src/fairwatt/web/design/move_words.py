"""People who move out and in, in the words of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.web.design import let_words

EVENTS: Final[Mapping[str, str | Promise]] = {
    **let_words.EVENTS,
    "desk.move_asked": _("{home}: the desk asked for a move"),
    "desk.exchange_asked": _("{home}: the desk wrote down that the meter was exchanged"),
    "desk.moves_asked": _("The desk asked for the moves of a file"),
    "meter.exchanged": _("{home}: the meter was exchanged"),
    "desk.home_invited": _("{home}: an owner invited somebody into the home"),
    "household.joined": _("{home}: somebody joined the home"),
    "household.withdrawn": _("{home}: an invitation was taken back"),
    "household.left": _("{home}: a member left the home"),
    "move.left": _("{home}: somebody moved out"),
    "move.vacancy_ended": _("{home}: it is vacant no more"),
    "move.came": _("{home}: somebody moved in"),
    "move.trued_up": _("{home}: the meter was read, and the account at the move was set right"),
    "move.known": _("{home}: the register at the move is known now"),
    "move.went_over": _("{home}: what was charged after the move went over to who came"),
    "move.settled": _("{home}: the account of who left is settled"),
    "supply.taken_over": _("{home}: who came found it switched off; credit brings the power back"),
}
KINDS: Final[Mapping[str, str | Promise]] = {
    "out": _("Move out"),
    "in": _("Move in"),
    "change": _("Move out and in"),
    "transfer": _("Transfer"),
}
BASES: Final[Mapping[str, str | Promise]] = {
    "read": _("read by the meter at that moment"),
    "stated": _("read by a person"),
    "expected": _("expected from the days before"),
    "past": _("from the readings around that moment"),
}
REFUSALS: Final[Mapping[str, str | Promise]] = {
    "overtaken": _("The home changed hands before this was posted. Look at it again."),
    "not_authorised": _("Only operators and administrators of this organisation move people."),
    "future_instant": _("That moment has not come yet. Ask again then."),
    "before_installation": _("The account began only after that moment. Choose a later one."),
    "shared_home": _("More than one account has meters in this home. End them one by one."),
    "no_tariff": _("A meter of this home has no tariff in force. Publish one, then try again."),
    "same_home": _("A transfer leads to another home. Choose one."),
    "meter_taken": _("A meter of that number is at work behind this gateway already. Check the number."),
    "unknown_resident": _("One of the people may not sign in as a resident. Check the names."),
    "backward_register": _(
        "The register that was read lies below one that the meter told before. Read it again."
    ),
    "impossible_register": _(
        "The register that was read is more than the meter can have counted. Read it again."
    ),
    "out_of_range_register": _("The meter cannot show such a register. Read it again."),
}
UNKNOWN_REFUSAL: Final = _("The head-end could not do it. Try again, and tell whoever runs the server.")
NOBODYS: Final[tuple[str | Promise, str | Promise]] = (
    _("Read while nobody had this meter."),
    _("Nothing to do, unless it still feeds a home: then open that home."),
)
STATED: Final = _("A person read the meter when the home changed hands.")
EXPECTED: Final = _(
    "The home changed hands, and the meter had not been read at that moment: this use was expected from the "
    "days before. The meter's next reading sets it right."
)


def line(*, settled: bool, amount: int) -> str:
    """What a line of credit that goes with its person says; `settled`: it is owed back, not taken along."""
    if settled:
        return gettext("%(amount)s is owed back to who moved out, and waits to be paid")
    if amount < 0:
        return gettext("%(amount)s went along to another home of the same person")
    return gettext("%(amount)s came along from another home of the same person")
