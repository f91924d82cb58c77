"""Invoices in the words of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fairwatt.store.efapiao import Efapiao

EVENTS: Final[Mapping[str, str | Promise]] = {
    "desk.invoice_setup": _("It was said who sells here and how invoices are made"),
    "desk.invoice_issued": _("{home}: an invoice was issued"),
    "desk.invoice_taken_back": _("{home}: an invoice was taken back"),
    "desk.invoices_asked": _("The invoices of a month were asked for"),
    "desk.buyer_title": _("{home}: a title for invoices was added"),
    "desk.efapiao_platform": _("It was said where e-fapiao are issued"),
    "desk.efapiao_asked": _("{home}: an e-fapiao was asked for"),
    "desk.efapiao_red_asked": _("{home}: an e-fapiao is to be taken back"),
    "desk.buyer_title_ended": _("{home}: a title for invoices is offered no more"),
}
EFAPIAO: Final[Mapping[tuple[str, str], str | Promise]] = {
    ("blue", "asked"): _("asked for"),
    ("blue", "pending"): _("at the tax platform"),
    ("blue", "issued"): _("issued"),
    ("blue", "refused"): _("refused by the tax platform"),
    ("red", "asked"): _("taking back asked for"),
    ("red", "pending"): _("waits for the other side to confirm"),
    ("red", "issued"): _("taken back (red)"),
    ("red", "refused"): _("taking back refused"),
}


def efapiao_words(one: Efapiao) -> str:
    """How a request to the tax platform stands."""
    return str(EFAPIAO[one.sort, one.state])
