"""The supplier's bill against what was sold: energy, money, losses, margin, and the legal cap on reselling.

What was sold is use by its meters' instants inside the bill's period, with every correction known as of the question.
Where a cap per kWh is written on the bill, each home that paid more on average is named with what was too much.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from fairwatt.core.units import NANO_PER_MICRO, WH_PER_KWH
from fairwatt.reports import ledger
from fairwatt.reports.asking import Reading
from fairwatt.reports.kinds import KINDS, Heading
from fairwatt.reports.model import Chart, Column, Contents, Figure, Report, Row, Shape, Table
from fairwatt.store.charged import charged_in
from fairwatt.store.models import SupplierBill, Wallet

_BILLS = (
    Column(key="supplier", title=_("Supplier")),
    Column(key="number", title=_("Bill")),
    Column(key="site", title=_("Building")),
    Column(key="start_us", title=_("From"), shape=Shape.INSTANT),
    Column(key="end_us", title=_("Until"), shape=Shape.INSTANT),
    Column(key="bought_wh", title=_("Bought"), shape=Shape.ENERGY, total=True),
    Column(key="sold_wh", title=_("Sold"), shape=Shape.ENERGY, total=True),
    Column(key="lost_wh", title=_("Lost or unmetered"), shape=Shape.ENERGY, total=True),
    Column(key="lost", title=_("Lost"), shape=Shape.SHARE),
    Column(key="cost", title=_("Supplier's price, net"), shape=Shape.MONEY, total=True),
    Column(key="revenue", title=_("Sold for, net"), shape=Shape.MONEY, total=True),
    Column(key="margin", title=_("Margin"), shape=Shape.MONEY, total=True),
    Column(key="over", title=_("Above the legal cap"), shape=Shape.MONEY, total=True),
)
_HOMES = (
    Column(key="number", title=_("Bill")),
    Column(key="building", title=_("Building")),
    Column(key="home", title=_("Home or shop")),
    Column(key="sold_wh", title=_("Sold"), shape=Shape.ENERGY, total=True),
    Column(key="charged", title=_("Charged"), shape=Shape.MONEY, total=True),
    Column(key="average", title=_("On average"), shape=Shape.PRICE),
    Column(key="cap", title=_("Cap"), shape=Shape.PRICE),
    Column(key="over", title=_("Too much"), shape=Shape.MONEY, total=True),
)


def build(asked: Reading) -> Contents:
    """Every bill whose period ends inside the question's, as entered by then."""
    bills: list[Row] = []
    homes: list[Row] = []
    for bill in bills_of(asked):
        sold = sold_in(asked, bill)
        wh, net = (sum(one[n] for one in sold.values()) for n in (0, 1))
        named = _over_cap(asked, bill, sold)
        homes += named
        lost = bill.energy_wh - wh
        bills.append(
            (
                bill.supplier,
                bill.number,
                bill.site.name if bill.site else "",
                bill.start_us,
                bill.end_us,
                bill.energy_wh,
                wh,
                lost,
                lost * 10_000 // bill.energy_wh if bill.energy_wh else None,
                bill.net_micro,
                net,
                net - bill.net_micro,
                sum(int(row[7] or 0) for row in named),
            )
        )
    over = sum(int(row[12] or 0) for row in bills)
    return Contents(
        figures=(
            Figure(
                key="margin",
                title=_("Margin"),
                shape=Shape.MONEY,
                value=sum(int(row[11] or 0) for row in bills),
            ),
            Figure(key="over", title=_("Charged above the legal cap"), shape=Shape.MONEY, value=over),
            Figure(
                key="over_homes",
                title=_("Homes charged above the cap"),
                shape=Shape.COUNT,
                value=len(homes),
                inner=True,
            ),
        ),
        tables=(
            Table(
                name="bills",
                title=_("Suppliers' bills"),
                columns=_BILLS,
                rows=bills,
                empty=_("No supplier's bill that ends in this period was entered."),
            ),
            Table(
                name="over_cap",
                title=_("Homes charged above the cap"),
                columns=_HOMES,
                rows=homes,
                empty=_("No home was charged above a legal cap, as far as bills name one."),
                expect={"over": over},
            ),
        ),
        notes=(
            _(
                "Sold: use whose readings lie in the bill's period. The cap is compared with each home's average for "
                "energy over the bill's period, with energy's part of the tax where the cap includes it."
            ),
        ),
        chart=Chart(table="bills", label="number", series=("bought_wh", "sold_wh")),
    )


def bills_of(asked: Reading) -> list[SupplierBill]:
    """The bills that end in the period, without those that were replaced by then."""
    known = SupplierBill.objects.filter(book_id=asked.book.pk, entered_us__lte=asked.as_of_us)
    replaced = set(known.exclude(replaces=None).values_list("replaces_id", flat=True))
    inside = known.filter(end_us__gt=asked.ask.start_us, end_us__lte=asked.ask.end_us)
    return list(inside.exclude(pk__in=replaced).select_related("site").order_by("start_us", "pk"))


def sold_in(asked: Reading, bill: SupplierBill) -> dict[int, tuple[int, int, int]]:
    """What each wallet bought in a bill's period: (Wh, energy net, its part of the tax), in micro-units.

    Tax on the standing charge is not on energy: each home's tax is shared by what both came to.
    """
    kinds = [kind for kind, how in KINDS.items() if how.heading in (Heading.CHARGED, Heading.CORRECTED)]
    rows = charged_in(
        cursor=asked.cursor,
        book=asked.book.pk,
        kinds=kinds,
        start_us=bill.start_us,
        end_us=bill.end_us,
        until_batch=asked.as_of,
    )
    wallets = Wallet.objects.filter(book_id=asked.book.pk)
    if bill.site_id is not None:
        wallets = wallets.filter(unit__site=bill.site_id)
    here = set(wallets.values_list("id", flat=True))
    sums: dict[int, tuple[int, int, int, int]] = {}
    for row in rows:
        if row.wallet in here:
            wh, net, tax, standing = sums.get(row.wallet, (0, 0, 0, 0))
            sums[row.wallet] = (
                wh + row.energy_wh,
                net + row.energy_micro,
                tax + row.tax_micro,
                standing + row.charged_micro - row.energy_micro - row.tax_micro,
            )
    return {
        wallet: (wh, net, tax * net // (net + standing) if net + standing else tax)
        for wallet, (wh, net, tax, standing) in sums.items()
    }


def _over_cap(asked: Reading, bill: SupplierBill, sold: dict[int, tuple[int, int, int]]) -> list[Row]:
    if bill.cap_micro_per_kwh is None:
        return []
    found: dict[int, tuple[int, int, int]] = {}
    for wallet, (wh, net, tax) in sold.items():
        charged = net + (tax if bill.cap_with_tax else 0)
        # Exact: a price per kWh times watt-hours is nano-units.
        over = (charged * NANO_PER_MICRO - bill.cap_micro_per_kwh * wh) // NANO_PER_MICRO
        if over > 0 and wh > 0:
            found[wallet] = (wh, charged, over)
    return [
        (bill.number, site, home, wh, charged, charged * WH_PER_KWH // wh, bill.cap_micro_per_kwh, over)
        for site, home, _wallet, (wh, charged, over) in ledger.by_home(asked, found)
    ]


REPORT = Report(
    name="supplier",
    title=_("Supplier's bill against sales"),
    about=_("Energy and money bought and sold, losses, margin, and charges above the legal resale cap."),
    build=build,
    landscape=True,
)
