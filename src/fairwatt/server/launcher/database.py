"""The database and its logins, made by an administrator's login and then left to migrations.

Who owns, who writes, who reads is decided here; what each may touch is decided by the store's own SQL.

    fairwatt_owner    owns everything, cannot log in
    fairwatt_migrate  may become the owner; migrations only
    fairwatt_poster   the one writer of the ledger; passes row-level security
    fairwatt_web      faces and carriers; row-level security holds it to its own
    fairwatt_auditor  reads only, and PostgreSQL itself refuses it anything else
    fairwatt_collector  speaks with payment providers and writes down what it heard; it posts nothing
    fairwatt_notifier  sends messages and notes how they went; it reads who lives where and nothing of payments
    fairwatt_telemetry  keeps what meters did second by second, and reaches nothing else
"""

import subprocess
import sys
from typing import Final

import psycopg
from psycopg import sql

from fairwatt.server.config import OWNER_ROLE, Config, DatabaseRole
from fairwatt.server.errors import OperatorError

CONNECT_TIMEOUT_S: Final = 10
LOGINS: Final[tuple[tuple[DatabaseRole, str], ...]] = (
    ("migrate", "NOBYPASSRLS"),
    ("poster", "BYPASSRLS"),
    ("web", "NOBYPASSRLS"),
    ("auditor", "NOBYPASSRLS"),
    ("telemetry", "NOBYPASSRLS"),
    ("collector", "NOBYPASSRLS"),
    ("notifier", "NOBYPASSRLS"),
)
ROLE_SETTINGS: Final = (
    ("migrate", "lock_timeout", "10s"),  # a migration that waits behind a reader would hold up the poster
    (
        "telemetry",
        "lock_timeout",
        "5s",
    ),  # a day to be dropped that waits for a reader would hold up every second after it
    ("web", "statement_timeout", "60s"),
    ("web", "idle_in_transaction_session_timeout", "60s"),
    ("auditor", "default_transaction_read_only", "on"),
    ("auditor", "statement_timeout", "5min"),
)
_LOCK_KEY: Final = 0x46A1A7


class DatabaseUnready(OperatorError):
    """The database cannot be prepared; the text says what that means and what to do."""


def prepare_database(config: Config) -> None:
    """Create the roles and the database, or bring them to what this release expects. Safe to repeat.

    Raises DatabaseUnready when the administrator's login is refused or may not do it.
    """
    server = config.database()
    try:
        with psycopg.connect(
            config.dsn(role="admin", database="postgres"), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
        ) as link:
            link.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])  # two starts at once take turns
            _make_roles(link, config)
            _make_database(link, server.name)
        with psycopg.connect(
            config.dsn(role="admin"), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
        ) as link:
            _hand_over_schema(link)
    except psycopg.Error as refused:
        raise DatabaseUnready(
            f"The database at {server.host}:{server.port} could not be prepared, so nothing is charged and "
            f"supply stays as it is: {refused}. Its administrator's login must be able to create roles "
            "(with BYPASSRLS) and databases; set it in FAIRWATT_DATABASE_URL and start again."
        ) from refused


def migrate_database(config: Config) -> None:
    """Bring the tables to this release, as the owner; raises DatabaseUnready with Django's own words."""
    run_manage(
        config, role="migrate", arguments=["migrate", "--no-input", "--skip-checks", "--verbosity", "1"]
    )


def run_manage(config: Config, *, role: DatabaseRole, arguments: list[str]) -> str:
    """Run a Django command in its own process under `role` and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=config.child_env(role=role),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise DatabaseUnready(
            f"`{' '.join(arguments)}` failed; the database is as it was before the step that failed. It "
            f"said:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def _make_roles(link: psycopg.Connection, config: Config) -> None:
    _make_role(link, OWNER_ROLE)
    owner = sql.Identifier(OWNER_ROLE)
    link.execute(sql.SQL("ALTER ROLE {} NOLOGIN NOBYPASSRLS").format(owner))
    for role, row_security in LOGINS:
        name = _make_role(link, f"fairwatt_{role}")
        link.execute(
            sql.SQL("ALTER ROLE {} LOGIN NOCREATEDB NOCREATEROLE {} PASSWORD {}").format(
                name, sql.SQL(row_security), sql.Literal(config.secrets.require(f"db_{role}"))
            )
        )
    migrate = sql.Identifier("fairwatt_migrate")
    link.execute(sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(owner, migrate))
    link.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))  # to make a database for it
    for role, name_, value in ROLE_SETTINGS:
        link.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                sql.Identifier(f"fairwatt_{role}"), sql.Identifier(name_), sql.Literal(value)
            )
        )


def _make_role(link: psycopg.Connection, name: str) -> sql.Identifier:
    if link.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        link.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))
    return sql.Identifier(name)


def _make_database(link: psycopg.Connection, name: str) -> None:
    database, owner = sql.Identifier(name), sql.Identifier(OWNER_ROLE)
    if link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
        link.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(database, owner)
        )
    link.execute(sql.SQL("ALTER DATABASE {} SET timezone = 'UTC'").format(database))
    link.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    logins = sql.SQL(", ").join(sql.Identifier(f"fairwatt_{role}") for role, _ in LOGINS)
    link.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, logins))
    link.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO fairwatt_poster").format(database))


def _hand_over_schema(link: psycopg.Connection) -> None:
    link.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(OWNER_ROLE)))
    link.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
