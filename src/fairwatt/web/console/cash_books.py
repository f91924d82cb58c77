"""Receipts of a book, and what takes two people: payments taken back, transfers from the bank, money claimed."""

from __future__ import annotations

import base64
import os
import secrets
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fairwatt.core.refusal import Refusal
from fairwatt.flows.bank_statement import COLUMNS, enter_all, look_at, read_statement
from fairwatt.flows.cash_desk import find_homes
from fairwatt.flows.desk import NotAllowed
from fairwatt.flows.sheets import BYTES_MAX
from fairwatt.flows.two_people import WAYS, CannotWish, VoidAsked, answer_wish, ask_claim, ask_void
from fairwatt.store.models import Book, Role, User
from fairwatt.store.money_wishes import Wish
from fairwatt.web import access
from fairwatt.web.console.cash_queries import receipts_shown, suspense_shown, wishes_shown
from fairwatt.web.console.frame import clerk, frame, private
from fairwatt.web.console.typed import minor, sent_file
from fairwatt.web.design import cash_words
from fairwatt.web.design.refusals import said

RECEIPTS_SHOWN = 40


@login_required
@require_GET
def receipts(request: HttpRequest, slug: str) -> HttpResponse:
    """The receipts of the book, newest first, by their numbers."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _receipts(request, book)


@login_required
@require_POST
def void_receipt(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Ask to take a payment back."""
    user, book = clerk(request, slug)
    try:
        ask_void(
            book_id=book.pk,
            asked=VoidAsked(
                number=number,
                amount_minor=minor(request.POST.get("amount", ""), digits=book.minor_digits),
                way=request.POST.get("way", ""),
                words=request.POST.get("words", ""),
                ticket=request.POST.get("ticket", ""),
            ),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _receipts(request, book, error=said(refused), status=_status(refused))
    messages.success(request, gettext("It is written down and waits for an administrator who is another."))
    return redirect("console:two_people", slug=book.slug)


@login_required
@require_GET
def two_people(request: HttpRequest, slug: str) -> HttpResponse:
    """What waits for a second person, what was answered, and money that nobody placed."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _two_people(request, book)


@login_required
@require_POST
def answer_money(request: HttpRequest, slug: str, wish_id: int) -> HttpResponse:
    """Agree to a wish, or refuse it."""
    user, book = clerk(request, slug)
    try:
        fact = answer_wish(
            book_id=book.pk,
            wish_id=wish_id,
            step=request.POST.get("step", ""),
            words=request.POST.get("words", ""),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _two_people(request, book, error=said(refused), status=_status(refused))
    if fact is None:
        return redirect("console:two_people", slug=book.slug)
    return redirect("console:cash_done", slug=book.slug, fact=fact)


@login_required
@require_POST
def claim_money(request: HttpRequest, slug: str, of: int) -> HttpResponse:
    """Ask that money in suspense becomes a home's."""
    user, book = clerk(request, slug)
    try:
        found = find_homes(book=book, text=request.POST.get("home", ""), now_us=access.now_us())
        if len(found) != 1:
            raise CannotWish(
                "That names no home, or more than one. Nothing was moved; type its account number."
            )
        ask_claim(
            book_id=book.pk,
            of=of,
            wallet_id=found[0].wallet,
            words=request.POST.get("words", ""),
            user_id=user.pk,
            ticket=request.POST.get("ticket", ""),
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _two_people(request, book, error=said(refused), status=_status(refused))
    messages.success(request, gettext("It is written down and waits for an administrator who is another."))
    return redirect("console:two_people", slug=book.slug)


@login_required
@require_http_methods(["GET", "POST"])
def bank(request: HttpRequest, slug: str) -> HttpResponse:
    """Enter transfers from the bank's statement: looked at row by row, then written down together."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    context: dict[str, Any] = {
        **frame(book=book),
        "columns": COLUMNS,
        "may_act": access.may_act(user=user),
        "ticket": os.urandom(16).hex(),
        "typed": request.POST,
    }
    status = 200
    if request.method == "POST":
        if not access.may_act(user=user):
            raise Http404
        try:
            rows, kept, name = _sent(request)
            if request.POST.get("all"):
                made = enter_all(
                    book_id=book.pk,
                    rows=rows,
                    user_id=user.pk,
                    now_us=access.now_us(),
                    entropy=bytes.fromhex(request.POST.get("ticket", "") or "00" * 16),
                )
                messages.success(
                    request, gettext("Written down, for another person to agree to: %(n)d") % {"n": len(made)}
                )
                return redirect("console:two_people", slug=book.slug)
            looked = look_at(book=book, rows=rows, now_us=access.now_us())
            micro = 10 ** (6 - book.minor_digits)
            context |= {
                "looked": [
                    (row, row.amount_minor * micro, said(row.error) if row.error else "") for row in looked
                ],
                "wrong": sum(row.error is not None for row in looked),
                "nowhere": sum(row.error is None and not row.wallet for row in looked),
                "sum_micro": sum(row.amount_minor for row in looked if row.error is None) * micro,
                "kept": kept,
                "name": name,
            }
        except Refusal as refused:
            context["error"], status = said(refused), 422
        except ValueError:
            raise Http404 from None
    return private(render(request, "console/bank.html", context, status=status))


def _sent(request: HttpRequest) -> tuple[list[dict[str, str]], str, str]:
    """The rows of a file, of the same file looked at before, or of the fields for a single transfer."""
    file = request.FILES.get("file")
    if file is not None and (file.size or 0) > BYTES_MAX:
        raise CannotWish("The file is larger than 2 MB. Nothing was changed; send fewer rows.")
    if file is not None or request.POST.get("kept"):
        name, data = sent_file(request, bytes_max=BYTES_MAX)
    else:
        row = {name: request.POST.get(name, "").strip() for name in COLUMNS}
        text = ",".join('"' + row[name].replace('"', "'").replace("\n", " ") + '"' for name in COLUMNS)
        data, name = f"{','.join(COLUMNS)}\n{text}\n".encode(), gettext("One transfer")
    return read_statement(data=data, name=name), base64.b64encode(data).decode(), name


def _receipts(request: HttpRequest, book: Book, *, error: str = "", status: int = 200) -> HttpResponse:
    below = request.GET.get("below", "")
    shown = receipts_shown(
        book=book, below=int(below) if below.isdecimal() and len(below) < 19 else None, limit=RECEIPTS_SHOWN
    )
    micro = 10 ** (6 - book.minor_digits)
    context = {
        **frame(book=book),
        "receipts": [
            (
                one,
                cash_words.number_of(slug=book.slug, number=one.number),
                home,
                (one.amount_micro - one.void_micro) // micro,
            )
            for one, home in shown
        ],
        "older": shown[-1][0].number if len(shown) == RECEIPTS_SHOWN and shown[-1][0].number > 1 else 0,
        "ways": [(way, cash_words.WAYS[way]) for way in WAYS],
        "by_hand": ("cash", "terminal", "transfer"),
        "may_act": access.may_act(user=access.person(request)),
        "ticket": secrets.token_hex(16),
        "error": error,
    }
    return private(render(request, "console/receipts.html", context, status=status))


def _two_people(request: HttpRequest, book: Book, *, error: str = "", status: int = 200) -> HttpResponse:
    user = access.person(request)
    context = {
        **frame(book=book),
        "waiting": [
            (
                one,
                str(cash_words.WISHES[one.wish.kind]),
                _way(one.wish),
                _answers(user, one.wish.author),
            )
            for one in wishes_shown(book=book, waiting=True)
        ],
        "answered": [
            (one, str(cash_words.WISHES[one.wish.kind]), _way(one.wish))
            for one in wishes_shown(book=book, waiting=False)[:20]
        ],
        "suspense": suspense_shown(book=book),
        "may_act": access.may_act(user=user),
        "ticket": secrets.token_hex(16),
        "error": error,
    }
    return private(render(request, "console/two_people.html", context, status=status))


def _way(wish: Wish) -> str:
    way = cash_words.WAYS.get(str(wish.details.get("way", "declared" if wish.kind == "deposit" else "")))
    return "" if way is None else str(way)


def _answers(user: User, author: int) -> list[str]:
    """The answers that this person may give to somebody's wish."""
    if user.role == Role.ADMIN:
        return ["refuse"] if author == user.pk else ["approve", "refuse"]
    return ["refuse"] if author == user.pk else []


def _status(refused: Refusal) -> int:
    return 403 if isinstance(refused, NotAllowed) else 422
