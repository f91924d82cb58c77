"""Hearing at once that somebody committed a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

RETRY_S: Final = 0.2


async def listen_for_facts(*, heard: Callable[[], None]) -> None:
    """Call `heard` whenever a fact is committed; the poster's poll covers what a broken connection misses."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(_dsn(), autocommit=True) as listening:
                await listening.execute("LISTEN fact")
                heard()
                async for _ in listening.notifies():
                    heard()
        except (psycopg.Error, OSError) as error:
            log.warning("headend.listen_broken", error=str(error)[:200])
        await asyncio.sleep(RETRY_S)


def _dsn() -> str:
    database = settings.DATABASES["default"]
    return psycopg.conninfo.make_conninfo(
        host=database["HOST"],
        port=database["PORT"],
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        application_name="fairwatt-listener",
    )
