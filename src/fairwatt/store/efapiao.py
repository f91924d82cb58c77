"""Requests to the platform of e-fapiao: every statement about those tables is here."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple


class Platform(NamedTuple):
    """Where a book's e-fapiao are issued."""

    platform: int
    book: int
    origin: str
    taxpayer: str
    platform_key: bytes


class Efapiao(NamedTuple):
    """A request and how it stands: asked, pending, issued or refused."""

    efapiao: int
    book: int
    wallet: int
    invoice: int
    sort: str
    attempt: int
    of: int | None
    platform: int
    serial: str
    body: dict[str, Any]
    asked_us: int
    state: str
    number: str
    links: dict[str, str]
    code: str
    words: str
    moved_us: int
    asks: int
    trouble: str


_PLATFORM: Final = "SELECT id, book, origin, taxpayer, platform_key FROM efapiao_platform "


def platform_of(*, cursor: Any, book: int) -> Platform | None:
    """The platform of a book now; None where it has none."""
    cursor.execute(f"{_PLATFORM} WHERE book = %s ORDER BY id DESC LIMIT 1", [book])
    row = cursor.fetchone()
    return None if row is None else Platform._make([*row[:4], bytes(row[4])])


def platform_by_id(*, cursor: Any, platform: int) -> Platform:
    """The platform that a request went to."""
    cursor.execute(f"{_PLATFORM} WHERE id = %s", [platform])
    row = cursor.fetchone()
    return Platform._make([*row[:4], bytes(row[4])])


def add_platform(
    *, cursor: Any, book: int, origin: str, taxpayer: str, platform_key: bytes, author: str, now_us: int
) -> int:
    """Say where a book's e-fapiao are issued from now on."""
    cursor.execute(
        "INSERT INTO efapiao_platform (book, origin, taxpayer, platform_key, author, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        [book, origin, taxpayer, platform_key, author, now_us],
    )
    return int(cursor.fetchone()[0])


_REQUESTS: Final = """
SELECT e.id, e.book, e.wallet, e.invoice, e.sort, e.attempt, e.of, e.platform, e.serial, e.body, e.asked_us,
       coalesce(s.state, 'asked'), coalesce(s.number, ''), coalesce(s.links, '{{}}'), coalesce(s.code, ''),
       coalesce(s.words, ''), coalesce(s.at_us, e.asked_us), coalesce(a.asks, 0), coalesce(a.trouble, '')
  FROM efapiao e LEFT JOIN efapiao_ask a ON a.efapiao = e.id
  LEFT JOIN LATERAL (SELECT * FROM efapiao_step x WHERE x.efapiao = e.id ORDER BY x.id DESC LIMIT 1) s ON true
 WHERE {} ORDER BY e.id
"""


def requests_of_invoice(*, cursor: Any, invoice: int) -> list[Efapiao]:
    """Every request about a document, oldest first."""
    return _requests(cursor, "e.invoice = %s", [invoice])


def requests_of_book(*, cursor: Any, book: int) -> list[Efapiao]:
    """Every request of a book, oldest first."""
    return _requests(cursor, "e.book = %s", [book])


def requests_of_wallet(*, cursor: Any, wallet: int) -> list[Efapiao]:
    """Every request of a home, oldest first."""
    return _requests(cursor, "e.wallet = %s", [wallet])


def request_of(*, cursor: Any, efapiao: int) -> Efapiao | None:
    """One request."""
    return next(iter(_requests(cursor, "e.id = %s", [efapiao])), None)


def _requests(cursor: Any, where: str, parameters: list[Any]) -> list[Efapiao]:
    cursor.execute(_REQUESTS.format(where), parameters)
    return [
        Efapiao._make([*row[:9], _json(row[9]), *row[10:13], _json(row[13]), *row[14:]])
        for row in cursor.fetchall()
    ]


def add_request(
    *,
    cursor: Any,
    book: int,
    wallet: int,
    invoice: int,
    sort: str,
    attempt: int,
    of: int | None,
    platform: int,
    serial: str,
    body: dict[str, Any],
    author: int,
    now_us: int,
) -> int:
    """Write a request down, to be asked at once; return its number."""
    cursor.execute(
        "INSERT INTO efapiao (book, wallet, invoice, sort, attempt, of, platform, serial, body, author, asked_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [book, wallet, invoice, sort, attempt, of, platform, serial, json.dumps(body), author, now_us],
    )
    number = int(cursor.fetchone()[0])
    cursor.execute(
        "INSERT INTO efapiao_ask (efapiao, book, wallet, ask_us) VALUES (%s, %s, %s, %s)",
        [number, book, wallet, now_us],
    )
    return number


def due(*, cursor: Any, now_us: int, limit: int) -> list[int]:
    """Requests that are to be asked about by now. Of all books: for the collector."""
    cursor.execute(
        "SELECT efapiao FROM efapiao_ask WHERE ask_us <= %s ORDER BY ask_us LIMIT %s", [now_us, limit]
    )
    return [int(one) for (one,) in cursor.fetchall()]


def take(*, cursor: Any, efapiao: int, now_us: int, until_us: int) -> bool:
    """Take a request in hand for a while; say whether nobody else has it."""
    cursor.execute(
        "UPDATE efapiao_ask SET ask_us = %s, asks = asks + 1 WHERE efapiao = %s AND ask_us <= %s RETURNING efapiao",
        [until_us, efapiao, now_us],
    )
    return cursor.fetchone() is not None


def ask_again(*, cursor: Any, efapiao: int, ask_us: int | None, trouble: str) -> None:
    """When a request is asked about next; None: it is over."""
    cursor.execute(
        "UPDATE efapiao_ask SET ask_us = %s, trouble = %s WHERE efapiao = %s", [ask_us, trouble, efapiao]
    )


def add_step(
    *,
    cursor: Any,
    one: Efapiao,
    state: str,
    number: str,
    links: dict[str, str],
    code: str,
    words: str,
    now_us: int,
) -> bool:
    """Write down what the platform said; the same state again is the same."""
    cursor.execute(
        "INSERT INTO efapiao_step (efapiao, book, wallet, state, number, links, code, words, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (efapiao, state) DO NOTHING RETURNING id",
        [one.efapiao, one.book, one.wallet, state, number, json.dumps(links), code, words, now_us],
    )
    return cursor.fetchone() is not None


def _json(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored
