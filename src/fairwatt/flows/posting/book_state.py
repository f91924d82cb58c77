"""What the poster of a book knows by heart: every register, wallet, gateway and open order.

Arrays, because a batch touches thousands of rows at once. The truth is in PostgreSQL; this state is
loaded from there (loading.py) and moves only after a batch has committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.commands.model import State
from fairwatt.core.credit.blast import MassCuts
from fairwatt.core.credit.contract import Contract
from fairwatt.core.credit.leases import MeterLeases
from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.credit.terms import Merged
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.tariff_obj import schedule_to_obj
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.flows.posting.clocks import ClockSeen
from fairwatt.store.posting import EventRow

if TYPE_CHECKING:
    from fairwatt.flows.posting.site_ahead import SiteAhead

Int64s = npt.NDArray[np.int64]

REGISTER: Final = np.dtype(
    [
        ("installation", "i8"),
        ("key", "i8"),
        ("meter", "i8"),
        ("gateway", "i8"),
        ("wallet_ix", "i8"),
        ("plan_ix", "i8"),
        ("modulus_wh", "i8"),
        ("resolution_wh", "i8"),
        ("max_power_w", "i8"),
        ("ct_primary", "i8"),
        ("ct_secondary", "i8"),
        ("feeds_gateway", "?"),
        ("spared_circuit", "?"),
        ("feeder_ix", "i4"),
        ("safety_open", "?"),
        ("restored_until_us", "i8"),
        ("follows_us", "i8"),
        ("at_us", "i8"),
        ("register_wh", "i8"),
        ("counter_wh", "i8"),
        ("window_us", "i8"),
        ("carry_nano", "i8"),
        ("carry_tax", "i8"),
        ("relay", "i1"),
        ("power_w", "i4"),
        ("voltage_dv", "i4"),
        ("order_seq", "i8"),
        ("disobeyed", "i1"),
        ("doubted", "?"),
        ("estimated", "?"),
    ]
)
WALLET: Final = np.dtype(
    [
        ("wallet", "i8"),
        ("policy_ix", "i8"),
        ("balance_micro", "i8"),
        ("seq", "i8"),
        ("read_us", "i8"),
        ("low_micro", "i8"),
        ("critical_micro", "i8"),
        ("level", "i1"),
        ("warned_us", "i8"),
        ("protected", "?"),
        ("cut_by_credit", "?"),
        ("withheld_ix", "i2"),
    ]
)

NEVER_US: Final = -(1 << 62)
"""`follows_us` of a register whose meter nobody had before; of others, when their own began: what was read up to then
belongs to who had the meter until then."""
METER_BITS: Final = 40
"""A meter number has at most 12 decimal digits, which is 40 bits; the gateway id takes the rest of the key."""


def register_key(*, gateway: int, meter: int) -> int:
    """One integer for (gateway, meter), so that a batch is matched by binary search."""
    return (gateway << METER_BITS) | meter


@dataclass(kw_only=True)
class Plan:
    """A tariff plan as published now, in both forms of the rating core."""

    plan: int
    schedule: Schedule
    table: SegmentTable
    vtable: VectorTable
    _objs: dict[int, object] = field(default_factory=dict)

    def schedule_obj(self, *, since_us: int) -> object:
        """What a grant carries that counts on from an instant: no version that ended before it."""
        first = self.schedule.begun_index_at(at_us=since_us)
        if first not in self._objs:
            self._objs[first] = schedule_to_obj(self.schedule.since(at_us=since_us))
        return self._objs[first]

    def version_numbers(self, *, at: Int64s) -> Int64s:
        """Number of the version that priced the last instant before each reading."""
        effective = np.array([v.effective_us for v in self.schedule.versions], dtype=np.int64)
        numbers = np.array([v.number for v in self.schedule.versions], dtype=np.int64)
        return numbers[np.maximum(np.searchsorted(effective, at, side="left") - 1, 0)]


@dataclass(kw_only=True)
class GatewayState:
    """A gateway: where to speak to it, whose signature to expect, how far its spool is stored, what its clock shows."""

    gateway: int
    site: str
    slug: str
    public_key: bytes
    epoch: int = 0
    seq: int = 0
    clock: ClockSeen | None = None
    heard_us: int = 0


@dataclass(kw_only=True)
class OpenOrder:
    """An order that is not yet proven; `outbox` is 0 until its batch is committed."""

    outbox: int
    seq: int
    relay: int
    state: State
    payload: bytes
    expires_us: int
    reason: str
    fact: int | None
    accepted_seq: int = 0
    """Spool number of the receipt: only readings spooled after it can prove the order."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A payment that waits for a person: what it nominally brought, and when it came."""

    amount_micro: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Correcting:
    """A tariff correction in the middle of being posted: registers move from one plan to the other.

    `moves` says for each installation from which plan to which; `closed` are those that were closed after the first
    price that changes.
    """

    fact: int
    publication: int
    moves: Mapping[int, tuple[int, int]]
    closed: tuple[int, ...]
    author: str
    reason: str


@dataclass(kw_only=True)
class BookState:
    """Everything the poster of one book needs to turn facts into lines."""

    book: int
    currency: str
    minor_digits: int
    zone: str
    epoch: int
    last_batch: int
    registers: npt.NDArray[Any]
    wallets: npt.NDArray[Any]
    policies: list[CreditPolicy]
    policy_objs: list[object]
    plans: list[Plan]
    gateways: dict[int, GatewayState]
    gateway_ids: dict[str, int]
    held: Mapping[int, Merged] = field(default_factory=dict)
    """By wallet id: what it is held to besides the policy at `policy_ix`."""
    contracts: Mapping[int, Contract] = field(default_factory=dict)
    """By wallet index: until when a home is let, where that is agreed."""
    lent: frozenset[int] = frozenset()
    """Wallet indices with emergency credit that is not repaid."""
    orders: dict[int, OpenOrder] = field(default_factory=dict)
    """Open order by register index."""
    in_review: dict[int, list[Reviewed]] = field(default_factory=dict)
    """By wallet index: money that a provider confirmed and that waits for a person."""
    owed: set[int] = field(default_factory=set)
    """Wallet ids whose meters never got the grant that a newer configuration calls for."""
    alarms: list[EventRow] = field(default_factory=list)
    """What loading found unusable; stored with the next batch."""
    chaff: dict[tuple[int, bytes], int] = field(default_factory=dict)
    """(gateway, digest) of unreadable bytes, and when they were last stored"""
    condemned: frozenset[bytes] = frozenset()
    """SHA-256 of frames that stopped a batch"""
    correcting: tuple[Correcting, ...] = ()
    closed_us: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By feeder: when this poster lately ordered relays closed. Lost, a crowd is let in a little faster once."""
    queued: frozenset[int] = frozenset()
    """Wallet indices whose power may return and waits for its turn on the feeder."""
    mass_cuts: MassCuts = field(default_factory=MassCuts)
    """Who lost power within the last hour, and whether a person is asked before anybody else does."""
    closed_plan: Mapping[int, int] = field(default_factory=dict)
    """Plan index of each installation that was closed within the time in which a reading may still arrive."""
    ended_keys: Int64s = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Keys of meters that had an installation lately and have none now, sorted."""
    left: frozenset[int] = frozenset()
    """Wallet indices of people who moved out: they are told nothing about supply."""
    ahead: dict[int, SiteAhead] = field(default_factory=dict)
    """By fact: what was worked out of a tariff correction before it is posted. Lost, it is worked out again."""
    leases: Mapping[int, MeterLeases] = field(default_factory=dict)
    """By register index, of wallets with meters behind several gateways: the leases that may be in force."""
    listening_us: int = 0
    """Since when this poster hears gateways at all."""

    def __post_init__(self) -> None:
        self.order = np.argsort(self.registers["key"], kind="stable")
        self.sorted_keys: Int64s = self.registers["key"][self.order].astype(np.int64)
        self.wallet_index: Mapping[int, int] = {int(w): n for n, w in enumerate(self.wallets["wallet"])}
        self.installation_index: Mapping[int, int] = {
            int(r): n for n, r in enumerate(self.registers["installation"])
        }
        self._wallet_registers: dict[int, list[int]] = {}
        for n, wallet_ix in enumerate(self.registers["wallet_ix"]):
            self._wallet_registers.setdefault(int(wallet_ix), []).append(n)
        self.across: Mapping[int, list[int]] = {
            ix: some for ix, some in self._wallet_registers.items() if self._are_across(some)
        }
        """By wallet index: the registers of wallets whose meters are behind more than one gateway."""

    def _are_across(self, registers: list[int]) -> bool:
        return len(registers) > 1 and len(set(self.registers["gateway"][registers].tolist())) > 1

    def listened_since(self, at_us: int) -> int:
        """That instant, or since when this poster could have heard of anything newer."""
        return max(at_us, self.listening_us)

    def moved(self, **changes: Any) -> BookState:
        """This knowledge with some of it replaced; what it is looked up by stays shared."""
        after = copy(self)
        for name, value in changes.items():
            setattr(after, name, value)
        return after

    def become(self, other: BookState) -> None:
        """Take over what another state of the same configuration knows."""
        self.__dict__.update(other.__dict__)

    def find_registers(self, *, keys: Int64s) -> Int64s:
        """Register index of each key, -1 where no meter of this book has it."""
        if not len(self.sorted_keys):
            return np.full(len(keys), -1, dtype=np.int64)
        place = np.searchsorted(self.sorted_keys, keys)
        place[place == len(self.sorted_keys)] = 0
        found = self.order[place].astype(np.int64)
        return np.where(self.sorted_keys[place] == keys, found, -1)

    def find_register(self, *, gateway: int, meter: int) -> int:
        """Register index of one meter behind one gateway, -1 where this book has none."""
        if not 0 <= meter < 1 << METER_BITS:
            return -1  # its high bits would reach into the gateway's part of the key
        return int(self.find_registers(keys=np.array([register_key(gateway=gateway, meter=meter)]))[0])

    def registers_of(self, wallet_ix: int) -> list[int]:
        """Indices of the registers that feed a wallet."""
        return self._wallet_registers.get(wallet_ix, [])
