"""One wallet's credit, split among meters whose gateways cannot ask each other.

A lease is a right to use so much at one meter, counted from a place on its register. Whoever counts on from that place
comes to the same, so a lease is used once however often its gateway forgets or starts again. What a gateway may still
believe to hold stays set aside until it has taken a newer lease; so leases never come to more than the credit.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.units import US_PER_DAY

WHOLE_PPM: Final = 1_000_000
USE_DAYS: Final = 7
"""Days whose use says how credit is split."""
LEAST_PART: Final = 20
"""No meter's share is smaller than one in so many: who used nothing last week may be at home today."""
COARSE_MICRO: Final = 10_000
"""Differences below a hundredth of the currency are not worth an order."""
_GIVEN_MAX: Final = 16


class Lease(NamedTuple):
    """Credit set aside for one meter by one order; ``left_micro`` is what its charges since have left of it."""

    seq: int
    as_of_us: int
    granted_micro: int
    left_micro: int


class Share(NamedTuple):
    """What a meter's next lease is to say: its amount, and its part of the wallet's credit and thresholds."""

    granted_micro: int
    part_ppm: int


@dataclass(frozen=True, slots=True)
class MeterLeases:
    """The leases that may be in force at one meter: the one it took last, and those given since.

    ``used``: charges by UTC day, of the last `USE_DAYS` days.
    """

    given: tuple[Lease, ...] = ()
    used: tuple[tuple[int, int], ...] = ()

    @property
    def held_micro(self) -> int:
        """The most that the meter's gateway can still let it use."""
        return max(0, max((lease.left_micro for lease in self.given), default=0))

    @property
    def newest_micro(self) -> int:
        """What is left of the newest lease: what holds once its order is taken."""
        return self.given[-1].left_micro if self.given else 0

    @property
    def used_micro(self) -> int:
        """What the meter was charged within the last days."""
        return sum(amount for _, amount in self.used)

    def charged(self, *, at_us: int, amount_micro: int) -> "MeterLeases":
        """Take one charge off every lease: each counts on from the same register."""
        day = at_us // US_PER_DAY
        given = tuple(lease._replace(left_micro=lease.left_micro - amount_micro) for lease in self.given)
        days = dict(self.used)
        days[day] = days.get(day, 0) + amount_micro
        newest = max(days)
        used = tuple((one, days[one]) for one in sorted(days) if one > newest - USE_DAYS)
        return MeterLeases(given, used)

    def taken(self, *, seq: int) -> "MeterLeases":
        """The gateway took this order: no older one holds any more."""
        return replace(self, given=tuple(lease for lease in self.given if lease.seq >= seq))

    def gave(self, lease: Lease, /) -> "MeterLeases":
        """One more was given; until it is taken, any of them may hold."""
        given = (*self.given, lease)
        if len(given) > _GIVEN_MAX:
            # The charges to come are the same for all: the one that holds most will always hold most.
            most = max(given, key=lambda one: one.left_micro)
            given = tuple(one for one in given if one is most or one in given[1 - _GIVEN_MAX :])
        return replace(self, given=given)


def fair_shares(*, available_micro: int, meters: Mapping[int, MeterLeases]) -> dict[int, Share]:
    """Split credit as the meters used of late, nobody's part below one in `LEAST_PART`. The parts come to all of it."""
    total = sum(leases.used_micro for leases in meters.values())
    least = max(1, total // LEAST_PART)
    weights = {meter: max(least, leases.used_micro) for meter, leases in meters.items()}
    whole, credit = sum(weights.values()), max(0, available_micro)
    shares = {
        meter: Share(credit * weight // whole, WHOLE_PPM * weight // whole)
        for meter, weight in weights.items()
    }
    most = max(weights, key=lambda meter: (weights[meter], -meter))
    rest = credit - sum(share.granted_micro for share in shares.values())
    shares[most] = shares[most]._replace(granted_micro=shares[most].granted_micro + rest)
    return shares


def next_leases(*, available_micro: int, meters: Mapping[int, MeterLeases]) -> dict[int, Share]:
    """What an order for each meter may grant now, without ever giving what another may still use.

    A meter that holds more than its fair part is granted that part, which gives back the rest once it is taken; the
    others divide what nobody holds, by what they lack. Whatever is delivered of this, and when: the leases in force
    come to no more than the credit, if they did before.
    """
    fair = fair_shares(available_micro=available_micro, meters=meters)
    held = {meter: leases.held_micro for meter, leases in meters.items()}
    free = max(0, available_micro - sum(held.values()))
    lacks = {meter: max(0, share.granted_micro - held[meter]) for meter, share in fair.items()}
    lacking = sum(lacks.values())
    granted: dict[int, Share] = {}
    for meter, share in fair.items():
        gift = free * lacks[meter] // lacking if lacks[meter] else 0
        amount = held[meter] + gift if lacks[meter] else share.granted_micro
        granted[meter] = share._replace(granted_micro=amount)
    return granted


def to_renew(
    *, available_micro: int, meters: Mapping[int, MeterLeases], ordered: Collection[int] = ()
) -> set[int]:
    """Which meters need a new lease now: those that run short, and those that must give back.

    A meter is short with less than half of its fair part. Meters give back for one that is short, or when credit was
    taken away (a fee, a refund) and their leases come to more than is left. ``ordered``: an order is made anyway.
    """
    fair = fair_shares(available_micro=available_micro, meters=meters)
    granted = next_leases(available_micro=available_micro, meters=meters)
    newest = {meter: leases.newest_micro for meter, leases in meters.items()}
    short = {
        meter
        for meter, share in fair.items()
        if share.granted_micro - newest[meter] > max(share.granted_micro // 2, COARSE_MICRO)
    }
    beyond = sum(max(0, left) for left in newest.values()) - max(0, available_micro)
    if not short and beyond <= COARSE_MICRO:
        return set()
    renewed = {
        meter for meter in short if granted[meter].granted_micro - max(0, newest[meter]) > COARSE_MICRO
    }
    back = {
        meter
        for meter, share in fair.items()
        if meter not in short and newest[meter] - share.granted_micro > COARSE_MICRO
    }
    return (renewed | back) - set(ordered)


def part_of(policy: CreditPolicy, *, part_ppm: int, owed_micro: int) -> CreditPolicy:
    """The rules of a wallet for the part of its credit that one gateway may use.

    Levels, steps and the room for debt are as much smaller as the part is; so gateways that are alone warn in time, and
    together stay within the wallet's debt. ``owed_micro``: what the wallet owed already.
    """

    def part(amount: int) -> int:
        return amount * min(part_ppm, WHOLE_PPM) // WHOLE_PPM

    debt_micro = None if policy.max_debt_micro is None else part(max(0, policy.max_debt_micro - owed_micro))
    steps: dict[int, int] = {}
    for below_micro, limit_w in policy.steps:
        if part(below_micro):
            steps[part(below_micro)] = limit_w
    return replace(
        policy,
        low_micro=part(policy.low_micro),
        low_wh=part(policy.low_wh),
        critical_micro=part(policy.critical_micro),
        max_debt_micro=debt_micro,
        steps=tuple(steps.items()),
    )
