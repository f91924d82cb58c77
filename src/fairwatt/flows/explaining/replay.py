"""Recompute a wallet from its first line to its last: every charge, every balance, no number missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.explain import Difference, add_exactly
from fairwatt.core.rating.state import RegisterState
from fairwatt.flows.explaining.ground import Ground
from fairwatt.flows.explaining.ids import LineId
from fairwatt.flows.posting.rerating import LIMITS
from fairwatt.store.lines import LineRow, chain
from fairwatt.store.models import Correction

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Slip:
    """A line that is not what it should be."""

    id: str
    what: Difference


@dataclass(kw_only=True)
class Replay:
    """What replaying a wallet came to: how many lines, how many of them recomputed, and what does not agree."""

    book: int
    wallet: int
    lines: int = 0
    charges: int = 0
    corrections: int = 0
    balance_micro: int = 0
    slips: list[Slip] = field(default_factory=list)
    """the first of them; `wrong` counts all"""
    wrong: int = 0

    @property
    def agrees(self) -> bool:
        """True when the whole chain is what its facts give, bit for bit."""
        return not self.wrong

    def note(self, line: LineRow, *what: Difference) -> None:
        """Keep what is wrong with a line."""
        for one in what:
            self.wrong += 1
            if len(self.slips) < _SHOWN:
                self.slips.append(Slip(str(LineId(line.book, line.wallet, line.seq)), one))


def replay_wallet(*, book: int, wallet: int) -> Replay:
    """Recompute the chain of a wallet, line by line in the order of seq, from stored facts alone.

    Each line's balance must be the one before it plus its amount; seq has no gap; each charge is rated again from
    the state that the replay itself reached; each correction adds the exact difference it names to the carry.
    """
    out = Replay(book=book, wallet=wallet)
    with transaction.atomic(), connection.cursor() as cursor, connection.cursor() as asking:
        registers = _Registers(asking)
        named = {(row.ref, row.ts_us): row for row in Correction.objects.filter(book=book, wallet=wallet)}
        for line in chain(cursor=cursor, book=book, wallet=wallet):
            out.lines += 1
            out.balance_micro += line.amount_micro
            out.note(
                line,
                *_differ(seq=(line.seq, out.lines), balance_micro=(line.balance_micro, out.balance_micro)),
            )
            match line.kind:
                case Kind.READING:
                    out.charges += 1
                    out.note(line, *registers.charge(line))
                case Kind.LATE:
                    out.note(
                        line, *_differ(amount_micro=(line.amount_micro, 0), energy_wh=(line.energy_wh, 0))
                    )
                    registers.follow(line)
                case Kind.CORRECTION:
                    out.corrections += 1
                    out.note(line, *registers.correct(line, named.get((line.ref, line.ts_us))))
                case _:
                    pass
    return out


class _Registers:
    """Where each register of the wallet stands as the replay goes on."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._grounds: dict[int, Ground] = {}
        self._states: dict[int, RegisterState] = {}

    def _ground(self, ref: int) -> Ground:
        if ref not in self._grounds:
            self._grounds[ref] = Ground(cursor=self._cursor, installation=ref)
        return self._grounds[ref]

    def _state(self, line: LineRow) -> RegisterState:
        if line.ref not in self._states:
            self._states[line.ref] = self._ground(line.ref).state_after(read=None, seq=1)
        return self._states[line.ref]

    def charge(self, line: LineRow) -> Iterator[Difference]:
        account = self._ground(line.ref).explain(line=line, before=self._state(line))
        self._states[line.ref] = account.after
        yield from account.differences
        yield from _differ(amount_micro=(line.amount_micro, -account.charge.amount_micro))

    def follow(self, line: LineRow) -> None:
        """A late reading leaves the fractions alone; the counter is that of the rerating it began."""
        before = self._state(line)
        again = next(
            (r for r in self._ground(line.ref).reratings if r.batch == line.batch and r.cause == "late"), None
        )
        self._states[line.ref] = RegisterState(
            before.at_us,
            before.register_wh,
            line.counter_wh,
            again.window_us if again else before.window_us,
            before.carry_nano,
            before.carry_tax,
        )

    def correct(self, line: LineRow, row: Correction | None) -> Iterator[Difference]:
        before = self._state(line)
        if row is None:
            yield Difference("correction", 1, 0)
            return
        carries = {"energy": before.carry_nano, "tax": before.carry_tax, "standing": 0}
        micro, carry = add_exactly(
            carry=carries[row.component],
            exact=int(row.new_exact) - int(row.old_exact),
            limit=LIMITS[row.component],
        )
        carries[row.component] = carry
        parts = {f"{name}_micro": (getattr(line, f"{name}_micro"), 0) for name in LIMITS}
        parts[f"{row.component}_micro"] = (getattr(line, f"{row.component}_micro"), micro)
        yield from _differ(
            **parts,
            amount_micro=(line.amount_micro, -micro),
            carry_nano=(line.carry_nano, carries["energy"]),
            carry_tax=(line.carry_tax, carries["tax"]),
        )
        window = next(
            (
                r.window_us
                for r in self._ground(line.ref).reratings
                if (r.batch, r.fact) == (row.batch, row.fact)
            ),
            before.window_us,
        )
        self._states[line.ref] = RegisterState(
            before.at_us, line.register_wh, line.counter_wh, window, carries["energy"], carries["tax"]
        )


def _differ(**pairs: tuple[int, int]) -> Iterator[Difference]:
    for name, (stored, now) in pairs.items():
        if stored != now:
            yield Difference(name, stored, now)
