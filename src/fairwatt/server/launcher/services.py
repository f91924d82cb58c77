"""PostgreSQL and NATS, started, prepared and kept running; or those you point at, prepared."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Literal, Self

from fairwatt.server.config import Config
from fairwatt.server.errors import OperatorError
from fairwatt.server.keys import ensure_keys
from fairwatt.server.launcher.database import migrate_database, prepare_database
from fairwatt.server.launcher.nats import GatewayLogin, prepare_nats, write_accounts
from fairwatt.server.launcher.ports import choose_ports, is_free
from fairwatt.server.launcher.postgres import prepare_postgres
from fairwatt.server.launcher.process import reap_leftover
from fairwatt.server.launcher.supervisor import ProcessSpec, StartFailed, Supervisor

type ServiceName = Literal["postgres", "nats"]

LEFTOVER_PATIENCE_S: Final = 30.0
PORT_TRIES: Final = 3
"""How often a service may find its port taken between our choosing it and its listening."""

RELOAD_S: Final = 3.0
"""So long the message broker is waited for when it takes its accounts anew; gateways try again by themselves."""


class AlreadyRunning(OperatorError):
    """Another supervisor holds this state folder."""


class Services:
    """`with Services(config) as services:` gives a migrated database and an open door, and ends them after.

    A service that dies is started again on the same port. With FAIRWATT_DATABASE_URL or FAIRWATT_NATS_URL
    set, that server is used and not started. Our own processes can join with `services.run(spec)`.
    """

    def __init__(
        self, config: Config, *, migrate: bool = True, say: Callable[[str], None] | None = None
    ) -> None:
        self.config = config
        self._migrate = migrate
        self._say = say
        self._lock: IO[str] | None = None
        self._supervisor: Supervisor | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def supervisor(self) -> Supervisor:
        if self._supervisor is None:
            raise RuntimeError("the services are not started")
        return self._supervisor

    def start(self) -> None:
        """Start everything or nothing; raises AlreadyRunning, StartFailed or DatabaseUnready."""
        state = self.config.state
        for folder in (state, state / "run", state / "log"):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        (state / "log").chmod(0o700)
        self._take_lock()
        try:
            self.config.secrets.ensure()
            ensure_keys(self.config.keys)
            self._supervisor = Supervisor(run_folder=state / "run", log_folder=state / "log", say=self._say)
            # Before ports are chosen: what is left over would hold the ones we want to keep.
            for pid_file in (state / "run").glob("*.pid"):
                reap_leftover(pid_file, patience_s=LEFTOVER_PATIENCE_S)
            choose_ports(self.config, names=("web", "paysim"))
            if self.config.database_url is None:
                self._start(
                    ("postgres",), lambda ports: prepare_postgres(self.config, port=ports["postgres"]).spec()
                )
            if self.config.nats_url is None:
                self._start(
                    ("nats", "mqtt"),
                    lambda ports: prepare_nats(
                        self.config, port=ports["nats"], mqtt_port=ports["mqtt"]
                    ).spec(),
                )
            if self._migrate:
                prepare_database(self.config)
                migrate_database(self.config)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all processes, the last started first. Safe to call twice."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def run(self, spec: ProcessSpec) -> None:
        """Supervise one of our own processes too; it stops before the services do."""
        self.supervisor.start(spec)

    def kill(self, name: str) -> None:
        """kill -9 a supervised process with all its children. It comes back as after any crash."""
        self.supervisor.kill(name)

    def wait_ready(self, name: str) -> None:
        """Return when `name` is ready (again); raises StartFailed."""
        self.supervisor.wait_ready(name)

    def set_gateways(self, logins: Iterable[GatewayLogin]) -> bool:
        """Let in exactly these gateways; the others are disconnected. True when that changed anything."""
        if self.config.nats_url is not None:
            raise StartFailed(
                "The door is a NATS server of your own (FAIRWATT_NATS_URL); give gateways their logins there."
            )
        changed = write_accounts(self.config, logins=logins)
        if changed:
            log = self.config.state / "log" / "nats.log"
            read = log.stat().st_size if log.exists() else 0
            self.supervisor.send("nats", signal.SIGHUP)
            _wait_reloaded(log, read)
        return changed

    def _start(
        self, port_names: tuple[str, ...], spec_on: Callable[[Mapping[str, int]], ProcessSpec]
    ) -> None:
        """Start a service on its ports; on others when another program took one of them meanwhile."""
        for tries_left in reversed(range(PORT_TRIES)):
            ports = choose_ports(self.config, names=port_names)
            try:
                self.supervisor.start(spec_on(ports))
            except StartFailed:
                if tries_left == 0 or all(is_free(ports[name]) for name in port_names):
                    raise
            else:
                return

    def _take_lock(self) -> None:
        lock = (self.config.state / "run" / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise AlreadyRunning(
                f"Fairwatt already runs from {self.config.state} (process {holder}); that one was left "
                "alone. Stop it first, or choose another folder with FAIRWATT_STATE."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock


def _wait_reloaded(log: Path, read: int) -> None:
    """Wait until the server says that it took its accounts anew; one that starts just now reads them anyway."""
    until_s = time.monotonic() + RELOAD_S
    while time.monotonic() < until_s:
        with suppress(OSError), log.open("rb") as said:
            said.seek(read)
            new = said.read()
            if b"Reloaded server configuration" in new or b"Failed to reload" in new:
                return
        time.sleep(0.01)
