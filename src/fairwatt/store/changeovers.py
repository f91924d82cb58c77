"""The installations of a meter in order of time, as the poster asks for them when a past one is spoken of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.core.rating.state import RegisterState


@dataclass(frozen=True, kw_only=True)
class LinkRow:
    """One installation of a meter, and what ended it. `left` None: open, or closed by other means."""

    gateway: int
    meter: int
    installation: int
    wallet: int
    modulus_wh: int
    resolution_wh: int
    max_power_w: int
    opened_us: int
    closed_us: int | None
    changeover: int | None
    basis: str
    left: RegisterState | None


_LINKS: Final = """
SELECT m.gateway_id, m.number, i.id, i.wallet_id, m.modulus_wh, m.resolution_wh, m.max_power_w, i.opened_us,
       i.closed_us, c.id, coalesce(c.basis, ''), coalesce(r.register_wh, c.register_wh),
       coalesce(r.counter_wh, c.counter_wh), coalesce(r.window_us, c.window_us), coalesce(r.carry_nano, c.carry_nano),
       coalesce(r.carry_tax, c.carry_tax)
  FROM unnest(%s::bigint[], %s::bigint[]) AS k (gateway, number)
  JOIN store_meter m ON m.gateway_id = k.gateway AND m.number = k.number
  JOIN store_installation i ON i.meter_id = m.id
  JOIN store_wallet w ON w.id = i.wallet_id AND w.book_id = %s
  LEFT JOIN changeover c ON c.old_installation = i.id
  LEFT JOIN LATERAL (SELECT * FROM rerating r WHERE r.installation = i.id AND r.batch > c.batch
                      ORDER BY r.batch DESC, r.last_seq DESC, (r.fact = 0) DESC, r.fact DESC LIMIT 1) r ON true
 WHERE i.closed_us IS NULL OR i.closed_us > %s
 ORDER BY m.gateway_id, m.number, i.opened_us
"""


def links_of(
    *, cursor: Any, book: int, meters: Sequence[tuple[int, int]], since_us: int
) -> dict[tuple[int, int], list[LinkRow]]:
    """{(gateway, meter): its installations in order of time}; those closed before `since_us` are left out."""
    cursor.execute(_LINKS, [[g for g, _ in meters], [m for _, m in meters], book, since_us])
    found: dict[tuple[int, int], list[LinkRow]] = {}
    for row in cursor.fetchall():
        *facts, closed, changeover, basis, wh, counter, window, nano, tax = row
        gateway, meter, home, wallet, modulus, resolution, power, opened = map(int, facts)
        left = None
        if closed is not None and wh is not None:
            left = RegisterState(
                at_us=int(closed),
                register_wh=int(wh),
                counter_wh=int(counter),
                window_us=int(window),
                carry_nano=int(nano),
                carry_tax=int(tax),
            )
        found.setdefault((gateway, meter), []).append(
            LinkRow(
                gateway=gateway,
                meter=meter,
                installation=home,
                wallet=wallet,
                modulus_wh=modulus,
                resolution_wh=resolution,
                max_power_w=power,
                opened_us=opened,
                closed_us=None if closed is None else int(closed),
                changeover=None if changeover is None else int(changeover),
                basis=str(basis),
                left=left,
            )
        )
    return found


def read_since(*, cursor: Any, book: int, changeovers: Sequence[int]) -> set[int]:
    """Those of the changes at whose very instant the meter was found to have been read, or that were stated since."""
    cursor.execute(
        "SELECT c.id FROM changeover c WHERE c.id = ANY(%s) AND EXISTS (SELECT 1 FROM fact e WHERE e.book = %s "
        "AND e.kind = 'reading_edit' AND e.state = 'posted' "
        "AND e.payload->>'installation' = c.old_installation::text AND e.payload->>'at_us' = c.at_us::text "
        "AND coalesce(e.payload->>'estimate', 'false') <> 'true')",
        [list(changeovers), book],
    )
    return {int(change) for (change,) in cursor.fetchall()}


def guessed_openings(*, cursor: Any, book: int) -> list[tuple[int, int]]:
    """(installation, when it began) of those that began at a register nobody has read since."""
    cursor.execute(
        "SELECT c.new_installation, c.at_us FROM changeover c WHERE c.book = %s AND c.kind <> 'exchange' "
        "AND NOT EXISTS (SELECT 1 FROM changeover_known k WHERE k.changeover = c.id)",
        [book],
    )
    return [(int(installation), int(at_us)) for installation, at_us in cursor.fetchall()]
