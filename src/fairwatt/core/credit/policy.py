"""The rules a wallet is held to: when to warn, when not to cut, when data is too old to cut on."""

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final, NamedTuple

from fairwatt.core.spans import local_date, local_datetime, zone_info

Steps = tuple[tuple[int, int], ...]
Windows = tuple[tuple[int, int], ...]


class CutRule(IntEnum):
    """What may happen to a home without credit; a higher number protects it more. Stored and sent as this number."""

    ALLOWED = 0
    LIMIT = 1
    """Its power may be limited (the last of the policy's steps), but never cut."""
    NEVER = 2


class Why(IntEnum):
    """What shelters a home for a span of time; stored and sent as this number."""

    WEATHER = 1
    """Heat or cold: nobody is cut."""
    FORCED_ON = 2
    """A person keeps the supply on, with a reason."""
    PROTECTED = 3
    """Somebody lives there who may not be without power."""
    POSTPAID = 4
    """It pays after use: credit is not what it lives on."""
    GRACE = 5
    """It paid after use until a few days ago."""


FOREVER_US: Final = 1 << 62
"""The end of a span that has none yet."""


class Shelter(NamedTuple):
    """A half-open span of time in which a home is not cut."""

    start_us: int
    end_us: int
    why: Why


_NO_POLICY = "this is not a credit policy of version 1, 2 or 3"


class PolicyError(ValueError):
    """A credit policy that cannot be applied as written."""


@dataclass(frozen=True, slots=True)
class CreditPolicy:
    """How one group of wallets is warned and cut.

    Amounts are micro-units, ``low_wh`` watt-hours, times microseconds. ``friendly`` are local wall-clock
    minutes of the day (0-1440, end excluded) without cuts; ``friendly_weekends`` adds Saturdays and Sundays.
    ``max_debt_micro`` ends the protection of friendly hours beyond that debt; ``None`` never does. ``steps`` are
    the soft landing: (below this much available, at most so many watts), from the highest amount down. ``cut``
    says what the law leaves a landlord; ``holidays`` are local dates (proleptic ordinals) without cuts, under the
    same debt limit as friendly hours; ``shelters`` are spans in which this home is not cut whatever it owes.
    """

    zone: str
    low_micro: int
    low_wh: int
    critical_micro: int
    friendly: Windows
    friendly_weekends: bool
    warn_lead_us: int
    stale_after_us: int
    max_debt_micro: int | None = None
    steps: Steps = ()
    cut: CutRule = CutRule.ALLOWED
    holidays: tuple[int, ...] = ()
    shelters: tuple[Shelter, ...] = ()

    def __post_init__(self) -> None:
        zone_info(self.zone)
        if not 0 <= self.critical_micro <= self.low_micro:
            raise PolicyError("the critical level must lie between zero and the low level")
        if self.low_wh < 0 or self.warn_lead_us < 0 or self.stale_after_us <= 0:
            raise PolicyError(
                "energy level and warning lead cannot be negative, the stale limit must be above zero"
            )
        if self.max_debt_micro is not None and self.max_debt_micro < 0:
            raise PolicyError("the debt limit is written as a positive amount")
        self._check_steps()
        if self.cut is CutRule.LIMIT and not any(below >= 1 for below, _ in self.steps):
            raise PolicyError("where power may only be limited, the last step says how much is left at zero")
        if any(shelter.end_us <= shelter.start_us for shelter in self.shelters):
            raise PolicyError("a span without cuts ends after it begins")
        for start, end in self.friendly:
            if not 0 <= start < end <= 1_440:
                raise PolicyError(
                    f"friendly hours {start}-{end} are not inside one day; split them at midnight"
                )

    def _check_steps(self) -> None:
        for _, limit_w in self.steps:
            if limit_w <= 0:
                raise PolicyError("a power limit of zero is a cut; a soft landing leaves some power")
        for (below, limit_w), (next_below, next_limit_w) in pairwise(self.steps):
            if not (next_below < below and next_limit_w < limit_w):
                raise PolicyError("each step of a soft landing begins at less credit and allows less power")

    def friendly_at(self, *, at_us: int) -> bool:
        """Say whether nobody is cut off at this instant, by the local wall clock."""
        at = local_datetime(zone=self.zone, at_us=at_us)
        if self.friendly_weekends and at.weekday() >= 5:
            return True
        minute = at.hour * 60 + at.minute
        return any(start <= minute < end for start, end in self.friendly)

    def holiday_at(self, *, at_us: int) -> bool:
        """Say whether the local date is one on which nobody is cut off."""
        return bool(self.holidays) and local_date(zone=self.zone, at_us=at_us).toordinal() in self.holidays

    def sheltered_at(self, why: Why, *, at_us: int) -> Shelter | None:
        """Return the span of that kind that holds at an instant; the one that ends last."""
        holding = [one for one in self.shelters if one.why is why and one.start_us <= at_us < one.end_us]
        return max(holding, key=lambda one: one.end_us, default=None)


def policy_to_obj(policy: CreditPolicy) -> list[object]:
    """Flatten a policy into lists, ints and strings for the wire.

    Version 2 only where there are steps, version 3 only where law, dates or spans forbid cuts: a gateway that knows
    an older version reads every policy that can be said in it. One it cannot read, it says so and never cuts alone.
    """
    flat: list[object] = [
        policy.zone,
        policy.low_micro,
        policy.low_wh,
        policy.critical_micro,
        [[start, end] for start, end in policy.friendly],
        policy.friendly_weekends,
        policy.warn_lead_us,
        policy.stale_after_us,
        policy.max_debt_micro,
    ]
    steps = [[below, limit_w] for below, limit_w in policy.steps]
    if policy.cut or policy.holidays or policy.shelters:
        shelters = [[one.start_us, one.end_us, int(one.why)] for one in policy.shelters]
        return [3, *flat, steps, int(policy.cut), list(policy.holidays), shelters]
    return [2, *flat, steps] if steps else [1, *flat]


def policy_from_obj(obj: object) -> CreditPolicy:
    """Rebuild a policy from its wire form, version 1 to 3; raises ``PolicyError`` for anything else."""
    match obj:
        case [1, *flat]:
            return _policy(flat)
        case [2, *flat, list(steps)]:
            return _policy(flat, steps=_pairs(steps))
        case [3, *flat, list(steps), int(cut), list(holidays), list(shelters)]:
            if cut not in list(CutRule) or not all(type(day) is int for day in holidays):
                raise PolicyError(_NO_POLICY)
            return _policy(
                flat,
                steps=_pairs(steps),
                cut=CutRule(cut),
                holidays=tuple(holidays),
                shelters=tuple(_shelter(one) for one in shelters),
            )
        case _:
            raise PolicyError(_NO_POLICY)


def _policy(flat: list[Any], **more: Any) -> CreditPolicy:
    match flat:
        case [
            str(zone),
            int(low_micro),
            int(low_wh),
            int(critical_micro),
            list(friendly),
            bool(friendly_weekends),
            int(warn_lead_us),
            int(stale_after_us),
            int() | None as max_debt_micro,
        ]:
            return CreditPolicy(
                zone=zone,
                low_micro=low_micro,
                low_wh=low_wh,
                critical_micro=critical_micro,
                friendly=tuple(_pair(pair) for pair in friendly),
                friendly_weekends=friendly_weekends,
                warn_lead_us=warn_lead_us,
                stale_after_us=stale_after_us,
                max_debt_micro=max_debt_micro,
                **more,
            )
        case _:
            raise PolicyError(_NO_POLICY)


def _pairs(pairs: list[object]) -> Steps:
    return tuple(_pair(pair) for pair in pairs)


def _shelter(one: object) -> Shelter:
    match one:
        case [int(start_us), int(end_us), int(why)] if why in list(Why):
            return Shelter(start_us, end_us, Why(why))
        case _:
            raise PolicyError("a span without cuts is a start, an end and one of the known reasons")


def _pair(pair: object) -> tuple[int, int]:
    match pair:
        case [int(first), int(second)]:
            return first, second
        case _:
            raise PolicyError("friendly hours and steps of a soft landing are pairs of whole numbers")
