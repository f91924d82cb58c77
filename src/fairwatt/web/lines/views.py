"""Why a line is what it is: parse, explain, render. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET

from fairwatt.core.spans import local_date
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.flows.explaining.ids import LineId, NotALineId, parse_line_id
from fairwatt.flows.explaining.line import NoSuchLine, explain_line
from fairwatt.flows.explaining.replay import Replay, replay_wallet
from fairwatt.store.models import Book, User, Wallet
from fairwatt.web import access
from fairwatt.web.access import Scope, seeing
from fairwatt.web.design import arithmetic, sentences
from fairwatt.web.near import about_us


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What this person may see of the line: the wallet it belongs to; for staff its book."""

    wallet: Wallet
    scope: Scope
    book: Book | None


@login_required
@require_GET
def line(request: HttpRequest, line_id: str) -> HttpResponse:
    """One line in one sentence, its arithmetic, and what it comes to when it is worked out again now."""
    try:
        asked = parse_line_id(line_id)
    except NotALineId as error:
        raise Http404 from error
    seen = _seen(access.person(request), asked)
    replayed: Replay | None = None
    with seeing(scope=seen.scope):
        try:
            account = explain_line(line_id=asked, about_us=about_us(request))
        except NoSuchLine as error:
            raise Http404 from error
        if seen.book is not None and "replay" in request.GET:
            replayed = replay_wallet(book=asked.book, wallet=asked.wallet)
    response = render(request, "lines/line.html", _context(seen, account, replayed))
    patch_cache_control(response, private=True, no_store=True)
    return response


def _context(seen: _Seen, account: LineAccount, replayed: Replay | None) -> dict[str, object]:
    asked, us = account.id, account.line.ts_us
    return {
        "frame": "console/base.html" if seen.book else "base.html",
        "book": seen.book,
        "wallet": seen.wallet,
        "account": account,
        "line": account.line,
        "zone": account.zone,
        "currency": account.currency,
        "name": sentences.name(account=account),
        "sentence": sentences.sentence(account=account),
        "steps": arithmetic.steps(account=account),
        "replayed": replayed,
        "day": local_date(zone=account.zone, at_us=us - 1),
        "before": LineId(asked.book, asked.wallet, asked.seq - 1) if asked.seq > 1 else None,
    }


def _seen(user: User, asked: LineId) -> _Seen:
    """Find out whether the line is this person's to see; Http404 when it is not."""
    for book in access.desk_books(user=user).filter(pk=asked.book):
        wallet = (
            Wallet.objects.filter(pk=asked.wallet, book=book).select_related("unit__site", "book").first()
        )
        if wallet is not None:
            return _Seen(wallet=wallet, scope=access.scope_of_book(book=book), book=book)
    mine = access.wallets_of(user=user, at_us=access.now_us())
    wallet = mine.filter(pk=asked.wallet, book=asked.book).first()
    if wallet is None:
        raise Http404
    return _Seen(wallet=wallet, scope=access.scope_of_wallet(wallet=wallet), book=None)
