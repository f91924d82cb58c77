"""Post what rating a register again changes: one correction line a component and local day, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.state import RegisterState
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.changed_days import DayColumns, roomy
from fairwatt.flows.posting.rerating import LIMITS, Change, DayChange, Question, work_out
from fairwatt.store.corrections import COMPONENTS, NOTE, CorrectionRows, ReratingRow
from fairwatt.store.posting import LINE
from fairwatt.store.registers import Edit, Start, free_correction_instant

Int64s = npt.NDArray[np.int64]


@dataclass(kw_only=True)
class Reworked:
    """One register rated again: its lines in posting order, and the rows that explain them."""

    wallet_ix: int
    lines: npt.NDArray[Any]
    row: ReratingRow
    notes: CorrectionRows
    """one for each CORRECTION line, in the order of `lines`"""

    @property
    def difference_micro(self) -> int:
        """What it took from the wallet in all."""
        return -int(self.lines["amount_micro"].sum())


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
    pending: Sequence[Edit] = (),
    from_us: int = 0,
) -> Reworked:
    """Rate a register again with readings that were not known before; move its row of `registers`.

    `fresh` are late readings (instant -> register), each stored as a line of kind LATE; `edit` is a person's
    word on a known one. `pending` edits were posted in this batch before it, with corrections up to `from_us`.
    Raises what rating raises; then `registers` is as it was.
    """
    head = registers[n]
    changed = [*fresh, *([edit.at_us] if edit else [])]
    question = Question(
        book=state.book,
        zone=state.zone,
        installation=int(head["installation"]),
        modulus_wh=int(head["modulus_wh"]),
        plan=state.plans[int(head["plan_ix"])],
        head_us=int(head["at_us"]),
    )
    change, register_wh = work_out(
        cursor=cursor, question=question, start=start, fresh=fresh, edit=edit, pending=pending
    )
    wallet_ix = int(head["wallet_ix"])
    if not change.merged:
        head["counter_wh"], head["window_us"] = change.counter_wh, change.window_us
    if register_wh is not None:
        head["register_wh"] = register_wh
    if edit is not None and edit.ends:
        head["at_us"], head["counter_wh"], head["window_us"] = (
            edit.at_us,
            change.counter_wh,
            change.window_us,
        )
    late = _late_lines(state.book, head, sorted(fresh.items()))
    free_us = free_correction_instant(
        cursor=cursor, book=state.book, installation=int(head["installation"]), from_us=max(now_us, from_us)
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
    return Reworked(wallet_ix=wallet_ix, lines=np.concatenate((late, made)), row=row, notes=notes)


def move_opening(*, state: BookState, registers: npt.NDArray[Any], n: int, edit: Edit) -> Reworked:
    """Let a register that was not read since it began begin at another value: nothing was charged yet."""
    head = registers[n]
    assert edit.register_wh is not None, "an opening is never struck out"
    head["register_wh"] = edit.register_wh
    wallet_ix, at_us = int(head["wallet_ix"]), int(head["at_us"])
    row = ReratingRow(
        installation=int(head["installation"]),
        wallet=int(state.wallets["wallet"][wallet_ix]),
        fact=edit.fact,
        cause="edited",
        author=edit.author,
        reason=edit.reason,
        from_us=at_us,
        until_us=at_us,
        counted_us=at_us,
        after=state_after(head),
        publication=0,
        readings=0,
    )
    nothing = CorrectionRows()
    return Reworked(wallet_ix=wallet_ix, lines=np.zeros(0, dtype=LINE), row=row, notes=nothing)


def post_changes(
    *, book: int, head: Any, wallet: int, fact: int, change: Change, from_us: int
) -> tuple[npt.NDArray[Any], CorrectionRows]:
    """The correction lines of one register, at instants from `from_us` on, and what each of them corrects.

    Moves the fractions that `head`, a row of the poster's registers, carries.
    """
    days = _with_energy(change)
    lines = np.zeros(len(days), dtype=LINE)
    lines["ts"] = from_us + np.arange(len(days))
    lines["ref"] = head["installation"]
    lines["register_wh"], lines["counter_wh"] = head["register_wh"], head["counter_wh"]
    lines["kind"], lines["book"] = Kind.CORRECTION, book
    for number, component in enumerate(COMPONENTS):
        mine = np.flatnonzero(days.component == number)
        exact = roomy(days.new[mine] - days.old[mine])
        name = {"energy": "carry_nano", "tax": "carry_tax"}.get(component)
        if name is None:
            micro = exact // LIMITS[component]
        else:
            micro, carried = add_each(carry=int(head[name]), exact=exact, limit=LIMITS[component])
            # Every line shows the fraction as it stands after it.
            place = np.zeros(len(days), dtype=np.int64)
            place[mine] = np.arange(1, mine.size + 1)
            lines[name] = carried[np.maximum.accumulate(place)]
            head[name] = carried[-1]
        lines[f"{component}_micro"][mine] = micro
        lines["amount_micro"][mine] = -lines[f"{component}_micro"][mine]
    if change.energy_wh:
        lines["energy_wh"][int(np.argmax(days.component == COMPONENTS.index("energy")))] = change.energy_wh
    notes = np.zeros(len(days), dtype=NOTE)
    notes["ref"], notes["wallet"], notes["fact"] = head["installation"], wallet, fact
    notes["ts_us"], notes["day_us"], notes["component"] = lines["ts"], days.day, days.component
    for name in ("first_seq", "last_seq", "from_us", "until_us"):
        notes[name] = getattr(days, name)
    return lines, CorrectionRows(rows=notes, old_exact=days.old, new_exact=days.new)


def add_each(*, carry: int, exact: Int64s, limit: int) -> tuple[Int64s, Int64s]:
    """Add exact amounts to a carried fraction one after the other: what each comes to in whole micro-units, and the
    fractions, that before the first of them included. Row by row it is `explain.add_exactly`."""
    total = carry + np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(exact)))
    units = total // limit
    return np.diff(units), total - units * limit


def _with_energy(change: Change) -> DayColumns:
    """The changes, and a line for energy that cost nothing: it is counted all the same."""
    days = DayColumns.of(change.days)
    if not change.energy_wh or (days.component == COMPONENTS.index("energy")).any():
        return days
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
    return DayColumns.of((free, *days))


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
    *, lines: npt.NDArray[Any], reworked: Sequence[Reworked], wallets: npt.NDArray[Any]
) -> tuple[list[ReratingRow], CorrectionRows]:
    """Fill in the seq of what explains the lines, once they are chained; they come first among the lines."""
    offset = 0
    for one in reworked:
        mine = lines[offset : offset + len(one.lines)]
        offset += len(one.lines)
        one.row.last_seq = _last_seq(lines[offset:], mine, one, wallets)
        one.notes.rows["seq"] = mine["seq"][mine["kind"] == Kind.CORRECTION]
    return [one.row for one in reworked], CorrectionRows.joined([one.notes for one in reworked])


def _last_seq(
    after: npt.NDArray[Any], mine: npt.NDArray[Any], one: Reworked, wallets: npt.NDArray[Any]
) -> int:
    """The newest line of the wallet when a register was rated again; `after` are the batch's lines behind it."""
    if len(mine):
        return int(mine["seq"][-1])
    later = after["seq"][after["wallet"] == one.row.wallet]
    return int(later[0]) - 1 if len(later) else int(wallets["seq"][one.wallet_ix])


def _late_lines(book: int, head: Any, fresh: Sequence[tuple[int, int]]) -> npt.NDArray[Any]:
    lines = np.zeros(len(fresh), dtype=LINE)
    lines["ts"] = [ts for ts, _ in fresh]
    lines["register_wh"] = [wh for _, wh in fresh]
    lines["ref"] = head["installation"]
    for name in ("counter_wh", "carry_nano", "carry_tax"):
        lines[name] = head[name]
    lines["kind"], lines["book"] = Kind.LATE, book
    return lines
