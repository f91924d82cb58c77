"""An estimate is settled by the meter's own word: where a real reading does not fit beside it, the estimate gives way.

Real readings are judged among real readings alone. An estimate that still lies between its real neighbours stays as it
was charged; another moves onto the line between them, or to the last of them while nothing is known beyond. Where a
home changed hands and nobody read the meter, the register always moves onto that line: it ends one account and opens
the next. What was charged too much or too little becomes correction lines of its day, and stands in a fact of its own.
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
from fairwatt.flows.posting.ending import note_ends
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.links import Chain, Chains, Link
from fairwatt.flows.posting.reworking import Reworked, move_opening, rework
from fairwatt.flows.posting.sift import Sifted, keys_of
from fairwatt.store import facts
from fairwatt.store import registers as ledger
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.store.registers import Edit, Known, Start

AUTHOR: Final = "Fairwatt"
ESTIMATE_GAVE_WAY: Final = "the meter was read after its use had been estimated"
CHANGE_WAS_READ: Final = "the meter was read after the home had changed hands"


@dataclass(kw_only=True)
class Settled:
    """What a register's estimates were moved to in this batch, and from where it was rated again."""

    start: Start
    edits: list[Edit] = field(default_factory=list)
    from_us: int = 0
    """the next correction line of the register stands here or later"""


@dataclass(kw_only=True)
class TruedUp:
    """What the real readings of a batch made of estimates, by installation."""

    estimates: dict[int, Settled] = field(default_factory=dict)
    reworked: list[Reworked] = field(default_factory=list)
    answers: list[FactAnswer] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    more: bool = False
    """an account may be settled now: the next batch has to"""


def true_up_estimates(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    intake: Intake,
    sifted: Sifted,
    chains: Chains,
    now_us: int,
) -> TruedUp:
    """Move every estimate that a real reading of this batch contradicts; move `registers`, and those of `chains`."""
    out = TruedUp()
    told = _told(registers, intake, sifted, chains)
    if not told:
        return out
    installations = [link.installation for chain, _ in told for link in chain.links]
    estimates = ledger.estimates_of(cursor=cursor, book=state.book, installations=installations)
    for chain, said in told:
        instants = frozenset(at for link in chain.links for at in estimates.get(link.installation, ()))
        if not instants and not chain.guessed:
            continue
        before = [link.head.copy() for link in chain.links]
        try:
            with transaction.atomic():
                one = _Settling(cursor, state, chain, instants | chain.guessed, now_us).settle(said)
        except (ValueError, LookupError, ArithmeticError):
            for link, head in zip(chain.links, before, strict=True):
                # what cannot be rated again stays; its readings go to quarantine as they are judged
                link.registers[link.n] = head
            continue
        out.estimates |= one.estimates
        out.reworked += one.reworked
        out.answers += one.answers
        out.events += one.events
        out.more |= one.more
    return out


def register_spec(head: Any) -> RegisterSpec:
    """The limits of a row of the poster's registers."""
    return RegisterSpec(
        modulus_wh=int(head["modulus_wh"]),
        resolution_wh=int(head["resolution_wh"]),
        max_power_w=int(head["max_power_w"]),
    )


def _told(
    registers: npt.NDArray[Any], intake: Intake, sifted: Sifted, chains: Chains
) -> list[tuple[Chain, list[tuple[int, int]]]]:
    """What was said, as (instant, register), of each meter that stands on an estimate or hears of its past."""
    of_register = sifted.register[sifted.plausible]
    asked = np.isin(of_register, sifted.register[sifted.behind]) | registers["estimated"][of_register]
    past = keys_of(intake=intake, rows=sifted.past)
    asked |= np.isin(registers["key"][of_register], past)
    said: dict[int, list[tuple[int, int]]] = {}
    rows = sifted.plausible[asked]
    keys = [*registers["key"][sifted.register[rows]].tolist(), *past.tolist()]
    for key, row in zip(keys, [*rows.tolist(), *sifted.past.tolist()], strict=True):
        reading = intake.readings[row]
        said.setdefault(key, []).append((int(reading["at_us"]), int(reading["total_wh"])))
    open_of = {int(registers["key"][n]): n for n in np.unique(sifted.register[rows]).tolist()}
    return [
        (chains.of_meter(key=key, registers=registers, n=open_of.get(key, -1)), readings)
        for key, readings in sorted(said.items())
        if key in chains.of_key or key in open_of
    ]


class _Settling:
    """The estimates of one meter, and the readings that settle them."""

    def __init__(
        self, cursor: Any, state: BookState, chain: Chain, estimates: frozenset[int], now_us: int
    ) -> None:
        self._cursor, self._state, self._chain = cursor, state, chain
        self._estimates, self._now_us = estimates, now_us
        self.out = TruedUp()

    def settle(self, said: list[tuple[int, int]]) -> TruedUp:
        """Move what has to move."""
        first, start = self._real_start(min(said)[0])
        known = self._known(first, start, max(said)[0])
        spec = register_spec(self._chain.links[first].head)
        real = believed(known=known, estimates=self._estimates, said=said, spec=spec)
        standing = {one.at_us: one.register_wh for one in known}
        moved = moved_estimates(
            known=known, estimates=self._estimates, real=real, spec=spec, loose=self._chain.guessed
        )
        for at_us, wh, read in moved:
            for link in self._chain.links[first:]:
                if at_us == link.opened_us or link.holds(at_us):
                    begins = start if link is self._chain.links[first] else None
                    self._move(link, begins, at_us, (standing[at_us], wh), read)
        standing |= {at_us: wh for at_us, wh, _ in moved}
        ends = note_ends(
            cursor=self._cursor,
            state=self._state,
            links=self._chain.links[first:],
            real=real,
            standing=standing,
            now_us=self._now_us,
        )
        self.out.events += ends.events
        self.out.more |= ends.more
        return self.out

    def _real_start(self, before_us: int) -> tuple[int, Start]:
        """The newest real reading before an instant from which rating may start, or the first opening; and its link."""
        links = self._chain.links
        k = max((k for k, link in enumerate(links) if link.opened_us < before_us), default=0)
        while True:
            start = self._real_start_in(links[k], before_us)
            began = start.at_us == links[k].opened_us and start.at_us in self._estimates
            if not (start.opening and began and self._chain.follows(k)):
                return k, start
            before_us, k = links[k].opened_us, k - 1

    def _real_start_in(self, link: Link, before_us: int) -> Start:
        opening = ledger.opening_of(cursor=self._cursor, installation=link.installation)
        while before_us > opening.at_us:
            start = ledger.start_before(
                cursor=self._cursor,
                book=self._state.book,
                installation=link.installation,
                before_us=before_us,
            )
            if start is None or start.at_us not in self._estimates:
                return start or opening
            before_us = start.at_us
        return opening

    def _known(self, first: int, start: Start, until_us: int) -> list[Known]:
        """What stands from `start` up to the first real reading at or after an instant, or the newest of all."""
        links = self._chain.links
        known = self._known_in(links[first], start, until_us)
        for k in range(first + 1, len(links)):
            if (known[-1].at_us >= until_us and known[-1].at_us not in self._estimates) or not (
                self._chain.follows(k)
            ):
                break
            opening = ledger.opening_of(cursor=self._cursor, installation=links[k].installation)
            known += [one for one in self._known_in(links[k], opening, until_us) if one.at_us > opening.at_us]
        return known

    def _known_in(self, link: Link, start: Start, until_us: int) -> list[Known]:
        while True:
            known = ledger.standing_between(
                cursor=self._cursor,
                book=self._state.book,
                installation=link.installation,
                start=start,
                until_us=until_us,
            )
            if known[-1].at_us not in self._estimates or known[-1].at_us >= int(link.head["at_us"]):
                return known
            until_us = known[-1].at_us + 1

    def _move(
        self, link: Link, start: Start | None, at_us: int, register_wh: tuple[int, int], read: bool
    ) -> None:
        """Charge one account again with an estimate at its new place; `register_wh`: the old and the new value."""
        was, wh = register_wh
        start = start or ledger.opening_of(cursor=self._cursor, installation=link.installation)
        settled = self.out.estimates.setdefault(link.installation, Settled(start=start))
        at_change = at_us in self._chain.guessed
        edit = _as_fact(self._cursor, self._state, link.head, at_us, wh, read, at_change, self._now_us)
        about: dict[str, Any] = {
            "state": self._state,
            "registers": link.registers,
            "n": link.n,
            "edit": edit,
        }
        if at_us == link.opened_us == int(link.head["at_us"]):
            made = move_opening(**about)
        else:
            made = rework(
                cursor=self._cursor,
                start=settled.start,
                fresh={},
                cause="edited",
                pending=settled.edits,
                from_us=settled.from_us,
                now_us=self._now_us,
                **about,
            )
        settled.edits.append(edit)
        settled.from_us = max([settled.from_us, *(int(line["ts"]) + 1 for line in made.lines)])
        result = {"difference_micro": made.difference_micro, "corrections": len(made.lines)}
        self.out.reworked.append(made)
        self.out.answers.append(FactAnswer(fact=edit.fact, state="posted", result=result))
        evidence = {"fact": edit.fact, "at_us": at_us, "estimated_wh": was, "register_wh": wh, **result}
        about = {
            "at_us": self._now_us,
            "wallet": made.row.wallet,
            "gateway": int(link.head["gateway"]),
            "meter": int(link.head["meter"]),
            "evidence": evidence,
        }
        if at_change:
            event = EventRow(kind="move.trued_up", rule="move.real_reading_wins", **about)
        else:
            event = EventRow(kind="estimate.trued_up", rule="estimate.real_reading_wins", **about)
        self.out.events.append(event)


def believed(
    *, known: Sequence[Known], estimates: frozenset[int], said: Iterable[tuple[int, int]], spec: RegisterSpec
) -> dict[int, int]:
    """{instant: register} of what was really read: what stands and is no estimate, and what was said and fits.

    `known` begins with a reading that is real.
    """
    points = {
        one.at_us: one.register_wh
        for one in known
        if one.at_us not in estimates or one.at_us == known[0].at_us
    }
    for at, wh in sorted(said):
        before, after = _around(points, at)
        if at not in points and before is not None and _lies_between(spec, before, (at, wh), after):
            points[at] = wh
    return points


def moved_estimates(
    *,
    known: Sequence[Known],
    estimates: frozenset[int],
    real: dict[int, int],
    spec: RegisterSpec,
    loose: frozenset[int] = frozenset(),
) -> list[tuple[int, int, bool]]:
    """(instant, register, whether it was read there) of every estimate that has to move, in order of time.

    `real` is what `believed` found; the `loose` go onto the line as soon as something is known beyond.
    """
    standing = {one.at_us: one.register_wh for one in known}
    points = dict(real)
    moved = []
    for at in sorted(set(standing) & estimates - {known[0].at_us}):
        was, read = standing[at], at in real
        if not read:
            before, after = _around(points, at)
            assert before is not None, "what is known begins with a real reading"
            stands = _lies_between(spec, before, (at, was), after) and not (at in loose and after)
            points[at] = was if stands else on_the_line(spec, before, at, after)
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


def on_the_line(spec: RegisterSpec, before: _Point, at_us: int, after: _Point | None) -> int:
    """The register between two real readings, in proportion to time; that of the last where nothing is known after."""
    if after is None:
        return before[1]
    used_wh = (after[1] - before[1]) % spec.modulus_wh
    return (before[1] + used_wh * (at_us - before[0]) // (after[0] - before[0])) % spec.modulus_wh


def _as_fact(
    cursor: Any, state: BookState, head: Any, at_us: int, wh: int, read: bool, at_change: bool, now_us: int
) -> Edit:
    """Write down, as what a person asks for is, that an estimate shows another value from this batch on."""
    installation, batch = int(head["installation"]), state.last_batch + 1
    reason = CHANGE_WAS_READ if at_change else ESTIMATE_GAVE_WAY
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
            "reason": reason,
            "estimate": not read,
        },
        raw=b"",
        now_us=now_us,
    )
    return Edit(fact, at_us, wh, AUTHOR, reason)
