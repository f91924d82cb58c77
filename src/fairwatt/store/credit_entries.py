"""What homes owe beside their energy: every statement that reads or adds a `credit_entry`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fairwatt.core.credit.owing import Debt, DebtPlan
from fairwatt.store.credit_rules import Rule, rules_of_book


@dataclass(frozen=True, kw_only=True)
class EntryRow:
    """One row to be added. `owed_micro` is the change of what is owed, `line_micro` what moves the wallet."""

    wallet: int
    kind: str
    key: str
    owed_micro: int
    line_micro: int
    rule: int | None = None
    inputs: dict[str, Any] = field(default_factory=dict)


class Entry(NamedTuple):
    """One movement as it is stored."""

    entry: int
    wallet: int
    kind: str
    rule: int | None
    owed_micro: int
    line_micro: int
    inputs: dict[str, Any]
    fact: int
    at_us: int


class Owing(NamedTuple):
    """What a wallet owes beside its energy; `newest` is its last entry, 0 for none."""

    emergency_micro: int
    debts: tuple[Debt, ...]
    newest: int


NOTHING: Final = Owing(0, (), 0)
_EMERGENCY: Final = "kind IN ('lent', 'repaid')"
_OWED: Final = f"""
SELECT wallet, CASE WHEN {_EMERGENCY} THEN NULL ELSE rule END AS debt, sum(owed_micro)::bigint, max(id),
       coalesce(-sum(owed_micro) FILTER (WHERE kind = 'share' AND at_us >= %s), 0)::bigint, min(at_us)
  FROM credit_entry WHERE book = %s AND (%s::bigint[] IS NULL OR wallet = ANY(%s::bigint[])) GROUP BY 1, 2 ORDER BY 1, 2
"""


def owing(
    *, cursor: Any, book: int, week_us: int, now_us: int, wallets: Sequence[int] | None = None
) -> dict[int, Owing]:
    """{wallet: what it owes} of those that ever owed; `week_us` is when the local week began."""
    asked = None if wallets is None else list(wallets)
    cursor.execute(_OWED, [week_us, book, asked, asked])
    rows = cursor.fetchall()
    if not rows:
        return {}
    rules = {rule.rule: rule for rule in rules_of_book(cursor=cursor, book=book)}
    paused = {
        rule.wallet for rule in rules.values() if rule.kind == "debt_pause" and rule.holds(at_us=now_us)
    }
    found: dict[int, Owing] = {}
    for wallet, debt, owed, newest, week, since in rows:
        before = found.get(int(wallet), NOTHING)
        if debt is None:
            after = before._replace(emergency_micro=int(owed))
        elif owed > 0:
            one = Debt(
                int(debt), int(owed), plan_of(rules[int(debt)]), int(week), wallet in paused, int(since)
            )
            after = before._replace(debts=(*before.debts, one))
        else:
            after = before
        found[int(wallet)] = after._replace(newest=max(before.newest, int(newest)))
    return found


def wallets_lent_to(*, cursor: Any, book: int) -> list[int]:
    """Wallets with emergency credit that is not repaid."""
    cursor.execute(
        f"SELECT wallet FROM credit_entry WHERE book = %s AND {_EMERGENCY} GROUP BY wallet HAVING sum(owed_micro) > 0",
        [book],
    )
    return [int(wallet) for (wallet,) in cursor.fetchall()]


def plan_of(rule: Rule) -> DebtPlan:
    """How a debt is recovered, as its rule says. Raises DebtError."""
    said = rule.details
    cap = said.get("week_cap_micro")
    return DebtPlan(
        daily_micro=int(said.get("daily_micro", 0)),
        weekly_micro=int(said.get("weekly_micro", 0)),
        weekday=int(said.get("weekday", 0)),
        share_bp=int(said.get("share_bp", 0)),
        week_cap_micro=None if cap is None else int(cap),
    )


def add_entries(
    *, cursor: Any, book: int, batch: int, fact: int, rows: Sequence[EntryRow], now_us: int
) -> list[int]:
    """Add entries; return their ids in order. A key that is there already is an error of the caller."""
    made = []
    for row in rows:
        cursor.execute(
            "INSERT INTO credit_entry (book, wallet, kind, rule, key, owed_micro, line_micro, inputs, fact, at_us, "
            "batch) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            [
                *(book, row.wallet, row.kind, row.rule, row.key, row.owed_micro, row.line_micro),
                *(json.dumps(row.inputs), fact, now_us, batch),
            ],
        )
        made.append(int(cursor.fetchone()[0]))
    return made


def known_keys(*, cursor: Any, book: int, keys: Sequence[str]) -> set[str]:
    """Those of the natural keys that are posted already."""
    cursor.execute("SELECT key FROM credit_entry WHERE book = %s AND key = ANY(%s)", [book, list(keys)])
    return {str(key) for (key,) in cursor.fetchall()}


def entry_of(*, cursor: Any, book: int, entry: int) -> Entry | None:
    """One entry of a book, when the transaction may see it."""
    return next(iter(_entries(cursor, "book = %s AND id = %s", [book, entry])), None)


def entries_of_wallet(*, cursor: Any, book: int, wallet: int, limit: int = 50) -> list[Entry]:
    """What moved on the accounts of a home, newest first."""
    return _entries(cursor, "book = %s AND wallet = %s", [book, wallet], f"id DESC LIMIT {int(limit)}")


def _entries(cursor: Any, where: str, parameters: list[Any], order: str = "id") -> list[Entry]:
    cursor.execute(
        "SELECT id, wallet, kind, rule, owed_micro, line_micro, inputs, fact, at_us FROM credit_entry "
        f"WHERE {where} ORDER BY {order}",
        parameters,
    )
    made = []
    for row in cursor.fetchall():
        inputs = json.loads(row[6]) if isinstance(row[6], str) else row[6]
        made.append(Entry._make([*row[:6], inputs, *row[7:]]))
    return made
