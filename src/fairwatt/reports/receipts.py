"""The receipts of a book by their numbers: a series without a hole, and what was taken back since."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from fairwatt.reports.asking import Reading
from fairwatt.reports.model import Column, Contents, Figure, FiguresDisagree, Report, Row, Shape, Table

_WAYS = {
    "sandbox": _("the practice payment platform"),
    "wechat": _("WeChat Pay"),
    "alipay": _("Alipay"),
    "stripe": _("Card"),
    "mpesa": _("M-PESA"),
    "cash": _("cash at the window"),
    "terminal": _("card at the window"),
    "transfer": _("bank transfer"),
}
_COLUMNS = (
    Column(key="number", title=_("No."), shape=Shape.COUNT),
    Column(key="at_us", title=_("Time"), shape=Shape.INSTANT),
    Column(key="home", title=_("Home or shop")),
    Column(key="provider", title=_("Paid by"), shape=Shape.WORD, words=_WAYS),
    Column(key="reference", title=_("Reference")),
    Column(key="amount", title=_("Amount"), shape=Shape.MONEY, total=True),
    Column(key="void", title=_("Taken back"), shape=Shape.MONEY, total=True),
)

_BACK = (
    Column(key="number", title=_("No."), shape=Shape.COUNT),
    Column(key="at_us", title=_("Time"), shape=Shape.INSTANT),
    Column(key="home", title=_("Home or shop")),
    Column(
        key="way",
        title=_("What became of the money"),
        shape=Shape.WORD,
        words={
            "paid_back": _("paid back"),
            "not_received": _("never received"),
            "suspense": _("kept in suspense"),
        },
    ),
    Column(key="amount", title=_("Amount"), shape=Shape.MONEY, total=True),
)


def build(asked: Reading) -> Contents:
    """Every receipt of the period in its order; a hole in the numbers stops the report."""
    found = asked.rows(
        "SELECT r.number, r.at_us, r.wallet, r.provider, r.reference, r.amount_micro, coalesce((SELECT "
        "sum(v.amount_micro) FROM credit_void v WHERE v.of = r.fact AND v.batch <= %s), 0)::bigint "
        "FROM receipt r WHERE r.book = %s AND r.batch > %s AND r.batch <= %s ORDER BY r.number",
        asked.closing,
        asked.book.pk,
        asked.opening,
        asked.closing,
    )
    back = asked.rows(
        "SELECT r.number, v.at_us, v.wallet, v.way, v.amount_micro FROM credit_void v JOIN receipt r ON r.fact = v.of "
        "WHERE v.book = %s AND v.batch > %s AND v.batch <= %s ORDER BY v.fact",
        asked.book.pk,
        asked.opening,
        asked.closing,
    )
    numbers = [int(row[0]) for row in found]
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise FiguresDisagree(
            "The receipts of this period have a hole in their numbers. Nothing was printed; tell whoever runs the book."
        )
    names = asked.units()
    rows: list[Row] = [(row[0], row[1], names[row[2]][1], *row[3:]) for row in found]
    return Contents(
        figures=(
            Figure(key="count", title=_("Receipts"), shape=Shape.COUNT, value=len(rows)),
            Figure(
                key="first", title=_("First number"), shape=Shape.COUNT, value=numbers[0] if numbers else 0
            ),
            Figure(
                key="last", title=_("Last number"), shape=Shape.COUNT, value=numbers[-1] if numbers else 0
            ),
        ),
        tables=(
            Table(
                name="receipts",
                title=_("Receipts by number"),
                columns=_COLUMNS,
                rows=rows,
                empty=_("No payment was credited in this period."),
                expect={"amount": sum(int(row[5]) for row in found)},
            ),
            Table(
                name="taken_back",
                title=_("Taken back in this period"),
                columns=_BACK,
                rows=[(row[0], row[1], names[row[2]][1], *row[3:]) for row in back],
                empty=_("No payment was taken back in this period."),
            ),
        ),
        notes=(
            _(
                "Each payment that became credit has one receipt, numbered in the transaction that credited it."
            ),
        ),
    )


REPORT = Report(
    name="receipts",
    title=_("Receipts"),
    about=_("Every receipt by its number, without a hole, and what was taken back."),
    build=build,
)
