"""`fairwatt refunds`: money on its way back, what waits for a person, what residents may take back by themselves."""

from __future__ import annotations

import getpass
import json
from typing import Annotated, Any, Final

import typer

from fairwatt.server.clock import clock_for
from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput

app = typer.Typer(no_args_is_help=True, help=__doc__)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
SHOWN: Final = 1_000


@app.command("list")
def list_(
    book: Book,
    waiting: Annotated[bool, typer.Option("--open", help="Only what is not over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List refunds, the newest first. Amounts in minor units (fen, pence).

    Example: fairwatt refunds list --book 1 --open --json

    Exit code 0: nothing waits for a person. 1: a second person, or the window, is waited for.
    """
    rows = _rows(book)
    if waiting:
        rows = [row for row in rows if row["state"] in ("requested", "approved", "submitted", "abnormal")]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        for row in rows:
            typer.echo(
                f"{row['refund']:>6}  {row['home']:<10} {row['amount_minor']:>10} {row['currency']}  "
                f"{row['state']:<10} {row['way']:<7} {row['provider'] or '-':<8} {row['code'] or row['trouble']}"
            )
        if not rows:
            typer.echo("No refunds.")
    raise typer.Exit(1 if any(row["person"] for row in rows) else 0)


def _rows(book: int) -> list[dict[str, Any]]:
    from fairwatt.server.wiring import use_django

    use_django(role="auditor")
    from fairwatt.store.models import Paid, Refund, Unit
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(book,))):
        found = list(Refund.objects.filter(book=book).order_by("-pk")[:SHOWN])
        paid = {one.fact: one for one in Paid.objects.filter(fact__in=[row.payment or 0 for row in found])}
        homes = dict(
            Unit.objects.filter(wallet__in=[row.wallet for row in found]).values_list("wallet", "label")
        )
    out = []
    for row in found:
        one = paid.get(row.payment or 0)
        at_window = row.state == "abnormal" or (row.state, row.way) == ("submitted", "window")
        out.append(
            {
                "refund": row.pk,
                "home": homes.get(row.wallet, ""),
                "state": row.state,
                "way": row.way,
                "paid_by": row.paid_by,
                "origin": row.origin,
                "provider": one.provider if one else "",
                "our_ref": one.our_ref if one else "",
                "refund_ref": row.refund_ref,
                "provider_refund": row.provider_refund,
                "asked_minor": row.asked_minor,
                "amount_minor": row.asked_minor if row.state == "requested" else row.amount_minor,
                "currency": row.currency,
                "code": row.code,
                "trouble": row.trouble,
                "asks": row.asks,
                "asked_us": row.asked_us,
                "moved_us": row.moved_us,
                "person": row.state == "requested" or at_window,
            }
        )
    return out


@app.command("allow")
def allow(
    book: Book,
    up_to: Annotated[str, typer.Option("--up-to", help="An amount like 50 or 12.50; 0 allows none.")],
) -> None:
    """Let residents take credit back by themselves, to where they paid it from, up to so much in a home and a day.

    Nothing is allowed unless it was said here. Example: fairwatt refunds allow --book 1 --up-to 50
    """
    config = Config.load()
    from fairwatt.server.wiring import use_django

    use_django(role="migrate")
    from fairwatt.flows.allow_refunds import allow_wishes
    from fairwatt.payments.amounts import minor_from_text
    from fairwatt.store.models import Book as Books

    found = Books.objects.filter(pk=book).first()
    if found is None:
        raise BadInput(f"There is no book {book}. Nothing was written.")
    try:
        minor = minor_from_text(up_to.strip(), digits=found.minor_digits)
        allow_wishes(
            book_id=book, auto_minor=minor, author=getpass.getuser(), now_us=clock_for(config).now_us()
        )
    except ValueError:
        raise BadInput(f"{up_to[:30]!r} is no amount like 50 or 12.50. Nothing was written.") from None
    said = f"up to {up_to} {found.currency} in a home and a day" if minor else "nothing"
    typer.echo(f"Residents of book {book} may take back {said} without a second person.")
