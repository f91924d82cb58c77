"""Homes that change hands: the statements by which the poster closes one installation and opens the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.spans import to_datetime
from fairwatt.core.units import US_PER_DAY

GUESSED: Final = ("estimated", "between")
"""Grounds of a register at a change that give way to a better one."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A row of `changeover`: what a register was left at, and who had it before and after."""

    kind: str
    unit: int
    at_us: int
    old_installation: int
    new_installation: int | None
    old_wallet: int
    new_wallet: int | None
    left: RegisterState
    basis: str


def hold_file(*, cursor: Any, book: int, together: str) -> None:
    """Let nobody else ask for the moves of this file until this transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"moves:{book}:{together}"])


def left_wallets(*, cursor: Any, book: int) -> list[int]:
    """Wallets whose person left for good."""
    cursor.execute("SELECT wallet FROM account_end WHERE book = %s", [book])
    return [int(wallet) for (wallet,) in cursor.fetchall()]


def mean_day_wh(*, cursor: Any, book: int, installation: int, before_us: int, days: int) -> int | None:
    """What a register counted in a day on average over its last days with lines; None where there are none."""
    cursor.execute(
        "SELECT sum(energy_wh), extract(epoch FROM max(ts) - min(ts)) * 1000000 FROM line "
        "WHERE ts > %s AND ts <= %s AND ref = %s AND kind = %s AND book = %s",
        [
            to_datetime(before_us - days * US_PER_DAY),
            to_datetime(before_us),
            installation,
            int(Kind.READING),
            book,
        ],
    )
    used, span_us = cursor.fetchone()
    if used is None or int(span_us) < US_PER_DAY:
        return None
    # The first line's own energy lies before the span: a little more is expected than was used, never less.
    return -(-int(used) * US_PER_DAY // int(span_us))


def open_wallet(
    *, cursor: Any, book: int, unit: int, policy: int, protected: bool, public_id: UUID, at_us: int
) -> int:
    """A new account at a home, without money."""
    cursor.execute(
        "INSERT INTO store_wallet (book_id, unit_id, policy_id, public_id, protected, opened_us) "
        "VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        [book, unit, policy, public_id, protected, at_us],
    )
    return int(cursor.fetchone()[0])


def owners_wallet(*, cursor: Any, unit: int) -> int | None:
    """The account from which the owner of a unit's site pays."""
    cursor.execute(
        "SELECT l.wallet_id FROM store_landlordaccount l JOIN store_unit u ON u.site_id = l.site_id WHERE u.id = %s",
        [unit],
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def make_owners_wallet(*, cursor: Any, unit: int, wallet: int) -> None:
    """Let the owner of a unit's site pay from this account from now on."""
    cursor.execute(
        "INSERT INTO store_landlordaccount (site_id, wallet_id) SELECT site_id, %s FROM store_unit WHERE id = %s",
        [wallet, unit],
    )


def close_installation(*, cursor: Any, installation: int, at_us: int) -> bool:
    """End an installation; False when it has ended already."""
    cursor.execute(
        "UPDATE store_installation SET closed_us = %s WHERE id = %s AND closed_us IS NULL",
        [at_us, installation],
    )
    return bool(cursor.rowcount == 1)


def open_installation(
    *,
    cursor: Any,
    like: int,
    wallet: int,
    at_us: int,
    opening_wh: int,
    opening_counter_wh: int,
    plan: int | None = None,
) -> int:
    """Go on with the meter of an installation for another wallet, by the same prices unless `plan` names others."""
    cursor.execute(
        "INSERT INTO store_installation (meter_id, unit_id, wallet_id, plan_id, opened_us, opening_wh, "
        "opening_counter_wh, ct_primary, ct_secondary, ct_in_register) "
        "SELECT meter_id, unit_id, %s, coalesce(%s, plan_id), %s, %s, %s, ct_primary, ct_secondary, ct_in_register "
        "FROM store_installation WHERE id = %s RETURNING id",
        [wallet, plan, at_us, opening_wh, opening_counter_wh, like],
    )
    return int(cursor.fetchone()[0])


def end_tenancies(*, cursor: Any, wallet: int, at_us: int) -> None:
    """Whoever lived there does so no longer."""
    cursor.execute(
        "UPDATE store_tenancy SET end_us = %s WHERE wallet_id = %s AND (end_us IS NULL OR end_us > %s)",
        [at_us, wallet, at_us],
    )


def living(*, cursor: Any, wallet: int) -> list[int]:
    """Who may see and fill an account now."""
    cursor.execute(
        "SELECT user_id FROM store_tenancy WHERE wallet_id = %s AND end_us IS NULL ORDER BY id", [wallet]
    )
    return [int(user) for (user,) in cursor.fetchall()]


def members(*, cursor: Any, wallet: int) -> list[int]:
    """Who of those who live there only sees and fills the account."""
    cursor.execute(
        "SELECT user_id FROM store_tenancy WHERE wallet_id = %s AND end_us IS NULL AND role = 'member'",
        [wallet],
    )
    return [int(user) for (user,) in cursor.fetchall()]


def begin_tenancy(*, cursor: Any, wallet: int, user: int, at_us: int, role: str = "owner") -> None:
    """Let a person see and fill an account; an owner may do more."""
    cursor.execute(
        "INSERT INTO store_tenancy (wallet_id, user_id, start_us, role) VALUES (%s, %s, %s, %s)",
        [wallet, user, at_us, role],
    )


def set_vacant(*, cursor: Any, unit: int, vacant: bool) -> None:
    """Note whether somebody lives in a unit."""
    cursor.execute("UPDATE store_unit SET vacant = %s WHERE id = %s", [vacant, unit])


def add_change(
    *, cursor: Any, book: int, batch: int, fact: int, change: Change, author: int, reason: str, now_us: int
) -> int:
    """Write down a change; return its number."""
    left = change.left
    cursor.execute(
        "INSERT INTO changeover (book, fact, kind, unit, at_us, old_installation, new_installation, old_wallet, "
        "new_wallet, register_wh, counter_wh, window_us, carry_nano, carry_tax, basis, author, reason, made_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(book, fact, change.kind, change.unit, change.at_us),
            *(change.old_installation, change.new_installation, change.old_wallet, change.new_wallet),
            *(left.register_wh, left.counter_wh, left.window_us, left.carry_nano, left.carry_tax),
            *(change.basis, author, reason[:300], now_us, batch),
        ],
    )
    return int(cursor.fetchone()[0])


def account_before(*, cursor: Any, book: int, wallet: int, installation: int) -> int | None:
    """Whose meter this was before it became this account's; None where it began with this installation."""
    cursor.execute(
        "SELECT old_wallet FROM changeover WHERE book = %s AND new_wallet = %s AND new_installation = %s",
        [book, wallet, installation],
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def note_known(
    *, cursor: Any, book: int, batch: int, changeover: int, basis: str, register_wh: int, now_us: int
) -> bool:
    """The register of a change is provisional no more; False when that was known before."""
    cursor.execute(
        "INSERT INTO changeover_known (changeover, book, basis, register_wh, known_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [changeover, book, basis, register_wh, now_us, batch],
    )
    return bool(cursor.rowcount == 1)


def add_end(
    *,
    cursor: Any,
    book: int,
    batch: int,
    fact: int,
    wallet: int,
    at_us: int,
    settle: str,
    to_wallet: int | None,
    author: int,
    now_us: int,
) -> None:
    """Write down that an account has no home any more, and where its money goes."""
    cursor.execute(
        "INSERT INTO account_end (book, fact, wallet, at_us, settle, to_wallet, author, made_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [book, fact, wallet, at_us, settle, to_wallet, author, now_us, batch],
    )


@dataclass(frozen=True, kw_only=True)
class End:
    """Where the money of an ended account goes."""

    wallet: int
    at_us: int
    settle: str
    to_wallet: int | None
    author: int


def end_of(*, cursor: Any, book: int, wallet: int) -> End | None:
    """How an account ended; None while it has a home."""
    cursor.execute(
        "SELECT wallet, at_us, settle, to_wallet, author FROM account_end WHERE book = %s AND wallet = %s",
        [book, wallet],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    return End(
        wallet=int(row[0]),
        at_us=int(row[1]),
        settle=str(row[2]),
        to_wallet=None if row[3] is None else int(row[3]),
        author=int(row[4]),
    )


def provisional_of(*, cursor: Any, book: int, wallet: int) -> int:
    """How many registers of an ended account are not known yet."""
    cursor.execute(
        "SELECT count(*) FROM changeover c WHERE c.book = %s AND c.old_wallet = %s "
        "AND NOT EXISTS (SELECT 1 FROM changeover_known k WHERE k.changeover = c.id)",
        [book, wallet],
    )
    return int(cursor.fetchone()[0])


def add_refund_wish(
    *, cursor: Any, book: int, batch: int, fact: int, wallet: int, amount_micro: int, way: str, now_us: int
) -> None:
    """Ask whoever pays refunds out for one."""
    cursor.execute(
        "INSERT INTO refund_wish (book, wallet, amount_micro, way, fact, made_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [book, wallet, amount_micro, way, fact, now_us, batch],
    )


def meter_of(*, cursor: Any, installation: int) -> tuple[int, int]:
    """(gateway, number) of the meter of an installation."""
    cursor.execute(
        "SELECT m.gateway_id, m.number FROM store_installation i JOIN store_meter m ON m.id = i.meter_id "
        "WHERE i.id = %s",
        [installation],
    )
    row = cursor.fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def waits_for_readings(*, cursor: Any, book: int, installation: int) -> bool:
    """True while what was read after a change in the past has not gone over to this installation yet."""
    cursor.execute(
        "SELECT 1 FROM changeover c JOIN fact f ON f.book = c.book AND f.kind = 'reading_edit' "
        "AND f.state = 'waiting' AND f.natural_key = 'end:' || c.old_installation || ':' || c.at_us "
        "WHERE c.new_installation = %s AND c.book = %s",
        [installation, book],
    )
    return cursor.fetchone() is not None


def at_home(*, cursor: Any, book: int, unit: int) -> list[tuple[int, int, int]]:
    """(installation, wallet, when it began) of what is at work in a unit of a book."""
    cursor.execute(
        "SELECT i.id, i.wallet_id, i.opened_us FROM store_installation i JOIN store_wallet w ON w.id = i.wallet_id "
        "WHERE i.unit_id = %s AND w.book_id = %s AND i.closed_us IS NULL ORDER BY i.id",
        [unit, book],
    )
    return [(int(i), int(w), int(at)) for i, w, at in cursor.fetchall()]


def terms_of(*, cursor: Any, wallet: int) -> tuple[int, bool]:
    """(credit policy, whether it is protected) of an account."""
    cursor.execute("SELECT policy_id, protected FROM store_wallet WHERE id = %s", [wallet])
    policy, protected = cursor.fetchone()
    return int(policy), bool(protected)


def is_policy(*, cursor: Any, book: int, policy: int) -> bool:
    """True for a credit policy of the book."""
    cursor.execute("SELECT 1 FROM store_policy WHERE id = %s AND book_id = %s", [policy, book])
    return cursor.fetchone() is not None


def clerk(*, cursor: Any, book: int, user: int) -> str | None:
    """The name of an active person who may move homes of this book; None of anybody else."""
    cursor.execute(
        "SELECT u.username FROM store_user u JOIN store_book b ON b.organisation_id = u.organisation_id "
        "WHERE u.id = %s AND b.id = %s AND u.is_active AND u.role IN ('operator', 'admin')",
        [user, book],
    )
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def residents(*, cursor: Any, users: Sequence[int]) -> set[int]:
    """Those of the people who are residents and may sign in."""
    cursor.execute(
        "SELECT id FROM store_user WHERE id = ANY(%s) AND is_active AND role = 'tenant'", [list(users)]
    )
    return {int(user) for (user,) in cursor.fetchall()}
