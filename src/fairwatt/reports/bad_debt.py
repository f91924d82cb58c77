"""Bad debt, computed from the ledger: every wallet below zero, sorted by what can still be hoped for.

The rule, in this order: a home that was moved out of (no installation open, or every tenancy ended) owes a bad debt;
so does one that has been below zero for more than BAD_AFTER_DAYS; anything else below zero is credit given in an
emergency (friendly hours, protected homes, readings that came after the cut) and is at risk, not bad.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import from_datetime, to_datetime
from fairwatt.core.units import US_PER_DAY
from fairwatt.reports import ledger
from fairwatt.reports.asking import Reading
from fairwatt.reports.model import Chart, Column, Contents, Figure, Report, Row, Shape, Table
from fairwatt.store.models import Installation, Tenancy

BAD_AFTER_DAYS: Final = 90
_LATELY_DAYS: Final = 40
_LOOK_BACK_DAYS: Final = 400
_CLASSES = {
    "moved_out": _("moved out"),
    "old": _("owing for more than 90 days"),
    "at_risk": _("emergency credit, at risk"),
}
_COLUMNS = (
    Column(key="building", title=_("Building")),
    Column(key="home", title=_("Home or shop")),
    Column(key="class", title=_("Why"), shape=Shape.WORD, words=_CLASSES),
    Column(key="owing_since", title=_("Owing since"), shape=Shape.INSTANT),
    Column(key="days", title=_("Days"), shape=Shape.COUNT),
    Column(key="owed", title=_("Owed"), shape=Shape.MONEY, total=True),
    Column(key="bad", title=_("Of it bad debt"), shape=Shape.MONEY, total=True),
)


def build(asked: Reading) -> Contents:
    """Every wallet below zero at the end of the period, and how long it has been."""
    owing = {wallet: -micro for wallet, micro in ledger.balances(asked, asked.closing).items() if micro < 0}
    end_us = min(asked.ask.end_us, asked.as_of_us)
    since = _owing_since(asked, sorted(owing), end_us)
    gone = moved_out(sorted(owing), end_us)
    rows: list[Row] = []
    for site, home, wallet, owed in ledger.by_home(asked, owing):
        since_us = since.get(wallet)
        days = _LOOK_BACK_DAYS if since_us is None else (end_us - since_us) // US_PER_DAY
        why = "moved_out" if wallet in gone else "old" if days > BAD_AFTER_DAYS else "at_risk"
        rows.append((site, home, why, since_us, days, owed, 0 if why == "at_risk" else owed))
    bad = sum(int(row[6] or 0) for row in rows)
    return Contents(
        figures=(
            Figure(key="bad", title=_("Bad debt"), shape=Shape.MONEY, value=bad),
            Figure(
                key="at_risk",
                title=_("Emergency credit, at risk"),
                shape=Shape.MONEY,
                value=sum(owing.values()) - bad,
            ),
            Figure(key="homes", title=_("Homes below zero"), shape=Shape.COUNT, value=len(rows)),
        ),
        tables=(
            Table(
                name="homes",
                title=_("Homes below zero"),
                columns=_COLUMNS,
                rows=rows,
                empty=_("No home is below zero."),
                expect={"owed": sum(owing.values())},
            ),
        ),
        notes=(
            _(
                "Bad debt is what homes owe that were moved out of, or that have been below zero for more than 90 days."
            ),
            _("No instant is shown where a home has been below zero for more than 400 days."),
        ),
        chart=Chart(table="homes", label="home", series=("owed", "bad")),
    )


def moved_out(wallets: list[int], at_us: int) -> set[int]:
    """Wallets nobody lives behind at an instant: no register at work for them, or every tenancy ended."""
    opened = Installation.objects.filter(wallet__in=wallets, opened_us__lt=at_us)
    at_work = set(opened.exclude(closed_us__lte=at_us).values_list("wallet_id", flat=True))
    lived = Tenancy.objects.filter(wallet__in=wallets, start_us__lt=at_us)
    ever = set(lived.values_list("wallet_id", flat=True))
    still = set(lived.exclude(end_us__lte=at_us).values_list("wallet_id", flat=True))
    return {wallet for wallet in wallets if wallet not in at_work or (wallet in ever and wallet not in still)}


def _owing_since(asked: Reading, wallets: list[int], end_us: int) -> dict[int, int]:
    """The instant of the line that took each wallet below zero for good; most did so lately, so we look there first."""
    found: dict[int, int] = {}
    for days in (_LATELY_DAYS, _LOOK_BACK_DAYS):
        rows = asked.rows(
            "WITH mine AS (SELECT wallet, seq, ts, balance_micro FROM line WHERE book = %s AND wallet = ANY(%s) "
            "AND batch <= %s AND ts >= %s AND ts < %s), "
            "last AS (SELECT wallet, max(seq) AS seq FROM mine WHERE balance_micro >= 0 GROUP BY wallet) "
            "SELECT DISTINCT ON (m.wallet) m.wallet, m.ts FROM mine m LEFT JOIN last l ON l.wallet = m.wallet "
            "WHERE m.seq > coalesce(l.seq, 0) AND (l.seq IS NOT NULL OR m.seq = 1) ORDER BY m.wallet, m.seq",
            asked.book.pk,
            [wallet for wallet in wallets if wallet not in found],
            asked.closing,
            to_datetime(max(0, end_us - days * US_PER_DAY)),
            to_datetime(end_us + ledger.MARGIN_US),
        )
        found |= {int(wallet): from_datetime(ts) for wallet, ts in rows}
        if len(found) == len(wallets):
            break
    return found


REPORT = Report(
    name="bad-debt",
    title=_("Bad debt"),
    about=_("What homes owe, from the ledger: moved out, owing for long, or credit given in an emergency."),
    build=build,
)
