"""A home that changed hands before its newest reading: what was charged after that moment goes over to who came.

The move itself (moving.py) ends one installation in the past and opens the next; this follows in the next batch, as a
fact of the poster's own. The old account gets back what its register counted after the moment, as corrections of those
days, and the new one is charged with the very same readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.vector import rate_rows
from fairwatt.core.rating.vector_conversion import billed_between
from fairwatt.flows.posting.book_state import BookState, register_key
from fairwatt.flows.posting.ending import ask_to_settle
from fairwatt.flows.posting.links import Link, chains_of_meters
from fairwatt.flows.posting.reworking import Reworked, rework, state_after
from fairwatt.flows.posting.sift import AHEAD_US
from fairwatt.flows.posting.wanted import CannotCorrect, Corrected, Wanted
from fairwatt.store import moves
from fairwatt.store import registers as ledger
from fairwatt.store.corrections import CorrectionRows, ReratingRow
from fairwatt.store.posting import LINE, EventRow, FactAnswer
from fairwatt.store.registers import Edit, Known

AUTHOR: Final = "Fairwatt"
ENDED_BEFORE: Final = "the home had changed hands before these readings"
POSTER: Final = "fairwatt_poster"


def end_payload(*, installation: int, at_us: int, register_wh: int, read: bool) -> dict[str, Any]:
    """What the fact says by which the readings of an installation end at a moment."""
    return {
        "installation": installation,
        "at_us": at_us,
        "register_wh": register_wh,
        "author": AUTHOR,
        "reason": ENDED_BEFORE,
        "estimate": not read,
        "ends": True,
    }


def post_end(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    one: Wanted,
    edit: Edit,
    out: Corrected,
    now_us: int,
) -> None:
    """Give back what an ended installation was charged after its end, and charge it to the one that follows."""
    cursor.execute("SELECT by_role FROM fact WHERE id = %s", [one.fact])
    if cursor.fetchone()[0] != POSTER:
        raise CannotCorrect("not_authorised", "only the poster ends an installation in the past")
    link, following = _links(cursor, state, registers, int(one.content["installation"]), edit.at_us, now_us)
    start = ledger.start_before(
        cursor=cursor, book=state.book, installation=link.installation, before_us=edit.at_us
    ) or ledger.opening_of(cursor=cursor, installation=link.installation)
    stored = ledger.standing_between(
        cursor=cursor,
        book=state.book,
        installation=link.installation,
        start=start,
        until_us=now_us + AHEAD_US,
    )
    guessed = ledger.estimates_of(cursor=cursor, book=state.book, installations=[link.installation])
    estimates = set(guessed.get(link.installation, ()))
    later = [known for known in stored if known.at_us > edit.at_us]
    link.head["at_us"] = max(known.at_us for known in stored)
    given = rework(
        cursor=cursor,
        state=state,
        registers=link.registers,
        n=link.n,
        start=start,
        fresh={},
        cause="edited",
        now_us=now_us,
        edit=edit,
    )
    taken = [known for known in later if known.at_us not in estimates]
    over = _go_over(cursor, state, following, taken, now_us) if following is not None and taken else []
    out.reworked += [given, *over]
    wallet = given.row.wallet
    ask_to_settle(cursor=cursor, book=state.book, wallet=wallet, batch=None, now_us=now_us)
    out.more = True
    result = {"difference_micro": given.difference_micro, "corrections": len(given.lines)}
    out.answers.append(FactAnswer(fact=one.fact, state="posted", result=result))
    evidence = {"fact": one.fact, "at_us": edit.at_us, "readings": len(taken), **result}
    out.events.append(EventRow(kind="move.went_over", at_us=now_us, wallet=wallet, evidence=evidence))


def _links(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    installation: int,
    at_us: int,
    now_us: int,
) -> tuple[Link, Link | None]:
    """The ended installation, and the open one that goes on from it."""
    meter = moves.meter_of(cursor=cursor, installation=installation)
    chains = chains_of_meters(cursor=cursor, state=state, registers=registers, meters=[meter], now_us=now_us)
    chain = chains.of_key.get(register_key(gateway=meter[0], meter=meter[1]))
    links = chain.links if chain else ()
    link = next((one for one in links if one.installation == installation and one.closed_us == at_us), None)
    if link is None:
        raise CannotCorrect("unknown_installation", "this book ended no such installation at that moment")
    return link, next((one for one in links if one.opened_us == at_us and one.closed_us is None), None)


def _go_over(
    cursor: Any, state: BookState, link: Link, taken: Sequence[Known], now_us: int
) -> list[Reworked]:
    """Charge readings to the open installation that they belong to: those it has passed as late ones, the rest as they
    came."""
    head_us = int(link.head["at_us"])
    passed = {known.at_us: known.register_wh for known in taken if known.at_us < head_us}
    made = []
    if passed:
        opening = ledger.opening_of(cursor=cursor, installation=link.installation)
        made.append(
            rework(
                cursor=cursor,
                state=state,
                registers=link.registers,
                n=link.n,
                start=opening,
                fresh=passed,
                cause="late",
                now_us=now_us,
            )
        )
    forward = [known for known in taken if known.at_us > head_us]
    if forward:
        made.append(_charged(state, link, forward))
    return made


def _charged(state: BookState, link: Link, forward: Sequence[Known]) -> Reworked:
    """Lines of readings ahead of a register, and where they leave it."""
    head, rows = link.head, len(forward)
    plan = state.plans[int(head["plan_ix"])]
    before = state_after(head)
    at = np.array([known.at_us for known in forward], dtype=np.int64)
    wh = np.array([known.register_wh for known in forward], dtype=np.int64)
    first = np.zeros(rows, dtype=np.bool_)
    first[0] = True
    energy = billed_between(
        schedule=plan.schedule,
        before=np.concatenate(([before.register_wh], wh[:-1])),
        after=wh,
        modulus=int(head["modulus_wh"]),
    )
    prev_at = np.concatenate(([before.at_us], at[:-1]))
    plan.vtable.ensure(start_us=before.at_us, end_us=int(at[-1]))
    rated = rate_rows(
        vtable=plan.vtable,
        first=first,
        prev_at=prev_at,
        at=at,
        energy_wh=energy,
        counter=np.full(rows, before.counter_wh, dtype=np.int64),
        window=np.full(rows, before.window_us, dtype=np.int64),
        carry_nano=np.full(rows, before.carry_nano, dtype=np.int64),
        carry_tax=np.full(rows, before.carry_tax, dtype=np.int64),
    )
    lines = np.zeros(rows, dtype=LINE)
    lines["ts"], lines["ref"], lines["book"], lines["kind"] = (
        at,
        head["installation"],
        state.book,
        Kind.READING,
    )
    lines["register_wh"], lines["energy_wh"] = wh, energy
    lines["tariff_version"] = plan.version_numbers(at=at)
    for name in ("energy_micro", "standing_micro", "tax_micro", "carry_nano", "carry_tax"):
        lines[name] = getattr(rated, name)
    lines["counter_wh"] = rated.counter
    lines["amount_micro"] = -(lines["energy_micro"] + lines["standing_micro"] + lines["tax_micro"])
    head["at_us"], head["register_wh"], head["window_us"] = at[-1], wh[-1], rated.window[-1]
    for name in ("counter_wh", "carry_nano", "carry_tax"):
        head[name] = lines[name][-1]
    head["estimated"] = False
    wallet_ix = int(head["wallet_ix"])
    row = ReratingRow(
        installation=link.installation,
        wallet=int(state.wallets["wallet"][wallet_ix]),
        fact=0,
        cause="late",
        author=AUTHOR,
        reason=ENDED_BEFORE,
        from_us=before.at_us,
        until_us=int(at[-1]),
        counted_us=before.at_us,
        after=state_after(head),
        publication=0,
        readings=rows,
    )
    return Reworked(wallet_ix=wallet_ix, lines=lines, row=row, notes=CorrectionRows())
