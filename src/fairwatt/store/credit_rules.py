"""What homes are held to, in the database: every statement about `credit_rule` and `credit_step` is here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fairwatt.core.units import US_PER_DAY

PROVISIONAL_US: Final = 14 * US_PER_DAY
"""A protection holds from the moment it is written; so long it waits for a second person to agree."""
SHELTERING: Final = ("protection", "weather", "force_on")


@dataclass(frozen=True, kw_only=True)
class NewRule:
    """A rule to be written. Instants UTC, `until_us` excluded; `words` say why, `source` what it rests on."""

    book: int
    kind: str
    from_us: int
    words: str
    author: int
    site: int | None = None
    wallet: int | None = None
    basis: str = "house"
    until_us: int | None = None
    body: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    loosens: Sequence[str] = ()


class Rule(NamedTuple):
    """A rule as written, and what became of it: who agreed, who asked for its end, when it ended."""

    rule: int
    book: int
    site: int | None
    wallet: int | None
    kind: str
    basis: str
    from_us: int
    until_us: int | None
    body: str
    details: dict[str, Any]
    words: str
    source: str
    loosens: list[str]
    author: int
    by_web: bool
    created_us: int
    approver: int | None
    approved_us: int | None
    refused: bool
    ender: int | None
    end_asked_us: int | None
    ended_us: int | None

    @property
    def agreed(self) -> bool:
        """Whether it may hold: nothing that protects less holds before a second person agreed."""
        return not self.refused and (not self.loosens or self.approver is not None)

    @property
    def end_us(self) -> int | None:
        """When it stops to hold: its own end, an end that was put to it, or the end of its provisional days."""
        ends = [end for end in (self.until_us, self.ended_us) if end is not None]
        if self.kind == "protection" and self.approver is None:
            ends.append(self.created_us + PROVISIONAL_US)
        return min(ends, default=None)

    def holds(self, *, at_us: int) -> bool:
        """Whether it is in force at an instant."""
        return self.agreed and self.start_us <= at_us and (self.end_us is None or at_us < self.end_us)

    @property
    def start_us(self) -> int:
        """From when it holds: not before it was agreed to, where it had to be."""
        return max(self.from_us, self.approved_us or 0) if self.loosens else self.from_us


_RULES: Final = """
SELECT r.id, r.book, r.site, r.wallet, r.kind, r.basis, r.from_us, r.until_us, r.body, r.details, r.words, r.source,
       r.loosens, r.author, r.by_role = 'fairwatt_web', r.created_us, yes.author, yes.at_us, no.id IS NOT NULL,
       ask.author, ask.at_us, done.at_us
  FROM credit_rule r
  LEFT JOIN LATERAL (SELECT author, at_us FROM credit_step
                      WHERE rule = r.id AND step = 'approve' ORDER BY id LIMIT 1) yes ON true
  LEFT JOIN LATERAL (SELECT id FROM credit_step WHERE rule = r.id AND step = 'refuse' ORDER BY id LIMIT 1) no ON true
  LEFT JOIN LATERAL (SELECT author, at_us FROM credit_step
                      WHERE rule = r.id AND step = 'ask_end' ORDER BY id LIMIT 1) ask ON true
  LEFT JOIN LATERAL (SELECT at_us FROM credit_step WHERE rule = r.id AND step = 'end' ORDER BY id LIMIT 1) done ON true
 WHERE r.book = %s AND {} ORDER BY r.id
"""


def rules_of_book(*, cursor: Any, book: int) -> list[Rule]:
    """Every rule of a book that the transaction may see, oldest first."""
    return _rules(cursor, _RULES.format("true"), [book])


def rule_of_book(*, cursor: Any, book: int, rule: int) -> Rule | None:
    """One rule of a book."""
    return next(iter(_rules(cursor, _RULES.format("r.id = %s"), [book, rule])), None)


def _rules(cursor: Any, sql: str, parameters: list[Any]) -> list[Rule]:
    cursor.execute(sql, parameters)
    made = []
    for row in cursor.fetchall():
        values = list(row)
        values[9] = json.loads(values[9]) if isinstance(values[9], str) else values[9]
        made.append(Rule(*values))
    return made


def has_rules(*, cursor: Any, book: int) -> bool:
    """Whether anything was ever written; most books that are read have nothing."""
    cursor.execute("SELECT EXISTS (SELECT 1 FROM credit_rule WHERE book = %s)", [book])
    return bool(cursor.fetchone()[0])


def add_rule(*, cursor: Any, new: NewRule, now_us: int) -> int:
    """Write a rule down; return its number."""
    cursor.execute(
        "INSERT INTO credit_rule (book, site, wallet, kind, basis, from_us, until_us, body, details, words, source, "
        "loosens, author, created_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(new.book, new.site, new.wallet, new.kind, new.basis, new.from_us, new.until_us, new.body),
            *(json.dumps(new.details), new.words, new.source, list(new.loosens), new.author, now_us),
        ],
    )
    return int(cursor.fetchone()[0])


def carry_rules(*, cursor: Any, book: int, wallet: int, to_wallet: int) -> int:
    """Write what protects or binds an account, and who agreed, for the one it went over to; how many."""
    cursor.execute("SELECT carry_rules(%s, %s, %s)", [book, wallet, to_wallet])
    return int(cursor.fetchone()[0])


def hold_rule(*, cursor: Any, rule: int) -> None:
    """Let nobody else answer a rule until this transaction ends: who may not change its row cannot lock that."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"credit_rule:{rule}"])


def add_step(*, cursor: Any, rule: Rule, step: str, author: int, words: str, now_us: int) -> int:
    """Write down what a person said to a rule; return the number of the step."""
    cursor.execute(
        "INSERT INTO credit_step (rule, book, wallet, step, author, words, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [rule.rule, rule.book, rule.wallet, step, author, words, now_us],
    )
    return int(cursor.fetchone()[0])


class Place(NamedTuple):
    """A wallet, where it is, and the policy it was opened under."""

    wallet: int
    site: int
    policy: int
    protected: bool


def places(*, cursor: Any, book: int, wallet: int | None = None) -> list[Place]:
    """Every wallet of a book, by number; or one."""
    cursor.execute(
        "SELECT w.id, u.site_id, w.policy_id, w.protected FROM store_wallet w JOIN store_unit u ON u.id = w.unit_id "
        "WHERE w.book_id = %s AND (%s::bigint IS NULL OR w.id = %s) ORDER BY w.id",
        [book, wallet, wallet],
    )
    return [Place(int(w), int(s), int(p), bool(spared)) for w, s, p, spared in cursor.fetchall()]


def policies(*, cursor: Any, book: int, wallet: int | None = None) -> list[tuple[int, Any]]:
    """(number, body as an object) of every policy of a book; or of the one a wallet was opened under."""
    one = "" if wallet is None else " AND id = (SELECT policy_id FROM store_wallet WHERE id = %s)"
    cursor.execute(
        f"SELECT id, body FROM store_policy WHERE book_id = %s{one} ORDER BY id",
        [book] if wallet is None else [book, wallet],
    )
    return [(int(number), json.loads(body)) for number, body in cursor.fetchall()]


def mean_days(*, cursor: Any, book: int, before_us: int, days: int) -> dict[int, int]:
    """{wallet: what a whole day cost of late, rounded up}, of the cache of days: to warn by, not to charge."""
    cursor.execute(
        "SELECT wallet, ceil(avg(cost_micro))::bigint FROM use_day WHERE book = %s AND day_us >= %s AND day_us < %s "
        "GROUP BY wallet",
        [book, before_us - days * US_PER_DAY, before_us],
    )
    return {int(wallet): int(mean) for wallet, mean in cursor.fetchall()}
