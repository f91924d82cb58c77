"""Where a common cost comes from: a meter's own charges, the losses behind a bulk meter, or an amount with evidence.

Energies and costs are the ledger's: the readings whose instants lie in the span, and the corrections of its days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from fairwatt.core.ledger.model import Kind
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import date_start
from fairwatt.core.units import WH_PER_KWH
from fairwatt.flows.billed_unit import counted_in_kwh
from fairwatt.store.charged import charged_in
from fairwatt.store.models import Book, Installation, Site

_KINDS = [Kind.READING, Kind.CORRECTION, Kind.LATE]


class SourceRefused(Refusal):
    """A cost that cannot be measured as asked; nobody is charged."""


@dataclass(frozen=True, kw_only=True)
class Typed:
    """An amount somebody writes down, with what proves it (an invoice number, a contract)."""

    amount_micro: int
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Metered:
    """What the meters of a unit were charged over the span."""

    unit: int


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What a bulk meter counted above all others of the site, at a price per kWh."""

    bulk_unit: int
    micro_per_kwh: int
    evidence: str


Source = Typed | Metered | Losses


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A cost with the figures it came from, ready to be stored and published."""

    total_micro: int
    evidence: dict[str, Any]


def measure(*, cursor: Any, site: Site, source: Source, first: date, end: date, now_us: int) -> Measured:
    """Work a cost out over the local days [first, end). Raises SourceRefused."""
    match source:
        case Typed(amount_micro=amount, evidence=evidence):
            if not evidence.strip():
                raise SourceRefused(
                    "A typed amount names its evidence, such as an invoice. Nothing was written."
                )
            return Measured(total_micro=amount, evidence={"kind": "typed", "evidence": evidence.strip()})
        case Metered(unit=unit):
            span = _span(site.book, first, end, now_us)
            wh, micro = _sums(cursor, site.book_id, _installations(site, unit), span)
            return Measured(
                total_micro=micro, evidence={"kind": "meter", "energy_wh": wh, "cost_micro": micro}
            )
        case Losses(bulk_unit=unit, micro_per_kwh=price, evidence=evidence):
            span = _span(site.book, first, end, now_us)
            electric = counted_in_kwh(site=site.pk)  # a litre of water is no watt-hour
            bulk_meters = _installations(site, unit, among=electric)
            bulk, _ = _sums(cursor, site.book_id, bulk_meters, span)
            subs, _ = _sums(cursor, site.book_id, electric - bulk_meters, span)
            if bulk < subs:
                raise SourceRefused(
                    "The meters behind the bulk meter counted %(wh)s Wh more than it did, so there are no losses to "
                    "share. Nothing was written; compare the readings at both ends of the span.",
                    wh=subs - bulk,
                )
            return Measured(
                total_micro=(bulk - subs) * price // WH_PER_KWH,
                evidence={
                    "kind": "losses",
                    "bulk_wh": bulk,
                    "submeters_wh": subs,
                    "lost_wh": bulk - subs,
                    "micro_per_kwh": price,
                    "evidence": evidence.strip(),
                },
            )


def own_use(*, cursor: Any, site: Site, first: date, end: date) -> dict[tuple[int, int], int]:
    """{(wallet, unit): watt-hours its meters there counted in the span}; never below zero.

    Where a building counts electricity, litres of its other meters are left out: the two have no sum.
    """
    start_us, end_us = (date_start(zone=site.book.zone, day=day) for day in (first, end))
    units = dict(Installation.objects.filter(unit__site=site).values_list("id", "unit_id"))
    counted = counted_in_kwh(site=site.pk) or units.keys()
    used: dict[tuple[int, int], int] = {}
    for row in charged_in(cursor=cursor, book=site.book_id, kinds=_KINDS, start_us=start_us, end_us=end_us):
        if row.ref in counted:
            place = (row.wallet, units[row.ref])
            used[place] = used.get(place, 0) + row.energy_wh
    return {place: max(0, wh) for place, wh in used.items()}


def _span(book: Book, first: date, end: date, now_us: int) -> tuple[int, int]:
    start_us, end_us = date_start(zone=book.zone, day=first), date_start(zone=book.zone, day=end)
    if end_us > now_us:
        raise SourceRefused(
            "The span is not over, so its meters have not counted it all. Nothing was written; end it on a day "
            "that has passed."
        )
    return start_us, end_us


def _installations(site: Site, unit: int, *, among: set[int] | None = None) -> set[int]:
    found = set(Installation.objects.filter(unit_id=unit, unit__site=site).values_list("id", flat=True))
    found = found if among is None else found & among
    if not found:
        raise SourceRefused("That unit has no meter in this building. Nothing was written; choose another.")
    return found


def _sums(cursor: Any, book: int, installations: Any, span: tuple[int, int]) -> tuple[int, int]:
    """(watt-hours, what they cost) of installations over (start, end]."""
    rows = charged_in(cursor=cursor, book=book, kinds=_KINDS, start_us=span[0], end_us=span[1])
    mine = [row for row in rows if row.ref in set(installations)]
    return sum(row.energy_wh for row in mine), sum(row.charged_micro for row in mine)
