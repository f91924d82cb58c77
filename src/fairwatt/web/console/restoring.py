"""What is typed at a gateway for one home: emergency codes, and payments as tokens. Asked for, shown once, followed."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fairwatt.core.commands.carried_payment import TYPED_WITHIN_DAYS as TOKEN_DAYS
from fairwatt.core.commands.restore_code import HOURS, TYPED_WITHIN_DAYS, grouped
from fairwatt.core.refusal import Refusal
from fairwatt.flows.carry_payment import KIND as TOKEN
from fairwatt.flows.carry_payment import ask_token, show_token
from fairwatt.flows.restore_codes import KIND as RESTORE_CODE
from fairwatt.flows.restore_codes import ask_restore_code, show_restore_code
from fairwatt.store import carried_payments, cash_desk, restore_codes
from fairwatt.store.models import Book, Installation, Role, Unit, User
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import number
from fairwatt.web.design.refusals import said
from fairwatt.web.design.restore_words import REFUSALS

_PAYMENTS = 5


@login_required
@require_http_methods(["GET", "POST"])
def restore_code(request: HttpRequest, slug: str, unit_id: int) -> HttpResponse:
    """Ask for a code or a token, look whether it is made, read it once: parse, one flow, render."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    unit = Unit.objects.filter(pk=unit_id, site__book=book).first()
    if unit is None:
        raise Http404
    error, digits = "", ""
    asked, token = number(request.GET.get("asked", "")), number(request.GET.get("token", ""))
    if request.method == "POST":
        show, fact = (show_token, token) if request.POST.get("show") and token else (show_restore_code, asked)
        try:
            if request.POST.get("show"):
                digits = show(book_id=book.pk, fact_id=fact, user_id=user.pk, now_us=access.now_us())
            elif request.POST.get("receipt"):
                return redirect(_carried(request, book, unit, user))
            else:
                return redirect(_asked(request, book, unit, user))
        except Refusal as refused:
            error = said(refused)
    context = {
        **frame(book=book),
        **_context(book, unit, user, asked, token),
        "unit": unit,
        "error": error,
        "digits": grouped(digits),
        "typed": request.POST,
        "days": TOKEN_DAYS if token else TYPED_WITHIN_DAYS,
    }
    return private(render(request, "console/restore_code.html", context, status=422 if error else 200))


def _asked(request: HttpRequest, book: Book, unit: Unit, user: User) -> str:
    fact = ask_restore_code(
        book_id=book.pk,
        installation_id=number(request.POST.get("installation", "")),
        hours=number(request.POST.get("hours", "")),
        reason=request.POST.get("reason", ""),
        user_id=user.pk,
        now_us=access.now_us(),
        entropy=os.urandom(10),
    )
    return f"{reverse('console:restore_code', args=[book.slug, unit.pk])}?asked={fact}"


def _carried(request: HttpRequest, book: Book, unit: Unit, user: User) -> str:
    fact = ask_token(
        book_id=book.pk,
        installation_id=number(request.POST.get("installation", "")),
        receipt=number(request.POST["receipt"]),
        user_id=user.pk,
        now_us=access.now_us(),
        entropy=os.urandom(10),
    )
    return f"{reverse('console:restore_code', args=[book.slug, unit.pk])}?token={fact}"


def _context(book: Book, unit: Unit, user: User, asked: int, token: int) -> dict[str, Any]:
    works = Installation.objects.filter(unit=unit, wallet__book=book, closed_us__isnull=True)
    meters = list(works.select_related("meter", "wallet").order_by("meter__number"))
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        policy = restore_codes.policy_of(cursor=cursor, book=book.pk)
        answer = restore_codes.answer_to(
            cursor=cursor,
            book=book.pk,
            fact=token or asked,
            author=user.pk,
            kind=TOKEN if token else RESTORE_CODE,
        )
        wallets = dict.fromkeys(row.wallet_id for row in meters)
        since_us = access.now_us() - TOKEN_DAYS * 86_400_000_000
        payments = [
            paid
            for wallet in wallets
            for paid in cash_desk.receipts_of_wallet(cursor=cursor, wallet=wallet, limit=_PAYMENTS)
            if paid.at_us > since_us
        ]
        carried = {
            one.receipt: one
            for wallet in wallets
            for one in carried_payments.carried_to(cursor=cursor, wallet=wallet)
        }
        issued = [one for wallet in wallets for one in restore_codes.issued_to(cursor=cursor, wallet=wallet)]
    names = dict(
        User.objects.filter(
            organisation=book.organisation_id, pk__in={one.author for one in issued}
        ).values_list("pk", "username")
    )
    return {
        "meters": meters,
        "hours": [hours for hours in HOURS if hours <= policy.hours_max],
        "policy": policy,
        "answer": answer,
        "token": token,
        "payments": [(paid, carried.get(paid.number)) for paid in payments],
        "refusal": REFUSALS.get(answer.code, "") if answer else "",
        "issued": [(one, names.get(one.author, "")) for one in issued],
        "may_issue": user.role == Role.ADMIN,
    }
