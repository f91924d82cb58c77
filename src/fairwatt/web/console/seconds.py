"""A home second by second, for clerks: whoever looks is written down."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.look_at_seconds import look_at_seconds
from fairwatt.store.models import Book, Installation, Meter, User
from fairwatt.web import access
from fairwatt.web import seconds as shown
from fairwatt.web.console import quality_queries as queries
from fairwatt.web.console.frame import frame, private
from fairwatt.web.live import Fragments, live_response, still_active


@login_required
@require_GET
def seconds(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """The last minutes of one meter, or one day by the minute."""
    person = access.person(request)
    book = access.clerk_book(user=person, slug=slug)
    meter = _meter(book, meter_id)
    asked = request.GET.dict()
    page = _page(book, asked)
    _note(book, meter, person, page)
    return private(render(request, "console/seconds.html", _context(book, meter, page)))


@login_required
@require_GET
async def live(request: HttpRequest, slug: str, meter_id: int) -> HttpResponseBase:
    """The same page while it is open."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    book = await sync_to_async(access.clerk_book)(user=user, slug=slug)
    meter = await sync_to_async(_meter)(book, meter_id)
    asked = {**request.GET.dict(), "day": ""}
    await sync_to_async(lambda: _note(book, meter, user, _page(book, asked)))()

    def draw() -> Fragments:
        page = _page(book, asked)
        return {"seconds": render_to_string("_seconds.html", _context(book, meter, page))}

    def may() -> bool:
        """Asked once a minute; a look that lasts leaves a row for every quarter of an hour."""
        again = User.objects.get(pk=user.pk)
        if not (still_active(user=user) and access.may_act(user=again)):
            return False
        if not access.desk_books(user=again).filter(pk=book.pk).exists():
            return False
        _note(book, meter, again, _page(book, asked))
        return True

    scope = access.scope_of_book(book=book)
    return live_response(request=request, scope=scope, draw=draw, may=may, beside_ledger=True)


def _note(book: Book, meter: Meter, person: User, page: shown.Page) -> None:
    look_at_seconds(
        book_id=book.pk,
        meter=meter,
        user_id=person.pk,
        from_s=page.from_s,
        until_s=page.until_s,
        how="live" if page.day is None else "day",
        now_us=page.now_us,
    )


def _page(book: Book, asked: dict[str, str]) -> shown.Page:
    now_us = access.now_us()
    return shown.page(zone=book.zone, now_us=now_us, asked=asked, first_us=now_us - 400 * US_PER_DAY)


def _context(book: Book, meter: Meter, page: shown.Page) -> dict[str, Any]:
    home = Installation.objects.filter(meter=meter, closed_us__isnull=True).select_related("unit").first()
    if page.day is None:
        shown.watch(book=book.pk, meter=meter)
    return {
        **frame(book=book),
        "meter": meter,
        "home": home.unit.label if home else "–",
        "page": page,
        "seconds": shown.found(scope=access.scope_of_book(book=book), meter=meter, page=page),
        "today": local_date(zone=book.zone, at_us=page.now_us),
    }


def _meter(book: Book, meter_id: int) -> Meter:
    found = queries.find_meter(book=book, meter_id=meter_id)
    if found is None:
        raise Http404
    return found
