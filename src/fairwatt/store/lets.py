"""Short lets and spared circuits, in the database: every statement about them is here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final, NamedTuple

from django.db import connection

from fairwatt.core.credit.contract import Contract
from fairwatt.core.credit.policy import Windows

ORDINARY: Final = "ordinary"
_LOCK: Final = 0x4C455453


@dataclass(frozen=True, kw_only=True)
class NewLet:
    """A let to be written. Instants UTC, `end_us` excluded."""

    book: int
    unit: int
    begin_us: int
    end_us: int
    merchant: str
    settle: str
    ticket: str
    author: int
    users: Sequence[int] = ()
    policy: int | None = None
    plan: int | None = None
    trading: Windows = ()
    words: str = ""
    together: str = ""


class Let(NamedTuple):
    """A let as agreed, and what became of it. `end_us`: as it was last agreed."""

    let: int
    unit: int
    begin_us: int
    end_us: int
    merchant: str
    users: list[int]
    policy: int | None
    plan: int | None
    settle: str
    trading: Windows
    words: str
    ticket: str
    author: int
    made_us: int
    wallet: int | None
    """its account, once it began"""
    begun_us: int | None
    plans: Mapping[int, int]
    """the tariff each meter had before, by meter"""
    warned_us: int | None
    """since when its people know of this very end"""
    closed_us: int | None
    cancelled_us: int | None

    @property
    def is_open(self) -> bool:
        """Agreed, and not over for good."""
        return self.closed_us is None and self.cancelled_us is None

    @property
    def contract(self) -> Contract:
        """What a decision about its supply goes by."""
        return Contract(end_us=self.end_us, warned_us=self.warned_us)

    def until_us(self, *, now_us: int) -> int:
        """Until when it keeps others out of the unit: one that runs over its end still does."""
        if self.closed_us is not None:
            return self.closed_us
        return max(self.end_us, now_us) if self.wallet is not None else self.end_us


_LETS: Final = """
SELECT l.id, l.unit, l.begin_us, coalesce(e.until_us, l.end_us), l.merchant, l.users, l.policy, l.plan, l.settle,
       l.trading, l.words, l.ticket, l.author, l.made_us, b.wallet, b.at_us, b.plans, w.at_us, a.at_us, c.at_us
  FROM short_let l
  LEFT JOIN LATERAL (SELECT until_us FROM short_let_word
                      WHERE let = l.id AND word = 'end' ORDER BY id DESC LIMIT 1) e ON true
  LEFT JOIN LATERAL (SELECT at_us FROM short_let_word
                      WHERE let = l.id AND word = 'cancel' ORDER BY id LIMIT 1) c ON true
  LEFT JOIN short_let_step b ON b.let = l.id AND b.step = 'begun'
  LEFT JOIN LATERAL (SELECT at_us FROM short_let_step WHERE let = l.id AND step = 'warned'
                        AND until_us = coalesce(e.until_us, l.end_us) ORDER BY id LIMIT 1) w ON true
  LEFT JOIN account_end a ON a.wallet = b.wallet AND a.book = l.book
 WHERE l.book = %s AND {} ORDER BY l.begin_us, l.id
"""


def lets_of_book(*, cursor: Any, book: int, since_us: int = 0) -> list[Let]:
    """The lets of a book that are open, or ended after an instant; the first to begin first."""
    return _lets(
        cursor,
        _LETS.format(
            "(a.at_us IS NULL AND c.at_us IS NULL OR greatest(a.at_us, c.at_us, l.end_us, e.until_us) >= %s)"
        ),
        [book, since_us],
    )


def let_of(*, cursor: Any, book: int, let: int) -> Let | None:
    """One let of a book."""
    return next(iter(_lets(cursor, _LETS.format("l.id = %s"), [book, let])), None)


def let_by_ticket(*, cursor: Any, book: int, ticket: str) -> Let | None:
    """What a form was sent for before."""
    return next(iter(_lets(cursor, _LETS.format("l.ticket = %s"), [book, ticket])), None)


def running_of(*, cursor: Any, book: int, wallet: int | None = None) -> list[Let]:
    """The lets that have an account now, or the one that has this account."""
    asked = _LETS.format("b.wallet IS NOT NULL AND a.at_us IS NULL AND (%s::bigint IS NULL OR b.wallet = %s)")
    return _lets(cursor, asked, [book, wallet, wallet])


def lets_of_unit(*, cursor: Any, book: int, unit: int) -> list[Let]:
    """Every let of a unit that was not cancelled."""
    return _lets(cursor, _LETS.format("l.unit = %s AND c.at_us IS NULL"), [book, unit])


def _lets(cursor: Any, sql: str, parameters: list[Any]) -> list[Let]:
    cursor.execute(sql, parameters)
    made = []
    for row in cursor.fetchall():
        values = list(row)
        values[9] = tuple((start, end) for start, end in batched(values[9], 2))
        plans = json.loads(values[16]) if isinstance(values[16], str) else values[16]
        values[16] = {int(meter): int(plan) for meter, plan in (plans or {}).items()}
        made.append(Let(*values))
    return made


def lock_unit(*, cursor: Any, unit: int) -> None:
    """Let nobody else write down or begin a let of this unit until the transaction is over."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, unit % 2**31])


def try_unit(*, cursor: Any, unit: int) -> bool:
    """The same for who does not wait; False while somebody else has it."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, unit % 2**31])
    return bool(cursor.fetchone()[0])


def add_let(*, cursor: Any, new: NewLet, now_us: int) -> int:
    """Write a let down; return its number."""
    cursor.execute(
        "INSERT INTO short_let (book, unit, begin_us, end_us, merchant, users, policy, plan, settle, trading, words, "
        "ticket, together, author, made_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(
                new.book,
                new.unit,
                new.begin_us,
                new.end_us,
                new.merchant,
                list(new.users),
                new.policy,
                new.plan,
            ),
            *(new.settle, [minute for window in new.trading for minute in window], new.words, new.ticket),
            *(new.together, new.author, now_us),
        ],
    )
    return int(cursor.fetchone()[0])


def add_word(
    *, cursor: Any, book: int, let: int, word: str, until_us: int | None, words: str, author: int, now_us: int
) -> None:
    """Write down what a person said of a let."""
    cursor.execute(
        "INSERT INTO short_let_word (let, book, word, until_us, words, author, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [let, book, word, until_us, words, author, now_us],
    )


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the poster did of a let."""

    let: int
    book: int
    step: str
    wallet: int
    fact: int
    at_us: int
    batch: int
    until_us: int = 0
    plans: Mapping[int, int] = field(default_factory=dict)


def add_step(*, cursor: Any, step: Step) -> None:
    """Write down what was done of a let."""
    cursor.execute(
        "INSERT INTO short_let_step (let, book, step, wallet, plans, until_us, fact, at_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(step.let, step.book, step.step, step.wallet, json.dumps(dict(step.plans)), step.until_us),
            *(step.fact, step.at_us, step.batch),
        ],
    )


def plan_before(*, cursor: Any, installation: int) -> tuple[int, int, int | None]:
    """(meter, its tariff, the tariff it had before the let that has it now; None where it is not let)."""
    cursor.execute(
        "SELECT i.meter_id, i.plan_id, (s.plans->>(i.meter_id::text))::bigint FROM store_installation i "
        "LEFT JOIN short_let_step s ON s.wallet = i.wallet_id AND s.step = 'begun' WHERE i.id = %s",
        [installation],
    )
    meter, plan, before = cursor.fetchone()
    return int(meter), int(plan), None if before is None else int(before)


def dark_since(*, cursor: Any, book: int, wallet: int, after_us: int) -> int | None:
    """When the last meter of an account that was switched off after an instant showed it; None where none was."""
    cursor.execute(
        "SELECT max((evidence->>'read_at_us')::bigint) FROM event WHERE book = %s AND wallet = %s "
        "AND kind = 'supply.proven' AND reason = 'open' AND at_us >= %s",
        [book, wallet, after_us],
    )
    found = cursor.fetchone()[0]
    return None if found is None else int(found)


_STILL_ON: Final = """
SELECT DISTINCT i.wallet_id FROM store_installation i JOIN store_meter m ON m.id = i.meter_id
  JOIN store_wallet w ON w.id = i.wallet_id
  LEFT JOIN register_head r ON r.installation = i.id LEFT JOIN wallet_head h ON h.wallet = w.id
  LEFT JOIN LATERAL (SELECT circuit FROM circuit_mark k WHERE k.book = w.book_id AND k.gateway = m.gateway_id
                        AND k.meter = m.number ORDER BY k.id DESC LIMIT 1) k ON true
 WHERE w.book_id = %s AND i.closed_us IS NULL AND i.wallet_id = ANY(%s)
   AND (coalesce(r.at_us, 0) < (%s::jsonb->>(i.wallet_id::text))::bigint
        OR r.relay <> 0 AND NOT w.protected AND NOT m.feeds_gateway AND coalesce(k.circuit, 'ordinary') = 'ordinary'
           AND coalesce(h.withheld, '') <> ALL(ARRAY['law_forbids', 'power_limited', 'forced_on', 'protected']))
"""


def still_on(*, cursor: Any, book: int, ends: Mapping[int, int]) -> set[int]:
    """Of these accounts ({wallet: its end}) those with a meter not read since, or with power that it may lose."""
    cursor.execute(_STILL_ON, [book, list(ends), json.dumps(dict(ends))])
    return {int(wallet) for (wallet,) in cursor.fetchall()}


def trading_of(*, cursor: Any, book: int, wallet: int | None = None) -> dict[int, Windows]:
    """{wallet: hours in which it trades} of the lets that have an account, or of the one that has this account."""
    return {
        one.wallet: one.trading
        for one in running_of(cursor=cursor, book=book, wallet=wallet)
        if one.wallet is not None and one.trading
    }


def contracts_of(*, book: int, wallet_ix: Mapping[int, int]) -> dict[int, Contract]:
    """{wallet index: its contract} of the lets that have an account."""
    with connection.cursor() as cursor:
        return {
            wallet_ix[one.wallet]: one.contract
            for one in running_of(cursor=cursor, book=book)
            if one.wallet is not None and one.wallet in wallet_ix
        }


# --- circuits -----------------------------------------------------------------------------------------------


def spared_circuits(*, book: int) -> dict[tuple[int, int], str]:
    """{(gateway, meter): what hangs on it} of the meters that are never switched off."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (gateway, meter) gateway, meter, circuit FROM circuit_mark WHERE book = %s "
            "ORDER BY gateway, meter, id DESC",
            [book],
        )
        return {(int(g), int(m)): str(circuit) for g, m, circuit in cursor.fetchall() if circuit != ORDINARY}


def mark_circuit(
    *, cursor: Any, book: int, gateway: int, meter: int, circuit: str, words: str, author: int, now_us: int
) -> int:
    """Write down what hangs on a meter; return the number of the mark."""
    cursor.execute(
        "INSERT INTO circuit_mark (book, gateway, meter, circuit, words, author, made_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [book, gateway, meter, circuit, words, author, now_us],
    )
    return int(cursor.fetchone()[0])


def refusals(*, cursor: Any, book: int, since_us: int) -> dict[int, str]:
    """{let: why the poster could not take its next step when it was last asked}, of late."""
    cursor.execute(
        "SELECT DISTINCT ON (payload->>'let') (payload->>'let')::bigint, result->>'code', state FROM fact "
        "WHERE book = %s AND kind = 'let' AND created_us >= %s ORDER BY payload->>'let', id DESC",
        [book, since_us],
    )
    return {int(let): str(code) for let, code, state in cursor.fetchall() if state == "refused"}
