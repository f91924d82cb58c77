"""The caches beside the ledger: wallet heads, register heads, use by day.

They affect cost, never meaning: dropped, they are rebuilt from `line`. Each row names the batch it has
seen, so a restart applies only what came after.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from fairwatt.store.binary import SQL_TYPES, Columns, send_rows, wire_rows

Array = npt.NDArray[Any]

SLOTS: Final = 50
"""Half-hours in the longest local day (25 h)."""
GAP: Final = -(1 << 62)
"""A slot nobody reported; null in the database."""
USE_DAY: Final = np.dtype(
    [
        ("wallet", "i8"),
        ("day_us", "i8"),
        ("energy_wh", "i8"),
        ("cost_micro", "i8"),
        ("slots_wh", "i8", (SLOTS,)),
        ("slots_micro", "i8", (SLOTS,)),
        ("close_micro", "i8"),
    ]
)
_SLOTS_WIRE: Final = {"slots_wh": (23, 4, -(1 << 31)), "slots_micro": (20, 8, GAP)}
"""column -> (type oid of an element, its bytes, the value that stands for a gap on the wire)"""


def _use_day_wire() -> np.dtype[Any]:
    fields: list[Any] = [("_columns", ">i2")]
    for name in USE_DAY.names or ():
        if name in _SLOTS_WIRE:
            slot = np.dtype([("bytes", ">i4"), ("value", f">i{_SLOTS_WIRE[name][1]}")])
            head = [(part, ">i4") for part in ("bytes", "dimensions", "nulls", "type", "length", "first")]
            fields.append((name, [*head, ("slot", slot, (SLOTS,))]))
        else:
            fields += [(f"_{name}", ">i4"), (name, ">i8")]
    return np.dtype(fields)


_USE_DAY_WIRE: Final = _use_day_wire()
_USE_DAY_TABLE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS use_day_news (wallet bigint, day_us bigint, energy_wh bigint, cost_micro bigint, "
    "slots_wh int[], slots_micro bigint[], close_micro bigint) ON COMMIT DELETE ROWS"
)
_WALLET: Final[Columns] = (
    ("wallet", "i8"),
    ("balance_micro", "i8"),
    ("seq", "i8"),
    ("warned_us", "i8"),
    ("read_us", "i8"),
    ("level", "i2"),
    ("withheld_ix", "i2"),
    ("cut_by_credit", "i1"),
)
_REGISTER: Final[Columns] = (
    ("installation", "i8"),
    ("wallet", "i8"),
    ("at_us", "i8"),
    ("register_wh", "i8"),
    ("counter_wh", "i8"),
    ("window_us", "i8"),
    ("carry_tax", "i4"),
    ("power_w", "i4"),
    ("voltage_dv", "i4"),
    ("carry_nano", "i2"),
    ("relay", "i2"),
)
WITHHELD = (
    "",
    "feeds_gateway",
    "protected",
    "payment_in_flight",
    "stale_data",
    "quarantined",
    "friendly_hours",
    "not_warned",
    "emergency_restore",
    "mass_cut",
    "law_forbids",
    "power_limited",
    "forced_on",
    "holiday",
    "weather",
    "emergency_due",
    "protected_circuit",
    "postpaid",
    "switch_grace",
)
"""Why a cut is withheld, by the number the poster keeps in its arrays."""


def save_wallet_heads(*, cursor: Any, book: int, batch: int, wallets: Array) -> None:
    """Write the heads of some wallets as of a batch, inside its transaction or a later flush."""
    if not len(wallets):
        return
    # A batch and the flush beside it would take the rows in other orders: one after the other, then.
    cursor.execute("SELECT 1 FROM cache_mark WHERE book = %s FOR UPDATE", [book])
    news = wire_rows(len(wallets), _WALLET)
    for name, _ in _WALLET:
        news[name] = wallets[name]
    _send(cursor, "wallet_head", news, _WALLET)
    columns = {name: f"n.{name}" for name, _ in _WALLET if name != "withheld_ix"}
    columns["withheld"] = "(%s::text[])[n.withheld_ix + 1]"
    _upsert(cursor, "wallet_head", ("wallet",), columns, book, batch, [list(WITHHELD)], len(wallets))


def save_register_heads(*, cursor: Any, book: int, batch: int, registers: Array, wallets: Array) -> None:
    """Write register heads as of a batch; `wallets` are the wallet ids beside `registers`."""
    if not len(registers):
        return
    news = wire_rows(len(registers), _REGISTER)
    for name, _ in _REGISTER:
        news[name] = wallets if name == "wallet" else registers[name]
    _send(cursor, "register_head", news, _REGISTER)
    columns = {name: f"n.{name}" for name, _ in _REGISTER}
    _upsert(cursor, "register_head", ("installation",), columns, book, batch, [], len(registers))


def _send(cursor: Any, table: str, news: Array, columns: Columns) -> None:
    """Put rows into a table of this connection alone, `<table>_news`; COMMIT empties it."""
    types = ", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in columns)
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table}_news ({types}) ON COMMIT DELETE ROWS")
    send_rows(cursor=cursor, into=f"{table}_news", rows=news)


def _upsert(
    cursor: Any,
    table: str,
    key: tuple[str, ...],
    columns: dict[str, str],
    book: int,
    batch: int,
    parameters: list[Any],
    count: int,
) -> None:
    """Bring the news as of a batch into a cache: `columns` names each column and what it is of `n`, the news.

    What a later batch wrote stays. Nearly every row is there already, and an UPDATE costs half of what
    INSERT .. ON CONFLICT does.
    """
    same = " AND ".join(f"c.{name} = n.{name}" for name in key)
    values = ", ".join(f"{name} = {value}" for name, value in columns.items() if name not in key)
    cursor.execute(
        f"UPDATE {table} c SET {values}, batch = %s FROM {table}_news n WHERE {same} AND c.batch <= %s",
        [*parameters, batch, batch],
    )
    if cursor.rowcount < count:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}, book, batch) SELECT {', '.join(columns.values())}, %s, %s "
            f"FROM {table}_news n ON CONFLICT ({', '.join(key)}) DO NOTHING",
            [*parameters, book, batch],
        )


def save_use_days(*, cursor: Any, book: int, batch: int, days: Array) -> None:
    """Write days of use: an array of dtype USE_DAY."""
    if not len(days):
        return
    cursor.execute(_USE_DAY_TABLE)
    wire = np.zeros(len(days), dtype=_USE_DAY_WIRE)
    wire["_columns"] = len(USE_DAY.names or ())
    for name in ("wallet", "day_us", "energy_wh", "cost_micro", "close_micro"):
        wire[f"_{name}"] = 8
        wire[name] = days[name]
    for name, (oid, width, gap) in _SLOTS_WIRE.items():
        slots = wire[name]
        slots["bytes"] = 20 + SLOTS * (4 + width)
        slots["dimensions"], slots["type"], slots["length"], slots["first"] = 1, oid, SLOTS, 1
        slots["slot"]["bytes"] = width
        slots["slot"]["value"] = np.where(days[name] == GAP, gap, days[name])
    send_rows(cursor=cursor, into="use_day_news", rows=wire)
    columns = {name: f"n.{name}" for name in USE_DAY.names or ()}
    for name in _SLOTS_WIRE:
        columns[name] = f"array_replace(n.{name}, %s, NULL)"
    gaps = [gap for _, _, gap in _SLOTS_WIRE.values()]
    _upsert(cursor, "use_day", ("wallet", "day_us"), columns, book, batch, gaps, len(days))


def cached_upto(*, book: int) -> int:
    """Up to which batch the caches are whole. Waits for a flush that an earlier poster has begun."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO cache_mark (book) VALUES (%s) ON CONFLICT DO NOTHING", [book])
        cursor.execute("SELECT batch FROM cache_mark WHERE book = %s FOR UPDATE", [book])
        return int(cursor.fetchone()[0])


def mark_cached(*, cursor: Any, book: int, epoch: int, batch: int) -> bool:
    """Note up to which batch the caches are whole; False when another poster has the book.

    Whoever takes the book reads this row and locks it (`cached_upto`) after the epoch has moved, so a poster
    that lost the book either ends before or finds the new epoch here.
    """
    # A flush that a power failure takes back is made again from the lines: nobody waits for the disk.
    cursor.execute("SET LOCAL synchronous_commit = off")
    cursor.execute("UPDATE cache_mark SET batch = %s WHERE book = %s", [batch, book])
    cursor.execute("SELECT 1 FROM shard WHERE book = %s AND epoch = %s", [book, epoch])
    return cursor.fetchone() is not None


def drop_caches(*, book: int) -> None:
    """Forget every cache of a book; the next start of its poster rebuilds them from `line`.

    Stop the poster first. What a wallet was told (warnings, cuts) lives in `event` and is read back too.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        for table in ("wallet_head", "register_head", "use_day"):
            cursor.execute(f"DELETE FROM {table} WHERE book = %s", [book])
        cursor.execute("UPDATE cache_mark SET batch = 0 WHERE book = %s", [book])
        cursor.execute("UPDATE shard SET epoch = epoch + 1 WHERE book = %s", [book])
