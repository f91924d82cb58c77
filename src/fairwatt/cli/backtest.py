"""`fairwatt backtest`: a draft tariff over past use, against a file or against what is in force in a book."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.files import Force, check_target, writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairwatt.reports.document import Document

BAD_INPUT = 2
_BAR = 36


class _Unusable(ValueError):
    """An option or a file that nothing can be made of; its text says which."""


def backtest(
    tariff: Annotated[Path, typer.Option(help="The draft: a tariff file (YAML).")],
    against: Annotated[
        Path | None, typer.Option(help="The tariff in force, as a file; with --readings.")
    ] = None,
    readings: Annotated[
        Path | None, typer.Option(help="Interval file: CSV, Parquet or Green Button.")
    ] = None,
    book: Annotated[str, typer.Option(help="Number or name of a book, instead of two files.")] = "",
    plan: Annotated[str, typer.Option(help="Plan of the book that the draft would replace.")] = "",
    start: Annotated[
        str, typer.Option("--from", help="First local day; in a file by default its first.")
    ] = "",
    end: Annotated[
        str, typer.Option("--to", help="Local day after the last; by default the end of the data.")
    ] = "",
    as_of: Annotated[
        str, typer.Option(help="What the ledger said then: a day, an instant, or batch:17.")
    ] = "",
    dates: Annotated[
        str,
        typer.Option(help="auto: a draft still to come holds all along; keep its dates; its newest prices."),
    ] = "auto",
    zone: Annotated[str, typer.Option(help="Wall clock of stamps without an offset.")] = "UTC",
    stamps: Annotated[str, typer.Option(help="What a stamp says: start or end of its interval.")] = "start",
    out: Annotated[Path | None, typer.Option(help="File to write: .pdf, .xlsx, .csv or .json.")] = None,
    force: Force = False,
    language: Annotated[str, typer.Option(help="Language of the file: en or zh-hans.")] = "en",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: whole micro-units, watt-hours.")
    ] = False,
) -> None:
    """Try a draft tariff on past use: revenue, winners and losers, who would have been cut sooner. Changes nothing.

    Example: fairwatt backtest --tariff draft.yaml --against now.yaml --readings homes.parquet --out draft.pdf
    Example: fairwatt backtest --tariff draft.yaml --book 1 --from 2026-01-01 --to 2027-01-01 --json
    Exit code 0: tried. 2: a file or an option cannot be used.
    """
    from fairwatt.cli.rate import _complaint
    from fairwatt.core.insight.backtest import NotComparable
    from fairwatt.core.insight.past_use import NothingUsed
    from fairwatt.core.rating.model import NoTariff, TariffError
    from fairwatt.core.spans import UnknownZone
    from fairwatt.intervals.contract import IntervalFileError
    from fairwatt.server.errors import OperatorError

    try:
        _check(against, readings, book, dates, stamps)
        if out is not None:
            check_target(out, force=force)
        with _speaking(language):
            if book:
                opening = _of_book(tariff, book, plan, start, end, as_of, dates)
            else:
                assert against is not None and readings is not None, "checked above"
                opening = _of_file(tariff, against, readings, start, end, dates, zone, stamps == "end")
            _write(opening, out, as_json, force=force)
    except OperatorError as error:
        print(f"fairwatt: {error}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from error
    except (
        *(IntervalFileError, TariffError, NoTariff, NotComparable, NothingUsed, UnknownZone),
        *(OSError, ValueError),
    ) as error:
        print(f"fairwatt: {_complaint(error)} Nothing was tried.", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from error


@contextmanager
def _speaking(language: str) -> Iterator[None]:
    """Set reports up, in a language; a file needs no database for it."""
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from django.utils import translation

    with translation.override(language):
        yield


def _check(against: Path | None, readings: Path | None, book: str, dates: str, stamps: str) -> None:
    if book and (against or readings):
        raise _Unusable("give either --book, or --against and --readings")
    if not book and not (against and readings):
        raise _Unusable("give --against and --readings, or --book")
    if dates not in ("auto", "keep", "newest"):
        raise _Unusable("--dates is auto, keep or newest")
    if stamps not in ("start", "end"):
        raise _Unusable("--stamps is start or end")


def _draft(path: Path) -> Any:
    from fairwatt.cli.tariff_files import load_named
    from fairwatt.reports.backtest import Draft

    made = load_named(path)
    return Draft.of(name=made.name, text=path.read_text(encoding="utf-8"), schedule=made.schedule)


def _of_book(
    tariff: Path, book: str, plan: str, start: str, end: str, as_of: str, dates: Any
) -> AbstractContextManager[Document]:
    from fairwatt.cli.reports import _ask, _book
    from fairwatt.reports.backtest import report_of
    from fairwatt.reports.backtest_book import BookTrial
    from fairwatt.reports.document import opened

    if not (start and end):
        raise _Unusable("name the period of a book with --from and --to")
    last = date.fromordinal(date.fromisoformat(end).toordinal() - 1).isoformat()
    ask = _ask(_book(book), home="", first=start, last=last, as_of=as_of)
    return opened(report=report_of(build=BookTrial(draft=_draft(tariff), plan=plan, dates=dates)), ask=ask)


@contextmanager
def _of_file(
    tariff: Path, against: Path, readings: Path, start: str, end: str, dates: Any, zone: str, stamps_end: bool
) -> Iterator[Document]:
    from fairwatt.cli.tariff_files import load_named
    from fairwatt.core.insight.backtest import back_test
    from fairwatt.intervals.bulk import read_bulk
    from fairwatt.intervals.rating import past_use
    from fairwatt.reports.backtest import document_of_file

    draft, current = _draft(tariff), load_named(against)
    found = read_bulk(path=readings, zone=zone, stamps_end=stamps_end)
    use, span = past_use(
        intervals=found,
        zone=current.schedule.zone,
        first=date.fromisoformat(start) if start else None,
        end=date.fromisoformat(end) if end else None,
    )
    trial = back_test(use=use, span=span, current=current.schedule, draft=draft.schedule, dates=dates)
    yield document_of_file(
        trial=trial, draft=draft, against=current.name, source=readings.name, left_out=found.left_out
    )


def _write(
    opening: AbstractContextManager[Document], out: Path | None, as_json: bool, *, force: bool
) -> None:
    from fairwatt.reports.forms import FORMS
    from fairwatt.reports.making import write

    form = "json" if out is None else out.suffix.removeprefix(".").lower()
    if form not in FORMS:
        raise _Unusable(f"--out ends in one of: {', '.join('.' + name for name in FORMS)}")
    if out is None:
        with write(opening=opening, form="json").file as file:
            if as_json:
                shutil.copyfileobj(file, sys.stdout.buffer)
            else:
                _say(json.load(file))
        return
    made = write(opening=opening, form=form)
    with made.file as file, writing(out, force=force) as target:
        shutil.copyfileobj(file, target)
    said = {"file": str(out), "digest": made.digest, "figures": made.figures}
    typer.echo(json.dumps(said) if as_json else f"{out}\nSHA-256 of the data {made.digest}")


def _say(made: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from fairwatt.reports.cells import exact_text
    from fairwatt.reports.model import Shape

    def money(micro: int) -> str:
        return exact_text(cell=micro, shape=Shape.MONEY, zone="UTC")

    console, figures, currency = Console(), made["figures"], made["question"]["currency"]
    tables = {table["name"]: table["rows"] for table in made["tables"]}
    console.print(f"{figures['draft']} against {figures['against']}, {currency}; {figures['homes']} homes")
    revenue = Table("element", "in force", "draft", "difference")
    for family, *amounts in [
        *tables["revenue"],
        ("all", figures["old"], figures["new"], figures["difference"]),
    ]:
        revenue.add_row(family, *map(money, amounts))
    console.print(revenue)
    console.print(
        f"{figures['more']} pay more, {figures['less']} less, {figures['same']} the same; the middle home "
        f"{money(figures['median'])}"
    )
    tallest = max(homes for _, _, homes in tables["bars"])
    for low, high, homes in tables["bars"]:
        if not homes:
            continue
        bar = "█" * -(-homes * _BAR // tallest)
        console.print(f"{money(low):>14} to {money(high):>14}  {homes:>5} {bar}", highlight=False)
    for name, title in (("most_more", "largest increases"), ("most_less", "largest decreases")):
        if not tables[name]:
            continue
        largest = Table(title, "kWh", "in force", "draft", "difference", "%")
        for home, wh, old, new, difference, share in tables[name]:
            percent = "" if share is None else exact_text(cell=share, shape=Shape.SHARE, zone="UTC")
            used = exact_text(cell=wh, shape=Shape.ENERGY, zone="UTC")
            largest.add_row(home, used, money(old), money(new), money(difference), percent)
        console.print(largest)
    if "sooner" in figures:
        console.print(
            f"{figures['sooner']} homes would have been cut sooner, {figures['later']} later or not at all; days with "
            f"power cut: {figures['old_dark']} in force, {figures['new_dark']} under the draft"
        )
    else:
        console.print("An interval file knows no wallets: who would be cut sooner is told by --book.")
    console.print(f"SHA-256 of the data {made['digest']}")
