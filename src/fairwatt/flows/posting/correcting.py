"""What people ask to be set right: a reading, or a tariff that was wrong in the past. Posted by the poster alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from django.db import InterfaceError, OperationalError, transaction

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.editing import post_edit
from fairwatt.flows.posting.retariffing import go_on
from fairwatt.flows.posting.wanted import CannotCorrect, Corrected, Wanted
from fairwatt.store.posting import EventRow


def settle_wanted(
    *, cursor: Any, state: BookState, registers: npt.NDArray[Any], wanted: Sequence[Wanted], now_us: int
) -> Corrected:
    """Post what was asked for; move `registers`. One edit a register and batch, the next waits."""
    out = Corrected()
    edited: set[int] = set()
    for one in wanted:
        before = registers.copy()
        try:
            with transaction.atomic():
                if one.kind == "reading_edit":
                    post_edit(cursor, state, registers, one, out, edited, now_us)
                else:
                    _begin(cursor, state, one, out, now_us)
        except (OperationalError, InterfaceError):
            raise  # the database is away: that says nothing about the fact
        except CannotCorrect as error:
            out.refuse(one, error, now_us)
        except Exception as error:
            registers[:] = before
            detail = f"rating it again failed with {type(error).__name__}; nothing moved"
            out.refuse(one, CannotCorrect("unpriceable", detail), now_us)
    for correcting in state.correcting:
        go_on(
            cursor=cursor,
            state=state,
            registers=registers,
            correcting=correcting,
            out=out,
            now_us=now_us,
        )
    return out


def _begin(cursor: Any, state: BookState, one: Wanted, out: Corrected, now_us: int) -> None:
    """Publish a confirmed correction, once; the registers follow in this and later batches."""
    if any(correcting.fact == one.fact for correcting in state.correcting):
        return
    match one.content:
        case {"correction": int(number), "confirmed_by": int(person)}:
            pass
        case _:
            raise CannotCorrect("bad_correction", "a confirmation names the correction and who confirms it")
    cursor.execute(
        "SELECT plan_id, text, author, replaces_id, (SELECT max(id) FROM store_tariffpublication p "
        "WHERE p.plan_id = c.plan_id), (SELECT id FROM store_tariffpublication p WHERE p.correction_id = c.id), "
        "c.preview->>'author_id' "
        "FROM store_tariffcorrection c WHERE id = %s AND book_id = %s",
        [number, state.book],
    )
    row = cursor.fetchone()
    if row is None:
        raise CannotCorrect("unknown_correction", "commissioning has placed no such correction in this book")
    plan, text, author, replaces, newest, published, author_id = row
    if published is not None:
        raise CannotCorrect("corrected_before", "this correction was posted already")
    name = _administrator(cursor, state, person)
    if str(person) == author_id or name == author.strip().casefold():
        raise CannotCorrect("one_pair_of_eyes", "who placed a correction cannot confirm it as well")
    if int(newest) != int(replaces):
        raise CannotCorrect(
            "overtaken", "the tariff was published anew since the correction was placed; place it again"
        )
    cursor.execute(
        "INSERT INTO store_tariffpublication (plan_id, published_us, text, correction_id) VALUES (%s, %s, %s, %s)",
        [plan, now_us, text, number],
    )
    out.reload = out.more = True
    out.events.append(
        EventRow(
            kind="tariff.correcting",
            at_us=now_us,
            reason="confirmed",
            evidence={"fact": one.fact, "correction": number, "author": author, "confirmed_by": person},
        )
    )


def _administrator(cursor: Any, state: BookState, person: int) -> str:
    """The name of an administrator of the book's organisation: the web process that names one is not trusted."""
    cursor.execute(
        "SELECT u.username FROM store_user u JOIN store_book b ON b.organisation_id = u.organisation_id "
        "WHERE u.id = %s AND b.id = %s AND u.role = 'admin' AND u.is_active",
        [person, state.book],
    )
    row = cursor.fetchone()
    if row is None:
        raise CannotCorrect(
            "not_authorised", "only an administrator of the organisation confirms a correction; nothing moved"
        )
    return str(row[0]).strip().casefold()
