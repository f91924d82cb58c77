"""Real PostgreSQL and NATS, started, killed and started again."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nats
import psycopg
import pytest

from fairwatt.server.config import Config
from fairwatt.server.launcher.nats import Nats, prepare_nats
from fairwatt.server.launcher.services import AlreadyRunning, Services
from launcher.watching import eventually, owner_of, processes_of


def note(config: Config, text: str) -> None:
    with psycopg.connect(config.dsn(role="admin")) as link:
        link.execute("CREATE SCHEMA IF NOT EXISTS test")
        link.execute("CREATE TABLE IF NOT EXISTS test.noted (text text)")
        link.execute("INSERT INTO test.noted VALUES (%s)", [text])


def notes(config: Config) -> list[str]:
    with psycopg.connect(config.dsn(role="admin"), connect_timeout=10) as link:
        return [row[0] for row in link.execute("SELECT text FROM test.noted ORDER BY text")]


def pid_of(services: Services, name: str) -> int:
    found = next(one.pid for one in services.supervisor.status() if one.name == name)
    assert found is not None
    return found


def test_a_restart_finds_its_data_and_ports_and_leaves_no_process(config: Config) -> None:
    with Services(config):
        note(config, "before")
        ports = dict(config.ports())
    assert processes_of(config.state) == []
    with Services(config):
        assert notes(config) == ["before"]
        assert dict(config.ports()) == ports
    assert processes_of(config.state) == []


def test_a_port_taken_between_choosing_and_listening_is_left_for_another(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as squatter:

        def prepare_late(config: Config, *, port: int, mqtt_port: int) -> Nats:
            if squatter.getsockname()[1] == 0:
                squatter.bind(("127.0.0.1", port))
                squatter.listen()
            return prepare_nats(config, port=port, mqtt_port=mqtt_port)

        monkeypatch.setattr("fairwatt.server.launcher.services.prepare_nats", prepare_late)
        with Services(config, migrate=False) as services:
            assert config.ports()["nats"] != squatter.getsockname()[1] != 0
            assert all(one.ready for one in services.supervisor.status())


def test_a_killed_postgres_comes_back_with_every_committed_row(config: Config) -> None:
    with Services(config) as services:
        for round_number in range(3):
            note(config, f"round {round_number}")
            before = pid_of(services, "postgres")
            services.kill("postgres")
            services.wait_ready("postgres")
            assert pid_of(services, "postgres") != before
        assert notes(config) == ["round 0", "round 1", "round 2"]


def test_a_killed_backbone_comes_back_with_its_stream(config: Config) -> None:
    async def store() -> None:
        link = await nats.connect(config.backbone_url())
        stream = link.jetstream()
        await stream.add_stream(name="UP", subjects=["up.>"])
        await stream.publish("up.1", b"a reading")
        await link.close()

    async def stored() -> int:
        link = await nats.connect(config.backbone_url())
        info = await link.jetstream().stream_info("UP")
        await link.close()
        return info.state.messages

    with Services(config, migrate=False) as services:
        asyncio.run(store())
        services.kill("nats")
        services.wait_ready("nats")
        assert asyncio.run(stored()) == 1


def test_postgres_killed_from_outside_comes_back_too(config: Config) -> None:
    with Services(config, migrate=False) as services:
        before = pid_of(services, "postgres")
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda: pid_now(services) not in (None, before))
        services.wait_ready("postgres")


def pid_now(services: Services) -> int | None:
    return next(one.pid for one in services.supervisor.status() if one.name == "postgres")


def test_a_second_start_from_the_same_folder_is_refused_and_the_first_lives_on(config: Config) -> None:
    with Services(config, migrate=False) as services:
        with pytest.raises(AlreadyRunning, match=str(os.getpid())):
            Services(config).start()
        assert all(one.ready for one in services.supervisor.status())


def test_when_the_supervisor_is_killed_the_next_start_is_clean_on_the_same_ports(config: Config) -> None:
    first = start_cli(config)
    assert first.stdout is not None
    assert any("ready" in line for line in first.stdout)
    note(config, "kept")
    ports = dict(config.ports())
    assert len(processes_of(config.state)) >= 2
    first.kill()
    first.wait()
    with Services(config, migrate=False):  # at once: what is left over is ended first
        assert notes(config) == ["kept"]
        assert dict(config.ports()) == ports
    assert eventually(lambda: processes_of(config.state) == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_everything_in_order(config: Config, number: signal.Signals) -> None:
    command = start_cli(config)
    assert command.stdout is not None
    assert any("ready" in line for line in command.stdout)
    command.send_signal(number)
    assert command.wait(timeout=30) == 0
    assert processes_of(config.state) == []
    assert "was killed" not in (command.stderr.read() if command.stderr else "")


def test_root_gives_postgres_to_nobody_and_an_ordinary_user_keeps_it(
    running: Services, as_root: bool
) -> None:
    expected = pwd.getpwnam("nobody").pw_uid if as_root else os.geteuid()
    assert owner_of(pid_of(running, "postgres")) == expected


def test_the_clone_may_lie_in_a_home_closed_to_others(make_config: Callable[..., Config]) -> None:
    open_one = make_config(fresh=True)
    home = open_one.state.parent
    home.chmod(0o700)
    with Services(open_one) as services:
        note(open_one, "behind a closed door")
        services.kill("postgres")
        services.wait_ready("postgres")
        assert notes(open_one) == ["behind a closed door"]
        assert home.stat().st_mode & 0o777 == 0o700


def test_an_ordinary_user_can_run_it_all(make_config: Callable[..., Config], as_root: bool) -> None:
    config = make_config(fresh=True)
    command = [sys.executable, "-m", "fairwatt.cli"]
    argv = [*command, "services", "--", *command, "status"]
    if as_root:
        nobody = pwd.getpwnam("nobody")
        os.chown(config.state.parent, nobody.pw_uid, nobody.pw_gid)
        argv = [*as_nobody(nobody), *argv]
    done = subprocess.run(
        argv, env=cli_env(config), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("running") == 2
    assert processes_of(config.state) == []
    data = config.state / "postgres" / "data"
    assert data.stat().st_uid == config.state.stat().st_uid != 0
    assert data.stat().st_mode & 0o777 == 0o700


def as_nobody(nobody: pwd.struct_passwd) -> list[str]:
    """Prefix for a command as `nobody`, with one right lent: to reach an interpreter inside root's closed home.

    Without the securebit, access(2) would look away from that right.
    """
    setpriv = shutil.which("setpriv")
    assert setpriv, "setpriv (util-linux) is needed to try an ordinary user"
    right = readable_capability()
    user = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    lent = [f"--inh-caps=-all,+{right}", f"--ambient-caps=-all,+{right}", "--securebits=+no_setuid_fixup"]
    return [setpriv, *user, *lent]


def readable_capability() -> str:
    """A capability for passing closed folders that this machine's root has to give (containers differ)."""
    status = Path("/proc/self/status").read_text()
    held = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd")), 16)
    return "dac_read_search" if held & (1 << 2) else "dac_override"


def test_no_secret_and_no_data_can_be_read_by_others(running: Services) -> None:
    state = running.config.state
    private = [
        *(state / "secrets").iterdir(),
        *(state / "nats").glob("*.conf"),
        *(state / "keys").glob("*r.pem"),
    ]
    assert len(private) >= 11
    assert [path for path in private if path.stat().st_mode & 0o077] == []
    assert (state / "secrets").stat().st_mode & 0o777 == 0o700


def cli_env(config: Config) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "FAIRWATT_STATE": str(config.state), "PYTHONDONTWRITEBYTECODE": "1"}


def start_cli(config: Config) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "fairwatt.cli", "services"],
        env=cli_env(config),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
