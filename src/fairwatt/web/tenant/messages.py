"""What a resident was told, by which ways, and how that is chosen."""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_http_methods, require_POST

from fairwatt.core.notices.model import Channel, State
from fairwatt.core.refusal import Refusal
from fairwatt.flows.notifying import reaching
from fairwatt.flows.notifying.routing import choice_of
from fairwatt.store import contacts
from fairwatt.store import messages as stored
from fairwatt.store.models import User, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.design import message_words as words
from fairwatt.web.design.refusals import said
from fairwatt.web.tenant.views import wallet_of

NEWEST = 20
_CHOSEN = (Channel.PUSH, Channel.WECHAT, Channel.EMAIL, Channel.SMS)


@login_required
@require_http_methods(["GET", "POST"])
def told(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What was told lately, and how a person wants to be told; posted, the choice."""
    wallet = wallet_of(request, public_id)
    if request.method == "POST":
        reaching.choose(
            user=access.person(request),
            language=request.POST.get("language", "")[:10],
            channels=request.POST.getlist("channel"),
            silent=request.POST.getlist("silent"),
            digest=request.POST.get("digest") == "on",
            now_us=access.now_us(),
        )
        messages.success(request, gettext("Noted. What is about your supply is told in any case."))
        return redirect("tenant:messages", public_id=public_id)
    return _page(request, wallet)


@login_required
@require_POST
def address(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """A new telephone or mailbox: a code goes there."""
    wallet = wallet_of(request, public_id)
    typed = request.POST.get("address", "").strip()[:254]
    try:
        number = reaching.give_address(
            wallet=wallet,
            user=access.person(request),
            channel=Channel.EMAIL if "@" in typed else Channel.SMS,
            address=typed,
            digits=f"{secrets.randbelow(1_000_000):06d}",
            ip=request.META.get("REMOTE_ADDR", ""),
            language=get_language() or "en",
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _page(request, wallet, error=said(refused), typed=typed, status=422)
    return redirect(f"{request.path.removesuffix('address/')}#c{number}")


@login_required
@require_POST
def prove(request: HttpRequest, public_id: UUID, contact_id: int) -> HttpResponse:
    """The code that was sent to an address."""
    wallet = wallet_of(request, public_id)
    try:
        reaching.prove_address(
            wallet=wallet,
            user=access.person(request),
            contact_id=contact_id,
            digits=request.POST.get("code", "")[:20],
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _page(request, wallet, error=said(refused), status=422)
    messages.success(request, gettext("Messages go to this address from now on."))
    return redirect("tenant:messages", public_id=public_id)


@login_required
@require_POST
def end(request: HttpRequest, public_id: UUID, contact_id: int) -> HttpResponse:
    """No more messages to an address."""
    wallet = wallet_of(request, public_id)
    try:
        reaching.take_back(user=access.person(request), contact_id=contact_id, now_us=access.now_us())
    except Refusal as refused:
        return _page(request, wallet, error=said(refused), status=422)
    messages.success(request, gettext("No more messages go to this address."))
    return redirect("tenant:messages", public_id=public_id)


@login_required
@require_POST
def browser(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """This browser wants to show messages."""
    wallet = wallet_of(request, public_id)
    try:
        reaching.subscribe_push(
            wallet=wallet,
            user=access.person(request),
            endpoint=request.POST.get("endpoint", ""),
            p256dh=request.POST.get("p256dh", ""),
            auth=request.POST.get("auth", ""),
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _page(request, wallet, error=said(refused), status=422)
    messages.success(request, gettext("This browser shows messages from now on."))
    return redirect("tenant:messages", public_id=public_id)


def _page(
    request: HttpRequest, wallet: Wallet, *, error: str = "", typed: str = "", status: int = 200
) -> HttpResponse:
    person = access.person(request)
    with seeing(scope=scope_of_wallet(wallet=wallet)), connection.cursor() as cursor:
        found = stored.written(
            cursor=cursor, book=wallet.book_id, wallet=wallet.pk, person=person.pk, limit=NEWEST
        )
        lines = contacts.lines_of(cursor=cursor, organisation=wallet.book.organisation_id)
    context = {
        "wallet": wallet,
        "zone": wallet.book.zone,
        "error": error,
        "typed": typed,
        "told": [
            (one, words.STEPS.get(one.step, one.step), words.CHANNELS[one.channel], words.STATES[one.state])
            for one in found
            if one.step != "code" and one.state != State.SUPPRESSED
        ],
        "push_key": next((one.public.get("key", "") for one in lines if one.channel == Channel.PUSH), ""),
        **_reached(person, {one.channel for one in lines}),
    }
    response = render(request, "tenant/messages.html", context, status=status)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _reached(person: User, offered: set[str]) -> dict[str, Any]:
    """The person's addresses and choice, as the form shows them."""
    with transaction.atomic(), connection.cursor() as cursor:
        contacts.see_person(cursor=cursor, person=person.pk)
        mine = contacts.contacts(cursor=cursor, person=person.pk)
        choice = choice_of(contacts.choices(cursor=cursor, persons=[person.pk]).get(person.pk, {}))
    return {
        "contacts": [
            (one, words.CHANNELS[one.channel], "" if one.channel == Channel.PUSH else one.address)
            for one in mine
        ],
        "first_email": person.email
        if person.email and not any(one.channel == Channel.EMAIL and one.proven for one in mine)
        else "",
        "channels": [
            (channel, words.CHANNELS[channel], choice.channels is None or channel in choice.channels)
            for channel in _CHOSEN
            if channel in offered
        ],
        "silents": [(step, words.STEPS[step], step in choice.silent) for step in reaching.MAY_BE_SILENT],
        "choice": choice,
        "waiting": [one for one in mine if not one.proven],
    }
