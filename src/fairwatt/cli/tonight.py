"""The table of `fairwatt credit tonight`. Imported once Django is ready."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table

from fairwatt.core.credit.decide import Reason
from fairwatt.core.spans import local_datetime
from fairwatt.core.units import format_money
from fairwatt.flows.tonight import Home, Tonight
from fairwatt.store.models import Book
from fairwatt.web.design.words import reason


def draw(found: Tonight, *, book: Book, now_us: int) -> None:
    """Print the homes that run out or are off already: local times, amounts of the book's currency."""

    def money(micro: int) -> str:
        return format_money(micro=micro, currency=book.currency)

    def what(home: Home) -> str:
        at_us = home.outlook.at_us
        if not home.outlook.cut:
            return "power stays on"
        return (
            "cut now"
            if at_us <= now_us
            else f"cut {local_datetime(zone=book.zone, at_us=at_us):%Y-%m-%d %H:%M}"
        )

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("home", "what happens", "why", "rule", "now", "a day"):
        table.add_column(column, justify="right" if column in ("now", "a day") else "left")
    for home in found.homes:
        decided, now = home.outlook.decision, money(home.standing.balance_micro)
        a_day = money(home.day_micro) if home.day_micro else "not known"
        table.add_row(home.standing.label, what(home), reason(decided.reason), decided.rule, now, a_day)
    for off in found.off:
        table.add_row(off.standing.label, *_off(off.reason), "", money(off.standing.balance_micro), "")
    if table.row_count:
        Console().print(table)
    typer.echo(
        f"{len(found.cut)} would be cut, {len(found.withheld)} would run out and keep power, "
        f"{len(found.off)} off already."
    )


def _off(why: Reason) -> tuple[str, str]:
    if why is Reason.ALREADY_ORDERED:
        return "off, being switched on", ""
    return "off already", "not for credit" if why is Reason.ALREADY_OFF else reason(why)
