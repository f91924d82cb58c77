"""Commands that make reports and close months, for bookkeepers and scripts."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairwatt.cli.files import Force, check_target, writing
from fairwatt.cli.languages import language_named
from fairwatt.server.errors import OperatorError

if TYPE_CHECKING:
    from fairwatt.reports.asking import Ask
    from fairwatt.store.models import Book

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def report(
    name: Annotated[str, typer.Argument(help="A report, or `list` for all of them.")],
    book: Annotated[str, typer.Option(help="Number or name of the book.")] = "",
    home: Annotated[str, typer.Option(help="Home, for a report about one: its label.")] = "",
    first: Annotated[
        str, typer.Option("--from", help="First day, such as 2026-11-01; by default of this month.")
    ] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, included; by default of that month.")] = "",
    as_of: Annotated[
        str, typer.Option(help="What the ledger said then: a day, an instant, or batch:17.")
    ] = "",
    form: Annotated[str, typer.Option("--format", help="pdf, xlsx, csv or json.")] = "pdf",
    out: Annotated[Path | None, typer.Option(help="File to write, or - for standard output.")] = None,
    force: Force = False,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Make a report of a book or a home as PDF, Excel, CSV or JSON; `list` names them all.

    Example: fairwatt report month-end --book maple --from 2026-10-01 --to 2026-10-31 --format xlsx

    Exit code 0: made. 1: what was asked for is not there. 2: an option or --out cannot be used; nothing was written.
    """
    from fairwatt.server.wiring import use_django

    if out is not None and str(out) != "-":
        check_target(out, force=force)
    spoken = language_named(language)
    use_django(role="web")
    from django.utils import translation

    from fairwatt.reports.making import make, report_named
    from fairwatt.reports.model import ReportError
    from fairwatt.web.design.refusals import said as said_of

    with translation.override(spoken):
        if name == "list":
            _list(as_json=as_json)
            return
        try:
            ask = _ask(_book(book), home=home, first=first, last=last, as_of=as_of)
            made = make(report=report_named(name=name), ask=ask, form=form)
        except ReportError as error:
            raise OperatorError(said_of(error)) from error
    with made.file as file:
        if str(out) == "-":
            shutil.copyfileobj(file, sys.stdout.buffer)
            return
        target = out or Path(made.name)
        with writing(target, force=force) as written:
            shutil.copyfileobj(file, written)
    said = {
        "file": str(target),
        "digest": made.digest,
        "as_of_batch": made.as_of_batch,
        "figures": made.figures,
    }
    typer.echo(
        json.dumps(said)
        if as_json
        else f"{target}\nSHA-256 of the data {made.digest}, as of batch {made.as_of_batch}"
    )


def close_month(
    month: Annotated[str, typer.Argument(help="A month that is over, such as 2026-10.")],
    book: Annotated[str, typer.Option(help="Number or name of the book.")],
    by: Annotated[str, typer.Option(help="User name of the administrator who closes it.")],
    as_json: AsJson = False,
) -> None:
    """Close a month of a book for ever; later corrections are entries of an open month.

    Example: fairwatt close-month 2026-10 --book maple --by manager

    Exit code 0: closed. 1: refused, and nothing was closed. 2: an option cannot be used.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from django.conf import settings

    from fairwatt.flows.keep_books import EntryRefused
    from fairwatt.flows.keep_books import close_month as close
    from fairwatt.reports.making import pack_of_month
    from fairwatt.reports.model import ReportError
    from fairwatt.store.models import User

    found, now_us = _book(book), settings.FAIRWATT_CLOCK.now_us()
    user = User.objects.filter(username=by).first()
    if user is None:
        raise OperatorError(f"Nobody here is called {by!r}; name an administrator of the organisation.")
    try:
        pack = pack_of_month(book=found, month=month, now_us=now_us)
        closed = close(
            book_id=found.pk,
            month=month,
            first_batch=pack.first_batch,
            last_batch=pack.last_batch,
            as_of_batch=pack.as_of_batch,
            digest=pack.digest,
            user_id=user.pk,
            now_us=now_us,
        )
    except (ReportError, EntryRefused) as error:
        raise OperatorError(str(error)) from error
    said = {"month": closed.month, "digest": closed.digest, "as_of_batch": closed.as_of_batch}
    typer.echo(
        json.dumps(said) if as_json else f"{closed.month} is closed; SHA-256 of its pack {closed.digest}"
    )


def opening_balance(
    home: Annotated[str, typer.Argument(help="Home: its label.")],
    amount: Annotated[str, typer.Argument(help="Credit, or debt with a minus, such as -12.50.")],
    book: Annotated[str, typer.Option(help="Number or name of the book.")],
    reference: Annotated[str, typer.Option(help="Where the figure comes from.")],
) -> None:
    """Bring a home's balance over from an earlier system.

    Example: fairwatt opening-balance 0301 12.50 --book maple --reference "old system, 31 October"

    Exit code 0: noted. 1: refused, and nothing moved. 2: an option cannot be used.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from django.conf import settings

    from fairwatt.flows.keep_books import EntryRefused, bring_balance_over

    found = _book(book)
    try:
        fact = bring_balance_over(
            wallet_id=_wallet(found, home),
            amount_micro=_micro(amount),
            reference=reference,
            now_us=settings.FAIRWATT_CLOCK.now_us(),
        )
    except EntryRefused as error:
        raise OperatorError(str(error)) from error
    typer.echo(f"Noted as fact {fact}; the head-end of the book posts it.")


def _list(*, as_json: bool) -> None:
    from fairwatt.reports.registry import REPORTS

    if as_json:
        listed = [
            {"name": r.name, "title": str(r.title), "about": str(r.about), "of": r.scope}
            for r in REPORTS.values()
        ]
        typer.echo(json.dumps(listed, ensure_ascii=False))
        return
    for one in REPORTS.values():
        typer.echo(f"{one.name:<12} {one.title}: {one.about}")


def _book(named: str) -> Book:
    from fairwatt.store.models import Book

    found = Book.objects.select_related("organisation")
    known = found.filter(pk=int(named)) if named.isascii() and named.isdecimal() else found.filter(slug=named)
    book = known.first()
    if book is None:
        raise OperatorError(f"There is no book {named!r}; name one with --book, by its number or its name.")
    return book


def _wallet(book: Book, home: str) -> int:
    from fairwatt.store.models import Wallet

    mine = list(Wallet.objects.filter(book=book, unit__label=home).order_by("pk"))
    if not mine:
        raise OperatorError(
            f"Book {book.slug} has no home {home!r}; name one with --home, as it is labelled."
        )
    return mine[-1].pk


def _ask(book: Book, *, home: str, first: str, last: str, as_of: str) -> Ask:
    from django.conf import settings

    from fairwatt.core.spans import date_start
    from fairwatt.reports.asking import Ask, days_to_span, month_of

    now_us = settings.FAIRWATT_CLOCK.now_us()
    start = _day(first) if first else month_of(zone=book.zone, at_us=now_us)[0]
    end = _day(last) if last else month_of(zone=book.zone, at_us=date_start(zone=book.zone, day=start))[1]
    start_us, end_us = days_to_span(zone=book.zone, first=start, last=end)
    batch = as_of.removeprefix("batch:")
    return Ask(
        book=book.pk,
        start_us=start_us,
        end_us=end_us,
        now_us=now_us,
        wallet=_wallet(book, home) if home else None,
        as_of_batch=int(batch) if as_of.startswith("batch:") and batch.isdecimal() else None,
        as_of_us=None if not as_of or as_of.startswith("batch:") else _instant(book, as_of),
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise OperatorError(f"{text!r} is no day; a day is written as 2026-11-21.") from error


def _instant(book: Book, text: str) -> int:
    """A day (its end) or an instant, on the wall clock of the book unless it names its offset."""
    from fairwatt.core.spans import from_datetime, zone_info
    from fairwatt.reports.asking import days_to_span

    if len(text) == 10:
        return days_to_span(zone=book.zone, first=_day(text), last=_day(text))[1] - 1
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise OperatorError(
            f"{text!r} is no instant; write 2026-11-21, 2026-11-21T18:40, or batch:17."
        ) from error
    return from_datetime(at if at.utcoffset() is not None else at.replace(tzinfo=zone_info(book.zone)))


def _micro(text: str) -> int:
    """An amount as exact micro-units."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, part = digits.partition(".")
    if not whole.isdecimal() or (part and not part.isdecimal()) or len(part) > 6 or len(whole) > 9:
        raise OperatorError(f"{text!r} is no amount; write it as 12.50 or -12.50.")
    return sign * (int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0))
