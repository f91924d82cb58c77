"""What is known of one line: the facts it was made from, and what they come to when it is worked out again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fairwatt.core.rating.explain import Difference, Explained
from fairwatt.core.units import Unit
from fairwatt.flows.explaining.ids import LineId
from fairwatt.store.lines import LineRow


@dataclass(frozen=True, kw_only=True)
class Meter:
    """Where a charge was measured, and under which publication of which tariff it was charged."""

    number: int
    installation: int
    modulus_wh: int
    plan: str
    publication: int
    zone: str
    unit: Unit = "kWh"
    """what is billed: watt-hours of a kWh, or litres of a m3"""
    conversion: tuple[int, int] = (1, 1)
    """how metered litres become watt-hours; (1, 1) where the register counts what is billed"""
    transformer: tuple[int, int] = (1, 1)
    """the current transformers that the register is multiplied by; (1, 1) for none"""


@dataclass(frozen=True, kw_only=True)
class Corrects:
    """What a correction line corrects: one component of the lines of one local day, exactly.

    `old_exact` and `new_exact` are in `unit` parts of a micro-unit. `readings` are the late or edited readings
    (instant, register; None: it does not count). `carry_*` are the register's fractions before and after.
    """

    cause: str
    component: str
    day_us: int
    first_seq: int
    last_seq: int
    from_us: int
    until_us: int
    old_exact: int
    new_exact: int
    unit: int
    carry_before: int
    carry_after: int
    author: str
    reason: str
    fact: int
    readings: tuple[tuple[int, int | None], ...] = ()


@dataclass(frozen=True, kw_only=True)
class CorrectedBy:
    """A later line that corrected this one, and by how much its whole day changed in one component."""

    id: str
    component: str
    amount_micro: int
    day_us: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Use that nobody read, charged on a person's word while the meter was silent."""

    approved_by: str
    approval: int
    method: str
    fact: int


@dataclass(frozen=True, kw_only=True)
class GatewayClock:
    """How far the clock of the gateway was ahead of ours when it sent the reading of a line.

    `costs_nano` is how much more the use would have cost before tax had both its readings carried our time; None where
    that cannot be said, because counting began anew around then.
    """

    ahead_us: int
    costs_nano: int | None


@dataclass(frozen=True, kw_only=True)
class LineAccount:
    """One line, whole: what it is, what it was made from, and whether it works out again."""

    id: LineId
    line: LineRow
    what: str
    currency: str
    minor_digits: int
    zone: str
    home: str
    meter: Meter | None = None
    interval: Explained | None = None
    estimate: Estimate | None = None
    ended: str = ""
    """the home changed hands at this line and nobody read the meter then: estimated, or stated by a person"""
    """None where the meter was read"""
    clock: GatewayClock | None = None
    """None where nobody wrote it down, or nothing was read"""
    posted_us: int = 0
    corrects: Corrects | None = None
    corrected_by: tuple[CorrectedBy, ...] = ()
    facts: dict[str, str | int] = field(default_factory=dict)
    recomputed: bool = True
    """False when the line stands on a fact alone and there is nothing to compute"""
    differences: tuple[Difference, ...] = ()

    @property
    def agrees(self) -> bool:
        """True when everything that can be recomputed gives what is stored, bit for bit."""
        return not self.differences

    @property
    def balance_before_micro(self) -> int:
        """The wallet before this line."""
        return self.line.balance_micro - self.line.amount_micro

    def with_differences(self, *more: Difference) -> LineAccount:
        """The same account with more that does not agree."""
        return replace(self, differences=(*self.differences, *more))


def account_to_obj(*, account: LineAccount) -> dict[str, Any]:
    """The account as plain values: whole numbers and words, nothing rounded."""
    obj: dict[str, Any] = asdict(account)
    obj["id"] = str(account.id)
    obj["agrees"] = account.agrees
    obj["balance_before_micro"] = account.balance_before_micro
    return obj
