"""The cash desk: a room, Enter, an amount, Enter. And the shift around it, from the float to the blind count."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.account_numbers import NotAnAccount
from fairwatt.core.refusal import Refusal
from fairwatt.flows.cash_desk import (
    CannotTake,
    Taken,
    answer_of,
    end_shift,
    find_homes,
    home_at_desk,
    open_shift,
    pay_back_cash,
    take_money,
)
from fairwatt.flows.scan_desk import Scanned, scan_code, scan_offers, scan_stands
from fairwatt.store.models import Book, PaymentIntent, Role, User, Wallet
from fairwatt.web import access
from fairwatt.web.console.cash_queries import Drawer, drawer_of, hand_outs, shift_shown, shifts_shown
from fairwatt.web.console.frame import clerk, frame, private
from fairwatt.web.console.typed import minor, number
from fairwatt.web.design import cash_words
from fairwatt.web.design.refusals import said
from fairwatt.web.least import least_now, pace_at_desk
from fairwatt.web.progress import Progress, progress


@login_required
@require_GET
def cash(request: HttpRequest, slug: str) -> HttpResponse:
    """Find a home, take money for it; or open a shift first."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _desk(request, book)


@login_required
@require_POST
def cash_open(request: HttpRequest, slug: str) -> HttpResponse:
    """Begin a shift."""
    user, book = clerk(request, slug)
    typed = request.POST
    try:
        fact = open_shift(
            book_id=book.pk,
            desk_id=number(typed.get("desk", "")),
            float_minor=minor(typed.get("float", "") or "0", digits=book.minor_digits),
            user_id=user.pk,
            ticket=typed.get("ticket", ""),
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _desk(request, book, error=said(refused), status=422)
    return redirect("console:cash_done", slug=book.slug, fact=fact)


@login_required
@require_POST
def cash_take(request: HttpRequest, slug: str) -> HttpResponse:
    """Take money: parse, one flow, on to what became of it."""
    user, book = clerk(request, slug)
    typed = request.POST
    wallet = number(typed.get("wallet", ""))
    if typed.get("tender") == "code":
        return _scan(request, book, user, wallet)
    try:
        fact = take_money(
            book_id=book.pk,
            taken=Taken(
                wallet_id=wallet,
                tender=typed.get("tender", "cash"),
                deposit=bool(typed.get("deposit")),
                amount_minor=minor(typed.get("amount", ""), digits=book.minor_digits),
                slip=typed.get("slip", ""),
                ticket=typed.get("ticket", ""),
            ),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _desk(request, book, wallet=wallet, error=said(refused), status=422)
    return redirect("console:cash_done", slug=book.slug, fact=fact)


@login_required
@require_GET
def cash_done(request: HttpRequest, slug: str, fact: int) -> HttpResponse:
    """What the poster made of it. While it waits the page looks again; then the next customer may come."""
    book = access.desk_book(user=access.person(request), slug=slug)
    answer = answer_of(book=book, fact_id=fact)
    if answer is None:
        raise Http404
    if answer.state == "posted" and "counted_minor" in answer.result:
        return redirect("console:shift", slug=book.slug, shift_id=int(answer.result["shift"]))
    if answer.state == "posted" and "desk" in answer.result:
        return redirect("console:cash", slug=book.slug)
    drawer = drawer_of(book=book, cashier=access.person(request).pk)
    context: dict[str, Any] = {
        **frame(book=book),
        "answer": answer,
        "refusal": cash_words.refusal(answer.code),
        "drawer": drawer,
    }
    context["steps"] = steps = _steps(book, str(answer.result.get("our_ref", "")))
    if request.headers.get("HX-Request") and steps is not None:
        return private(render(request, "console/_arrives.html", context))
    if (number := answer.result.get("receipt")) and answer.result.get("outcome") == "credited":
        paper = drawer.receipt(number=int(number))
        home = Wallet.objects.select_related("unit").filter(pk=paper.wallet).first() if paper else None
        context |= {
            "paper": paper,
            "home": home,
            "number": cash_words.number_of(slug=book.slug, number=int(number)),
        }
    return private(render(request, "console/cash_done.html", context))


@login_required
@require_GET
def cash_code(request: HttpRequest, slug: str, our_ref: str) -> HttpResponse:
    """What becomes of a code that was scanned: asked, confirmed, paid, at the meter; or refused, or taken back."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    stands = scan_stands(book=book, our_ref=our_ref, now_us=access.now_us())
    if stands is None:
        raise Http404
    wallet = Wallet.objects.select_related("unit").get(pk=stands.intent.wallet_id)
    steps = progress(intent=stands.intent)
    context = {
        **frame(book=book),
        "stands": stands,
        "refusal": cash_words.scan_refusal(stands.reason) if stands.reason else "",
        "home": wallet,
        "steps": steps,
        "over": stands.state in ("refused", "taken_back", "review") or steps.settled,
        "drawer": drawer_of(book=book, cashier=user.pk),
    }
    fragment = "console/_code_stands.html" if request.headers.get("HX-Request") else "console/cash_code.html"
    return private(render(request, fragment, context))


@login_required
@require_GET
def shifts(request: HttpRequest, slug: str) -> HttpResponse:
    """Every shift of the book, newest first."""
    book = access.desk_book(user=access.person(request), slug=slug)
    context = {**frame(book=book), "shifts": shifts_shown(book=book)}
    return private(render(request, "console/shifts.html", context))


@login_required
@require_GET
def shift(request: HttpRequest, slug: str, shift_id: int) -> HttpResponse:
    """One shift: its takings, and its count once it is over."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _shift(request, book, shift_id)


@login_required
@require_POST
def count_shift(request: HttpRequest, slug: str, shift_id: int) -> HttpResponse:
    """Count the drawer and close the shift."""
    user, book = clerk(request, slug)
    try:
        fact = end_shift(
            book_id=book.pk,
            shift_id=shift_id,
            counted_minor=minor(request.POST.get("counted", ""), digits=book.minor_digits),
            slips_minor=minor(request.POST.get("slips", "") or "0", digits=book.minor_digits),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _shift(request, book, shift_id, error=said(refused), status=422)
    return redirect("console:cash_done", slug=book.slug, fact=fact)


@login_required
@require_POST
def cash_back(request: HttpRequest, slug: str, void_id: int) -> HttpResponse:
    """Hand out the cash of a payment that was taken back."""
    user, book = clerk(request, slug)
    try:
        fact = pay_back_cash(book_id=book.pk, void_id=void_id, user_id=user.pk, now_us=access.now_us())
    except Refusal as refused:
        return _desk(request, book, error=said(refused), status=422)
    return redirect("console:cash_done", slug=book.slug, fact=fact)


def _scan(request: HttpRequest, book: Book, user: User, wallet: int) -> HttpResponse:
    """The same by the code on the payer's telephone: on to what becomes of it."""
    typed = request.POST
    try:
        our_ref = scan_code(
            book_id=book.pk,
            scanned=Scanned(
                wallet_id=wallet,
                amount_minor=minor(typed.get("amount", ""), digits=book.minor_digits),
                code=typed.get("code", ""),
                ticket=typed.get("ticket", ""),
            ),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        return _desk(request, book, wallet=wallet, error=said(refused), status=422)
    return redirect("console:cash_code", slug=book.slug, our_ref=our_ref)


def _steps(book: Book, our_ref: str) -> Progress | None:
    """How a payment arrives: paid, credited, sent, confirmed by the meter; None for what is no payment."""
    intent = PaymentIntent.objects.filter(book=book, our_ref=our_ref).first() if our_ref else None
    return None if intent is None else progress(intent=intent)


def _desk(
    request: HttpRequest, book: Book, *, wallet: int = 0, error: str = "", status: int = 200
) -> HttpResponse:
    user, now_us = access.person(request), access.now_us()
    text = request.GET.get("q", "").strip()
    found, chosen = [], wallet or number(request.GET.get("wallet", ""))
    if text and not chosen:
        try:
            found = find_homes(book=book, text=text, now_us=now_us)
        except NotAnAccount as wrong:
            error = said(wrong)
        if len(found) == 1:
            chosen = found[0].wallet
        elif not found and not error:
            error = said(
                CannotTake(
                    "No home, person or account number is called %(text)s. Type it again.", text=text[:40]
                )
            )
    home = desk = None
    if chosen:
        try:
            home, desk = home_at_desk(book=book, wallet_id=chosen, now_us=now_us)
        except Refusal as refused:
            error = error or said(refused)
    drawer: Drawer = drawer_of(book=book, cashier=user.pk)
    context = {
        **frame(book=book),
        "q": text,
        "found": found if len(found) > 1 else [],
        "home": home,
        "credit": desk,
        "least": least_now(credit=desk, pace=pace_at_desk(credit=desk, now_us=now_us)) if desk else None,
        "drawer": drawer,
        "hand_outs": hand_outs(book=book),
        "may_take": user.role == Role.OPERATOR,
        "scans": scan_offers(book=book),
        "error": error,
        "typed": request.POST,
        "ticket": secrets.token_hex(16),
    }
    return private(render(request, "console/cash.html", context, status=status))


def _shift(
    request: HttpRequest, book: Book, shift_id: int, *, error: str = "", status: int = 200
) -> HttpResponse:
    user = access.person(request)
    shown = shift_shown(book=book, shift_id=shift_id)
    if shown is None:
        raise Http404
    mine = access.may_act(user=user) and (user.pk == shown.shift.cashier or user.role == Role.ADMIN)
    context = {
        **frame(book=book),
        "shown": shown,
        "shift": shown.shift,
        "may_count": mine and shown.shift.closed_us is None,
        # Who counts is not told what to find; who looks after the books may know.
        "told": shown.shift.closed_us is not None,
        "error": error,
    }
    return private(render(request, "console/shift.html", context, status=status))
