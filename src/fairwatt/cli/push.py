"""`fairwatt push`: wishes for many meters or gateways, how far they have got, and the answer to cuts held back."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(
    no_args_is_help=True, help="Wishes for meters and gateways: limits, clocks, prices, keys, settings."
)
Book = Annotated[int, typer.Option(help="Number of the book.", min=1)]
User = Annotated[str, typer.Option("--user", help="Your sign-in name; what you do is written down.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Words = Annotated[str, typer.Option(help="Why.")]
Number = Annotated[int, typer.Argument(help="Number of the push.", min=1)]


@app.command("start")
def start(
    kind: Annotated[
        str, typer.Argument(help="supply, limit_power, set_clock, show_prices, trust_issuer, configure")
    ],
    wish: Annotated[str, typer.Argument(help="The wish as JSON.")],
    book: Book,
    user: User,
    why: Words,
    meter: Annotated[
        list[int] | None, typer.Option(help="A meter's number; again for more. None: all.")
    ] = None,
    canary: Annotated[
        int, typer.Option(help="Per cent that must be proven before the rest follows.", min=0, max=100)
    ] = 5,
    as_json: AsJson = False,
) -> None:
    """Wish something of some meters or of all.

    Examples: fairwatt push start limit_power '{"limit_w": 3000}' --book 1 --user desk --why "thin cable"
    fairwatt push start supply '{"relay": "open"}' --meter 100000000001 --book 1 --user desk --why "works in the flat"
    fairwatt push start configure '{"interval_s": 60}' --book 1 --user desk --why "slow line"

    Exit code 0: written down. 1: refused, and nothing was ordered. 2: the wish cannot be used.
    """
    try:
        wanted = json.loads(wish)
    except ValueError as error:
        raise BadInput(f"The wish is not JSON: {error}. Nothing was ordered.") from None
    if not isinstance(wanted, dict):
        raise BadInput("The wish is not a JSON object. Nothing was ordered.")

    def work(person: int, now_us: int) -> int:
        from fairwatt.flows.ask_push import start_push

        return start_push(
            book_id=book,
            kind=kind,
            wish=wanted,
            words=why,
            user_id=person,
            now_us=now_us,
            meters=meter or None,
            canary_pm=canary * 10,
        )

    number = _as(user, work)
    _say(_progress(book, number), as_json=as_json)


@app.command("status")
def status(
    book: Book,
    push: Annotated[int, typer.Argument(help="Number of the push; 0: the newest ones.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Show how far pushes have got. Example: fairwatt push status 7 --book 1 --json"""
    from fairwatt.server.wiring import use_django

    use_django(role="auditor")
    if push:
        _say(_progress(book, push), as_json=as_json)
        return
    found = _list(book)
    if as_json:
        typer.echo(json.dumps(found))
    for one in [] if as_json else found:
        typer.echo(
            f"{one['push']:>5}  {one['state']:<8} {one['kind']:<13} {one['targets']:>6}  {one['words']}"
        )


@app.command("pause")
def pause(push: Number, book: Book, user: User, why: Words = "", as_json: AsJson = False) -> None:
    """Order nothing more until it is resumed. Example: fairwatt push pause 7 --book 1 --user desk"""
    _step(push, book, user, "pause", why, as_json)


@app.command("resume")
def resume(push: Number, book: Book, user: User, why: Words = "", as_json: AsJson = False) -> None:
    """Go on, also past a first share that failed. Example: fairwatt push resume 7 --book 1 --user desk"""
    _step(push, book, user, "resume", why, as_json)


@app.command("stop")
def stop(push: Number, book: Book, user: User, why: Words = "", as_json: AsJson = False) -> None:
    """Order nothing more, for good. Example: fairwatt push stop 7 --book 1 --user desk"""
    _step(push, book, user, "stop", why, as_json)


@app.command("approve")
def approve(push: Number, book: Book, user: User, why: Words = "", as_json: AsJson = False) -> None:
    """Say, as an administrator who did not ask for it, that so many cuts are meant.

    Example: fairwatt push approve 7 --book 1 --user second
    """
    _step(push, book, user, "approve", why, as_json)


@app.command("held")
def held(book: Book, as_json: AsJson = False) -> None:
    """Show cuts that were held back because they are too many. Exit code 1 when some are."""
    from fairwatt.server.wiring import use_django

    use_django(role="auditor")
    from fairwatt.flows.answer_mass_cut import held_cuts
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(book,))):
        found = held_cuts(book=book)
    if as_json:
        typer.echo(json.dumps(None if found is None else found._asdict()))
    elif found is None:
        typer.echo("No cuts are held back.")
    else:
        typer.echo(
            f"{found.homes} homes keep their supply although their credit is used up: {found.wanted} cuts at once, "
            f"{found.recent} in the hour before, limit {found.limit} of {found.meters} meters."
        )
    raise typer.Exit(0 if found is None else 1)


@app.command("answer")
def answer(
    book: Book,
    user: User,
    why: Words,
    allow: Annotated[bool, typer.Option("--allow/--refuse", help="Whether the cuts are meant.")] = False,
) -> None:
    """Answer, as an administrator, whether cuts that were held back are meant.

    Example: fairwatt push answer --refuse --book 1 --user admin --why "the new tariff is wrong"
    """

    def work(person: int, now_us: int) -> int:
        from fairwatt.flows.answer_mass_cut import NothingAsked, answer_mass_cut, held_cuts
        from fairwatt.web.access import Scope, seeing

        with seeing(scope=Scope(books=(book,))):
            found = held_cuts(book=book)
        if found is None:
            raise NothingAsked("No cuts are held back, so there is nothing to answer.")
        return answer_mass_cut(
            book_id=book, since_us=found.since_us, allow=allow, words=why, user_id=person, now_us=now_us
        )

    typer.echo(f"Answered, as fact {_as(user, work)}; the poster acts on it.")


def _as[T](user: str, work: Callable[[int, int], T]) -> T:
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from fairwatt.flows.desk import DeskRefused
    from fairwatt.store.models import User as Person
    from fairwatt.web.access import now_us

    person = Person.objects.filter(username=user).first()
    if person is None:
        raise OperatorError(f"There is no person {user[:60]}. Nothing was ordered.")
    try:
        return work(person.pk, now_us())
    except DeskRefused as error:
        raise OperatorError(str(error)) from error


def _step(push: int, book: int, user: str, step: str, words: str, as_json: bool) -> None:
    def work(person: int, now_us: int) -> object:
        from fairwatt.flows.ask_push import step_push

        return step_push(book_id=book, push_id=push, step=step, words=words, user_id=person, now_us=now_us)

    _as(user, work)
    _say(_progress(book, push), as_json=as_json)


def _progress(book: int, push: int) -> dict[str, Any]:
    from fairwatt.store import pushes
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(book,))):
        found = pushes.pushes(book=book, push=push)
        targets = pushes.targets(push=found[0]) if found else []
    if not found:
        raise OperatorError(f"There is no push {push} in book {book}.")
    counts: dict[str, int] = {}
    for target in targets:
        counts[target.state] = counts.get(target.state, 0) + 1
    return {
        "push": push,
        "kind": found[0].kind,
        "wish": found[0].wish,
        "state": found[0].state,
        "steps": list(found[0].steps),
        "targets": found[0].targets,
        "progress": counts,
        "failed": [[t.gateway, t.meter, t.reason] for t in targets if t.state in ("failed", "expired")],
    }


def _list(book: int) -> list[dict[str, Any]]:
    from fairwatt.store import pushes
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(book,))):
        found = pushes.pushes(book=book)
    return [
        {"push": p.id, "kind": p.kind, "state": p.state, "targets": p.targets, "words": p.words}
        for p in found
    ]


def _say(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found))
        return
    counts = ", ".join(f"{count} {state}" for state, count in sorted(found["progress"].items()))
    typer.echo(f"push {found['push']} ({found['kind']}) is {found['state']}: {counts} of {found['targets']}")
    for gateway, meter, reason in found["failed"]:
        typer.echo(f"  gateway {gateway}, meter {meter or '-'}: {reason or 'failed'}")
