"""Where a wallet's credit lies, when its meters hang on several gateways that cannot ask each other."""

from __future__ import annotations

from dataclasses import dataclass

from fairwatt.core.credit.leases import MeterLeases
from fairwatt.flows.posting.leases_again import Place, given_leases
from fairwatt.flows.posting.leasing import AWAY_US
from fairwatt.store.models import GatewayHead, Installation


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the gateway of one meter may let it use without asking, in micro-units."""

    meter: str
    gateway: str
    held_micro: int
    heard_us: int
    away: bool
    """silent for so long that it counts on by itself; what it holds cannot be asked back until it returns"""


def credit_apart(*, book: int, wallet: int, now_us: int) -> tuple[Held, ...]:
    """By meter, for a wallet behind several gateways; nothing for any other. Call it within the book's scope."""
    homes = list(
        Installation.objects.filter(wallet=wallet, closed_us__isnull=True)
        .select_related("meter__gateway")
        .order_by("meter__number")
    )
    if len({home.meter.gateway_id for home in homes}) < 2:
        return ()
    places = [
        Place(gateway=home.meter.gateway_id, meter=home.meter.number, installation=home.pk, wallet=wallet)
        for home in homes
    ]
    given = given_leases(book=book, places=places)
    heard = {head.gateway: head.heard_us for head in GatewayHead.objects.filter(book=book)}
    return tuple(
        Held(
            meter=str(home.meter),
            gateway=home.meter.gateway.slug,
            held_micro=MeterLeases(given[home.pk]).held_micro,
            heard_us=heard.get(home.meter.gateway_id, 0),
            away=now_us - heard.get(home.meter.gateway_id, 0) > AWAY_US,
        )
        for home in homes
    )
