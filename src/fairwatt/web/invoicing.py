"""What the desk's and the resident's pages about invoices share: a document as a row, the forms, a file sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import local_date
from fairwatt.flows.invoicing.titles import add_title, end_title
from fairwatt.reports.invoice import FORMS, Read, as_file, read_invoice, title_of
from fairwatt.reports.invoice_words import part_words, quantity_words, rate_words
from fairwatt.store.invoices import Invoice, Title
from fairwatt.store.models import Book, Wallet
from fairwatt.web.plain import PlainForm

MONTHS_SHOWN: Final = 12


def number(text: str) -> int:
    """What a form says as a number; 0 for what is none, which no row has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


class TitleForm(PlainForm):
    """Whom invoices are made out to."""

    name = forms.CharField(label=_("Name or company"), max_length=120)
    number = forms.CharField(label=_("Tax number (may be empty)"), max_length=40, required=False)
    country = forms.CharField(label=_("Country, two letters"), min_length=2, max_length=2)
    street = forms.CharField(label=_("Street and house"), max_length=160, required=False)
    city = forms.CharField(label=_("City"), max_length=80, required=False)
    postcode = forms.CharField(label=_("Postal code"), max_length=20, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "title_%s", **kwargs})


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A document as a page lists it. Amounts in micro-units, so that pages format them as all others."""

    invoice: Invoice
    home: str
    gross_micro: int
    due_micro: int
    state: str


def shown(*, book: Book, found: list[Invoice]) -> list[Shown]:
    """Documents with their homes and where each stands."""
    homes = dict(Wallet.objects.filter(pk__in=[one.wallet for one in found]).values_list("pk", "unit__label"))
    unit = 10 ** (6 - book.minor_digits)
    return [
        Shown(
            invoice=one,
            home=homes.get(one.wallet, ""),
            gross_micro=one.gross_minor * unit * (1 if one.sort == "invoice" else -1),
            due_micro=(one.gross_minor - one.paid_minor) * unit,
            state=_state(one),
        )
        for one in found
    ]


def _state(one: Invoice) -> str:
    if one.sort == "credit_note":
        return "note"
    if one.cancelled:
        return "back"
    return "due" if one.paid_minor < one.gross_minor else "paid"


def page_of(read: Read) -> dict[str, Any]:
    """A document whole, for its page: the same words as on paper."""
    one, unit = read.invoice, 10 ** (6 - read.book.minor_digits)
    return {
        "one": one,
        "title": title_of(invoice=one, setup=read.setup),
        "place": read.place,
        "seller": read.setup.seller,
        "lines": [
            (
                part_words(part),
                quantity_words(part),
                rate_words(rate=part.rate_bp, setup=read.setup),
                part.net_minor * unit,
            )
            for part in one.documents_parts()
        ],
        "rates": [
            (rate_words(rate=rate, setup=read.setup), sums.net_minor * unit, sums.tax_minor * unit)
            for rate, sums in read.taxes.items()
        ],
        "net_micro": one.net_minor * unit,
        "tax_micro": one.tax_minor * unit,
        "gross_micro": one.gross_minor * unit,
        "paid_micro": one.paid_minor * unit,
        "due_micro": (one.gross_minor - one.paid_minor) * unit,
        "exact_micro": one.net_micro + one.tax_micro,
        "state": _state(one),
    }


def until_choices(*, book: Book, since_us: int, now_us: int) -> list[tuple[str, str]]:
    """The periods a document may be asked for: everything so far, or up to the end of a month since an instant."""
    today = local_date(zone=book.zone, at_us=now_us)
    first = local_date(zone=book.zone, at_us=since_us)
    month, made = today.replace(day=1), [("", gettext("everything so far"))]
    while month > first and len(made) <= MONTHS_SHOWN:
        last = month - timedelta(days=1)
        made.append(
            (month.isoformat(), gettext("until the end of %(month)s") % {"month": last.strftime("%Y-%m")})
        )
        month = last.replace(day=1)
    return made


def until_of(said: str) -> date | None:
    """The choice that was made; what is none of them is everything so far."""
    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        return None


def send_invoice(
    *, request: HttpRequest, book: Book, invoice_id: int, form: str, wallet: int | None = None
) -> HttpResponse:
    """A document as a file. Raises Http404 where there is none, or of another home."""
    read = read_invoice(book=book, invoice_id=invoice_id, wallet=wallet) if form in FORMS else None
    if read is None:
        raise Http404
    content, name = as_file(read=read, form=form)
    response = HttpResponse(content, content_type=FORMS[form])
    way = "attachment" if form != "pdf" or "save" in request.GET else "inline"
    response["Content-Disposition"] = f'{way}; filename="{name}"'
    patch_cache_control(response, private=True, no_store=True)
    return response


def change_titles(*, request: HttpRequest, wallet: Wallet, form: TitleForm, user_id: int, now_us: int) -> str:
    """Add a title or end one, as the form says; return what was done, or nothing where the form is wrong.

    Raises Refusal.
    """
    if request.POST.get("do") == "end_title":
        end_title(
            book_id=wallet.book_id,
            wallet_id=wallet.pk,
            title_id=number(request.POST.get("title", "")),
            user_id=user_id,
            now_us=now_us,
        )
        return gettext("The title is offered no more.")
    if not form.is_valid():
        return ""
    said = form.cleaned_data
    add_title(book_id=wallet.book_id, wallet_id=wallet.pk, user_id=user_id, now_us=now_us, **said)
    return gettext("The title is kept. The next invoice is made out to it.")


def title_choices(titles: list[Title]) -> list[tuple[int, str]]:
    """Titles to choose from, the newest first."""
    return [(one.title, f"{one.name} {one.tax_number}".strip()) for one in titles]
