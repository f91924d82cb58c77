"""A reading that arrives behind its register's head: already known, contradictory, or late.

A late reading adds no energy (the next cumulative reading has charged it) but may move energy across a price
boundary. The stretch around it is rated again, and the difference becomes correction lines (rerating.py).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.metering.register import ReadingRejected, RegisterSpec, advance
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.links import Chains, Link, alone
from fairwatt.flows.posting.reworking import Reworked, rework
from fairwatt.flows.posting.sift import Sifted, keys_of, quarantined
from fairwatt.flows.posting.truing import Settled, TruedUp, register_spec
from fairwatt.store import registers as ledger
from fairwatt.store.posting import LINE, EventRow, FactAnswer, QuarantineRow

Int64s = npt.NDArray[np.int64]


@dataclass(kw_only=True)
class LateReadings:
    """What the readings behind the heads came to."""

    lines: npt.NDArray[Any]
    wallet_ix: Int64s
    reworked: list[Reworked] = field(default_factory=list)
    duplicates: int = 0
    corrected: list[int] = field(default_factory=list)
    quarantine: list[QuarantineRow] = field(default_factory=list)
    answers: list[FactAnswer] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)

    def taken(self) -> dict[int, int]:
        """What corrections took from wallets, by wallet index; what they gave back is below zero."""
        taken: dict[int, int] = {}
        for one in self.reworked:
            taken[one.wallet_ix] = taken.get(one.wallet_ix, 0) + one.difference_micro
        return taken

    def gather(self) -> None:
        """Make the lines of everything that was rated again, in posting order."""
        if self.reworked:
            self.lines = np.concatenate([one.lines for one in self.reworked])
            wallets = np.array([one.wallet_ix for one in self.reworked], dtype=np.int64)
            self.wallet_ix = np.repeat(wallets, [len(one.lines) for one in self.reworked])


def settle_late(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    intake: Intake,
    sifted: Sifted,
    trued: TruedUp,
    chains: Chains,
    now_us: int,
) -> LateReadings:
    """Look up every reading behind its head; re-rate registers that learned something; move `registers`.

    `trued`: what real readings made of estimates in this batch; its corrections come first. `chains` have the
    registers of who had a meter before.
    """
    out = LateReadings(lines=np.empty(0, dtype=LINE), wallet_ix=np.empty(0, dtype=np.int64))
    out.reworked, out.answers, out.events = list(trued.reworked), list(trued.answers), list(trued.events)
    out.corrected = [one.wallet_ix for one in trued.reworked]
    for link, rows in _by_link(registers, intake, sifted, chains, out):
        settled = trued.estimates.get(link.installation)
        try:
            one = _settle(cursor, state, link.registers, intake, out, link.n, rows, settled, now_us)
        except (ValueError, LookupError, ArithmeticError):
            out.quarantine += quarantined(
                intake, np.array(rows), "unpriceable", "rating it again failed; nothing was charged"
            )
            continue
        if one is not None:
            out.reworked.append(one)
    out.gather()
    return out


def _by_link(
    registers: npt.NDArray[Any], intake: Intake, sifted: Sifted, chains: Chains, out: LateReadings
) -> list[tuple[Link, list[int]]]:
    """Readings by whose they are, open registers first; what was read while nobody had the meter goes to `out`."""
    links: dict[int, Link] = {}
    rows: dict[int, list[int]] = {}
    for row in sifted.behind.tolist():
        link = alone(registers=registers, n=int(sifted.register[row])).links[0]
        links[link.installation] = link
        rows.setdefault(link.installation, []).append(row)
    keys = keys_of(intake=intake, rows=sifted.past).tolist()
    for key, row in zip(keys, sifted.past.tolist(), strict=True):
        chain = chains.of_key.get(key)
        whose = chain.holding(int(intake.readings["at_us"][row])) if chain else None
        if whose is None:
            out.quarantine += quarantined(
                intake, np.array([row]), "nobodys_reading", "nobody had this meter at that instant"
            )
            continue
        links[whose.installation] = whose
        rows.setdefault(whose.installation, []).append(row)
    return [(links[installation], mine) for installation, mine in rows.items()]


def _settle(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    intake: Intake,
    out: LateReadings,
    n: int,
    rows: list[int],
    settled: Settled | None,
    now_us: int,
) -> Reworked | None:
    """Sort the late readings of one register and rate it again where it learned something."""
    installation = int(registers["installation"][n])
    said = [(row, int(intake.readings["at_us"][row]), int(intake.readings["total_wh"][row])) for row in rows]
    opening = ledger.opening_of(cursor=cursor, installation=installation)
    start = ledger.start_before(
        cursor=cursor,
        book=state.book,
        installation=installation,
        before_us=max(opening.at_us + 1, min(at for _, at, _ in said)),
    )
    assert start is not None, "asked for after the opening"
    settled = settled or Settled(start=start)
    start = min(start, settled.start, key=lambda one: one.at_us)
    stored = ledger.readings_between(
        cursor=cursor,
        book=state.book,
        installation=installation,
        start=start,
        until_us=max(at for _, at, _ in said),
    )
    edits = ledger.edits_of(cursor=cursor, book=state.book, installation=installation) + settled.edits
    known = {reading.at_us: reading.register_wh for reading in ledger.applied(known=stored, edits=edits)}
    raw = {reading.at_us: reading.register_wh for reading in stored}
    raw[opening.at_us] = opening.register_wh
    fresh: dict[int, int] = {}
    for row, at, total in said:
        if total in (raw.get(at), known.get(at)):
            out.duplicates += 1
        elif (
            code := _disbelief({**raw, **known}, register_spec(registers[n]), at, total, opening.at_us)
        ) is not None:
            out.quarantine += quarantined(
                intake, np.array([row]), code, "the ledger's readings around it say otherwise"
            )
        else:
            known[at] = fresh[at] = total
    if not fresh:
        return None
    one = rework(
        cursor=cursor,
        state=state,
        registers=registers,
        n=n,
        start=start,
        fresh=fresh,
        cause="late",
        now_us=now_us,
        pending=settled.edits,
        from_us=settled.from_us,
    )
    if (one.lines["kind"] == Kind.CORRECTION).any():
        out.corrected.append(one.wallet_ix)
    out.events.append(_event(state, registers[n], one, len(fresh), now_us))
    return one


def _event(state: BookState, head: Any, one: Reworked, late: int, now_us: int) -> EventRow:
    return EventRow(
        kind="reading.late",
        at_us=now_us,
        wallet=int(state.wallets["wallet"][one.wallet_ix]),
        meter=int(head["meter"]),
        reason="rerated",
        evidence={"late_readings": late, "difference_micro": one.difference_micro, "rated": one.row.readings},
    )


def _disbelief(
    known: Mapping[int, int], spec: RegisterSpec, at: int, total: int, opened_us: int
) -> str | None:
    """Say why a reading cannot lie between its neighbours, or None.

    What is in the ledger was believed once and charged; the newcomer is the one to doubt.
    """
    if at in known:
        return "conflicting_reading"
    if at < opened_us:
        return "before_installation"
    instants = sorted(known)
    place = bisect_left(instants, at)
    before, after = instants[place - 1], instants[place]
    try:
        advance(spec=spec, prev_at_us=before, prev_wh=known[before], at_us=at, wh=total)
        advance(spec=spec, prev_at_us=at, prev_wh=total, at_us=after, wh=known[after])
    except ReadingRejected as error:
        return f"{error.code}_register"
    return None
