"""The end of a window explained: what each element came to, and whether it works out again from the readings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fairwatt.core.rating.explain import Difference
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.flows.explaining.ground import Ground, meter_of
from fairwatt.flows.posting.settling import PARTS, posted_parts, settled_window, window_of
from fairwatt.store import accounts
from fairwatt.store.models import Fact

ELEMENT: Final = "element:"
"""Before the names of elements among what is told of a window; their amounts are in whole micro-units."""


def explain_window(cursor: Any, account: LineAccount) -> LineAccount:
    """The window is settled again from what was known when the line was posted, less what was posted before it."""
    line = account.line
    fact = Fact.objects.filter(pk=line.ref, book=line.book, kind="window_close").first()
    said = fact.result if fact is not None else None
    if fact is None or not said:
        return replace(account, recomputed=False, facts={"fact": line.ref})
    ground = Ground(cursor=cursor, installation=said["installation"])
    table = ground.table(seq=line.seq)
    window = window_of(table, said["window_us"])
    told: dict[str, str | int] = {"fact": fact.pk, "window_us": said["window_us"], "end_us": said["end_us"]}
    told |= {"energy_wh": said["energy_wh"], "again": said["again"]}
    if window is None:
        return replace(account, recomputed=False, facts=told)
    settled = settled_window(
        cursor=cursor,
        book=line.book,
        installation=said["installation"],
        modulus_wh=ground.modulus_wh,
        table=table,
        window=window,
        as_of_seq=line.seq,
    )
    told |= {
        f"{ELEMENT}{element.name}": settled.bill.element(element.name).__floor__()
        for element in settled.bill.elements
        if not element.included
    }
    earlier = accounts.settled_before(
        cursor=cursor,
        book=line.book,
        installation=said["installation"],
        window_us=window.start_us,
        before_fact=fact.pk,
    )
    posted = posted_parts(earlier, said["installation"], window.start_us)
    slips = tuple(
        Difference(part, getattr(line, part), getattr(settled, part) - posted[part])
        for part in PARTS
        if getattr(line, part) != getattr(settled, part) - posted[part]
    )
    return replace(account, meter=meter_of(ground, seq=line.seq), facts=told, differences=slips)
