"""People move out of a home and into it: looked at with every figure first, then done in one action."""

from __future__ import annotations

import os
import re
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fairwatt.core.refusal import Refusal
from fairwatt.flows.move_home import (
    Coming,
    MoveAsked,
    ask_move,
    likely_instant,
    lives_somebody,
    move_answer,
    preview_move,
)
from fairwatt.store.models import Book, Unit
from fairwatt.web import access
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import instant, local, number, register_wh, ticket
from fairwatt.web.design import move_words
from fairwatt.web.design.refusals import said


@login_required
@require_http_methods(["GET", "POST"])
def move(request: HttpRequest, slug: str, unit_id: int) -> HttpResponse:
    """What a move would come to, and the move itself: parse, one flow, render."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    unit = Unit.objects.select_related("site").filter(pk=unit_id, site__book=book).first()
    if unit is None:
        raise Http404
    now_us = access.now_us()
    if asked := number(request.GET.get("asked", "")):
        return private(_answered(request, book, unit, asked))
    typed = request.POST if request.method == "POST" else request.GET
    error, seen = "", None
    try:
        wanted = _wanted(typed, book, unit, now_us)
        if request.method == "POST" and not request.POST.get("look"):
            fact = ask_move(
                book_id=book.pk,
                asked=wanted,
                user_id=user.pk,
                now_us=now_us,
                entropy=bytes.fromhex(ticket(request.POST.get("ticket", ""))),
            )
            return redirect(f"{reverse('console:move', args=[book.slug, unit.pk])}?asked={fact}")
        seen = preview_move(book=book, asked=wanted, now_us=now_us)
    except Refusal as refused:
        error = said(refused)
    lived_in = lives_somebody(unit=unit)
    context = {
        **frame(book=book),
        "unit": unit,
        "error": error,
        "seen": seen,
        "meters": [(meter, move_words.BASES[meter.basis]) for meter in seen.meters] if seen else [],
        "lived_in": lived_in,
        "title": move_words.KINDS["out" if lived_in else "in"],
        "typed": typed,
        "at": typed.get("at") or (local(seen.at_us, zone=book.zone) if seen else ""),
        "ticket": typed.get("ticket") or os.urandom(10).hex(),
        "may_act": access.may_act(user=user),
    }
    return private(render(request, "console/move.html", context, status=422 if error else 200))


def _answered(request: HttpRequest, book: Book, unit: Unit, fact: int) -> HttpResponse:
    """What the poster made of it; while it waits, the page looks again by itself."""
    answer = move_answer(book=book, fact_id=fact)
    if answer is None:
        raise Http404
    context = {
        **frame(book=book),
        "unit": unit,
        "answer": answer,
        "refusal": move_words.REFUSALS.get(answer.code, move_words.UNKNOWN_REFUSAL),
        "kind": answer.result.get("kind", ""),
    }
    return render(request, "console/moved.html", context)


def _wanted(typed: Any, book: Book, unit: Unit, now_us: int) -> MoveAsked:
    names = tuple(name for name in re.split(r"[,\s，、]+", typed.get("users", "").strip()) if name)
    lived_in = lives_somebody(unit=unit)
    at = typed.get("at", "").strip()
    likely = likely_instant(book=book, unit=unit, now_us=now_us)
    # A field of a page shows whole minutes: untouched, it means the very instant that was meant.
    meant = not at or at == local(likely, zone=book.zone)
    return MoveAsked(
        kind=("change" if names or typed.get("somebody") else "out") if lived_in else "in",
        unit_id=unit.pk,
        at_us=likely if meant else instant(at, zone=book.zone),
        wallet=number(typed.get("wallet", "")),
        settle="source" if typed.get("settle") == "source" else "window",
        coming=Coming(users=names),
        stated=_stated(typed),
        reason=typed.get("reason", ""),
    )


def _stated(typed: Any) -> dict[int, int]:
    """Registers that a person typed."""
    return {
        number(key.removeprefix("read-")): register_wh(value)
        for key, value in typed.items()
        if key.startswith("read-") and value.strip()
    }
