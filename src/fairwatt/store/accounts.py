"""What the prices of homes depend on, and the windows that were settled for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.core.rating.accounts import AccountValue

NEWEST: Final = (1 << 63) - 1
"""Later than any fact."""


def values_of_book(*, cursor: Any, book: int) -> dict[int, list[AccountValue]]:
    """{installation: its parameters} of a book, in the order they were written down."""
    cursor.execute(
        "SELECT installation_id, from_us, name, value_milli FROM store_accountparameter WHERE book = %s ORDER BY id",
        [book],
    )
    found: dict[int, list[AccountValue]] = {}
    for installation, from_us, name, milli in cursor.fetchall():
        found.setdefault(int(installation), []).append(AccountValue(int(from_us), name, int(milli)))
    return found


def values_of_installation(*, cursor: Any, installation: int) -> list[AccountValue]:
    """The parameters of one installation, in the order they were written down."""
    cursor.execute(
        "SELECT from_us, name, value_milli FROM store_accountparameter WHERE installation_id = %s ORDER BY id",
        [installation],
    )
    return [AccountValue(int(from_us), name, int(milli)) for from_us, name, milli in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class OpenRegister:
    """An open installation, when it and its account began, and how far its readings are stored."""

    installation: int
    wallet: int
    plan: int
    opened_us: int
    started_us: int
    at_us: int


def open_registers(*, cursor: Any, book: int, plans: list[int]) -> list[OpenRegister]:
    """The installations of some plans that were read since they opened; one that ended, as far as it went."""
    cursor.execute(
        "SELECT i.id, i.wallet_id, i.plan_id, i.opened_us, w.opened_us, least(h.at_us, i.closed_us) "
        "FROM store_installation i "
        "JOIN store_wallet w ON w.id = i.wallet_id JOIN register_head h ON h.installation = i.id AND h.book = %s "
        "WHERE i.plan_id = ANY(%s) AND h.at_us > i.opened_us ORDER BY i.wallet_id, i.id",
        [book, plans],
    )
    return [OpenRegister(*map(int, row)) for row in cursor.fetchall()]


def windows_to_settle_again(*, cursor: Any, book: int) -> Iterator[tuple[int, int, int, int]]:
    """(installation, wallet, start of the window, batch) of settled windows that learned something since.

    A batch that settles a window does not see what it rates again itself, so its own batch counts too.
    """
    cursor.execute(
        "SELECT w.installation, r.wallet, w.start_us, max(r.batch) FROM ("
        " SELECT (result->>'installation')::bigint AS installation, (result->>'window_us')::bigint AS start_us,"
        " (result->>'end_us')::bigint AS end_us, max(batch) AS batch FROM fact"
        " WHERE book = %s AND kind = 'window_close' AND state = 'posted' GROUP BY 1, 2, 3) w "
        "JOIN rerating r ON r.installation = w.installation AND r.batch >= w.batch AND r.from_us < w.end_us "
        "AND (r.cause = 'tariff' OR r.until_us > w.start_us OR r.counted_us > w.start_us) "
        "GROUP BY 1, 2, 3 ORDER BY 4, 1, 3",
        [book],
    )
    for row in cursor.fetchall():
        installation, wallet, start, batch = map(int, row)
        yield installation, wallet, start, batch


def settled_before(
    *, cursor: Any, book: int, installation: int, window_us: int, before_fact: int = NEWEST
) -> list[Mapping[str, Any]]:
    """What the poster answered to closings of one window, whoever asked for them and how, oldest first."""
    cursor.execute(
        "SELECT result FROM fact WHERE book = %s AND kind = 'window_close' AND state = 'posted' "
        "AND result->>'installation' = %s AND result->>'window_us' = %s AND id < %s ORDER BY id",
        [book, str(installation), str(window_us), before_fact],
    )
    return [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in cursor.fetchall()]
