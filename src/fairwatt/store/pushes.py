"""Wishes for meters and gateways: every statement about pushes, their targets, steps and orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection


class Push(NamedTuple):
    """A wish, with its newest step of each kind folded into a state."""

    id: int
    kind: str
    wish: dict[str, Any]
    words: str
    canary_pm: int
    author: int
    created_us: int
    targets: int
    steps: tuple[str, ...]

    @property
    def state(self) -> str:
        """running, paused, asking, held, stopped or done: the last step decides."""
        state = "running"
        for step in self.steps:
            match step:
                case "pause" | "hold" | "ask" | "stop" | "done":
                    state = {"pause": "paused", "hold": "held", "ask": "asking", "stop": "stopped"}.get(
                        step, step
                    )
                case "resume" if state in ("paused", "held"):
                    state = "running"
                case "approve" if state == "asking":
                    state = "running"
        return state

    @property
    def approved(self) -> bool:
        """Whether a second person said that it is meant."""
        return "approve" in self.steps


class Target(NamedTuple):
    """One meter (0: the gateway itself) of a push, and how far it has got."""

    place: int
    gateway: int
    meter: int
    state: str
    reason: str


class Order(NamedTuple):
    """An open command of a slot."""

    id: int
    gateway: int
    meter: int
    kind: int
    seq: int
    state: str
    payload: bytes
    expires_us: int
    after_event: int


def add_push(
    *,
    cursor: Any,
    book: int,
    kind: str,
    wish: dict[str, Any],
    words: str,
    canary_pm: int,
    author: int,
    targets: Sequence[tuple[int, int]],
    now_us: int,
) -> int:
    """Write a wish and its targets (gateway id, meter number); return its number."""
    cursor.execute(
        "INSERT INTO push (book, kind, wish, words, canary_pm, author, created_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [book, kind, json.dumps(wish, sort_keys=True), words, canary_pm, author, now_us],
    )
    push = int(cursor.fetchone()[0])
    cursor.executemany(
        "INSERT INTO push_target (push, book, place, gateway, meter) VALUES (%s, %s, %s, %s, %s)",
        [(push, book, place, gateway, meter) for place, (gateway, meter) in enumerate(targets)],
    )
    return push


def add_step(
    *, cursor: Any, book: int, push: int, step: str, author: int | None, words: str, now_us: int
) -> None:
    """Write a step of a push; the database refuses one that this person may not take."""
    cursor.execute(
        "INSERT INTO push_step (push, book, step, author, words, at_us) VALUES (%s, %s, %s, %s, %s, %s)",
        [push, book, step, author, words, now_us],
    )


_PUSH = """
SELECT p.id, p.kind, p.wish, p.words, p.canary_pm, p.author, p.created_us,
       (SELECT count(*) FROM push_target t WHERE t.push = p.id),
       coalesce((SELECT array_agg(s.step ORDER BY s.id) FROM push_step s WHERE s.push = p.id), '{}')
  FROM push p WHERE p.book = %s
"""


def pushes(*, book: int, only_open: bool = False, push: int | None = None, limit: int = 50) -> list[Push]:
    """Wishes of a book, newest first."""
    more, arguments = "", [book]
    if push is not None:
        more, arguments = " AND p.id = %s", [book, push]
    if only_open:
        more += (
            " AND NOT EXISTS (SELECT 1 FROM push_step s WHERE s.push = p.id AND s.step IN ('stop', 'done'))"
        )
    with connection.cursor() as cursor:
        cursor.execute(f"{_PUSH}{more} ORDER BY p.id DESC LIMIT {limit:d}", arguments)
        rows = cursor.fetchall()
    return [
        Push(int(r[0]), r[1], _obj(r[2]), r[3], r[4], int(r[5]), int(r[6]), int(r[7]), tuple(r[8]))
        for r in rows
    ]


def _obj(value: Any) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    return dict(found)


_TARGETS = """
SELECT t.place, t.gateway, t.meter, o.state, o.reason FROM push_target t
  LEFT JOIN LATERAL (SELECT state, reason FROM standing_order o WHERE o.push = t.push AND o.gateway = t.gateway
       AND o.meter = t.meter ORDER BY o.id DESC LIMIT 1) o ON true
 WHERE t.push = %s ORDER BY t.place
"""
_SUPPLY_TARGETS = """
SELECT t.place, t.gateway, t.meter,
       CASE WHEN f.id IS NULL THEN NULL WHEN f.state = 'refused' THEN 'failed' ELSE coalesce(o.state, 'queued') END,
       coalesce(f.result->>'code', '')
  FROM push_target t
  LEFT JOIN fact f ON f.book = t.book AND f.kind = 'supply_order'
       AND f.natural_key = 'push:' || t.push || ':' || t.gateway || ':' || t.meter
  LEFT JOIN LATERAL (SELECT state FROM outbox o WHERE o.book = t.book AND o.gateway = t.gateway AND o.meter = t.meter
       AND o.fact = f.id ORDER BY (o.state = 'proven') DESC, o.id DESC LIMIT 1) o ON true
 WHERE t.push = %s ORDER BY t.place
"""


def targets(*, push: Push) -> list[Target]:
    """How far each target of a wish has got: waiting, queued, accepted, proven, failed, expired or superseded."""
    with connection.cursor() as cursor:
        cursor.execute(_SUPPLY_TARGETS if push.kind == "supply" else _TARGETS, [push.id])
        return [
            Target(int(place), int(gateway), int(meter), state or "waiting", reason or "")
            for place, gateway, meter, state, reason in cursor.fetchall()
        ]


def next_seq(*, cursor: Any, gateway: int, meter: int, kind: int) -> int:
    """The next number of a slot."""
    cursor.execute(
        "SELECT coalesce(max(seq), 0) + 1 FROM standing_order WHERE gateway = %s AND meter = %s AND kind = %s",
        [gateway, meter, kind],
    )
    return int(cursor.fetchone()[0])


def add_order(
    *,
    cursor: Any,
    book: int,
    gateway: int,
    meter: int,
    kind: int,
    seq: int,
    push: int,
    payload: bytes,
    expires_us: int,
    now_us: int,
) -> None:
    """Write a signed command; the older open ones of its slot are superseded in the same step."""
    cursor.execute(
        "UPDATE standing_order SET state = 'superseded', moved_us = %s "
        "WHERE gateway = %s AND meter = %s AND kind = %s AND state IN ('queued', 'accepted')",
        [now_us, gateway, meter, kind],
    )
    cursor.execute("SELECT coalesce(max(id), 0) FROM event WHERE book = %s", [book])
    newest = int(cursor.fetchone()[0])
    cursor.execute(
        "INSERT INTO standing_order "
        "(book, gateway, meter, kind, seq, push, payload, created_us, expires_us, after_event) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [book, gateway, meter, kind, seq, push, payload, now_us, expires_us, newest],
    )


def open_orders(*, book: int) -> list[Order]:
    """Commands of slots that are not proven and not over."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, gateway, meter, kind, seq, state, payload, expires_us, after_event FROM standing_order "
            "WHERE book = %s AND state IN ('queued', 'accepted') ORDER BY id",
            [book],
        )
        return [
            Order(
                int(row[0]),
                int(row[1]),
                int(row[2]),
                int(row[3]),
                int(row[4]),
                row[5],
                bytes(row[6]),
                int(row[7]),
                int(row[8]),
            )
            for row in cursor.fetchall()
        ]


class Told(NamedTuple):
    """The newest command of a slot, whatever became of it."""

    meter: int
    kind: int
    state: str
    reason: str
    payload: bytes
    push: int
    created_us: int


def newest_orders(*, book: int, gateway: int) -> list[Told]:
    """The newest command of each slot of a gateway, in the order in which they were given."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT meter, kind, state, reason, payload, push, created_us FROM ("
            "SELECT DISTINCT ON (meter, kind) * FROM standing_order WHERE book = %s AND gateway = %s "
            "ORDER BY meter, kind, seq DESC) newest ORDER BY id",
            [book, gateway],
        )
        return [
            Told(int(r[0]), int(r[1]), r[2], r[3], bytes(r[4]), int(r[5]), int(r[6]))
            for r in cursor.fetchall()
        ]


def told_about(*, book: int, order: Order) -> list[tuple[int, str, dict[str, Any]]]:
    """(event id, code, evidence) of what the gateway said about an order since it was last looked at."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, kind, evidence FROM event WHERE book = %s AND id > %s AND gateway = %s "
            "AND coalesce(meter, 0) = %s AND kind IN ('gateway.standing_receipt', 'gateway.reported') "
            "AND (evidence->>'kind')::int = %s AND (evidence->>'seq')::bigint = %s ORDER BY id",
            [book, order.after_event, order.gateway, order.meter, order.kind, order.seq],
        )
        return [
            (int(event), kind.removeprefix("gateway."), _obj(said)) for event, kind, said in cursor.fetchall()
        ]


def move_order(
    *,
    cursor: Any,
    order: int,
    state: str,
    now_us: int,
    after_event: int,
    reason: str = "",
    receipt: bytes | None = None,
    reported: dict[str, Any] | None = None,
) -> None:
    """Take an order one step on."""
    cursor.execute(
        "UPDATE standing_order SET state = %s, reason = %s, moved_us = %s, after_event = %s, "
        "receipt = coalesce(%s, receipt), reported = coalesce(%s, reported) WHERE id = %s",
        [
            state,
            reason,
            now_us,
            after_event,
            receipt,
            None if reported is None else json.dumps(reported),
            order,
        ],
    )


def orders_of_meter(*, book: int, gateway: int, meter: int, limit: int = 40) -> list[dict[str, Any]]:
    """What was wished for a meter, newest first: kind, state, what was reported, which push."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.kind, o.seq, o.state, o.reason, o.reported, o.created_us, o.moved_us, o.push, p.wish, p.kind "
            "FROM standing_order o JOIN push p ON p.id = o.push "
            "WHERE o.book = %s AND o.gateway = %s AND o.meter = %s ORDER BY o.id DESC LIMIT %s",
            [book, gateway, meter, limit],
        )
        names = (
            "slot",
            "seq",
            "state",
            "reason",
            "reported",
            "created_us",
            "moved_us",
            "push",
            "wish",
            "kind",
        )
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row["wish"] = _obj(row["wish"])
        row["reported"] = None if row["reported"] is None else _obj(row["reported"])
    return rows


def reported_issuers(*, book: int) -> dict[int, frozenset[str]]:
    """Which issuers each gateway said last that it obeys (hex ids of keys); none where it was never asked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (gateway) gateway, reported->>'kids' FROM standing_order "
            "WHERE book = %s AND meter = 0 AND reported ? 'kids' ORDER BY gateway, moved_us DESC, id DESC",
            [book],
        )
        return {int(gateway): frozenset(str(kids).split(",")) for gateway, kids in cursor.fetchall()}
