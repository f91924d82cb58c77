"""Our processes beside the services: a head-end for each book, the web, a door that knows every gateway."""

import socket
import sys
from collections.abc import Sequence
from typing import Final

import psycopg

from fairwatt.server.config import Config, DatabaseRole
from fairwatt.server.launcher.nats import GatewayLogin, door_password
from fairwatt.server.launcher.services import Services
from fairwatt.server.launcher.supervisor import ProcessSpec

_BOOKS: Final = "SELECT id FROM store_book ORDER BY id"
_GATEWAYS: Final = """
    SELECT site.book_id, site.slug, gateway.slug
    FROM store_gateway AS gateway JOIN store_site AS site ON site.id = gateway.site_id
"""
PROGRAM: Final = (sys.executable, "-m", "fairwatt.cli")
"""How our own processes are started; a test may put a broken one in its place."""


class Fleet:
    """Keeps running processes and open doors in step with the books and gateways in the database."""

    def __init__(self, services: Services, *, program: Sequence[str] = PROGRAM) -> None:
        self._services = services
        self._program = program
        self._config = services.config
        self._books: set[int] = set()

    def start_web(self) -> None:
        """Serve the faces on the port in ports.json."""
        port = self._config.ports()["web"]
        self._services.run(
            _spec(
                self._config,
                self._program,
                name="web",
                role="web",
                command=["web", "--port", str(port)],
                port=port,
            )
        )

    def start_keeper(self) -> None:
        """Do what is due once a night, by the books' own clocks."""
        spec = _spec(self._config, self._program, name="keeper", role="web", command=["keeper"])
        self._services.run(spec)

    def start_collector(self) -> None:
        """Speak with payment providers, under a login that reads no ledger and credits nobody."""
        self._services.run(
            _spec(self._config, self._program, name="collector", role="collector", command=["collector"])
        )

    def start_notifier(self) -> None:
        """Send messages to people, under a login that reaches no money."""
        self._services.run(
            _spec(self._config, self._program, name="notifier", role="notifier", command=["notifier"])
        )

    def start_telemetry(self) -> None:
        """Keep what meters do second by second, beside the posters and behind them in every queue."""
        self._services.run(
            _spec(
                self._config,
                self._program,
                name="telemetry",
                role="telemetry",
                command=["telemetry", "run"],
            )
        )

    def keep_in_step(self) -> None:
        """Start what new books need, let new gateways in. A database that is down waits for next time."""
        try:
            books, logins = read_fleet(self._config)
        except psycopg.OperationalError:
            return
        if self._config.nats_url is None:
            self._services.set_gateways(logins)
        for book in books:
            self.start_headend(book)

    def start_headend(self, book: int) -> None:
        """Be the poster of a book, unless somebody of ours is already."""
        if book in self._books:
            return
        self._books.add(book)
        command = ["headend", "--book", str(book)]
        self._services.run(
            _spec(self._config, self._program, name=f"headend-{book}", role="poster", command=command)
        )


def read_fleet(config: Config) -> tuple[list[int], list[GatewayLogin]]:
    """The books, and every gateway's login; topics carry the book's number and the site's short name."""
    with psycopg.connect(config.dsn(role="poster"), connect_timeout=5) as link:
        books = [int(row[0]) for row in link.execute(_BOOKS)]
        gateways = link.execute(_GATEWAYS).fetchall()
    logins = [
        GatewayLogin(book=str(book), site=site, gateway=slug, password=door_password(config, gateway=slug))
        for book, site, slug in gateways
    ]
    return books, logins


def _spec(
    config: Config,
    program: Sequence[str],
    *,
    name: str,
    role: DatabaseRole,
    command: list[str],
    port: int | None = None,
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=[*program, *command],
        env=config.child_env(role=role),
        ready=(lambda pid: True) if port is None else (lambda pid: _answers(port)),
    )


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except OSError:
        return False
    return True
