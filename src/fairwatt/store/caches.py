"""The caches beside the ledger: wallet heads, register heads, use by day.

They affect cost, never meaning: dropped, they are rebuilt from `line`. Each row names the batch it has
seen, so a restart applies only what came after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from django.db import connection, transaction

Array = npt.NDArray[Any]

_WALLET = (
    "wallet",
    "balance_micro",
    "held_micro",
    "seq",
    "level",
    "warned_us",
    "cut_by_credit",
    "withheld",
    "read_us",
)
_REGISTER = (
    "installation",
    "wallet",
    "at_us",
    "register_wh",
    "counter_wh",
    "window_us",
    "carry_nano",
    "carry_tax",
    "relay",
    "power_w",
    "voltage_dv",
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
)
"""Why a cut is withheld, by the number the poster keeps in its arrays."""


def save_wallet_heads(*, cursor: Any, book: int, batch: int, wallets: Array) -> None:
    """Write the heads of some wallets as of a batch, inside its transaction or a later flush."""
    if not len(wallets):
        return
    columns = [wallets[name].tolist() for name in _WALLET if name != "withheld"]
    columns.insert(7, [WITHHELD[int(n)] for n in wallets["withheld_ix"]])
    cursor.execute(
        "INSERT INTO wallet_head (wallet, balance_micro, held_micro, seq, level, warned_us, cut_by_credit, withheld, "
        "read_us, book, batch) SELECT *, %s, %s FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], "
        "%s::smallint[], %s::bigint[], %s::boolean[], %s::text[], %s::bigint[]) "
        "ON CONFLICT (wallet) DO UPDATE SET balance_micro = excluded.balance_micro, held_micro = excluded.held_micro, "
        "seq = excluded.seq, level = excluded.level, warned_us = excluded.warned_us, "
        "cut_by_credit = excluded.cut_by_credit, withheld = excluded.withheld, read_us = excluded.read_us, "
        "batch = excluded.batch",
        [book, batch, *columns],
    )


def save_register_heads(*, cursor: Any, book: int, batch: int, registers: Array, wallets: Array) -> None:
    """Write register heads as of a batch; `wallets` are the wallet ids beside `registers`."""
    if not len(registers):
        return
    columns = [registers[name].tolist() for name in _REGISTER if name != "wallet"]
    columns.insert(1, wallets.tolist())
    cursor.execute(
        "INSERT INTO register_head (installation, wallet, at_us, register_wh, counter_wh, window_us, carry_nano, "
        "carry_tax, relay, power_w, voltage_dv, book, batch) SELECT *, %s, %s FROM unnest(%s::bigint[], %s::bigint[], "
        "%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[], %s::int[], %s::smallint[], %s::int[], "
        "%s::int[]) ON CONFLICT (installation) DO UPDATE SET wallet = excluded.wallet, at_us = excluded.at_us, "
        "register_wh = excluded.register_wh, counter_wh = excluded.counter_wh, window_us = excluded.window_us, "
        "carry_nano = excluded.carry_nano, carry_tax = excluded.carry_tax, relay = excluded.relay, "
        "power_w = excluded.power_w, voltage_dv = excluded.voltage_dv, batch = excluded.batch",
        [book, batch, *columns],
    )


def save_use_days(*, cursor: Any, book: int, batch: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write days of use: (wallet, day_us, energy_wh, cost_micro, slots_wh, slots_micro, close_micro)."""
    cursor.executemany(
        "INSERT INTO use_day (wallet, day_us, energy_wh, cost_micro, slots_wh, slots_micro, close_micro, book, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (wallet, day_us) DO UPDATE SET "
        "energy_wh = excluded.energy_wh, cost_micro = excluded.cost_micro, slots_wh = excluded.slots_wh, "
        "slots_micro = excluded.slots_micro, close_micro = excluded.close_micro, batch = excluded.batch",
        [(*row, book, batch) for row in rows],
    )


def mark_cached(*, cursor: Any, book: int, epoch: int, batch: int) -> bool:
    """Note up to which batch the caches are whole; False when another poster has the book."""
    cursor.execute("UPDATE shard SET cache_batch = %s WHERE book = %s AND epoch = %s", [batch, book, epoch])
    return int(cursor.rowcount) == 1


def drop_caches(*, book: int) -> None:
    """Forget every cache of a book; the next start of its poster rebuilds them from `line`.

    Stop the poster first. What a wallet was told (warnings, cuts) lives in `event` and is read back too.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        for table in ("wallet_head", "register_head", "use_day"):
            cursor.execute(f"DELETE FROM {table} WHERE book = %s", [book])
        cursor.execute("UPDATE shard SET cache_batch = 0, epoch = epoch + 1 WHERE book = %s", [book])
