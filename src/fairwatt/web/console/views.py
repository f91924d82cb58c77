"""The operator's pages: parse, read, render. Nothing here writes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from fairwatt.core.units import US_PER_MINUTE
from fairwatt.store.models import Book, Unit, User
from fairwatt.web import access
from fairwatt.web.console import charts, queries
from fairwatt.web.console.building import STATES, buildings
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.needs import headline, needs
from fairwatt.web.design import format as text
from fairwatt.web.design import quarantine_words, words
from fairwatt.web.live import Fragments, live_response, still_active

PAGE: Final = 50
FRAGMENTS: Final = ("headline", "cards", "wall", "happened", "load", "money")


@login_required
@require_GET
def books(request: HttpRequest) -> HttpResponse:
    """The books of this person's organisation; a single one opens at once."""
    mine = list(access.desk_books(user=access.person(request)))
    if not mine:
        raise Http404
    if len(mine) == 1:
        return redirect("console:today", slug=mine[0].slug)
    return render(request, "console/books.html", {"books": mine})


@login_required
@require_GET
def today(request: HttpRequest, slug: str) -> HttpResponse:
    """Does anything need a person?"""
    book = access.desk_book(user=access.person(request), slug=slug)
    return private(render(request, "console/today.html", _context(book)))


@login_required
@require_GET
async def live(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The same page, as changes while it is open."""
    user: User = await request.auser()  # type: ignore[assignment]  # login_required
    book = await sync_to_async(access.desk_book)(user=user, slug=slug)

    def draw() -> Fragments:
        context = _context(book)
        return {name: render_to_string(f"console/_{name}.html", context) for name in FRAGMENTS}

    def may() -> bool:
        return (
            still_active(user=user)
            and access.desk_books(user=User.objects.get(pk=user.pk)).filter(pk=book.pk).exists()
        )

    return live_response(request=request, scope=access.scope_of_book(book=book), draw=draw, may=may)


@login_required
@require_GET
def unit(request: HttpRequest, slug: str, unit_id: int) -> HttpResponse:
    """One unit and why it is as it is; a panel inside the page, or a page of its own."""
    book = access.desk_book(user=access.person(request), slug=slug)
    found = Unit.objects.select_related("site").filter(pk=unit_id, site__book=book).first()
    if found is None:
        raise Http404
    now_us = access.now_us()
    detail = queries.unit_detail(book=book, unit=found, now_us=now_us)
    context = {
        **frame(book=book),
        "detail": detail,
        "square": detail.square,
        "happened": as_told(detail.happened, book.currency),
    }
    template = "console/_unit.html" if request.htmx else "console/unit.html"  # type: ignore[attr-defined]
    return private(render(request, template, context))


@login_required
@require_GET
def quarantine(request: HttpRequest, slug: str) -> HttpResponse:
    """Data that was not believed: what it means, and the next step."""
    book = access.desk_book(user=access.person(request), slug=slug)
    asked = request.GET.get("before", "")
    before = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 18 else None
    found = queries.quarantine_page(book=book, before_id=before, size=PAGE + 1)
    entries = [
        {"entry": entry, "home": home, "gateway": gateway, "meaning": meaning, "step": step}
        for entry, home, gateway in found[:PAGE]
        for meaning, step in [quarantine_words.quarantine(entry.code)]
    ]
    more = found[PAGE - 1][0].id if len(found) > PAGE else None
    return private(
        render(request, "console/quarantine.html", {**frame(book=book), "entries": entries, "more": more})
    )


def _context(book: Book) -> dict[str, Any]:
    now_us = access.now_us()
    page = queries.today(book=book, now_us=now_us)
    waiting = needs(today=page)
    now, before = queries.load(book=book, now_us=now_us)
    rows = charts.money_rows(**_month(book.pk, now_us // US_PER_MINUTE))
    return {
        **frame(book=book),
        "page": page,
        "homes": sum(square.state != "vacant" for square in page.squares),
        "headline": headline(waiting=waiting),
        "needs": waiting,
        "buildings": buildings(page.squares),
        "states": STATES,
        "happened": as_told(page.happened, book.currency),
        "load_chart": charts.load_chart(now=now, before=before),
        "load_table": charts.load_table(now=now, before=before),
        "money_chart": charts.money_chart(rows=rows, book=book),
        "money_rows": rows,
    }


@lru_cache(maxsize=64)
def _month(book_id: int, minute: int) -> dict[str, Any]:
    """The month's money, summed from the journal at most once a minute."""
    book = Book.objects.get(pk=book_id)
    opening, moved, held = queries.month_money(book=book, now_us=minute * US_PER_MINUTE)
    return {"opening": opening, "moved": moved, "held": held}


def _amount(evidence: dict[str, Any], currency: str) -> str:
    found = evidence.get("amount_micro", evidence.get("available_micro"))
    return text.money(micro=found, currency=currency) if isinstance(found, int) else ""


def as_told(happened: tuple[queries.Happening, ...], currency: str) -> list[dict[str, Any]]:
    """What happened, as sentences for `console/_happened.html`."""
    return [
        {
            "at_us": item.event.at_us,
            "words": words.event(
                kind=item.event.kind,
                reason_code=item.event.reason,
                home=item.home,
                gateway=item.gateway,
                amount=_amount(item.event.evidence, currency),
                rule=item.event.rule,
                days=int(item.event.evidence.get("days", 0)),
            ),
            "rule": item.event.rule,
            "proof": item.proof,
        }
        for item in happened
    ]
