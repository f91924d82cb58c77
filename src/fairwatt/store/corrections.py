"""What was charged anew, written beside the lines of its batch: the only statements that fill these two tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.state import RegisterState
from fairwatt.store.binary import send_rows

COMPONENTS: Final = ("energy", "standing", "tax")
"""What a correction line can be about, by number."""
NOTE: Final = np.dtype(
    [
        ("book", "i4"),
        ("ref", "i8"),
        ("ts_us", "i8"),
        ("wallet", "i8"),
        ("seq", "i8"),
        ("batch", "i8"),
        ("fact", "i8"),
        ("day_us", "i8"),
        ("first_seq", "i8"),
        ("last_seq", "i8"),
        ("from_us", "i8"),
        ("until_us", "i8"),
        ("component", "i1"),
    ]
)
"""A row of `correction` but for its two exact amounts; `component` is a number in COMPONENTS."""
_BASE: Final = 10_000
"""PostgreSQL sends a numeric as digits of this base."""
_NARROW_DIGITS: Final = 5
_WIDE_DIGITS: Final = 10
"""numeric(40) holds so many."""


@dataclass(kw_only=True)
class ReratingRow:
    """A row of `rerating`. `last_seq` is known when the lines have their places in the wallet."""

    installation: int
    wallet: int
    fact: int
    cause: str
    author: str
    reason: str
    from_us: int
    until_us: int
    counted_us: int
    after: RegisterState
    publication: int
    readings: int
    last_seq: int = 0


def _none() -> npt.NDArray[Any]:
    return np.empty(0, dtype=np.int64)


@dataclass(kw_only=True)
class CorrectionRows:
    """Rows of `correction`: one for each correction line, as columns.

    `rows` has dtype NOTE; its `seq` is known when the lines have their places in the wallet. The exact amounts
    are int64, or objects where that is too small.
    """

    rows: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=NOTE))
    old_exact: npt.NDArray[Any] = field(default_factory=_none)
    new_exact: npt.NDArray[Any] = field(default_factory=_none)

    @staticmethod
    def joined(parts: Sequence[CorrectionRows]) -> CorrectionRows:
        """All of them, one after the other."""
        return CorrectionRows(
            rows=np.concatenate([np.empty(0, dtype=NOTE), *(part.rows for part in parts)]),
            old_exact=np.concatenate([_none(), *(part.old_exact for part in parts)]),
            new_exact=np.concatenate([_none(), *(part.new_exact for part in parts)]),
        )


def insert_reratings(*, cursor: Any, book: int, batch: int, rows: list[ReratingRow]) -> None:
    """Write down what was rated again in this batch."""
    cursor.executemany(
        "INSERT INTO rerating (book, installation, batch, fact, wallet, last_seq, from_us, until_us, counted_us, "
        "register_wh, counter_wh, window_us, publication, carry_tax, carry_nano, readings, cause, author, reason) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                book,
                row.installation,
                batch,
                row.fact,
                row.wallet,
                row.last_seq,
                row.from_us,
                row.until_us,
                row.counted_us,
                row.after.register_wh,
                row.after.counter_wh,
                row.after.window_us,
                row.publication,
                row.after.carry_tax,
                row.after.carry_nano,
                row.readings,
                row.cause,
                row.author[:150],
                row.reason[:300],
            )
            for row in rows
        ],
    )


def insert_corrections(*, cursor: Any, book: int, batch: int, corrections: CorrectionRows) -> None:
    """Write down what the correction lines of this batch correct: a binary COPY, no object per row."""
    corrections.rows["book"], corrections.rows["batch"] = book, batch
    names = [*(NOTE.names or ())[:-1], "old_exact", "new_exact", "component"]
    for packed in _packed(corrections):
        send_rows(cursor=cursor, into=f"correction ({', '.join(names)})", rows=packed)


def _packed(corrections: CorrectionRows) -> Iterator[npt.NDArray[Any]]:
    """The rows as they go over the wire, those of a component together: a row of one array has one length."""
    wide = object in (corrections.old_exact.dtype, corrections.new_exact.dtype)
    digits = _WIDE_DIGITS if wide else _NARROW_DIGITS
    for number, component in enumerate(COMPONENTS):
        mine = np.flatnonzero(corrections.rows["component"] == number)
        if not mine.size:
            continue
        word = component.encode()
        fields: list[tuple[Any, ...]] = [("_columns", ">i2")]
        for name in (NOTE.names or ())[:-1]:
            fields += [(f"_{name}", ">i4"), (name, NOTE[name].newbyteorder(">"))]
        for name in ("old_exact", "new_exact"):
            fields += [(f"_{name}", ">i4"), (name, ">i2", (4 + digits,))]
        fields += [("_component", ">i4"), ("component", f"S{len(word)}")]
        packed = np.empty(mine.size, dtype=np.dtype(fields))
        packed["_columns"] = len(fields) // 2
        rows = corrections.rows[mine]
        for name in (NOTE.names or ())[:-1]:
            packed[f"_{name}"], packed[name] = NOTE[name].itemsize, rows[name]
        for name in ("old_exact", "new_exact"):
            packed[f"_{name}"] = 2 * (4 + digits)
            _numeric(into=packed[name], values=getattr(corrections, name)[mine], digits=digits)
        packed["_component"], packed["component"] = len(word), word
        yield packed


def _numeric(*, into: npt.NDArray[Any], values: npt.NDArray[Any], digits: int) -> None:
    """Whole numbers as PostgreSQL's binary numeric of so many digits, leading zeros included: it drops them.

    Its head: the number of digits, the weight of the first, the sign, no decimal places.
    """
    into[:, 0], into[:, 1], into[:, 3] = digits, digits - 1, 0
    into[:, 2] = np.where(values < 0, 0x4000, 0)
    left = np.abs(values)
    for place in range(digits - 1, -1, -1):
        rest = left // _BASE
        into[:, 4 + place] = left - rest * _BASE
        left = rest
    if left.any():
        raise OverflowError("an exact amount of a correction has more than forty digits; nothing was written")


def correcting_of(*, cursor: Any, book: int) -> list[tuple[int, int, int, int, str, str]]:
    """Confirmed tariff corrections that are not finished: (fact, plan, publication, replaced, author, reason).

    One fact for each publication, the first: any web process may write another about the same correction.
    """
    cursor.execute(
        "SELECT DISTINCT ON (p.id) f.id, c.plan_id, p.id, c.replaces_id, c.author, c.reason FROM fact f "
        "JOIN store_tariffcorrection c ON c.id::text = f.payload->>'correction' AND c.book_id = f.book "
        "JOIN store_tariffpublication p ON p.correction_id = c.id "
        "WHERE f.book = %s AND f.kind = 'tariff_correction' AND f.state = 'waiting' "
        "AND jsonb_typeof(f.payload->'correction') = 'number' AND NOT EXISTS (SELECT 1 FROM fact done "
        "WHERE done.book = f.book AND done.kind = f.kind AND done.state = 'posted' "
        "AND done.result->>'publication' = p.id::text) ORDER BY p.id, f.id",
        [book],
    )
    return sorted(
        (int(fact), int(plan), int(publication), int(replaced), author, reason)
        for fact, plan, publication, replaced, author, reason in cursor.fetchall()
    )


def already_rated(*, cursor: Any, book: int, publication: int) -> set[int]:
    """Installations that a tariff correction has reached, whichever fact asked for it."""
    cursor.execute(
        "SELECT installation FROM rerating WHERE book = %s AND fact <> 0 AND publication = %s",
        [book, publication],
    )
    return {int(row[0]) for row in cursor.fetchall()}


def opened_before(*, cursor: Any, publication: int) -> set[int]:
    """Installations that were open under a plan when a correction of it was published."""
    cursor.execute(
        "SELECT i.id FROM store_installation i JOIN store_tariffpublication p ON p.plan_id = i.plan_id "
        "WHERE p.id = %s AND i.opened_us < p.published_us",
        [publication],
    )
    return {int(row[0]) for row in cursor.fetchall()}
