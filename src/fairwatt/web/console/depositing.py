"""Deposits: what is held of whom; forms to set one aside, to declare one that is older, to make one credit again."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fairwatt.core.account_numbers import account_number
from fairwatt.core.refusal import Refusal
from fairwatt.flows.cash_desk import find_homes
from fairwatt.flows.keep_deposit import (
    DepositAsked,
    DepositImpossible,
    declare_deposit,
    deposits_of,
    free_deposit,
    set_deposit_aside,
)
from fairwatt.store.models import Book, User
from fairwatt.store.money_wishes import FREED
from fairwatt.web import access
from fairwatt.web.console.frame import frame, private
from fairwatt.web.console.typed import minor
from fairwatt.web.design.refusals import said


@login_required
@require_http_methods(["GET", "POST"])
def deposits(request: HttpRequest, slug: str) -> HttpResponse:
    """Every deposit that is held, and the form for one more: parse, one flow, render."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    error = ""
    if request.method == "POST":
        try:
            return redirect(_kept(request, book, user))
        except Refusal as refused:
            error = said(refused)
    held = deposits_of(book=book)
    context: dict[str, Any] = {
        **frame(book=book),
        "held": [(one, account_number(wallet=one.wallet)) for one in held],
        "held_micro": sum(one.held_micro for one in held),
        "typed": request.POST if request.POST.get("way") != FREED else {},
        "typed_back": request.POST if request.POST.get("way") == FREED else {},
        "home": request.GET.get("home", ""),
        "ticket": os.urandom(16).hex(),
        "error": error,
        "may_act": access.may_act(user=user),
    }
    return private(render(request, "console/deposits.html", context, status=422 if error else 200))


def _kept(request: HttpRequest, book: Book, user: User) -> str:
    """Where to go on: to what the poster says, or to what waits for a second person."""
    typed, now_us = request.POST, access.now_us()
    found = find_homes(book=book, text=typed.get("home", ""), now_us=now_us)
    if len(found) != 1:
        raise DepositImpossible(
            "That names no home, or more than one. Nothing was moved; type its account number."
        )
    about: dict[str, Any] = {
        "book_id": book.pk,
        "asked": DepositAsked(
            wallet_id=found[0].wallet,
            amount_minor=minor(typed.get("amount", ""), digits=book.minor_digits),
            words=typed.get("words", ""),
            ticket=typed.get("ticket", ""),
        ),
        "user_id": user.pk,
        "now_us": now_us,
    }
    if typed.get("way") == "declared":
        declare_deposit(**about)
        return reverse("console:two_people", args=[book.slug])
    if typed.get("way") == FREED:
        free_deposit(**about)
        return reverse("console:two_people", args=[book.slug])
    return reverse("console:cash_done", args=[book.slug, set_deposit_aside(**about)])
