"""What orders and lines say of leases: which may be in force at a meter, and what was used of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from django.db import connection

from fairwatt.core.ledger.model import Kind
from fairwatt.core.units import US_PER_DAY

_US: Final = "(extract(epoch FROM ts) * 1000000)::bigint"
_ORDERS_MAX: Final = 16


class GrantingOrder(NamedTuple):
    """An order that a gateway may go by: its signed bytes."""

    gateway: int
    meter: int
    seq: int
    payload: bytes


def granting_orders(*, book: int, meters: Sequence[tuple[int, int]]) -> list[GrantingOrder]:
    """The order that each (gateway, meter) took last, and the newest of those after it, in their order."""
    if not meters:
        return []
    gateways, numbers = zip(*meters, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT asked.gateway, asked.meter, o.seq, o.payload "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS asked(gateway, meter) CROSS JOIN LATERAL ("
            "  SELECT seq, payload, row_number() OVER (ORDER BY seq DESC) AS n, "
            "    max(seq) FILTER (WHERE accepted_us IS NOT NULL) OVER () AS taken FROM outbox "
            "  WHERE book = %s AND gateway = asked.gateway AND meter = asked.meter"
            ") AS o WHERE o.seq = taken OR (o.seq > coalesce(taken, 0) AND n <= %s) ORDER BY 1, 2, 3",
            [list(gateways), list(numbers), book, _ORDERS_MAX],
        )
        return [
            GrantingOrder(int(gateway), int(meter), int(seq), bytes(payload))
            for gateway, meter, seq, payload in cursor.fetchall()
        ]


def charged_since(*, since_us: Sequence[tuple[int, int]]) -> list[int]:
    """What the readings of each installation after an instant came to, in micro-units, in the order asked."""
    if not since_us:
        return []
    installations, instants = zip(*since_us, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT asked.n, -coalesce(sum(line.amount_micro), 0) "
            "FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS asked(ref, since_us, n) "
            "LEFT JOIN line ON line.ref = asked.ref AND line.kind = %s "
            "  AND line.ts > 'epoch'::timestamptz + asked.since_us * interval '1 microsecond' "
            "  AND line.ts > 'epoch'::timestamptz + %s * interval '1 microsecond' "
            "GROUP BY asked.n ORDER BY asked.n",
            [list(installations), list(instants), int(Kind.READING), min(instants)],
        )
        return [int(amount) for _, amount in cursor.fetchall()]


def charged_by_day(*, installations: Sequence[int], since_us: int) -> Mapping[int, list[tuple[int, int]]]:
    """By installation: (UTC day, what its readings came to) since an instant, in order."""
    days: dict[int, list[tuple[int, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ref, {_US} / %s AS day, -sum(amount_micro) FROM line WHERE ref = ANY(%s) AND kind = %s "
            "AND ts > 'epoch'::timestamptz + %s * interval '1 microsecond' GROUP BY 1, 2 ORDER BY 1, 2",
            [US_PER_DAY, list(installations), int(Kind.READING), since_us],
        )
        for ref, day, amount in cursor.fetchall():
            days.setdefault(int(ref), []).append((int(day), int(amount)))
    return days
