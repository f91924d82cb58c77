"""A dead meter's estimate that a person approved becomes a charge: the one estimate that moves a balance.

The fact names the approval; everything else is read from its row again, because whoever wrote the fact is not trusted.
The line is a reading nobody read: it moves the register's head, so the meter's next total (or the exchange) settles
against it. The meter stays doubted until it is really read again: nobody is cut on an estimate.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.scalar import rate
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.reworking import state_after
from fairwatt.store.posting import LINE, EventRow, QuarantineRow

DEAD_AFTER_US: Final = US_PER_DAY
"""A meter that was read within a day is not dead: its next reading says what was used."""


class EstimateRefused(ValueError):
    """The approved estimate cannot be charged; nothing was."""


@dataclass(frozen=True, kw_only=True)
class Registers:
    """The poster's registers in this batch, and those that a reading of this batch moves."""

    rows: npt.NDArray[Any]
    moving: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class ChargedEstimate:
    """The line of an approved estimate, where its register stands after it, and what is told."""

    line: Any
    wallet_ix: int
    register: int
    after: RegisterState
    event: EventRow
    doubt: QuarantineRow
    result: dict[str, Any]


def charge_estimate(
    *, cursor: Any, state: BookState, registers: Registers, approval: int, fact: int, now_us: int
) -> ChargedEstimate:
    """Rate an approved estimate from where the dead meter's register stands.

    Raises EstimateRefused, or what rating raises.
    """
    cursor.execute(
        "SELECT meter, installation, from_us, to_us, from_wh, wh, method, author FROM estimate_approval "
        "WHERE id = %s AND book = %s",
        [approval, state.book],
    )
    row = cursor.fetchone()
    cursor.execute("SELECT coalesce(payload->>'person', '') FROM fact WHERE id = %s", [fact])
    named = cursor.fetchone()
    if row is None:
        raise EstimateRefused("no person of this book approved such an estimate")
    _, installation, from_us, to_us, from_wh, wh, method, author = row
    n = _register(registers, int(installation))
    head = registers.rows[n]
    if n in registers.moving or (int(head["at_us"]), int(head["register_wh"])) != (
        int(from_us),
        int(from_wh),
    ):
        raise EstimateRefused(
            "the meter has been read since the approval; its own total settles what was used"
        )
    if not from_us + DEAD_AFTER_US <= to_us < now_us:
        raise EstimateRefused(
            "the meter has not been silent for a day, or the estimate reaches into the future"
        )
    if int(wh) * US_PER_HOUR > int(head["max_power_w"]) * (int(to_us) - int(from_us)):
        raise EstimateRefused("the connection could not have carried so much")
    if int(head["plan_ix"]) < 0:
        raise EstimateRefused("no tariff is in force for this meter")
    return _charged(
        state,
        head,
        n,
        {
            "approval": approval,
            "author": int(author),
            "person": str(named[0]) if named else "",  # for people to read; who it was is `author`
            "fact": fact,
            "installation": int(installation),
            "from_us": int(from_us),
            "to_us": int(to_us),
            "wh": int(wh),
            "method": method,
        },
        now_us,
    )


def _charged(
    state: BookState, head: Any, register: int, evidence: dict[str, Any], now_us: int
) -> ChargedEstimate:
    to_us, wh = int(evidence["to_us"]), int(evidence["wh"])
    register_wh = (int(head["register_wh"]) + wh) % int(head["modulus_wh"])
    line, after = charged_to(state=state, head=head, at_us=to_us, register_wh=register_wh)
    told = {**evidence, "amount_micro": int(line["amount_micro"])}
    wallet_ix, gateway, meter = int(head["wallet_ix"]), int(head["gateway"]), int(head["meter"])
    wallet = int(state.wallets["wallet"][wallet_ix])
    return ChargedEstimate(
        line=line,
        wallet_ix=wallet_ix,
        register=register,
        after=after,
        event=EventRow(
            kind="estimate.charged", at_us=now_us, wallet=wallet, gateway=gateway, meter=meter, evidence=told
        ),
        doubt=QuarantineRow(
            code="dead_meter",
            detail=f"{wh} Wh were charged by an approved estimate; nobody is cut on it",
            raw=json.dumps(told).encode(),
            gateway=gateway,
            meter=meter,
            at_us=to_us,
        ),
        result={"outcome": "charged", **told},
    )


def charged_to(*, state: BookState, head: Any, at_us: int, register_wh: int) -> tuple[Any, RegisterState]:
    """The line of a reading that nobody took, without a place in its wallet, and where it leaves the register.

    Raises what rating raises.
    """
    plan = state.plans[int(head["plan_ix"])]
    billed_wh = plan.schedule.grown(
        before=int(head["register_wh"]), after=register_wh, modulus=int(head["modulus_wh"])
    )
    charge, after = rate(
        table=plan.table, state=state_after(head), at_us=at_us, register_wh=register_wh, energy_wh=billed_wh
    )
    line = np.zeros((), dtype=LINE)
    line["ts"], line["ref"], line["book"], line["kind"] = (
        at_us,
        head["installation"],
        state.book,
        Kind.READING,
    )
    line["register_wh"], line["energy_wh"] = register_wh, billed_wh
    for name in ("energy_micro", "standing_micro", "tax_micro"):
        line[name] = getattr(charge, name)
    for name in ("counter_wh", "carry_nano", "carry_tax"):
        line[name] = getattr(after, name)
    line["amount_micro"] = -(charge.energy_micro + charge.standing_micro + charge.tax_micro)
    line["tariff_version"] = plan.version_numbers(at=np.array([at_us], dtype=np.int64))[0]
    return line, after


def _register(registers: Registers, installation: int) -> int:
    found = np.flatnonzero(registers.rows["installation"] == installation)
    if not len(found):
        raise EstimateRefused("the installation is closed or of another book")
    return int(found[0])


def move_register(
    *, rows: npt.NDArray[Any], register: int, after: RegisterState, estimated: bool = True
) -> None:
    """Let a register stand where an estimate, or a person's reading, left it."""
    for name in ("at_us", "register_wh", "counter_wh", "window_us", "carry_nano", "carry_tax"):
        rows[name][register] = getattr(after, name)
    rows["estimated"][register] = estimated
