"""Believed readings become lines: the vectorised rating core over a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind, Leg, combine
from fairwatt.core.ledger.recipes import charge_legs
from fairwatt.core.rating.vector import rate_rows
from fairwatt.core.rating.vector_conversion import billed_between
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.sift import Sifted, set_aside
from fairwatt.store.posting import LINE

Int64s = npt.NDArray[np.int64]


def charge_forward(
    *, state: BookState, registers: npt.NDArray[Any], intake: Intake, sifted: Sifted
) -> tuple[npt.NDArray[Any], Int64s]:
    """Rate every forward reading; return (lines, wallet index of each line) and move `registers`.

    `registers` is this batch's copy of the heads. Batch, seq and balances are filled in by `chain`. A meter
    whose readings cannot be rated stops nobody: they go from `sifted` into quarantine.
    """
    if len(sifted.forward):
        reg = sifted.register[sifted.forward]
        try:
            return _charge(state, registers, intake, sifted)
        except (ValueError, LookupError, ArithmeticError):
            unpriced = [
                n for n in np.unique(reg).tolist() if not _chargeable(state, registers, intake, sifted, n)
            ]
        set_aside(intake=intake, sifted=sifted, registers=unpriced)
    return _charge(state, registers, intake, sifted)


def _chargeable(
    state: BookState, registers: npt.NDArray[Any], intake: Intake, sifted: Sifted, n: int
) -> bool:
    """Try one register alone, on copies."""
    mine = sifted.register[sifted.forward] == n
    alone = replace(sifted, forward=sifted.forward[mine], energy_wh=sifted.energy_wh[mine])
    try:
        _charge(state, registers.copy(), intake, alone)
    except (ValueError, LookupError, ArithmeticError):
        return False
    return True


def _charge(
    state: BookState, registers: npt.NDArray[Any], intake: Intake, sifted: Sifted
) -> tuple[npt.NDArray[Any], Int64s]:
    """Rate all forward readings or raise what rating raised; `registers` moves only when all are rated."""
    rows = sifted.forward
    lines = np.zeros(len(rows), dtype=LINE)
    if not len(rows):
        return lines, np.empty(0, dtype=np.int64)
    reg = sifted.register[rows]
    at = intake.readings["at_us"][rows].astype(np.int64)
    total = intake.readings["total_wh"][rows].astype(np.int64)
    first = np.ones(len(rows), dtype=bool)
    first[1:] = reg[1:] != reg[:-1]
    prev_at = np.where(first, registers["at_us"][reg], np.roll(at, 1))
    plan_ix = registers["plan_ix"][reg]
    # What is billed: the use that was sifted, or under a tariff that converts it, the growth of the converted register.
    energy_wh = sifted.energy_wh.copy()
    windows: list[tuple[Int64s, Int64s]] = []
    for plan in np.unique(plan_ix):
        of_plan = plan_ix == plan
        part = slice(None) if of_plan.all() else np.flatnonzero(of_plan)
        mine = reg[part]
        schedule = state.plans[plan].schedule
        if not schedule.bills_register:
            modulus = registers["modulus_wh"][mine]
            before = (total[part] - sifted.energy_wh[part]) % modulus
            energy_wh[part] = billed_between(
                schedule=schedule, before=before, after=total[part], modulus=modulus
            )
        rated = rate_rows(
            vtable=state.plans[plan].vtable,
            first=first[part],
            prev_at=prev_at[part],
            at=at[part],
            energy_wh=energy_wh[part],
            counter=registers["counter_wh"][mine],
            window=registers["window_us"][mine],
            carry_nano=registers["carry_nano"][mine],
            carry_tax=registers["carry_tax"][mine],
        )
        lines["energy_micro"][part] = rated.energy_micro
        lines["standing_micro"][part] = rated.standing_micro
        lines["tax_micro"][part] = rated.tax_micro
        lines["counter_wh"][part] = rated.counter
        lines["carry_nano"][part] = rated.carry_nano
        lines["carry_tax"][part] = rated.carry_tax
        lines["tariff_version"][part] = state.plans[plan].version_numbers(at=at[part])
        last = np.ones(len(mine), dtype=bool)
        last[:-1] = mine[1:] != mine[:-1]
        windows.append((mine[last], rated.window[last]))
    lines["ts"] = at
    lines["ref"] = registers["installation"][reg]
    lines["register_wh"] = total
    lines["energy_wh"] = energy_wh
    lines["amount_micro"] = -(lines["energy_micro"] + lines["standing_micro"] + lines["tax_micro"])
    lines["kind"] = Kind.READING
    lines["book"] = state.book
    last = np.ones(len(reg), dtype=bool)
    last[:-1] = reg[1:] != reg[:-1]
    ends = reg[last]
    for which, window in windows:
        registers["window_us"][which] = window
    for name in ("register_wh", "counter_wh", "carry_nano", "carry_tax"):
        registers[name][ends] = lines[name][last]
    registers["at_us"][ends] = at[last]
    registers["estimated"][ends] = False
    return lines, registers["wallet_ix"][reg]


def chain(*, lines: npt.NDArray[Any], wallet_ix: Int64s, wallets: npt.NDArray[Any], batch: int) -> Int64s:
    """Number the lines of each wallet and run its balance; move `wallets`; return the touched indices.

    Lines keep their order inside a wallet: order is seq, never ts.
    """
    if not len(lines):
        return np.empty(0, dtype=np.int64)
    lines["batch"] = batch
    order = np.argsort(wallet_ix, kind="stable")
    ix = wallet_ix[order]
    first = np.ones(len(ix), dtype=bool)
    first[1:] = ix[1:] != ix[:-1]
    starts = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    running = np.cumsum(lines["amount_micro"][order])
    before = running[starts] - lines["amount_micro"][order[starts]]
    balance = running - before[group] + wallets["balance_micro"][ix]
    seq = np.arange(len(ix)) - starts[group] + 1 + wallets["seq"][ix]
    lines["wallet"] = wallets["wallet"][wallet_ix]
    lines["seq"][order] = seq
    lines["balance_micro"][order] = balance
    touched = ix[starts]
    last = np.append(starts[1:], len(ix)) - 1
    wallets["balance_micro"][touched] = balance[last]
    wallets["seq"][touched] = seq[last]
    return touched


def legs_of(*, currency: str, lines: npt.NDArray[Any], more: Sequence[Leg]) -> tuple[Leg, ...]:
    """A batch in the journal: one leg an account, the control leg on `wallet`."""
    if lines.dtype != LINE:
        raise TypeError("lines have another layout than LINE")
    charges = charge_legs(
        currency=currency,
        energy_micro=int(lines["energy_micro"].sum()),
        standing_micro=int(lines["standing_micro"].sum()),
        tax_micro=int(lines["tax_micro"].sum()),
    )
    return combine([*charges, *more])
