"""How each kind of line is treated in a statement: the one table. A kind that is not here stops the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.utils.translation import gettext_lazy as _

from fairwatt.reports.model import FiguresDisagree, Words


class Heading(StrEnum):
    """The line of the statement that a movement is added to."""

    CHARGED = "charged"
    FEES = "fees"
    SHARED = "shared"
    CORRECTED = "corrected"
    ADJUSTED = "adjusted"
    TOPPED_UP = "topped_up"
    LENT = "lent"
    MOVED = "moved"
    REFUNDED = "refunded"
    DEPOSIT = "deposit"


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What a kind is called, under which heading it counts, and whether it is the sum of its components.

    `counts_energy`: its watt-hours are use. `reading`: its instant is a meter's, not the posting's.
    """

    name: Words
    heading: Heading
    parts: bool
    counts_energy: bool = False
    reading: bool = False


KINDS: Final[Mapping[int, Treatment]] = {
    1: Treatment(name=_("Use"), heading=Heading.CHARGED, parts=True, counts_energy=True, reading=True),
    2: Treatment(name=_("Top-up"), heading=Heading.TOPPED_UP, parts=False),
    3: Treatment(name=_("Correction"), heading=Heading.CORRECTED, parts=True),
    4: Treatment(name=_("Fee"), heading=Heading.FEES, parts=False),
    5: Treatment(name=_("Shared cost"), heading=Heading.SHARED, parts=False),
    6: Treatment(name=_("Adjustment"), heading=Heading.ADJUSTED, parts=False),
    7: Treatment(
        name=_("Late reading"), heading=Heading.CHARGED, parts=True, counts_energy=True, reading=True
    ),
    8: Treatment(name=_("True-up"), heading=Heading.CORRECTED, parts=True),
    9: Treatment(name=_("Reversal"), heading=Heading.CORRECTED, parts=False),
    12: Treatment(name=_("Moved"), heading=Heading.MOVED, parts=False),
    13: Treatment(name=_("Emergency credit"), heading=Heading.LENT, parts=False),
    14: Treatment(name=_("Debt"), heading=Heading.LENT, parts=False),
    15: Treatment(name=_("Refund"), heading=Heading.REFUNDED, parts=False),
    16: Treatment(name=_("Taken back by the provider"), heading=Heading.REFUNDED, parts=False),
    20: Treatment(name=_("Deposit"), heading=Heading.DEPOSIT, parts=False),
    17: Treatment(name=_("Payment taken back"), heading=Heading.TOPPED_UP, parts=False),
}
READINGS: Final = tuple(kind for kind, how in KINDS.items() if how.reading)
HEADINGS: Final[Mapping[Heading, Words]] = {
    Heading.CHARGED: _("Charged for use"),
    Heading.FEES: _("Fees"),
    Heading.SHARED: _("Shared costs"),
    Heading.CORRECTED: _("Corrections"),
    Heading.ADJUSTED: _("Adjustments"),
    Heading.TOPPED_UP: _("Topped up"),
    Heading.LENT: _("Lent, repaid and recovered"),
    Heading.MOVED: _("Taken along or owed back"),
    Heading.REFUNDED: _("Refunded or taken back by a provider"),
    Heading.DEPOSIT: _("Set aside as a deposit, or back from it"),
}


def treatment(kind: int) -> Treatment:
    """How a kind is treated. Raises FiguresDisagree for one that nobody has said it of."""
    found = KINDS.get(kind)
    if found is None:
        raise FiguresDisagree(
            "The ledger has a line of kind %(kind)s that reports do not know, so nothing is printed: a statement that "
            "leaves it out would not agree. Give the kind its row in reports/kinds.py.",
            kind=kind,
        )
    return found
