"""What the guard knows of each meter under a grant, and what the meters of one wallet come to together."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from fairwatt.core.credit.leases import part_of
from fairwatt.core.credit.levels import WarningLevel, low_threshold_micro, warning_level
from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.metering.register import RegisterSpec
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.wire.commands import Grant
from fairwatt.wire.records import Relay


class Spent(NamedTuple):
    """A charge counted here, and the instant of the reading that brought it."""

    at_us: int
    amount_micro: int


class Carried(NamedTuple):
    """A payment that a token carried here: the ledger has it since ``paid_us``, grants of before do not know it."""

    wallet: int
    paid_us: int
    amount_micro: int


class Holding(NamedTuple):
    """What a wallet has, as far as this gateway counts: ``granted_micro`` at ``as_of_us``, less what was used here
    up to ``counted_us``. ``meter``: whose lease this is; 0 where all meters share one grant."""

    wallet: int
    available_micro: int
    granted_micro: int
    currency: str
    as_of_us: int
    counted_us: int
    meters: int
    meter: int = 0


@dataclass(slots=True)
class Head:
    """One meter under a grant. ``mark`` names the grant's bytes, ``order`` says which grant came later."""

    meter: int
    grant: Grant
    mark: bytes
    order: int
    policy: CreditPolicy
    dearest_micro_per_kwh: int
    table: SegmentTable
    spec: RegisterSpec
    state: RegisterState
    warned_at_us: int | None
    warned_here: bool = False
    relay: int = Relay.UNKNOWN
    quarantined: bool = False
    withheld: str = ""
    spent: deque[Spent] = field(default_factory=deque)


def anchor_of(mine: Iterable[Head]) -> Head:
    """The meter of a wallet with its newest grant."""
    return max(mine, key=lambda head: (head.grant.as_of_us, head.order))


def leased_of(mine: Iterable[Head]) -> list[Head]:
    """The meters of a wallet that hold leases; none, where its newest grant is whole."""
    mine = list(mine)
    return [head for head in mine if head.grant.lease is not None] if anchor_of(mine).grant.lease else []


def left_of(head: Head) -> int:
    """What is left of one meter's lease."""
    return head.grant.available_micro - sum(spent.amount_micro for spent in head.spent)


def available_in(mine: list[Head], carried: Mapping[int, Iterable[Carried]]) -> int:
    """What the wallet of these meters still has: the leases here, or what one grant gives to all of them.

    And what tokens ``carried`` to its meters, until a grant knows it.
    """
    anchor, leased = anchor_of(mine), leased_of(mine)
    available = sum(map(left_of, leased)) if leased else anchor.grant.available_micro
    available += _carried_in(mine, anchor.grant, carried)
    for head in mine:
        if head in leased:
            continue
        since = anchor.grant.state.at_us if head is anchor else anchor.grant.as_of_us
        available -= sum(spent.amount_micro for spent in head.spent if spent.at_us > since)
    return available


def _carried_in(mine: list[Head], grant: Grant, carried: Mapping[int, Iterable[Carried]]) -> int:
    return sum(
        one.amount_micro
        for head in mine
        for one in carried.get(head.meter, ())
        if one.wallet == grant.wallet and one.paid_us > grant.as_of_us
    )


def policy_of(mine: list[Head]) -> CreditPolicy:
    """The rules of the wallet, or of the part of it that is leased here."""
    anchor = anchor_of(mine)
    if anchor.grant.lease is None:
        return anchor.policy
    part_ppm = sum(head.grant.lease.part_ppm for head in leased_of(mine) if head.grant.lease)
    return _part(anchor.policy, part_ppm, max(0, -anchor.grant.lease.wallet_micro))


@lru_cache(maxsize=256)
def _part(policy: CreditPolicy, part_ppm: int, owed_micro: int) -> CreditPolicy:
    return part_of(policy, part_ppm=part_ppm, owed_micro=owed_micro)


def level_of(mine: list[Head], available: int) -> WarningLevel:
    """How near the wallet, or the part of it that is leased here, is to being empty."""
    policy = policy_of(mine)
    return warning_level(
        available_micro=available,
        low_micro=max(
            low_threshold_micro(policy=policy, dearest_micro_per_kwh=head.dearest_micro_per_kwh)
            for head in mine
        ),
        critical_micro=policy.critical_micro,
    )


def holdings_of(mine: list[Head], carried: Mapping[int, Iterable[Carried]]) -> list[Holding]:
    """What a wallet has here: one figure for all its meters, or each meter's lease."""
    leased, newest = leased_of(mine), anchor_of(mine)
    if not leased:
        counted_us = max(head.state.at_us for head in mine)
        return [_holding(newest, available_in(mine, carried), counted_us, len(mine))]
    return [
        _holding(head, left_of(head), head.state.at_us, 1)._replace(meter=head.meter)
        for head in sorted(leased, key=lambda head: head.meter)
    ]


def _holding(head: Head, available_micro: int, counted_us: int, meters: int) -> Holding:
    grant, currency = head.grant, head.table.schedule.currency
    return Holding(
        grant.wallet, available_micro, grant.available_micro, currency, grant.as_of_us, counted_us, meters
    )


def is_unsaid(mine: list[Head], level: WarningLevel) -> bool:
    """Whether a wallet is low and nobody but this guard has warned."""
    return level is not WarningLevel.NONE and anchor_of(mine).warned_here


def forget_settled(mine: list[Head]) -> None:
    """Drop what the wallet's newest grant has settled already."""
    anchor = anchor_of(mine)
    for head in mine:
        if head is not anchor and head.grant.lease is None:
            while head.spent and head.spent[0].at_us <= anchor.grant.as_of_us:
                head.spent.popleft()


def add_spent(log: deque[Spent], spent: Spent, *, limit: int) -> None:
    """Note one more charge; the oldest of more than `limit` are added up."""
    if spent.amount_micro:
        log.append(spent)
    while len(log) > limit:
        # Only a wallet with several meters looks into the log, and never that far back. The sum bears the
        # earlier instant: should a grant ever fall between the two, that errs toward supply.
        first, second = log.popleft(), log.popleft()
        log.appendleft(Spent(first.at_us, first.amount_micro + second.amount_micro))
