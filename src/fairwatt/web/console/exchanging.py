"""A meter is exchanged for another: looked at first, then done in one action."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fairwatt.core.metering.transformer import Transformer, TransformerError, parse_ratio
from fairwatt.core.refusal import Refusal
from fairwatt.flows.desk import NotFound
from fairwatt.flows.exchange_meter import ExchangeAsked, ask_exchange, end_of, place_of
from fairwatt.flows.move_home import move_answer
from fairwatt.store.models import Book
from fairwatt.web import access
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import Unreadable, instant, local, number, register_wh, ticket
from fairwatt.web.design import move_words
from fairwatt.web.design.refusals import said


@login_required
@require_http_methods(["GET", "POST"])
def exchange(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """What an exchange would come to, and the exchange itself: parse, one flow, render."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    now_us = access.now_us()
    if asked := number(request.GET.get("asked", "")):
        return private(_answered(request, book, meter_id, asked))
    typed = request.POST
    error, seen, place = "", None, None
    try:
        if request.method == "POST" and not typed.get("look"):
            fact = ask_exchange(
                book_id=book.pk,
                asked=_wanted(typed, book, meter_id, now_us),
                ticket=ticket(typed.get("ticket", "")),
                user_id=user.pk,
                now_us=now_us,
            )
            return redirect(f"{reverse('console:exchange', args=[book.slug, meter_id])}?asked={fact}")
        if request.method == "POST":
            seen = end_of(book=book, asked=_wanted(typed, book, meter_id, now_us), now_us=now_us)
    except NotFound as nowhere:
        raise Http404 from nowhere
    except Refusal as refused:
        error = said(refused)
    try:
        place = place_of(book=book, meter_id=meter_id)
    except NotFound as nowhere:
        raise Http404 from nowhere
    except Refusal as refused:
        error = error or said(refused)
    context = {
        **frame(book=book),
        "meter_id": meter_id,
        "place": place,
        "seen": seen,
        "basis": move_words.BASES[seen.basis] if seen else "",
        "error": error,
        "typed": typed,
        "at": typed.get("at") or local(now_us, zone=book.zone),
        "ticket": typed.get("ticket") or os.urandom(10).hex(),
        "may_act": access.may_act(user=user),
    }
    return private(render(request, "console/exchange.html", context, status=422 if error else 200))


def _answered(request: HttpRequest, book: Book, meter_id: int, fact: int) -> HttpResponse:
    """What the poster made of it; while it waits, the page looks again by itself."""
    answer = move_answer(book=book, fact_id=fact)
    if answer is None:
        raise Http404
    context = {
        **frame(book=book),
        "meter_id": meter_id,
        "answer": answer,
        "refusal": move_words.REFUSALS.get(answer.code, move_words.UNKNOWN_REFUSAL),
    }
    return render(request, "console/exchanged.html", context)


def _wanted(typed: Any, book: Book, meter_id: int, now_us: int) -> ExchangeAsked:
    at, final = typed.get("at", "").strip(), typed.get("final", "").strip()
    meant_now = not at or at == local(now_us, zone=book.zone)
    return ExchangeAsked(
        meter_id=meter_id,
        number=number(typed.get("number", "").strip().replace(" ", "")),
        at_us=now_us if meant_now else instant(at, zone=book.zone),
        opening_wh=register_wh(typed.get("opening", "")),
        final_wh=register_wh(final) if final else None,
        transformer=_ratio(typed.get("ratio", "")),
        reason=typed.get("reason", ""),
    )


def _ratio(text: str) -> Transformer | None:
    """The current transformers in front of the new meter, if any were typed."""
    try:
        return parse_ratio(text) if text.strip() else None
    except TransformerError as error:
        raise Unreadable(
            "A ratio of current transformers is written as 100:5. Nothing was changed; read the plate again."
        ) from error
