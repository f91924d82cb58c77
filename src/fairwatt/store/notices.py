"""Notices, messages and escalations in the database; what the statements mean is in flows.notifying."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fairwatt.core.credit.levels import WarningLevel
from fairwatt.core.notices.model import Step


class Notice(NamedTuple):
    """Something that somebody must be told."""

    id: int
    book: int
    wallet: int | None
    person: int | None
    step: str
    event: int | None
    about: dict[str, Any]
    at_us: int
    state: str
    wave: int
    reached_us: int | None


_NOTICE: Final = "id, book, wallet, person, step, event, about, at_us, state, wave, reached_us"


def take_due(*, cursor: Any, now_us: int) -> Notice | None:
    """The notice that waits longest for its next look, locked; None when none is due."""
    cursor.execute(
        f"SELECT {_NOTICE} FROM notice WHERE state <> 'over' AND next_us <= %s ORDER BY next_us, id LIMIT 1 "
        "FOR UPDATE SKIP LOCKED",
        [now_us],
    )
    row = cursor.fetchone()
    return None if row is None else Notice._make((*row[:6], _object(row[6]), *row[7:]))


def add_notice(
    *,
    cursor: Any,
    book: int,
    wallet: int | None,
    step: str,
    key: str,
    about: Mapping[str, Any],
    now_us: int,
    person: int | None = None,
) -> bool:
    """Write a notice down once; whether it is new. Whoever writes it names the book in its transaction."""
    cursor.execute(
        "INSERT INTO notice (book, wallet, person, step, key, about, at_us, next_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [book, wallet, person, step, key, json.dumps(about), now_us, now_us],
    )
    return bool(cursor.rowcount)


def add_of_ladder(
    *, cursor: Any, book: int, wallet: int, step: str, about: Mapping[str, Any], now_us: int
) -> bool:
    """A step that time reaches, not an event: once in a descent."""
    cursor.execute(
        "INSERT INTO notice (book, wallet, step, key, about, at_us, next_us) "
        "SELECT %s, %s, %s, %s || descent_of(%s, %s), %s, %s, %s ON CONFLICT DO NOTHING",
        [book, wallet, step, f"{step}:{wallet}:", wallet, now_us, json.dumps(about), now_us, now_us],
    )
    return bool(cursor.rowcount)


def move_notice(*, cursor: Any, notice: int, wave: int, next_us: int | None) -> None:
    """Look at it again then, or never."""
    cursor.execute(
        "UPDATE notice SET state = %s, wave = %s, next_us = %s WHERE id = %s",
        ["over" if next_us is None else "told", wave, next_us or 0, notice],
    )


def is_past(*, cursor: Any, wallet: int | None, step: str) -> bool:
    """Whether a step of the ladder is true no more: there is more credit than it warns of, or less and
    another step says so.

    The poster writes level and cut of a wallet in the batch that moves them, so they are as new as the notice.
    """
    levels = _LEVELS.get(Step(step)) if step in set(Step) else None
    if wallet is None or (levels is None and step not in (Step.CUT, Step.ENDED)):
        return False
    cursor.execute("SELECT level, cut_by_credit FROM wallet_head WHERE wallet = %s", [wallet])
    row = cursor.fetchone()
    if row is None:
        return False
    return not row[1] if levels is None else int(row[0]) not in levels


_LEVELS: Final = {
    Step.DAYS: {WarningLevel.LOW},
    Step.LOW: {WarningLevel.LOW},
    Step.DAY: {WarningLevel.LOW, WarningLevel.CRITICAL},
    Step.HOURS: {WarningLevel.LOW, WarningLevel.CRITICAL},
    Step.CRITICAL: {WarningLevel.CRITICAL},
    Step.EMPTY: {WarningLevel.EMPTY},
}


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """A message to be written down."""

    notice: int
    book: int
    wallet: int | None
    person: int | None
    channel: str
    contact: int | None
    address: str
    language: str
    step: str
    subject: str
    body: str
    params: Mapping[str, Any]
    segments: int
    key: str
    code: str
    digest: bool
    due_us: int
    state: str
    reason: str


def new_code(*, cursor: Any) -> str:
    """An address that nobody guesses, and short enough for a short message."""
    cursor.execute("SELECT right(replace(gen_random_uuid()::text, '-', ''), 16)")
    return str(cursor.fetchone()[0])


def add_message(*, cursor: Any, made: NewMessage, now_us: int) -> int | None:
    """Write a message down once; its number, or None where its key is taken."""
    cursor.execute(
        "INSERT INTO message (notice, book, wallet, person, channel, contact, address, language, "
        "step, subject, body, params, "
        "segments, key, code, digest, made_us, due_us, state, reason, moved_us) VALUES (%s, %s, %s, "
        "%s, %s, %s, %s, %s, %s, "
        "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key) DO NOTHING RETURNING id",
        [
            *(
                made.notice,
                made.book,
                made.wallet,
                made.person,
                made.channel,
                made.contact,
                made.address,
                made.language,
            ),
            *(
                made.step,
                made.subject,
                made.body,
                json.dumps(made.params),
                made.segments,
                made.key,
                made.code,
                made.digest,
            ),
            *(now_us, made.due_us, made.state, made.reason, now_us),
        ],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    add_step(cursor=cursor, message=int(row[0]), step=made.state, code=made.reason, now_us=now_us)
    return int(row[0])


def add_step(*, cursor: Any, message: int, step: str, now_us: int, code: str = "", detail: str = "") -> None:
    """Write down what happened to a message."""
    cursor.execute(
        "INSERT INTO message_step (message, book, wallet, step, code, detail, at_us) "
        "SELECT id, book, wallet, %s, %s, %s, %s FROM message WHERE id = %s",
        [step, code[:100], detail[:300], now_us, message],
    )


class Row(NamedTuple):
    """A message as it stands."""

    id: int
    notice: int
    book: int
    wallet: int | None
    person: int | None
    channel: str
    contact: int | None
    address: str
    language: str
    step: str
    subject: str
    body: str
    params: dict[str, Any]
    segments: int
    ref: str
    code: str
    digest: bool
    made_us: int
    due_us: int
    state: str
    reason: str
    tries: int
    taken_us: int | None
    account: str
    provider_ref: str
    moved_us: int


ROW: Final = (
    "id, notice, book, wallet, person, channel, contact, address, language, step, subject, body, "
    "params, segments, ref, code, "
    "digest, made_us, due_us, state, reason, tries, taken_us, account, provider_ref, moved_us"
)


def rows_of(cursor: Any) -> list[Row]:
    return [Row._make((*row[:12], _object(row[12]), *row[13:])) for row in cursor.fetchall()]


def message(*, cursor: Any, number: int) -> Row | None:
    """One message, as far as the transaction may see it."""
    cursor.execute(f"SELECT {ROW} FROM message WHERE id = %s", [number])
    return next(iter(rows_of(cursor)), None)


def message_by_code(*, cursor: Any, code: str) -> Row | None:
    """The message whose address ends so, for whoever holds the address."""
    cursor.execute("SELECT set_config('fairwatt.message', %s, true)", [code])
    cursor.execute(f"SELECT {ROW} FROM message WHERE code = %s", [code])
    return next(iter(rows_of(cursor)), None)


def due_messages(*, cursor: Any, now_us: int, stuck_us: int, limit: int) -> list[Row]:
    """Messages to be handed over now, locked: not in hand, or in hand for so long that whoever held them is gone."""
    cursor.execute(
        f"SELECT {ROW} FROM message WHERE state = 'queued' AND due_us <= %s AND (taken_us IS NULL OR taken_us <= %s) "
        "ORDER BY due_us, id LIMIT %s FOR UPDATE SKIP LOCKED",
        [now_us, now_us - stuck_us, limit],
    )
    return rows_of(cursor)


def take(*, cursor: Any, number: int, now_us: int) -> None:
    """Note that a message is in hand, before anything goes out."""
    cursor.execute("UPDATE message SET taken_us = %s, tries = tries + 1 WHERE id = %s", [now_us, number])
    add_step(cursor=cursor, message=number, step="taken", now_us=now_us)


def postpone(*, cursor: Any, number: int, due_us: int, known: bool) -> None:
    """Try again then. `known`: it certainly did not go out; otherwise the provider is asked first."""
    cursor.execute(
        "UPDATE message SET due_us = %s, taken_us = CASE WHEN %s THEN NULL ELSE taken_us END WHERE id = %s",
        [due_us, known, number],
    )


def move_message(
    *,
    cursor: Any,
    number: int,
    state: str,
    now_us: int,
    reason: str = "",
    account: str = "",
    provider_ref: str = "",
) -> None:
    """Move a message on; the database refuses what cannot follow."""
    cursor.execute(
        "UPDATE message SET state = %s, reason = %s, moved_us = %s, account = CASE WHEN %s = '' THEN "
        "account ELSE %s END, "
        "provider_ref = CASE WHEN %s = '' THEN provider_ref ELSE %s END WHERE id = %s",
        [state, reason[:100], now_us, account, account, provider_ref, provider_ref, number],
    )
    add_step(cursor=cursor, message=number, step=state, code=reason, now_us=now_us)


def fold(*, cursor: Any, number: int, subject: str, body: str, of: Sequence[Row]) -> None:
    """Give a message that has not gone out yet the words of several, and note which homes it speaks of."""
    told = json.dumps({"folded": [[one.wallet, one.step] for one in of]})
    cursor.execute(
        "UPDATE message SET subject = %s, body = %s, params = params || %s::jsonb WHERE id = %s",
        [subject, body, told, number],
    )


def has_left(*, cursor: Any, wallet: int, person: int, now_us: int) -> bool:
    """Whether somebody belongs to a home no longer."""
    cursor.execute(
        "SELECT 1 FROM store_tenancy WHERE wallet_id = %s AND user_id = %s AND (end_us IS NULL OR end_us > %s)",
        [wallet, person, now_us],
    )
    return cursor.fetchone() is None


def is_ended(*, cursor: Any, contact: int) -> bool:
    """Whether an address was taken back, or is no more."""
    cursor.execute("SELECT 1 FROM contact_step WHERE contact = %s AND step IN ('ended', 'gone')", [contact])
    return cursor.fetchone() is not None


def forget_words(*, cursor: Any, number: int) -> None:
    """Leave nothing of what a message said: a code is its receiver's alone."""
    cursor.execute("UPDATE message SET subject = '', body = '', params = '{}' WHERE id = %s", [number])


def reach(*, cursor: Any, notice: int, now_us: int) -> None:
    """Somebody was reached, provably: nobody else has to be tried."""
    cursor.execute(
        "UPDATE notice SET reached_us = %s, state = 'over' WHERE id = %s AND reached_us IS NULL",
        [now_us, notice],
    )


def look_again(*, cursor: Any, notice: int, now_us: int) -> None:
    """A channel failed for good: the next one need not wait, unless another message is still on its way."""
    cursor.execute(
        "UPDATE notice SET next_us = least(next_us, %s) WHERE id = %s AND state = 'told' AND NOT EXISTS "
        "(SELECT 1 FROM message WHERE notice = %s AND state IN ('queued', 'sent', 'delivered', 'read'))",
        [now_us, notice, notice],
    )


def messages_of_notice(*, cursor: Any, notice: int) -> list[Row]:
    """All messages of a notice."""
    cursor.execute(f"SELECT {ROW} FROM message WHERE notice = %s ORDER BY id", [notice])
    return rows_of(cursor)


def lately(*, cursor: Any, person: int, since_us: int) -> list[tuple[str, int, str, int | None]]:
    """(step, made, state, wallet) of a person's messages since then."""
    cursor.execute(
        "SELECT step, made_us, state, wallet FROM message WHERE person = %s AND made_us >= %s ORDER BY id",
        [person, since_us],
    )
    return [(str(step), int(at_us), str(state), wallet) for step, at_us, state, wallet in cursor.fetchall()]


def of_provider(*, cursor: Any, account: str, ref: str, provider_ref: str) -> Row | None:
    """The message that a receipt of an account is about: by our number, or by the provider's."""
    cursor.execute(
        f"SELECT {ROW} FROM message WHERE account = %s AND (ref = %s OR (provider_ref <> '' AND provider_ref = %s)) "
        "ORDER BY id DESC LIMIT 1 FOR UPDATE",
        [account, ref, provider_ref],
    )
    return next(iter(rows_of(cursor)), None)


def digests_due(*, cursor: Any, now_us: int) -> list[list[Row]]:
    """Messages that are to go out as one: those of each book, person and address whose hour has come."""
    cursor.execute(
        f"SELECT {ROW} FROM message WHERE state = 'queued' AND digest AND due_us <= %s AND taken_us IS NULL "
        "AND NOT params ? 'folded' ORDER BY id FOR UPDATE SKIP LOCKED",
        [now_us],
    )
    groups: dict[tuple[int, int | None, str, str], list[Row]] = {}
    for row in rows_of(cursor):
        groups.setdefault((row.book, row.person, row.channel, row.address), []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def _object(value: Any) -> dict[str, Any]:
    return json.loads(value) if isinstance(value, str) else dict(value)
