"""What was used and charged in a span: readings by their instants, corrections by the days they set right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from fairwatt.core.spans import to_datetime

_CHARGED: Final = """
SELECT wallet, ref, sum(energy_wh)::bigint, sum(energy_micro)::bigint, sum(tax_micro)::bigint,
       -sum(amount_micro)::bigint
  FROM (
    SELECT wallet, ref, batch, energy_wh, energy_micro, tax_micro, amount_micro FROM line
     WHERE book = %s AND kind = ANY(%s) AND kind <> 3 AND ts > %s AND ts <= %s
    UNION ALL
    SELECT l.wallet, l.ref, l.batch, l.energy_wh, l.energy_micro, l.tax_micro, l.amount_micro
      FROM correction c
      JOIN line l ON l.ts = timestamptz 'epoch' + c.ts_us * interval '1 microsecond'
                 AND l.ref = c.ref AND l.kind = 3 AND l.book = c.book
     WHERE c.book = %s AND 3 = ANY(%s) AND c.day_us >= %s AND c.day_us < %s
  ) AS lines
 WHERE %s::bigint IS NULL OR batch <= %s
 GROUP BY wallet, ref
"""


class Charged(NamedTuple):
    """What one register (or another entry's id) came to for one wallet: Wh, and micro-units of the currency."""

    wallet: int
    ref: int
    energy_wh: int
    energy_micro: int
    tax_micro: int
    charged_micro: int


def charged_in(
    *,
    cursor: Any,
    book: int,
    kinds: Sequence[int],
    start_us: int,
    end_us: int,
    until_batch: int | None = None,
) -> list[Charged]:
    """The sums over a span that begins and ends at local midnights; as of a batch where one is named."""
    span = [to_datetime(start_us), to_datetime(end_us)]
    asked = [int(kind) for kind in kinds]
    cursor.execute(_CHARGED, [book, asked, *span, book, asked, start_us, end_us, until_batch, until_batch])
    return [Charged(*map(int, row)) for row in cursor.fetchall()]
