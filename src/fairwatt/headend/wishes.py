"""Wishes beside supply, carried: taken on every few seconds, offered to gateways that were heard lately."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import psycopg
import structlog
from django.db import DatabaseError

from fairwatt.flows.advance_pushes import Signer, advance_pushes
from fairwatt.flows.wish_again import wish_again

log = structlog.get_logger()

EVERY_S: Final = 2.0


class Wishes:
    """The open commands of slots by gateway, and when they were last looked at."""

    def __init__(self, *, book: int, sign: Signer, now_us: Callable[[], int]) -> None:
        self._book = book
        self._sign = sign
        self._now_us = now_us
        self._looked_at = 0.0
        self._lives: dict[int, int] = {}
        self.waiting: dict[int, list[bytes]] = {}

    async def look(self, *, posting: ThreadPoolExecutor, now_s: float) -> bool:
        """Take wishes on, in the posting thread; True when supply may have been ordered. What fails stops no batch."""
        if now_s - self._looked_at < EVERY_S:
            return False
        self._looked_at, at_us = now_s, self._now_us()
        done = posting.submit(self._advance, at_us)
        try:
            self.waiting = await asyncio.wrap_future(done)
        except (DatabaseError, psycopg.Error):
            raise
        except Exception:
            log.error("pushes.failed", exc_info=True)
        return True

    def _advance(self, at_us: int) -> dict[int, list[bytes]]:
        book, sign = self._book, self._sign
        self._lives = wish_again(book_id=book, sign=sign, now_us=at_us, seen=self._lives)
        return advance_pushes(book_id=book, sign=sign, now_us=at_us)
