"""Invoices in the words of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

EVENTS: Final[Mapping[str, str | Promise]] = {
    "desk.invoice_setup": _("It was said who sells here and how invoices are made"),
    "desk.invoice_issued": _("{home}: an invoice was issued"),
    "desk.invoice_taken_back": _("{home}: an invoice was taken back"),
    "desk.invoices_asked": _("The invoices of a month were asked for"),
    "desk.buyer_title": _("{home}: a title for invoices was added"),
    "desk.buyer_title_ended": _("{home}: a title for invoices is offered no more"),
}
