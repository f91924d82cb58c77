"""Prepaid liability: residents' unspent money by building and age, against the account that keeps it.

Money is spent first in, first out: what is left of a wallet is its newest credit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import from_datetime
from fairwatt.core.units import US_PER_DAY
from fairwatt.reports import ledger
from fairwatt.reports.asking import Reading
from fairwatt.reports.model import Chart, Column, Contents, Figure, Report, Row, Shape, Table
from fairwatt.store.models import TrustStatement

AGES_DAYS: Final = (30, 90, 180, 365)
_AGES = (_("up to 30 days"), _("31 to 90 days"), _("91 to 180 days"), _("181 to 365 days"), _("older"))
_COLUMNS = (
    Column(key="building", title=_("Building")),
    Column(key="wallets", title=_("Homes with credit"), shape=Shape.COUNT, total=True),
    *(Column(key=f"age_{n}", title=title, shape=Shape.MONEY, total=True) for n, title in enumerate(_AGES)),
    Column(key="unspent", title=_("Unspent money"), shape=Shape.MONEY, total=True),
    Column(key="owed", title=_("Owed by residents"), shape=Shape.MONEY, total=True),
)


def build(asked: Reading) -> Contents:
    """What belongs to residents at the end of the period, how old it is, and whether the account holds it."""
    end_us = min(asked.ask.end_us, asked.as_of_us)
    balances = ledger.balances(asked, asked.closing)
    credit = {wallet: micro for wallet, micro in balances.items() if micro > 0}
    ages = _ages(asked, credit, end_us)
    names = asked.units()
    sites: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_AGES) + 3))
    for wallet, micro in balances.items():
        site = sites[names[wallet][0]]
        if micro > 0:
            site[0] += 1
            for n, amount in enumerate(ages[wallet]):
                site[1 + n] += amount
            site[-2] += micro
        else:
            site[-1] -= micro
    rows: list[Row] = [(name, *figures) for name, figures in sorted(sites.items())]
    unspent = sum(credit.values())
    return Contents(
        figures=(
            Figure(key="unspent", title=_("Residents' unspent money"), shape=Shape.MONEY, value=unspent),
            *trust_figures(asked, unspent, end_us),
        ),
        tables=(
            Table(
                name="buildings",
                title=_("Unspent money by building and age"),
                columns=_COLUMNS,
                rows=rows,
                empty=_("No home has a balance yet."),
                expect={"unspent": unspent, "owed": unspent - sum(balances.values())},
            ),
        ),
        notes=(
            _("Age: money is spent first in, first out, so what is left is the newest credit of each home."),
            _(
                "A debt of one resident is never paid with another's money: the account has to hold the unspent money."
            ),
        ),
        chart=Chart(
            table="buildings",
            label="building",
            series=tuple(f"age_{n}" for n in range(len(_AGES))),
            stacked=True,
        ),
    )


def fifo(
    *, unspent: int, topped: Iterable[tuple[int, int]], end_us: int, ages_days: Sequence[int] = AGES_DAYS
) -> list[int]:
    """Split unspent money by age. `topped`: (instant, micro-units), newest first.

    What no credit explains is as old as can be.
    """
    found, left = [0] * (len(ages_days) + 1), unspent
    for at_us, amount in topped:
        if left <= 0:
            break
        part = min(left, amount)
        days = (end_us - at_us) // US_PER_DAY
        found[sum(days > limit for limit in ages_days)] += part
        left -= part
    found[-1] += left
    return found


def trust_figures(asked: Reading, unspent: int, end_us: int) -> tuple[Figure, ...]:
    """The last bank statement of each trust account, and what it holds more or less than residents' money."""
    newest: dict[str, TrustStatement] = {}
    known = TrustStatement.objects.filter(
        book_id=asked.book.pk, at_us__lte=end_us, entered_us__lte=asked.as_of_us
    )
    replaced = set(known.exclude(replaces=None).values_list("replaces_id", flat=True))
    for statement in known.exclude(pk__in=replaced).order_by("at_us", "pk"):
        newest[statement.account] = statement
    if not newest:
        return (
            Figure(key="trust", title=_("Trust account: no statement entered"), shape=Shape.TEXT, value=""),
        )
    held = sum(statement.balance_micro for statement in newest.values())
    latest = max(statement.at_us for statement in newest.values())
    return (
        Figure(key="trust", title=_("Trust account, last statement"), shape=Shape.MONEY, value=held),
        Figure(key="trust_at", title=_("Statement of"), shape=Shape.INSTANT, value=latest, inner=True),
        Figure(
            key="cover",
            title=_("Account above (below: missing) residents' money"),
            shape=Shape.MONEY,
            value=held - unspent,
        ),
    )


def _ages(asked: Reading, credit: dict[int, int], end_us: int) -> dict[int, list[int]]:
    rows = asked.rows(
        "SELECT wallet, ts, amount_micro FROM line WHERE kind NOT IN (1, 7) AND amount_micro > 0 AND book = %s "
        "AND batch <= %s AND wallet = ANY(%s) ORDER BY wallet, seq DESC",
        asked.book.pk,
        asked.closing,
        sorted(credit),
    )
    topped: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for wallet, ts, amount in rows:
        topped[int(wallet)].append((from_datetime(ts), int(amount)))
    return {
        wallet: fifo(unspent=micro, topped=topped[wallet], end_us=end_us) for wallet, micro in credit.items()
    }


REPORT = Report(
    name="liability",
    title=_("Prepaid liability"),
    about=_("Residents' unspent money by building and age, against the account that has to hold it."),
    build=build,
    landscape=True,
)
