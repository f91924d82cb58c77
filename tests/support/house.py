"""A real house for tests: embedded PostgreSQL and NATS, migrated, entered under the real database roles."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

from fairwatt.server.config import Config, DatabaseRole
from fairwatt.server.launcher.services import Services

from .laid_out import lay_out

_OF_ROLE: dict[str, Any] = {}


@contextmanager
def running_house() -> Iterator[Services]:
    """Start services in a folder of their own, set Django up as the web role, stop and remove everything after."""
    folder = Path(tempfile.mkdtemp(prefix="fairwatt-test-"))
    folder.chmod(0o711)
    lay_out(folder / "state")
    os.environ["FAIRWATT_STATE"] = str(folder / "state")
    os.environ["FAIRWATT_DB_ROLE"] = "web"
    os.environ["DJANGO_SETTINGS_MODULE"] = "fairwatt.server.settings"
    services = Services(Config.load())
    try:
        with services:
            django.setup()
            hash_cheaply()
            _keep_connections()
            yield services
            _hang_up()
    finally:
        note = folder / "state" / "postgres.home"
        if note.exists():
            shutil.rmtree(note.read_text().strip(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def as_role(role: DatabaseRole) -> Iterator[None]:
    """Meet the database as another of its real roles for a while; each role keeps its connection for the next time."""
    from django.db import connections

    from fairwatt.server.wiring import role_settings

    before, shared = connections["default"], connections.settings["default"]
    after = role_settings(role=role)
    wrapper = _OF_ROLE.get(role)
    if wrapper is None:
        wrapper = _OF_ROLE[role] = connections.create_connection("default")
        wrapper.settings_dict = {**shared, **after}
    wrapper.close_if_unusable_or_obsolete()
    # Threads that a test starts meet the database by the shared settings.
    kept = {name: shared[name] for name in after}
    connections["default"] = wrapper
    shared.update(after)
    try:
        yield
    finally:
        connections["default"] = before
        shared.update(kept)


def hash_cheaply() -> None:
    """Set the real password algorithm to its least cost: tests make thousands of people."""
    from django.contrib.auth.hashers import Argon2PasswordHasher as Hasher

    Hasher.time_cost, Hasher.memory_cost, Hasher.parallelism = 1, 8, 1


def _keep_connections() -> None:
    """Let requests and roles find their connection again: a new one a request is most of a small test."""
    from django.db import connections

    connections.settings["default"]["CONN_MAX_AGE"] = None


def _hang_up() -> None:
    from django.db import connections

    connections.close_all()
    while _OF_ROLE:
        _OF_ROLE.popitem()[1].close()
