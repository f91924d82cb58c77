"""Post what rating a register again changes: one correction line a component and local day, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.explain import add_exactly
from fairwatt.core.rating.state import RegisterState
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.rerating import LIMITS, Change, DayChange, Question, work_out
from fairwatt.store.corrections import CorrectionRow, ReratingRow
from fairwatt.store.posting import LINE
from fairwatt.store.registers import Edit, Start, free_correction_instant


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
    lines = [_late_line(state.book, head, ts, wh) for ts, wh in sorted(fresh.items())]
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
    return Reworked(wallet_ix=wallet_ix, lines=lines + made, row=row, notes=notes)


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
    *, lines: npt.NDArray[Any], reworked: Sequence[Reworked], wallets: npt.NDArray[Any]
) -> tuple[list[ReratingRow], list[CorrectionRow]]:
    """Fill in the seq of what explains the lines, once they are chained; they come first among the lines."""
    rows, notes = [], []
    offset = 0
    for one in reworked:
        mine = lines[offset : offset + len(one.lines)]
        offset += len(one.lines)
        one.row.last_seq = _last_seq(lines[offset:], mine, one, wallets)
        corrections = mine[mine["kind"] == Kind.CORRECTION]
        for note, seq in zip(one.notes, corrections["seq"].tolist(), strict=True):
            note.seq = seq
        rows.append(one.row)
        notes += one.notes
    return rows, notes


def _last_seq(
    after: npt.NDArray[Any], mine: npt.NDArray[Any], one: Reworked, wallets: npt.NDArray[Any]
) -> int:
    """The newest line of the wallet when a register was rated again; `after` are the batch's lines behind it."""
    if len(mine):
        return int(mine["seq"][-1])
    later = after["seq"][after["wallet"] == one.row.wallet]
    return int(later[0]) - 1 if len(later) else int(wallets["seq"][one.wallet_ix])


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
