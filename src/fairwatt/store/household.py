"""Who shares a home, in the database: every statement about invitations, and about people who join or leave."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple

CODE_CHARS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LEN: Final = 16


class Invite(NamedTuple):
    """An invitation, and how it ended ('' while it is open)."""

    invite: int
    book: int
    wallet: int
    author: int
    name: str
    made_us: int
    expires_us: int
    how: str


_INVITES: Final = """
SELECT i.id, i.book, i.wallet, i.author, i.name, i.made_us, i.expires_us, coalesce(e.how, '')
  FROM home_invite i LEFT JOIN home_invite_end e ON e.invite = i.id WHERE {} ORDER BY i.id DESC LIMIT 20
"""


def code_of(*, entropy: bytes) -> str:
    """A code of 80 bits that a person can type: four groups of four."""
    number = int.from_bytes(entropy[:10], "big")
    text = "".join(CODE_CHARS[number >> 5 * n & 31] for n in range(CODE_LEN))
    return "-".join(text[n : n + 4] for n in range(0, CODE_LEN, 4))


def digest_of(*, code: str) -> bytes:
    """What is kept of a code, however it was typed: signs that look alike mean the same."""
    plain = "".join(char for char in code.upper() if char.isascii() and char.isalnum())
    return sha256(b"home:" + plain.replace("O", "0").replace("I", "1").replace("L", "1").encode()).digest()


def see_invite(*, cursor: Any, digest: bytes) -> None:
    """Let this transaction see the invitation of a code, whoever's home it is for."""
    cursor.execute("SELECT set_config('fairwatt.invite', %s, true)", [digest.hex()])


def invite_by_code(*, cursor: Any, digest: bytes) -> Invite | None:
    """The invitation of a code."""
    return next(iter(_invites(cursor, "i.digest = %s", [digest])), None)


def invite_of(*, cursor: Any, invite: int) -> Invite | None:
    """One invitation."""
    return next(iter(_invites(cursor, "i.id = %s", [invite])), None)


def invites_of(*, cursor: Any, book: int, wallet: int) -> list[Invite]:
    """The newest invitations to a home."""
    return _invites(cursor, "i.book = %s AND i.wallet = %s", [book, wallet])


def _invites(cursor: Any, where: str, parameters: list[Any]) -> list[Invite]:
    cursor.execute(_INVITES.format(where), parameters)
    return [Invite(*row) for row in cursor.fetchall()]


def add_invite(
    *,
    cursor: Any,
    book: int,
    wallet: int,
    author: int,
    digest: bytes,
    name: str,
    now_us: int,
    expires_us: int,
) -> int:
    """Write an invitation down; return its number."""
    cursor.execute(
        "INSERT INTO home_invite (book, wallet, author, digest, name, made_us, expires_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [book, wallet, author, digest, name, now_us, expires_us],
    )
    return int(cursor.fetchone()[0])


def end_invite(
    *, cursor: Any, invite: Invite, how: str, person: int, fact: int, now_us: int, batch: int
) -> bool:
    """Let an invitation be used or taken back, once; False when it was before."""
    cursor.execute(
        "INSERT INTO home_invite_end (invite, book, wallet, how, person, fact, at_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [invite.invite, invite.book, invite.wallet, how, person, fact, now_us, batch],
    )
    return bool(cursor.rowcount == 1)


def part_of(*, cursor: Any, wallet: int, person: int) -> str:
    """What somebody is in a home now: owner, member, or '' for nobody of it."""
    cursor.execute(
        "SELECT role FROM store_tenancy WHERE wallet_id = %s AND user_id = %s AND end_us IS NULL ORDER BY role DESC",
        [wallet, person],
    )
    row = cursor.fetchone()
    return "" if row is None else str(row[0])


def end_tenancy(*, cursor: Any, wallet: int, person: int, at_us: int) -> None:
    """Somebody belongs to a home no longer; the others do."""
    cursor.execute(
        "UPDATE store_tenancy SET end_us = %s WHERE wallet_id = %s AND user_id = %s AND end_us IS NULL",
        [at_us, wallet, person],
    )
