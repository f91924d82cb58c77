"""What people ask to be set right: a reading, or a tariff that was wrong in the past. Posted by the poster alone.

A tariff is corrected register by register, some in each batch, so that no payment waits long; what is done stands
in `rerating`, so a poster that ends in the middle goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import InterfaceError, OperationalError, transaction

from fairwatt.flows.posting.book_state import BookState, Correcting, Plan
from fairwatt.flows.posting.correction_moves import closed_registers
from fairwatt.flows.posting.editing import post_edit
from fairwatt.flows.posting.rerating import Change
from fairwatt.flows.posting.reworking import Reworked, post_changes, state_after
from fairwatt.flows.posting.site_rerating import SiteChange, differ_from_us, rerate_site
from fairwatt.flows.posting.wanted import CannotCorrect, Corrected, Wanted
from fairwatt.store import registers as ledger
from fairwatt.store.corrections import ReratingRow, already_rated
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.store.registers import free_correction_instant

NOT_CORRECTED: Final = "alarm.register_not_corrected"
REGISTERS_A_BATCH: Final = 64
"""A year of half hours of so many is rated in about a second: so long may a payment wait."""


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
        _go_on(cursor, state, registers, correcting, out, now_us)
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


def _go_on(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    correcting: Correcting,
    out: Corrected,
    now_us: int,
) -> None:
    """Rate the next registers under the corrected tariff; answer the fact when none is left."""
    old = sorted({old_ix for old_ix, _ in correcting.moves.values()})
    waiting = np.flatnonzero(np.isin(registers["plan_ix"], old))
    busy = {one.row.installation for one in out.reworked}
    waiting = waiting[~np.isin(registers["installation"][waiting], list(busy))]
    some = waiting[np.argsort(registers["installation"][waiting], kind="stable")][:REGISTERS_A_BATCH]
    if len(some):
        out.reworked += _rerate_each(cursor, state, registers, correcting, some, out, now_us)
    out.more |= len(some) < len(waiting) or bool(busy)
    if len(some) == len(waiting) and not busy and _closed_are_done(cursor, state, correcting, out, now_us):
        cursor.execute(
            "SELECT count(*), coalesce(sum(readings), 0) FROM rerating "
            "WHERE book = %s AND fact <> 0 AND publication = %s",
            [state.book, correcting.publication],
        )
        done, readings = cursor.fetchone()
        mine = [one for one in out.reworked if one.row.fact == correcting.fact]
        left = _left(cursor, state.book, correcting.fact, out.events)
        result = {
            "publication": correcting.publication,
            "registers": int(done) + len(mine),
            "readings": int(readings) + sum(one.row.readings for one in mine),
            "left": left,
            "closed": list(correcting.closed),
        }
        out.answers.append(FactAnswer(fact=correcting.fact, state="posted", result=result))
        out.events.append(
            EventRow(
                kind="tariff.corrected",
                at_us=now_us,
                reason="posted",
                evidence={"fact": correcting.fact, **result},
            )
        )
        out.reload = True
        out.finished.add(correcting.fact)


def _rerate_each(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    correcting: Correcting,
    some: npt.NDArray[np.int64],
    out: Corrected,
    now_us: int,
) -> list[Reworked]:
    """Rate some registers again; where that fails, one by one: what cannot be rated is left with an alarm."""
    before = registers.copy()
    try:
        with transaction.atomic():
            return _rerate(cursor, state, registers, correcting, some, now_us)
    except (OperationalError, InterfaceError):
        raise  # the database is away: that says nothing about the registers
    except Exception as error:
        registers[:] = before
        if len(some) > 1:
            alone = (some[n : n + 1] for n in range(len(some)))
            return [
                made
                for one in alone
                for made in _rerate_each(cursor, state, registers, correcting, one, out, now_us)
            ]
        head = registers[int(some[0])]
        # Its past stays as it was charged.
        head["plan_ix"] = correcting.moves[int(head["installation"])][1]
        out.events.append(
            EventRow(
                kind=NOT_CORRECTED,
                at_us=now_us,
                wallet=int(state.wallets["wallet"][head["wallet_ix"]]),
                gateway=int(head["gateway"]),
                meter=int(head["meter"]),
                reason="unpriceable",
                evidence={
                    "fact": correcting.fact,
                    "installation": int(head["installation"]),
                    "detail": ascii(f"{type(error).__name__}: {error}"[:200]),
                },
            )
        )
        return []


def _closed_are_done(
    cursor: Any, state: BookState, correcting: Correcting, out: Corrected, now_us: int
) -> bool:
    """Rate the next closed homes again, for their own wallets; true when none is left to a later batch."""
    done = already_rated(cursor=cursor, book=state.book, publication=correcting.publication)
    done |= set(_left(cursor, state.book, correcting.fact, out.events))
    rest = [home for home in correcting.closed if home not in done]
    some = rest[:REGISTERS_A_BATCH]
    if some:
        heads = closed_registers(state=state, correcting=correcting, installations=some)
        every = np.arange(len(heads), dtype=np.int64)
        out.reworked += _rerate_each(cursor, state, heads, correcting, every, out, now_us)
    out.more |= len(some) < len(rest)
    return len(some) == len(rest)


def _left(cursor: Any, book: int, fact: int, events: Sequence[EventRow]) -> list[int]:
    """Installations that a correction could not rate, in this batch and before it."""
    cursor.execute(
        "SELECT evidence->>'installation' FROM event WHERE book = %s AND kind = %s AND evidence->>'fact' = %s",
        [book, NOT_CORRECTED, str(fact)],
    )
    left = {int(row[0]) for row in cursor.fetchall()}
    mine = (event.evidence for event in events if event.kind == NOT_CORRECTED)
    return sorted(left | {int(said["installation"]) for said in mine if said["fact"] == fact})


def _rerate(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    correcting: Correcting,
    some: npt.NDArray[np.int64],
    now_us: int,
) -> list[Reworked]:
    """Rate registers again, those of equal prices together."""
    alike: dict[tuple[int, int], list[int]] = {}
    for n in some.tolist():
        alike.setdefault(correcting.moves[int(registers["installation"][n])], []).append(n)
    made = []
    for (old_ix, new_ix), mine in sorted(alike.items()):
        plans = state.plans[old_ix], state.plans[new_ix]
        part = np.array(mine, dtype=np.int64)
        change = _change(cursor, state, registers, plans, part)
        for k, n in enumerate(mine):
            registers[n]["plan_ix"] = new_ix
            made.append(_reworked(cursor, state, registers[n], correcting, change.change(k), now_us))
    return made


def _change(
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    plans: tuple[Plan, Plan],
    some: npt.NDArray[np.int64],
) -> SiteChange:
    """What one tariff for another changes for some registers."""
    old, new = plans
    from_us = differ_from_us(old=old.schedule, new=new.schedule)
    until_us = int(registers["at_us"][some].max())
    from_us = until_us if from_us is None else min(from_us, until_us)
    installations = registers["installation"][some].astype(np.int64)
    starts = [
        ledger.start_before(cursor=cursor, book=state.book, installation=n, before_us=from_us + 1)
        or ledger.opening_of(cursor=cursor, installation=n)
        for n in installations.tolist()
    ]
    return rerate_site(
        cursor=cursor,
        book=state.book,
        zone=state.zone,
        installations=installations,
        modulus_wh=registers["modulus_wh"][some].astype(np.int64),
        starts=starts,
        old=old,
        new=new,
        until_us=until_us,
        by_day=True,
    )


def _reworked(
    cursor: Any, state: BookState, head: Any, correcting: Correcting, mine: Change, now_us: int
) -> Reworked:
    """The lines of one register, and why they are there; moves `head`."""
    head["counter_wh"], head["window_us"] = mine.counter_wh, mine.window_us
    wallet, installation = int(state.wallets["wallet"][head["wallet_ix"]]), int(head["installation"])
    free_us = free_correction_instant(
        cursor=cursor, book=state.book, installation=installation, from_us=now_us
    )
    lines, notes = post_changes(
        book=state.book, head=head, wallet=wallet, fact=correcting.fact, change=mine, from_us=free_us
    )
    row = ReratingRow(
        installation=installation,
        wallet=wallet,
        fact=correcting.fact,
        cause="tariff",
        author=correcting.author,
        reason=correcting.reason,
        from_us=mine.from_us,
        until_us=mine.until_us,
        counted_us=mine.counted_us,
        after=state_after(head),
        publication=correcting.publication,
        readings=mine.readings,
    )
    return Reworked(wallet_ix=int(head["wallet_ix"]), lines=lines, row=row, notes=notes)
