"""The `fairwatt` command: each process of the house, startable alone, and the one that runs them all.

Example: fairwatt tariff check homes.yaml. Exit code 0: done. 1: refused, or a figure is wrong. 2: bad input.
"""

import json
import os
import subprocess
import sys
from typing import Annotated

import typer

from fairwatt.cli import (
    alarm_settings,
    allocation,
    at_gateway,
    cash,
    codes,
    commission,
    commissioning,
    correcting,
    courier,
    credit,
    deposit,
    drill,
    edge,
    efapiao,
    estate,
    explaining,
    forecast,
    invoices,
    issuer,
    letting,
    merchant,
    meter,
    meter_lists,
    moving,
    notify,
    people,
    postpaid,
    push,
    readings,
    reconcile,
    refunds,
    reports,
    simulation,
    sts,
)
from fairwatt.cli import telemetry as seconds
from fairwatt.cli.backtest import backtest
from fairwatt.cli.foreground import serve_until_stopped, stop_signals
from fairwatt.cli.rate import rate
from fairwatt.cli.tariff import tariff
from fairwatt.server.config import DATABASE_ROLES, Config, DatabaseRole
from fairwatt.server.errors import OperatorError

STREETS, PRICES, BOOKS = "A street to look at and to judge", "Prices and charges", "Money and books"
CODES = "Meters and codes"
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
at_gateway.add_to(edge.app)
commissioning.add_to(edge.app)
app.add_typer(edge.app, name="edge")
app.add_typer(codes.app, name="code")
app.add_typer(courier.app, name="courier")
app.add_typer(credit.app, name="credit", rich_help_panel=BOOKS)
app.add_typer(meter.app, name="meter")
app.add_typer(allocation.app, name="allocation", rich_help_panel=BOOKS)
app.add_typer(drill.app, name="drill", rich_help_panel=STREETS)
app.add_typer(estate.app, name="units", rich_help_panel=BOOKS)
app.add_typer(moving.app, name="move", rich_help_panel=BOOKS)
app.add_typer(letting.app, name="let", rich_help_panel=BOOKS)
app.add_typer(deposit.app, name="deposit", rich_help_panel=BOOKS)
app.add_typer(people.app, name="household", rich_help_panel=BOOKS)
app.add_typer(cash.app, name="shift", rich_help_panel=BOOKS)
app.add_typer(sts.app, name="sts", rich_help_panel=CODES)
app.command(rich_help_panel=PRICES)(explaining.explain)
app.command(rich_help_panel=BOOKS)(forecast.forecast)
app.command("correct-tariff", rich_help_panel=PRICES)(correcting.correct_tariff)
app.command("correct-reading", rich_help_panel=PRICES)(correcting.correct_reading)
app.add_typer(readings.app, name="import", rich_help_panel=PRICES)
app.add_typer(tariff, name="tariff", rich_help_panel=PRICES)
app.add_typer(seconds.app, name="telemetry", rich_help_panel=BOOKS)
app.add_typer(push.app, name="push", rich_help_panel=BOOKS)
meter_lists.add_to(commission.app)
commission.app.add_typer(alarm_settings.app, name="alarms")
app.add_typer(commission.app, name="commission", rich_help_panel=CODES)
app.add_typer(issuer.app, name="issuer", rich_help_panel=BOOKS)
app.add_typer(merchant.app, name="merchant", rich_help_panel=BOOKS)
app.add_typer(notify.app, name="notify", rich_help_panel=BOOKS)
app.add_typer(refunds.app, name="refunds", rich_help_panel=BOOKS)
app.add_typer(invoices.app, name="invoices", rich_help_panel=BOOKS)
app.add_typer(efapiao.app, name="efapiao", rich_help_panel=BOOKS)
app.add_typer(postpaid.app, name="postpaid", rich_help_panel=BOOKS)
app.command(rich_help_panel=STREETS)(simulation.demo)
app.command("demo-check", rich_help_panel=STREETS)(simulation.demo_check)
app.command(rich_help_panel=STREETS)(simulation.replay)
app.command(rich_help_panel=PRICES)(rate)
app.command(rich_help_panel=PRICES)(backtest)
app.command(rich_help_panel=STREETS)(simulation.simulate)
app.command(rich_help_panel=BOOKS)(reports.report)
app.command(rich_help_panel=BOOKS)(reconcile.reconcile)
app.command("close-month", rich_help_panel=BOOKS)(reports.close_month)
app.command("opening-balance", rich_help_panel=BOOKS, context_settings={"ignore_unknown_options": True})(
    reports.opening_balance
)

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command line; an error a person can mend is printed, not traced."""
    try:
        app()
    except OperatorError as error:
        print(f"fairwatt: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not _is_database_away(error):
            raise
        said = str(error).partition("\n")[0]
        print(
            f"fairwatt: The database cannot be reached ({said}). What was not answered was not done. Start Fairwatt "
            "with `fairwatt up` or `make demo`, or name the running one with FAIRWATT_STATE (its folder) or "
            "FAIRWATT_DATABASE_URL; then run this again.",
            file=sys.stderr,
        )
        sys.exit(OperatorError.exit_code)


def _is_database_away(error: Exception) -> bool:
    """Whether no connection stands: the server never spoke, so it gave no SQLSTATE. Django may not be installed."""
    utils = sys.modules.get("django.db.utils")
    return (
        utils is not None
        and isinstance(error, utils.OperationalError)
        and getattr(error.__cause__, "sqlstate", None) is None
    )


@app.command()
def up() -> None:
    """Run everything on this machine: database, backbone, a head-end per book, the web; Ctrl-C stops it."""
    from fairwatt.server.launcher.fleet import Fleet
    from fairwatt.server.launcher.services import Services

    with stop_signals(), Services(Config.load()) as services:
        fleet = Fleet(services)
        fleet.keep_in_step()
        fleet.start_web()
        fleet.start_keeper()
        fleet.start_telemetry()
        fleet.start_collector()
        fleet.start_notifier()
        where = services.config
        serve_until_stopped(announce=lambda: _say_where(where, web=True), step=fleet.keep_in_step)


@app.command(context_settings=PASS_THROUGH)
def services(context: typer.Context, as_json: AsJson = False) -> None:
    """Run only PostgreSQL and NATS, migrated; with a command after `--`, only while that runs."""
    from fairwatt.server.launcher.services import Services

    config = Config.load()
    code = 0
    with stop_signals(), Services(config):
        if context.args:
            env = {**os.environ, "FAIRWATT_STATE": str(config.state)}
            code = _run(context.args, env)
        else:
            serve_until_stopped(announce=lambda: _say_where(config, web=False, as_json=as_json))
    raise typer.Exit(code)


@app.command()
def headend(book: Annotated[int, typer.Option(help="Number of the book to post.", min=1)]) -> None:
    """Run the poster of one book: readings and facts in, ledger lines and commands out."""
    from fairwatt.server.wiring import run_headend

    run_headend(Config.load(), book=book)


@app.command()
def keeper() -> None:
    """Once a night, by each book's own clock: look at the meters' last weeks, estimate gaps, mark them.

    Example: fairwatt keeper
    """
    from fairwatt.server.wiring import run_keeper

    run_keeper(Config.load())


@app.command()
def collector() -> None:
    """Speak with payment providers: make orders, ask how they stand, close them. `fairwatt up` runs it.

    Example: fairwatt collector
    """
    from fairwatt.server.wiring import run_collector

    run_collector(Config.load())


@app.command()
def notifier() -> None:
    """Send messages to people: warnings, answers, calls to staff. `fairwatt up` runs it; its lines are in notify.toml.

    Example: fairwatt notifier
    """
    from fairwatt.server.wiring import run_notifier

    run_notifier(Config.load())


@app.command()
def web(
    port: Annotated[int, typer.Option(help="0: the one in ports.json.", min=0, max=65535)] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve the pages of residents, desk and auditors."""
    from fairwatt.server.wiring import run_web

    run_web(host=host, port=port or Config.load().ports()["web"])


@app.command()
def migrate() -> None:
    """Make roles and database (of running services, or FAIRWATT_DATABASE_URL) and update the tables."""
    from fairwatt.server.launcher.database import migrate_database, prepare_database

    config = Config.load()
    config.secrets.ensure()
    prepare_database(config)
    migrate_database(config)
    typer.echo("The database is up to date.")


@app.command("rebuild-caches")
def rebuild_caches(book: Annotated[int, typer.Option(help="Number of the book.", min=1)]) -> None:
    """Drop what pages read of a book; its head-end starts anew and makes it again from the ledger.

    Money and supply are not touched. Example: fairwatt rebuild-caches --book 1.
    """
    from fairwatt.server.wiring import use_django

    use_django(role="poster")
    from fairwatt.store.caches import drop_caches

    drop_caches(book=book)
    typer.echo(f"The caches of book {book} are dropped; its head-end rebuilds them from the ledger.")


@app.command(context_settings=PASS_THROUGH)
def manage(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="Database role; by default the one the command needs.")] = "",
) -> None:
    """Run a Django management command, for example `fairwatt manage check`."""
    from django.core.management import execute_from_command_line

    owner_commands = {"migrate", "makemigrations", "showmigrations", "sqlmigrate", "inspectdb"}
    needed = "migrate" if owner_commands & set(context.args[:1]) else "web"
    os.environ["FAIRWATT_DB_ROLE"] = role or os.environ.get("FAIRWATT_DB_ROLE") or needed
    os.environ["DJANGO_SETTINGS_MODULE"] = "fairwatt.server.settings"
    execute_from_command_line(["fairwatt manage", *context.args])


@app.command()
def status(as_json: AsJson = False) -> None:
    """List the processes of this state folder, and whether they are alive. Exit code 1 when one is not."""
    from fairwatt.server.launcher.process import noted_processes

    found = noted_processes(Config.load().state / "run")
    if as_json:
        typer.echo(json.dumps([{"name": name, "pid": pid, "alive": alive} for name, pid, alive in found]))
    else:
        for name, pid, alive in found:
            typer.echo(f"{name:<14} {pid:>8}  {'running' if alive else 'dead'}")
        if not found:
            typer.echo("Nothing runs from this folder.")
    raise typer.Exit(0 if found and all(alive for _, _, alive in found) else 1)


@app.command()
def dsn(role: Annotated[str, typer.Option(help="admin, migrate, poster, web or auditor.")] = "web") -> None:
    """Print the database address of a role, for psql and other tools. It contains the password."""
    known: DatabaseRole | None = next((one for one in DATABASE_ROLES if one == role), None)
    if known is None:
        raise OperatorError(f"{role!r} is no database role; take one of {', '.join(DATABASE_ROLES)}.")
    typer.echo(Config.load().dsn(role=known))


def _run(command: list[str], env: dict[str, str]) -> int:
    try:
        code = subprocess.run(command, env=env, check=False).returncode
    except OSError as failure:
        raise OperatorError(
            f"`{command[0]}` cannot be run ({failure}); the services stopped again."
        ) from failure
    return code if code >= 0 else 128 - code


def _say_where(config: Config, *, web: bool, as_json: bool = False) -> None:
    server, (mqtt_host, mqtt_port) = config.database(), config.mqtt_address()
    where = {
        "state": str(config.state),
        "database": f"{server.host}:{server.port}/{server.name}",
        "gateways": f"mqtt://{mqtt_host}:{mqtt_port}",
        **({"web": config.web_origin()} if web else {}),
    }
    if as_json:
        typer.echo(json.dumps(where))
        return
    for name, value in where.items():
        typer.echo(f"{name:<9} {value}")
    typer.echo("ready; Ctrl-C stops it all")
