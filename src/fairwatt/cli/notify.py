"""What residents are told: what went out, what a message says, and whether the lines work."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

import typer

from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput, OperatorError

app = typer.Typer(no_args_is_help=True, help=__doc__)
channels_app = typer.Typer(no_args_is_help=True, help="The lines of notify.toml.")
app.add_typer(channels_app, name="channels")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BookOption = Annotated[str, typer.Option("--book", help="Short name of the book.")]


@app.command("list")
def list_(
    book: BookOption,
    state: Annotated[str, typer.Option(help="queued, sent, delivered, read, failed or suppressed.")] = "",
    channel: Annotated[str, typer.Option(help="push, wechat, email, sms or staff.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List messages, newest first, with why one failed; and how many homes are on the call list.

    Example: fairwatt notify list --book maple --state failed --json
    Exit code 0: listed. 1: a home was cut without a warning that arrived or a call (there is none). 2: bad input.
    """
    from fairwatt.core.notices.model import Channel, State

    if state and state not in set(State):
        raise BadInput(f"{state!r} is no state; take one of {', '.join(State)}. Nothing was read.")
    if channel and channel not in set(Channel):
        raise BadInput(f"{channel!r} is no channel; take one of {', '.join(Channel)}. Nothing was read.")
    found = _book(book, role="auditor")
    from django.db import connection, transaction

    from fairwatt.flows.notifying.desk import unheralded
    from fairwatt.flows.notifying.reaching import masked
    from fairwatt.store import escalations, facts, messages

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=found.pk)
        rows = messages.written(cursor=cursor, book=found.pk, state=state, channel=channel, limit=limit)
        calls = escalations.escalations(cursor=cursor, book=found.pk, open_only=True, limit=1000)
    lawless = unheralded(book_id=found.pk)
    if as_json:
        told = [_row(one, masked(one.address)) for one in rows]
        typer.echo(
            json.dumps(
                {"messages": told, "calls": len(calls), "unheralded_cuts": lawless}, ensure_ascii=False
            )
        )
    else:
        from fairwatt.web.design import format as text

        for one in rows:
            at = f"{text.day(at_us=one.made_us, zone=found.zone)} {text.clock(at_us=one.made_us, zone=found.zone)}"
            typer.echo(f"{one.id:>7}  {at:<24} {one.step:<9} {one.channel:<7} {one.state:<10} {one.reason}")
        typer.echo(f"{len(rows)} messages; {len(calls)} homes on the call list.")
    if lawless:
        typer.echo(
            f"CUT WITHOUT A WARNING OR A CALL: events {lawless}. Tell whoever maintains this.", err=True
        )
        raise typer.Exit(1)


@app.command()
def preview(
    step: Annotated[str, typer.Argument(help="A step, such as low, cut or restored.")],
    language: Annotated[str, typer.Option(help="en or zh-hans.")] = "en",
    wording: Annotated[str, typer.Option(help="Another short wording to try, with {places}.")] = "",
    as_json: AsJson = False,
) -> None:
    """Fill a message in with an example and count its short messages; a word it does not know is refused.

    Example: fairwatt notify preview cut --language zh-hans
    """
    from dataclasses import replace

    from fairwatt.core.notices.icu import BadWording
    from fairwatt.core.notices.model import Channel, Step
    from fairwatt.core.notices.wording import DEFAULTS, LANGUAGES, SAMPLE, check_wording, say

    if step not in set(Step) or language not in LANGUAGES:
        raise BadInput(f"There is no message {step!r} in {language!r}; steps are {', '.join(Step)}.")
    chosen = DEFAULTS[language][Step(step)]
    try:
        if wording:
            chosen = replace(chosen, short=wording)
            check_wording(step=Step(step), wording=chosen)
        letter, short = (
            say(wording=chosen, step=Step(step), values=SAMPLE[language], language=language, channel=channel)
            for channel in (Channel.EMAIL, Channel.SMS)
        )
    except BadWording as refused:
        raise BadInput(f"{refused} Nothing was saved.") from None
    assert short.segments is not None, "a short message is counted"
    counted = short.segments._asdict()
    if as_json:
        told = {"subject": letter.subject, "body": letter.body, "short": short.body, **counted}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    typer.echo(f"{letter.subject}\n\n{letter.body}\n\n--\n{short.body}")
    typer.echo(
        f"({counted['alphabet']}, {counted['units']} units: {counted['messages']} short message(s), "
        f"room for {counted['left']})"
    )


@app.command("send-test")
def send_test(
    account: Annotated[str, typer.Argument(help="A line, as organisation/name.")],
    to: Annotated[str, typer.Argument(help="The address: a mailbox, +86 138…, a WeChat openid.")],
    language: Annotated[str, typer.Option(help="en or zh-hans.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Send one message by a line, past the outbox, and say what its provider answered.

    Example: fairwatt notify send-test maple/post lin@example.org
    Exit code 0: taken. 1: refused, or no answer came. 2: bad input.
    """
    from fairwatt.core.notices.model import Channel, State, Step
    from fairwatt.core.notices.wording import DEFAULTS, LANGUAGES, say
    from fairwatt.notifier.carrier import Carrier, NoAnswer, post, to_staff
    from fairwatt.notifier.lines import Apprise
    from fairwatt.notify.contract import Letter, Moment, NotifyError
    from fairwatt.notify.mail import Mail
    from fairwatt.server.clock import clock_for

    config = Config.load()
    line = _lines(config).of.get(account)
    if line is None or language not in LANGUAGES:
        raise BadInput(f"There is no line {account!r} in notify.toml, or no such language. Nothing was sent.")
    at = Moment(now_us=clock_for(config).now_us(), nonce=secrets.token_hex(16))
    said = say(
        wording=DEFAULTS[language][Step.TRY],
        step=Step.TRY,
        values={"organisation": line.organisation},
        language=language,
        channel=Channel(line.sender.channel),
    )
    letter = Letter(
        ref=secrets.token_hex(16),
        step=Step.TRY,
        language=language,
        address=to,
        subject=said.subject,
        body=said.body,
        link=config.web_origin(),
        made_us=at.now_us,
        params={"organisation": line.organisation},
    )
    try:
        if isinstance(line.sender, Mail):
            outcome = post(mail=line.sender, letter=letter, at=at)
        elif isinstance(line.sender, Apprise):
            outcome = to_staff(line=line.sender, letter=letter)
        else:
            outcome = Carrier().carry(line.sender.deliver(letter=letter, at=at))
    except (NotifyError, NoAnswer) as wrong:
        raise OperatorError(f"{account} did not take it: {wrong}. Nothing was noted; try again.") from None
    told = {"state": outcome.state, "code": outcome.code, "provider_ref": outcome.provider_ref}
    taken = outcome.state is State.SENT
    if as_json:
        typer.echo(json.dumps({**told, "taken": taken}))
    elif taken:
        typer.echo(f"{account} took it. {outcome.provider_ref}".rstrip())
    else:
        typer.echo(
            f"{account} did not take it: {outcome.code}. Nothing was noted; mend the line, then try again.",
            err=True,
        )
    if not taken:
        raise typer.Exit(1)


@app.command()
def address(
    user: Annotated[str, typer.Argument(help="User name of the resident.")],
    channel: Annotated[str, typer.Option(help="sms, email or wechat (an openid).")],
    to: Annotated[str, typer.Option(help="The address.")],
) -> None:
    """Note how a resident is reached, as whoever looks after the building: by a list, or a form that was signed.

    Addresses that were there before hear of it.
    Example: fairwatt notify address 203 --channel sms --to "+86 138 0000 0001"
    """
    from fairwatt.core.refusal import Refusal
    from fairwatt.server.clock import clock_for
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from fairwatt.flows.notifying.reaching import note_address
    from fairwatt.store.models import User

    found = User.objects.filter(username=user, role="tenant").first()
    if found is None:
        raise BadInput(f"There is no resident {user!r}. Nothing was noted.")
    now_us = clock_for(Config.load()).now_us()
    try:
        number = note_address(user=found, channel=channel, address=to, now_us=now_us)
    except Refusal as refused:
        raise BadInput(str(refused)) from None
    typer.echo(f"Noted as address {number} of {user}.")


@channels_app.command()
def check(as_json: AsJson = False) -> None:
    """Read notify.toml, and say of each line what the notifier last knew of it. Sends nothing.

    Example: fairwatt notify channels check --json
    Exit code 0: all are in order. 1: the file cannot be used, or a line fails.
    """
    config = Config.load()
    lines = _lines(config)
    from fairwatt.server.wiring import use_django

    use_django(role="auditor")
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT account, failures, trouble FROM notify_channel")
        known = {account: (int(failures), trouble) for account, failures, trouble in cursor.fetchall()}
    told = [
        {
            "account": one.account,
            "channel": one.sender.channel,
            "kind": one.kind,
            "seen": one.account in known,
            "failures": known.get(one.account, (0, ""))[0],
            "trouble": known.get(one.account, (0, ""))[1],
            "reports": f"{config.web_origin()}/n/heard/{one.token}"
            if one.token and as_json
            else bool(one.token),
        }
        for one in lines.lines
    ]
    if as_json:
        typer.echo(json.dumps(told))
    else:
        for line in told:
            state = "not started yet" if not line["seen"] else line["trouble"] or "in order"
            typer.echo(f"{line['account']:<28} {line['channel']:<7} {line['kind']:<8} {state}")
        if not told:
            typer.echo("There is no line: messages wait, and warnings are on residents' pages only.")
    if any(line["failures"] for line in told):
        raise typer.Exit(1)


def _lines(config: Config) -> Any:
    from fairwatt.notifier.lines import FILE, BadLines, read_lines

    try:
        return read_lines(path=config.state / FILE, origin=config.web_origin())
    except BadLines as wrong:
        raise OperatorError(str(wrong)) from None


def _book(slug: str, *, role: Any) -> Any:
    from fairwatt.server.wiring import use_django

    use_django(role=role)
    from fairwatt.store.models import Book

    found = Book.objects.filter(slug=slug).first()
    if found is None:
        raise BadInput(f"There is no book {slug!r}. Nothing was read.")
    return found


def _row(one: Any, address: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "wallet": one.wallet,
        "step": one.step,
        "channel": one.channel,
        "to": address,
        "state": one.state,
        "reason": one.reason,
        "made_us": one.made_us,
        "tries": one.tries,
        "segments": one.segments,
    }
