"""Invoices in the database: setups, titles, bills, documents. Every statement about those tables is here.

Months asked for at once are in invoice_runs.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fairwatt.core.invoices.documents import Document, Original, Part, Rate, Sums

NO_RATE: Final = -1
"""Stands for no VAT in a column of rates."""


class Setup(NamedTuple):
    """How a book's documents are made: when, in which series, by whom they are signed for."""

    setup: int
    book: int
    moment: str
    series: str
    language: str
    seller: dict[str, str]
    top_up_bp: int | None
    untaxed: str
    untaxed_words: str
    due_days: int


class Title(NamedTuple):
    """Whom a document is made out to."""

    title: int
    wallet: int
    name: str
    tax_kind: str
    tax_number: str
    street: str
    city: str
    postcode: str
    country: str
    at_us: int

    def buyer(self) -> dict[str, str]:
        """As a document keeps it, whatever becomes of the title."""
        kept = ("name", "tax_kind", "tax_number", "street", "city", "postcode", "country")
        return {name: getattr(self, name) for name in kept}


class Invoice(NamedTuple):
    """A document as issued. ``credited_minor``: what credit notes took back of it."""

    invoice: int
    series: str
    number: int
    book: int
    wallet: int
    sort: str
    bill: int
    of: int | None
    of_number: int | None
    of_issued_us: int | None
    whole: bool
    setup: int
    title: int | None
    buyer: dict[str, str]
    parts: list[dict[str, Any]]
    net_micro: int
    tax_micro: int
    net_minor: int
    tax_minor: int
    paid_minor: int
    issued_us: int
    due_us: int | None
    reason: str
    start_us: int
    end_us: int
    run: int | None
    credited_minor: int
    cancelled: bool

    @property
    def gross_minor(self) -> int:
        """What the document comes to."""
        return self.net_minor + self.tax_minor

    @property
    def name(self) -> str:
        """The number as it is printed."""
        return name_of(series=self.series, number=self.number)

    @property
    def of_name(self) -> str:
        """The number of the invoice that a credit note names."""
        return "" if self.of_number is None else name_of(series=self.series, number=self.of_number)

    def documents_parts(self) -> tuple[Part, ...]:
        """Its lines."""
        return tuple(Part(**one) for one in self.parts)


class Bill(NamedTuple):
    """A stretch of a home's ledger that documents are about."""

    bill: int
    wallet: int
    after_batch: int
    until_batch: int
    start_us: int
    end_us: int


@dataclass(frozen=True, kw_only=True)
class NewInvoice:
    """What is written with a document beside what it says itself."""

    setup: Setup
    wallet: int
    bill: int
    title: int | None
    buyer: Mapping[str, str]
    paid_minor: int
    due_us: int | None
    reason: str = ""
    author: int | None


def name_of(*, series: str, number: int) -> str:
    """A number as it is printed: the series and six digits, or more."""
    return f"{series}-{number:06d}"


_SETUP: Final = (
    "SELECT id, book, moment, series, language, seller, top_up_bp, untaxed, untaxed_words, due_days "
    "FROM invoice_setup "
)


def setup_of(*, cursor: Any, book: int) -> Setup | None:
    """How documents of a book are made now; None where nobody said so."""
    cursor.execute(f"{_SETUP} WHERE book = %s ORDER BY id DESC LIMIT 1", [book])
    return _setup(cursor.fetchone())


def setup_by_id(*, cursor: Any, setup: int) -> Setup:
    """How documents were made when one of them was issued."""
    cursor.execute(f"{_SETUP} WHERE id = %s", [setup])
    found = _setup(cursor.fetchone())
    assert found is not None, f"invoice setup {setup} is gone, which history refuses"
    return found


def _setup(row: Any) -> Setup | None:
    return None if row is None else Setup._make([*row[:5], _json(row[5]), *row[6:]])


def add_setup(*, cursor: Any, setup: Setup, author: str, now_us: int) -> int:
    """Write a setup down; return its number."""
    cursor.execute(
        "INSERT INTO invoice_setup (book, moment, series, language, seller, top_up_bp, "
        "untaxed, untaxed_words, due_days, "
        "author, at_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [*setup[1:5], json.dumps(setup.seller), *setup[6:], author, now_us],
    )
    return int(cursor.fetchone()[0])


_TITLE: Final = (
    "SELECT t.id, t.wallet, t.name, t.tax_kind, t.tax_number, t.street, t.city, t.postcode, t.country, t.at_us "
    "FROM buyer_title t WHERE t.book = %s AND t.wallet = %s "
    "AND NOT EXISTS (SELECT 1 FROM buyer_title_end e WHERE e.title = t.id) "
)


def titles_of(*, cursor: Any, book: int, wallet: int) -> list[Title]:
    """The titles of a home, the newest first: that one is taken where nobody chooses."""
    cursor.execute(f"{_TITLE} ORDER BY t.id DESC", [book, wallet])
    return [Title(*row) for row in cursor.fetchall()]


def add_title(*, cursor: Any, book: int, title: Title, author: int) -> int:
    """Add a title to a home's book; return its number."""
    cursor.execute(
        "INSERT INTO buyer_title (book, wallet, name, tax_kind, tax_number, street, city, postcode, country, author, "
        "at_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [book, *title[1:9], author, title.at_us],
    )
    return int(cursor.fetchone()[0])


def end_title(*, cursor: Any, book: int, title: Title, author: int, now_us: int) -> None:
    """A title is offered no more; documents keep it."""
    cursor.execute(
        "INSERT INTO buyer_title_end (title, book, wallet, author, at_us) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (title) DO NOTHING",
        [title.title, book, title.wallet, author, now_us],
    )


_INVOICES: Final = """
SELECT i.id, i.series, i.number, i.book, i.wallet, i.sort, i.bill, i.of, o.number, o.issued_us, i.whole, i.setup,
       i.title, i.buyer, i.parts, i.net_micro, i.tax_micro, i.net_minor, i.tax_minor, i.paid_minor,
       i.issued_us, i.due_us, i.reason, b.start_us, b.end_us, b.run,
       coalesce((SELECT sum(c.net_minor + c.tax_minor) FROM invoice c WHERE c.of = i.id), 0)::bigint,
       EXISTS (SELECT 1 FROM invoice c WHERE c.of = i.id AND c.whole)
  FROM invoice i JOIN bill b ON b.id = i.bill LEFT JOIN invoice o ON o.id = i.of
 WHERE i.book = %s AND {} ORDER BY i.id DESC
"""


def invoices_of_wallet(*, cursor: Any, book: int, wallet: int) -> list[Invoice]:
    """The documents of a home, the newest first."""
    return _invoices(cursor, _INVOICES.format("i.wallet = %s"), [book, wallet])


def invoices_of_book(
    *, cursor: Any, book: int, run: int | None = None, below: int | None = None, most: int = 60
) -> list[Invoice]:
    """Documents of a book, the newest first; of one run, or older than one of them."""
    where = "(%s::bigint IS NULL OR b.run = %s) AND (%s::bigint IS NULL OR i.id < %s)"
    return _invoices(cursor, _INVOICES.format(where) + " LIMIT %s", [book, run, run, below, below, most])


def invoice_of(*, cursor: Any, book: int, invoice: int) -> Invoice | None:
    """One document."""
    return next(iter(_invoices(cursor, _INVOICES.format("i.id = %s"), [book, invoice])), None)


def invoice_by_name(*, cursor: Any, book: int, series: str, number: int) -> Invoice | None:
    """One document by what is printed on it."""
    found = _invoices(cursor, _INVOICES.format("i.series = %s AND i.number = %s"), [book, series, number])
    return next(iter(found), None)


def _invoices(cursor: Any, sql: str, parameters: list[Any]) -> list[Invoice]:
    cursor.execute(sql, parameters)
    return [
        Invoice._make([*row[:13], _json(row[13]), _json(row[14]), *row[15:]]) for row in cursor.fetchall()
    ]


def taxes_of(*, cursor: Any, invoice: int) -> dict[Rate, Sums]:
    """Net and tax of a document by rate."""
    cursor.execute(
        "SELECT rate_bp, net_micro, tax_micro, net_minor, tax_minor FROM invoice_tax WHERE invoice = %s "
        "ORDER BY rate_bp DESC",
        [invoice],
    )
    return {_rate(row[0]): Sums(*map(int, row[1:])) for row in cursor.fetchall()}


def sums_so_far(*, cursor: Any, book: int, wallet: int | None = None) -> dict[int, dict[Rate, Sums]]:
    """{wallet: what all documents of the home came to by rate}, credit notes taken off; of one home, or of all."""
    cursor.execute(
        "SELECT i.wallet, t.rate_bp, sum(s * t.net_micro)::bigint, sum(s * "
        "t.tax_micro)::bigint, "
        "sum(s * t.net_minor)::bigint, sum(s * t.tax_minor)::bigint FROM invoice i JOIN "
        "invoice_tax t ON t.invoice = i.id "
        "CROSS JOIN LATERAL (SELECT CASE i.sort WHEN 'invoice' THEN 1 ELSE -1 END AS s) way "
        "WHERE i.book = %s AND (%s::bigint IS NULL OR i.wallet = %s) GROUP BY i.wallet, t.rate_bp",
        [book, wallet, wallet],
    )
    found: dict[int, dict[Rate, Sums]] = {}
    for row in cursor.fetchall():
        found.setdefault(int(row[0]), {})[_rate(row[1])] = Sums(*map(int, row[2:]))
    return found


def originals(*, cursor: Any, book: int, wallet: int) -> list[Original]:
    """The invoices of a home that stand, the newest first, with what is left of each."""
    cursor.execute(
        "SELECT o.id, t.rate_bp, sum(s * t.net_micro)::bigint, sum(s * t.tax_micro)::bigint, "
        "sum(s * t.net_minor)::bigint, sum(s * t.tax_minor)::bigint "
        "FROM invoice o JOIN invoice i ON i.id = o.id OR i.of = o.id JOIN invoice_tax t ON t.invoice = i.id "
        "CROSS JOIN LATERAL (SELECT CASE i.sort WHEN 'invoice' THEN 1 ELSE -1 END AS s) way "
        "WHERE o.book = %s AND o.wallet = %s AND o.sort = 'invoice' "
        "AND NOT EXISTS (SELECT 1 FROM invoice c WHERE c.of = o.id AND c.whole) "
        "GROUP BY o.id, t.rate_bp ORDER BY o.id DESC",
        [book, wallet],
    )
    left: dict[int, dict[Rate, Sums]] = {}
    for row in cursor.fetchall():
        left.setdefault(int(row[0]), {})[_rate(row[1])] = Sums(*map(int, row[2:]))
    return [Original(invoice=invoice, left=rates) for invoice, rates in left.items()]


def last_bills(*, cursor: Any, book: int) -> dict[int, tuple[int, int]]:
    """{wallet: (batch up to which it is invoiced, and until when that was)}."""
    cursor.execute(
        "SELECT DISTINCT ON (wallet) wallet, until_batch, end_us FROM bill WHERE book = %s "
        "ORDER BY wallet, until_batch DESC",
        [book],
    )
    return {int(wallet): (int(batch), int(end_us)) for wallet, batch, end_us in cursor.fetchall()}


def lock_wallet(*, cursor: Any, wallet: int) -> None:
    """Let nobody else issue for this home until the transaction is over."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('bill', %s))", [wallet])


def bill_of(*, cursor: Any, bill: int) -> Bill:
    """One bill."""
    cursor.execute(
        "SELECT id, wallet, after_batch, until_batch, start_us, end_us FROM bill WHERE id = %s", [bill]
    )
    return Bill(*map(int, cursor.fetchone()))


def add_bill(
    *, cursor: Any, book: int, bill: Bill, net_micro: int, tax_micro: int, run: int | None, now_us: int
) -> int:
    """Write down which stretch of the ledger is invoiced; return its number. A stretch that is taken is
    an error.
    """
    cursor.execute(
        "INSERT INTO bill (book, wallet, after_batch, until_batch, start_us, end_us, "
        "net_micro, tax_micro, run, made_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [book, *bill[1:], net_micro, tax_micro, run, now_us],
    )
    return int(cursor.fetchone()[0])


def add_invoice(*, cursor: Any, document: Document, new: NewInvoice, now_us: int) -> int:
    """Write a document down; the database gives it its number."""
    total = document.total
    cursor.execute(
        "INSERT INTO invoice (series, book, wallet, sort, bill, of, whole, setup, title, buyer, parts, net_micro, "
        "tax_micro, net_minor, tax_minor, paid_minor, issued_us, due_us, reason, author) VALUES "
        "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(
                new.setup.series,
                new.setup.book,
                new.wallet,
                document.sort,
                new.bill,
                document.of,
                document.whole,
            ),
            *(new.setup.setup, new.title, json.dumps(dict(new.buyer)), json.dumps(parts_obj(document.parts))),
            *(total.net_micro, total.tax_micro, total.net_minor, total.tax_minor, new.paid_minor),
            *(now_us, new.due_us, new.reason, new.author),
        ],
    )
    invoice = int(cursor.fetchone()[0])
    rows = [
        [invoice, new.setup.book, new.wallet, NO_RATE if rate is None else rate, *sums_row(one)]
        for rate, one in document.sums.items()
    ]
    cursor.executemany(
        "INSERT INTO invoice_tax (invoice, book, wallet, rate_bp, net_micro, tax_micro, net_minor, tax_minor) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        rows,
    )
    return invoice


def parts_obj(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Lines of a document as they are kept."""
    return [{name: getattr(part, name) for name in Part.__slots__} for part in parts]


def sums_row(one: Sums) -> list[int]:
    """Sums in the order of their columns."""
    return [one.net_micro, one.tax_micro, one.net_minor, one.tax_minor]


def _rate(stored: int) -> Rate:
    return None if stored == NO_RATE else int(stored)


def _json(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored
