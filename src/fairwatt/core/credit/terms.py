"""What an organisation, a site or a person's home is held to, and how the three become one policy.

A document says as much as it wants. What the house says: the narrower place wins, home over site over organisation.
What a law says is a floor: of the two, whatever protects the resident more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from fairwatt.core.credit.policy import CreditPolicy, CutRule, Shelter, Steps, Why, Windows
from fairwatt.core.rating.elements.periods import Calendar

NO_LIMIT: Final = -1
"""A debt limit that never ends the friendly hours."""
DATES_AHEAD: Final = 60
"""Days of a calendar that a policy carries; whoever keeps policies makes them anew every day."""


class Basis(StrEnum):
    """Whose word a document is."""

    HOUSE = "house"
    LAW = "law"


@dataclass(frozen=True, slots=True)
class Emergency:
    """Credit that a resident may take when his own is nearly gone; repaid first out of the next top-up.

    Amounts in micro-units. Offered when less than ``offered_below_micro`` is left. ``automatic``: taken for him at
    the moment he would be without credit.
    """

    amount_micro: int
    offered_below_micro: int = 0
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What one document says; ``None`` is left to others. Amounts micro-units, energy Wh, times microseconds.

    ``limit_w``: what a home without credit may draw where it may not be cut. ``least_micro`` to ``most_micro``: what
    may be paid in at once; ``credit_most_micro``: what a home may have in credit.
    """

    low_micro: int | None = None
    low_wh: int | None = None
    low_days: int | None = None
    critical_micro: int | None = None
    warn_lead_us: int | None = None
    stale_after_us: int | None = None
    friendly: Windows | None = None
    friendly_weekends: bool | None = None
    holidays: Calendar | None = None
    max_debt_micro: int | None = None
    steps: Steps | None = None
    cut: CutRule | None = None
    limit_w: int | None = None
    emergency: Emergency | None = None
    least_micro: int | None = None
    most_micro: int | None = None
    credit_most_micro: int | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """A document in force at a place. ``rank``: 0 the organisation's book, 1 a site, 2 one home."""

    rule: int
    rank: int
    basis: Basis
    terms: Terms


class ByDays(NamedTuple):
    """Below which amount a home is warned by days, and which forecast says so (0: none, but the mean of its days)."""

    forecast: int
    level_micro: int


_SPARED: Final = (Why.POSTPAID, Why.GRACE, Why.PROTECTED, Why.FORCED_ON)


@dataclass(frozen=True, slots=True)
class Merged:
    """What holds for one home, and for each field which document said so (0: the policy it was opened under)."""

    policy: CreditPolicy
    low_days: int
    emergency: Emergency | None
    least_micro: int
    most_micro: int | None
    credit_most_micro: int | None
    said_by: Mapping[str, int]
    by_days: ByDays | None = None
    protected: bool = False
    """the account is on the list of those that nobody cuts"""

    def emergency_at(self, *, at_us: int) -> Emergency | None:
        """The emergency credit that is offered at an instant: to who would be cut without it, to nobody else."""
        policy = self.policy
        spared = any(policy.sheltered_at(why, at_us=at_us) for why in _SPARED)
        return None if self.protected or policy.cut is CutRule.NEVER or spared else self.emergency


def merge(*, base: CreditPolicy, layers: Sequence[Layer], shelters: Iterable[Shelter], today: date) -> Merged:
    """Join the policy a home was opened under with everything that holds for it on a local date.

    Raises PolicyError when what comes out contradicts itself.
    """
    value: dict[str, Any] = {field.name: None for field in fields(Terms)}
    value |= {name: getattr(base, name) for name in _OF_POLICY}
    value["max_debt_micro"] = NO_LIMIT if base.max_debt_micro is None else base.max_debt_micro
    said_by = dict.fromkeys(value, 0)
    house = sorted((one for one in layers if one.basis is Basis.HOUSE), key=lambda one: (one.rank, one.rule))
    law = sorted((one for one in layers if one.basis is Basis.LAW), key=lambda one: (one.rank, one.rule))
    for layer in [*house, *law]:
        for name in value:
            said = getattr(layer.terms, name)
            if said is None:
                continue
            now = said if layer.basis is Basis.HOUSE else _floor(name, value[name], said)
            if layer.basis is Basis.HOUSE or now != value[name]:
                value[name], said_by[name] = now, layer.rule
    return Merged(
        policy=_policy(base, value, shelters, today),
        low_days=value["low_days"] or 0,
        emergency=value["emergency"] if value["emergency"] and value["emergency"].amount_micro else None,
        least_micro=value["least_micro"] or 0,
        most_micro=value["most_micro"],
        credit_most_micro=value["credit_most_micro"],
        said_by=said_by,
    )


def _policy(
    base: CreditPolicy, value: Mapping[str, Any], shelters: Iterable[Shelter], today: date
) -> CreditPolicy:
    cut = CutRule.ALLOWED if value["cut"] is None else value["cut"]
    steps: Steps = value["steps"]
    if cut is CutRule.LIMIT and value["limit_w"] is not None:
        limit_w = value["limit_w"]
        kept = tuple((below, watts) for below, watts in steps if below > 1 and watts > limit_w)
        steps = (*kept, (1, limit_w))
    return replace(
        base,
        low_micro=max(value["low_micro"], value["critical_micro"]),
        low_wh=value["low_wh"],
        critical_micro=value["critical_micro"],
        warn_lead_us=value["warn_lead_us"],
        stale_after_us=value["stale_after_us"],
        friendly=value["friendly"],
        friendly_weekends=value["friendly_weekends"],
        max_debt_micro=None if value["max_debt_micro"] == NO_LIMIT else value["max_debt_micro"],
        steps=steps,
        cut=cut,
        holidays=() if value["holidays"] is None else holidays_from(value["holidays"], today=today),
        shelters=tuple(sorted(set(shelters))),
    )


def holidays_from(calendar: Calendar, *, today: date) -> tuple[int, ...]:
    """The dates of a calendar from yesterday on, as far as a policy carries them (proleptic ordinals)."""
    known = calendar.lookup()
    days = (today + timedelta(days=n) for n in range(-1, DATES_AHEAD))
    return tuple(day.toordinal() for day in days if known.get(day) or known.get((day.month, day.day)))


def windows_joined(windows: Iterable[tuple[int, int]]) -> Windows:
    """The same minutes of the day in as few windows as they need."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def _calendars(known: Calendar, law: Calendar) -> Calendar:
    dated, yearly = dict(law.dated) | dict(known.dated), dict(law.yearly) | dict(known.yearly)
    return Calendar(tuple(sorted(dated.items())), tuple(sorted(yearly.items())))


def _debt(known: int, law: int) -> int:
    return NO_LIMIT if NO_LIMIT in (known, law) else max(known, law)


_OF_POLICY: Final = (
    "low_micro",
    "low_wh",
    "critical_micro",
    "warn_lead_us",
    "stale_after_us",
    "friendly",
    "friendly_weekends",
    "steps",
)
_FLOOR: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "low_micro": max,
    "low_wh": max,
    "low_days": max,
    "critical_micro": max,
    "warn_lead_us": max,
    "stale_after_us": min,
    "friendly": lambda known, law: windows_joined((*known, *law)),
    "friendly_weekends": lambda known, law: known or law,
    "holidays": _calendars,
    "max_debt_micro": _debt,
    "steps": lambda known, law: known,
    "cut": max,
    "limit_w": max,
    "emergency": lambda known, law: max(known, law, key=lambda one: one.amount_micro),
    "least_micro": min,
    "most_micro": min,
    "credit_most_micro": min,
}
"""How a law's word joins what the house says. Less stale data is believed, and less may be asked of a top-up."""


def _floor(name: str, known: Any, law: Any) -> Any:
    return law if known is None else _FLOOR[name](known, law)


def loosened(*, before: Merged, after: Merged) -> tuple[str, ...]:
    """Name what protects a resident less after a change than before it; a second person must agree to that."""
    old, new = before.policy, after.policy
    found = [
        name for name in ("low_micro", "critical_micro", "low_wh") if getattr(new, name) < getattr(old, name)
    ]
    if after.low_days < before.low_days:
        found.append("low_days")
    if new.warn_lead_us < old.warn_lead_us:
        found.append("warn_lead_us")
    if new.stale_after_us > old.stale_after_us:
        found.append("stale_after_us")
    if windows_joined((*old.friendly, *new.friendly)) != windows_joined(new.friendly):
        found.append("friendly")
    if old.friendly_weekends and not new.friendly_weekends:
        found.append("friendly_weekends")
    if set(old.holidays) - set(new.holidays):
        found.append("holidays")
    if _debt_of(new) != NO_LIMIT and not 0 <= _debt_of(old) <= _debt_of(new):
        found.append("max_debt_micro")
    if new.cut < old.cut:
        found.append("cut")
    if new.cut is old.cut is CutRule.LIMIT and new.steps[-1][1] < old.steps[-1][1]:
        found.append("limit_w")
    if not _covers(new.shelters, old.shelters):
        found.append("shelters")
    if _lent(after.emergency) < _lent(before.emergency):
        found.append("emergency")
    return tuple(found)


def _debt_of(policy: CreditPolicy) -> int:
    return NO_LIMIT if policy.max_debt_micro is None else policy.max_debt_micro


def _lent(emergency: Emergency | None) -> int:
    return 0 if emergency is None else emergency.amount_micro


def _covers(new: Sequence[Shelter], old: Sequence[Shelter]) -> bool:
    """Whether every instant that was sheltered still is, for whatever reason."""
    spans = windows_joined((one.start_us, one.end_us) for one in new)
    return all(any(start <= one.start_us and one.end_us <= end for start, end in spans) for one in old)
