"""What stands on an invoice, in the reader's language: one table for paper, data and pages."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from fairwatt.core.invoices.documents import Part, Rate
from fairwatt.core.units import UNIT_WORDS
from fairwatt.reports.model import Words
from fairwatt.store.invoices import Setup

PARTS: Final[dict[str, Words]] = {
    "use": _("Use"),
    "standing": _("Standing charge"),
    "levy": _("Levy"),
    "correction": _("Corrections of earlier charges"),
    "true_up": _("Settled at the end of a period"),
    "fee": _("Fee"),
    "shared": _("Share of a common cost"),
    "adjustment": _("Given back by a ruling"),
    "given_back": _("Given back"),
    "top_up": _("Credit paid in"),
    "paid_back": _("Credit paid back or moved"),
}
UNTAXED: Final[dict[str, Words]] = {
    "Z": _("zero rate"),
    "E": _("exempt"),
    "O": _("outside VAT"),
}


def part_words(part: Part) -> str:
    """A line of a document: its kind, and the name of the fee or cost."""
    words = str(PARTS[part.what])
    return f"{words}: {part.name}" if part.name else words


def quantity_words(part: Part) -> str:
    """How much of it, such as 12.345 kWh; nothing where nothing is counted."""
    if not part.quantity:
        return ""
    sign, wh = ("-" if part.quantity < 0 else ""), abs(part.quantity)
    unit = UNIT_WORDS["m3"] if part.unit == "m3" else UNIT_WORDS["kWh"]
    return f"{sign}{wh // 1000:,}.{wh % 1000:03d} {unit}"


def rate_words(*, rate: Rate, setup: Setup) -> str:
    """A rate of VAT, such as 13 %; or why there is none."""
    if rate is None:
        return str(UNTAXED[setup.untaxed])
    return f"{percent(rate)} %"


def percent(rate_bp: int) -> str:
    """Hundredths of a percent as a percentage with no more decimals than it has."""
    whole, part = divmod(rate_bp, 100)
    return f"{whole}.{part:02d}".rstrip("0").rstrip(".") if part else str(whole)
