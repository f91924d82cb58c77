"""What alarms are set to: rows of sites, feeders and meters. Added, never changed; the newest of a scope counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One word on the alarms of a scope. ``gateway`` and ``feeder``, or ``meter``, or neither for the whole site."""

    id: int
    site: int
    gateway: int | None
    feeder: str
    meter: int | None
    rules: Mapping[str, Any]
    words: str
    author: int
    created_us: int

    @property
    def scope(self) -> tuple[int, int | None, str, int | None]:
        """What it is about."""
        return self.site, self.gateway, self.feeder, self.meter

    @property
    def width(self) -> int:
        """0 for a site, 1 for a feeder, 2 for a meter: the nearer word counts."""
        return 2 if self.meter is not None else 1 if self.feeder else 0


def settings(*, book: int, upto: int | None = None) -> list[Setting]:
    """The newest word of every scope of a book, the widest first; ``upto``: as of that row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, site, gateway, feeder, meter, rules, words, author, created_us FROM alarm_setting "
            "WHERE book = %s AND (%s::bigint IS NULL OR id <= %s) ORDER BY id",
            [book, upto, upto],
        )
        newest: dict[tuple[int, int | None, str, int | None], Setting] = {}
        for row, site, gateway, feeder, meter, rules, words, author, created_us in cursor.fetchall():
            one = Setting(
                id=row,
                site=site,
                gateway=gateway,
                feeder=feeder,
                meter=meter,
                rules=json.loads(rules) if isinstance(rules, str) else rules,
                words=words,
                author=author,
                created_us=created_us,
            )
            newest[one.scope] = one
    return sorted(newest.values(), key=lambda one: (one.width, one.id))


def add_setting(
    *,
    cursor: Any,
    book: int,
    scope: tuple[int, int | None, str, int | None],
    rules: Mapping[str, Any],
    words: str,
    author: int,
    now_us: int,
) -> int:
    """Add a row; return its number, which is the version of everything set in the book."""
    cursor.execute(
        "INSERT INTO alarm_setting (book, site, gateway, feeder, meter, rules, words, author, created_us) "
        "VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s) RETURNING id",
        [book, *scope, json.dumps(dict(rules)), words, author, now_us],
    )
    return int(cursor.fetchone()[0])
