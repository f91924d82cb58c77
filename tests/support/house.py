"""A real house for tests: embedded PostgreSQL and NATS, migrated, entered under the real database roles."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

from fairwatt.server.config import Config, DatabaseRole
from fairwatt.server.launcher.services import Services


@contextmanager
def running_house() -> Iterator[Services]:
    """Start services in a fresh folder, set Django up as the web role, stop and remove everything after."""
    folder = Path(tempfile.mkdtemp(prefix="fairwatt-test-"))
    folder.chmod(0o711)
    os.environ["FAIRWATT_STATE"] = str(folder / "state")
    os.environ["FAIRWATT_DB_ROLE"] = "web"
    os.environ["DJANGO_SETTINGS_MODULE"] = "fairwatt.server.settings"
    services = Services(Config.load())
    try:
        with services:
            django.setup()
            yield services
            _hang_up()
    finally:
        note = folder / "state" / "postgres.home"
        if note.exists():
            shutil.rmtree(note.read_text().strip(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def as_role(role: DatabaseRole) -> Iterator[None]:
    """Meet the database as another of its real roles for a while."""
    from fairwatt.server.wiring import database_role

    with database_role(role):
        yield


def _hang_up() -> None:
    from django.db import connections

    connections.close_all()
