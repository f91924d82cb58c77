"""`fairwatt forecast`: how long a wallet's credit lasts, as its resident is told, and whether that works out again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.flows.forecasting import Account


def forecast(
    wallet: Annotated[str, typer.Argument(help="Book and number of a wallet, such as 1-17.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: whole numbers only, all days.")
    ] = False,
) -> None:
    """Say how long a wallet's credit lasts, by its newest forecast; work that out again from the same days and seed.

    Example: fairwatt forecast 1-17 --json
    Exit code 0: works out again, or its days have changed since. 1: it does not, or nothing was forecast. 2: bad id.
    """
    from fairwatt.server.wiring import use_django

    book, number = _parsed(wallet)
    use_django(role="auditor")
    from fairwatt.flows.forecasting import account_of

    account = account_of(book_id=book, wallet=number)
    if account is None:
        raise OperatorError(
            f"Nothing was forecast for wallet {wallet}: it is not there, has no open meter with a price, or fewer than "
            "three days are known of it. Its resident is warned by the policy's money; look again tomorrow."
        )
    typer.echo(json.dumps(_obj(account), ensure_ascii=False) if as_json else _told(account))
    if account.agrees is False:
        raise typer.Exit(1)


def _parsed(wallet: str) -> tuple[int, int]:
    book, _, number = wallet.partition("-")
    if (
        not (book.isascii() and book.isdecimal() and number.isascii() and number.isdecimal())
        or len(wallet) > 24
    ):
        raise BadInput(
            f"{wallet[:40]!r} names no wallet: write book and wallet, such as 1-17. Nothing was read."
        )
    return int(book), int(number)


def _told(account: Account) -> str:
    from fairwatt.core.units import US_PER_DAY
    from fairwatt.web.design import format as text

    newest, told = account.newest, account.said[0]

    def day(at_us: int | None) -> str:
        return "beyond 60 days" if at_us is None else text.day(at_us=at_us, zone=account.zone)

    have = text.money(micro=told.available_micro, currency=account.currency)
    lines = [
        f"{have} was left on {day(told.made_us)}; it lasts until {day(told.mid_us)},",
        f"in eight of ten cases between {day(told.early_us)} and {day(told.late_us)}.",
        f"It rests on {told.history} days of use (forecast {told.forecast}, made because of {told.because}).",
    ]
    for days in (1, 3, 7, 14, 30):
        at_us = newest.outlook.from_us + days * US_PER_DAY
        low, mid, high = (newest.outlook.cost_by(at_us=at_us, side=side) for side in ("low", "mid", "high"))
        amounts = [text.money(micro=micro, currency=account.currency) for micro in (mid, low, high)]
        lines.append(f"{days:>3} days cost about {amounts[0]}, {amounts[1]} to {amounts[2]}")
    lines.append(_AGREES[account.agrees])
    return "\n".join(lines)


_AGREES = {
    True: "Works out again from the same days and seed, bit for bit.",
    None: "The days it rests on have changed since (late readings, another method), so it cannot be worked out again.",
    False: "DOES NOT WORK OUT AGAIN. Nothing is charged by it; tell whoever maintains this installation.",
}


def _obj(account: Account) -> dict[str, Any]:
    newest = account.newest
    return {
        "wallet": account.wallet,
        "forecast": newest.forecast,
        "made_us": newest.made_us,
        "agrees": account.agrees,
        "days": [
            {
                "ends_us": end_us,
                "low_micro": low,
                "mid_micro": mid,
                "high_micro": high,
                "due_micro": first + last,
            }
            for end_us, low, mid, high, first, last in zip(
                newest.outlook.starts_us[1:],
                newest.outlook.low,
                newest.outlook.mid,
                newest.outlook.high,
                newest.outlook.first,
                newest.outlook.last,
                strict=True,
            )
        ],
        "said": [{k: v for k, v in one._asdict().items() if k != "inputs"} for one in account.said],
    }
