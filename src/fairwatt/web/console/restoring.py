"""An emergency restore code for one home: asked for with a reason, shown once, and what became of those before."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fairwatt.core.commands.restore_code import HOURS, TYPED_WITHIN_DAYS, grouped
from fairwatt.core.refusal import Refusal
from fairwatt.flows.restore_codes import ask_restore_code, show_restore_code
from fairwatt.store import restore_codes
from fairwatt.store.models import Book, Installation, Role, Unit, User
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import number
from fairwatt.web.design.refusals import said
from fairwatt.web.design.restore_words import REFUSALS


@login_required
@require_http_methods(["GET", "POST"])
def restore_code(request: HttpRequest, slug: str, unit_id: int) -> HttpResponse:
    """Ask for a code, look whether it is made, read it once: parse, one flow, render."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    unit = Unit.objects.filter(pk=unit_id, site__book=book).first()
    if unit is None:
        raise Http404
    error, digits = "", ""
    asked = number(request.GET.get("asked", ""))
    if request.method == "POST":
        try:
            if request.POST.get("show"):
                asked = number(request.POST["show"])
                digits = show_restore_code(
                    book_id=book.pk, fact_id=asked, user_id=user.pk, now_us=access.now_us()
                )
            else:
                return redirect(_asked(request, book, unit, user))
        except Refusal as refused:
            error = said(refused)
    context = {
        **frame(book=book),
        **_context(book, unit, user, asked),
        "unit": unit,
        "error": error,
        "digits": grouped(digits),
        "typed": request.POST,
        "days": TYPED_WITHIN_DAYS,
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


def _context(book: Book, unit: Unit, user: User, asked: int) -> dict[str, Any]:
    works = Installation.objects.filter(unit=unit, wallet__book=book, closed_us__isnull=True)
    meters = list(works.select_related("meter", "wallet").order_by("meter__number"))
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        policy = restore_codes.policy_of(cursor=cursor, book=book.pk)
        answer = (
            restore_codes.answer_to(cursor=cursor, book=book.pk, fact=asked, author=user.pk)
            if asked
            else None
        )
        wallets = dict.fromkeys(row.wallet_id for row in meters)
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
        "asked": asked,
        "refusal": REFUSALS.get(answer.code, "") if answer else "",
        "issued": [(one, names.get(one.author, "")) for one in issued],
        "may_issue": user.role == Role.ADMIN,
    }
