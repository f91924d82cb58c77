"""A file of moves: looked at row by row, then all asked for in one action, and what became of each."""

from __future__ import annotations

import base64
import os
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fairwatt.core.refusal import Refusal
from fairwatt.flows.move_batch import COLUMNS, ask_all, look_at, read_rows, results_of
from fairwatt.flows.move_home import MoveImpossible
from fairwatt.flows.sheets import BYTES_MAX
from fairwatt.store.models import Book, User
from fairwatt.web import access
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import sent_file
from fairwatt.web.design import move_words
from fairwatt.web.design.refusals import said


@login_required
@require_http_methods(["GET", "POST"])
def moves(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose a file, look at its rows, ask for all of them: parse, one flow, render."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    if together := request.GET.get("together", ""):
        return private(_results(request, book, together))
    context: dict[str, Any] = {
        **frame(book=book),
        "columns": COLUMNS,
        "may_act": access.may_act(user=user),
        "ticket": os.urandom(10).hex(),
    }
    if request.method == "POST":
        try:
            name, data = sent_file(request, bytes_max=BYTES_MAX)
            rows = read_rows(data=data, name=name)
            if request.POST.get("all"):
                return redirect(_asked(request, book, user, rows))
            looked = look_at(book=book, rows=rows, now_us=access.now_us())
            context |= {
                "name": name,
                "looked": [
                    (row, move_words.KINDS.get(row.move, row.move), _why(row.error)) for row in looked
                ],
                "wrong": sum(row.error is not None for row in looked),
                "provisional": sum(bool(row.seen and row.seen.provisional) for row in looked),
                "back_micro": sum(
                    max(0, row.seen.left_micro) for row in looked if row.seen and row.move != "in"
                ),
                "file": base64.b64encode(data).decode(),
            }
        except Refusal as refused:
            context["error"] = said(refused)
    status = 422 if context.get("error") else 200
    return private(render(request, "console/moves.html", context, status=status))


def _asked(request: HttpRequest, book: Book, user: User, rows: list[dict[str, str]]) -> str:
    try:
        entropy = bytes.fromhex(request.POST.get("ticket", ""))
    except ValueError as error:
        raise MoveImpossible(
            "This form is too old or was changed. Nothing was done; open it again."
        ) from error
    together = ask_all(book_id=book.pk, rows=rows, user_id=user.pk, now_us=access.now_us(), entropy=entropy)
    return f"{reverse('console:moves', args=[book.slug])}?together={together}"


def _why(error: Refusal | None) -> str:
    return said(error) if error is not None else ""


def _results(request: HttpRequest, book: Book, together: str) -> HttpResponse:
    found = results_of(book=book, together=together[:20])
    if not found:
        raise Http404
    context = {
        **frame(book=book),
        "results": [
            (
                row,
                move_words.KINDS.get(row.move, row.move),
                move_words.REFUSALS.get(row.code, move_words.UNKNOWN_REFUSAL) if row.code else "",
            )
            for row in found
        ],
        "waiting": sum(row.state == "waiting" for row in found),
        "done": sum(row.state == "posted" for row in found),
        "refused": sum(row.state == "refused" for row in found),
    }
    return render(request, "console/moves_done.html", context)
