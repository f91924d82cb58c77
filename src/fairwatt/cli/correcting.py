"""`fairwatt correct-tariff` and `fairwatt correct-reading`: what commissioning sets right in the past."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fairwatt.cli.files import read_text
from fairwatt.server.config import Config
from fairwatt.server.errors import OperatorError


def correct_tariff(
    tariff: Annotated[str, typer.Argument(help="Short name of the tariff in its book.")],
    file: Annotated[Path, typer.Argument(help="The right text, whole.")],
    book: Annotated[int, typer.Option(help="Number of the book.", min=1)],
    author: Annotated[str, typer.Option(help="Who places it; somebody else confirms it at the console.")],
    why: Annotated[str, typer.Option(help="Why the old text was wrong.")],
) -> None:
    """Place the right text of a tariff that was charged wrongly, and show who gains and who pays.

    Nothing is posted before an administrator who is not its author confirms it at the console.
    Example: fairwatt correct-tariff homes right.yaml --book 1 --author desk --why "VAT was 5 %, not 20 %"

    Exit code 0: placed. 1: refused, and nothing was placed. 2: the file cannot be used.
    """
    from fairwatt.server.wiring import use_django

    text_said = read_text(file)

    use_django(role="migrate")
    from fairwatt.core.rating.tariff_file import TariffFileError
    from fairwatt.flows.correct_tariff import CannotPlace, place_tariff_correction
    from fairwatt.web.design import format as text

    now_us = _now_us()
    try:
        placed = place_tariff_correction(
            book_id=book, slug=tariff, text=text_said, author=author, reason=why, now_us=now_us
        )
    except (CannotPlace, TariffFileError) as error:
        raise OperatorError(str(error)) from error
    preview, currency = placed.preview, placed.book.currency
    typer.echo(f"Correction {placed.pk} is placed; nothing is posted yet.")
    typer.echo(f"{preview['registers']} homes, {preview['readings']} readings rated under both texts.")
    for name, count, micro in (
        ("pay more", preview["paying"], preview["pays_micro"]),
        ("get back", preview["gaining"], preview["gains_micro"]),
    ):
        typer.echo(f"{count} {name}, together {text.money_exact(micro=micro, currency=currency)}.")
    if departed := preview["departed"]:
        typer.echo(
            f"{len(departed)} of them were closed since; their difference goes to the wallets they left, and a person "
            "settles it with them:"
        )
    for home, micro in departed:
        said = "owes" if micro > 0 else "gets"
        typer.echo(f"  {home} {said} {text.money_exact(micro=abs(micro), currency=currency)}")
    typer.echo("An administrator confirms it at the console, page Corrections.")


def correct_reading(
    installation: Annotated[
        int, typer.Argument(help="Number of the installation; each line's page shows it.")
    ],
    at: Annotated[
        str, typer.Argument(help="Instant of the reading with its offset, 2026-07-01T12:00+08:00.")
    ],
    register_wh: Annotated[int, typer.Argument(help="What the register showed, in Wh; -1 strikes it out.")],
    author: Annotated[str, typer.Option(help="Who says so.")],
    why: Annotated[str, typer.Option(help="Why.")],
) -> None:
    """Set a stored reading right; the charges around it follow as correction lines within seconds.

    Example: fairwatt correct-reading 11 2026-07-01T12:00+08:00 74722620 --author desk --why "photo of the register"

    Exit code 0: asked for. 1: refused, and nothing moved. 2: an argument cannot be used.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from fairwatt.core.spans import from_datetime
    from fairwatt.flows.correct_reading import correct_reading as ask
    from fairwatt.store.models import Installation

    try:
        at_us = from_datetime(datetime.fromisoformat(at))
        fact = ask(
            installation_id=installation,
            at_us=at_us,
            register_wh=None if register_wh < 0 else register_wh,
            author=author,
            reason=why,
            now_us=_now_us(),
        )
    except (ValueError, Installation.DoesNotExist) as error:
        raise OperatorError(f"{error} Nothing was asked for and nothing moved.") from error
    typer.echo(f"Asked for, as fact {fact}; the poster answers it. Nothing else moved.")


def _now_us() -> int:
    from fairwatt.server.clock import clock_for

    return clock_for(Config.load()).now_us()
