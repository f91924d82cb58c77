"""Bookkeeping: months are closed, bills and bank statements entered. Each deed is one flow."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from fairwatt.core.spans import local_date
from fairwatt.flows.keep_books import EntryRefused, close_month, enter_bill, enter_trust_statement
from fairwatt.reports.making import ask_as_closed, make, pack_of_month
from fairwatt.reports.model import ReportError
from fairwatt.reports.registry import REPORTS
from fairwatt.store.models import Book, PeriodClose, Role, SupplierBill, TrustStatement, User
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.bookkeeping_forms import BillForm, TrustForm
from fairwatt.web.console.frame import frame
from fairwatt.web.design import refusals
from fairwatt.web.reporting import send

SHOWN = 24


@login_required
@require_http_methods(["GET", "POST"])
def bookkeeping(request: HttpRequest, slug: str) -> HttpResponse:
    """Closed months, bills and statements; and the forms to add one."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    bill = BillForm(book=book, initial=_to_replace(request, book, "replace-bill", SupplierBill, BillForm))
    trust = TrustForm(
        book=book, initial=_to_replace(request, book, "replace-statement", TrustStatement, TrustForm)
    )
    error, status = "", 200
    if request.method == "POST":
        try:
            match request.POST.get("action"):
                case "close":
                    said = _close(request, book, user)
                case "bill":
                    bill = BillForm(request.POST, book=book)
                    said = _bill(bill, book, user)
                case "trust":
                    trust = TrustForm(request.POST, book=book)
                    said = _trust(trust, book, user)
                case _:
                    said = ""
            if said:
                messages.success(request, said)
                return redirect("console:bookkeeping", slug=slug)
            status = 422
        except (EntryRefused, ReportError) as refused:
            error, status = refusals.said(refused), 422
    context = {
        **frame(book=book),
        **_entered(book),
        "bill": bill,
        "trust": trust,
        "error": error,
        "user_role": user.role,
        "may_enter": access.may_act(user=user),
    }
    response = render(request, "console/bookkeeping.html", context, status=status)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _to_replace(request: HttpRequest, book: Book, asked: str, kind: Any, form: Any) -> dict[str, Any] | None:
    """What was entered wrongly, as it was typed, for the form that replaces it; None for an empty form."""
    said = request.GET.get(asked, "")
    if not (said.isascii() and said.isdecimal() and len(said) < 18):
        return None
    with seeing(scope=scope_of_book(book=book)):
        row = kind.objects.filter(book=book, pk=int(said)).first()
    if row is None:
        raise Http404
    return dict(form.as_entered(row=row, zone=book.zone))


def _close(request: HttpRequest, book: Book, user: User) -> str:
    month, now_us = request.POST.get("month", ""), access.now_us()
    pack = pack_of_month(book=book, month=month, now_us=now_us)
    close_month(
        book_id=book.pk,
        month=month,
        first_batch=pack.first_batch,
        last_batch=pack.last_batch,
        as_of_batch=pack.as_of_batch,
        digest=pack.digest,
        user_id=user.pk,
        now_us=now_us,
    )
    return gettext("%(month)s is closed. Corrections are new entries of an open month.") % {"month": month}


def _bill(form: BillForm, book: Book, user: User) -> str:
    if not form.is_valid():
        return ""
    entered = enter_bill(book_id=book.pk, bill=form.bill(), user_id=user.pk, now_us=access.now_us())
    return gettext("Bill %(number)s is entered.") % {"number": entered.number}


def _trust(form: TrustForm, book: Book, user: User) -> str:
    if not form.is_valid():
        return ""
    said = form.cleaned_data
    enter_trust_statement(
        book_id=book.pk,
        account=said["account"],
        at_us=form.at_us(zone=book.zone),
        balance_micro=said["balance"],
        reference=said["reference"],
        replaces_id=said["replaces"],
        user_id=user.pk,
        now_us=access.now_us(),
    )
    return gettext("The statement of %(account)s is entered.") % {"account": said["account"]}


def _entered(book: Book) -> dict[str, Any]:
    """What was entered, newest first; what was replaced is marked."""
    with seeing(scope=scope_of_book(book=book)):
        closes = list(
            PeriodClose.objects.filter(book=book).select_related("closed_by").order_by("-end_us")[:SHOWN]
        )
        bills = list(
            SupplierBill.objects.filter(book=book).select_related("site").order_by("-end_us", "-pk")[:SHOWN]
        )
        statements = list(TrustStatement.objects.filter(book=book).order_by("-at_us", "-pk")[:SHOWN])

    return {
        "closes": closes,
        "bills": [(row, row.pk in {one.replaces_id for one in bills}) for row in bills],
        "statements": [(row, row.pk in {one.replaces_id for one in statements}) for row in statements],
        "next_month": _next_month(book, closes),
        "may_close": Role.ADMIN,
    }


def _next_month(book: Book, closes: list[PeriodClose]) -> str:
    """The month to close next: the one after the last closed one, or the last that is over."""
    if closes:
        return local_date(zone=book.zone, at_us=closes[0].end_us).strftime("%Y-%m")
    first: date = local_date(zone=book.zone, at_us=access.now_us()).replace(day=1)
    return (first - timedelta(days=1)).strftime("%Y-%m")


@login_required
@require_GET
def closed_pack(request: HttpRequest, slug: str, month: str) -> HttpResponseBase:
    """The pack of a closed month as it was closed, for ever the same figures."""
    book = access.desk_book(user=access.person(request), slug=slug)
    with seeing(scope=scope_of_book(book=book)):
        close = PeriodClose.objects.filter(book=book, month=month).first()
    if close is None:
        raise Http404
    ask = ask_as_closed(close=close, now_us=access.now_us())
    return send(made=make(report=REPORTS["month-end"], ask=ask, form="xlsx"))
