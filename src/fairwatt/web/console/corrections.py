"""Corrections of tariffs: what each comes to, who confirms it, how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from fairwatt.flows.correct_tariff import BANDS_MICRO, CannotConfirm, confirm_tariff_correction
from fairwatt.store.models import Book, Fact, Installation, Rerating, Role, TariffCorrection, User
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.design import format as text
from fairwatt.web.design.refusals import said
from fairwatt.web.design.tariff_words import CORRECTION_REFUSALS


@dataclass(frozen=True, kw_only=True)
class _Band:
    """Homes whose account changes by so much."""

    label: str
    homes: int
    percent: int
    drawn: int
    """length of its bar, 1 to 100: the largest band is 100"""
    pays: bool


@dataclass(frozen=True, kw_only=True)
class _Item:
    """One correction and where it stands: `waiting`, `running`, `posted` or `refused`."""

    row: TariffCorrection
    state: str
    total_micro: int
    bands: tuple[_Band, ...]
    done: int
    of: int
    confirmed_by: str
    refusal: str


@login_required
@require_http_methods(["GET", "POST"])
def corrections(request: HttpRequest, slug: str) -> HttpResponse:
    """All corrections of a book; POST confirms one: parse, one flow, back to the list."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    wrong, status = "", 200
    if request.method == "POST":
        asked = request.POST.get("correction", "")
        row = (
            TariffCorrection.objects.filter(book=book, pk=int(asked)).first()
            if asked.isascii() and asked.isdecimal() and len(asked) < 18
            else None
        )
        try:
            if row is None:
                raise CannotConfirm("There is no such correction in this book; nothing moved.")
            confirm_tariff_correction(
                correction_id=row.pk, user=user, note=request.POST.get("note", ""), now_us=access.now_us()
            )
            return redirect("console:corrections", slug=slug)
        except CannotConfirm as error:
            wrong, status = said(error), 422
    context = {
        "book": book,
        "items": _items(book),
        "currency": book.currency,
        "zone": book.zone,
        "now_us": access.now_us(),
        "may_confirm": user.role == Role.ADMIN,
        "person": user.username,
        "wrong": wrong,
    }
    response = render(request, "console/corrections.html", context, status=status)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _items(book: Book) -> list[_Item]:
    rows = list(TariffCorrection.objects.filter(book=book).select_related("plan").order_by("-pk")[:30])
    with seeing(scope=scope_of_book(book=book)):
        facts = {
            fact.natural_key: fact
            for fact in Fact.objects.filter(
                book=book.pk,
                kind="tariff_correction",
                natural_key__in=[f"tariff_correction:{row.pk}" for row in rows],
            )
        }
        return [_item(book, row, facts.get(f"tariff_correction:{row.pk}")) for row in rows]


def _item(book: Book, row: TariffCorrection, fact: Fact | None) -> _Item:
    preview: dict[str, Any] = row.preview
    state = "waiting" if fact is None else "running" if fact.state == "waiting" else fact.state
    done = Rerating.objects.filter(book=book.pk, fact=fact.pk).count() if fact else 0
    many = max(1, preview["registers"])
    counts = list(preview["bands"])
    return _Item(
        row=row,
        state=state,
        total_micro=preview["energy_micro"] + preview["standing_micro"] + preview["tax_micro"],
        bands=tuple(
            _Band(
                label=label,
                homes=homes,
                percent=homes * 100 // many,
                drawn=max(1, homes * 100 // max(counts)),
                pays=place > BANDS_MICRO.index(0),
            )
            for place, (label, homes) in enumerate(zip(_labels(book.currency), counts, strict=True))
            if homes
        ),
        done=done,
        of=Installation.objects.filter(plan=row.plan, closed_us__isnull=True).count(),
        confirmed_by=_name(book, fact.payload.get("confirmed_by")) if fact else "",
        refusal=_refusal(fact) if fact and fact.state == "refused" else "",
    )


def _refusal(fact: Fact) -> str:
    """Why the poster did not post it, in the reader's words."""
    result = fact.result or {}
    return str(CORRECTION_REFUSALS.get(result.get("code", ""), result.get("detail", "")))


def _name(book: Book, person: Any) -> str:
    """A colleague's name by number; nothing where a fact names nobody."""
    if type(person) is not int or not 0 < person < 1 << 63:
        return ""
    known = User.objects.filter(pk=person, organisation=book.organisation_id).values_list(
        "username", flat=True
    )
    return str(known.first() or "")


def _labels(currency: str) -> list[str]:
    """Each band in words: from one bound to the next, and beyond the ends."""
    shown = [text.money(micro=bound, currency=currency, places=0) for bound in BANDS_MICRO]
    first = gettext("up to %(high)s") % {"high": shown[0]}
    middle = [gettext("%(low)s to %(high)s") % {"low": low, "high": high} for low, high in pairwise(shown)]
    return [first, *middle, gettext("above %(low)s") % {"low": shown[-1]}]
