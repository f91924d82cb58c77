"""`fairwatt rate`: an itemised bill for each home of an interval file, without a database."""

from __future__ import annotations

import json
import sys
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fairwatt.core.rating.bill import Bill
    from fairwatt.core.rating.model import Schedule
    from fairwatt.intervals.rating import HomeBill

BAD_INPUT = 2
MICRO_DIGITS = 6


def rate(
    tariff: Annotated[Path, typer.Option(help="Tariff file (YAML).")],
    readings: Annotated[Path, typer.Option(help="Interval file: CSV, Parquet or Green Button.")],
    start: Annotated[
        str, typer.Option("--from", help="First local date; by default where the data begins.")
    ] = "",
    end: Annotated[
        str, typer.Option("--to", help="Local date after the last; by default the end of the data.")
    ] = "",
    account: Annotated[
        list[str] | None, typer.Option(help="A parameter of the account, such as kw=3.")
    ] = None,
    counter: Annotated[str, typer.Option(help="Units used in the counting window before the span.")] = "0",
    zone: Annotated[str, typer.Option(help="Wall clock of stamps without an offset.")] = "UTC",
    stamps: Annotated[str, typer.Option(help="What a stamp says: start or end of its interval.")] = "start",
    meter: Annotated[list[str] | None, typer.Option(help="Only these homes.")] = None,
    settle: Annotated[bool, typer.Option(help="Settle also windows that are open at the end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Price an interval file under a tariff: an itemised bill for each home, and the sum.

    Example: fairwatt rate --tariff homes.yaml --readings homes.parquet --from 2013-01-01 --to 2013-02-01 --json
    Exit code 0: rated. 2: a file cannot be used.
    """
    from fairwatt.cli.tariff_files import load_named
    from fairwatt.core.rating.model import NoTariff, TariffError
    from fairwatt.core.spans import UnknownZone
    from fairwatt.intervals.bulk import read_bulk
    from fairwatt.intervals.contract import IntervalFileError
    from fairwatt.intervals.rating import rate_file

    if stamps not in ("start", "end"):
        raise typer.BadParameter("say start or end", param_hint="--stamps")
    try:
        made = load_named(tariff)
        schedule = made.schedule
        found = read_bulk(path=readings, zone=zone, stamps_end=stamps == "end")
        bills = rate_file(
            schedule=schedule,
            intervals=found,
            first=date.fromisoformat(start) if start else None,
            end=date.fromisoformat(end) if end else None,
            account=_account(account or []),
            counter_wh=_thousandths("--counter", counter),
            meters=frozenset(meter or ()),
            settle_open=settle,
        )
    except (IntervalFileError, TariffError, NoTariff, UnknownZone, OSError, ValueError) as error:
        print(f"fairwatt: {_complaint(error)} Nothing was rated.", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from error
    if as_json:
        typer.echo(
            json.dumps(_figures(made.name, schedule, bills, found.left_out), ensure_ascii=False, indent=1)
        )
    else:
        _say(made.name, schedule, bills, found.left_out)


def _complaint(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "tariff_not_text: the tariff file is not a text file."
    if isinstance(error, OSError):
        return f"file_unreadable: {error.filename}: {error.strerror}."
    said = str(error)
    return f"{getattr(error, 'code', 'tariff')}: {said}" + ("" if said.endswith(".") else ".")


def _account(pairs: list[str]) -> dict[str, int]:
    account = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--account {pair!r} is not name=value, such as kw=3")
        account[name] = _thousandths(f"--account {name}", value)
    return account


def _thousandths(what: str, value: str) -> int:
    try:
        return int(Fraction(value) * 1_000)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{what}: {value!r} is not a number") from error


def _figures(name: str, schedule: Schedule, bills: list[HomeBill], left_out: int) -> dict[str, Any]:
    total = sum((home.bill.total_micro for home in bills), Fraction(0))
    return {
        "tariff": name,
        "currency": schedule.currency,
        "unit": schedule.unit,
        "meters": [_home(schedule, home) for home in bills],
        "energy": decimal(Fraction(sum(home.bill.energy_wh for home in bills), 1_000), 3),
        "total": decimal(total / 10**MICRO_DIGITS),
        "rows_without_a_number": left_out,
    }


def _home(schedule: Schedule, home: HomeBill) -> dict[str, Any]:
    from fairwatt.core.spans import local_datetime

    bill = home.bill
    first, last = (
        local_datetime(zone=schedule.zone, at_us=us) for us in (bill.span.start_us, bill.span.end_us)
    )
    return {
        "meter": home.name,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "intervals": home.intervals,
        "missing_intervals": home.missing,
        "energy": decimal(Fraction(bill.energy_wh, 1_000), 3),
        "energy_wh": bill.energy_wh,
        "energy_micro": bill.energy_micro,
        "standing_micro": bill.standing_micro,
        "tax_micro": bill.tax_micro,
        "settled_micro": bill.settled_micro,
        "total_micro": bill.wallet_micro,
        "residue_micro": decimal(bill.residue),
        "exact": decimal(bill.exact_micro / 10**MICRO_DIGITS),
        "total": decimal(bill.total_micro / 10**MICRO_DIGITS),
        "elements": [
            {
                "version": schedule.versions[e.version].name,
                "name": e.name,
                "kind": e.word,
                "amount": decimal(e.rounded_micro / 10**MICRO_DIGITS),
                **({"included": True} if e.included else {}),
            }
            for e in bill.elements
        ],
        "items": _items(schedule, bill),
    }


def _items(schedule: Schedule, bill: Bill) -> list[dict[str, Any]]:
    rows = []
    for item in bill.items:
        row: dict[str, Any] = {
            "version": schedule.versions[item.version].name,
            "element": item.element,
            "kind": item.kind,
            "amount": decimal(item.exact_micro / 10**MICRO_DIGITS),
        }
        if item.kind == "use":
            row |= {
                "period": item.period,
                "block": item.block,
                "used": decimal(Fraction(item.energy_wh, 1_000), 3),
                "price": decimal(Fraction(item.price_micro, 10**MICRO_DIGITS)),
            }
        if item.count:
            row["count"] = item.count
        rows.append(row)
    return rows


def decimal(value: Fraction, places: int = 15) -> str:
    """A figure as decimal text, exact where it ends within the places, else rounded half up there."""
    scaled = (abs(value) * 10**places + Fraction(1, 2)).__floor__()
    whole, part = divmod(scaled, 10**places)
    text = f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 and scaled else text


def _say(name: str, schedule: Schedule, bills: list[HomeBill], left_out: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"{name}, {schedule.currency}; {len(bills)} home{'s' * (len(bills) != 1)}")
    if len(bills) == 1:
        table = Table("element", "version", "period", "block", schedule.unit, "price", "amount")
        for row in _items(schedule, bills[0].bill):
            block = str(row.get("block") or "")
            cells = (row["element"], row["version"], row.get("period", row["kind"]), block)
            table.add_row(
                *cells, row.get("used", str(row.get("count", ""))), row.get("price", ""), row["amount"]
            )
        for element in bills[0].bill.elements:
            if element.word in {"tax", "levy", "surcharge", "rebate"}:
                said = "included" if element.included else ""
                amount = decimal(element.rounded_micro / 10**MICRO_DIGITS, 6)
                version = schedule.versions[element.version].name
                table.add_row(element.name, version, said, "", "", "", amount)
        console.print(table)
    else:
        table = Table("home", "intervals", "missing", schedule.unit, "total")
        for home in bills:
            used = decimal(Fraction(home.bill.energy_wh, 1_000), 3)
            amount = decimal(home.bill.total_micro / 10**MICRO_DIGITS, 6)
            table.add_row(home.name, str(home.intervals), str(home.missing), used, amount)
        console.print(table)
    total = sum((home.bill.total_micro for home in bills), Fraction(0))
    console.print(f"total {decimal(total / 10**MICRO_DIGITS, 6)} {schedule.currency}")
    if left_out:
        console.print(
            f"{left_out} rows of the file have no readable number; their time was rated without use."
        )
