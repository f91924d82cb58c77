"""A receipt at its own address: for who holds the paper, signed in or not, and as a file to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_GET

from fairwatt.core.account_numbers import account_number, in_groups
from fairwatt.reports.receipt import PAPERS, Paper, set_receipt
from fairwatt.store import cash_desk
from fairwatt.store.cash_desk import Receipt
from fairwatt.store.models import User, Wallet
from fairwatt.web.design import format as text
from fairwatt.web.design import pay_words
from fairwatt.web.design.cash_words import number_of


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A receipt as a person reads it."""

    receipt: Receipt
    wallet: Wallet
    number: str
    amount: str
    place: str
    rows: list[tuple[str, str]]
    mark: str


@require_GET
def receipt(request: HttpRequest, code: str) -> HttpResponse:
    """Is this paper true? What the books say of the receipt with this address."""
    shown = _shown(code)
    context: dict[str, Any] = {
        "shown": shown,
        "organisation": shown.wallet.book.organisation.name,
        "papers": [("a4", "A4"), ("80", "80 mm"), ("58", "58 mm")],
    }
    response = render(request, "pay/receipt.html", context)
    response["X-Robots-Tag"] = "noindex"
    return _private(response)


@require_GET
def receipt_file(request: HttpRequest, code: str, paper: str) -> HttpResponse:
    """The same as a PDF: an A4 page, or a slip for a printer of 80 or 58 mm."""
    if paper not in PAPERS:
        raise Http404
    shown = _shown(code)
    said = Paper(
        title=gettext("Receipt %(number)s") % {"number": shown.number},
        organisation=shown.wallet.book.organisation.name,
        place=shown.place,
        amount=shown.amount,
        rows=shown.rows,
        mark=shown.mark,
        verify=gettext("Scan to see whether the books agree."),
        url=request.build_absolute_uri(reverse("pay:receipt", args=[code])),
        language=get_language() or "en",
        at_us=shown.receipt.at_us,
    )
    response = HttpResponse(set_receipt(said=said, paper=paper), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{shown.number}-{paper}.pdf"'
    return _private(response)


def _shown(code: str) -> Shown:
    with transaction.atomic(), connection.cursor() as cursor:
        found = cash_desk.receipt_by_code(cursor=cursor, code=code)
    if found is None:
        raise Http404
    wallet = Wallet.objects.select_related("book__organisation", "unit__site").get(pk=found.wallet)
    book, site = wallet.book, wallet.unit.site
    chinese = (get_language() or "en").startswith("zh")
    name = site.name_zh if chinese and site.name_zh else site.name
    rows = [
        (gettext("Account number"), in_groups(number=account_number(wallet=wallet.pk))),
        (
            gettext("Paid on"),
            f"{text.day(at_us=found.at_us, zone=book.zone)} {text.clock(at_us=found.at_us, zone=book.zone)}",
        ),
        (gettext("Paid by"), pay_words.provider(found.provider)),
    ]
    cashier = User.objects.filter(pk=found.cashier).first() if found.cashier else None
    if cashier is not None:
        rows.append((gettext("Taken by"), cashier.get_full_name() or f"#{cashier.pk}"))
    mark = ""
    if found.void_micro:
        back = text.money(micro=found.void_micro, currency=book.currency)
        mark = gettext("Taken back since: %(amount)s, on %(day)s") % {
            "amount": back,
            "day": text.day(at_us=found.voided_us, zone=book.zone),
        }
    return Shown(
        receipt=found,
        wallet=wallet,
        number=number_of(slug=book.slug, number=found.number),
        amount=text.money(micro=found.amount_micro, currency=book.currency),
        place=f"{name}, {wallet.unit.label}",
        rows=rows,
        mark=mark,
    )


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
