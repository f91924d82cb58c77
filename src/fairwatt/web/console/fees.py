"""The desk's pages of fees: what is owed, what comes next, who is behind; each write is one flow."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.costs.calendar import next_run
from fairwatt.core.spans import local_date
from fairwatt.flows.fees import FeeRefused, add_fee, end_fee, not_raised, preview_next_run, reverse_fee
from fairwatt.flows.posting.fees import calendar_of
from fairwatt.store import costs
from fairwatt.store.models import Book, CostEntry, CostStep, Fee, FeeEnd, Unit, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.cost_forms import EndFeeForm, FeeForm, ReasonForm
from fairwatt.web.console.frame import frame, private
from fairwatt.web.design.refusals import said

CHARGED_SHOWN = 100


@login_required
@require_GET
def fees(request: HttpRequest, slug: str) -> HttpResponse:
    """Every fee of a book, when it falls due next, and who owes what."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    return private(render(request, "console/fees.html", _fees_page(request, book)))


@login_required
@require_POST
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Write a fee down."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    form = FeeForm(book=book, data=request.POST)
    if form.is_valid():
        try:
            fee = add_fee(book_id=book.pk, by=user, now_us=access.now_us(), **form.wishes())
        except FeeRefused as error:
            form.add_error(None, said(error))
        else:
            messages.success(request, gettext("The fee is written down. This is what it will charge."))
            return redirect("console:fee", slug=slug, fee_id=fee.pk)
    return private(
        render(request, "console/fees.html", {**_fees_page(request, book), "form": form}, status=422)
    )


@login_required
@require_GET
def fee(request: HttpRequest, slug: str, fee_id: int) -> HttpResponse:
    """One fee and its next run, unit by unit."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    return private(render(request, "console/fee.html", _fee_page(request, book, fee_id)))


@login_required
@require_POST
def end(request: HttpRequest, slug: str, fee_id: int) -> HttpResponse:
    """Say from when on a fee is owed no more."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    context = _fee_page(request, book, fee_id)
    form = EndFeeForm(request.POST)
    if form.is_valid():
        try:
            end_fee(
                book_id=book.pk,
                fee_id=fee_id,
                end_day=form.cleaned_data["end_day"],
                by=user,
                now_us=access.now_us(),
            )
        except FeeRefused as error:
            form.add_error(None, said(error))
        else:
            return redirect("console:fee", slug=slug, fee_id=fee_id)
    return private(render(request, "console/fee.html", {**context, "end_form": form}, status=422))


@login_required
@require_POST
def take_back_fee(request: HttpRequest, slug: str, fee_id: int, entry_id: int) -> HttpResponse:
    """Take one charged run of a fee back from one home."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    _fee_of(book, fee_id)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        reverse_fee(book_id=book.pk, entry_id=entry_id, reason=reason, by=user, now_us=access.now_us())
        messages.success(
            request, gettext("It is being taken back: what was taken returns, what is open is owed no more.")
        )
    except FeeRefused as error:
        messages.error(request, said(error))
    return redirect("console:fee", slug=slug, fee_id=fee_id)


def _fees_page(request: HttpRequest, book: Book) -> dict[str, Any]:
    now_us = access.now_us()
    today = local_date(zone=book.zone, at_us=now_us)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        terms = costs.fee_terms(cursor=cursor, book=book.pk)
        open_rows = costs.arrears_by_wallet(cursor=cursor, book=book.pk)
        rule_id, rule = costs.fee_rule(cursor=cursor, book=book.pk)
        labels = _labels(book)
        units = dict(Unit.objects.filter(site__book=book).values_list("id", "label"))
    listed = [
        {
            "terms": one,
            "unit": units.get(one.unit or 0, ""),
            "next": next_run(calendar=calendar_of(one), first=one.first_day, end=one.end_day, after=today),
        }
        for one in terms
    ]
    behind = [
        {
            "home": labels.get(wallet or 0, ""),
            "wallet": wallet,
            "account": account,
            "open": owed,
            "since": since,
        }
        for wallet, account, owed, since in open_rows
    ]
    return {
        **frame(book=book),
        "fees": listed,
        "behind": sorted(behind, key=lambda row: (row["wallet"] is not None, str(row["home"]))),
        "behind_micro": sum(owed for _, _, owed, _ in open_rows),
        "rule": rule,
        "rule_id": rule_id,
        "may_act": _may_act(request),
        "form": FeeForm(book=book, initial={"first_day": today.replace(day=1), "tax": "0"}),
    }


def _fee_page(request: HttpRequest, book: Book, fee_id: int) -> dict[str, Any]:
    found = _fee_of(book, fee_id)
    now_us = access.now_us()
    with seeing(scope=scope_of_book(book=book)):
        preview = preview_next_run(book=book, fee_id=fee_id, now_us=now_us)
        overdue = not_raised(book=book, fee_id=fee_id, now_us=now_us)
        ended = FeeEnd.objects.filter(fee=found).first()
        charged = _charged(book, found)
    return {
        **frame(book=book),
        "fee": found,
        "preview": preview,
        "overdue": overdue,
        "ended": ended,
        "charged": charged,
        "may_act": _may_act(request),
        "end_form": EndFeeForm(),
    }


def _fee_of(book: Book, fee_id: int) -> Fee:
    found = Fee.objects.filter(pk=fee_id, book=book).select_related("unit", "created_by").first()
    if found is None:
        raise Http404
    return found


def _charged(book: Book, fee: Fee) -> list[dict[str, Any]]:
    """What the poster charged for a fee, newest first, and who took which of it back and why."""
    entries = list(
        CostEntry.objects.filter(book=book.pk, fee=fee.pk, kind="fee").order_by("-id")[:CHARGED_SHOWN]
    )
    numbers = [entry.pk for entry in entries]
    steps = CostStep.objects.filter(book=book.pk, entry__in=numbers, kind="reversed").select_related("person")
    back = {step.entry: step for step in steps}
    returned = set(CostEntry.objects.filter(of__in=numbers, kind="reversal").values_list("of", flat=True))
    labels = dict(Unit.objects.filter(site__book=book).values_list("id", "label"))
    return [
        {
            "entry": entry,
            "label": labels.get(entry.unit or 0, ""),
            "owed_micro": entry.due_micro + entry.tax_micro,
            "back": back.get(entry.pk),
            "returned": entry.pk in returned,
        }
        for entry in entries
    ]


def _labels(book: Book) -> dict[int, str]:
    return dict(Wallet.objects.filter(book=book).values_list("id", "unit__label"))


def _may_act(request: HttpRequest) -> bool:
    return access.may_act(user=access.person(request))
