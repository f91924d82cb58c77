"""The command line as a person or a script meets it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from fairwatt.server.config import Config
from fairwatt.server.launcher.services import Services
from launcher.watching import processes_of


def fairwatt(config: Config, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": os.environ["PATH"], "FAIRWATT_STATE": str(config.state), **more}
    return subprocess.run(
        [sys.executable, "-m", "fairwatt.cli", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_services_last_as_long_as_the_command_after_them_and_hand_on_its_exit_code(config: Config) -> None:
    done = fairwatt(config, "services", "--", "sh", "-c", "test -f $FAIRWATT_STATE/ports.json && exit 7")
    assert done.returncode == 7, done.stderr
    assert processes_of(config.state) == []


def test_a_command_that_is_not_there_is_told_and_nothing_stays_running(config: Config) -> None:
    done = fairwatt(config, "services", "--", "no-such-program")
    assert done.returncode == 1
    assert done.stderr.startswith("fairwatt: `no-such-program` cannot be run")
    assert "Traceback" not in done.stderr
    assert processes_of(config.state) == []


def test_status_names_what_runs_and_fails_where_nothing_does(running: Services, config: Config) -> None:
    up = fairwatt(running.config, "status", "--json")
    assert up.returncode == 0
    assert {one["name"]: one["alive"] for one in json.loads(up.stdout)} == {"nats": True, "postgres": True}
    down = fairwatt(config, "status")
    assert down.returncode == 1
    assert down.stdout == "Nothing runs from this folder.\n"


def test_the_printed_address_logs_in_as_the_role_asked_for(running: Services) -> None:
    address = fairwatt(running.config, "dsn", "--role", "auditor").stdout.strip()
    with psycopg.connect(address) as link:
        assert link.execute("SELECT current_user").fetchone() == ("fairwatt_auditor",)


def test_a_command_that_finds_no_database_says_what_to_start(config: Config) -> None:
    done = fairwatt(config, "push", "status", "7", "--book", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("fairwatt: The database cannot be reached (")
    assert "`fairwatt up`" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_role_is_told_in_words(config: Config) -> None:
    done = fairwatt(config, "dsn", "--role", "root")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is no database role" in done.stderr


def test_migrate_brings_running_services_up_to_date_and_tells_when_they_are_down(
    running: Services, config: Config
) -> None:
    assert fairwatt(running.config, "migrate").stdout == "The database is up to date.\n"
    down = fairwatt(config, "migrate")
    assert down.returncode == 1
    assert "nothing is charged and supply stays as it is" in " ".join(down.stderr.split())


def test_management_commands_run_as_the_role_they_need(running: Services) -> None:
    listed = fairwatt(running.config, "manage", "showmigrations", "store", "--skip-checks")
    assert listed.returncode == 0, listed.stderr
    assert "[X] 0001_initial" in listed.stdout
    assert "[ ]" not in listed.stdout


def test_the_models_and_the_migrations_say_the_same(running: Services) -> None:
    done = fairwatt(running.config, "manage", "makemigrations", "--check", "--dry-run", "--skip-checks")
    assert done.returncode == 0, done.stdout


def test_behind_https_the_settings_pass_every_deployment_check(running: Services) -> None:
    origin = {"FAIRWATT_ORIGIN": "https://power.example"}
    done = fairwatt(running.config, "manage", "check", "--deploy", "--fail-level", "WARNING", **origin)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("broken", ["data", "accounts"])
def test_a_service_that_cannot_start_is_told_with_its_own_words(config: Config, broken: str) -> None:
    with Services(config, migrate=False):
        pass
    if broken == "data":
        home = config.state / "postgres.home"
        data = (Path(home.read_text().strip()) if home.exists() else config.state / "postgres") / "data"
        shutil.rmtree(data / "pg_wal")
    else:
        (config.state / "nats" / "accounts.conf").write_text("accounts { nonsense\n")
    done = fairwatt(config, "services", "--", "true")
    assert done.returncode == 1
    assert "did not start, so nothing is read or charged; supply stays as it is" in done.stderr
    assert {"data": "pg_wal", "accounts": "accounts.conf"}[broken] in done.stderr
    assert "Traceback" not in done.stderr
    assert processes_of(config.state) == []
