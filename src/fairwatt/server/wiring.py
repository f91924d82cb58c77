"""Joins a server process to its parts: settings, clock, keys and addresses, handed down once at its start."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import django
import uvicorn
from prometheus_client import start_http_server

from fairwatt.server.clock import clock_for
from fairwatt.server.code_keys import code_keys
from fairwatt.server.config import OWNER_ROLE, Config, DatabaseRole
from fairwatt.server.errors import OperatorError
from fairwatt.server.keys import (
    EINVOICE,
    ISSUER,
    MERCHANT_ACTING,
    MERCHANT_READING,
    SANDBOX_PROVIDER,
    issuer_kid,
    load_private_key,
    load_public_key,
    load_sealing_key,
)
from fairwatt.wire.commands import Command, sign_command

if TYPE_CHECKING:
    from fairwatt.flows.posting.planning import Poster
    from fairwatt.notifier.main import Notifier

STEPS_BACK: Final = 5
"""Of the scheduler's nice value: about a third of the share of a process that does not stand back."""


def use_django(*, role: DatabaseRole) -> None:
    """Load Django in this process, to meet the database as `role`. Once per process, before any model."""
    os.environ["FAIRWATT_DB_ROLE"] = role
    os.environ["DJANGO_SETTINGS_MODULE"] = "fairwatt.server.settings"
    django.setup()


@contextmanager
def database_role(role: DatabaseRole) -> Iterator[None]:
    """Meet the database as another role for a while, in this thread; set Django up first.

    Commissioning needs it: what the web may not do (homes, meters, tariffs, keys), a person at the command
    line does as the role that also migrates.
    """
    from django.db import connection

    known = connection.settings_dict
    after = role_settings(role=role)
    before = {name: known[name] for name in after}
    connection.close()
    known.update(after)
    try:
        yield
    finally:
        connection.close()
        known.update(before)


def role_settings(*, role: DatabaseRole) -> dict[str, Any]:
    """What of Django's settings of the default database changes for whoever enters as `role`."""
    from django.db import connection

    user, password = Config.load().database_login(role=role)
    options = {
        **connection.settings_dict["OPTIONS"],
        "assume_role": OWNER_ROLE if role == "migrate" else None,
    }
    return {"USER": user, "PASSWORD": password, "OPTIONS": options}


def run_headend(config: Config, *, book: int) -> None:
    """Be the poster of one book until stopped."""
    use_django(role="poster")
    from fairwatt.headend.main import run  # models need Django first
    from fairwatt.headend.metrics import Metrics

    metrics = Metrics()
    if config.metrics_port:
        start_http_server(config.metrics_port + book - 1, addr="127.0.0.1", registry=metrics.registry)
    asyncio.run(
        run(
            book=book,
            nats_url=config.backbone_url(),
            poster=poster_for(config),
            clock=clock_for(config),
            metrics=metrics,
        )
    )


def _stand_back() -> None:
    """Let who answers people and platforms, and who posts, have a busy processor first."""
    os.nice(STEPS_BACK)


def run_keeper(config: Config) -> None:
    """Do what is due once a night, until stopped."""
    _stand_back()
    use_django(role="web")
    from fairwatt.worker.nightly import run  # models need Django first

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(clock=clock_for(config), stop=stop)


def run_collector(config: Config) -> None:
    """Speak with payment providers until stopped."""
    _stand_back()
    use_django(role="collector")
    from fairwatt.collector.carrier import Carrier
    from fairwatt.collector.main import Collector  # models need Django first
    from fairwatt.flows.merchants import Merchants

    collector = Collector(
        merchants=Merchants(
            reading=load_sealing_key(config.keys, name=MERCHANT_READING),
            acting=load_sealing_key(config.keys, name=MERCHANT_ACTING),
        ),
        carrier=Carrier(),
        clock=clock_for(config),
        origin=config.web_origin(),
        dsn=config.dsn(role="collector"),
        einvoice_key=load_private_key(config.keys, name=EINVOICE),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: collector.stop())
    collector.run()


def notifier_for(config: Config) -> "Notifier":
    """The notifier with its lines; set Django up first. Raises OperatorError for a file that cannot be used."""
    from fairwatt.notifier.carrier import Carrier
    from fairwatt.notifier.lines import FILE, BadLines, read_lines
    from fairwatt.notifier.main import Notifier

    try:
        book = read_lines(path=config.state / FILE, origin=config.web_origin())
    except BadLines as wrong:
        raise OperatorError(str(wrong)) from None
    return Notifier(
        book=book,
        carrier=Carrier(),
        clock=clock_for(config),
        origin=config.web_origin(),
        dsn=config.dsn(role="notifier"),
    )


def run_notifier(config: Config) -> None:
    """Send messages to people until stopped."""
    _stand_back()
    use_django(role="notifier")
    notifier = notifier_for(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: notifier.stop())
    notifier.run()


def run_telemetry(config: Config) -> None:
    """Keep what meters do second by second, until stopped."""
    _stand_back()
    use_django(role="telemetry")
    from fairwatt.headend.telemetry import TelemetryKeeper  # models need Django first
    from fairwatt.server.running import run_until_signalled

    keeper = TelemetryKeeper(
        url=config.telemetry_url(), dsn=config.dsn(role="telemetry"), clock=clock_for(config)
    )
    run_until_signalled(keeper.run())


def poster_for(config: Config) -> "Poster":
    """What posting needs from outside: the providers whose word counts, and the key that orders meters."""
    from fairwatt.flows.merchants import Merchants
    from fairwatt.flows.posting.planning import Poster
    from fairwatt.payments.registry import providers

    issuer = load_private_key(config.keys, name=ISSUER)
    kid = issuer_kid(issuer.public_key())

    def sign(command: Command) -> bytes:
        return sign_command(command=command, key=issuer, kid=kid)

    sandbox = load_public_key(config.keys, name=SANDBOX_PROVIDER)
    return Poster(
        providers=providers(sandbox_key=sandbox, sandbox_checkout=config.paysim_origin()),
        sign=sign,
        codes=code_keys(config),
        merchants=Merchants(reading=load_sealing_key(config.keys, name=MERCHANT_READING)),
    )


def run_web(*, host: str, port: int) -> None:
    """Serve the faces until stopped. TLS ends at a proxy in front."""
    os.environ["FAIRWATT_DB_ROLE"] = "web"
    uvicorn.run(
        "fairwatt.server.asgi:application",
        host=host,
        port=port,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,  # live pages hold their connection for ever
    )
