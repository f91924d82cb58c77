"""Messages at the desk: what went out, what failed and why, whom staff has to call, and a notice for the door."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages as flash
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.account_numbers import account_number, in_groups
from fairwatt.core.notices.model import Channel, State
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.borrow import credit_desk
from fairwatt.flows.desk import DeskRefused
from fairwatt.flows.notifying.desk import ANSWERS, answer_escalation, send_again
from fairwatt.flows.notifying.reaching import masked
from fairwatt.reports.door_notice import DoorNotice, set_notice
from fairwatt.store import contacts, escalations, notices
from fairwatt.store import messages as stored
from fairwatt.store.models import Book, Unit, User, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import clerk, frame, private
from fairwatt.web.design import format as text
from fairwatt.web.design import message_words as words
from fairwatt.web.design.refusals import said

PAGE: Final = 50
COUNTED_US: Final = 7 * US_PER_DAY
CALLS: Final = 100


@login_required
@require_GET
def outbox(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything that was to be told, by state, channel and step; first whom to call."""
    user = access.person(request)
    return _page(request, access.desk_book(user=user, slug=slug), user)


@login_required
@require_POST
def again(request: HttpRequest, slug: str, message_id: int) -> HttpResponse:
    """The same words to the same address once more."""
    user, book = clerk(request, slug)
    try:
        send_again(book_id=book.pk, message_id=message_id, user_id=user.pk, now_us=access.now_us())
    except Refusal as refused:
        return _page(request, book, user, error=said(refused), status=422)
    flash.success(request, gettext("Asked for. It goes out within seconds."))
    return redirect("console:messages", slug=slug)


@login_required
@require_POST
def call(request: HttpRequest, slug: str, call_id: int) -> HttpResponse:
    """What came of a call."""
    user, book = clerk(request, slug)
    try:
        answer_escalation(
            book_id=book.pk,
            number=call_id,
            answer=request.POST.get("answer", ""),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except DeskRefused as refused:
        return _page(request, book, user, error=said(refused), status=422)
    flash.success(request, gettext("Noted."))
    return redirect("console:messages", slug=slug)


@login_required
@require_GET
def door_notice(request: HttpRequest, slug: str, unit_id: int) -> HttpResponse:
    """A page for the door of a home that no message reaches."""
    book = access.desk_book(user=access.person(request), slug=slug)
    wallet = (
        Wallet.objects.select_related("book__organisation", "unit__site")
        .filter(unit_id=unit_id, book=book, installation__closed_us__isnull=True)
        .order_by("-pk")
        .first()
    )
    if wallet is None or not Unit.objects.filter(pk=unit_id, site__book=book).exists():
        raise Http404
    now_us = access.now_us()
    with seeing(scope=scope_of_book(book=book)):
        desk = credit_desk(wallet=wallet, now_us=now_us)
    least = desk.least_minor * desk.minor_micro
    site = wallet.unit.site
    chinese = (get_language() or "en").startswith("zh")
    notice = DoorNotice(
        organisation=book.organisation.name,
        place=f"{site.name_zh if chinese and site.name_zh else site.name}, {wallet.unit.label}",
        balance=text.money(micro=desk.available_micro, currency=book.currency),
        least=text.money(micro=least, currency=book.currency) if least else "",
        number=in_groups(number=account_number(wallet=wallet.pk)),
        made=f"{text.day(at_us=now_us, zone=book.zone)} {text.clock(at_us=now_us, zone=book.zone)}",
        url=request.build_absolute_uri(reverse("tenant:home", args=[wallet.public_id])),
        at_us=now_us,
    )
    response = HttpResponse(set_notice(said=notice), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="notice-{wallet.unit.label}.pdf"'
    return private(response)


def _page(
    request: HttpRequest, book: Book, user: User, *, error: str = "", status: int = 200
) -> HttpResponse:
    state, channel = (request.GET.get(name, "") for name in ("state", "channel"))
    state, channel = state if state in set(State) else "", channel if channel in set(Channel) else ""
    before = request.GET.get("before", "")
    now_us = access.now_us()
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        found = stored.written(
            cursor=cursor,
            book=book.pk,
            state=state,
            channel=channel,
            before=int(before) if before.isdecimal() and len(before) < 19 else None,
            limit=PAGE + 1,
        )
        attempts = stored.steps_of(cursor=cursor, numbers=[one.id for one in found])
        counts = stored.state_counts(cursor=cursor, book=book.pk, since_us=now_us - COUNTED_US)
        calls = escalations.escalations(cursor=cursor, book=book.pk, open_only=True, limit=CALLS)
        lines = contacts.lines_of(cursor=cursor, organisation=book.organisation_id)
    homes = _homes({one.wallet for one in found if one.wallet is not None} | {one.wallet for one in calls})
    context = {
        **frame(book=book),
        "error": error,
        "may_act": access.may_act(user=user),
        "rows": [_shown(one, homes, attempts.get(one.id, [])) for one in found[:PAGE]],
        "older": found[PAGE - 1].id if len(found) > PAGE else None,
        "counts": [(one, words.STATES[one], counts.get(one, 0)) for one in State],
        "state": state,
        "channel": channel,
        "channels": list(words.CHANNELS.items()),
        "calls": [
            (one, homes.get(one.wallet), words.BECAUSE[one.because], words.STEPS[one.step]) for one in calls
        ],
        "answers": [(one, words.ANSWERS[one]) for one in ANSWERS],
        "lines": [
            (one, words.CHANNELS[one.channel], one.resting_until_us > now_us, words.reason(one.trouble))
            for one in lines
        ],
    }
    return private(render(request, "console/messages.html", context, status=status))


def _homes(wallets: set[int]) -> dict[int, Wallet]:
    found = Wallet.objects.select_related("unit").filter(pk__in=wallets)
    return {one.pk: one for one in found}


def _shown(
    one: notices.Row, homes: dict[int, Wallet], attempts: list[tuple[str, str, str, int]]
) -> dict[str, Any]:
    """A message for staff: an address is shown as far as one needs to know it again, a code not at all."""
    secret = one.step == "code"
    return {
        "row": one,
        "home": homes[one.wallet].unit.label if one.wallet in homes else "",
        "unit_id": homes[one.wallet].unit_id if one.wallet in homes else None,
        "step": words.STEPS.get(one.step, one.step),
        "channel": words.CHANNELS[one.channel],
        "state": words.STATES[one.state],
        "why": words.reason(one.reason)
        if one.reason and one.state in (State.FAILED, State.SUPPRESSED)
        else "",
        "to": one.address
        if one.channel == Channel.STAFF
        else ""
        if one.channel == Channel.PUSH
        else masked(one.address),
        "body": "" if secret else one.body,
        "attempts": [(words.ATTEMPTS[step], words.reason(code), at_us) for step, code, _, at_us in attempts],
        "again": not secret and one.state != State.QUEUED,
    }
