"""Alarms at the desk: what meters told, who has seen it, and letting power return after a protective cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.alarms.model import AlarmCode
from fairwatt.core.alarms.provision import at_wires
from fairwatt.core.metering.transformer import DIRECT, Transformer
from fairwatt.flows.alarm_desk import release_safety, see_alarm
from fairwatt.flows.desk import DeskRefused, NotAllowed
from fairwatt.store import alarms as stored
from fairwatt.store.models import Book, Installation, Meter, RegisterHead, User
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.darkness import SILENT_AFTER_US, answer
from fairwatt.web.design import alarm_words
from fairwatt.web.design.refusals import said

PAGE: Final = 50
STATES: Final = (
    ("open", pgettext_lazy("an alarm", "Open")),
    ("unseen", gettext_lazy("Not seen yet")),
    ("closed", gettext_lazy("Over")),
    ("all", gettext_lazy("All")),
)


@dataclass(frozen=True, kw_only=True)
class AlarmItem:
    """One alarm with its words and its place."""

    row: stored.AlarmRow
    title: str
    step: str
    severity: str
    severity_words: str
    measured: str
    home: str
    meter_id: int | None
    seen_by: str


@dataclass(frozen=True, kw_only=True)
class HeldItem:
    """One relay that safety keeps open."""

    row: stored.HoldRow
    title: str
    step: str
    home: str
    meter_id: int | None


@login_required
@require_GET
def alarms(request: HttpRequest, slug: str) -> HttpResponse:
    """What meters told, newest first; relays that safety keeps open stand above."""
    return _page(request, access.desk_book(user=access.person(request), slug=slug))


@login_required
@require_POST
def alarm_seen(request: HttpRequest, slug: str, event_id: int) -> HttpResponse:
    """Write down that this person has seen an alarm."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    try:
        see_alarm(book_id=book.pk, event_id=event_id, user_id=user.pk, now_us=access.now_us())
    except NotAllowed as refusal:
        return _page(request, book, refusal=said(refusal), status=403)
    except DeskRefused as refusal:
        raise Http404 from refusal
    return redirect(_back(request, book))


@login_required
@require_POST
def safety_release(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Let power return after a protective cut."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    if not Meter.objects.filter(pk=meter_id, gateway__site__book=book).exists():
        raise Http404
    try:
        release_safety(
            book_id=book.pk,
            meter_id=meter_id,
            words=request.POST.get("words", ""),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except DeskRefused as refusal:
        return _page(
            request, book, refusal=said(refusal), status=403 if isinstance(refusal, NotAllowed) else 422
        )
    messages.success(
        request, gettext("The gateway is told. It closes the switch when it measures no danger any more.")
    )
    return redirect("console:alarms", slug=book.slug)


def items_of(*, book: Book, rows: list[stored.AlarmRow]) -> list[AlarmItem]:
    """Alarms with the names of their homes and of the people who saw them."""
    homes = _homes(book)
    people = {
        user.pk: user.get_username() for user in User.objects.filter(pk__in={row.seen_by for row in rows})
    }
    return [
        AlarmItem(
            row=row,
            title=alarm_words.title(row.code),
            step=alarm_words.step(row.code),
            severity=str(row.evidence.get("severity", "")),
            severity_words=alarm_words.severity(str(row.evidence.get("severity", ""))),
            measured=alarm_words.measured(at_wires(row.code, row.evidence, home.transformer)),
            home=home.label,
            meter_id=home.meter,
            seen_by=people.get(row.seen_by or 0, ""),
        )
        for row in rows
        for home in [homes.get((row.gateway, row.meter), NOBODYS)]
    ]


def held_of(*, book: Book, rows: list[stored.HoldRow]) -> list[HeldItem]:
    """Relays that safety keeps open, with the names of their homes."""
    homes = _homes(book)
    made = []
    for row in rows:
        home, meter_id, _ = homes.get((row.gateway, row.meter), NOBODYS)
        words = (alarm_words.title(row.code), alarm_words.step(row.code))
        made.append(HeldItem(row=row, title=words[0], step=words[1], home=home, meter_id=meter_id))
    return made


def of_meter(*, book: Book, meter: Meter) -> dict[str, Any]:
    """What a meter's page shows: open alarms, a relay kept open, and why its home is dark if it is."""
    place = (meter.gateway_id, meter.number)
    with seeing(scope=scope_of_book(book=book)):
        rows = stored.alarms(book=book.pk, meter=place, state="open", limit=PAGE)
        holds = [hold for hold in stored.holds(book=book.pk) if (hold.gateway, hold.meter) == place]
        found: dict[str, Any] = {
            "open_alarms": items_of(book=book, rows=rows),
            "held": held_of(book=book, rows=holds),
        }
        home = (
            Installation.objects.select_related("wallet__book")
            .filter(meter=meter, closed_us__isnull=True)
            .first()
        )
        head = RegisterHead.objects.filter(installation=home.pk).first() if home else None
    now_us = access.now_us()
    silent = head is not None and now_us - head.at_us > SILENT_AFTER_US
    if home is not None and head is not None and (head.relay == 0 or silent) and not found["held"]:
        found["dark"] = answer(wallet=home.wallet, now_us=now_us, said_dark=False)
    return found


def _page(request: HttpRequest, book: Book, *, refusal: str = "", status: int = 200) -> HttpResponse:
    asked = request.GET.get("state", "open")
    state = asked if asked in dict(STATES) else "open"
    code = request.GET.get("code", "")
    code = code if code in set(AlarmCode) else ""
    before = request.GET.get("before", "")
    with seeing(scope=scope_of_book(book=book)):
        rows = stored.alarms(
            book=book.pk,
            code=code,
            state="" if state == "all" else state,
            before=int(before) if before.isascii() and before.isdecimal() and len(before) < 18 else None,
            limit=PAGE + 1,
        )
        holds = stored.holds(book=book.pk)
        context: dict[str, Any] = {
            **frame(book=book),
            "items": items_of(book=book, rows=rows[:PAGE]),
            "held": held_of(book=book, rows=holds),
        }
    context |= {
        "state": state,
        "code": code,
        "states": STATES,
        "codes": sorted(((one.value, alarm_words.title(one)) for one in AlarmCode), key=lambda one: one[1]),
        "more": rows[PAGE - 1].event if len(rows) > PAGE else None,
        "refusal": refusal,
        "may_write": access.may_act(user=access.person(request)),
    }
    return private(render(request, "console/alarms.html", context, status=status))


class _Home(NamedTuple):
    """Whose meter it is, and the transformers in front of it."""

    label: str
    meter: int | None
    transformer: Transformer


NOBODYS: Final = _Home("", None, DIRECT)


def _homes(book: Book) -> dict[tuple[int, int], _Home]:
    """Every meter of the book by gateway and number; one that feeds no home now keeps its page."""
    found = {
        (gateway, number): _Home("", pk, DIRECT)
        for gateway, number, pk in Meter.objects.filter(gateway__site__book=book).values_list(
            "gateway_id", "number", "pk"
        )
    }
    rows = Installation.objects.filter(wallet__book=book, closed_us__isnull=True).select_related(
        "meter", "unit"
    )
    for row in rows:
        place = row.meter.gateway_id, row.meter.number
        found[place] = _Home(row.unit.label, row.meter_id, Transformer(*row.transformer))
    return found


def _back(request: HttpRequest, book: Book) -> str:
    """The list as it was filtered."""
    state, code = request.POST.get("state", ""), request.POST.get("code", "")
    query = [f"{name}={value}" for name, value in (("state", state), ("code", code)) if value.isidentifier()]
    return reverse("console:alarms", args=[book.slug]) + ("?" + "&".join(query) if query else "")
