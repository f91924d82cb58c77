"""Rate a stretch of a register again and say, day by day, what that changes.

Energy is counted in the order of time, fractions of a micro-unit in the order of posting: what a stretch costs
now minus what it cost before is one exact difference, and it is added to the fraction that the register carries
today. So nothing after the stretch need be rated again, and every total is what order in time would have given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import CARRY_NANO_LIMIT, CARRY_TAX_LIMIT
from fairwatt.core.rating.vector import rate_rows
from fairwatt.core.rating.vector_conversion import billed_between
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.spans import local_day_start
from fairwatt.flows.posting.book_state import Plan
from fairwatt.store.corrections import COMPONENTS
from fairwatt.store.registers import NOW, Edit, Known, Start, applied, standing_between

Int64s = npt.NDArray[np.int64]

LIMITS: Final = {"energy": CARRY_NANO_LIMIT, "standing": 1_000, "tax": CARRY_TAX_LIMIT}
"""One micro-unit in the exact unit of each component."""
_EXACT_MAX: Final = 1 << 46
"""Above this a row is counted in integers of any size, so that a month of them can be summed."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """Readings rated one after the other: where each left the counter, and what each cost exactly."""

    at_us: Int64s
    seq: Int64s
    counter_wh: Int64s
    window_us: Int64s
    exact: dict[str, Int64s]
    """by component, in its exact unit"""
    energy_wh: int


@dataclass(frozen=True, kw_only=True)
class DayChange:
    """What changes for one component in the lines of one local day, exactly."""

    component: str
    day_us: int
    first_seq: int
    last_seq: int
    from_us: int
    until_us: int
    old_exact: int
    new_exact: int


@dataclass(frozen=True, kw_only=True)
class Change:
    """What rating a stretch again comes to.

    `merged`: at its end the counter is what it was before, so nothing later changes. `counted_us` is the last
    instant whose counter changed (the start when none did).
    """

    from_us: int
    until_us: int
    counted_us: int
    merged: bool
    counter_wh: int
    window_us: int
    energy_wh: int
    days: Sequence[DayChange]
    readings: int


def start_window(*, table: SegmentTable, at_us: int, opening: bool) -> int:
    """The counting window that a reading left its register in; a reading on a window's start closes the old one."""
    # Asking may grow the table, so look only afterwards.
    if opening:
        segment = table.locate(start_us=at_us, end_us=at_us + 1)[0]
    else:
        segment = table.locate(start_us=at_us - 1, end_us=at_us)[1]
    return table.window_us[segment]


def rate_track(
    *, vtable: VectorTable, readings: Sequence[Known], counter_wh: int, window_us: int, modulus_wh: int
) -> Track:
    """Rate readings from the first of them on, with nothing carried. Raises what rating raises."""
    at = np.array([reading.at_us for reading in readings], dtype=np.int64)
    wh = np.array([reading.register_wh for reading in readings], dtype=np.int64)
    seq = np.array([reading.seq for reading in readings[1:]], dtype=np.int64)
    rows = len(at) - 1
    energy = billed_between(schedule=vtable.table.schedule, before=wh[:-1], after=wh[1:], modulus=modulus_wh)
    if not rows:
        none = np.empty(0, dtype=np.int64)
        exact = dict.fromkeys(COMPONENTS, none)
        return Track(at_us=none, seq=none, counter_wh=none, window_us=none, exact=exact, energy_wh=0)
    first = np.zeros(rows, dtype=np.bool_)
    first[0] = True
    zero = np.zeros(rows, dtype=np.int64)
    vtable.ensure(start_us=int(at[0]), end_us=int(at[-1]))
    rated = rate_rows(
        vtable=vtable,
        first=first,
        prev_at=at[:-1],
        at=at[1:],
        energy_wh=energy,
        counter=np.full(rows, counter_wh, dtype=np.int64),
        window=np.full(rows, window_us, dtype=np.int64),
        carry_nano=zero,
        carry_tax=zero,
    )
    return Track(
        at_us=at[1:],
        seq=seq,
        counter_wh=rated.counter,
        window_us=rated.window,
        exact={
            "energy": exact_rows(rated.energy_micro, rated.carry_nano, CARRY_NANO_LIMIT, zero, first),
            "standing": exact_rows(rated.standing_micro, zero, LIMITS["standing"], zero, first),
            "tax": exact_rows(rated.tax_micro, rated.carry_tax, CARRY_TAX_LIMIT, zero, first),
        },
        energy_wh=int(energy.sum()),
    )


def exact_rows(
    micro: Int64s, carry: Int64s, limit: int, before: Int64s, first: npt.NDArray[np.bool_]
) -> Int64s:
    """Whole micro-units and the fraction carried after each row, as the exact amount each row added.

    `before` is the fraction that a register carried before its `first` row.
    """
    carried = np.where(first, before, np.roll(carry, 1))
    if int(np.abs(micro).max()) > _EXACT_MAX // limit:
        wide: Int64s = micro.astype(object) * limit + (carry - carried)
        return wide
    return micro * limit + (carry - carried)


def compare(*, start_us: int, old: Track, new: Track, changed_us: int, zone: str) -> Change:
    """Set two ratings of one stretch side by side; both begin at `start_us` and end at the same instant or head.

    `changed_us`: the last instant at which the readings themselves differ. What an old line charged is compared
    with all that is charged now up to its instant since the old line before it.
    """
    place = np.minimum(np.searchsorted(old.at_us, new.at_us), len(old.at_us) - 1)
    differs = np.zeros(len(old.at_us), dtype=np.bool_)
    now: dict[str, Int64s] = {}
    for component in COMPONENTS:
        wide = object in (new.exact[component].dtype, old.exact[component].dtype)
        now[component] = np.zeros(len(old.at_us), dtype=object if wide else np.int64)
        np.add.at(now[component], place, new.exact[component])
        differs |= now[component] != old.exact[component]
    last_new = np.searchsorted(new.at_us, old.at_us, side="right") - 1
    same = new.at_us[last_new] == old.at_us
    counted = (new.counter_wh[last_new] != old.counter_wh) | (new.window_us[last_new] != old.window_us)
    moved = np.flatnonzero(counted & same)
    touched = np.flatnonzero(differs)
    counted_us = max(int(old.at_us[moved[-1]]) if moved.size else start_us, start_us)
    until_us = max(
        int(old.at_us[touched[-1]]) if touched.size else start_us, min(changed_us, int(old.at_us[-1]))
    )
    return Change(
        from_us=start_us,
        until_us=until_us,
        counted_us=counted_us,
        merged=not (moved.size and moved[-1] == len(old.at_us) - 1),
        counter_wh=int(new.counter_wh[-1]),
        window_us=int(new.window_us[-1]),
        energy_wh=new.energy_wh - old.energy_wh,
        days=tuple(_days(start_us, old, now, zone)),
        readings=len(new.at_us),
    )


def _days(start_us: int, old: Track, now: dict[str, Int64s], zone: str) -> list[DayChange]:
    changes = []
    starts = np.concatenate((np.array([start_us], dtype=np.int64), old.at_us[:-1]))
    for component in COMPONENTS:
        rows = np.flatnonzero(now[component] != old.exact[component])
        days: dict[int, list[int]] = {}
        for row in rows.tolist():
            day = local_day_start(zone=zone, at_us=int(old.at_us[row]) - 1)
            days.setdefault(day, []).append(row)
        for day, mine in sorted(days.items()):
            changes.append(
                DayChange(
                    component=component,
                    day_us=day,
                    first_seq=int(old.seq[mine].min()),
                    last_seq=int(old.seq[mine].max()),
                    from_us=int(starts[mine[0]]),
                    until_us=int(old.at_us[mine[-1]]),
                    old_exact=sum(old.exact[component][mine].tolist()),
                    new_exact=sum(now[component][mine].tolist()),
                )
            )
    return sorted(changes, key=lambda change: (change.day_us, COMPONENTS.index(change.component)))


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which register to rate again, on what ground: `as_of_seq` leaves out what was posted from there on."""

    book: int
    zone: str
    installation: int
    modulus_wh: int
    plan: Plan
    head_us: int
    as_of_seq: int = NOW


def work_out(
    *,
    cursor: Any,
    question: Question,
    start: Start,
    fresh: Mapping[int, int],
    edit: Edit | None = None,
    pending: Sequence[Edit] = (),
) -> tuple[Change, int | None]:
    """What late readings or an edit change, and what the register shows at its head now (None: as before).

    `pending`: edits of this very batch, which the database does not know yet.
    """
    plan, installation = question.plan, question.installation
    ground: dict[str, Any] = {
        "cursor": cursor,
        "book": question.book,
        "installation": installation,
        "as_of_seq": question.as_of_seq,
    }
    changed_us = max([*fresh, *([edit.at_us] if edit else [])])
    window_us = start_window(table=plan.table, at_us=start.at_us, opening=start.opening)
    # First only as far as the next reading; only where the count itself moved, on to the head.
    near_us = changed_us + 1 if edit else changed_us
    for until_us in (question.head_us,) if edit and edit.ends else (near_us, question.head_us):
        before = standing_between(**ground, start=start, until_us=until_us)
        before = applied(known=before, edits=list(pending))
        after = applied(known=before, edits=[edit] if edit else [])
        late = (Known(at, wh, 0) for at, wh in fresh.items())
        after = sorted([*after, *late], key=lambda reading: reading.at_us)
        old, new = (
            rate_track(
                vtable=plan.vtable,
                readings=readings,
                counter_wh=start.counter_wh,
                window_us=window_us,
                modulus_wh=question.modulus_wh,
            )
            for readings in (before, after)
        )
        change = compare(start_us=start.at_us, old=old, new=new, changed_us=changed_us, zone=question.zone)
        if change.merged and not change.energy_wh and not (edit and edit.ends):
            return change, None
        if after[-1].at_us >= question.head_us or (edit and edit.ends):
            break
    return change, after[-1].register_wh
