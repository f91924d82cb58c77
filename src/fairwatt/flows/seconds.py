"""Seconds and steps: every statement about what meters did between two readings.

Off the ledger's path: nothing here is read by the poster, and no table here is one it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection

from fairwatt.store.models import Installation
from fairwatt.wire.records import UNKNOWN_I32
from fairwatt.wire.telemetry import CHANNELS, unshuffled

DAY_S: Final = 86_400
STEPS_S: Final = (60, 900)
QUANTITIES: Final = ("power", "voltage", "current")
"""Channels by the names of the columns, in the order of `CHANNELS`."""

_OF_WIRES: Final = [0, 2]
"""Power and current: a current transformer shows a meter a share of them, and the voltage whole."""
FAR_S: Final = 1 << 40
_INT32_MAX: Final = 2**31 - 1

Int32s = npt.NDArray[np.int32]


class Place(NamedTuple):
    """Which meter this is, and whose wallet it feeds now."""

    meter: int
    wallet: int
    opened_s: int


class SecondRow(NamedTuple):
    """A block of one meter, as its gateway packed it."""

    start_s: int
    meter: int
    wallet: int
    book: int
    seconds: int
    body: bytes


class Steps(NamedTuple):
    """A span cut into steps: per quantity the number, least, most and sum of its known seconds.

    Where ``n`` is 0 nobody knows; least and most are then 0 and mean nothing.
    """

    n: npt.NDArray[np.int64]
    least: npt.NDArray[np.int64]
    most: npt.NDArray[np.int64]
    total: npt.NDArray[np.int64]


def unpacked(body: bytes, /, *, seconds: int) -> Int32s:
    """A body as an array [channel, second]. Raises BadShape for anything that the wire would refuse."""
    steps = np.frombuffer(unshuffled(body, seconds=seconds), dtype="<u4").reshape(len(CHANNELS), seconds)
    # Zigzag back; everything modulo 2^32, as it was packed.
    changes = (steps >> np.uint32(1)) ^ (np.uint32(0) - (steps & np.uint32(1)))
    return np.cumsum(changes, axis=1, dtype=np.uint32).view(np.int32)


def places_of(*, gateway: str, book: int) -> dict[int, Place]:
    """The meters of a gateway of that book by their number, with the wallet that each feeds now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.number, m.id, i.wallet_id, i.opened_us / 1000000 FROM store_gateway g "
            "JOIN store_site s ON s.id = g.site_id JOIN store_meter m ON m.gateway_id = g.id "
            "JOIN store_installation i ON i.meter_id = m.id AND i.closed_us IS NULL "
            "WHERE g.slug = %s AND s.book_id = %s",
            [gateway, book],
        )
        return {
            int(number): Place(int(meter), int(wallet), int(opened))
            for number, meter, wallet, opened in cursor.fetchall()
        }


def make_partitions(*, from_s: int, until_s: int) -> None:
    """Make the days [from_s, until_s) that do not exist yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT make_tele_partitions(%s, %s)", [from_s, until_s])


def days() -> list[int]:
    """First seconds of the days that still have their seconds, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tele_days()")
        return [int(row[0]) for row in cursor.fetchall()]


def rolled_days() -> set[int]:
    """Days whose steps are made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT day_s FROM tele_rolled")
        return {int(row[0]) for row in cursor.fetchall()}


def insert_seconds(rows: Sequence[SecondRow], /) -> int:
    """Keep blocks, return how many are new: one that is known stays as it is. A day that grows loses its mark."""
    if not rows:
        return 0
    columns = [list(column) for column in zip(*rows, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tele_second (start_s, meter, wallet, book, seconds, body) SELECT * FROM "
            "unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::smallint[], %s::bytea[]) "
            "ON CONFLICT DO NOTHING",
            columns,
        )
        new = int(cursor.rowcount)
        touched = sorted({row.start_s // DAY_S * DAY_S for row in rows})
        cursor.execute("DELETE FROM tele_rolled WHERE day_s = ANY(%s)", [touched])
    return new


def count_refused(*, book: int, gateway: str, code: str, day_s: int, blocks: int, detail: str) -> None:
    """Say that blocks could not be kept, and why."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tele_refused (book, gateway, code, day_s, blocks, detail) VALUES (%s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (book, gateway, code, day_s) DO UPDATE "
            "SET blocks = tele_refused.blocks + excluded.blocks, detail = excluded.detail",
            [book, gateway, code, day_s, blocks, detail[:200]],
        )


def read_seconds(*, meter: int, from_s: int, until_s: int) -> Int32s:
    """Every second of [from_s, until_s) as an array [channel, second]; UNKNOWN_I32 where nothing was read.

    Blocks stay as the meter measured; power and current are told as of the wires, where it stands behind transformers.
    """
    out = np.full((len(CHANNELS), max(0, until_s - from_s)), UNKNOWN_I32, dtype=np.int32)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT start_s, seconds, body FROM tele_second WHERE meter = %s AND start_s > %s AND start_s < %s "
            "ORDER BY start_s",
            [meter, from_s - 600, until_s],
        )
        for start_s, seconds, body in cursor.fetchall():
            _place(out, from_s, int(start_s), unpacked(bytes(body), seconds=int(seconds)))
    for opened_s, closed_s, ratio in transformers_of(meter=meter):
        first, last = max(0, opened_s - from_s), max(0, min(closed_s, until_s) - from_s)
        part = out[_OF_WIRES, first:last]
        wide = np.clip(part.astype(np.int64) * ratio[0] // ratio[1], -_INT32_MAX, _INT32_MAX)
        out[_OF_WIRES, first:last] = np.where(part == UNKNOWN_I32, UNKNOWN_I32, wide)
    return out


def transformers_of(*, meter: int) -> list[tuple[int, int, tuple[int, int]]]:
    """(from second, until second, ratio) of the times when a meter stood behind current transformers."""
    homes = Installation.objects.filter(meter=meter).order_by("opened_us")
    return [
        (
            -(-home.opened_us // 1_000_000),
            FAR_S if home.closed_us is None else -(-home.closed_us // 1_000_000),
            home.transformer,
        )
        for home in homes
        if home.transformer != (1, 1)
    ]


def _place(out: Int32s, from_s: int, start_s: int, values: Int32s) -> None:
    first, last = max(start_s, from_s), min(start_s + values.shape[1], from_s + out.shape[1])
    if first >= last:
        return
    part = values[:, first - start_s : last - start_s]
    window = out[:, first - from_s : last - from_s]
    np.copyto(window, part, where=part != UNKNOWN_I32)


def in_steps(values: Int32s, /, *, step: int) -> list[Steps]:
    """Cut an array [channel, second] into steps of ``step`` seconds; the last may be short."""
    channels, seconds = values.shape
    width = -(-seconds // step) * step
    padded = np.full((channels, width), UNKNOWN_I32, dtype=np.int64)
    padded[:, :seconds] = values
    cut = padded.reshape(channels, -1, step)
    known = cut != UNKNOWN_I32
    n = known.sum(axis=2)
    least = np.where(known, cut, np.iinfo(np.int64).max).min(axis=2)
    most = np.where(known, cut, np.iinfo(np.int64).min).max(axis=2)
    total = np.where(known, cut, 0).sum(axis=2)
    some = n > 0
    return [
        Steps(n[c], np.where(some[c], least[c], 0), np.where(some[c], most[c], 0), total[c])
        for c in range(channels)
    ]


def roll_day(*, day_s: int, now_us: int) -> int:
    """Make the steps of a day anew from its seconds; return how many meters it had. Call it in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tele_day WHERE day_s = %s", [day_s])
        cursor.execute(
            "SELECT DISTINCT meter, wallet, book FROM tele_second WHERE start_s >= %s AND start_s < %s ORDER BY meter",
            [day_s, day_s + DAY_S],
        )
        lived = cursor.fetchall()
        for meter, wallet, book in lived:
            values = _wallet_day(cursor, day_s, int(meter), int(wallet))
            for step_s in STEPS_S:
                _insert_steps(cursor, day_s, int(meter), int(wallet), int(book), step_s, values)
        cursor.execute(
            "INSERT INTO tele_rolled (day_s, at_us) VALUES (%s, %s) ON CONFLICT DO NOTHING", [day_s, now_us]
        )
    return len({row[0] for row in lived})


def _wallet_day(cursor: Any, day_s: int, meter: int, wallet: int) -> Int32s:
    # Blocks may reach over midnight by a few minutes; each second belongs to its own day.
    out = np.full((len(CHANNELS), DAY_S), UNKNOWN_I32, dtype=np.int32)
    cursor.execute(
        "SELECT start_s, seconds, body FROM tele_second "
        "WHERE meter = %s AND wallet = %s AND start_s > %s AND start_s < %s",
        [meter, wallet, day_s - 600, day_s + DAY_S],
    )
    for start_s, seconds, body in cursor.fetchall():
        _place(out, day_s, int(start_s), unpacked(bytes(body), seconds=int(seconds)))
    return out


def _insert_steps(
    cursor: Any, day_s: int, meter: int, wallet: int, book: int, step_s: int, values: Int32s
) -> None:
    names: list[str] = []
    arrays: list[list[int]] = []
    for quantity, steps in zip(QUANTITIES, in_steps(values, step=step_s), strict=True):
        for part, array in zip(("n", "min", "max", "sum"), steps, strict=True):
            names.append(f"{quantity}_{part}")
            arrays.append(array.tolist())
    cursor.execute(
        f"INSERT INTO tele_day (day_s, meter, wallet, book, step_s, {', '.join(names)}) "
        f"VALUES (%s, %s, %s, %s, %s, {', '.join(['%s'] * len(names))})",
        [day_s, meter, wallet, book, step_s, *arrays],
    )


def drop_day(*, day_s: int) -> bool:
    """Let the seconds of a day go; refused while its steps are not made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT drop_tele_day(%s)", [day_s])
        return bool(cursor.fetchone()[0])


def read_steps(*, meter: int, from_s: int, until_s: int, step_s: int) -> list[tuple[int, list[Steps]]]:
    """(first second of the day, steps by quantity) of the days of [from_s, until_s) that are made."""
    names = [f"{quantity}_{part}" for quantity in QUANTITIES for part in ("n", "min", "max", "sum")]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT day_s, {', '.join(names)} FROM tele_day "
            "WHERE meter = %s AND step_s = %s AND day_s > %s AND day_s < %s ORDER BY day_s, wallet",
            [meter, step_s, from_s - DAY_S, until_s],
        )
        days = [
            (int(row[0]), [Steps(*(np.array(row[1 + 4 * c + k]) for k in range(4))) for c in range(3)])
            for row in cursor.fetchall()
        ]
    through = transformers_of(meter=meter)
    return [(day_s, _of_wires(day_s, steps, step_s, through)) for day_s, steps in days]


def _of_wires(
    day_s: int, steps: list[Steps], step_s: int, through: list[tuple[int, int, tuple[int, int]]]
) -> list[Steps]:
    """Steps of a day as of the wires; a step in which transformers were put in counts as after it."""
    if not through:
        return steps
    ends = day_s + step_s * np.arange(1, len(steps[0].n) + 1)
    up, down = np.ones_like(ends), np.ones_like(ends)
    for opened_s, closed_s, ratio in through:
        mine = (ends > opened_s) & (ends <= closed_s)
        up[mine], down[mine] = ratio
    return [
        Steps(one.n, *(part * up // down for part in one[1:])) if c in _OF_WIRES else one
        for c, one in enumerate(steps)
    ]


def newest_second(*, meters: Iterable[int]) -> int | None:
    """Where the newest block of these meters ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(start_s + seconds) FROM unnest(%s::bigint[]) AS mine(meter), LATERAL "
            "(SELECT start_s, seconds FROM tele_second t WHERE t.meter = mine.meter ORDER BY start_s DESC LIMIT 1) x",
            [list(meters)],
        )
        found = cursor.fetchone()[0]
        return None if found is None else int(found)
