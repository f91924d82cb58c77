"""Where this installation keeps its things, and how to reach its database and its backbone.

Every process reads the same few environment variables and the same state folder, so each can be
started alone. Nothing here opens a connection.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from fairwatt.server.errors import OperatorError
from fairwatt.server.secret_files import SecretFiles

type DatabaseRole = Literal[
    "admin", "migrate", "poster", "web", "auditor", "telemetry", "collector", "notifier"
]

DATABASE_ROLES: Final[tuple[DatabaseRole, ...]] = (
    "admin",
    "migrate",
    "poster",
    "web",
    "auditor",
    "telemetry",
    "collector",
    "notifier",
)
DATABASE_NAME: Final = "fairwatt"
OWNER_ROLE: Final = "fairwatt_owner"
DEFAULT_PORTS: Final[Mapping[str, int]] = {
    "postgres": 5432,
    "nats": 4222,
    "mqtt": 1883,
    "web": 8000,
    "paysim": 8001,
}


class ConfigError(OperatorError):
    """A setting is unusable; the text names the variable and the next step."""


@dataclass(frozen=True, kw_only=True)
class DatabaseServer:
    """The database everyone shares; who logs in is a question of role."""

    host: str
    port: int
    name: str
    query: str = ""


@dataclass(frozen=True, kw_only=True)
class Config:
    """One installation: its state folder and the servers it was pointed at.

    With neither `database_url` nor `nats_url` the launcher runs its own PostgreSQL and NATS, and the
    addresses come from `ports.json` in the state folder.
    """

    state: Path
    database_url: str | None = None
    nats_url: str | None = None
    mqtt_url: str | None = None
    origin: str | None = None
    paysim_url: str | None = None
    metrics_port: int = 0
    """Where the head-end of book 1 serves its counters on 127.0.0.1 (book 2 one higher, ...); 0: nowhere."""
    clock_file: Path | None = None

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None) -> "Config":
        """Read the FAIRWATT_* variables (by default those of this process)."""
        found = os.environ if env is None else env
        clock = found.get("FAIRWATT_CLOCK")
        return cls(
            state=Path(found.get("FAIRWATT_STATE") or ".fairwatt").absolute(),
            database_url=found.get("FAIRWATT_DATABASE_URL") or None,
            nats_url=found.get("FAIRWATT_NATS_URL") or None,
            mqtt_url=found.get("FAIRWATT_MQTT_URL") or None,
            origin=found.get("FAIRWATT_ORIGIN") or None,
            paysim_url=found.get("FAIRWATT_PAYSIM_URL") or None,
            metrics_port=_port(found.get("FAIRWATT_METRICS_PORT") or "0"),
            clock_file=Path(clock).absolute() if clock else None,
        )

    @property
    def secrets(self) -> SecretFiles:
        return SecretFiles(folder=self.state / "secrets")

    @property
    def keys(self) -> Path:
        """Folder of the signing keys: `issuer.pem`, `sandbox_provider.pem` and their `.pub.pem`."""
        return self.state / "keys"

    def ports(self) -> Mapping[str, int]:
        """Ports the launcher chose; the well-known ones before its first start."""
        try:
            chosen = json.loads((self.state / "ports.json").read_text())
        except FileNotFoundError:
            return DEFAULT_PORTS
        return {**DEFAULT_PORTS, **{str(name): int(port) for name, port in chosen.items()}}

    def database(self) -> DatabaseServer:
        """Host, port and name of the database, without a login."""
        if self.database_url is None:
            return DatabaseServer(host="127.0.0.1", port=self.ports()["postgres"], name=DATABASE_NAME)
        parts = urlsplit(self.database_url)
        if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname:
            raise ConfigError(
                "FAIRWATT_DATABASE_URL is not a PostgreSQL address, so no reading can be charged. "
                "Give it as postgresql://admin:password@host:5432/fairwatt."
            )
        name = unquote(parts.path.lstrip("/")) or DATABASE_NAME
        return DatabaseServer(host=parts.hostname, port=parts.port or 5432, name=name, query=parts.query)

    def database_login(self, *, role: DatabaseRole) -> tuple[str, str]:
        """User and password of a role; the password is empty when this process does not hold it."""
        if role == "admin" and self.database_url is not None:
            parts = urlsplit(self.database_url)
            return unquote(parts.username or ""), unquote(parts.password or "")
        return f"fairwatt_{role}", self.secrets.read(f"db_{role}") or ""

    def dsn(self, *, role: DatabaseRole, database: str | None = None) -> str:
        """A libpq URL for psycopg under `role`, on our database unless another is named."""
        server = self.database()
        user, password = self.database_login(role=role)
        host = f"[{server.host}]" if ":" in server.host else server.host
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        query = f"?{server.query}" if server.query else ""
        return f"postgresql://{login}@{host}:{server.port}/{quote(database or server.name, safe='')}{query}"

    def backbone_url(self) -> str:
        """NATS URL of the head-end's own login. Hand it to no other process."""
        if self.nats_url is not None:
            return self.nats_url
        password = quote(self.secrets.read("nats_backend") or "", safe="")
        return f"nats://backend:{password}@127.0.0.1:{self.ports()['nats']}"

    def telemetry_url(self) -> str:
        """NATS URL of the telemetry process: its login reaches its own stream and no order, no reading."""
        if self.nats_url is not None:
            return self.nats_url
        password = quote(self.secrets.read("nats_telemetry") or "", safe="")
        return f"nats://telemetry:{password}@127.0.0.1:{self.ports()['nats']}"

    def mqtt_address(self) -> tuple[str, int]:
        """Host and port of the door gateways come in by."""
        if self.mqtt_url is None and self.nats_url is None:
            return "127.0.0.1", self.ports()["mqtt"]
        parts = urlsplit(self.mqtt_url or self.nats_url or "")
        if not parts.hostname:
            raise ConfigError(
                "FAIRWATT_MQTT_URL names no host, so no gateway can report. Use mqtt://host:1883."
            )
        return parts.hostname, (parts.port or 1883) if self.mqtt_url else 1883

    def web_origin(self) -> str:
        """Scheme, host and port people's browsers use."""
        return (self.origin or f"http://127.0.0.1:{self.ports()['web']}").rstrip("/")

    def paysim_origin(self) -> str:
        """Where the sandbox payment platform has its checkout page."""
        return (self.paysim_url or f"http://127.0.0.1:{self.ports()['paysim']}").rstrip("/")

    def child_env(self, *, role: DatabaseRole) -> dict[str, str]:
        """Environment for one of our processes: its role, and no login that is not its own."""
        env = {
            "FAIRWATT_STATE": str(self.state),
            "FAIRWATT_DB_ROLE": role,
            "DJANGO_SETTINGS_MODULE": "fairwatt.server.settings",
            "PYTHONUNBUFFERED": "1",
        }
        if self.database_url is not None:
            env["FAIRWATT_DATABASE_URL"] = (
                self.database_url if role == "admin" else _anonymous(self.database_url)
            )
        if self.nats_url is not None:
            env["FAIRWATT_NATS_URL"] = (
                self.nats_url if role in ("poster", "telemetry") else _anonymous(self.nats_url)
            )
        optional = {
            "FAIRWATT_MQTT_URL": self.mqtt_url,
            "FAIRWATT_ORIGIN": self.origin,
            "FAIRWATT_PAYSIM_URL": self.paysim_url,
            "FAIRWATT_CLOCK": self.clock_file,
            "FAIRWATT_METRICS_PORT": self.metrics_port or None,
        }
        env.update({name: str(value) for name, value in optional.items() if value is not None})
        passed_on = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "FAIRWATT_DEBUG")
        return {**{name: os.environ[name] for name in passed_on if name in os.environ}, **env}


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise ConfigError(
            f"FAIRWATT_METRICS_PORT is {text!r}, which is no port; counters would not be served. Use 0 to 65535."
        )
    return int(text)


def _anonymous(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
