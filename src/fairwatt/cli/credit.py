"""`fairwatt credit`: what homes are held to, who would be cut tonight, who is sheltered and until when."""

from __future__ import annotations

import csv
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fairwatt.cli.files import read_text
from fairwatt.core.cells import harmless_cells
from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(
    no_args_is_help=True,
    help="Credit control. Example: fairwatt credit set winter.yaml --book 1 --by admin --why 'winter rules' --preview",
)
BookNumber = Annotated[int, typer.Option("--book", help="Number of the book.", min=1)]
By = Annotated[str, typer.Option(help="Your sign-in name; what you do is written down.")]
Why = Annotated[str, typer.Option("--why", help="The reason; it is kept and shown.")]
SiteSlug = Annotated[str, typer.Option("--site", help="Short name of a building; none: the whole book.")]
HomeLabel = Annotated[str, typer.Option("--home", help="Label of the unit.")]
Until = Annotated[str, typer.Option(help="Local date and time of the end, such as 2026-12-24T08:00.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Preview = Annotated[bool, typer.Option("--preview", help="Only say what it would change; write nothing.")]


@app.callback()
def credit() -> None:
    """Who is warned, who is cut, and what forbids it."""


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A credit document.")]) -> None:
    """Read a credit document and say what it says. Example: fairwatt credit check winter.yaml"""
    from fairwatt.core.credit.terms_file import TermsFileError, parse_terms, write_terms

    try:
        typer.echo(write_terms(parse_terms(read_text(file, bytes_max=20_000))), nl=False)
    except TermsFileError as error:
        raise BadInput(f"{file}: {error}. Nothing was changed.") from error


@app.command("set")
def set_terms(
    file: Annotated[Path, typer.Argument(help="A credit document.")],
    book: BookNumber,
    by: By,
    why: Why,
    site: SiteSlug = "",
    home: HomeLabel = "",
    law: Annotated[str, typer.Option(help="The law it is written in: then it is a floor.")] = "",
    since: Annotated[str, typer.Option(help="Local date and time it begins; now when left out.")] = "",
    preview: Preview = False,
    as_json: AsJson = False,
) -> None:
    """Put a document in force for a book, a building or a home. What protects less waits for `credit approve`.

    Example: fairwatt credit set winter.yaml --book 1 --by admin --why "winter rules" --preview
    """
    body = read_text(file, bytes_max=20_000)
    _write(
        "terms",
        book,
        by,
        why,
        site=site,
        home=home,
        since=since,
        preview=preview,
        as_json=as_json,
        body=body,
        basis="law" if law else "house",
        source=law,
    )


@app.command()
def protect(
    home: Annotated[str, typer.Argument(help="Label of the unit.")],
    book: BookNumber,
    by: By,
    until: Until,
    why: Why,
    reason: Annotated[
        str, typer.Option(help="medical, infant, elderly, disability, court, other")
    ] = "medical",
    evidence: Annotated[str, typer.Option(help="What was seen: a letter, its date, its number.")] = "",
    as_json: AsJson = False,
) -> None:
    """Protect a home where somebody may not be without power; it lapses after 14 days unless `credit approve` agrees.

    Example: fairwatt credit protect 4-201 --book 1 --by desk --until 2027-06-30T00:00 --reason medical --why "oxygen"
    """
    details = {"reason": reason}
    _write(
        "protection",
        book,
        by,
        why,
        home=home,
        until=until,
        as_json=as_json,
        details=details,
        source=evidence,
    )


@app.command("force-on")
def force_on(
    home: Annotated[str, typer.Argument(help="Label of the unit.")],
    book: BookNumber,
    by: By,
    until: Until,
    why: Why,
    as_json: AsJson = False,
) -> None:
    """Keep the supply of a home on until an instant, whatever it owes.

    Example: fairwatt credit force-on 4-201 --book 1 --by desk --until 2026-12-24T08:00 --why "bank transfer on its way"
    """
    _write("force_on", book, by, why, home=home, until=until, as_json=as_json)


@app.command()
def weather(
    kind: Annotated[str, typer.Argument(help="heat or cold")],
    book: BookNumber,
    by: By,
    until: Until,
    source: Annotated[str, typer.Option(help="Who declared it.")],
    why: Why = "weather",
    since: Annotated[str, typer.Option(help="Local date and time it begins; now when left out.")] = "",
    site: SiteSlug = "",
    as_json: AsJson = False,
) -> None:
    """Declare heat or cold: nobody is cut until it is over.

    Example: fairwatt credit weather cold --book 1 --by admin --until 2026-12-03T12:00 --source "weather office"
    """
    _write(
        "weather",
        book,
        by,
        why,
        site=site,
        since=since,
        until=until,
        as_json=as_json,
        details={"kind": kind},
        source=source,
    )


@app.command()
def approve(rule: int, book: BookNumber, by: By, why: Why = "", refuse: bool = False) -> None:
    """Agree to a rule that somebody else wrote, or refuse it. Example: fairwatt credit approve 12 --book 1 --by boss"""
    _step(rule, book, by, "refuse" if refuse else "approve", why)


@app.command()
def end(rule: int, book: BookNumber, by: By, why: Why = "") -> None:
    """End what shelters a home: the first person asks, another administrator ends it.

    Example: fairwatt credit end 12 --book 1 --by desk --why "moved out"
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from django.db import connection, transaction

    from fairwatt.store import credit_rules, facts

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        found = credit_rules.rule_of_book(cursor=cursor, book=book, rule=rule)
    asked = found is not None and found.ender is not None
    _step(rule, book, by, "end" if asked else "ask_end", why)


@app.command("list")
def list_rules(book: BookNumber, as_json: AsJson = False) -> None:
    """Every rule of a book and how it stands. Example: fairwatt credit list --book 1"""
    now_us = _ready()
    from django.db import connection, transaction

    from fairwatt.store import credit_rules, facts

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        rules = credit_rules.rules_of_book(cursor=cursor, book=book)
    rows = [
        {
            "rule": one.rule,
            "kind": one.kind,
            "basis": one.basis,
            "site": one.site,
            "wallet": one.wallet,
            "from_us": one.from_us,
            "until_us": one.end_us,
            "why": one.words,
            "source": one.source,
            "loosens": one.loosens,
            "state": "holds" if one.holds(at_us=now_us) else "waits" if not one.agreed else "does not hold",
        }
        for one in rules
    ]
    _say(rows, as_json=as_json)


@app.command()
def tonight(
    book: BookNumber,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Who would be cut until the next quiet hours end, and what withholds it.

    Example: fairwatt credit tonight --book 1
    """
    now_us = _ready()
    from fairwatt.cli.tonight import draw
    from fairwatt.flows.tonight import rows_of, who_tonight
    from fairwatt.store.models import Book

    row = _book(Book, book)
    found = who_tonight(book=row, now_us=now_us)
    if as_csv:
        rows = rows_of(found)
        sheet = csv.writer(sys.stdout, lineterminator="\n")
        sheet.writerow(rows[0] if rows else ["home"])
        sheet.writerows(harmless_cells(one.values()) for one in rows)
    elif as_json:
        _say(rows_of(found), as_json=True)
    else:
        draw(found, book=row, now_us=now_us)


def _write(
    kind: str,
    book: int,
    by: str,
    why: str,
    *,
    site: str = "",
    home: str = "",
    since: str = "",
    until: str = "",
    preview: bool = False,
    as_json: bool = False,
    **more: Any,
) -> None:
    now_us = _ready()
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.credit_rules import preview_rule, write_rule
    from fairwatt.store.credit_rules import NewRule
    from fairwatt.store.models import Book, Site, Wallet

    row = _book(Book, book)
    places = list(Site.objects.filter(book=row, slug=site)) if site else []
    homes = list(Wallet.objects.filter(book=row, unit__label=home).order_by("-pk")) if home else []
    if bool(site) != bool(places) or bool(home) != bool(homes):
        raise BadInput(
            f"Book {book} has no {'building' if site else 'home'} {site or home!r}. Nothing was changed."
        )
    new = NewRule(
        book=book,
        kind=kind,
        from_us=_instant(since, row.zone) if since else now_us,
        until_us=_instant(until, row.zone) if until else None,
        words=why,
        author=_person(by),
        site=places[0].pk if places else None,
        wallet=homes[0].pk if homes else None,
        **more,
    )
    try:
        if preview:
            _say(_previewed(preview_rule(new=new, now_us=now_us)), as_json=as_json)
            return
        rule = write_rule(new=new, now_us=now_us)
    except Refusal as error:
        raise OperatorError(str(error)) from error
    state = "waits for another administrator: " + ", ".join(rule.loosens) if rule.loosens else "holds"
    _say([{"rule": rule.rule, "state": state}], as_json=as_json)


def _previewed(preview: Any) -> list[dict[str, Any]]:
    return [
        {
            "homes_changed": preview.homes,
            "protects_less_by": list(preview.loosens),
            "cut_before": len(preview.before.cut),
            "cut_after": len(preview.after.cut),
            "newly_cut": [home.standing.label for home in preview.newly_cut],
            "spared": [home.standing.label for home in preview.spared],
        }
    ]


def _step(rule: int, book: int, by: str, step: str, words: str) -> None:
    now_us = _ready()
    from fairwatt.core.refusal import Refusal
    from fairwatt.flows.credit_rules import step_rule

    try:
        step_rule(book_id=book, rule_id=rule, step=step, words=words, user_id=_person(by), now_us=now_us)
    except Refusal as error:
        raise OperatorError(str(error)) from error
    said = {"approve": "agreed to", "refuse": "refused", "ask_end": "its end is asked for", "end": "ended"}
    typer.echo(f"Rule {rule}: {said[step]}.")


def _ready() -> int:
    from fairwatt.server.clock import clock_for
    from fairwatt.server.config import Config
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    return clock_for(config).now_us()


def _person(name: str) -> int:
    from fairwatt.store.models import User

    found = User.objects.filter(username=name).first()
    if found is None:
        raise BadInput(f"There is no user {name!r}. Nothing was changed.")
    return int(found.pk)


def _book(model: Any, number: int) -> Any:
    found = model.objects.filter(pk=number).first()
    if found is None:
        raise BadInput(f"There is no book {number}. Nothing was changed; `fairwatt units` lists them.")
    return found


def _instant(text: str, zone: str) -> int:
    from fairwatt.core.spans import from_datetime, zone_info

    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(
            f"{text!r} is no date and time; write 2026-12-24T08:00. Nothing was changed."
        ) from error
    return from_datetime(at if at.tzinfo else at.replace(tzinfo=zone_info(zone)))


def _say(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        typer.echo("  ".join(f"{name}={value}" for name, value in row.items() if value not in (None, "", [])))
    if not rows:
        typer.echo("None.")
