"""Invoices at the desk: does it add up, a month at once, every document, and the title book of a home."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import local_date
from fairwatt.flows.desk import NotAllowed, NotFound
from fairwatt.flows.invoicing.control import Control, control
from fairwatt.flows.invoicing.efapiao import ask_efapiao, ask_red, standing
from fairwatt.flows.invoicing.issuing import Asked, issue_for_home, take_back
from fairwatt.flows.invoicing.months import Preview, ask_month, preview_month
from fairwatt.reports.invoice import read_invoice
from fairwatt.reports.invoice_words import rate_words
from fairwatt.store import invoice_runs
from fairwatt.store import invoices as store
from fairwatt.store.efapiao import Efapiao, platform_of, requests_of_invoice
from fairwatt.store.models import Book, User, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import number
from fairwatt.web.design.invoice_words import efapiao_words
from fairwatt.web.design.refusals import said
from fairwatt.web.invoicing import (
    TitleForm,
    change_titles,
    page_of,
    send_invoice,
    shown,
    title_choices,
    until_choices,
    until_of,
)


@login_required
@require_GET
def invoices(request: HttpRequest, slug: str) -> HttpResponse:
    """Does what was earned equal what was invoiced and what waits; months, and documents."""
    user = access.person(request)
    return _page(request, access.desk_book(user=user, slug=slug), user)


@login_required
@require_POST
def invoice_month(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the documents of a month; the keeper issues them."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    try:
        ask_month(
            book_id=book.pk, month=request.POST.get("month", ""), user_id=user.pk, now_us=access.now_us()
        )
    except Refusal as refused:
        return _page(request, book, user, error=said(refused), status=422)
    messages.success(
        request, gettext("Asked for. They are issued one home after the other; here you see how far it is.")
    )
    return redirect("console:invoices", slug=slug)


@login_required
@require_http_methods(["GET", "POST"])
def invoice(request: HttpRequest, slug: str, invoice_id: int) -> HttpResponse:
    """One document; POST takes it back whole, and makes it out anew where that was chosen."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    read = read_invoice(book=book, invoice_id=invoice_id)
    if read is None:
        raise Http404
    error = ""
    if request.method == "POST":
        try:
            made = take_back(
                book_id=book.pk,
                invoice_id=invoice_id,
                reason=request.POST.get("reason", ""),
                again=request.POST.get("again") == "yes",
                title_id=number(request.POST.get("title", "")) or None,
                user_id=user.pk,
                now_us=access.now_us(),
            )
            return redirect("console:invoice", slug=slug, invoice_id=made[-1])
        except NotAllowed:
            raise Http404 from None
        except Refusal as refused:
            error = said(refused)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        titles = store.titles_of(cursor=cursor, book=book.pk, wallet=read.invoice.wallet)
        asked = requests_of_invoice(cursor=cursor, invoice=invoice_id)
        platform = platform_of(cursor=cursor, book=book.pk)
    blue = standing(asked)
    context = {
        **frame(book=book),
        **page_of(read),
        "asked": [(one, efapiao_words(one)) for one in reversed(asked)],
        "platform": platform,
        "may_ask": platform is not None and blue is None and read.invoice.sort == "invoice",
        "may_red": blue is not None and blue.state == "issued" and not _red_waits(asked),
        "titles": title_choices(titles),
        "error": error,
        "may_act": access.may_act(user=user),
    }
    return private(render(request, "console/invoice.html", context, status=422 if error else 200))


@login_required
@require_GET
def invoice_file(request: HttpRequest, slug: str, invoice_id: int, form: str) -> HttpResponse:
    """One document as PDF with its data inside, as the data alone (EN 16931), or as JSON."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return send_invoice(request=request, book=book, invoice_id=invoice_id, form=form)


@login_required
@require_POST
def efapiao(request: HttpRequest, slug: str, invoice_id: int) -> HttpResponse:
    """Ask for the e-fapiao of a document, or to take the issued one back."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    about = {"book_id": book.pk, "invoice_id": invoice_id, "user_id": user.pk, "now_us": access.now_us()}
    try:
        if request.POST.get("do") == "red":
            ask_red(reason=request.POST.get("reason", ""), **about)
        else:
            ask_efapiao(**about)
    except NotFound:
        raise Http404 from None
    except Refusal as refused:
        messages.error(request, said(refused))
    return redirect("console:invoice", slug=slug, invoice_id=invoice_id)


@login_required
@require_http_methods(["GET", "POST"])
def home_invoices(request: HttpRequest, slug: str, wallet_id: int) -> HttpResponse:
    """The documents and titles of a home; POST issues what waits, adds a title or ends one."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    wallet = Wallet.objects.select_related("book", "unit__site").filter(pk=wallet_id, book=book).first()
    if wallet is None:
        raise Http404
    form, error = TitleForm(initial={"country": "CN" if book.currency == "CNY" else ""}), ""
    if request.method == "POST":
        if not access.may_act(user=user):
            raise Http404
        form = TitleForm(request.POST) if request.POST.get("do") == "title" else form
        try:
            done = _deed(request, book, wallet, form, user)
            if done:
                messages.success(request, done)
                return redirect("console:home_invoices", slug=slug, wallet_id=wallet_id)
        except Refusal as refused:
            error = said(refused)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        found = store.invoices_of_wallet(cursor=cursor, book=book.pk, wallet=wallet.pk)
        titles = store.titles_of(cursor=cursor, book=book.pk, wallet=wallet.pk)
    context = {
        **frame(book=book),
        "wallet": wallet,
        "rows": shown(book=book, found=found),
        "titles": titles,
        "choices": title_choices(titles),
        "untils": until_choices(book=book, since_us=wallet.opened_us, now_us=access.now_us()),
        "form": form,
        "error": error,
        "may_act": access.may_act(user=user),
    }
    wrong = bool(error) or form.is_bound
    return private(render(request, "console/home_invoices.html", context, status=422 if wrong else 200))


def _red_waits(asked: list[Efapiao]) -> bool:
    return any(one.sort == "red" and one.state in ("asked", "pending") for one in asked)


def _deed(request: HttpRequest, book: Book, wallet: Wallet, form: TitleForm, user: User) -> str:
    now_us = access.now_us()
    if request.POST.get("do") != "issue":
        return change_titles(request=request, wallet=wallet, form=form, user_id=user.pk, now_us=now_us)
    asked = Asked(
        book_id=book.pk,
        wallet_id=wallet.pk,
        user_id=user.pk,
        until=until_of(request.POST.get("until", "")),
        title_id=number(request.POST.get("title", "")) or None,
    )
    issue_for_home(asked=asked, now_us=now_us)
    return gettext("Issued.")


def _page(
    request: HttpRequest, book: Book, user: User, *, error: str = "", status: int = 200
) -> HttpResponse:
    now_us, month = access.now_us(), request.GET.get("month", "")
    preview: Preview | None = None
    held: Control | None = None
    try:
        held = control(book_id=book.pk)
        if month:
            preview = preview_month(book_id=book.pk, month=month, now_us=now_us)
    except Refusal as refused:
        error, status = error or said(refused), 422 if month else status
    below = number(request.GET.get("below", "")) or None
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        setup = store.setup_of(cursor=cursor, book=book.pk)
        runs = invoice_runs.runs_of_book(cursor=cursor, book=book.pk)
        found = store.invoices_of_book(cursor=cursor, book=book.pk, below=below)
    last = local_date(zone=book.zone, at_us=now_us).replace(day=1) - timedelta(days=1)
    unit = 10 ** (6 - book.minor_digits)
    context: dict[str, Any] = {
        **frame(book=book),
        "setup": setup,
        "held": held,
        "month": month or last.strftime("%Y-%m"),
        "preview": preview,
        "rates": _rates(preview, setup, unit),
        "total_micro": preview.total.gross_minor * unit if preview else 0,
        "left_out": [(one.home, one.gross_micro, said(one.why)) for one in preview.left_out]
        if preview
        else [],
        "runs": [(run, run.gross_minor * unit) for run in runs[:12]],
        "running": any(run.ended_us is None for run in runs),
        "rows": shown(book=book, found=found),
        "older": found[-1].invoice if len(found) == 60 else None,
        "error": error,
        "may_act": access.may_act(user=user),
    }
    return private(render(request, "console/invoices.html", context, status=status))


def _rates(preview: Preview | None, setup: store.Setup | None, unit: int) -> list[tuple[str, int, int]]:
    if preview is None or setup is None:
        return []
    return [
        (rate_words(rate=rate, setup=setup), sums.net_minor * unit, sums.tax_minor * unit)
        for rate, sums in preview.sums.items()
    ]
