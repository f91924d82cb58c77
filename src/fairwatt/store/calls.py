"""Calling the processes that wait for rows, by those who store so many that they call after their commit.

Who dies between the commit and the call has answered nobody, so the provider says it again and the call is made then;
a fact is found by the poster's own look round in any case.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairwatt.store.unflushed import UNFLUSHED

type Call = tuple[str, str]
"""A channel, and what is said on it."""


def poster(*, book: int) -> Call:
    """A fact waits in a book."""
    return "fact", str(book)


def collector(*, intent: int) -> Call:
    """Something was heard of a payment that only its provider can confirm."""
    return "collect", str(intent)


def call(*, cursor: Any, calls: Iterable[Call]) -> None:
    """Call now; outside of a transaction, so that nobody waits for a disk: a call that is lost was for nothing."""
    channels, words = zip(*calls, strict=True)
    cursor.execute(
        f"SELECT {UNFLUSHED}, pg_notify(channel, word)"
        " FROM unnest(%s::text[], %s::text[]) AS calls (channel, word)",
        [list(channels), list(words)],
    )
