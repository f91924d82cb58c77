"""What meters are to be like and what they are; wishes for many; cuts that wait for an administrator."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.flows.answer_mass_cut import answer_mass_cut, held_cuts
from fairwatt.flows.ask_push import start_push, step_push
from fairwatt.flows.desk import DeskRefused, NotAllowed
from fairwatt.store import pushes
from fairwatt.store.models import Book, Installation, Meter, Outbox, Role
from fairwatt.web import access
from fairwatt.web.console import quality_queries as queries
from fairwatt.web.console.frame import frame, private
from fairwatt.web.design import wish_words as words


@login_required
@require_GET
def orders(request: HttpRequest, slug: str) -> HttpResponse:
    """Wishes of the book and how far they have got."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _list(request, book)


@login_required
@require_POST
def answer_held(request: HttpRequest, slug: str) -> HttpResponse:
    """Say whether cuts that were held back are meant."""
    book = access.clerk_book(user=access.person(request), slug=slug)
    since = request.POST.get("since_us", "")
    try:
        answer_mass_cut(
            book_id=book.pk,
            since_us=int(since) if since.isascii() and since.isdecimal() and len(since) < 18 else 0,
            allow=request.POST.get("allow") == "yes",
            words=request.POST.get("words", ""),
            user_id=access.person(request).pk,
            now_us=access.now_us(),
        )
    except DeskRefused as refusal:
        return _list(request, book, refusal=refusal)
    messages.success(request, gettext("Your answer is written down and on its way."))
    return redirect("console:orders", slug=book.slug)


@login_required
@require_POST
def step(request: HttpRequest, slug: str, push_id: int) -> HttpResponse:
    """Pause, resume, stop or approve a push."""
    book = access.clerk_book(user=access.person(request), slug=slug)
    try:
        step_push(
            book_id=book.pk,
            push_id=push_id,
            step=request.POST.get("step", ""),
            words=request.POST.get("words", ""),
            user_id=access.person(request).pk,
            now_us=access.now_us(),
        )
    except DeskRefused as refusal:
        return _list(request, book, refusal=refusal)
    return redirect("console:orders", slug=book.slug)


@login_required
@require_GET
def meter_orders(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """One meter: what is wished, what it reports, and everything that was ordered."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _meter_page(request, book, _meter(book, meter_id))


@login_required
@require_POST
def limit_meter(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Wish a power limit, or none, for one meter."""
    book = access.clerk_book(user=access.person(request), slug=slug)
    meter = _meter(book, meter_id)
    said = request.POST.get("limit_w", "").strip()
    watts = int(said) if said.isascii() and said.isdecimal() and len(said) < 9 else (None if not said else -1)
    try:
        start_push(
            book_id=book.pk,
            kind="limit_power",
            wish={"limit_w": watts},
            words=request.POST.get("words", ""),
            user_id=access.person(request).pk,
            now_us=access.now_us(),
            meters=[meter.number],
            canary_pm=0,
        )
    except DeskRefused as refusal:
        return _meter_page(request, book, meter, refusal=refusal)
    messages.success(request, gettext("The wish is written down; the meter proves it by what it shows."))
    return redirect("console:meter_orders", slug=book.slug, meter_id=meter.pk)


def _list(request: HttpRequest, book: Book, *, refusal: DeskRefused | None = None) -> HttpResponse:
    person = access.person(request)
    with access.seeing(scope=access.scope_of_book(book=book)):
        found = pushes.pushes(book=book.pk, limit=30)
        rows = [_row(push) for push in found]
        held = held_cuts(book=book.pk)
    context = {
        **frame(book=book),
        "rows": rows,
        "held": held,
        "refusal": refusal,
        "may_write": access.may_act(user=person),
        "may_approve": person.role == Role.ADMIN,
    }
    status = 200 if refusal is None else 403 if isinstance(refusal, NotAllowed) else 422
    return private(render(request, "console/orders.html", context, status=status))


def _row(push: pushes.Push) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for target in pushes.targets(push=push):
        counts[target.state] = counts.get(target.state, 0) + 1
    first = -(-push.targets * push.canary_pm // 1000)
    proven, bad = counts.get("proven", 0), counts.get("failed", 0) + counts.get("expired", 0)
    return {
        "push": push,
        "kind": words.wish_kind(push.kind),
        "wish": words.wish(kind=push.kind, wish=push.wish),
        "state": words.push_state(push.state),
        "proven": proven,
        "bad": bad,
        "open": counts.get("queued", 0) + counts.get("accepted", 0),
        "canaries": first if first < push.targets else 0,
    }


def _meter_page(
    request: HttpRequest, book: Book, meter: Meter, *, refusal: DeskRefused | None = None
) -> HttpResponse:
    home = Installation.objects.filter(meter=meter, closed_us__isnull=True).select_related("unit").first()
    with access.seeing(scope=access.scope_of_book(book=book)):
        made = pushes.orders_of_meter(book=book.pk, gateway=meter.gateway_id, meter=meter.number)
        made += pushes.orders_of_meter(book=book.pk, gateway=meter.gateway_id, meter=0)
        supply = list(
            Outbox.objects.filter(book=book.pk, gateway=meter.gateway_id, meter=meter.number).order_by("-id")[
                :20
            ]
        )
    slots: dict[str, dict[str, Any]] = {}
    for order in made:
        order["kind_words"] = words.wish_kind(order["kind"])
        order["wish_words"] = words.wish(kind=order["kind"], wish=order["wish"])
        order["reported_words"] = words.reported(kind=order["kind"], reported=order["reported"])
        order["state_words"] = words.order_state(order["state"])
        slots.setdefault(order["kind"], order)
    context = {
        **frame(book=book),
        "meter": meter,
        "home": home.unit.label if home else "–",
        "slots": list(slots.values()),
        "history": made,
        "supply": [(row, words.relay_order(row.relay), words.order_state(row.state)) for row in supply],
        "refusal": refusal,
        "may_write": access.may_act(user=access.person(request)),
    }
    status = 200 if refusal is None else 403 if isinstance(refusal, NotAllowed) else 422
    return private(render(request, "console/meter_orders.html", context, status=status))


def _meter(book: Book, meter_id: int) -> Meter:
    found = queries.find_meter(book=book, meter_id=meter_id)
    if found is None:
        raise Http404
    return found
