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

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.explain import add_exactly
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import CARRY_NANO_LIMIT, CARRY_TAX_LIMIT, RegisterState
from fairwatt.core.rating.vector import VectorTable, rate_rows
from fairwatt.core.spans import local_day_start
from fairwatt.flows.posting.book_state import BookState
from fairwatt.store.corrections import CorrectionRow, ReratingRow
from fairwatt.store.posting import LINE
from fairwatt.store.registers import (
    Edit,
    Known,
    Start,
    applied,
    edits_of,
    free_correction_instant,
    readings_between,
)

Int64s = npt.NDArray[np.int64]

COMPONENTS: Final = ("energy", "standing", "tax")
LIMITS: Final = {"energy": CARRY_NANO_LIMIT, "standing": 1_000, "tax": CARRY_TAX_LIMIT}
"""One micro-unit in the exact unit of each component."""
_EXACT_MAX: Final = 1 << 62


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
    days: tuple[DayChange, ...]
    readings: int


def start_window(*, table: SegmentTable, at_us: int, opening: bool) -> int:
    """The counting window that a reading left its register in; a reading on a window's start closes the old one."""
    if opening:
        first, _ = table.locate(start_us=at_us, end_us=at_us + 1)
        return table.window_us[first]
    return table.window_us[table.locate(start_us=at_us - 1, end_us=at_us)[1]]


def rate_track(
    *, vtable: VectorTable, readings: Sequence[Known], counter_wh: int, window_us: int, modulus_wh: int
) -> Track:
    """Rate readings from the first of them on, with nothing carried. Raises what rating raises."""
    at = np.array([reading.at_us for reading in readings], dtype=np.int64)
    wh = np.array([reading.register_wh for reading in readings], dtype=np.int64)
    seq = np.array([reading.seq for reading in readings[1:]], dtype=np.int64)
    rows = len(at) - 1
    energy = np.diff(wh) % modulus_wh
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
            "energy": _exact(rated.energy_micro, rated.carry_nano, CARRY_NANO_LIMIT),
            "standing": _exact(rated.standing_micro, zero, LIMITS["standing"]),
            "tax": _exact(rated.tax_micro, rated.carry_tax, CARRY_TAX_LIMIT),
        },
        energy_wh=int(energy.sum()),
    )


def _exact(micro: Int64s, carry: Int64s, limit: int) -> Int64s:
    """Whole micro-units and the fraction carried after each row, as the exact amount each row added."""
    if int(np.abs(micro).max()) > _EXACT_MAX // limit:
        raise OverflowError(
            "an amount is too large to be set right exactly; look at the readings and the prices"
        )
    return micro * limit + np.diff(carry, prepend=0)


def compare(*, start_us: int, old: Track, new: Track, changed_us: int, zone: str) -> Change:
    """Set two ratings of one stretch side by side; both begin at `start_us` and end at the same instant or head.

    `changed_us`: the last instant at which the readings themselves differ. What an old line charged is compared
    with all that is charged now up to its instant since the old line before it.
    """
    place = np.minimum(np.searchsorted(old.at_us, new.at_us), len(old.at_us) - 1)
    differs = np.zeros(len(old.at_us), dtype=np.bool_)
    now: dict[str, Int64s] = {}
    for component in COMPONENTS:
        now[component] = np.zeros(len(old.at_us), dtype=np.int64)
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
                    old_exact=int(old.exact[component][mine].sum()),
                    new_exact=int(now[component][mine].sum()),
                )
            )
    return sorted(changes, key=lambda change: (change.day_us, COMPONENTS.index(change.component)))


def correction_line(*, book: int, head: Any, change: DayChange, ts_us: int, energy_wh: int = 0) -> Any:
    """The line that posts one change; moves the carry of `head`, a row of the poster's registers."""
    line = np.zeros((), dtype=LINE)
    name = {"energy": "carry_nano", "tax": "carry_tax"}.get(change.component)
    micro, carry = add_exactly(
        carry=int(head[name]) if name else 0,
        exact=change.new_exact - change.old_exact,
        limit=LIMITS[change.component],
    )
    if name:
        head[name] = carry
    line["ts"] = ts_us
    line["ref"] = head["installation"]
    line["register_wh"] = head["register_wh"]
    line["counter_wh"] = head["counter_wh"]
    line["carry_nano"] = head["carry_nano"]
    line["carry_tax"] = head["carry_tax"]
    line["energy_wh"] = energy_wh
    line[f"{change.component}_micro"] = micro
    line["amount_micro"] = -micro
    line["kind"] = Kind.CORRECTION
    line["book"] = book
    return line


@dataclass(kw_only=True)
class Reworked:
    """One register rated again: its lines in posting order, and the rows that explain them."""

    wallet_ix: int
    lines: list[Any]
    row: ReratingRow
    notes: list[CorrectionRow]
    """one for each CORRECTION line, in the order of `lines`"""

    @property
    def difference_micro(self) -> int:
        """What it took from the wallet in all."""
        return -sum(int(line["amount_micro"]) for line in self.lines)


def rework(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    n: int,
    start: Start,
    fresh: Mapping[int, int],
    cause: str,
    now_us: int,
    edit: Edit | None = None,
) -> Reworked:
    """Rate a register again with readings that were not known before; move its row of `registers`.

    `fresh` are late readings (instant -> register), each stored as a line of kind LATE; `edit` is a person's
    word on a known one. Raises what rating raises; then `registers` is as it was.
    """
    head = registers[n]
    changed = [*fresh, *([edit.at_us] if edit else [])]
    change, register_wh = _change(cursor, state, head, start, fresh, edit)
    wallet_ix = int(head["wallet_ix"])
    if not change.merged:
        head["counter_wh"], head["window_us"] = change.counter_wh, change.window_us
    head["register_wh"] = register_wh
    lines = [_late_line(state.book, head, ts, wh) for ts, wh in sorted(fresh.items())]
    free_us = free_correction_instant(
        cursor=cursor, book=state.book, installation=int(head["installation"]), from_us=now_us
    )
    wallet, fact = int(state.wallets["wallet"][wallet_ix]), edit.fact if edit else 0
    made, notes = post_changes(
        book=state.book, head=head, wallet=wallet, fact=fact, change=change, from_us=free_us
    )
    row = ReratingRow(
        installation=int(head["installation"]),
        wallet=wallet,
        fact=fact,
        cause=cause,
        author=edit.author if edit else "",
        reason=edit.reason if edit else "",
        from_us=change.from_us,
        until_us=change.until_us,
        counted_us=max(change.counted_us, max(changed) if edit else 0),
        after=state_after(head),
        publication=0,
        readings=change.readings,
    )
    return Reworked(wallet_ix=wallet_ix, lines=lines + made, row=row, notes=notes)


def _change(
    cursor: Any, state: BookState, head: Any, start: Start, fresh: Mapping[int, int], edit: Edit | None
) -> tuple[Change, int]:
    """What the new readings change, and what the register shows at its head."""
    installation, plan = int(head["installation"]), state.plans[int(head["plan_ix"])]
    edits = edits_of(cursor=cursor, book=state.book, installation=installation)
    changed_us = max([*fresh, *([edit.at_us] if edit else [])])
    window_us = start_window(table=plan.table, at_us=start.at_us, opening=start.opening)
    # First only as far as the next reading; only where the count itself moved, on to the head.
    for until_us in (changed_us + 1 if edit else changed_us, int(head["at_us"])):
        stored = readings_between(
            cursor=cursor, book=state.book, installation=installation, start=start, until_us=until_us
        )
        before = applied(known=stored, edits=edits)
        after = applied(known=before, edits=[edit] if edit else [])
        after = sorted(
            [*after, *(Known(at, wh, 0) for at, wh in fresh.items())], key=lambda reading: reading.at_us
        )
        old, new = (
            rate_track(
                vtable=plan.vtable,
                readings=readings,
                counter_wh=start.counter_wh,
                window_us=window_us,
                modulus_wh=int(head["modulus_wh"]),
            )
            for readings in (before, after)
        )
        change = compare(start_us=start.at_us, old=old, new=new, changed_us=changed_us, zone=state.zone)
        if change.merged and not change.energy_wh:
            return change, int(head["register_wh"])
        if after[-1].at_us >= int(head["at_us"]):
            return change, after[-1].register_wh
    return change, after[-1].register_wh


def post_changes(
    *, book: int, head: Any, wallet: int, fact: int, change: Change, from_us: int
) -> tuple[list[Any], list[CorrectionRow]]:
    """The correction lines of one register, at instants from `from_us` on, and what each of them corrects."""
    lines: list[Any] = []
    notes: list[CorrectionRow] = []
    energy_wh = change.energy_wh
    for n, day in enumerate(_with_energy(change)):
        carries_energy = energy_wh if day.component == "energy" else 0
        energy_wh -= carries_energy
        line = correction_line(book=book, head=head, change=day, ts_us=from_us + n, energy_wh=carries_energy)
        lines.append(line)
        notes.append(
            CorrectionRow(
                installation=int(head["installation"]),
                wallet=wallet,
                fact=fact,
                ts_us=from_us + n,
                day_us=day.day_us,
                first_seq=day.first_seq,
                last_seq=day.last_seq,
                from_us=day.from_us,
                until_us=day.until_us,
                component=day.component,
                old_exact=day.old_exact,
                new_exact=day.new_exact,
            )
        )
    return lines, notes


def _with_energy(change: Change) -> tuple[DayChange, ...]:
    """The changes, and a line for energy that cost nothing: it is counted all the same."""
    if not change.energy_wh or any(day.component == "energy" for day in change.days):
        return change.days
    free = DayChange(
        component="energy",
        day_us=change.until_us,
        first_seq=0,
        last_seq=0,
        from_us=change.from_us,
        until_us=change.until_us,
        old_exact=0,
        new_exact=0,
    )
    return (free, *change.days)


def state_after(head: Any) -> RegisterState:
    """Where a row of the poster's registers stands in its tariff."""
    return RegisterState(
        at_us=int(head["at_us"]),
        register_wh=int(head["register_wh"]),
        counter_wh=int(head["counter_wh"]),
        window_us=int(head["window_us"]),
        carry_nano=int(head["carry_nano"]),
        carry_tax=int(head["carry_tax"]),
    )


def place_rows(
    *, lines: npt.NDArray[Any], offset: int, reworked: Sequence[Reworked], wallets: npt.NDArray[Any]
) -> tuple[list[ReratingRow], list[CorrectionRow]]:
    """Fill in the seq of what explains the lines, once they are chained; they begin at `offset`."""
    rows, notes = [], []
    for one in reworked:
        mine = lines[offset : offset + len(one.lines)]
        offset += len(one.lines)
        one.row.last_seq = int(mine["seq"][-1]) if len(mine) else int(wallets["seq"][one.wallet_ix])
        corrections = mine[mine["kind"] == Kind.CORRECTION]
        for note, seq in zip(one.notes, corrections["seq"].tolist(), strict=True):
            note.seq = seq
        rows.append(one.row)
        notes += one.notes
    return rows, notes


def _late_line(book: int, head: Any, ts: int, register_wh: int) -> Any:
    line = np.zeros((), dtype=LINE)
    line["ts"] = ts
    line["ref"] = head["installation"]
    line["register_wh"] = register_wh
    for name in ("counter_wh", "carry_nano", "carry_tax"):
        line[name] = head[name]
    line["kind"] = Kind.LATE
    line["book"] = book
    return line
