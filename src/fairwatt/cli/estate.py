"""`fairwatt units`: what homes count by, who owns a building, and how fees stand behind energy."""

import csv
import io
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from fairwatt.cli.files import read_text
from fairwatt.server.errors import BadInput, OperatorError

_HELP = """Areas, people, landlords, and the rule for fees.

Example: fairwatt units measure units.csv --book 1 --from 2026-11-01

Exit code 0: done. 1: refused. 2: bad input.
"""
app = typer.Typer(
    no_args_is_help=True,
    help=_HELP,
)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]


@app.command()
def measure(
    file: Annotated[Path, typer.Argument(help="CSV with the columns unit,area_m2,people,common.")],
    book: Book,
    start: Annotated[str, typer.Option("--from", help="First day, such as 2026-11-01.")],
) -> None:
    """Note areas and people of units from a day on; `common` is yes for corridors and plant rooms.

    Example: fairwatt units measure units.csv --book 1 --from 2026-11-01
    Exit code 0: noted. 1: a row or the book is wrong, and nothing was noted. 2: the file cannot be used.
    """
    from fairwatt.server.wiring import use_django

    text = read_text(file)

    use_django(role="migrate")
    from fairwatt.core.spans import date_start
    from fairwatt.flows.fees import measure_unit
    from fairwatt.store.models import Book as BookRow
    from fairwatt.store.models import Unit

    zone = BookRow.objects.get(pk=book).zone
    from_us = date_start(zone=zone, day=_day(start))
    units = dict(Unit.objects.filter(site__book_id=book).values_list("label", "id"))
    rows = _rows(file, text, set(units))
    for label, area, heads, common in rows:
        measure_unit(
            unit_id=units[label],
            from_us=from_us,
            area_dm2=area,
            heads=heads,
            common=common,
            by=None,
            now_us=from_us,
        )
    typer.echo(f"{len(rows)} units are measured from {start} on.")


@app.command()
def account(
    file: Annotated[Path, typer.Argument(help="CSV with the columns unit,parameter,value.", exists=True)],
    book: Book,
    start: Annotated[str, typer.Option("--from", help="First day, such as 2026-11-01.")],
    author: Annotated[str, typer.Option(help="Who notes it.")],
) -> None:
    """Note what prices of homes depend on from a day on: the `parameters` of their tariff, such as persons or kw.

    Example: fairwatt units account persons.csv --book 1 --from 2026-11-01 --author ada
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from django.conf import settings

    from fairwatt.core.spans import date_start
    from fairwatt.flows.account_values import AccountValueRefused, set_account_values
    from fairwatt.flows.provision import TariffTooLong
    from fairwatt.store.models import Book as BookRow

    from_us = date_start(zone=BookRow.objects.get(pk=book).zone, day=_day(start))
    homes = _values(file, book)
    now_us = settings.FAIRWATT_CLOCK.now_us()
    for done, ((label, installation), values) in enumerate(sorted(homes.items())):
        try:
            set_account_values(
                installation_id=installation, values=values, from_us=from_us, author=author, now_us=now_us
            )
        except (AccountValueRefused, TariffTooLong) as error:
            raise OperatorError(
                f"Unit {label}: {error} {done} units before it were noted; take them out of the file and go on."
            ) from error
    typer.echo(f"{len(homes)} units are charged by these values from {start} on.")


@app.command()
def landlord(
    book: Book, unit: Annotated[str, typer.Option(help="The unit whose wallet is the owner's.")]
) -> None:
    """Let a building's owner pay for vacant units from the wallet of a unit.

    Example: fairwatt units landlord --book 1 --unit 0001
    Exit code 0: set. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from fairwatt.flows.fees import set_landlord_account
    from fairwatt.store.models import Wallet

    wallet = Wallet.objects.filter(book_id=book, unit__label=unit).order_by("-opened_us").first()
    if wallet is None:
        raise OperatorError(f"Unit {unit} of book {book} has no wallet. Nothing was changed.")
    set_landlord_account(site_id=wallet.unit.site_id, wallet_id=wallet.pk)
    typer.echo(f"Vacant units of that building are charged to the wallet of {unit}.")


@app.command("fee-rule")
def fee_rule(
    book: Book,
    reserve_days: Annotated[int, typer.Option(help="Days of own use that fees leave in a wallet.")] = 7,
    reserve: Annotated[str, typer.Option(help="Money that fees leave in a wallet.")] = "0",
    recovery: Annotated[str, typer.Option(help="Percent of a top-up that may go to arrears.")] = "20",
    law: Annotated[str, typer.Option(help="Only where a law lets fees cut the power: which one.")] = "",
) -> None:
    """Set how fees stand behind energy from now on. Without --law a fee never cuts the power.

    Example: fairwatt units fee-rule --book 1 --reserve-days 7 --recovery 20
    Exit code 0: set. 1: refused, and nothing was changed. 2: an option cannot be used.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from django.conf import settings

    from fairwatt.core.costs.apportion import ApportionError
    from fairwatt.core.costs.formula import percent_bp
    from fairwatt.core.costs.taking import FeePolicy, FeePolicyError
    from fairwatt.flows.fees import set_fee_rule

    try:
        policy = FeePolicy(
            reserve_micro=_scaled(reserve, 6),
            reserve_days=reserve_days,
            recovery_bp=percent_bp(recovery),
            fees_may_cut=bool(law.strip()),
            legal_reference=law.strip(),
        )
    except (FeePolicyError, ApportionError) as error:
        raise OperatorError(f"The rule was not changed: {error}.") from error
    set_fee_rule(book_id=book, policy=policy, by=None, now_us=settings.FAIRWATT_CLOCK.now_us())
    typer.echo(f"The rule for fees of book {book} is set.")


def _rows(file: Path, text: str, known: set[str]) -> list[tuple[str, int, int, bool]]:
    """Every row or none: a file with a mistake changes nothing."""
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise BadInput(f"{file} is not readable CSV ({error}). Nothing was changed.") from error
    found = []
    for number, row in enumerate(rows, start=2):
        label = (row.get("unit") or "").strip()
        people = (row.get("people") or "0").strip()
        if label not in known or not people.isdecimal():
            raise OperatorError(
                f"{file}, line {number}: no such unit, or people is no number. Nothing was changed."
            )
        common = (row.get("common") or "").strip().lower() in ("yes", "1", "true")
        found.append((label, _scaled(row.get("area_m2") or "0", 2), int(people), common))
    return found


def _values(file: Path, book: int) -> dict[tuple[str, int], dict[str, int]]:
    """{(unit, installation): {parameter: thousandths}}, every row or none."""
    from fairwatt.store.models import Installation

    homes: dict[str, list[int]] = {}
    for label, pk in Installation.objects.filter(wallet__book_id=book, closed_us__isnull=True).values_list(
        "unit__label", "pk"
    ):
        homes.setdefault(label, []).append(pk)
    found: dict[tuple[str, int], dict[str, int]] = {}
    with file.open(encoding="utf-8-sig", newline="") as opened:
        for number, row in enumerate(csv.DictReader(opened), start=2):
            label, name = ((row.get(key) or "").strip() for key in ("unit", "parameter"))
            if label not in homes or not name:
                raise OperatorError(
                    f"{file}, line {number}: no unit with a meter is called so, or the parameter has no name. "
                    "Nothing was changed."
                )
            for pk in homes[label]:
                found.setdefault((label, pk), {})[name] = _scaled(row.get("value") or "", 3)
    return found


def _scaled(text: str, places: int) -> int:
    try:
        scaled = Decimal(text.strip()).scaleb(places)
        if not scaled.is_finite() or scaled != int(scaled) or scaled < 0:
            raise InvalidOperation
    except InvalidOperation as error:
        raise OperatorError(
            f"{text!r} is not an amount with up to {places} decimals. Nothing was changed."
        ) from error
    return int(scaled)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise OperatorError(f"{text!r} is no day such as 2026-11-01. Nothing was changed.") from error
