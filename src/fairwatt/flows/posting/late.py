"""A reading that arrives behind its register's head: already known, contradictory, or late.

A late reading adds no energy (the next cumulative reading has charged it) but may move energy across a
price boundary. The register is rated again from its opening over everything now known, and the difference
becomes one correction line.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.metering.register import ReadingRejected, RegisterSpec, advance
from fairwatt.core.rating.scalar import opening_state, rate
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.sift import Sifted, quarantined
from fairwatt.store import history
from fairwatt.store.posting import LINE, EventRow, QuarantineRow

Int64s = npt.NDArray[np.int64]


@dataclass(kw_only=True)
class LateReadings:
    """What the readings behind the heads came to."""

    lines: npt.NDArray[Any]
    wallet_ix: Int64s
    duplicates: int = 0
    corrected: list[int] = field(default_factory=list)
    quarantine: list[QuarantineRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)


def settle_late(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    intake: Intake,
    sifted: Sifted,
    now_us: int,
) -> LateReadings:
    """Look up every reading behind its head; re-rate registers that learned something; move `registers`."""
    out = LateReadings(lines=np.empty(0, dtype=LINE), wallet_ix=np.empty(0, dtype=np.int64))
    rows = sifted.behind
    if not len(rows):
        return out
    installations = registers["installation"][sifted.register[rows]]
    known = history.readings_of(
        cursor=cursor, book=state.book, installations=np.unique(installations).tolist()
    )
    fresh: dict[int, dict[int, int]] = {}
    for row, n in zip(rows.tolist(), sifted.register[rows].tolist(), strict=True):
        installation = int(registers["installation"][n])
        at, total = int(intake.readings["at_us"][row]), int(intake.readings["total_wh"][row])
        mine = known[installation]
        if mine.get(at) == total:
            out.duplicates += 1
        elif (code := _disbelief(mine, _spec(registers[n]), at, total)) is not None:
            out.quarantine += quarantined(
                intake, np.array([row]), code, "the ledger's readings around it say otherwise"
            )
        else:
            mine[at] = total
            fresh.setdefault(n, {})[at] = total
    lines: list[tuple[Any, int]] = []
    for n, readings in sorted(fresh.items()):
        try:
            lines += _rerate(cursor, state, registers, out, n, readings, known, now_us)
        except (ValueError, LookupError, ArithmeticError):
            unrated = [row for row in rows.tolist() if sifted.register[row] == n]
            out.quarantine += quarantined(
                intake, np.array(unrated), "unpriceable", "rating it again failed; nothing was charged"
            )
    if lines:
        out.lines = np.array([line for line, _ in lines], dtype=LINE)
        out.wallet_ix = np.array([ix for _, ix in lines], dtype=np.int64)
    return out


def _spec(head: Any) -> RegisterSpec:
    return RegisterSpec(
        modulus_wh=int(head["modulus_wh"]),
        resolution_wh=int(head["resolution_wh"]),
        max_power_w=int(head["max_power_w"]),
    )


def _disbelief(known: dict[int, int], spec: RegisterSpec, at: int, total: int) -> str | None:
    """Say why a reading cannot lie between its neighbours, or None.

    What is in the ledger was believed once and charged; the newcomer is the one to doubt.
    """
    if at in known:
        return "conflicting_reading"
    instants = sorted(known)
    place = bisect_left(instants, at)
    if place == 0:
        return "before_installation"
    before, after = instants[place - 1], instants[place]
    try:
        advance(spec=spec, prev_at_us=before, prev_wh=known[before], at_us=at, wh=total)
        advance(spec=spec, prev_at_us=at, prev_wh=total, at_us=after, wh=known[after])
    except ReadingRejected as error:
        return f"{error.code}_register"
    return None


def _rerate(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    out: LateReadings,
    n: int,
    fresh: dict[int, int],
    known: dict[int, dict[int, int]],
    now_us: int,
) -> list[tuple[Any, int]]:
    head = registers[n]
    installation = int(head["installation"])
    opening = history.opening_of(cursor=cursor, installation=installation)
    plan = state.plans[int(head["plan_ix"])]
    total = opening.opening_wh
    rated = opening_state(
        schedule=plan.schedule,
        at_us=opening.opened_us,
        register_wh=total,
        counter_wh=opening.opening_counter_wh,
    )
    sums = [0, 0, 0]
    for next_at, next_total in sorted(known[installation].items())[1:]:
        energy = (next_total - total) % int(head["modulus_wh"])
        charge, rated = rate(
            table=plan.table, state=rated, at_us=next_at, register_wh=next_total, energy_wh=energy
        )
        for k, amount in enumerate((charge.energy_micro, charge.standing_micro, charge.tax_micro)):
            sums[k] += amount
        total = next_total
    posted = history.charged_to(cursor=cursor, book=state.book, installation=installation)
    difference = [now - then for now, then in zip(sums, posted, strict=True)]
    for name in ("counter_wh", "window_us", "carry_nano", "carry_tax"):
        registers[name][n] = getattr(rated, name)
    wallet_ix = int(head["wallet_ix"])
    lines = [
        (_line(state, head, Kind.LATE, ts=late_at, register_wh=late_total), wallet_ix)
        for late_at, late_total in sorted(fresh.items())
    ]
    if any(difference):
        out.corrected.append(wallet_ix)
        at_us = history.free_correction_instant(
            cursor=cursor, book=state.book, installation=installation, from_us=now_us
        )
        correction = _line(state, head, Kind.CORRECTION, ts=at_us, register_wh=total)
        correction["energy_micro"], correction["standing_micro"], correction["tax_micro"] = difference
        correction["amount_micro"] = -sum(difference)
        lines.append((correction, wallet_ix))
    out.events.append(
        EventRow(
            kind="reading.late",
            at_us=now_us,
            wallet=int(state.wallets["wallet"][wallet_ix]),
            meter=int(head["meter"]),
            reason="rerated",
            evidence={"late_readings": len(fresh), "difference_micro": sum(difference)},
        )
    )
    return lines


def _line(state: BookState, head: Any, kind: Kind, *, ts: int, register_wh: int) -> Any:
    line = np.zeros((), dtype=LINE)
    line["ts"] = ts
    line["ref"] = head["installation"]
    line["register_wh"] = register_wh
    line["counter_wh"] = head["counter_wh"]
    line["carry_nano"] = head["carry_nano"]
    line["carry_tax"] = head["carry_tax"]
    line["kind"] = kind
    line["book"] = state.book
    return line
