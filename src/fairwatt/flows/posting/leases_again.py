"""A poster that starts learns from orders and lines which leases may be in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fairwatt.core.credit.leases import USE_DAYS, Lease, MeterLeases
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.posting.book_state import BookState, register_key
from fairwatt.store.leases import GrantingOrder, charged_by_day, charged_since, granting_orders
from fairwatt.wire import cose
from fairwatt.wire.commands import Grant, decode_command
from fairwatt.wire.errors import FrameError


class Place(NamedTuple):
    """A meter that may hold a lease, and whose."""

    gateway: int
    meter: int
    installation: int
    wallet: int


def leases_of(*, state: BookState, now_us: int) -> Mapping[int, MeterLeases]:
    """By register index, for wallets behind several gateways.

    A whole grant of before counts as a lease of all that it granted, until a newer order is taken.
    """
    registers = state.registers
    mine = {int(registers["key"][n]): n for some in state.across.values() for n in some}
    if not mine:
        return {}
    places = {
        n: Place(
            gateway=int(registers["gateway"][n]),
            meter=int(registers["meter"][n]),
            installation=int(registers["installation"][n]),
            wallet=int(state.wallets["wallet"][registers["wallet_ix"][n]]),
        )
        for n in mine.values()
    }
    given = given_leases(book=state.book, places=list(places.values()))
    days = charged_by_day(
        installations=list(given), since_us=(now_us // US_PER_DAY - USE_DAYS + 1) * US_PER_DAY
    )
    return {
        n: MeterLeases(given[place.installation], tuple(days.get(place.installation, ())))
        for n, place in places.items()
    }


def given_leases(*, book: int, places: Sequence[Place]) -> dict[int, tuple[Lease, ...]]:
    """By installation: the leases that may be in force there, with what their charges have left of them."""
    mine = {register_key(gateway=one.gateway, meter=one.meter): one for one in places}
    granted = [
        (place, order, grant)
        for order in granting_orders(book=book, meters=[(one.gateway, one.meter) for one in places])
        for place in [mine[register_key(gateway=order.gateway, meter=order.meter)]]
        # Who lived here before was granted his own credit, and nothing of it is this wallet's.
        if (grant := _grant_in(order)) is not None and grant.wallet == place.wallet
    ]
    used = charged_since(since_us=[(place.installation, grant.state.at_us) for place, _, grant in granted])
    given: dict[int, list[Lease]] = {one.installation: [] for one in places}
    for (place, order, grant), used_micro in zip(granted, used, strict=True):
        amount = grant.available_micro
        given[place.installation].append(Lease(order.seq, grant.as_of_us, amount, amount - used_micro))
    return {installation: tuple(leases) for installation, leases in given.items()}


def _grant_in(order: GrantingOrder) -> Grant | None:
    try:
        return decode_command(cose.unverified_payload(order.payload)).supply.grant
    except FrameError:
        return None  # of a version that this program does not read; no gateway goes by it either
