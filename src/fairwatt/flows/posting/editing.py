"""A reading set right by a person's word: checked against its neighbours, then its stretch is rated again."""

from __future__ import annotations

from typing import Any, Final

import numpy.typing as npt

from fairwatt.core.metering.register import ReadingRejected, advance
from fairwatt.flows.posting.backdating import post_end
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.reworking import rework
from fairwatt.flows.posting.truing import register_spec
from fairwatt.flows.posting.wanted import CannotCorrect, Corrected, Wanted
from fairwatt.store import registers as ledger
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.store.registers import Edit, Start

COMMISSIONING: Final = frozenset({"fairwatt_owner", "fairwatt_migrate"})
"""The roles of who sets a site up: the login, and what it becomes. Faces and carriers have others."""


def post_edit(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    one: Wanted,
    out: Corrected,
    edited: set[int],
    now_us: int,
) -> None:
    edit = _edit_of(one)
    if edit.ends:
        post_end(cursor, state, registers, one, edit, out, now_us)
        return
    _by_commissioning(cursor, one.fact)
    n = state.installation_index.get(int(one.content["installation"]))
    if n is None:
        raise CannotCorrect("unknown_installation", "no open installation of this book has that number")
    if n in edited:
        out.more = True  # its register moved in this batch already
        return
    if registers["plan_ix"][n] < 0:
        raise CannotCorrect("no_tariff", "no tariff was in force when this installation opened")
    installation = int(registers["installation"][n])
    start = ledger.start_before(
        cursor=cursor, book=state.book, installation=installation, before_us=edit.at_us
    )
    if start is None:
        raise CannotCorrect("before_installation", "the opening reading is not set right by an edit")
    _check_edit(cursor, state, registers[n], start, edit)
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
    )
    edited.add(n)
    out.reworked.append(made)
    out.reload = True
    result = {"difference_micro": made.difference_micro, "corrections": len(made.lines)}
    out.answers.append(FactAnswer(fact=one.fact, state="posted", result=result))
    out.events.append(
        EventRow(
            kind="reading.edited",
            at_us=now_us,
            wallet=made.row.wallet,
            meter=int(registers["meter"][n]),
            reason="rerated",
            evidence={"fact": one.fact, "author": edit.author, **result},
        )
    )


def _edit_of(one: Wanted) -> Edit:
    match one.content:
        case {
            "installation": int(),
            "at_us": int(at_us),
            "register_wh": int() | None as register_wh,
            "author": str(author),
            "reason": str(reason),
        } if author.strip() and reason.strip():
            return Edit(one.fact, at_us, register_wh, author, reason, ends=one.content.get("ends") is True)
        case _:
            raise CannotCorrect(
                "bad_edit", "an edit names installation, instant, register, its author and the reason"
            )


def _check_edit(cursor: Any, state: BookState, head: Any, start: Start, edit: Edit) -> None:
    """An edited reading must exist, differ, and fit between its neighbours."""
    installation = int(head["installation"])
    known = ledger.standing_between(
        cursor=cursor, book=state.book, installation=installation, start=start, until_us=edit.at_us + 1
    )
    place = next((k for k, reading in enumerate(known) if reading.at_us == edit.at_us), None)
    if not place:
        raise CannotCorrect("unknown_reading", "no reading that counts was taken at that instant")
    if known[place].register_wh == edit.register_wh:
        raise CannotCorrect("nothing_changes", "the reading already shows that")
    following = known[place + 1] if place + 1 < len(known) else None
    if edit.register_wh is None:
        if following is None:
            raise CannotCorrect("newest_reading", "the newest reading can be set right but not struck out")
        return
    spec = register_spec(head)
    before = known[place - 1]
    try:
        advance(
            spec=spec,
            prev_at_us=before.at_us,
            prev_wh=before.register_wh,
            at_us=edit.at_us,
            wh=edit.register_wh,
        )
        if following is not None:
            advance(
                spec=spec,
                prev_at_us=edit.at_us,
                prev_wh=edit.register_wh,
                at_us=following.at_us,
                wh=following.register_wh,
            )
    except ReadingRejected as error:
        raise CannotCorrect(error.code, str(error)) from error


def _by_commissioning(cursor: Any, fact: int) -> None:
    """What moves money by a person's word must have been written by commissioning's own login."""
    cursor.execute("SELECT by_role FROM fact WHERE id = %s", [fact])
    (role,) = cursor.fetchone()
    if role not in COMMISSIONING:
        raise CannotCorrect(
            "not_authorised", f"the login {role} asked for it; commissioning may, and nobody else"
        )
