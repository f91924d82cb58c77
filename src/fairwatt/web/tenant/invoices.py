"""A resident's invoices: the documents, an invoice asked for, and whom they are made out to."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fairwatt.core.refusal import Refusal
from fairwatt.flows.invoicing.efapiao import ask_efapiao, standing
from fairwatt.flows.invoicing.issuing import Asked, issue_for_home
from fairwatt.reports.invoice import read_invoice
from fairwatt.store import invoices as store
from fairwatt.store.efapiao import Efapiao, platform_of, requests_of_wallet
from fairwatt.store.models import User, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.design.invoice_words import efapiao_words
from fairwatt.web.design.refusals import said
from fairwatt.web.invoicing import (
    TitleForm,
    change_titles,
    number,
    send_invoice,
    shown,
    title_choices,
    until_choices,
    until_of,
)


@login_required
@require_http_methods(["GET", "POST"])
def invoices(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Every document of this home; POST asks for one, adds a title or ends one."""
    user = access.person(request)
    wallet = access.resident_wallet(user=user, public_id=public_id, at_us=access.now_us())
    book = wallet.book
    form, error = TitleForm(initial={"country": "CN" if book.currency == "CNY" else ""}), ""
    if request.method == "POST":
        form = TitleForm(request.POST) if request.POST.get("do") == "title" else form
        try:
            done = _deed(request, wallet, form, user)
            if done:
                messages.success(request, done)
                return redirect("tenant:invoices", public_id=public_id)
        except Refusal as refused:
            error = said(refused)
    with seeing(scope=scope_of_wallet(wallet=wallet)), connection.cursor() as cursor:
        setup = store.setup_of(cursor=cursor, book=book.pk)
        found = store.invoices_of_wallet(cursor=cursor, book=book.pk, wallet=wallet.pk)
        platform = platform_of(cursor=cursor, book=book.pk)
        asked = _fapiao_of(requests_of_wallet(cursor=cursor, wallet=wallet.pk))
        titles = store.titles_of(cursor=cursor, book=book.pk, wallet=wallet.pk)
    context = {
        "wallet": wallet,
        "currency": book.currency,
        "zone": book.zone,
        "setup": setup,
        "rows": shown(book=book, found=found),
        "fapiao": [
            (one, *asked.get(one.invoice, (None, "")))
            for one in found
            if platform and one.sort == "invoice" and not one.cancelled
        ],
        "titles": titles,
        "choices": title_choices(titles),
        "untils": until_choices(book=book, since_us=wallet.opened_us, now_us=access.now_us()),
        "form": form,
        "error": error,
    }
    wrong = bool(error) or form.is_bound
    response = render(request, "tenant/invoices.html", context, status=422 if wrong else 200)
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_GET
def invoice_file(request: HttpRequest, public_id: UUID, invoice_id: int, form: str) -> HttpResponse:
    """One document of this home as PDF, or as data."""
    if form not in ("pdf", "xml"):
        raise Http404
    wallet = access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())
    return send_invoice(request=request, book=wallet.book, invoice_id=invoice_id, form=form, wallet=wallet.pk)


@login_required
@require_POST
def efapiao(request: HttpRequest, public_id: UUID, invoice_id: int) -> HttpResponse:
    """Ask for the e-fapiao of one of this home's documents."""
    user = access.person(request)
    wallet = access.resident_wallet(user=user, public_id=public_id, at_us=access.now_us())
    if read_invoice(book=wallet.book, invoice_id=invoice_id, wallet=wallet.pk) is None:
        raise Http404
    try:
        ask_efapiao(book_id=wallet.book_id, invoice_id=invoice_id, user_id=user.pk, now_us=access.now_us())
        messages.success(request, gettext("Asked for. It appears here once the tax platform has issued it."))
    except Refusal as refused:
        messages.error(request, said(refused))
    return redirect("tenant:invoices", public_id=public_id)


def _fapiao_of(asked: list[Efapiao]) -> dict[int, tuple[Efapiao, str]]:
    """{document: its request that counts, in words}."""
    found: dict[int, list[Efapiao]] = {}
    for one in asked:
        found.setdefault(one.invoice, []).append(one)
    standing_ones = {invoice: standing(known) for invoice, known in found.items()}
    return {invoice: (one, efapiao_words(one)) for invoice, one in standing_ones.items() if one is not None}


def _deed(request: HttpRequest, wallet: Wallet, form: TitleForm, user: User) -> str:
    now_us = access.now_us()
    if request.POST.get("do") != "issue":
        return change_titles(request=request, wallet=wallet, form=form, user_id=user.pk, now_us=now_us)
    asked = Asked(
        book_id=wallet.book_id,
        wallet_id=wallet.pk,
        user_id=user.pk,
        until=until_of(request.POST.get("until", "")),
        title_id=number(request.POST.get("title", "")) or None,
    )
    issue_for_home(asked=asked, now_us=now_us)
    return gettext("Your invoice is here.")
