"""Vacant homes and ghost consumption: who uses energy where nobody lives, and which homes look empty."""

from __future__ import annotations

from typing import Final

from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from fairwatt.core.units import US_PER_DAY
from fairwatt.reports.asking import Reading
from fairwatt.reports.bad_debt import moved_out
from fairwatt.reports.kinds import KINDS, READINGS, Heading
from fairwatt.reports.model import Chart, Column, Contents, Figure, Report, Row, Shape, Table
from fairwatt.store.models import Installation, LandlordAccount, Tenancy

EMPTY_WH_PER_DAY: Final = 200
"""A home that uses less than a modem and a door bell for a whole period looks empty."""
EMPTY_DAYS_MIN: Final = 14
_STATES = {
    "ghost": _("vacant, yet it uses energy"),
    "vacant": _("vacant, uses nothing"),
    "empty": _("not vacant, but looks empty"),
}
_COLUMNS = (
    Column(key="building", title=_("Building")),
    Column(key="home", title=_("Home or shop")),
    Column(key="state", title=_("State"), shape=Shape.WORD, words=_STATES),
    Column(key="energy_wh", title=_("Used"), shape=Shape.ENERGY, total=True),
    Column(key="wh_per_day", title=_("A day"), shape=Shape.ENERGY),
    Column(key="charged", title=_("Charged for use"), shape=Shape.MONEY, total=True),
    Column(key="fixed", title=_("Fixed charges and fees"), shape=Shape.MONEY, total=True),
    Column(key="left", title=_("of it standing, after the last tenancy"), shape=Shape.MONEY, total=True),
)


def build(asked: Reading) -> Contents:
    """Use and charges of every home that is vacant, and of those that look so."""
    used = _used(asked)
    end_us = min(asked.ask.end_us, asked.as_of_us)
    days = max(1, (end_us - asked.ask.start_us) // US_PER_DAY)
    homes = _wallets_of_units(asked, end_us)
    gone = moved_out(sorted({wallet for some in homes.values() for wallet in some}), end_us)
    left = _left_behind(asked, gone)
    rows: list[Row] = []
    for unit in asked.homes():
        wallets = homes.get(unit.pk, [])
        energy, charged, standing = (sum(used.get(w, (0, 0, 0))[n] for w in wallets) for n in range(3))
        if unit.vacant or not wallets or all(wallet in gone for wallet in wallets):
            state = "ghost" if energy else "vacant"
        elif days >= EMPTY_DAYS_MIN and energy < EMPTY_WH_PER_DAY * days:
            state = "empty"
        else:
            continue
        behind = sum(left.get(wallet, 0) for wallet in wallets)
        rows.append((unit.site.name, unit.label, state, energy, energy // days, charged, standing, behind))
    return Contents(
        figures=_figures(rows),
        tables=(
            Table(
                name="homes",
                title=_("Vacant homes and homes that look so"),
                columns=_COLUMNS,
                rows=rows,
                empty=_("No home is vacant and none looks empty."),
            ),
        ),
        notes=(
            _(
                "Vacant: marked so, without a register at work, or every tenancy ended. "
                "Looks empty: under 0.2 kWh a day over two weeks or more."
            ),
            _(
                "Fees and shared costs of days without a resident are the owner's by rule. Standing charges stay on "
                "the account their register is open on: hand the register over to the owner's account when people "
                "leave."
            ),
        ),
        chart=Chart(table="homes", label="home", series=("energy_wh",)),
    )


def _figures(rows: list[Row]) -> tuple[Figure, ...]:
    ghosts = [row for row in rows if row[2] == "ghost"]
    return (
        Figure(
            key="vacant",
            title=_("Vacant homes"),
            shape=Shape.COUNT,
            value=sum(r[2] != "empty" for r in rows),
        ),
        Figure(
            key="ghosts",
            title=_("of them using energy"),
            shape=Shape.COUNT,
            value=len(ghosts),
            inner=True,
        ),
        Figure(
            key="ghost_wh",
            title=_("Ghost consumption"),
            shape=Shape.ENERGY,
            value=sum(int(row[3] or 0) for row in ghosts),
        ),
        Figure(
            key="left",
            title=_("Standing charges of nobody's days, on accounts of people who left"),
            shape=Shape.MONEY,
            value=sum(int(row[7] or 0) for row in rows),
        ),
        Figure(
            key="empty",
            title=_("Homes that look empty"),
            shape=Shape.COUNT,
            value=len(rows) - sum(r[2] != "empty" for r in rows),
        ),
    )


def _used(asked: Reading) -> dict[int, tuple[int, int, int]]:
    """What each wallet used, was charged for it, and was charged beside it."""
    condition, parameters = asked.lines
    fixed = [kind for kind, how in KINDS.items() if how.heading in (Heading.FEES, Heading.SHARED)]
    return {
        int(wallet): (int(wh), int(charged), int(standing) + int(fees))
        for wallet, wh, charged, standing, fees in asked.rows(
            "SELECT wallet, coalesce(sum(energy_wh) FILTER (WHERE kind = ANY(%s)), 0)::bigint, "
            "coalesce(sum(energy_micro + tax_micro) FILTER (WHERE kind = ANY(%s)), 0)::bigint, "
            "coalesce(sum(standing_micro), 0)::bigint, "
            "coalesce(sum(-amount_micro) FILTER (WHERE kind = ANY(%s)), 0)::bigint "
            f"FROM line WHERE {condition} GROUP BY wallet",
            list(READINGS),
            list(READINGS),
            fixed,
            *parameters,
        )
    }


def _left_behind(asked: Reading, gone: set[int]) -> dict[int, int]:
    """Standing charges taken after the last tenancy from wallets that are not an owner's, by wallet."""
    owners = LandlordAccount.objects.filter(site__book=asked.book.pk).values_list("wallet_id", flat=True)
    ended = dict(
        Tenancy.objects.filter(wallet__in=gone - set(owners))
        .values_list("wallet_id")
        .annotate(left=Max("end_us"))
        .filter(left__isnull=False)
    )
    condition, parameters = asked.lines
    rows = asked.rows(
        "SELECT wallet, sum(standing_micro)::bigint FROM line "
        "JOIN unnest(%s::bigint[], %s::bigint[]) AS gone (home, left_us) ON home = wallet "
        f"WHERE {condition} AND ts > timestamptz 'epoch' + left_us * interval '1 microsecond' GROUP BY 1",
        list(ended),
        list(ended.values()),
        *parameters,
    )
    return {int(wallet): int(standing) for wallet, standing in rows}


def _wallets_of_units(asked: Reading, end_us: int) -> dict[int, list[int]]:
    """The wallets whose register counted in each unit during the period."""
    found: dict[int, list[int]] = {}
    rows = (
        Installation.objects.filter(unit__site__book_id=asked.book.pk, opened_us__lt=end_us)
        .exclude(closed_us__lte=asked.ask.start_us)
        .values_list("unit_id", "wallet_id")
    )
    for unit, wallet in rows:
        if wallet not in found.setdefault(unit, []):
            found[unit].append(wallet)
    return found


REPORT = Report(
    name="vacancy",
    title=_("Vacancy and ghost consumption"),
    about=_("Energy used where nobody lives, and homes that look empty."),
    build=build,
)
