"""A round with a phone: which registers are longest unread, one of them read with a photo, a far one read again."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fairwatt.core.refusal import Refusal
from fairwatt.flows.photos import SENT_BYTES_MAX
from fairwatt.flows.postpaid.reading_round import enter_reading, look_again, stops
from fairwatt.store import postpaid as store
from fairwatt.store.models import Book, User
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import register_wh
from fairwatt.web.design import postpaid_words as words
from fairwatt.web.design.refusals import said

SHOWN: Final = 80


@login_required
@require_GET
def rounds(request: HttpRequest, slug: str) -> HttpResponse:
    """Every register, longest unread first; a search finds a home."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    asked = request.GET.get("q", "").strip()[:40]
    with seeing(scope=scope_of_book(book=book)):
        found = [
            one for one in stops(book=book) if asked.lower() in one.home.lower() or asked in str(one.meter)
        ]
    context = {**frame(book=book), "stops": found[:SHOWN], "more": max(0, len(found) - SHOWN), "asked": asked}
    return private(render(request, "console/rounds.html", context))


@login_required
@require_http_methods(["GET", "POST"])
def round_stop(request: HttpRequest, slug: str, installation_id: int) -> HttpResponse:
    """One register: what it showed last; POST takes what it shows now, with its photo."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    error = ""
    if request.method == "POST":
        try:
            sent = request.FILES.get("photo")
            if sent is not None and (sent.size or 0) > SENT_BYTES_MAX:
                sent = None
            taken = enter_reading(
                book_id=book.pk,
                installation_id=installation_id,
                register_wh=register_wh(request.POST.get("register", "")),
                photo=b"" if sent is None else sent.read(),
                words=request.POST.get("words", ""),
                user_id=user.pk,
                now_us=access.now_us(),
            )
            if not taken.doubt:
                messages.success(request, gettext("Taken and charged. The next one."))
                return redirect("console:rounds", slug=slug)
            return redirect("console:round_stop", slug=slug, installation_id=installation_id)
        except Refusal as refused:
            error = said(refused)
    return _stop(request, book, installation_id, error, 422 if error else 200)


@login_required
@require_POST
def round_again(request: HttpRequest, slug: str, reading_id: int) -> HttpResponse:
    """A far reading, looked at again: the same register confirms it, or it is dropped."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    row = _reading(book, reading_id)
    try:
        drop = request.POST.get("do") == "drop"
        word = look_again(
            book_id=book.pk,
            reading_id=reading_id,
            register_wh=None if drop else register_wh(request.POST.get("register", "")),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _stop(request, book, row.installation, said(refused), 422)
    if word == "confirmed":
        messages.success(request, gettext("Taken and charged. The next one."))
        return redirect("console:rounds", slug=slug)
    return redirect("console:round_stop", slug=slug, installation_id=row.installation)


def _reading(book: Book, reading_id: int) -> store.HandReading:
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        row = store.reading_of(cursor=cursor, book=book.pk, reading=reading_id)
    if row is None:
        raise Http404
    return row


def _stop(request: HttpRequest, book: Book, installation_id: int, error: str, status: int) -> HttpResponse:
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        here = next((one for one in stops(book=book) if one.installation == installation_id), None)
        known = store.readings_of(cursor=cursor, book=book.pk, installation=installation_id)
    if here is None:
        raise Http404
    waiting = next((one for one in known if one.doubt and not one.word), None)
    names = dict(User.objects.filter(pk__in=[one.author for one in known]).values_list("pk", "username"))
    context: dict[str, Any] = {
        **frame(book=book),
        "here": here,
        "waiting": waiting,
        "doubt": words.DOUBTS[waiting.doubt] if waiting else "",
        "used_wh": waiting.register_wh - here.register_wh if waiting else 0,
        "known": [(one, names.get(one.author, "")) for one in known if one is not waiting],
        "typed": request.POST.get("register", ""),
        "error": error,
    }
    return private(render(request, "console/round_stop.html", context, status=status))
