"""The providers' days: which agree with the ledger and the meters, and what is to be done about those that do not."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.cells import harmless_cells
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import local_date
from fairwatt.flows.reconciling import bills, records
from fairwatt.flows.reconciling.reconcile_day import settle_difference
from fairwatt.payments.billing import BILLING
from fairwatt.payments.reconcile import Difference
from fairwatt.store.models import Book, MerchantAccount, User, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame, private
from fairwatt.web.design import reconcile_words as words
from fairwatt.web.design.refusals import said

SHOWN_DAYS: Final = 31


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """A day of an account in the list."""

    account: MerchantAccount
    version: records.Version
    state: words.Text
    left: int
    billed_micro: int | None


@login_required
@require_GET
def reconciliation(request: HttpRequest, slug: str) -> HttpResponse:
    """Every day of the last month, newest first, with one row an account."""
    book = access.desk_book(user=access.person(request), slug=slug)
    accounts = {one.pk: one for one in _accounts(book)}
    since = local_date(zone=book.zone, at_us=access.now_us()) - timedelta(days=SHOWN_DAYS)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        found = records.newest(cursor=cursor, accounts=list(accounts), since=since.isoformat())
        left = {one.id: _left(cursor, one) for one in found if one.state in ("open", "differs")}
        frozen = records.frozen(cursor=cursor, accounts=list(accounts))
    rows = [
        _Listed(
            account=accounts[one.account],
            version=one,
            state=words.STATES[one.state],
            left=len(left.get(one.id, ())),
            billed_micro=_micro(book, one.totals["billed_minor"]),
        )
        for one in found
    ]
    days = [(day, list(some)) for day, some in groupby(rows, key=lambda row: row.version.day)]
    page = {
        **frame(book=book),
        "days": days,
        "open_days": sum(row.version.state == "open" for row in rows),
        "to_do": sum(row.left for row in rows),
        "frozen": [accounts[account] for account in sorted(frozen)],
        "accounts": accounts,
    }
    return private(render(request, "console/reconciliation.html", page))


@login_required
@require_GET
def reconciled_day(request: HttpRequest, slug: str, account_id: int, day: str) -> HttpResponse:
    """One account's day: 0 differences, or a work list; and how it came to that."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return private(
        render(request, "console/reconciled_day.html", _page(request, book, _account(book, account_id), day))
    )


@login_required
@require_POST
def settle(request: HttpRequest, slug: str, account_id: int, day: str) -> HttpResponse:
    """A person says what a difference was."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    account = _account(book, account_id)
    try:
        settle_difference(
            book=book,
            account_id=account.pk,
            day=_day(day),
            key=request.POST.get("difference", ""),
            words=request.POST.get("words", ""),
            user_id=user.pk,
            now_us=access.now_us(),
        )
    except Refusal as refused:
        page = {**_page(request, book, account, day), "refused": said(refused)}
        return private(render(request, "console/reconciled_day.html", page, status=422))
    messages.success(request, gettext("Written down. The day was looked at again."))
    return redirect("console:reconciled_day", slug=slug, account_id=account_id, day=day)


@login_required
@require_GET
def reconciled_csv(request: HttpRequest, slug: str, account_id: int, day: str) -> HttpResponse:
    """The differences of a day as a file; its last row says how the day stands."""
    book = access.desk_book(user=access.person(request), slug=slug)
    account = _account(book, account_id)
    page = _page(request, book, account, day)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="reconciliation-{account.provider}-{day}.csv"'
    response.write("\ufeff")
    sheet = csv.writer(response)
    sheet.writerow(
        [
            "kind",
            "our_ref",
            "provider_ref",
            "refund_ref",
            "theirs_minor",
            "ours_minor",
            "currency",
            "home",
            "settled",
        ]
    )
    for row in page["items"]:
        one: Difference = row["one"]
        word = row["word"]
        drift = (one.kind, one.our_ref, one.provider_ref, one.refund_ref, one.theirs_minor, one.ours_minor)
        sheet.writerow(harmless_cells([*drift, one.currency, row["home"], word.words if word else ""]))
    version = page["version"]
    sheet.writerow(
        [
            f"{version.state} {version.reason}".strip(),
            f"version {version.version}",
            f"{page['left']} differences",
        ]
    )
    return private(response)


def _accounts(book: Book) -> list[MerchantAccount]:
    own = MerchantAccount.objects.filter(organisation=book.organisation_id, provider__in=BILLING)
    return list(own.order_by("pk"))


def _account(book: Book, account_id: int) -> MerchantAccount:
    found = next((one for one in _accounts(book) if one.pk == account_id), None)
    if found is None:
        raise Http404
    return found


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Http404 from None


def _left(cursor: Any, version: records.Version) -> list[Difference]:
    said_of = records.words_of(cursor=cursor, account=version.account, day=version.day)
    items = records.items_of(cursor=cursor, reconciliation=version.id)
    return [one for one in items if one.key not in said_of]


def _micro(book: Book, minor: int | None) -> int | None:
    """An amount of the book's currency; None stays None."""
    return None if minor is None else minor * int(10 ** (6 - book.minor_digits))


def _page(request: HttpRequest, book: Book, account: MerchantAccount, day_text: str) -> dict[str, Any]:
    day = _day(day_text)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        versions = records.versions(cursor=cursor, account=account.pk, day=day)
        if not versions:
            raise Http404
        newest = versions[0]
        items = records.items_of(cursor=cursor, reconciliation=newest.id)
        said_of = records.words_of(cursor=cursor, account=account.pk, day=day)
        heard = bills.heard(cursor=cursor, account=account.pk, day=day)
        frozen = records.frozen(cursor=cursor, accounts=[account.pk])
    people = dict(User.objects.filter(organisation=book.organisation_id).values_list("pk", "username"))
    homes = _homes(book, items)
    rows = [_row(book, one, said_of.get(one.key), homes, people) for one in items]
    rows.sort(key=lambda row: (row["word"] is not None, not row["first"]))
    totals = {name: _shown(book, name, value) for name, value in newest.totals.items()}
    return {
        **frame(book=book),
        "account": account,
        "day": day,
        "version": newest,
        "state": words.STATES[newest.state],
        "reason": words.REASONS.get(newest.reason, ""),
        "totals": totals,
        "items": rows,
        "left": sum(row["word"] is None for row in rows),
        "history": [(one, words.STATES[one.state], words.REASONS.get(one.reason, "")) for one in versions],
        "heard": heard,
        "frozen": account.pk in frozen,
        "may_act": access.may_act(user=access.person(request)),
    }


def _shown(book: Book, name: str, value: int) -> int | None:
    return _micro(book, value) if name.endswith("_minor") else value


def _homes(book: Book, items: list[Difference]) -> dict[int, Any]:
    wallets = {one.wallet for one in items if one.wallet}
    found = Wallet.objects.filter(pk__in=wallets, book=book).select_related("unit__site")
    return {wallet.pk: wallet.unit for wallet in found}


def _row(
    book: Book, one: Difference, word: records.Word | None, homes: dict[int, Any], people: dict[int, str]
) -> dict[str, Any]:
    unit = homes.get(one.wallet or 0)
    return {
        "one": one,
        "title": words.KINDS[one.kind],
        "next": words.NEXT[one.kind],
        "first": one.kind in words.FIRST,
        "theirs_micro": _micro(book, one.theirs_minor),
        "ours_micro": _micro(book, one.ours_minor),
        "unit": unit,
        "home": "" if unit is None else unit.label,
        "word": word,
        "by": people.get(word.author, "") if word else "",
    }
