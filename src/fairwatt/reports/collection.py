"""Collection rate: how much of what was charged was covered by money that had come in, by building and month."""

from __future__ import annotations

from collections import defaultdict

from django.utils.translation import gettext_lazy as _

from fairwatt.reports import ledger
from fairwatt.reports.asking import Reading
from fairwatt.reports.kinds import KINDS, Heading
from fairwatt.reports.model import Chart, Column, Contents, Figure, Report, Row, Shape, Table

_COLUMNS = (
    Column(key="building", title=_("Building")),
    Column(key="homes", title=_("Homes"), shape=Shape.COUNT, total=True),
    Column(key="topped_up", title=_("Topped up"), shape=Shape.MONEY, total=True),
    Column(key="charged", title=_("Charged"), shape=Shape.MONEY, total=True),
    Column(key="new_debt", title=_("New debt"), shape=Shape.MONEY, total=True),
    Column(key="rate", title=_("Collection rate"), shape=Shape.SHARE),
)
_PAID = tuple(kind for kind, how in KINDS.items() if how.heading is Heading.TOPPED_UP)
_CHARGED = tuple(
    kind
    for kind, how in KINDS.items()
    if how.heading in (Heading.CHARGED, Heading.FEES, Heading.SHARED, Heading.CORRECTED)
)
"""What residents had to pay, set right by its corrections. What was given back or brought over is no charge."""
_ADJUSTED = tuple(kind for kind, how in KINDS.items() if how.heading is Heading.ADJUSTED)


def build(asked: Reading) -> Contents:
    """Charged, paid and owed of each building: what is charged and not covered is new debt below zero."""
    condition, parameters = asked.lines
    moved = asked.rows(
        "SELECT wallet, coalesce(sum(amount_micro) FILTER (WHERE kind = ANY(%s)), 0)::bigint, "
        "coalesce(sum(-amount_micro) FILTER (WHERE kind = ANY(%s)), 0)::bigint, "
        "coalesce(sum(amount_micro) FILTER (WHERE kind = ANY(%s)), 0)::bigint "
        f"FROM line WHERE {condition} GROUP BY wallet",
        list(_PAID),
        list(_CHARGED),
        list(_ADJUSTED),
        *parameters,
    )
    before, after = ledger.balances(asked, asked.opening), ledger.balances(asked, asked.closing)
    adjusted = {int(wallet): int(amount) for wallet, _, _, amount in moved}
    # Debt that was brought over is not new, and debt that was given back was not collected.
    debt = {
        wallet: _owed(micro) - _owed(before.get(wallet, 0) + adjusted.get(wallet, 0))
        for wallet, micro in after.items()
    }
    names = asked.units()
    sites: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for wallet, paid, charged, _adjusted in moved:
        site = sites[names[int(wallet)][0]]
        for n, amount in enumerate((1, int(paid), int(charged), debt.get(int(wallet), 0))):
            site[n] += amount
    rows: list[Row] = [(name, *figures, collected(*figures[2:])) for name, figures in sorted(sites.items())]
    charged = sum(site[2] for site in sites.values())
    owed = sum(site[3] for site in sites.values())
    return Contents(
        figures=(
            Figure(key="rate", title=_("Collection rate"), shape=Shape.SHARE, value=collected(charged, owed)),
            Figure(key="new_debt", title=_("New debt"), shape=Shape.MONEY, value=owed),
        ),
        tables=(
            Table(
                name="buildings",
                title=_("By building"),
                columns=_COLUMNS,
                rows=rows,
                empty=_("Nothing was charged or paid in this period."),
                expect={"topped_up": sum(int(paid) for _, paid, _, _ in moved)},
            ),
        ),
        notes=(
            _(
                "Collection rate: charged less new debt, out of charged. Debt that was paid back counts as collected."
            ),
        ),
        chart=Chart(table="buildings", label="building", series=("topped_up", "charged")),
    )


def collected(charged: int, new_debt: int) -> int | None:
    """The share that was covered, in hundredths of a percent, rounded down; None where nothing was charged."""
    return None if charged <= 0 else max(0, charged - new_debt) * 10_000 // charged


def _owed(balance: int) -> int:
    return max(0, -balance)


REPORT = Report(
    name="collection",
    title=_("Collection rate"),
    about=_("What was charged, what came in, and how much of the charge was covered, by building."),
    build=build,
)
