"""The month-end pack: trial balance, deposits, tax, liability against the trust account, and the journal itself."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from fairwatt.core.account_numbers import account_number
from fairwatt.core.ledger.model import DEPOSIT, TAX_OUTPUT, WALLET
from fairwatt.reports import ledger
from fairwatt.reports.accounts import ACCOUNTS, account_class
from fairwatt.reports.asking import Reading
from fairwatt.reports.kinds import HEADINGS, KINDS, Heading
from fairwatt.reports.liability import trust_figures
from fairwatt.reports.model import Chart, Column, Contents, Figure, FiguresDisagree, Report, Row, Shape, Table

_ACCOUNT = Column(key="account", title=_("Account"))
_NAME = Column(key="name", title=_("Name"), shape=Shape.WORD, words=ACCOUNTS)
_TRIAL = (
    _ACCOUNT,
    _NAME,
    Column(key="opening", title=_("At the start"), shape=Shape.MONEY, total=True),
    Column(key="debit", title=_("Debit"), shape=Shape.MONEY, total=True),
    Column(key="credit", title=_("Credit"), shape=Shape.MONEY, total=True),
    Column(key="closing", title=_("At the end"), shape=Shape.MONEY, total=True),
)
_HELD = (_ACCOUNT, _NAME, Column(key="closing", title=_("At the end"), shape=Shape.MONEY, total=True))
_TAX = (
    Column(
        key="heading",
        title=_("What"),
        shape=Shape.WORD,
        words={str(h): words for h, words in HEADINGS.items()},
    ),
    Column(key="version", title=_("Tariff version"), shape=Shape.COUNT),
    Column(key="energy", title=_("Energy, net"), shape=Shape.MONEY, total=True),
    Column(key="standing", title=_("Standing charge, net"), shape=Shape.MONEY, total=True),
    Column(key="tax", title=_("Tax"), shape=Shape.MONEY, total=True),
)
_JOURNAL = (
    Column(key="batch", title=_("Batch"), shape=Shape.COUNT),
    Column(key="leg", title=_("Leg"), shape=Shape.COUNT),
    Column(key="at_us", title=_("Posted"), shape=Shape.INSTANT),
    _ACCOUNT,
    Column(key="debit", title=_("Debit"), shape=Shape.MONEY, total=True),
    Column(key="credit", title=_("Credit"), shape=Shape.MONEY, total=True),
)
_BY_DAY = (
    Column(key="day", title=_("Day")),
    _ACCOUNT,
    Column(key="debit", title=_("Debit"), shape=Shape.MONEY, total=True),
    Column(key="credit", title=_("Credit"), shape=Shape.MONEY, total=True),
)
_BY_HOME = (
    Column(key="home", title=_("Home")),
    Column(key="account", title=_("Account number")),
    Column(key="since_us", title=_("Since"), shape=Shape.INSTANT),
    Column(key="held", title=_("Held"), shape=Shape.MONEY, total=True),
)
DEPOSITS = ("deposit", "suspense")
"""Accounts of money that is held for somebody and is no credit of a home: `deposit:...`, and what nobody can place."""


_NOTES = (
    _(
        "Credit is what rose by this ledger's sign: wallets, revenue and tax rise; a clearing account falls "
        "while its provider still owes the money."
    ),
)


def build(asked: Reading) -> Contents:
    """Everything a bookkeeper closes a month with, each figure proven against the other side."""
    accounts = asked.rows(
        "SELECT account, coalesce(sum(amount_micro) FILTER (WHERE batch <= %s), 0)::bigint, "
        "coalesce(sum(-amount_micro) FILTER (WHERE batch > %s AND amount_micro < 0), 0)::bigint, "
        "coalesce(sum(amount_micro) FILTER (WHERE batch > %s AND amount_micro > 0), 0)::bigint, "
        "sum(amount_micro)::bigint FROM journal WHERE book = %s AND batch <= %s GROUP BY account ORDER BY account",
        *[asked.opening] * 3,
        asked.book.pk,
        asked.closing,
    )
    trial: list[Row] = [(row[0], account_class(row[0]), *row[1:]) for row in accounts]
    balances = ledger.balances(asked, asked.closing)
    unspent = sum(micro for micro in balances.values() if micro > 0)
    closing = {row[0]: int(row[4]) for row in accounts}
    end_us = min(asked.ask.end_us, asked.as_of_us)
    tax_rows = _tax(asked)
    taxed = sum(int(row[4] or 0) for row in tax_rows)
    tax_moved = closing.get(TAX_OUTPUT, 0) - next(
        (int(row[1]) for row in accounts if row[0] == TAX_OUTPUT), 0
    )
    figures = (
        Figure(key="unspent", title=_("Residents' unspent money"), shape=Shape.MONEY, value=unspent),
        Figure(
            key="owed",
            title=_("Owed by residents"),
            shape=Shape.MONEY,
            value=unspent - closing.get(WALLET, 0),
            inner=True,
        ),
        *trust_figures(asked, unspent, end_us),
        Figure(key="tax", title=_("Tax of the period"), shape=Shape.MONEY, value=tax_moved),
        Figure(
            key="tax_elsewhere",
            title=_("of it by fees, adjustments and other entries"),
            shape=Shape.MONEY,
            value=tax_moved - taxed,
            inner=True,
        ),
    )
    return Contents(
        figures=figures,
        tables=_tables(asked, trial, closing, tax_rows),
        notes=_NOTES,
        chart=Chart(table="trial_balance", label="account", series=("closing",)),
    )


def _tables(
    asked: Reading, trial: list[Row], closing: dict[str, int], tax_rows: list[Row]
) -> tuple[Table, ...]:
    moved = sum(int(row[3] or 0) for row in trial)
    return (
        Table(
            name="trial_balance",
            title=_("Trial balance"),
            columns=_TRIAL,
            rows=trial,
            empty=_("Nothing has been posted to this book yet."),
            expect={"opening": 0, "closing": 0, "debit": moved, "credit": moved},
        ),
        Table(
            name="deposits",
            title=_("Deposits and money not placed yet"),
            columns=_HELD,
            rows=[
                (name, account_class(name), micro)
                for name, micro in sorted(closing.items())
                if name.partition(":")[0] in DEPOSITS
            ],
            empty=_("No deposit is held, and no money waits to be placed."),
        ),
        Table(
            name="deposits_by_home",
            title=_("Deposits by home"),
            columns=_BY_HOME,
            rows=_by_home(asked),
            empty=_("No deposit is held."),
            expect={"held": closing.get(DEPOSIT, 0)},
        ),
        Table(
            name="tax",
            title=_("Tax on use and corrections"),
            columns=_TAX,
            rows=tax_rows,
            empty=_("Nothing was charged in this period."),
        ),
        Table(
            name="journal_by_day",
            title=_("Journal by day"),
            columns=_BY_DAY,
            rows=_by_day(asked),
            empty=_("Nothing was posted in this period."),
            expect={"debit": moved, "credit": moved},
        ),
        Table(
            name="journal",
            title=_("Journal"),
            columns=_JOURNAL,
            rows=_journal(asked),
            empty=_("Nothing was posted in this period."),
            expect={"debit": moved, "credit": moved},
            on_paper=False,
        ),
    )


def _tax(asked: Reading) -> list[Row]:
    """Net amounts and tax of what was charged, by tariff version; other kinds carry no tax component."""
    condition, parameters = asked.lines
    rows: list[Row] = []
    for heading in (Heading.CHARGED, Heading.CORRECTED, Heading.FEES, Heading.SHARED):
        kinds = [kind for kind, how in KINDS.items() if how.heading is heading]
        rows += [
            (str(heading), int(version) or None, int(energy), int(standing), int(tax))
            for version, energy, standing, tax in asked.rows(
                "SELECT tariff_version, sum(energy_micro)::bigint, sum(standing_micro)::bigint, sum(tax_micro)::bigint "
                f"FROM line WHERE {condition} AND kind = ANY(%s) GROUP BY tariff_version "
                "HAVING sum(abs(energy_micro) + abs(standing_micro) + abs(tax_micro)) > 0 ORDER BY tariff_version",
                *parameters,
                kinds,
            )
        ]
    return rows


def _by_home(asked: Reading) -> list[Row]:
    """Whose deposits are held at the end: they add up to the account, or nothing is printed."""
    rows = asked.rows(
        "SELECT u.label, d.wallet, min(d.at_us), sum(d.amount_micro)::bigint FROM deposit_entry d "
        "JOIN store_wallet w ON w.id = d.wallet JOIN store_unit u ON u.id = w.unit_id "
        "WHERE d.book = %s AND d.batch <= %s GROUP BY u.label, d.wallet HAVING sum(d.amount_micro) <> 0 ORDER BY 1, 2",
        asked.book.pk,
        asked.closing,
    )
    return [(label, account_number(wallet=int(wallet)), at_us, held) for label, wallet, at_us, held in rows]


def _by_day(asked: Reading) -> list[Row]:
    """What moved each account on each day of the book's calendar."""
    return [
        (str(day), account, int(debit), int(credit))
        for day, account, debit, credit in asked.rows(
            "SELECT (to_timestamp(at_us / 1000000) AT TIME ZONE %s)::date AS day, account, "
            "coalesce(sum(-amount_micro) FILTER (WHERE amount_micro < 0), 0)::bigint, "
            "coalesce(sum(amount_micro) FILTER (WHERE amount_micro > 0), 0)::bigint "
            "FROM journal WHERE book = %s AND batch > %s AND batch <= %s GROUP BY day, account ORDER BY day, account",
            asked.zone,
            asked.book.pk,
            asked.opening,
            asked.closing,
        )
    ]


def _journal(asked: Reading) -> Iterator[Row]:
    total = 0
    batch = None
    for number, leg, at_us, account, amount in asked.stream(
        "SELECT batch, leg, at_us, account, amount_micro FROM journal WHERE book = %s AND batch > %s AND batch <= %s "
        "ORDER BY batch, leg",
        asked.book.pk,
        asked.opening,
        asked.closing,
    ):
        if number != batch and total:
            raise FiguresDisagree(
                "Journal batch %(batch)s is off by %(off)s micro-units, so nothing was printed. Tell whoever runs the "
                "book; the ledger has to be looked at.",
                batch=batch,
                off=total,
            )
        batch, total = number, (0 if number != batch else total) + int(amount)
        yield (number, leg, at_us, account, max(0, -int(amount)), max(0, int(amount)))


REPORT = Report(
    name="month-end",
    title=_("Month-end pack"),
    about=_("Trial balance, journal, deposits, tax, and residents' money against the trust account."),
    build=build,
)
