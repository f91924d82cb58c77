"""A poster that starts learns from orders and lines which leases may be in force."""

from __future__ import annotations

from collections.abc import Mapping

from fairwatt.core.credit.leases import USE_DAYS, Lease, MeterLeases
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.posting.book_state import BookState, register_key
from fairwatt.store.leases import GrantingOrder, charged_by_day, charged_since, granting_orders
from fairwatt.wire import cose
from fairwatt.wire.commands import Grant, decode_command
from fairwatt.wire.errors import FrameError


def leases_of(*, state: BookState, now_us: int) -> Mapping[int, MeterLeases]:
    """By register index, for wallets behind several gateways.

    A whole grant of before counts as a lease of all that it granted, until a newer order is taken.
    """
    registers = state.registers
    mine = {int(registers["key"][n]): n for some in state.across.values() for n in some}
    if not mine:
        return {}
    meters = [(int(registers["gateway"][n]), int(registers["meter"][n])) for n in mine.values()]
    wallet = {n: int(state.wallets["wallet"][registers["wallet_ix"][n]]) for n in mine.values()}
    granted = [
        (n, order, grant)
        for order in granting_orders(book=state.book, meters=meters)
        for n in [mine[register_key(gateway=order.gateway, meter=order.meter)]]
        # Who lived here before was granted his own credit, and nothing of it is this wallet's.
        if (grant := _grant_in(order)) is not None and grant.wallet == wallet[n]
    ]
    installation = {n: int(registers["installation"][n]) for n in mine.values()}
    used = charged_since(since_us=[(installation[n], grant.state.at_us) for n, _, grant in granted])
    given: dict[int, list[Lease]] = {}
    for (n, order, grant), used_micro in zip(granted, used, strict=True):
        amount = grant.available_micro
        given.setdefault(n, []).append(Lease(order.seq, grant.as_of_us, amount, amount - used_micro))
    days = charged_by_day(
        installations=list(installation.values()), since_us=(now_us // US_PER_DAY - USE_DAYS + 1) * US_PER_DAY
    )
    return {
        n: MeterLeases(tuple(given.get(n, ())), tuple(days.get(installation[n], ()))) for n in mine.values()
    }


def _grant_in(order: GrantingOrder) -> Grant | None:
    try:
        return decode_command(cose.unverified_payload(order.payload)).supply.grant
    except FrameError:
        return None  # of a version that this program does not read; no gateway goes by it either
