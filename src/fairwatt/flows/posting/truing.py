"""An estimate is settled by the meter's own word: where a real reading does not fit beside it, the estimate gives way.

Real readings are judged among real readings alone. An estimate that still lies between its real neighbours stays as it
was charged; another moves onto the line between them, or to the last of them while nothing is known beyond. What it
charged too much or too little becomes correction lines of its day, and stands in a fact of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import transaction

from fairwatt.core.metering.register import ReadingRejected, RegisterSpec, advance
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.reworking import Reworked, rework
from fairwatt.flows.posting.sift import Sifted
from fairwatt.store import facts
from fairwatt.store import registers as ledger
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.store.registers import Edit, Known, Start

AUTHOR: Final = "Fairwatt"
ESTIMATE_GAVE_WAY: Final = "the meter was read after its use had been estimated"


@dataclass(kw_only=True)
class Settled:
    """What a register's estimates were moved to in this batch, and from where it was rated again."""

    start: Start
    edits: list[Edit] = field(default_factory=list)
    from_us: int = 0
    """the next correction line of the register stands here or later"""


@dataclass(kw_only=True)
class TruedUp:
    """What the real readings of a batch made of estimates, by register."""

    estimates: dict[int, Settled] = field(default_factory=dict)
    reworked: list[Reworked] = field(default_factory=list)
    answers: list[FactAnswer] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)


def true_up_estimates(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    intake: Intake,
    sifted: Sifted,
    now_us: int,
) -> TruedUp:
    """Move every estimate that a real reading of this batch contradicts; move `registers`."""
    out = TruedUp()
    said = _said(registers, intake, sifted)
    if not said:
        return out
    installations = [int(registers["installation"][n]) for n in said]
    estimates = ledger.estimates_of(cursor=cursor, book=state.book, installations=installations)
    for n, readings in sorted(said.items()):
        instants = estimates.get(int(registers["installation"][n]))
        if not instants:
            continue
        before = registers[n].copy()
        try:
            with transaction.atomic():
                one = _settle(cursor, state, registers, n, frozenset(instants), readings, now_us)
        except (ValueError, LookupError, ArithmeticError):
            registers[n] = (
                before  # what cannot be rated again stays; its readings go to quarantine as they are judged
            )
            continue
        if one.reworked:
            out.estimates |= one.estimates
            out.reworked += one.reworked
            out.answers += one.answers
            out.events += one.events
    return out


def register_spec(head: Any) -> RegisterSpec:
    """The limits of a row of the poster's registers."""
    return RegisterSpec(
        modulus_wh=int(head["modulus_wh"]),
        resolution_wh=int(head["resolution_wh"]),
        max_power_w=int(head["max_power_w"]),
    )


def _said(registers: npt.NDArray[Any], intake: Intake, sifted: Sifted) -> dict[int, list[tuple[int, int]]]:
    """(instant, register) that were said of each register that stands on an estimate or hears of its past."""
    of_register = sifted.register[sifted.plausible]
    asked = np.isin(of_register, sifted.register[sifted.behind]) | registers["estimated"][of_register]
    said: dict[int, list[tuple[int, int]]] = {}
    for row in sifted.plausible[asked].tolist():
        reading = intake.readings[row]
        said.setdefault(int(sifted.register[row]), []).append(
            (int(reading["at_us"]), int(reading["total_wh"]))
        )
    return said


def _settle(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    n: int,
    estimates: frozenset[int],
    said: list[tuple[int, int]],
    now_us: int,
) -> TruedUp:
    installation = int(registers["installation"][n])
    start = _real_start(cursor, state.book, installation, estimates, min(said)[0])
    known = _known(cursor, state.book, registers[n], start, estimates, max(said)[0])
    moved = moved_estimates(known=known, estimates=estimates, said=said, spec=register_spec(registers[n]))
    out, settled = TruedUp(), Settled(start=start)
    for at_us, wh, read in moved:
        edit = _as_fact(cursor, state, registers[n], at_us, wh, read, now_us)
        made = rework(
            cursor=cursor,
            state=state,
            registers=registers,
            n=n,
            start=start,
            fresh={},
            cause="edited",
            now_us=now_us,
            edit=edit,
            pending=settled.edits,
            from_us=settled.from_us,
        )
        settled.edits.append(edit)
        settled.from_us = max([settled.from_us, *(int(line["ts"]) + 1 for line in made.lines)])
        result = {"difference_micro": made.difference_micro, "corrections": len(made.lines)}
        out.reworked.append(made)
        out.answers.append(FactAnswer(fact=edit.fact, state="posted", result=result))
        was = next(one.register_wh for one in known if one.at_us == at_us)
        evidence = {"fact": edit.fact, "at_us": at_us, "estimated_wh": was, "register_wh": wh, **result}
        out.events.append(
            EventRow(
                kind="estimate.trued_up",
                at_us=now_us,
                wallet=made.row.wallet,
                gateway=int(registers["gateway"][n]),
                meter=int(registers["meter"][n]),
                rule="estimate.real_reading_wins",
                evidence=evidence,
            )
        )
    if out.reworked:
        out.estimates[n] = settled
    return out


def _real_start(
    cursor: Any, book: int, installation: int, estimates: frozenset[int], before_us: int
) -> Start:
    """The newest real reading before an instant from which rating may start, or the opening."""
    opening = ledger.opening_of(cursor=cursor, installation=installation)
    while before_us > opening.at_us:
        start = ledger.start_before(cursor=cursor, book=book, installation=installation, before_us=before_us)
        if start is None or start.at_us not in estimates:
            return start or opening
        before_us = start.at_us
    return opening


def _known(
    cursor: Any, book: int, head: Any, start: Start, estimates: frozenset[int], until_us: int
) -> list[Known]:
    """What stands from `start` up to the first real reading at or after an instant, or the head."""
    while True:
        known = ledger.standing_between(
            cursor=cursor, book=book, installation=int(head["installation"]), start=start, until_us=until_us
        )
        if known[-1].at_us not in estimates or known[-1].at_us >= int(head["at_us"]):
            return known
        until_us = known[-1].at_us + 1


def moved_estimates(
    *, known: Sequence[Known], estimates: frozenset[int], said: Iterable[tuple[int, int]], spec: RegisterSpec
) -> list[tuple[int, int, bool]]:
    """(instant, register, whether it was read there) of every estimate that has to move, in order of time.

    `known` begins with a reading that is real; `said` are readings that may be believed.
    """
    standing = {one.at_us: one.register_wh for one in known}
    points = {at: wh for at, wh in standing.items() if at not in estimates or at == known[0].at_us}
    for at, wh in sorted(said):
        before, after = _around(points, at)
        if at not in points and before is not None and _lies_between(spec, before, (at, wh), after):
            points[at] = wh
    moved = []
    for at in sorted(set(standing) & estimates - {known[0].at_us}):
        was, read = standing[at], at in points
        if not read:
            before, after = _around(points, at)
            assert before is not None, "what is known begins with a real reading"
            stands = _lies_between(spec, before, (at, was), after)
            points[at] = was if stands else _on_the_line(spec, before, at, after)
        if points[at] != was:
            moved.append((at, points[at], read))
    return moved


type _Point = tuple[int, int]
"""(instant, register in Wh)"""


def _around(points: dict[int, int], at: int) -> tuple[_Point | None, _Point | None]:
    instants = sorted(points)
    place = bisect_left(instants, at)
    before = instants[place - 1] if place else None
    after = next((one for one in instants[place:] if one > at), None)
    return (
        None if before is None else (before, points[before]),
        None if after is None else (after, points[after]),
    )


def _lies_between(spec: RegisterSpec, before: _Point, at: _Point, after: _Point | None) -> bool:
    try:
        for one, other in ((before, at), (at, after)):
            if other is not None:
                advance(spec=spec, prev_at_us=one[0], prev_wh=one[1], at_us=other[0], wh=other[1])
    except ReadingRejected:
        return False
    return True


def _on_the_line(spec: RegisterSpec, before: _Point, at_us: int, after: _Point | None) -> int:
    """The register between two real readings, in proportion to time; that of the last where nothing is known after."""
    if after is None:
        return before[1]
    used_wh = (after[1] - before[1]) % spec.modulus_wh
    return (before[1] + used_wh * (at_us - before[0]) // (after[0] - before[0])) % spec.modulus_wh


def _as_fact(cursor: Any, state: BookState, head: Any, at_us: int, wh: int, read: bool, now_us: int) -> Edit:
    """Write down, as what a person asks for is, that an estimate shows another value from this batch on."""
    installation, batch = int(head["installation"]), state.last_batch + 1
    fact, _ = facts.add(
        cursor=cursor,
        book=state.book,
        kind="reading_edit",
        natural_key=f"trueup:{installation}:{at_us}:{batch}",
        wallet=int(state.wallets["wallet"][head["wallet_ix"]]),
        payload={
            "installation": installation,
            "at_us": at_us,
            "register_wh": wh,
            "author": AUTHOR,
            "reason": ESTIMATE_GAVE_WAY,
            "estimate": not read,
        },
        raw=b"",
        now_us=now_us,
    )
    return Edit(fact, at_us, wh, AUTHOR, ESTIMATE_GAVE_WAY)
