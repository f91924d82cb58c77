"""Wallets with meters behind several gateways: each meter is granted a lease instead of the whole credit.

core.credit.leases splits the credit; here is what the poster knows of it: which leases may be in force, which gateways
are away and cannot give back what they hold, and what the next order of each meter grants.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.credit.leases import Lease, MeterLeases, Share, next_leases, to_renew
from fairwatt.core.ledger.model import Kind
from fairwatt.core.units import US_PER_HOUR

if TYPE_CHECKING:
    from fairwatt.flows.posting.book_state import BookState

Leases = Mapping[int, MeterLeases]
"""By register index, for the registers of `BookState.across`."""

AWAY_US: Final = US_PER_HOUR
"""A gateway says something every ten minutes at least; who was silent for an hour acts by its leases alone."""


@dataclass(frozen=True, slots=True)
class Apart:
    """What of a wallet lies where nobody can ask for it: gateways that are away, and what their leases hold."""

    held_micro: Mapping[int, int]

    def beside(self, gateway: int) -> int:
        """What gateways that are away hold, other than this one."""
        return sum(held for away, held in self.held_micro.items() if away != gateway)


NOWHERE: Final = Apart({})


def charge_leases(*, state: BookState, lines: npt.NDArray[Any]) -> dict[int, MeterLeases]:
    """The leases after these lines: a lease is used by readings, as its gateway counts them."""
    leases = dict(state.leases)
    if not leases:
        return leases
    installations = [int(state.registers["installation"][n]) for n in leases]
    mine = (lines["kind"] == Kind.READING) & np.isin(lines["ref"], installations)
    for line in lines[mine]:
        n = state.installation_index[int(line["ref"])]
        at_us, amount_micro = int(line["ts"]), -int(line["amount_micro"])
        leases[n] = leases[n].charged(at_us=at_us, amount_micro=amount_micro)
    return leases


def take_leases(leases: dict[int, MeterLeases], *, taken: Mapping[int, int]) -> None:
    """Forget what a gateway gave up by taking a newer order; `taken` is order numbers by register index."""
    for n, seq in taken.items():
        if n in leases:
            leases[n] = leases[n].taken(seq=seq)


def apart_of(*, state: BookState, leases: Leases, heard: Collection[int], now_us: int) -> dict[int, Apart]:
    """By wallet index: what lies at gateways that are away. `heard`: gateways that spoke in this batch."""
    away = {
        gateway
        for gateway, known in state.gateways.items()
        if known.heard_us and gateway not in heard and now_us - state.listened_since(known.heard_us) > AWAY_US
    }
    apart: dict[int, Apart] = {}
    for ix, registers in state.across.items() if away else ():
        held: dict[int, int] = {}
        for n in registers:
            gateway = int(state.registers["gateway"][n])
            if gateway in away:
                held[gateway] = held.get(gateway, 0) + leases[n].held_micro
        if held:
            apart[ix] = Apart(held)
    return apart


def listening_since(*, state: BookState, heard: Collection[int], now_us: int) -> int:
    """Since when this poster hears gateways at all: an hour without any says something of the poster, not of them."""
    last_us = max((gateway.heard_us for gateway in state.gateways.values()), default=0)
    return now_us if heard and now_us - max(last_us, state.listening_us) > AWAY_US else state.listening_us


@dataclass(frozen=True, slots=True)
class Terms:
    """What the orders of one batch are to grant to registers that hold leases, and who else needs one."""

    shares: Mapping[int, Share]
    renew: frozenset[int]


def lease_terms(
    *,
    state: BookState,
    leases: Leases,
    available_micro: Mapping[int, int],
    ordered: Collection[int],
) -> Terms:
    """Work out the next leases of these wallets (index: credit); `ordered` are registers that get an order anyway."""
    shares: dict[int, Share] = {}
    renew: set[int] = set()
    for ix, credit in available_micro.items():
        meters = {n: leases[n] for n in state.across[ix]}
        shares |= next_leases(available_micro=credit, meters=meters)
        renew |= to_renew(available_micro=credit, meters=meters, ordered=ordered)
    return Terms(shares, frozenset(renew))


def leased_wallets(*, state: BookState, some: Iterable[Iterable[int]]) -> set[int]:
    """Which of these wallets (index) hold leases."""
    if not state.across:
        return set()
    return {int(ix) for ixs in some for ix in ixs} & state.across.keys()


def matching(leases: MeterLeases, *, as_of_us: object, granted_micro: object) -> Lease | None:
    """The lease that a gateway says it counted on."""
    said = (as_of_us, granted_micro)
    return next((one for one in leases.given if (one.as_of_us, one.granted_micro) == said), None)
