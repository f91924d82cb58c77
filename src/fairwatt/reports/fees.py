"""The fee report of a home: every deduction with its time, registers, use, prices, version and the balance after it.

Exported, it stands as proof: each row names its line, and the digest lets anybody with the ledger check it.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from fairwatt.core.ledger.model import Kind
from fairwatt.flows.explaining.ids import LineId
from fairwatt.reports import ledger
from fairwatt.reports.asking import Reading
from fairwatt.reports.kinds import KINDS, treatment
from fairwatt.reports.ledger import Movement
from fairwatt.reports.model import Column, Contents, Figure, Report, Row, Scope, Shape, Table
from fairwatt.reports.unit_prices import UnitPrices

_COLUMNS = (
    Column(key="seq", title=_("No."), shape=Shape.COUNT),
    Column(key="at_us", title=_("Time"), shape=Shape.INSTANT),
    Column(
        key="kind", title=_("What"), shape=Shape.WORD, words={str(k): how.name for k, how in KINDS.items()}
    ),
    Column(key="register_from_wh", title=_("Register before"), shape=Shape.ENERGY),
    Column(key="register_to_wh", title=_("Register after"), shape=Shape.ENERGY),
    Column(key="energy_wh", title=_("Energy"), shape=Shape.ENERGY, total=True),
    Column(key="prices", title=_("Prices")),
    Column(key="energy_micro", title=_("Energy charge"), shape=Shape.MONEY, total=True),
    Column(key="standing_micro", title=_("Standing charge"), shape=Shape.MONEY, total=True),
    Column(key="tax_micro", title=_("Tax"), shape=Shape.MONEY, total=True),
    Column(key="deducted_micro", title=_("Deducted"), shape=Shape.MONEY, total=True),
    Column(key="version", title=_("Tariff version"), shape=Shape.COUNT),
    Column(key="balance_micro", title=_("Balance after"), shape=Shape.MONEY),
    Column(key="line", title=_("Line")),
)


def build(asked: Reading) -> Contents:
    """Every line that took something, and every one that gave it back, in posting order."""
    assert asked.wallet is not None, "a fee report is about one home"
    opening = ledger.opening(asked)
    lines = ledger.movements(asked, opening)
    paid = sum(line.amount_micro for line in lines if not _deducts(line))
    closing = lines[-1].balance_micro if lines else opening.balance_micro
    return Contents(
        subject=f"{asked.wallet.unit.site.name}, {asked.wallet.unit.label}",
        figures=(
            Figure(
                key="opening",
                title=_("Balance at the start"),
                shape=Shape.MONEY,
                value=opening.balance_micro,
            ),
            Figure(key="topped_up", title=_("Topped up"), shape=Shape.MONEY, value=paid),
            Figure(key="closing", title=_("Balance at the end"), shape=Shape.MONEY, value=closing),
        ),
        tables=(
            Table(
                name="deductions",
                title=_("Every deduction"),
                columns=_COLUMNS,
                rows=_rows(asked, [line for line in lines if _deducts(line)]),
                empty=_("Nothing was deducted in this period."),
                expect={"deducted_micro": opening.balance_micro + paid - closing},
            ),
        ),
        notes=(
            _(
                "Each row is one line of the ledger. The id in its last column opens the page that works it out again."
            ),
            _(
                "Energy x price is exact to a thousandth of a micro-unit; the fraction is carried to the next reading."
            ),
        ),
    )


def _deducts(line: Movement) -> bool:
    return treatment(line.kind).heading != "topped_up"


def _rows(asked: Reading, lines: list[Movement]) -> Iterator[Row]:
    prices, wallet = UnitPrices(asked), asked.ask.wallet or 0
    for line in lines:
        metered = treatment(line.kind).reading
        before_wh = line.register_wh
        if line.kind == Kind.READING:
            before_wh = prices.register_before(line)
        yield (
            line.seq,
            line.at_us,
            str(line.kind),
            before_wh if metered else None,
            line.register_wh if metered else None,
            line.energy_wh if metered else None,
            prices.of(line),
            line.energy_micro,
            line.standing_micro,
            line.tax_micro,
            -line.amount_micro,
            line.version or None,
            line.balance_micro,
            str(LineId(asked.book.pk, wallet, line.seq)),
        )


REPORT = Report(
    name="fees",
    title=_("Fee report"),
    about=_("Every deduction of a home with time, use, price and balance: proof in a dispute."),
    build=build,
    scope=Scope.WALLET,
    landscape=True,
)
