"""What the guard knows of each meter under a grant, and what the meters of one wallet come to together."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from fairwatt.core.credit.levels import WarningLevel, warning_level
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


@dataclass(slots=True)
class Head:
    """One meter under a grant. ``mark`` names the grant's bytes, ``order`` says which grant came later."""

    meter: int
    grant: Grant
    mark: bytes
    order: int
    policy: CreditPolicy
    low_micro: int
    table: SegmentTable
    spec: RegisterSpec
    state: RegisterState
    warned_at_us: int | None
    warned_here: bool = False
    relay: int = Relay.UNKNOWN
    quarantined: bool = False
    withheld: str = ""
    spent: deque[Spent] = field(default_factory=deque)


class Holding(NamedTuple):
    """What a wallet has, as far as this gateway counts: ``granted_micro`` at ``as_of_us``, less what was used here
    up to ``counted_us``."""

    wallet: int
    available_micro: int
    granted_micro: int
    currency: str
    as_of_us: int
    counted_us: int
    meters: int


def anchor_of(mine: Iterable[Head]) -> Head:
    """The meter of a wallet with its newest grant."""
    return max(mine, key=lambda head: (head.grant.as_of_us, head.order))


def available_in(mine: list[Head]) -> int:
    """What the wallet of these meters still has."""
    anchor = anchor_of(mine)
    available = anchor.grant.available_micro
    for head in mine:
        since = anchor.grant.state.at_us if head is anchor else anchor.grant.as_of_us
        available -= sum(spent.amount_micro for spent in head.spent if spent.at_us > since)
    return available


def level_of(mine: list[Head], available: int) -> WarningLevel:
    """How near the wallet is to being empty."""
    return warning_level(
        available_micro=available,
        low_micro=max(head.low_micro for head in mine),
        critical_micro=anchor_of(mine).policy.critical_micro,
    )


def is_unsaid(mine: list[Head], level: WarningLevel) -> bool:
    """Whether a wallet is low and nobody but this guard has warned."""
    return level is not WarningLevel.NONE and anchor_of(mine).warned_here


def forget_settled(mine: list[Head]) -> None:
    """Drop what the wallet's newest grant has settled already."""
    anchor = anchor_of(mine)
    for head in mine:
        if head is not anchor:
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
