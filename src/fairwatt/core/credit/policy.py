"""The rules a wallet is held to: when to warn, when not to cut, when data is too old to cut on."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fairwatt.core.spans import local_datetime, zone_info

Steps = tuple[tuple[int, int], ...]
Windows = tuple[tuple[int, int], ...]


class PolicyError(ValueError):
    """A credit policy that cannot be applied as written."""


@dataclass(frozen=True, slots=True)
class CreditPolicy:
    """How one group of wallets is warned and cut.

    Amounts are micro-units, ``low_wh`` watt-hours, times microseconds. ``friendly`` are local wall-clock
    minutes of the day (0-1440, end excluded) without cuts; ``friendly_weekends`` adds Saturdays and Sundays.
    ``max_debt_micro`` ends the protection of friendly hours beyond that debt; ``None`` never does. ``steps`` are
    the soft landing: (below this much available, at most so many watts), from the highest amount down.
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


def policy_to_obj(policy: CreditPolicy) -> list[object]:
    """Flatten a policy into lists, ints and strings for the wire.

    Version 2 only where there are steps: a gateway that knows version 1 alone still reads every other policy.
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
    if policy.steps:
        return [2, *flat, [[below, limit_w] for below, limit_w in policy.steps]]
    return [1, *flat]


def policy_from_obj(obj: object) -> CreditPolicy:
    """Rebuild a policy from its wire form, version 1 or 2; raises ``PolicyError`` for anything else."""
    match obj:
        case [1, *flat]:
            return _policy(flat, steps=())
        case [2, *flat, list(steps)]:
            return _policy(flat, steps=tuple(_pair(pair) for pair in steps))
        case _:
            raise PolicyError("this is not a credit policy of version 1 or 2")


def _policy(flat: list[Any], *, steps: Steps) -> CreditPolicy:
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
                steps=steps,
            )
        case _:
            raise PolicyError("this is not a credit policy of version 1 or 2")


def _pair(pair: object) -> tuple[int, int]:
    match pair:
        case [int(first), int(second)]:
            return first, second
        case _:
            raise PolicyError("friendly hours and steps of a soft landing are pairs of whole numbers")
