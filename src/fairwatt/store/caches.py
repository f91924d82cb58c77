"""The caches beside the ledger: wallet heads, register heads, use by day.

They affect cost, never meaning: dropped, they are rebuilt from `line`. Each row names the batch it has
seen, so a restart applies only what came after.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from fairwatt.store.posting import COPY_HEADER, COPY_TRAILER

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
_USE_DAY_UPSERT: Final = (
    "INSERT INTO use_day (wallet, day_us, book, energy_wh, cost_micro, slots_wh, slots_micro, close_micro, batch) "
    "SELECT wallet, day_us, %s, energy_wh, cost_micro, array_replace(slots_wh, %s, NULL), "
    "array_replace(slots_micro, %s, NULL), close_micro, %s FROM use_day_news ORDER BY wallet, day_us "
    "ON CONFLICT (wallet, day_us) DO UPDATE SET energy_wh = excluded.energy_wh, cost_micro = excluded.cost_micro, "
    "slots_wh = excluded.slots_wh, slots_micro = excluded.slots_micro, close_micro = excluded.close_micro, "
    "batch = excluded.batch"
)

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
    with cursor.copy("COPY use_day_news FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(COPY_HEADER)
        copy.write(wire.view(np.uint8).data)
        copy.write(COPY_TRAILER)
    gaps = [gap for _, _, gap in _SLOTS_WIRE.values()]
    cursor.execute(_USE_DAY_UPSERT, [book, *gaps, batch])


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
