"""Forecasts in the database: what they rest on, what was said, and the newest outlook of each wallet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fairwatt.core.insight.ahead.outlook import Outlook, Range
from fairwatt.core.ledger.model import Kind

SHAPE_DAYS: Final = 14
_USE_KINDS: Final = (Kind.READING, Kind.LATE, Kind.CORRECTION)
_CURVES: Final = "starts_us, low_micro, mid_micro, high_micro, first_micro, last_micro, shape"
_TOLD: Final = f"{_CURVES}, day_micro, history, guessed_from"
_EXCLUDED: Final = ", ".join(f"EXCLUDED.{name}" for name in _TOLD.split(", "))


class DayOfUse(NamedTuple):
    """What a wallet used on a local day, and where its balance ended."""

    wallet: int
    day_us: int
    energy_wh: int
    close_micro: int


def days_of_use(*, cursor: Any, wallets: Sequence[int], from_us: int, until_us: int) -> list[DayOfUse]:
    """Every cached day of these wallets in a span."""
    cursor.execute(
        "SELECT wallet, day_us, energy_wh, close_micro FROM use_day "
        "WHERE wallet = ANY(%s) AND day_us >= %s AND day_us < %s",
        [list(wallets), from_us, until_us],
    )
    return [DayOfUse(*row) for row in cursor.fetchall()]


def shapes_of_use(
    *, cursor: Any, wallets: Sequence[int], from_us: int, until_us: int, zone: str
) -> list[tuple[int, int, int, int]]:
    """(wallet, 1 at weekends, half hour from 0, Wh) summed over the cached days of a span."""
    cursor.execute(
        "SELECT wallet, (extract(isodow FROM to_timestamp(day_us / 1000000) AT TIME ZONE %s) > 5)::int, n - 1, sum(wh) "
        "FROM use_day, unnest(slots_wh) WITH ORDINALITY AS slot(wh, n) "
        "WHERE wallet = ANY(%s) AND day_us >= %s AND day_us < %s AND wh > 0 AND n <= 48 GROUP BY 1, 2, 3",
        [zone, list(wallets), from_us, until_us],
    )
    return [(int(w), int(end), int(n), int(wh)) for w, end, n, wh in cursor.fetchall()]


def days_of_registers(
    *, cursor: Any, book: int, wallets: Sequence[int], starts_us: Sequence[int]
) -> list[tuple[int, int, int, int]]:
    """(installation, day, half hour, Wh) from lines, for wallets whose registers must be told apart.

    `starts_us` are the beginnings of the days and the end of the last; days count from 0.
    """
    cursor.execute(
        "WITH used AS (SELECT ref, energy_wh, (extract(epoch FROM ts) * 1000000)::bigint - 1 AS at FROM line "
        "WHERE book = %s AND wallet = ANY(%s) AND kind = ANY(%s) AND ts > to_timestamp(%s / 1000000.0) "
        "AND ts <= to_timestamp(%s / 1000000.0)), "
        "dated AS (SELECT ref, energy_wh, at, width_bucket(at, %s::bigint[]) AS n FROM used) "
        "SELECT ref, n - 1, least(47, (at - (%s::bigint[])[n]) / 1800000000), sum(energy_wh) FROM dated "
        "GROUP BY 1, 2, 3",
        [
            book,
            list(wallets),
            [int(kind) for kind in _USE_KINDS],
            starts_us[0],
            starts_us[-1],
            list(starts_us),
            list(starts_us),
        ],
    )
    return [(int(ref), int(day), int(slot), int(wh)) for ref, day, slot, wh in cursor.fetchall()]


class Stand(NamedTuple):
    """A register at work: its wallet, what that has as of a batch, and what the register's counting window holds."""

    wallet: int
    installation: int
    balance_micro: int
    batch: int
    counter_wh: int
    window_us: int


def standing(*, cursor: Any, book: int) -> list[Stand]:
    """Every open installation of a book with what its wallet has, in the order of wallets."""
    cursor.execute(
        "SELECT i.wallet_id, i.id, coalesce(h.balance_micro, 0), coalesce(h.batch, 0), coalesce(r.counter_wh, 0), "
        "coalesce(r.window_us, 0) FROM store_installation i JOIN store_wallet w ON w.id = i.wallet_id "
        "LEFT JOIN wallet_head h ON h.wallet = i.wallet_id LEFT JOIN register_head r ON r.installation = i.id "
        "WHERE w.book_id = %s AND i.closed_us IS NULL ORDER BY i.wallet_id, i.id",
        [book],
    )
    return [Stand(*(int(value) for value in row)) for row in cursor.fetchall()]


def moved_since(*, cursor: Any, book: int) -> list[int]:
    """Wallets whose money a fact moved after their newest forecast, and whose cached balance knows it."""
    cursor.execute(
        "SELECT f.wallet FROM forecast_head f JOIN wallet_head h ON h.wallet = f.wallet WHERE f.book = %s AND EXISTS "
        "(SELECT 1 FROM fact p WHERE p.book = f.book AND p.wallet = f.wallet AND p.state = 'posted' "
        "AND p.batch > f.batch AND p.batch <= h.batch) ORDER BY f.wallet",
        [book],
    )
    return [int(wallet) for (wallet,) in cursor.fetchall()]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A forecast to be kept: the outlook, what it means for the balance of now, and what it rests on."""

    wallet: int
    available_micro: int
    batch: int
    outlook: Outlook
    range: Range
    levels_micro: Sequence[int]
    inputs: bytes


def save(
    *, cursor: Any, book: int, made: Iterable[Made], because: str, method: int, seed: int, now_us: int
) -> None:
    """Write forecasts down, and make them the newest of their wallets."""
    rows = list(made)
    if not rows:
        return
    cursor.execute(
        "INSERT INTO forecast (book, wallet, made_us, from_us, because, method, seed, history, inputs, "
        "available_micro, early_us, mid_us, late_us) "
        "SELECT %s, wallet, %s, from_us, %s, %s, %s, history, inputs, available, early, mid, late "
        "FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], "
        "%s::bigint[]) AS one(wallet, from_us, history, inputs, available, early, mid, late) RETURNING wallet, id",
        [
            *(book, now_us, because, method, seed),
            [one.wallet for one in rows],
            [one.outlook.from_us for one in rows],
            [one.outlook.history for one in rows],
            [one.inputs for one in rows],
            [one.available_micro for one in rows],
            *([one.range[n] for one in rows] for n in range(3)),
        ],
    )
    numbers = {int(wallet): int(number) for wallet, number in cursor.fetchall()}
    cursor.executemany(
        f"INSERT INTO forecast_head (wallet, book, forecast, made_us, batch, level_micro, {_TOLD}) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        f"ON CONFLICT (wallet) DO UPDATE SET (forecast, made_us, batch, level_micro, {_TOLD}) = "
        f"(EXCLUDED.forecast, EXCLUDED.made_us, EXCLUDED.batch, EXCLUDED.level_micro, {_EXCLUDED})",
        [_head(book, numbers[one.wallet], one, now_us) for one in rows],
    )


def _head(book: int, number: int, one: Made, now_us: int) -> list[Any]:
    told = one.outlook
    curves = (told.starts_us, told.low, told.mid, told.high, told.first, told.last, told.shape)
    return [
        *(one.wallet, book, number, now_us, one.batch, list(one.levels_micro)),
        *map(list, curves),
        *(told.day_micro, told.history, told.guessed_from),
    ]


class Newest(NamedTuple):
    """The newest forecast of a wallet."""

    forecast: int
    made_us: int
    outlook: Outlook


def newest(*, cursor: Any, book: int, wallets: Sequence[int] | None = None) -> dict[int, Newest]:
    """By wallet, of a book or of some of its wallets."""
    cursor.execute(
        f"SELECT wallet, forecast, made_us, {_TOLD} FROM forecast_head "
        "WHERE book = %s AND (%s::bigint[] IS NULL OR wallet = ANY(%s::bigint[]))",
        [book, *([None if wallets is None else list(wallets)] * 2)],
    )
    return {
        int(wallet): Newest(int(number), int(made_us), _outlook(curves, day, history, guessed))
        for wallet, number, made_us, *curves, day, history, guessed in cursor.fetchall()
    }


def _outlook(curves: Sequence[Sequence[int]], day: int, history: int, guessed: int | None) -> Outlook:
    starts, low, mid, high, first, last, shape = map(tuple, curves)
    return Outlook(starts, low, mid, high, first, last, shape, day, history, guessed)


def looked_from(*, cursor: Any, book: int) -> int:
    """The beginning of the newest day that a whole book was looked ahead from; 0 before the first."""
    cursor.execute(
        "SELECT coalesce(max(from_us), 0) FROM forecast WHERE book = %s AND because = 'night'", [book]
    )
    return int(cursor.fetchone()[0])


class Level(NamedTuple):
    """Below which amount a wallet is warned by days, and which forecast says so."""

    forecast: int
    level_micro: int


def levels(*, cursor: Any, book: int, days: Mapping[int, int], since_us: int) -> dict[int, Level]:
    """By wallet, for wallets and the days each is warned ahead; forecasts older than an instant say nothing."""
    cursor.execute(
        "SELECT f.wallet, f.forecast, f.level_micro[least(asked.days, cardinality(f.level_micro))] "
        "FROM forecast_head f JOIN unnest(%s::bigint[], %s::int[]) AS asked(wallet, days) USING (wallet) "
        "WHERE f.book = %s AND f.made_us >= %s",
        [list(days), list(days.values()), book, since_us],
    )
    return {int(w): Level(int(number), int(micro)) for w, number, micro in cursor.fetchall()}


class Said(NamedTuple):
    """A forecast of the past."""

    forecast: int
    made_us: int
    because: str
    available_micro: int
    early_us: int | None
    mid_us: int | None
    late_us: int | None
    history: int
    method: int
    inputs: bytes


def said(*, cursor: Any, wallet: int, limit: int) -> list[Said]:
    """The last forecasts of a wallet, newest first."""
    cursor.execute(
        "SELECT id, made_us, because, available_micro, early_us, mid_us, late_us, history, method, "
        "inputs FROM forecast "
        "WHERE wallet = %s ORDER BY id DESC LIMIT %s",
        [wallet, limit],
    )
    return [Said(*row) for row in cursor.fetchall()]
