"""Where every home of a book stands, from the caches: what a question about cuts rests on."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from fairwatt.core.commands.model import OPEN_STATES


class Standing(NamedTuple):
    """A meter at work, its home and its wallet. `relay`: 0 open, 1 closed, 2 never read; `ordered`: not yet proven."""

    wallet: int
    label: str
    unit: int
    site: int
    gateway: int
    meter: int
    plan: int
    protected: bool
    feeds_gateway: bool
    balance_micro: int
    warned_us: int
    read_us: int
    cut_by_credit: bool
    at_us: int
    relay: int
    ordered: int | None

    @property
    def off(self) -> bool:
        """Whether it has no power: its relay was read open, or credit cut it and no state was read since."""
        return self.relay == 0 or (self.relay == 2 and self.cut_by_credit)


_STANDING: Final = """
SELECT w.id, u.label, u.id, u.site_id, m.gateway_id, m.number, i.plan_id, w.protected, m.feeds_gateway,
       coalesce(h.balance_micro, 0), coalesce(h.warned_us, 0), coalesce(h.read_us, 0), coalesce(h.cut_by_credit, false),
       coalesce(r.at_us, 0), coalesce(r.relay, 2), o.relay
  FROM store_installation i
  JOIN store_wallet w ON w.id = i.wallet_id JOIN store_unit u ON u.id = i.unit_id
  JOIN store_meter m ON m.id = i.meter_id
  LEFT JOIN wallet_head h ON h.wallet = w.id LEFT JOIN register_head r ON r.installation = i.id
  LEFT JOIN LATERAL (SELECT relay FROM outbox WHERE book = w.book_id AND gateway = m.gateway_id AND meter = m.number
                      AND state = ANY(%s) AND relay <> 2 ORDER BY id DESC LIMIT 1) o ON true
 WHERE w.book_id = %s AND i.closed_us IS NULL ORDER BY w.id, i.id
"""


def standing_of_book(*, cursor: Any, book: int) -> list[Standing]:
    """Every meter at work in a book, with its wallet as the caches have it."""
    cursor.execute(_STANDING, [list(OPEN_STATES), book])
    return [Standing(*row) for row in cursor.fetchall()]
