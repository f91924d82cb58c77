"""Looking at the product's books from outside: a read-only connection of the auditor's role."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import psycopg

_US = "(extract(epoch FROM ts) * 1000000)::bigint"


@dataclass(frozen=True, slots=True)
class Happened:
    """A row of `event`."""

    id: int
    at_us: int
    kind: str
    wallet: int | None
    meter: int | None
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the product has not finished: facts unanswered, orders not yet accepted as (gateway, meter)."""

    facts: int
    orders: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """The part of a line that a judge needs."""

    at_us: int
    ref: int
    wallet: int
    kind: int
    seq: int
    energy_wh: int
    energy_micro: int
    standing_micro: int
    tax_micro: int
    amount_micro: int
    balance_micro: int
    register_wh: int


class Eyes:
    """Asks the database again and again, also over its crashes."""

    def __init__(self, *, dsn: str, book: int) -> None:
        self._dsn = dsn
        self._book = book
        self._link: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._seen = 0

    async def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            await self._link.close()

    async def waiting(self) -> Waiting:
        """Facts and orders in flight."""
        rows = await self._ask(
            "SELECT 0, count(*), 0 FROM fact WHERE book = %(book)s AND state = 'waiting' UNION ALL "
            "SELECT 1, gateway, meter FROM outbox WHERE book = %(book)s AND state = 'queued'"
        )
        orders = tuple((int(g), int(m)) for which, g, m in rows if which == 1)
        return Waiting(facts=int(rows[0][1]) if rows[0][0] == 0 else 0, orders=orders)

    async def news(self) -> list[Happened]:
        """Events since the last call."""
        rows = await self._ask(
            "SELECT id, at_us, kind, wallet, meter, reason, rule FROM event "
            "WHERE book = %(book)s AND id > %(seen)s ORDER BY id",
            seen=self._seen,
        )
        if rows:
            self._seen = int(rows[-1][0])
        return [Happened(*row) for row in rows]

    async def events(self) -> list[Happened]:
        """Every event of the book."""
        rows = await self._ask(
            "SELECT id, at_us, kind, wallet, meter, reason, rule FROM event WHERE book = %(book)s ORDER BY id"
        )
        return [Happened(*row) for row in rows]

    async def lines(self) -> list[LedgerLine]:
        """Every line of the book, wallet by wallet, in posting order."""
        rows = await self._ask(
            f"SELECT {_US}, ref, wallet, kind, seq, energy_wh, energy_micro, standing_micro, tax_micro, "
            "amount_micro, balance_micro, register_wh FROM line WHERE book = %(book)s ORDER BY wallet, seq"
        )
        return [LedgerLine(*row) for row in rows]

    async def arrivals(self, refs: list[str]) -> dict[str, str]:
        """Payments of these references, ours or the provider's, that were credited; how the order of each stands ('':
        there is none)."""
        rows = await self._ask(
            "SELECT r.ref, coalesce(o.state, '') FROM fact f CROSS JOIN LATERAL "
            "(VALUES (f.result ->> 'our_ref'), (f.result ->> 'provider_ref')) r (ref) LEFT JOIN LATERAL "
            "(SELECT state FROM outbox "
            "WHERE wallet = f.wallet AND fact = f.id ORDER BY id DESC LIMIT 1) o ON true WHERE f.book = %(book)s "
            "AND f.kind = 'payment' AND f.state = 'posted' AND f.result ->> 'outcome' = 'credited' "
            "AND r.ref = ANY(%(refs)s)",
            refs=refs,
        )
        return {str(ref): str(state) for ref, state in rows}

    async def number(self, sql: str, **values: object) -> int:
        """One number, for figures; `%(book)s` is the book."""
        return int((await self._ask(sql, **values))[0][0])

    async def _ask(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        while True:
            try:
                link = await self._linked()
                return await (await link.execute(sql, {"book": self._book, **values})).fetchall()
            except psycopg.OperationalError:
                if self._link is not None:
                    await self._link.close()
                self._link = None
                await asyncio.sleep(0.05)

    async def _linked(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._link is None or self._link.closed:
            self._link = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=2)
            await self._link.execute(
                "SELECT set_config('fairwatt.books', %s, false), set_config('fairwatt.wallets', '*', false)",
                [str(self._book)],
            )
        return self._link
