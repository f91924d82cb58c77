"""Explain a correction and the late reading that brought it: both ratings of the stretch are worked out again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.explain import Difference, add_exactly
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.flows.explaining.account import CorrectedBy, Corrects, LineAccount
from fairwatt.flows.explaining.ground import Ground, meter_of
from fairwatt.flows.explaining.ids import LineId
from fairwatt.flows.posting.plans import make_plan
from fairwatt.flows.posting.rerating import LIMITS, Change, Question, work_out
from fairwatt.flows.posting.site_rerating import rerate_site
from fairwatt.store.lines import line_at, lines_of_batch
from fairwatt.store.models import Correction, Rerating
from fairwatt.store.registers import Edit, edits_of, opening_of, start_before


def explain_correction(cursor: Any, account: LineAccount) -> LineAccount:
    """What is corrected, why, by how much exactly; and whether it works out to the same now."""
    line = account.line
    row = Correction.objects.filter(book=line.book, ref=line.ref, ts_us=line.ts_us).first()
    if row is None:
        return replace(account, recomputed=False).with_differences(Difference("correction", 1, 0))
    cause = Rerating.objects.get(installation=row.ref, batch=row.batch, fact=row.fact)
    ground = Ground(cursor=cursor, installation=line.ref)
    readings, edit = _learned(cursor, ground, cause)
    mine = list(
        Correction.objects.filter(book=row.book, ref=row.ref, batch=row.batch, fact=row.fact).order_by("seq")
    )
    first_seq = cause.last_seq - len(mine) - (len(readings) if cause.cause == "late" else 0) + 1
    carry = _carry_before(cursor, ground, account, first_seq, mine, row)
    unit = LIMITS[row.component]
    micro, carry_after = add_exactly(carry=carry, exact=int(row.new_exact) - int(row.old_exact), limit=unit)
    slips = _slips(account, row, micro, carry_after)
    change = _again(cursor, account, ground, cause, first_seq, readings, edit)
    return replace(
        account,
        meter=meter_of(ground, seq=line.seq),
        corrects=Corrects(
            cause=cause.cause,
            component=row.component,
            day_us=row.day_us,
            first_seq=row.first_seq,
            last_seq=row.last_seq,
            from_us=row.from_us,
            until_us=row.until_us,
            old_exact=int(row.old_exact),
            new_exact=int(row.new_exact),
            unit=unit,
            carry_before=carry,
            carry_after=carry_after,
            author=cause.author,
            reason=cause.reason,
            fact=cause.fact,
            readings=tuple(readings),
        ),
        recomputed=change is not None,
        differences=(*slips, *(_against(row, change) if change else ())),
    )


def explain_late(cursor: Any, account: LineAccount) -> LineAccount:
    """A reading that came late: it costs nothing itself, and these corrections followed from it."""
    line, ground = account.line, Ground(cursor=cursor, installation=account.line.ref)
    followed = []
    for row in Correction.objects.filter(book=line.book, ref=line.ref, batch=line.batch, fact=0).order_by(
        "seq"
    ):
        by = line_at(cursor=cursor, book=row.book, wallet=row.wallet, seq=row.seq, about_us=row.ts_us)
        if by is not None:
            name = str(LineId(row.book, row.wallet, row.seq))
            followed.append(
                CorrectedBy(id=name, component=row.component, amount_micro=by.amount_micro, day_us=row.day_us)
            )
    slips = (Difference("amount_micro", line.amount_micro, 0),) if line.amount_micro else ()
    return replace(
        account, meter=meter_of(ground, seq=line.seq), corrected_by=tuple(followed), differences=slips
    )


def _learned(
    cursor: Any, ground: Ground, cause: Rerating
) -> tuple[list[tuple[int, int | None]], Edit | None]:
    """The readings that a rerating learned, as (instant, register)."""
    if cause.cause == "late":
        late = lines_of_batch(
            cursor=cursor,
            book=cause.book,
            ref=cause.installation,
            batch=cause.batch,
            kind=Kind.LATE,
            from_us=cause.from_us,
            until_us=max(cause.until_us, cause.counted_us),
        )
        return [(row.ts_us, row.register_wh) for row in late], None
    if cause.cause == "edited":
        edits = edits_of(cursor=cursor, book=cause.book, installation=cause.installation)
        edit = next((one for one in edits if one.fact == cause.fact), None)
        return ([(edit.at_us, edit.register_wh)], edit) if edit else ([], None)
    return [], None


def _again(
    cursor: Any,
    account: LineAccount,
    ground: Ground,
    cause: Rerating,
    first_seq: int,
    readings: list[tuple[int, int | None]],
    edit: Edit | None,
) -> Change | None:
    """Rate the stretch again both ways, from what was known then; None when its facts are out of sight."""
    if cause.cause == "tariff":
        return _under_both(cursor, account, ground, cause, first_seq)
    if not readings:
        return None
    start = start_before(
        cursor=cursor,
        book=cause.book,
        installation=cause.installation,
        before_us=min(at for at, _ in readings),
        as_of_seq=first_seq,
    ) or opening_of(cursor=cursor, installation=cause.installation)
    question = Question(
        book=cause.book,
        zone=account.zone,
        installation=cause.installation,
        modulus_wh=ground.modulus_wh,
        plan=make_plan(plan=ground.installation.plan_id, schedule=ground.table(seq=first_seq).schedule),
        head_us=ground.state_before(line=account.line, seq=first_seq).at_us,
        as_of_seq=first_seq,
    )
    fresh = {at: wh for at, wh in readings if wh is not None} if edit is None else {}
    change, _ = work_out(cursor=cursor, question=question, start=start, fresh=fresh, edit=edit)
    return change


def _under_both(
    cursor: Any, account: LineAccount, ground: Ground, cause: Rerating, first_seq: int
) -> Change | None:
    """Rate a register under the tariff it was charged by and under the corrected one."""
    new = next((p for p in ground.publications if p.id == cause.publication), None)
    if new is None:
        return None
    texts = (ground.publication(seq=first_seq).text, new.text)
    start = start_before(
        cursor=cursor,
        book=cause.book,
        installation=cause.installation,
        before_us=cause.from_us + 1,
        as_of_seq=first_seq,
    ) or opening_of(cursor=cursor, installation=cause.installation)
    old_plan, new_plan = (
        make_plan(
            plan=ground.installation.plan_id,
            schedule=parse_schedule(text),
            values=ground.values_under(text),
            since_us=start.at_us,
        )
        for text in texts
    )
    change = rerate_site(
        cursor=cursor,
        book=cause.book,
        zone=account.zone,
        installations=np.array([cause.installation], dtype=np.int64),
        modulus_wh=np.array([ground.modulus_wh], dtype=np.int64),
        starts=[start],
        moves=[(old_plan, new_plan)],
        until_us=cause.until_us,
        by_day=True,
        before_seq=first_seq,
    )
    return change.change(0)


def _against(row: Correction, change: Change) -> list[Difference]:
    """The stored exact amounts against those worked out now."""
    day = next((d for d in change.days if (d.component, d.day_us) == (row.component, row.day_us)), None)
    old, new = (day.old_exact, day.new_exact) if day else (0, 0)
    pairs = (("old_exact", int(row.old_exact), old), ("new_exact", int(row.new_exact), new))
    return [Difference(name, stored, now) for name, stored, now in pairs if stored != now]


def _carry_before(
    cursor: Any,
    ground: Ground,
    account: LineAccount,
    first_seq: int,
    mine: list[Correction],
    row: Correction,
) -> int:
    """The fraction the register carried when this correction was posted: others of its batch came before it."""
    if row.component == "standing":
        return 0
    state = ground.state_before(line=account.line, seq=first_seq)
    carry = state.carry_nano if row.component == "energy" else state.carry_tax
    for other in mine:
        if other.seq < row.seq and other.component == row.component:
            exact = int(other.new_exact) - int(other.old_exact)
            carry = add_exactly(carry=carry, exact=exact, limit=LIMITS[row.component])[1]
    return carry


def _slips(account: LineAccount, row: Correction, micro: int, carry_after: int) -> list[Difference]:
    line = account.line
    stored_carry = {"energy": line.carry_nano, "tax": line.carry_tax}.get(row.component, carry_after)
    pairs = (
        (f"{row.component}_micro", int(getattr(line, f"{row.component}_micro")), micro),
        ("amount_micro", line.amount_micro, -micro),
        ("carry", stored_carry, carry_after),
        ("seq", line.seq, row.seq),
    )
    return [Difference(name, stored, now) for name, stored, now in pairs if stored != now]
