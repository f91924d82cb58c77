"""Who lived where: each unit's days as stays of residents and, between them, of its landlord."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from fairwatt.core.spans import date_start, local_date


@dataclass(frozen=True, slots=True)
class Stay:
    """Local days [first, end) of one unit under one payer; `resident` None: the landlord's."""

    unit: int
    label: str
    site: int
    resident: int | None
    first: date
    end: date
    area_dm2: int
    heads: int

    @property
    def days(self) -> int:
        """Days of the stay: the day of moving in counts, the day of moving out does not."""
        return (self.end - self.first).days


_UNITS = """
SELECT u.id, u.label, u.site_id, coalesce(m.area_dm2, 0), coalesce(m.heads, 0)
  FROM store_unit u JOIN store_site s ON s.id = u.site_id
  LEFT JOIN LATERAL (SELECT area_dm2, heads, common FROM store_unitmeasure m WHERE m.unit_id = u.id AND m.from_us < %s
                      ORDER BY m.from_us DESC, m.id DESC LIMIT 1) m ON true
 WHERE s.book_id = %s AND (%s::bigint IS NULL OR s.id = %s) AND NOT coalesce(m.common, false)
 ORDER BY u.label, u.id
"""
# A wallet's stay lasts while it has a register at work; people who all have left end it too.
_WALLETS = """
SELECT i.unit_id, i.wallet_id, min(i.opened_us), CASE WHEN bool_and(i.closed_us IS NOT NULL) THEN max(i.closed_us) END,
       (SELECT CASE WHEN bool_and(t.end_us IS NOT NULL) THEN max(t.end_us) END FROM store_tenancy t
         WHERE t.wallet_id = i.wallet_id)
  FROM store_installation i JOIN store_unit u ON u.id = i.unit_id JOIN store_site s ON s.id = u.site_id
 WHERE s.book_id = %s AND i.wallet_id NOT IN (SELECT wallet_id FROM store_landlordaccount)
 GROUP BY i.unit_id, i.wallet_id ORDER BY min(i.opened_us), i.wallet_id
"""


def stays_in(*, cursor: Any, book: int, site: int | None, zone: str, first: date, end: date) -> list[Stay]:
    """Every unit of a book (or one site) over the local days [first, end): its stays touch and leave no day out.

    Units that are measured as common take no part. Areas and heads are those in force before `end`.
    """
    start_us, end_us = date_start(zone=zone, day=first), date_start(zone=zone, day=end)
    cursor.execute(_UNITS, [end_us, book, site, site])
    units = cursor.fetchall()
    cursor.execute(_WALLETS, [book])
    lived: dict[int, list[tuple[int, date, date]]] = {}
    for unit, wallet, opened, closed, left in cursor.fetchall():
        until = min((int(at) for at in (closed, left) if at is not None), default=end_us)
        if int(opened) < end_us and until > start_us:
            came = max(first, local_date(zone=zone, at_us=max(int(opened), start_us)))
            went = min(end, local_date(zone=zone, at_us=min(until, end_us)))
            lived.setdefault(int(unit), []).append((int(wallet), came, went))
    stays: list[Stay] = []
    for unit, label, where, area, heads in units:
        for resident, came, went in _gapless(lived.get(int(unit), []), first, end):
            stays.append(
                Stay(
                    unit=int(unit),
                    label=label,
                    site=int(where),
                    resident=resident,
                    first=came,
                    end=went,
                    area_dm2=int(area),
                    heads=int(heads) if resident is not None else 0,
                )
            )
    return stays


def landlords(*, cursor: Any, book: int) -> dict[int, int]:
    """{site: the wallet from which its owner pays}."""
    cursor.execute(
        "SELECT l.site_id, l.wallet_id FROM store_landlordaccount l JOIN store_site s ON s.id = l.site_id "
        "WHERE s.book_id = %s",
        [book],
    )
    return {int(site): int(wallet) for site, wallet in cursor.fetchall()}


def _gapless(
    lived: Iterable[tuple[int, date, date]], first: date, end: date
) -> list[tuple[int | None, date, date]]:
    """Stays in order of moving in, cut where they overlap (the earlier keeps the day), with the landlord between."""
    made: list[tuple[int | None, date, date]] = []
    at = first
    for wallet, came, went in lived:
        begins = max(came, at)
        if went <= begins:
            continue
        if begins > at:
            made.append((None, at, begins))
        made.append((wallet, begins, went))
        at = went
    if at < end:
        made.append((None, at, end))
    return made
