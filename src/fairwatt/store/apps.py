"""The Django app that holds every table."""

from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

SQL = Path(__file__).parent / "sql"


class StoreConfig(AppConfig):
    """One app, so that migrations have one order."""

    name = "fairwatt.store"
    label = "store"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Settle who may touch what after every migration, also for tables other apps add."""
        post_migrate.connect(grant_access, sender=self)


def grant_access(*, using: str = "default", **_: Any) -> None:
    """Apply sql/access.sql: roles, row-level security, grants. Safe to repeat."""
    with connections[using].cursor() as cursor:
        cursor.execute((SQL / "access.sql").read_text())
