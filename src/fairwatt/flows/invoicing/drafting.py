"""What a home would be invoiced for now: its ledger behind its last bill, at the rates it was charged at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from fairwatt.core.invoices.documents import Charge, Part, Rate
from fairwatt.core.invoices.vat import UNTAXED, Vat, VatUnclear, vat_of, vat_within
from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import BP
from fairwatt.store import invoice_sources as sources
from fairwatt.store.invoice_sources import Adjusted, Owed, Paid, Rated, Stretch
from fairwatt.store.invoices import Setup
from fairwatt.store.models import TariffPublication

_OF_KIND: Final[Mapping[int, tuple[str, str]]] = {
    Kind.READING: ("use", "standing"),
    Kind.LATE: ("use", "standing"),
    Kind.CORRECTION: ("correction", "correction"),
    Kind.TRUE_UP: ("true_up", "true_up"),
}
_PAID: Final[Mapping[int, str]] = {Kind.TOPUP: "top_up"}


@dataclass(kw_only=True)
class Draft:
    """What waits to be invoiced for one home. ``refused``: why nothing of it can be."""

    wallet: int
    balance_micro: int = 0
    arrears_micro: int = 0
    refused: Refusal | None = None
    _parts: dict[tuple[str, str, Rate, str], list[int]] = field(default_factory=dict)
    _tax: dict[Rate, int] = field(default_factory=dict)

    def add(
        self,
        what: str,
        rate: Rate,
        net_micro: int,
        tax_micro: int = 0,
        *,
        name: str = "",
        quantity: int = 0,
        unit: str = "",
    ) -> None:
        """Add an amount to its line of the document."""
        if net_micro or quantity:
            sums = self._parts.setdefault((what, name, rate, unit), [0, 0])
            sums[0] += net_micro
            sums[1] += quantity
        if tax_micro:
            self._tax[rate] = self._tax.get(rate, 0) + tax_micro

    @property
    def charge(self) -> Charge:
        """Everything added, as one charge."""
        parts = tuple(
            Part(what=what, name=name, rate_bp=rate, net_micro=net, quantity=quantity, unit=unit)
            for (what, name, rate, unit), (net, quantity) in self._parts.items()
        )
        return Charge(parts=parts, tax_micro=dict(self._tax))


def drafts(*, cursor: Any, setup: Setup, stretch: Stretch) -> dict[int, Draft]:
    """{wallet: what waits for it}, of the homes where something waits. The transaction sees the book."""
    made: dict[int, Draft] = {}

    def of(wallet: int) -> Draft:
        return made.setdefault(wallet, Draft(wallet=wallet))

    if setup.moment == "top_up":
        for paid in sources.paid(cursor=cursor, stretch=stretch):
            _add_paid(of(paid.wallet), paid, setup)
        return made
    rates = _Rates(setup.book)
    _each(sources.rated(cursor=cursor, stretch=stretch), of, rates.add_rated)
    _each(sources.owed(cursor=cursor, stretch=stretch), of, _add_owed)
    _each(sources.adjusted(cursor=cursor, stretch=stretch), of, rates.add_adjusted)
    for wallet, balance in sources.balances(cursor=cursor, stretch=stretch).items():
        if wallet in made:
            made[wallet].balance_micro = balance
    return made


def _each(rows: Iterable[Any], of: Any, add: Any) -> None:
    for row in rows:
        draft = of(row.wallet)
        try:
            add(draft, row)
        except VatUnclear as error:
            draft.refused = error


def waiting_micro(*, cursor: Any, setup: Setup, stretch: Stretch) -> int:
    """What waits in all, tax included, whatever its rates are: added up apart from the drafts."""
    if setup.moment == "top_up":
        return sum(one.amount_micro for one in sources.paid(cursor=cursor, stretch=stretch))
    used = sources.rated(cursor=cursor, stretch=stretch)
    return (
        sum(one.energy_micro + one.standing_micro + one.tax_micro for one in used)
        + sum(one.net_micro + one.tax_micro for one in sources.owed(cursor=cursor, stretch=stretch))
        - sum(one.amount_micro for one in sources.adjusted(cursor=cursor, stretch=stretch))
    )


class _Rates:
    """The VAT of the plans of a book, read off their newest texts."""

    def __init__(self, book: int) -> None:
        newest = TariffPublication.objects.filter(plan__book=book).order_by("plan_id", "-pk")
        self._texts = {row.plan_id: row.text for row in newest.distinct("plan_id")}
        self._schedules: dict[int, Schedule] = {}
        self._vats: dict[tuple[int, int, int], Vat] = {}

    def add_rated(self, draft: Draft, row: Rated) -> None:
        """Add lines of use, or corrections of them, to a draft."""
        energy, standing = _OF_KIND[row.kind]
        vat = self._vat(row.plan, row.version, row.day_us)
        unit = self._schedule(row.plan).unit if row.energy_wh else ""
        _add_taxed(draft, energy, vat.energy_bp, row.energy_micro, vat, quantity=row.energy_wh, unit=unit)
        _add_taxed(draft, standing, vat.standing_bp, row.standing_micro, vat)
        if not row.tax_micro:
            return
        if vat.levy:
            draft.add("levy", None, row.tax_micro)
        elif vat.rate_bp is None or vat.included:
            raise VatUnclear(
                "The ledger holds tax on a charge for which its tariff names no rate by now, so the rate cannot be "
                "told. Nothing is invoiced of this home; look at the corrections of its tariff."
            )
        else:
            draft.add(energy if vat.energy_bp is not None else standing, vat.rate_bp, 0, row.tax_micro)

    def add_adjusted(self, draft: Draft, row: Adjusted) -> None:
        """Add what a ruling gave back: the taxed part of it by its tax, the rest untaxed."""
        net, tax = -(row.amount_micro - row.tax_micro), -row.tax_micro
        if row.kind in (Kind.FEE, Kind.SHARED):
            draft.add("adjustment", row.tax_bp or None, net, tax)
            return
        vat = self._vat(row.plan, 0, row.day_us) if row.plan else UNTAXED
        if vat.included and vat.rate_bp is not None:
            _add_taxed(draft, "adjustment", vat.rate_bp, net, vat)
        elif not tax:
            draft.add("adjustment", None, net)
        elif vat.rate_bp is None or vat.levy:
            draft.add("adjustment", None, net + tax)
        else:
            taxed = -min(-net, (Fraction(-tax * BP, vat.rate_bp) + Fraction(1, 2)).__floor__())
            draft.add("adjustment", vat.rate_bp, taxed, tax)
            draft.add("adjustment", None, net - taxed)

    def _vat(self, plan: int, version: int, day_us: int) -> Vat:
        key = (plan, version, day_us)
        if key not in self._vats:
            versions = self._schedule(plan).versions
            named = [one for one in versions if version and one.number == version]
            begun = [one for one in versions if one.effective_us <= day_us]
            self._vats[key] = vat_of((named or begun[-1:] or versions)[0])
        return self._vats[key]

    def _schedule(self, plan: int) -> Schedule:
        if plan not in self._schedules:
            try:
                self._schedules[plan] = parse_schedule(self._texts[plan])
            except (KeyError, TariffError) as error:
                raise VatUnclear(
                    "The tariff of a charge cannot be read, so its rate of VAT cannot be told. Nothing is invoiced of "
                    "this home; publish the tariff again."
                ) from error
        return self._schedules[plan]


def _add_taxed(
    draft: Draft, what: str, rate: Rate, micro: int, vat: Vat, *, quantity: int = 0, unit: str = ""
) -> None:
    """Add an amount without its tax; where that lies in it, it is taken out first."""
    tax = vat_within(gross_micro=micro, rate_bp=rate) if vat.included and rate else 0
    draft.add(what, rate, micro - tax, tax, quantity=quantity, unit=unit)


def _add_owed(draft: Draft, row: Owed) -> None:
    draft.add(row.kind, row.tax_bp or None, row.net_micro, row.tax_micro, name=row.name)
    draft.arrears_micro += row.arrears_micro


def _add_paid(draft: Draft, row: Paid, setup: Setup) -> None:
    tax = vat_within(gross_micro=row.amount_micro, rate_bp=setup.top_up_bp) if setup.top_up_bp else 0
    draft.add(_PAID.get(row.kind, "paid_back"), setup.top_up_bp, row.amount_micro - tax, tax)
