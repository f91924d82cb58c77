"""The cash desk in the database: shifts, takings, receipts. Every statement about those tables is here.

Wishes that take two people are in money_wishes.py.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple


class CashDesk(NamedTuple):
    """A place where cash is taken, and how far its word reaches. Minor units."""

    desk: int
    name: str
    taking_most_minor: int
    day_most_minor: int


class Shift(NamedTuple):
    """A cashier's stretch at a desk, and its count once it is over. Minor units; `card`: by the terminal."""

    shift: int
    desk: int
    desk_name: str
    cashier: int
    cashier_name: str
    float_minor: int
    opened_us: int
    cash_minor: int
    card_minor: int
    out_minor: int
    takings: int
    closed_us: int | None
    counted_minor: int | None
    slips_minor: int | None

    @property
    def expected_minor(self) -> int:
        """The cash that should lie in the drawer."""
        return self.float_minor + self.cash_minor - self.out_minor

    @property
    def over_minor(self) -> int | None:
        """What was counted beyond what should be there; below zero it was short."""
        return None if self.counted_minor is None else self.counted_minor - self.expected_minor


class Taking(NamedTuple):
    """Money taken at a desk, with its receipt and what was taken back of it."""

    fact: int
    wallet: int
    home: str
    tender: str
    amount_minor: int
    slip: str
    at_us: int
    number: int
    code: str
    void_micro: int


class Receipt(NamedTuple):
    """The receipt of a payment. `void_micro`: what of it was taken back since; `cashier`: 0 where nobody sat there."""

    number: int
    fact: int
    book: int
    wallet: int
    amount_micro: int
    provider: str
    reference: str
    cashier: int
    code: str
    at_us: int
    void_micro: int
    voided_us: int


class NewReceipt(NamedTuple):
    """A receipt to be numbered."""

    fact: int
    wallet: int
    amount_micro: int
    provider: str
    reference: str
    secret: str
    """unguessable words that its address is made of"""
    cashier: int | None = None


_SHIFTS: Final = """
SELECT s.fact, s.desk, d.name, s.cashier, u.username, s.float_minor, s.opened_us,
       coalesce(t.cash, 0)::bigint, coalesce(t.card, 0)::bigint, coalesce(o.out, 0)::bigint, coalesce(t.n, 0)::int,
       e.closed_us, e.counted_minor, e.slips_minor
  FROM shift s JOIN cash_desk d ON d.id = s.desk JOIN store_user u ON u.id = s.cashier
  LEFT JOIN shift_end e ON e.shift = s.fact
  LEFT JOIN LATERAL (SELECT sum(amount_minor) FILTER (WHERE tender = 'cash') AS cash,
                            sum(amount_minor) FILTER (WHERE tender = 'terminal') AS card, count(*) AS n
                       FROM taking WHERE shift = s.fact) t ON true
  LEFT JOIN LATERAL (SELECT sum(amount_minor) AS out FROM cash_out WHERE shift = s.fact) o ON true
 WHERE s.book = %s AND {} ORDER BY s.fact DESC LIMIT {}
"""
_RECEIPTS: Final = """
SELECT r.number, r.fact, r.book, r.wallet, r.amount_micro, r.provider, r.reference, coalesce(r.cashier, 0), r.code,
       r.at_us, coalesce(v.micro, 0)::bigint, coalesce(v.at_us, 0)
  FROM receipt r LEFT JOIN LATERAL (
       SELECT sum(amount_micro) AS micro, max(at_us) AS at_us FROM credit_void WHERE of = r.fact) v ON true
 WHERE {} ORDER BY r.number DESC LIMIT {}
"""


def desks(*, cursor: Any, book: int) -> list[CashDesk]:
    """The cash desks of a book, by name."""
    cursor.execute(
        "SELECT id, name, taking_most_minor, day_most_minor FROM cash_desk WHERE book = %s ORDER BY name",
        [book],
    )
    return [CashDesk._make(row) for row in cursor.fetchall()]


def set_desk(
    *, cursor: Any, book: int, name: str, taking_most_minor: int, day_most_minor: int, now_us: int
) -> None:
    """Commission a desk, or set how far its word reaches."""
    cursor.execute(
        "INSERT INTO cash_desk AS d (book, name, taking_most_minor, day_most_minor, created_us) "
        "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (book, name) DO UPDATE SET "
        "taking_most_minor = excluded.taking_most_minor, day_most_minor = excluded.day_most_minor",
        [book, name, taking_most_minor, day_most_minor, now_us],
    )


def shifts(*, cursor: Any, book: int, limit: int = 40) -> list[Shift]:
    """The newest shifts of a book."""
    return _shifts(cursor, "true", [book], limit)


def shift_of(*, cursor: Any, book: int, shift: int) -> Shift | None:
    """One shift of a book."""
    return next(iter(_shifts(cursor, "s.fact = %s", [book, shift], 1)), None)


def open_shift_of(*, cursor: Any, book: int, cashier: int) -> Shift | None:
    """The shift that a cashier has open in a book."""
    return next(iter(_shifts(cursor, "s.cashier = %s AND e.shift IS NULL", [book, cashier], 1)), None)


def open_shifts(*, cursor: Any, book: int) -> list[Shift]:
    """Every shift of a book that is not counted yet."""
    return _shifts(cursor, "e.shift IS NULL", [book], 100)


def _shifts(cursor: Any, where: str, parameters: list[Any], limit: int) -> list[Shift]:
    cursor.execute(_SHIFTS.format(where, int(limit)), parameters)
    return [Shift._make(row) for row in cursor.fetchall()]


def taken_on_desk(*, cursor: Any, desk: int, from_us: int) -> int:
    """What was taken at a desk since an instant, in minor units."""
    cursor.execute(
        "SELECT coalesce(sum(t.amount_minor), 0)::bigint FROM taking t JOIN shift s ON s.fact = t.shift "
        "WHERE s.desk = %s AND t.at_us >= %s",
        [desk, from_us],
    )
    return int(cursor.fetchone()[0])


def slip_is_known(*, cursor: Any, shift: int, slip: str) -> bool:
    """Whether a terminal's slip was entered in this shift before."""
    cursor.execute("SELECT 1 FROM taking WHERE shift = %s AND slip = %s AND slip <> ''", [shift, slip])
    return cursor.fetchone() is not None


def takings_of(*, cursor: Any, book: int, shift: int, limit: int = 2_000) -> list[Taking]:
    """What was taken in a shift, newest first."""
    cursor.execute(
        "SELECT t.fact, t.wallet, u.label, t.tender, t.amount_minor, t.slip, t.at_us, r.number, r.code, "
        "coalesce((SELECT sum(v.amount_micro) FROM credit_void v WHERE v.of = t.fact), 0)::bigint "
        "FROM taking t JOIN receipt r ON r.fact = t.fact JOIN store_wallet w ON w.id = t.wallet "
        "JOIN store_unit u ON u.id = w.unit_id WHERE t.book = %s AND t.shift = %s ORDER BY t.fact DESC LIMIT %s",
        [book, shift, limit],
    )
    return [Taking._make(row) for row in cursor.fetchall()]


def add_shift(
    *,
    cursor: Any,
    fact: int,
    book: int,
    desk: int,
    cashier: int,
    float_minor: int,
    now_us: int,
    batch: int,
) -> None:
    """Open a shift. Raises IntegrityError where the desk or the cashier has one."""
    cursor.execute(
        "INSERT INTO shift (fact, book, desk, cashier, float_minor, opened_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [fact, book, desk, cashier, float_minor, now_us, batch],
    )


def end_shift(
    *,
    cursor: Any,
    shift: Shift,
    fact: int,
    book: int,
    counted_minor: int,
    slips_minor: int,
    author: int,
    now_us: int,
    batch: int,
) -> None:
    """Count a shift and close it for ever."""
    cursor.execute(
        "INSERT INTO shift_end (shift, book, expected_minor, counted_minor, card_minor, slips_minor, author, fact, "
        "closed_us, batch) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(shift.shift, book, shift.expected_minor, counted_minor, shift.card_minor, slips_minor),
            *(author, fact, now_us, batch),
        ],
    )


def add_taking(
    *,
    cursor: Any,
    fact: int,
    book: int,
    wallet: int,
    shift: int,
    tender: str,
    amount_minor: int,
    slip: str,
    cashier: int,
    now_us: int,
    batch: int,
) -> None:
    """Write down what was taken. Raises IntegrityError for a closed shift or a slip that was entered before."""
    cursor.execute(
        "INSERT INTO taking (fact, book, wallet, shift, tender, amount_minor, slip, cashier, at_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [fact, book, wallet, shift, tender, amount_minor, slip, cashier, now_us, batch],
    )


def add_cash_out(
    *,
    cursor: Any,
    fact: int,
    book: int,
    wallet: int,
    shift: int,
    amount_minor: int,
    of_kind: str,
    of_id: int,
    cashier: int,
    now_us: int,
    batch: int,
) -> None:
    """Write down cash that left a drawer. Raises IntegrityError where it was handed out before."""
    cursor.execute(
        "INSERT INTO cash_out (fact, book, wallet, shift, amount_minor, of_kind, of_id, cashier, at_us, batch) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [fact, book, wallet, shift, amount_minor, of_kind, of_id, cashier, now_us, batch],
    )


def is_handed_out(*, cursor: Any, book: int, of_kind: str, of_id: int) -> bool:
    """Whether the cash for a thing has left a drawer."""
    cursor.execute(
        "SELECT 1 FROM cash_out WHERE book = %s AND of_kind = %s AND of_id = %s", [book, of_kind, of_id]
    )
    return cursor.fetchone() is not None


# --- receipts -------------------------------------------------------------------------------------------------


def number_receipt(*, cursor: Any, book: int, batch: int, new: NewReceipt, now_us: int) -> int:
    """Give a payment the next number of its book, in the transaction that credits it; return the number.

    Two who do so at once meet at the primary key; the foreign key to the number before lets nobody leave one out.
    """
    code = sha256(f"receipt:{new.fact}:{new.secret}".encode()).hexdigest()[:20]
    cursor.execute(
        "INSERT INTO receipt (book, number, fact, wallet, amount_micro, provider, reference, cashier, code, at_us, "
        "batch) SELECT %s, coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s, %s, %s, %s, %s FROM receipt "
        "WHERE book = %s RETURNING number",
        [
            *(book, new.fact, new.wallet, new.amount_micro, new.provider, new.reference, new.cashier),
            *(code, now_us, batch, book),
        ],
    )
    return int(cursor.fetchone()[0])


def receipts(*, cursor: Any, book: int, below: int | None = None, limit: int = 60) -> list[Receipt]:
    """Receipts of a book that the transaction may see, newest first; `below` a number goes on from there."""
    if below is None:
        return _receipts(cursor, "r.book = %s", [book], limit)
    return _receipts(cursor, "r.book = %s AND r.number < %s", [book, below], limit)


def receipts_of_wallet(*, cursor: Any, wallet: int, limit: int = 60) -> list[Receipt]:
    """Receipts of a home, newest first."""
    return _receipts(cursor, "r.wallet = %s", [wallet], limit)


def receipt_of(
    *, cursor: Any, book: int, number: int | None = None, fact: int | None = None
) -> Receipt | None:
    """The receipt of a number or of a payment's fact."""
    what = "r.number = %s" if fact is None else "r.fact = %s"
    found = _receipts(cursor, f"r.book = %s AND {what}", [book, number if fact is None else fact], 1)
    return next(iter(found), None)


def receipt_by_code(*, cursor: Any, code: str) -> Receipt | None:
    """The receipt whose address this is; the transaction need see nothing else."""
    cursor.execute("SELECT set_config('fairwatt.receipt', %s, true)", [code])
    return next(iter(_receipts(cursor, "r.code = %s", [code], 1)), None)


def _receipts(cursor: Any, where: str, parameters: list[Any], limit: int) -> list[Receipt]:
    cursor.execute(_RECEIPTS.format(where, int(limit)), parameters)
    return [Receipt._make(row) for row in cursor.fetchall()]


def staff_role(*, cursor: Any, book: int, user: int) -> str:
    """The role of an active person at the desk of a book; nothing for anybody else."""
    cursor.execute(
        "SELECT u.role FROM store_user u JOIN store_book b ON b.organisation_id = u.organisation_id "
        "WHERE u.id = %s AND b.id = %s AND u.is_active AND u.role IN ('operator', 'admin')",
        [user, book],
    )
    row = cursor.fetchone()
    return "" if row is None else str(row[0])
