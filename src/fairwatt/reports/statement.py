"""The account statement of a home: opening, used, charged, topped up, closing, agreeing or not printed at all."""

from __future__ import annotations

from itertools import groupby

from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import local_date
from fairwatt.reports import ledger
from fairwatt.reports.asking import Reading
from fairwatt.reports.kinds import HEADINGS, KINDS, Heading, treatment
from fairwatt.reports.ledger import Movement
from fairwatt.reports.model import (
    Chart,
    Column,
    Contents,
    Figure,
    FiguresDisagree,
    Report,
    Row,
    Scope,
    Shape,
    Table,
)

_COLUMNS = (
    Column(key="day", title=_("Day")),
    Column(
        key="kind", title=_("What"), shape=Shape.WORD, words={str(k): how.name for k, how in KINDS.items()}
    ),
    Column(key="energy_wh", title=_("Energy"), shape=Shape.ENERGY, total=True),
    Column(key="energy_micro", title=_("Energy charge"), shape=Shape.MONEY, total=True),
    Column(key="standing_micro", title=_("Standing charge"), shape=Shape.MONEY, total=True),
    Column(key="tax_micro", title=_("Tax"), shape=Shape.MONEY, total=True),
    Column(key="amount_micro", title=_("Moved"), shape=Shape.MONEY, total=True),
    Column(key="balance_micro", title=_("Balance after"), shape=Shape.MONEY),
    Column(
        key="earlier",
        title=_("Period"),
        shape=Shape.WORD,
        words={"earlier": _("earlier"), "this": ""},
    ),
)


def build(asked: Reading) -> Contents:
    """Read a wallet's lines, prove that they agree, and say them by day in posting order."""
    assert asked.wallet is not None, "a statement is about one home"
    before = ledger.opening(asked)
    lines = ledger.movements(asked, before)
    early = ledger.belongs_before(asked, lines)
    closing = lines[-1].balance_micro if lines else before.balance_micro
    held = Figure(
        key="deposit_held",
        title=_("Deposit held, apart from the balance"),
        shape=Shape.MONEY,
        value=_held(asked),
    )
    figures = (*_figures(lines, early, before.balance_micro, closing), held)
    return Contents(
        subject=f"{asked.wallet.unit.site.name}, {asked.wallet.unit.label}",
        figures=figures,
        tables=(
            Table(
                name="movements",
                title=_("Movements by day, in the order they were posted"),
                columns=_COLUMNS,
                rows=list(_by_day(asked, lines, early)),
                empty=_("Nothing was charged or paid in this period."),
                expect={"amount_micro": closing - before.balance_micro},
            ),
        ),
        notes=(
            _(
                "Use that arrived late is charged in the period it was posted in, and marked as of an earlier period."
            ),
        ),
        chart=Chart(table="movements", label="day", series=("balance_micro",), line=True),
    )


def _held(asked: Reading) -> int:
    """The deposit of the home as of the end of the period."""
    assert asked.wallet is not None, "a statement is about one home"
    ((held,),) = asked.rows(
        "SELECT coalesce(sum(amount_micro), 0)::bigint FROM deposit_entry "
        "WHERE book = %s AND wallet = %s AND batch <= %s",
        asked.book.pk,
        asked.wallet.pk,
        asked.closing,
    )
    return int(held)


def _figures(lines: list[Movement], early: set[int], opening: int, closing: int) -> tuple[Figure, ...]:
    sums = dict.fromkeys(Heading, 0)
    for line in lines:
        sums[treatment(line.kind).heading] += line.amount_micro
    if opening + sum(sums.values()) != closing:
        raise FiguresDisagree(
            "Opening and movements do not give the closing balance, so nothing was printed."
        )
    charged = [line for line in lines if treatment(line.kind).heading is Heading.CHARGED]
    used = sum(line.energy_wh for line in lines if treatment(line.kind).counts_energy)
    of_before = -sum(line.amount_micro for line in lines if line.seq in early)

    def money(key: str, title: object, micro: int, *, inner: bool = False) -> Figure:
        return Figure(key=key, title=title, shape=Shape.MONEY, value=micro, inner=inner)  # type: ignore[arg-type]

    return (
        money("opening", _("Balance at the start"), opening),
        Figure(key="used", title=_("Used"), shape=Shape.ENERGY, value=used),
        money("charged", HEADINGS[Heading.CHARGED], -sums[Heading.CHARGED]),
        money("energy", _("energy"), sum(line.energy_micro for line in charged), inner=True),
        money("standing", _("standing charge"), sum(line.standing_micro for line in charged), inner=True),
        money("tax", _("tax"), sum(line.tax_micro for line in charged), inner=True),
        money("fees", HEADINGS[Heading.FEES], -sums[Heading.FEES]),
        money("shared", HEADINGS[Heading.SHARED], -sums[Heading.SHARED]),
        money("corrected", HEADINGS[Heading.CORRECTED], -sums[Heading.CORRECTED]),
        money("adjusted", _("Given back or brought over"), sums[Heading.ADJUSTED]),
        money("earlier", _("of all these, for earlier periods"), of_before, inner=True),
        money("topped_up", HEADINGS[Heading.TOPPED_UP], sums[Heading.TOPPED_UP]),
        money("lent", HEADINGS[Heading.LENT], sums[Heading.LENT]),
        money("moved", HEADINGS[Heading.MOVED], sums[Heading.MOVED]),
        money("refunded", HEADINGS[Heading.REFUNDED], sums[Heading.REFUNDED]),
        money("deposit", HEADINGS[Heading.DEPOSIT], sums[Heading.DEPOSIT]),
        money("closing", _("Balance at the end"), closing),
    )


def _by_day(asked: Reading, lines: list[Movement], early: set[int]) -> list[Row]:
    """Runs of lines of one kind and day: never sorted, because a statement is told in posting order."""

    def run(line: Movement) -> tuple[int, int, bool]:
        return ledger.day_of(asked, line), line.kind, line.seq in early

    rows: list[Row] = []
    for (day_us, kind, earlier), grouped in groupby(lines, key=run):
        some = list(grouped)
        rows.append(
            (
                _day(asked, day_us),
                str(kind),
                sum(line.energy_wh for line in some),
                sum(line.energy_micro for line in some),
                sum(line.standing_micro for line in some),
                sum(line.tax_micro for line in some),
                sum(line.amount_micro for line in some),
                some[-1].balance_micro,
                "earlier" if earlier else "this",
            )
        )
    return rows


def _day(asked: Reading, day_us: int) -> str:
    return local_date(zone=asked.zone, at_us=day_us).isoformat()


REPORT = Report(
    name="statement",
    title=_("Account statement"),
    about=_("What a home had, used, was charged and paid, and what it has now."),
    build=build,
    scope=Scope.WALLET,
    landscape=True,
)
