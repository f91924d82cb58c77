"""Booths and short lets: who is there today and this week, what is empty, what ends; a new one in one form."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from fairwatt.core.credit.contract import hours_text
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import local_day_start
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.flows.change_let import cancel_let, end_let, mark_circuit
from fairwatt.flows.let_batch import COLUMNS, look_at, plan_all, read_rows
from fairwatt.flows.plan_let import LetAsked, look_at_let, plan_let
from fairwatt.flows.sheets import BYTES_MAX
from fairwatt.store import lets as store
from fairwatt.store.lets import Let
from fairwatt.store.models import Book, Installation, Meter, TariffPlan, Unit, WalletHead
from fairwatt.web import access
from fairwatt.web.console.frame import clerk, frame, private
from fairwatt.web.console.queries import happenings
from fairwatt.web.console.typed import instant, local, number, sent_file, ticket
from fairwatt.web.console.views import as_told
from fairwatt.web.design import let_words
from fairwatt.web.design.refusals import said

WEEK_DAYS: Final = 7
BOARD_WIDTH: Final = 700
SOON_US: Final = US_PER_DAY
EVENTS_MAX: Final = 20


@dataclass(frozen=True, kw_only=True)
class Row:
    """A let as the list shows it."""

    let: Let
    label: str
    state: str
    why: str
    balance_micro: int | None

    @property
    def state_words(self) -> Any:
        """The state, in words."""
        return let_words.STATES[self.state]


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A unit on the board of the week: its lets as bars."""

    unit: int
    label: str
    bars: list[tuple[Row, int, int]]
    """(let, left edge, width) in units of the board"""


@login_required
@require_http_methods(["GET", "POST"])
def lets(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything that is let, and a form for one more: parse, one flow, render."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    now_us = access.now_us()
    typed = request.POST if request.method == "POST" else request.GET
    context: dict[str, Any] = {}
    if request.method == "POST":
        try:
            asked = _asked(typed, book, now_us)
            if not typed.get("look"):
                named = ticket(typed.get("ticket", ""))
                made = plan_let(book_id=book.pk, asked=asked, ticket=named, user_id=user.pk, now_us=now_us)
                return redirect(reverse("console:let", args=[book.slug, made]))
            context["seen"] = look_at_let(book=book, asked=asked, now_us=now_us)
        except Refusal as refused:
            context["error"] = said(refused)
    context |= {
        **frame(book=book),
        **_board(book, now_us),
        "plans": TariffPlan.objects.filter(book=book).order_by("name"),
        "typed": typed,
        "chosen": number(typed.get("unit", "")),
        "from": typed.get("from") or local(now_us, zone=book.zone),
        "to": typed.get("to") or local(_tonight(book, now_us), zone=book.zone),
        "ticket": typed.get("ticket") or os.urandom(10).hex(),
        "may_act": access.may_act(user=user),
        "circuits": let_words.CIRCUITS,
    }
    return private(render(request, "console/lets.html", context, status=422 if context.get("error") else 200))


@login_required
@require_http_methods(["GET"])
def let(request: HttpRequest, slug: str, let_id: int) -> HttpResponse:
    """One let: what was agreed, where it stands, what happened; another end, or taking it back."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    return private(_let_page(request, book, let_id))


@login_required
@require_POST
def let_word(request: HttpRequest, slug: str, let_id: int) -> HttpResponse:
    """Agree on another end, or take a let back."""
    user, book = clerk(request, slug)
    about: dict[str, Any] = {
        "book_id": book.pk,
        "let_id": let_id,
        "words": request.POST.get("words", ""),
        "user_id": user.pk,
        "now_us": access.now_us(),
    }
    try:
        if request.POST.get("cancel"):
            cancel_let(**about)
        else:
            end_let(until_us=instant(request.POST.get("to", ""), zone=book.zone), **about)
    except Refusal as refused:
        return private(_let_page(request, book, let_id, error=said(refused)))
    return redirect(reverse("console:let", args=[book.slug, let_id]))


@login_required
@require_http_methods(["GET", "POST"])
def lets_many(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose a file, look at its rows, write all of them down."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
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
                named = ticket(request.POST.get("ticket", ""))
                plan_all(book_id=book.pk, rows=rows, ticket=named, user_id=user.pk, now_us=access.now_us())
                return redirect(reverse("console:lets", args=[book.slug]))
            looked = look_at(book=book, rows=rows, now_us=access.now_us())
            context |= {
                "name": name,
                "looked": [(row, said(row.error) if row.error else "") for row in looked],
                "wrong": sum(row.error is not None for row in looked),
                "fixed_micro": sum(row.seen.fixed_micro for row in looked if row.seen),
                "file": base64.b64encode(data).decode(),
            }
        except Refusal as refused:
            context["error"] = said(refused)
    return private(
        render(request, "console/lets_many.html", context, status=422 if context.get("error") else 200)
    )


@login_required
@require_POST
def circuit(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Note what hangs on a meter."""
    user, book = clerk(request, slug)
    found = Meter.objects.filter(pk=meter_id, gateway__site__book=book).first()
    if found is None:
        raise Http404
    home = Installation.objects.filter(meter=found, closed_us__isnull=True).first()
    try:
        mark_circuit(
            book_id=book.pk,
            meter_id=found.pk,
            circuit=request.POST.get("circuit", ""),
            words=request.POST.get("words", ""),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        context = {**frame(book=book), "error": said(refused), "meter": found, "home": home}
        return private(render(request, "console/circuit.html", context, status=422))
    return redirect(f"{reverse('console:lets', args=[book.slug])}#spared")


# --- what the pages show ------------------------------------------------------------------------------------


def _board(book: Book, now_us: int) -> dict[str, Any]:
    today_us = local_day_start(zone=book.zone, at_us=now_us)
    units = list(Unit.objects.filter(site__book=book).select_related("site").order_by("label"))
    with access.seeing(scope=access.scope_of_book(book=book)):
        rows = _rows(book, {unit.pk: unit.label for unit in units}, now_us, since_us=today_us - US_PER_DAY)
        at_work = set(
            Installation.objects.filter(wallet__book=book, closed_us__isnull=True).values_list(
                "unit", flat=True
            )
        )
        spared = store.spared_circuits(book=book.pk)
    taken = {row.let.unit for row in rows if row.let.wallet is not None and row.let.closed_us is None}
    open_rows = [row for row in rows if row.let.is_open]
    week = [today_us + n * US_PER_DAY for n in range(WEEK_DAYS)]
    meters = Meter.objects.filter(gateway__site__book=book, number__in=[number for _, number in spared])
    return {
        "today": [
            row
            for row in rows
            if row.let.cancelled_us is None
            and row.let.begin_us < today_us + US_PER_DAY
            and (row.let.closed_us or row.let.until_us(now_us=now_us)) >= today_us
            and row.state != "missed"
        ],
        "week": week,
        "lanes": _lanes(open_rows, today_us, now_us),
        "now_x": (now_us - today_us) * BOARD_WIDTH // (WEEK_DAYS * US_PER_DAY),
        "ending": [row for row in open_rows if row.let.wallet and row.let.end_us <= now_us + SOON_US],
        "running": len(taken),
        "coming": sum(row.let.wallet is None and row.state == "planned" for row in open_rows),
        "units": [unit for unit in units if unit.pk in at_work],
        "empty": [unit for unit in units if unit.vacant and unit.pk in at_work],
        "spared": [
            (meter, let_words.CIRCUITS[spared[meter.gateway_id, meter.number]])
            for meter in meters.order_by("number")
            if (meter.gateway_id, meter.number) in spared
        ],
    }


def _rows(book: Book, labels: dict[int, str], now_us: int, *, since_us: int) -> list[Row]:
    with connection.cursor() as cursor:
        found = store.lets_of_book(cursor=cursor, book=book.pk, since_us=since_us)
        refused = store.refusals(cursor=cursor, book=book.pk, since_us=now_us - US_PER_HOUR)
    heads = dict(
        WalletHead.objects.filter(wallet__in=[one.wallet for one in found if one.wallet]).values_list(
            "wallet", "balance_micro"
        )
    )
    return [
        Row(
            let=one,
            label=labels.get(one.unit, ""),
            state=_state(one, now_us, one.let in refused),
            why=str(let_words.REFUSALS.get(refused.get(one.let, ""), "")),
            balance_micro=heads.get(one.wallet) if one.wallet else None,
        )
        for one in found
    ]


def _state(one: Let, now_us: int, refused: bool) -> str:
    if one.cancelled_us is not None:
        return "cancelled"
    if one.closed_us is not None:
        return "over"
    if one.wallet is None:
        if one.end_us <= now_us:
            return "missed"
        return "late" if refused and one.begin_us <= now_us else "planned"
    if one.end_us <= now_us:
        return "still_on"
    return "running" if one.warned_us is None else "told"


def _lanes(rows: list[Row], today_us: int, now_us: int) -> list[Lane]:
    span_us = WEEK_DAYS * US_PER_DAY
    lanes: dict[int, Lane] = {}
    for row in rows:
        left_us = max(row.let.begun_us or row.let.begin_us, today_us) - today_us
        right_us = min(row.let.until_us(now_us=now_us), today_us + span_us) - today_us
        if left_us >= span_us or right_us <= 0 or row.state == "missed":
            continue
        left, right = left_us * BOARD_WIDTH // span_us, right_us * BOARD_WIDTH // span_us
        lane = lanes.setdefault(row.let.unit, Lane(unit=row.let.unit, label=row.label, bars=[]))
        lane.bars.append((row, left, max(4, right - left - 2)))
    return sorted(lanes.values(), key=lambda lane: lane.label)


def _let_page(request: HttpRequest, book: Book, let_id: int, *, error: str = "") -> HttpResponse:
    now_us = access.now_us()
    with access.seeing(scope=access.scope_of_book(book=book)), connection.cursor() as cursor:
        one = store.let_of(cursor=cursor, book=book.pk, let=let_id)
        if one is None:
            raise Http404
        unit = Unit.objects.get(pk=one.unit)
        (row,) = [
            row for row in _rows(book, {unit.pk: unit.label}, now_us, since_us=0) if row.let.let == let_id
        ]
        told = happenings(book, limit=EVENTS_MAX, wallet=one.wallet) if one.wallet else ()
    plan = TariffPlan.objects.filter(pk=one.plan).first() if one.plan else None
    context = {
        **frame(book=book),
        "row": row,
        "unit": unit,
        "plan": plan,
        "trading": hours_text(one.trading),
        "happened": as_told(told, book.currency),
        "to": local(one.end_us, zone=book.zone),
        "error": error,
        "may_act": access.may_act(user=access.person(request)),
    }
    return render(request, "console/let.html", context, status=422 if error else 200)


# --- what people type ---------------------------------------------------------------------------------------


def _asked(typed: Any, book: Book, now_us: int) -> LetAsked:
    begin = typed.get("from", "").strip()
    # A field of a page shows whole minutes: untouched, it means now.
    meant = not begin or begin == local(now_us, zone=book.zone)
    return LetAsked(
        unit_id=number(typed.get("unit", "")),
        begin_us=now_us if meant else instant(begin, zone=book.zone),
        end_us=instant(typed.get("to", ""), zone=book.zone),
        merchant=typed.get("merchant", ""),
        users=tuple(name for name in re.split(r"[,\s，、]+", typed.get("users", "").strip()) if name),
        package=typed.get("package", ""),
        trading=typed.get("trading", ""),
        settle="source" if typed.get("settle") == "source" else "window",
        words=typed.get("words", ""),
    )


def _tonight(book: Book, now_us: int) -> int:
    """The next midnight of the book: until then a booth is let unless somebody says otherwise."""
    return local_day_start(zone=book.zone, at_us=now_us + US_PER_DAY)
