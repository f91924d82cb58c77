"""How people are reached, what they chose, who they are; wordings, lines, bytes heard, and how often."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

_USABLE: Final = (
    "NOT EXISTS (SELECT 1 FROM contact_step s WHERE s.contact = c.id AND s.step IN ('ended', "
    "'gone')) AND (c.proof = '' "
    "OR EXISTS (SELECT 1 FROM contact_step s WHERE s.contact = c.id AND s.step = 'proven'))"
)


class ContactRow(NamedTuple):
    """An address of a person."""

    id: int
    person: int
    channel: str
    address: str
    details: dict[str, Any]
    proof: str
    added_us: int
    proven: bool
    guesses: int


def see_person(*, cursor: Any, person: int) -> None:
    """Let this transaction see how one person is reached."""
    cursor.execute("SELECT set_config('fairwatt.person', %s, true)", [str(person)])


def hold_person(*, cursor: Any, person: int) -> None:
    """The same, with nobody else changing how this person is reached until the transaction is over."""
    see_person(cursor=cursor, person=person)
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"person:{person}"])


def contacts(*, cursor: Any, person: int) -> list[ContactRow]:
    """What a person gave and did not take back, in order; also what is not proven yet."""
    cursor.execute(
        "SELECT c.id, c.person, c.channel, c.address, c.details, c.proof, c.added_us, c.proof = '' OR EXISTS "
        "(SELECT 1 FROM contact_step s WHERE s.contact = c.id AND s.step = 'proven'), "
        "(SELECT count(*) FROM contact_step s WHERE s.contact = c.id AND s.step = 'guessed') FROM contact c "
        "WHERE c.person = %s AND NOT EXISTS (SELECT 1 FROM contact_step s WHERE s.contact = c.id "
        "AND s.step IN ('ended', 'gone')) ORDER BY c.id",
        [person],
    )
    return [ContactRow._make((*row[:4], _object(row[4]), *row[5:])) for row in cursor.fetchall()]


def add_contact(
    *,
    cursor: Any,
    person: int,
    channel: str,
    address: str,
    details: Mapping[str, Any],
    proof: str,
    now_us: int,
) -> int:
    """Write an address down."""
    cursor.execute(
        "INSERT INTO contact (person, channel, address, details, proof, added_us) VALUES (%s, %s, "
        "%s, %s, %s, %s) RETURNING id",
        [person, channel, address, json.dumps(details), proof, now_us],
    )
    return int(cursor.fetchone()[0])


def step_contact(*, cursor: Any, contact: int, person: int, step: str, now_us: int) -> None:
    """Write down what became of an address."""
    cursor.execute(
        "INSERT INTO contact_step (contact, person, step, at_us) VALUES (%s, %s, %s, %s)",
        [contact, person, step, now_us],
    )


def usable(*, cursor: Any, persons: Sequence[int]) -> list[tuple[int, int, str, str, dict[str, Any]]]:
    """(contact, person, channel, address, details) that may be used, newest first."""
    cursor.execute(
        f"SELECT c.id, c.person, c.channel, c.address, c.details FROM contact c WHERE c.person = ANY(%s) AND {_USABLE} "
        "ORDER BY c.id DESC",
        [list(persons)],
    )
    return [
        (int(n), int(who), str(ch), str(address), _object(more))
        for n, who, ch, address, more in cursor.fetchall()
    ]


def holders(*, cursor: Any, channel: str, address: str) -> list[tuple[int, int]]:
    """(contact, person) who are reached at an address."""
    cursor.execute(
        f"SELECT c.id, c.person FROM contact c WHERE c.channel = %s AND c.address = %s AND {_USABLE} ORDER BY c.id",
        [channel, address],
    )
    return [(int(contact), int(person)) for contact, person in cursor.fetchall()]


def choices(*, cursor: Any, persons: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What people chose last."""
    cursor.execute(
        "SELECT DISTINCT ON (person) person, body FROM notice_choice WHERE person = ANY(%s) ORDER BY person, id DESC",
        [list(persons)],
    )
    return {int(person): _object(body) for person, body in cursor.fetchall()}


def choose(*, cursor: Any, person: int, body: Mapping[str, Any], now_us: int) -> None:
    """Write a choice down."""
    cursor.execute(
        "INSERT INTO notice_choice (person, body, at_us) VALUES (%s, %s, %s)",
        [person, json.dumps(body), now_us],
    )


def residents(*, cursor: Any, wallet: int, at_us: int) -> list[tuple[int, str]]:
    """(person, e-mail) of who lives with a wallet now."""
    cursor.execute(
        "SELECT u.id, u.email FROM store_tenancy t JOIN store_user u ON u.id = t.user_id WHERE t.wallet_id = %s "
        "AND t.start_us <= %s AND (t.end_us IS NULL OR t.end_us > %s) AND u.is_active ORDER BY u.id",
        [wallet, at_us, at_us],
    )
    return [(int(person), str(email)) for person, email in cursor.fetchall()]


def wallets_of(*, cursor: Any, person: int, at_us: int) -> list[tuple[int, int]]:
    """(wallet, book) of the homes somebody lives in."""
    cursor.execute(
        "SELECT t.wallet_id, w.book_id FROM store_tenancy t JOIN store_wallet w ON w.id = "
        "t.wallet_id WHERE t.user_id = %s "
        "AND t.start_us <= %s AND (t.end_us IS NULL OR t.end_us > %s) ORDER BY t.wallet_id",
        [person, at_us, at_us],
    )
    return [(int(wallet), int(book)) for wallet, book in cursor.fetchall()]


def staff(*, cursor: Any, organisation: int) -> list[str]:
    """The user names of those who may act at the desk of an organisation."""
    cursor.execute(
        "SELECT username FROM store_user WHERE organisation_id = %s AND is_active AND role IN "
        "('operator', 'admin') ORDER BY id",
        [organisation],
    )
    return [str(name) for (name,) in cursor.fetchall()]


# --- wordings ------------------------------------------------------------------------------------------------


def own_wordings(*, cursor: Any, organisation: int) -> dict[tuple[str, str], tuple[str, str, str, int, int]]:
    """{(step, language): (subject, body, short, author, when)} of an organisation."""
    cursor.execute(
        "SELECT DISTINCT ON (step, language) step, language, subject, body, short, author, at_us FROM notice_text "
        "WHERE organisation = %s ORDER BY step, language, id DESC",
        [organisation],
    )
    return {
        (str(row[0]), str(row[1])): (row[2], row[3], row[4], int(row[5]), int(row[6]))
        for row in cursor.fetchall()
    }


def save_wording(
    *,
    cursor: Any,
    organisation: int,
    step: str,
    language: str,
    words: tuple[str, str, str],
    author: int,
    now_us: int,
) -> None:
    """Write a wording down; it counts from now on."""
    cursor.execute(
        "INSERT INTO notice_text (organisation, step, language, subject, body, short, author, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [organisation, step, language, *words, author, now_us],
    )


# --- lines, and what is heard --------------------------------------------------------------------------------


class LineRow(NamedTuple):
    """A line as the notifier told of it."""

    account: str
    organisation: int
    channel: str
    kind: str
    public: dict[str, Any]
    failures: int
    resting_until_us: int
    trouble: str
    seen_us: int


def tell_line(
    *,
    cursor: Any,
    account: str,
    organisation: int,
    channel: str,
    kind: str,
    public: Mapping[str, Any],
    token_sha256: str,
    now_us: int,
) -> None:
    """Say that a line is there. Its secret is its own: a line that had it before has none now."""
    cursor.execute(
        "UPDATE notify_channel SET token_sha256 = '' WHERE token_sha256 = %s AND account <> %s",
        [token_sha256, account],
    )
    cursor.execute(
        "INSERT INTO notify_channel (account, organisation, channel, kind, public, token_sha256, seen_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account) DO UPDATE SET (organisation, channel, kind, public, "
        "token_sha256, seen_us) = (EXCLUDED.organisation, EXCLUDED.channel, EXCLUDED.kind, EXCLUDED.public, "
        "EXCLUDED.token_sha256, EXCLUDED.seen_us)",
        [account, organisation, channel, kind, json.dumps(public), token_sha256, now_us],
    )


def lines_of(*, cursor: Any, organisation: int) -> list[LineRow]:
    """The lines of an organisation."""
    cursor.execute(
        "SELECT account, organisation, channel, kind, public, failures, resting_until_us, trouble, "
        "seen_us FROM notify_channel "
        "WHERE organisation = %s ORDER BY channel, account",
        [organisation],
    )
    return [LineRow._make((*row[:4], _object(row[4]), *row[5:])) for row in cursor.fetchall()]


def line_health(
    *, cursor: Any, account: str, failures: int, resting_until_us: int, trouble: str, now_us: int
) -> None:
    """How a line did just now."""
    cursor.execute(
        "UPDATE notify_channel SET failures = %s, resting_until_us = %s, trouble = %s, seen_us = %s WHERE account = %s",
        [failures, resting_until_us, trouble[:100], now_us, account],
    )


def account_of_token(*, cursor: Any, token_sha256: str) -> str | None:
    """The line whose reports come to an address with this secret."""
    cursor.execute(
        "SELECT account FROM notify_channel WHERE token_sha256 <> '' AND token_sha256 = %s", [token_sha256]
    )
    row = cursor.fetchone()
    return None if row is None else str(row[0])


class HeardRow(NamedTuple):
    """Bytes that came in, not judged yet."""

    id: int
    account: str
    what: str
    url: str
    headers: dict[str, Any]
    body: bytes


def hear(
    *, cursor: Any, account: str, what: str, url: str, headers: Mapping[str, str], body: bytes, now_us: int
) -> None:
    """Keep what came in, as it came."""
    cursor.execute(
        "INSERT INTO notify_heard (account, what, url, headers, body, heard_us) VALUES (%s, %s, %s, %s, %s, %s)",
        [account, what, url, json.dumps(headers), body, now_us],
    )


def take_heard(*, cursor: Any) -> HeardRow | None:
    """The oldest that waits, locked."""
    cursor.execute(
        "SELECT id, account, what, url, headers, body FROM notify_heard WHERE state = 'waiting' ORDER BY id LIMIT 1 "
        "FOR UPDATE SKIP LOCKED"
    )
    row = cursor.fetchone()
    if row is None:
        return None
    return HeardRow(int(row[0]), row[1], row[2], row[3], _object(row[4]), bytes(row[5]))


def judged(*, cursor: Any, number: int, state: str, code: str = "") -> None:
    """What came of it."""
    cursor.execute("UPDATE notify_heard SET state = %s, code = %s WHERE id = %s", [state, code[:100], number])


# --- how often -----------------------------------------------------------------------------------------------


def past(*, cursor: Any, key: str, since_us: int) -> list[int]:
    """When something was done lately, with nobody else doing it at the same time."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"pace:{key}"])
    cursor.execute("DELETE FROM notify_pace WHERE key = %s AND at_us <= %s", [key, since_us])
    cursor.execute("SELECT at_us FROM notify_pace WHERE key = %s ORDER BY at_us", [key])
    return [int(at_us) for (at_us,) in cursor.fetchall()]


def done(*, cursor: Any, key: str, now_us: int) -> None:
    """It was done once more."""
    cursor.execute("INSERT INTO notify_pace (key, at_us) VALUES (%s, %s)", [key, now_us])


def _object(value: Any) -> dict[str, Any]:
    return json.loads(value) if isinstance(value, str) else dict(value)
