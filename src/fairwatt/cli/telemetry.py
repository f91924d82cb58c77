"""`fairwatt telemetry`: the process that keeps seconds, and a look at them."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(no_args_is_help=True, help="What meters do second by second, off the money's path.")
SPAN_MAX_S = 86_400


@app.command("run")
def run() -> None:
    """Keep what gateways send second by second: own stream, own tables, own logins; Ctrl-C stops it.

    Example: fairwatt telemetry run
    """
    from fairwatt.server.wiring import run_telemetry

    run_telemetry(Config.load())


@app.command("show")
def show(
    meter: Annotated[str, typer.Argument(help="Number on the meter's plate.")],
    book: Annotated[int, typer.Option(help="Number of the book.", min=1)],
    user: Annotated[str, typer.Option("--user", help="Your sign-in name: the look is written down.")],
    from_: Annotated[str, typer.Option("--from", help="First second, UTC, as 2026-11-22T05:00:00.")],
    to: Annotated[str, typer.Option("--to", help="Second after the last, UTC; at most a day later.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one entry a second.")] = False,
) -> None:
    """Show power, voltage and current of a meter, second by second.

    Example: fairwatt telemetry show 100000000001 --book 1 --user desk --from 2026-11-22T05:00 --to 2026-11-22T05:10
    Exit code 0: shown, also when nothing is known. 1: not yours, or no such meter. 2: an option cannot be used.
    """
    from_s, until_s = _second(from_, "--from"), _second(to, "--to")
    if not 0 < until_s - from_s <= SPAN_MAX_S:
        raise BadInput("--to must be after --from, and at most a day after it. Nothing was shown.")
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    found = _look(meter, book, user, from_s, until_s)
    typer.echo(json.dumps(found) if as_json else _as_text(found))


def _look(number: str, book_id: int, user: str, from_s: int, until_s: int) -> dict[str, Any]:
    from fairwatt.flows import seconds as telemetry
    from fairwatt.flows.desk import DeskRefused, meter_of
    from fairwatt.flows.look_at_seconds import look_at_seconds
    from fairwatt.store.models import Book, User
    from fairwatt.web.access import Scope, now_us, seeing

    book = Book.objects.filter(pk=book_id).first()
    person = User.objects.filter(username=user).first()
    if book is None or person is None:
        raise OperatorError(f"There is no {'book ' + str(book_id) if book is None else 'person ' + user}.")
    try:
        meter = meter_of(book=book, number=number)
        look_at_seconds(
            book_id=book_id,
            meter=meter,
            user_id=person.pk,
            from_s=from_s,
            until_s=until_s,
            how="command line",
            now_us=now_us(),
        )
    except DeskRefused as error:
        raise OperatorError(str(error)) from error
    with seeing(scope=Scope(books=(book_id,))):
        values = telemetry.read_seconds(meter=meter.pk, from_s=from_s, until_s=until_s)
        days = telemetry.read_steps(meter=meter.pk, from_s=from_s, until_s=until_s, step_s=60)
    return _told(number, from_s, values, days)


def _told(number: str, from_s: int, values: Any, days: Any) -> dict[str, Any]:
    """Known seconds, or the minutes that are left of days whose seconds are gone."""
    from fairwatt.wire.records import UNKNOWN_I32

    seconds = [
        [from_s + n, *(None if v == UNKNOWN_I32 else v for v in column)]
        for n, column in enumerate(values.T.tolist())
        if any(v != UNKNOWN_I32 for v in column)
    ]
    until_s = from_s + values.shape[1]
    minutes = [
        [day_s + 60 * k, int(power.least[k]), int(power.total[k] // power.n[k]), int(power.most[k])]
        for day_s, (power, _, _) in days
        for k in range(len(power.n))
        if power.n[k] and from_s <= day_s + 60 * k < until_s
    ]
    return {
        "meter": number,
        "columns": ["second", "power_w", "voltage_dv", "current_ma"],
        "seconds": seconds,
        "known": len(seconds),
        "asked": int(values.shape[1]),
        "minutes": [] if seconds else minutes,
        "minute_columns": ["second", "least_w", "mean_w", "most_w"],
    }


def _as_text(found: dict[str, Any]) -> str:
    lines = [f"meter {found['meter']}: {found['known']} of {found['asked']} seconds are known"]
    for second, power, voltage, current in found["seconds"]:
        at = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        volts = "-" if voltage is None else f"{voltage // 10}.{voltage % 10}"
        lines.append(f"{at} {_or_dash(power):>7} W {volts:>6} V {_or_dash(current):>7} mA")
    for second, least, mean, most in found["minutes"]:
        at = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%MZ")
        lines.append(f"{at} {least:>7} to {most} W, mean {mean} W")
    return "\n".join(lines)


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _second(said: str, option: str) -> int:
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise BadInput(f"{option} {said[:40]!r} is no instant; write it as 2026-11-22T05:00:00.") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
