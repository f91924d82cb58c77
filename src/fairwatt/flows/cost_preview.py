"""An allocation worked out: every stay of the site, what it counts by, and its share with the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from hmac import new as hmac
from typing import Any, Final

from fairwatt.core.costs.apportion import Apportionment, Basis, Formula, Participant, Payer, apportion
from fairwatt.core.costs.formula import formula_from_obj
from fairwatt.core.costs.proof import proof_of
from fairwatt.flows.cost_sources import own_use
from fairwatt.store.models import Allocation, Book
from fairwatt.store.stays import Stay, stays_in

KEY_LETTERS: Final = 12


@dataclass(frozen=True, kw_only=True)
class PreviewedShare:
    """One share with its inputs: who, how long, by what, and how it came out."""

    key: str
    stay: Stay | None
    participant: Participant | None
    floor_micro: int
    residue_micro: int
    weight: int

    @property
    def amount_micro(self) -> int:
        """The share in micro-units."""
        return self.floor_micro + self.residue_micro


@dataclass(frozen=True, kw_only=True)
class Preview:
    """An allocation as it would be published now."""

    allocation: Allocation
    formula: Formula
    days: int
    result: Apportionment
    shares: tuple[PreviewedShare, ...]
    missing: tuple[str, ...]
    """labels of units that lack what the formula counts by"""
    participants: tuple[Participant, ...]

    def proof(self) -> dict[str, Any]:
        """What publishing it would seal; its `digest` names exactly the figures that were looked at."""
        allocation = self.allocation
        return proof_of(
            title=allocation.title,
            currency=allocation.book.currency,
            zone=allocation.book.zone,
            first_day=allocation.first_day.isoformat(),
            end_day=allocation.end_day.isoformat(),
            days=self.days,
            source=allocation.source,
            formula=self.formula,
            participants=list(self.participants),
            result=self.result,
        )


def unit_key(*, salt: str, unit: int, first: date) -> str:
    """The key under which a stay stands in the proof: its resident can find it, nobody else can guess it."""
    said = f"{unit}:{first.isoformat()}".encode()
    return hmac(bytes.fromhex(salt), said, sha256).hexdigest()[:KEY_LETTERS]


def work_out(*, cursor: Any, allocation: Allocation) -> Preview:
    """Work an allocation out with who lived where and what they used; nothing is written. Raises ApportionError."""
    book: Book = allocation.book
    formula = formula_from_obj(allocation.formula.body)
    span = {"first": allocation.first_day, "end": allocation.end_day}
    stays = stays_in(cursor=cursor, book=book.pk, site=allocation.site_id, zone=book.zone, **span)
    used = own_use(cursor=cursor, site=allocation.site, **span) if _counts(formula, Basis.OWN_USE) else {}
    by_key = {unit_key(salt=allocation.salt, unit=stay.unit, first=stay.first): stay for stay in stays}
    # Who left and came back within the span has one use there, counted with the first stay.
    own_wh = {key: used.pop((stay.resident or 0, stay.unit), 0) for key, stay in by_key.items()}
    participants = {
        key: Participant(
            key=key,
            payer=Payer.LANDLORD if stay.resident is None else Payer.RESIDENT,
            days=stay.days,
            area_dm2=stay.area_dm2,
            heads=stay.heads,
            own_wh=own_wh[key],
        )
        for key, stay in by_key.items()
    }
    result = apportion(
        formula=formula, total_micro=allocation.total_micro, participants=participants.values()
    )
    shares = tuple(
        PreviewedShare(
            key=share.key,
            stay=by_key.get(share.key),
            participant=participants.get(share.key),
            floor_micro=share.floor_micro,
            residue_micro=share.residue_micro,
            weight=share.weight,
        )
        for share in result.shares
    )
    return Preview(
        allocation=allocation,
        formula=formula,
        days=(allocation.end_day - allocation.first_day).days,
        result=result,
        shares=tuple(sorted(shares, key=_as_in_the_building)),
        missing=_missing(formula, stays),
        participants=tuple(participants.values()),
    )


def _as_in_the_building(one: PreviewedShare) -> tuple[str, str]:
    return (one.stay.label, one.stay.first.isoformat()) if one.stay else ("\uffff", "")


def _missing(formula: Formula, stays: list[Stay]) -> tuple[str, ...]:
    area, heads = _counts(formula, Basis.AREA), _counts(formula, Basis.HEADS)
    lacking = {
        stay.label
        for stay in stays
        if (area and not stay.area_dm2) or (heads and stay.resident is not None and not stay.heads)
    }
    return tuple(sorted(lacking))


def _counts(formula: Formula, basis: Basis) -> bool:
    return any(part.basis is basis for part in formula.parts)
