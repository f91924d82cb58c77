"""`fairwatt commission alarms`: what alarms are set to, by site, feeder and meter, and whether gateways go by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairwatt.cli.commission import AsJson, Book, User, as_person
from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.flows.set_alarms import AlarmScope, AlarmsSet

app = typer.Typer(no_args_is_help=True, help="What alarms are set to, by site, feeder and meter.")
SiteName = Annotated[str, typer.Option("--site", help="The whole site.")]
GatewayName = Annotated[str, typer.Option("--gateway", help="With --feeder: whose feeder.")]
FeederName = Annotated[str, typer.Option("--feeder", help="One feeder of a gateway.")]
MeterNumber = Annotated[int | None, typer.Option("--meter", help="One meter, by its number.")]
Words = Annotated[str, typer.Option(help="Why.")]
Canary = Annotated[
    int, typer.Option(help="Per cent that must be proven before the rest follows.", min=0, max=100)
]


@app.command("set")
def set_(
    rules: Annotated[str, typer.Argument(help="Rules by name as JSON; {} goes back to the wider scope.")],
    book: Book,
    user: User,
    why: Words,
    site: SiteName = "",
    gateway: GatewayName = "",
    feeder: FeederName = "",
    meter: MeterNumber = None,
    canary: Canary = 5,
    as_json: AsJson = False,
) -> None:
    """Set what differs from the wider scope, and take it to the gateways.

    Powers are in watts of the wires, also behind transformers. A rule of false is left out. Whatever a gateway's own
    file says of these meters' alarms counts no more.

    Examples: fairwatt commission alarms set '{"overload": {"limit_w": 6600, "restore_after_s": 300}}' --site court
    --book 1 --user admin --why "new fuses"
    fairwatt commission alarms set '{"suspect_load": {"step_w": 800, "hours": [[1380, 360]]}}' --meter 202700000001
    --book 1 --user admin --why "room 101 cooks at night"

    Exit code 0: set. 1: refused, and nothing was set. 2: not JSON.
    """
    try:
        wanted = json.loads(rules)
    except ValueError as error:
        raise BadInput(f"The rules are not JSON: {error}. Nothing was set.") from error
    if not isinstance(wanted, dict):
        raise BadInput("The rules are not a JSON object. Nothing was set.")

    def work(person: int, now_us: int) -> AlarmsSet:
        from fairwatt.flows.set_alarms import set_alarms

        return set_alarms(
            book_id=book,
            scope=_scope(site, gateway, feeder, meter),
            rules=wanted,
            words=why,
            user_id=person,
            now_us=now_us,
            canary_pm=canary * 10,
        )

    _say(as_person("web", user, work), as_json=as_json)


@app.command("send")
def send(
    book: Book,
    user: User,
    why: Words,
    site: SiteName = "",
    gateway: GatewayName = "",
    feeder: FeederName = "",
    meter: MeterNumber = None,
    canary: Canary = 5,
    as_json: AsJson = False,
) -> None:
    """Take what is set to the meters of a scope once more: after new homes, an exchange, or another feeder.

    Example: fairwatt commission alarms send --site court --book 1 --user lin --why "new homes"
    """

    def work(person: int, now_us: int) -> AlarmsSet:
        from fairwatt.flows.set_alarms import send_alarms

        return send_alarms(
            book_id=book,
            scope=_scope(site, gateway, feeder, meter),
            words=why,
            user_id=person,
            now_us=now_us,
            canary_pm=canary * 10,
        )

    _say(as_person("web", user, work), as_json=as_json)


@app.command("show")
def show(book: Book, meter: MeterNumber = None, as_json: AsJson = False) -> None:
    """Show every word in force; with --meter what that meter is watched for, as it measures, and whether it is proven.

    Example: fairwatt commission alarms show --book 1 --meter 202700000001 --json
    """
    from fairwatt.server.wiring import use_django

    use_django(role="web")
    from fairwatt.store import alarm_settings
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(book,))):
        if meter is not None:
            told = _meter(book, meter)
        else:
            told = {
                "settings": [
                    {
                        "version": one.id,
                        "site": one.site,
                        "gateway": one.gateway,
                        "feeder": one.feeder,
                        "meter": one.meter,
                        "rules": dict(one.rules),
                        "words": one.words,
                    }
                    for one in alarm_settings.settings(book=book)
                ]
            }
    typer.echo(
        json.dumps(told, ensure_ascii=False) if as_json else json.dumps(told, ensure_ascii=False, indent=2)
    )


def _meter(book: int, number: int) -> dict[str, Any]:
    from fairwatt.core.alarms.policy import policy_to_obj
    from fairwatt.flows.desk import NotFound, meter_of
    from fairwatt.flows.set_alarms import watch_of
    from fairwatt.store import alarm_settings, pushes
    from fairwatt.store.models import Book as BookRow

    row = BookRow.objects.get(pk=book)
    try:
        meter = meter_of(book=row, number=str(number))
    except NotFound as error:
        raise OperatorError(str(error)) from error
    watch = watch_of(book=row, meter=meter, known=alarm_settings.settings(book=book))
    _, _, rules = policy_to_obj(watch.policy)
    assert isinstance(rules, list)
    orders = pushes.orders_of_meter(book=book, gateway=meter.gateway_id, meter=meter.number)
    sent = next((order for order in orders if order["kind"] == "watch"), None)
    return {
        "meter": meter.number,
        "feeder": watch.feeder,
        "feeds_gateway": watch.feeds_gateway,
        "rules": dict(rules),
        "sent": None if sent is None else {"version": sent["wish"]["setting"], "state": sent["state"]},
    }


def _scope(site: str, gateway: str, feeder: str, meter: int | None) -> AlarmScope:
    from fairwatt.flows.set_alarms import AlarmScope

    return AlarmScope(site=site, gateway=gateway, feeder=feeder, meter=meter)


def _say(done: AlarmsSet, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"version": done.setting, "push": done.push, "meters": done.meters}))
        return
    typer.echo(f"Version {done.setting}, for {done.meters} meters.")
    if done.push is not None:
        typer.echo(f"See how far it has got with: fairwatt push status {done.push} --book ...")
