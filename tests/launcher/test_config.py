"""Addresses, logins, ports, secrets and clocks, without any server."""

import os
import socket
from pathlib import Path

import pytest

from fairwatt.server.clock import ClockFile, ClockUnreadable, FileClock, WallClock, clock_for
from fairwatt.server.config import Config, ConfigError
from fairwatt.server.keys import ISSUER, KeyUnusable, ensure_keys, load_private_key, load_public_key
from fairwatt.server.launcher.ports import choose_ports
from fairwatt.server.secret_files import MissingSecret, write_once

YEAR_2026_US = 1_767_225_600_000_000


def test_a_database_of_your_own_keeps_its_address_and_takes_our_roles(tmp_path: Path) -> None:
    config = Config.load(
        {
            "FAIRWATT_STATE": str(tmp_path),
            "FAIRWATT_DATABASE_URL": "postgresql://boss:p%40ss@db.example:6000/money?sslmode=require",
        }
    )
    config.secrets.ensure()
    web = config.secrets.require("db_web")
    assert config.dsn(role="web") == f"postgresql://fairwatt_web:{web}@db.example:6000/money?sslmode=require"
    assert config.dsn(role="admin") == "postgresql://boss:p%40ss@db.example:6000/money?sslmode=require"


def test_a_child_process_gets_no_login_that_is_not_its_own(tmp_path: Path) -> None:
    config = Config(
        state=tmp_path, database_url="postgresql://boss:secret@db/money", nats_url="nats://us:secret@n:4222"
    )
    assert "secret" not in str(config.child_env(role="web"))
    assert config.child_env(role="poster")["FAIRWATT_DATABASE_URL"] == "postgresql://db/money"
    assert config.child_env(role="poster")["FAIRWATT_NATS_URL"] == "nats://us:secret@n:4222"


@pytest.mark.parametrize("url", ["mysql://db/money", "db.example:5432", "postgresql:///money"])
def test_an_address_that_is_no_postgres_is_refused_by_name(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="FAIRWATT_DATABASE_URL"):
        Config(state=tmp_path, database_url=url).dsn(role="web")


def test_ports_are_kept_unless_taken_and_lie_below_those_of_outgoing_connections(tmp_path: Path) -> None:
    config = Config(state=tmp_path)
    first = choose_ports(config, names=["postgres", "nats"])
    assert choose_ports(config, names=["postgres", "nats"]) == first
    assert all(15_000 <= port < 30_000 for port in first.values())
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", first["nats"]))
        squatter.listen()
        second = choose_ports(config, names=["postgres", "nats"])
    assert second["postgres"] == first["postgres"]
    assert second["nats"] != first["nats"]
    assert config.ports()["nats"] == second["nats"]


def test_secrets_are_made_once_private_and_never_replaced(tmp_path: Path) -> None:
    config = Config(state=tmp_path)
    with pytest.raises(MissingSecret, match="db_web"):
        config.secrets.require("db_web")
    config.secrets.ensure()
    before = config.secrets.require("db_web")
    config.secrets.ensure()
    assert config.secrets.require("db_web") == before
    assert len(before) >= 40


def test_a_file_is_written_whole_or_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert write_once(path, b"first")
    assert not write_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_the_signing_keys_stay_the_same_and_private(tmp_path: Path) -> None:
    ensure_keys(tmp_path)
    first = load_private_key(tmp_path, name=ISSUER).public_key()
    ensure_keys(tmp_path)
    assert load_public_key(tmp_path, name=ISSUER) == first
    assert (tmp_path / "issuer.pem").stat().st_mode & 0o777 == 0o600
    (tmp_path / "issuer.pem").write_text("not a key")
    with pytest.raises(KeyUnusable, match="backup"):
        load_private_key(tmp_path, name=ISSUER)


def test_a_simulated_clock_stands_still_runs_fast_and_is_shared(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    driver = ClockFile.create(path, domain_us=YEAR_2026_US)
    reader = FileClock(path)
    assert reader.now_us() == reader.now_us() == YEAR_2026_US
    driver.set(domain_us=YEAR_2026_US, speed=1_000_000)
    first = reader.now_us()
    assert first >= YEAR_2026_US
    assert reader.now_us() > first
    again = ClockFile.create(path, domain_us=YEAR_2026_US + 5)
    assert reader.now_us() == again.now_us() == YEAR_2026_US + 5


def test_a_half_written_or_missing_clock_is_refused_not_believed(tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    torn.write_bytes(os.urandom(32))
    with pytest.raises(ClockUnreadable):
        FileClock(torn).now_us()
    for bad in (tmp_path / "missing", tmp_path):
        with pytest.raises(ClockUnreadable, match="FAIRWATT_CLOCK"):
            FileClock(bad)
    short = tmp_path / "short"
    short.write_bytes(b"x")
    with pytest.raises(ClockUnreadable):
        FileClock(short)


def test_each_process_uses_the_clock_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    ClockFile.create(path, domain_us=YEAR_2026_US)
    simulated = Config.load({"FAIRWATT_STATE": str(tmp_path), "FAIRWATT_CLOCK": str(path)})
    assert clock_for(simulated).now_us() == YEAR_2026_US
    assert isinstance(clock_for(Config(state=tmp_path)), WallClock)
