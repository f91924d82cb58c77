"""Where a register stands when its home changes hands: as it was read, as a person read it, or as it is expected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from fairwatt.core.metering.register import ReadingRejected, advance
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.flows.posting.backdating import end_payload
from fairwatt.flows.posting.estimates import charged_to
from fairwatt.flows.posting.posted import Bench
from fairwatt.flows.posting.reworking import state_after
from fairwatt.flows.posting.truing import on_the_line, register_spec
from fairwatt.store import facts, moves
from fairwatt.store import registers as ledger
from fairwatt.store.moves import Change

PACE_DAYS: Final = 14
"""What is expected of a meter that is silent is its mean use over so many days."""


class MoveRefused(ValueError):
    """A home that cannot change hands as asked; nothing was changed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class MoveWaits(Exception):
    """The register moves in this very batch, or the poster does not know the home yet: the next batch does it."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """Where one register is left."""

    register: int
    installation: int
    state: RegisterState
    basis: str
    line: Any | None
    before_head: bool = False
    """it was read, and charged, after that moment"""


def leave(*, bench: Bench, installation: int, at_us: int, stated: int | None = None) -> Left:
    """Where a register stands at the instant, and what that still charges."""
    n = bench.state.installation_index.get(installation)
    if n is None or n in bench.registers.moving:
        raise MoveWaits
    if moves.waits_for_readings(cursor=bench.cursor, book=bench.state.book, installation=installation):
        raise MoveWaits
    head = bench.registers.rows[n]
    if int(head["plan_ix"]) < 0:
        raise MoveRefused("no_tariff", "no tariff is in force for a meter of this home")
    head_us = int(head["at_us"])
    if at_us < head_us:
        return _left_before(bench, at_us, n)
    if at_us == head_us:
        basis = "estimated" if head["estimated"] else "read"
        return Left(register=n, installation=installation, state=state_after(head), basis=basis, line=None)
    basis, register_wh = "estimated", stated
    if register_wh is None:
        register_wh = _expected(bench, head, at_us)
    else:
        basis = "stated"
        _check_stated(head, at_us, register_wh)
    line, after = charged_to(state=bench.state, head=head, at_us=at_us, register_wh=register_wh)
    return Left(register=n, installation=installation, state=after, basis=basis, line=line)


def _left_before(bench: Bench, at_us: int, n: int) -> Left:
    """Where a register stood before its newest reading: as it was read then, or between the readings around it."""
    head = bench.registers.rows[n]
    installation = int(head["installation"])
    ground: dict[str, Any] = {"cursor": bench.cursor, "book": bench.state.book, "installation": installation}
    start = ledger.start_before(**ground, before_us=at_us)
    assert start is not None, "a home is left after it was entered"
    around = ledger.standing_between(**ground, start=start, until_us=at_us)
    before = [one for one in around if one.at_us <= at_us][-1]
    after = around[-1]
    spec = register_spec(head)
    read = before.at_us == at_us
    register_wh = (
        before.register_wh
        if read
        else on_the_line(spec, (before.at_us, before.register_wh), at_us, (after.at_us, after.register_wh))
    )
    left = replace(state_after(head), at_us=at_us, register_wh=register_wh)
    return Left(
        register=n,
        installation=installation,
        state=left,
        basis="read" if read else "between",
        line=None,
        before_head=True,
    )


def end_readings(*, bench: Bench, one: Left, wallet: int) -> None:
    """What was read after the moment goes over to who came, in the next batch."""
    facts.add(
        cursor=bench.cursor,
        book=bench.state.book,
        kind="reading_edit",
        natural_key=f"end:{one.installation}:{one.state.at_us}",
        wallet=wallet,
        payload=end_payload(
            installation=one.installation,
            at_us=one.state.at_us,
            register_wh=one.state.register_wh,
            read=one.basis == "read",
        ),
        raw=b"",
        now_us=bench.now_us,
    )


def _check_stated(head: Any, at_us: int, register_wh: int) -> None:
    try:
        advance(
            spec=register_spec(head),
            prev_at_us=int(head["at_us"]),
            prev_wh=int(head["register_wh"]),
            at_us=at_us,
            wh=register_wh,
        )
    except ReadingRejected as error:
        raise MoveRefused(f"{error.code}_register", str(error)) from error


def _expected(bench: Bench, head: Any, at_us: int) -> int:
    """The register at an instant after its last reading: what its days before lead to expect, if it can carry that."""
    silent_us = at_us - int(head["at_us"])
    day_wh = moves.mean_day_wh(
        cursor=bench.cursor,
        book=bench.state.book,
        installation=int(head["installation"]),
        before_us=int(head["at_us"]),
        days=PACE_DAYS,
    )
    return expected_wh(
        day_wh=day_wh,
        silent_us=silent_us,
        max_power_w=int(head["max_power_w"]),
        register_wh=int(head["register_wh"]),
        modulus_wh=int(head["modulus_wh"]),
    )


def expected_wh(
    *, day_wh: int | None, silent_us: int, max_power_w: int, register_wh: int, modulus_wh: int
) -> int:
    """Where a register is expected after a silence: by the use of a day before it, and no more than it can carry."""
    expected = (day_wh or 0) * silent_us // US_PER_DAY
    carried = max_power_w * silent_us // US_PER_HOUR
    return (register_wh + max(0, min(expected, carried))) % modulus_wh


def note_change(*, bench: Bench, change: Change, author: int, reason: str) -> int:
    """Write down where one installation ended; return the number of the change."""
    about: dict[str, Any] = {
        "cursor": bench.cursor,
        "book": bench.state.book,
        "batch": bench.state.last_batch + 1,
        "now_us": bench.now_us,
    }
    number = moves.add_change(fact=bench.fact, change=change, author=author, reason=reason, **about)
    if change.basis != "estimated":
        moves.note_known(changeover=number, basis=change.basis, register_wh=change.left.register_wh, **about)
    return number
