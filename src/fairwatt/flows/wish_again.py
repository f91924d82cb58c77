"""A gateway in another life has forgotten what it was told beside supply: the newest of each slot is told again.

A new life is a new epoch of its spool: an older copy was put back, or the box was exchanged. An epoch is the instant at
which it began, so a wish that is older was told to a memory that is gone. Supply has its own way (`new_spools`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog
from django.db import connection, transaction

from fairwatt.flows.advance_pushes import Signer, write_order
from fairwatt.store import facts, pushes
from fairwatt.store.models import GatewayHead
from fairwatt.wire.commands import SetSupply, decode_command
from fairwatt.wire.cose import unverified_payload
from fairwatt.wire.errors import FrameError
from fairwatt.wire.standing import Slot

log = structlog.get_logger()

HELD: Final = ("queued", "accepted", "proven")


@transaction.atomic(durable=True)
def wish_again(*, book_id: int, sign: Signer, now_us: int, seen: Mapping[int, int]) -> dict[int, int]:
    """Order anew what gateways in a new life had been told; return by gateway the life that was looked at.

    ``seen``: what was returned last, so that only what changed is looked at. Done twice, it is done once: what is
    ordered here is younger than the life. A life that began later than now, by a wrong clock, waits until it has begun.
    """
    looked = dict(seen)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        for head in GatewayHead.objects.filter(book=book_id, epoch__lte=now_us):
            if seen.get(head.gateway) == head.epoch:
                continue
            looked[head.gateway] = head.epoch
            for told in pushes.newest_orders(book=book_id, gateway=head.gateway):
                # One that a meter refused, or that nobody heard in time, was wished for then and is not now.
                if told.created_us >= head.epoch or not (told.state in HELD or told.reason == "stale"):
                    continue
                try:
                    body = decode_command(unverified_payload(told.payload)).body
                except FrameError as error:
                    log.error("pushes.unreadable", gateway=head.gateway, meter=told.meter, error=str(error))
                    continue
                assert not isinstance(body, SetSupply)
                write_order(
                    cursor=cursor,
                    book=book_id,
                    gateway=head.gateway,
                    meter=told.meter,
                    slot=Slot(told.kind),
                    push=told.push,
                    body=body,
                    sign=sign,
                    now_us=now_us,
                )
    return looked
