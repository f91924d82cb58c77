"""Shifts of the cash desks: what each drawer should have held, what was counted, and every payment in it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from fairwatt.reports.asking import Reading
from fairwatt.reports.model import Column, Contents, Figure, Report, Row, Shape, Table

_SHIFTS = (
    Column(key="shift", title=_("Shift"), shape=Shape.COUNT),
    Column(key="desk", title=_("Desk")),
    Column(key="cashier", title=_("Cashier")),
    Column(key="opened_us", title=_("Opened"), shape=Shape.INSTANT),
    Column(key="closed_us", title=_("Closed"), shape=Shape.INSTANT),
    Column(key="float", title=_("Float"), shape=Shape.MONEY),
    Column(key="cash", title=_("Cash taken"), shape=Shape.MONEY, total=True),
    Column(key="out", title=_("Handed out"), shape=Shape.MONEY, total=True),
    Column(key="expected", title=_("Expected"), shape=Shape.MONEY),
    Column(key="counted", title=_("Counted"), shape=Shape.MONEY),
    Column(key="over", title=_("Over or short"), shape=Shape.MONEY, total=True),
    Column(key="card", title=_("By card"), shape=Shape.MONEY, total=True),
)
_TENDERS = {"cash": _("Cash"), "terminal": _("Card")}
_TAKINGS = (
    Column(key="receipt", title=_("Receipt"), shape=Shape.COUNT),
    Column(key="shift", title=_("Shift"), shape=Shape.COUNT),
    Column(key="at_us", title=_("Time"), shape=Shape.INSTANT),
    Column(key="home", title=_("Home or shop")),
    Column(key="tender", title=_("Paid by"), shape=Shape.WORD, words=_TENDERS),
    Column(key="slip", title=_("Slip")),
    Column(key="amount", title=_("Amount"), shape=Shape.MONEY, total=True),
)


def build(asked: Reading) -> Contents:
    """The shifts that were closed in the period, and what was taken in it; open shifts are counted later."""
    closed = asked.rows(
        "SELECT s.fact, d.name, u.username, s.opened_us, e.closed_us, s.float_minor, "
        "(SELECT coalesce(sum(amount_minor), 0) FROM taking WHERE shift = s.fact AND tender = 'cash')::bigint, "
        "(SELECT coalesce(sum(amount_minor), 0) FROM cash_out WHERE shift = s.fact)::bigint, "
        "e.expected_minor, e.counted_minor, e.counted_minor - e.expected_minor, e.card_minor "
        "FROM shift_end e JOIN shift s ON s.fact = e.shift JOIN cash_desk d ON d.id = s.desk "
        "JOIN store_user u ON u.id = s.cashier WHERE e.book = %s AND e.batch > %s AND e.batch <= %s ORDER BY s.fact",
        *_span(asked),
    )
    taken = asked.rows(
        "SELECT r.number, t.shift, t.at_us, t.wallet, t.tender, t.slip, t.amount_minor FROM taking t "
        "JOIN receipt r ON r.fact = t.fact WHERE t.book = %s AND t.batch > %s AND t.batch <= %s ORDER BY r.number",
        *_span(asked),
    )
    names, micro = asked.units(), 10 ** (6 - asked.book.minor_digits)
    over = sum(int(row[10]) for row in closed) * micro
    takings: list[Row] = [
        (number, shift, at_us, names[wallet][1], tender, slip, amount * micro)
        for number, shift, at_us, wallet, tender, slip, amount in taken
    ]
    cash = sum(int(row[6]) for row in taken if row[4] == "cash") * micro
    return Contents(
        figures=(
            Figure(key="cash", title=_("Cash taken"), shape=Shape.MONEY, value=cash),
            Figure(
                key="card",
                title=_("Taken by card"),
                shape=Shape.MONEY,
                value=sum(int(row[6]) for row in taken if row[4] != "cash") * micro,
            ),
            Figure(key="over", title=_("Over or short"), shape=Shape.MONEY, value=over),
        ),
        tables=(
            Table(
                name="shifts",
                title=_("Shifts that were counted"),
                columns=_SHIFTS,
                rows=[(*row[:5], *(int(amount) * micro for amount in row[5:])) for row in closed],
                empty=_("No shift was counted in this period."),
                expect={"over": over},
            ),
            Table(
                name="takings",
                title=_("Payments at the window"),
                columns=_TAKINGS,
                rows=takings,
                empty=_("Nothing was taken at the window in this period."),
            ),
        ),
        notes=(_("Expected: the float and every cash payment, less what was handed out."),),
    )


def _span(asked: Reading) -> list[Any]:
    return [asked.book.pk, asked.opening, asked.closing]


REPORT = Report(
    name="shifts",
    title=_("Shifts and drawers"),
    about=_("What each drawer should have held, what was counted, and every payment at the window."),
    build=build,
    landscape=True,
)
