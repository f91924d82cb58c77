"""Messages in hand: taken before anything goes out, and what became of them noted after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.notices.model import MINUTE_US, State, Step
from fairwatt.core.notices.pacing import rest_until_us, retry_us
from fairwatt.notify.contract import Outcome
from fairwatt.store import contacts, facts, notices
from fairwatt.store.models import Book
from fairwatt.store.notices import Row

STUCK_US: Final = 2 * MINUTE_US
"""So long a message is in hand at most; after that whoever held it is gone."""
_OF_THE_PERSON: Final = frozenset({Step.CODE, Step.CONTACT, Step.TRY})
"""About somebody's addresses, wherever he lives."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A message in hand. `again_since_us`: it was in hand before, and nobody knows what became of it then."""

    row: Row
    organisation: int
    again_since_us: int | None


@transaction.atomic(durable=True)
def take_messages(*, now_us: int, limit: int) -> list[Taken]:
    """Take what is due. What is no longer true is not sent: who paid meanwhile is not warned."""
    taken = []
    with connection.cursor() as cursor:
        organisations: dict[int, int] = {}
        for row in notices.due_messages(cursor=cursor, now_us=now_us, stuck_us=STUCK_US, limit=limit):
            facts.see_book(cursor=cursor, book=row.book)
            # What may have gone out already is followed to its end.
            if row.taken_us is None and not still_to_be_said(cursor=cursor, row=row, now_us=now_us):
                continue
            if row.book not in organisations:
                organisations[row.book] = Book.objects.values_list("organisation_id", flat=True).get(
                    pk=row.book
                )
            notices.take(cursor=cursor, number=row.id, now_us=now_us)
            taken.append(Taken(row=row, organisation=organisations[row.book], again_since_us=row.taken_us))
    return taken


def still_to_be_said(*, cursor: Any, row: Row, now_us: int) -> bool:
    """Whether a message that waited is still true, and for whom it was meant; one that is not, is not said."""
    why = _why_not(cursor, row, now_us)
    if why:
        notices.move_message(cursor=cursor, number=row.id, state=State.SUPPRESSED, now_us=now_us, reason=why)
    return not why


def _why_not(cursor: Any, row: Row, now_us: int) -> str:
    told = row.params.get("folded", [[row.wallet, row.step]])
    if all(notices.is_past(cursor=cursor, wallet=wallet, step=step) for wallet, step in told):
        return "no_longer_true"
    if row.contact is not None and notices.is_ended(cursor=cursor, contact=row.contact):
        return "taken_back"
    if row.person is None or row.wallet is None or row.step in _OF_THE_PERSON:
        return ""
    left = notices.has_left(cursor=cursor, wallet=row.wallet, person=row.person, now_us=now_us)
    return "lives_elsewhere" if left else ""


@transaction.atomic(durable=True)
def note_outcome(*, taken: Taken, outcome: Outcome, account: str, now_us: int, found: bool = False) -> None:
    """Write down what became of a message that was handed over, or that a provider was asked about."""
    row = taken.row
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=row.book)
        now = notices.message(cursor=cursor, number=row.id)
        if now is None or now.state != State.QUEUED:
            return
        if found:
            notices.add_step(cursor=cursor, message=row.id, step="found", now_us=now_us)
        if outcome.state is State.QUEUED:
            _retry(cursor, row, taken, outcome, now_us)
            return
        notices.move_message(
            cursor=cursor,
            number=row.id,
            state=outcome.state,
            now_us=now_us,
            reason=outcome.code,
            account=account,
            provider_ref=outcome.provider_ref,
        )
        if row.step == Step.CODE:
            notices.forget_words(cursor=cursor, number=row.id)
        settle(row=row, state=outcome.state, gone=outcome.gone, now_us=now_us)


def settle(*, row: Row, state: State, gone: bool, now_us: int) -> None:
    """What a message's new state means for its notice and its address; inside a transaction."""
    with connection.cursor() as cursor:
        if state in (State.DELIVERED, State.READ):
            notices.reach(cursor=cursor, notice=row.notice, now_us=now_us)
        if state is State.FAILED:
            notices.look_again(cursor=cursor, notice=row.notice, now_us=now_us)
        if gone and row.contact is not None and row.person is not None:
            contacts.step_contact(
                cursor=cursor, contact=row.contact, person=row.person, step="gone", now_us=now_us
            )


def _retry(cursor: object, row: Row, taken: Taken, outcome: Outcome, now_us: int) -> None:
    at_us = retry_us(tries=row.tries + 1, now_us=now_us)
    if at_us is None:
        notices.move_message(
            cursor=cursor, number=row.id, state=State.FAILED, now_us=now_us, reason=outcome.code or "gave_up"
        )
        settle(row=row, state=State.FAILED, gone=False, now_us=now_us)
        return
    # The first unknown end stays unknown: a provider that cannot be asked now is asked later.
    known = taken.again_since_us is None
    notices.postpone(cursor=cursor, number=row.id, due_us=at_us, known=known)
    notices.add_step(cursor=cursor, message=row.id, step="retry", now_us=now_us, code=outcome.code)


@transaction.atomic(durable=True)
def note_unknown(*, taken: Taken, code: str, now_us: int) -> None:
    """No answer came: it may have gone out. The provider is asked before it is sent again."""
    row = taken.row
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=row.book)
        at_us = retry_us(tries=row.tries + 1, now_us=now_us)
        if at_us is None:
            notices.move_message(cursor=cursor, number=row.id, state=State.FAILED, now_us=now_us, reason=code)
            settle(row=row, state=State.FAILED, gone=False, now_us=now_us)
            return
        cursor.execute(
            "UPDATE message SET due_us = %s, taken_us = %s WHERE id = %s", [at_us, now_us - STUCK_US, row.id]
        )
        notices.add_step(cursor=cursor, message=row.id, step="retry", now_us=now_us, code=code)


@transaction.atomic(durable=True)
def hold_back(*, taken: Taken, code: str, until_us: int, now_us: int) -> None:
    """The line rests, or there is none: nothing went out, and it counts as no try."""
    row = taken.row
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=row.book)
        cursor.execute(
            "UPDATE message SET due_us = %s, tries = greatest(0, tries - 1), taken_us = %s WHERE id = %s",
            [until_us, taken.again_since_us, row.id],
        )
        notices.add_step(cursor=cursor, message=row.id, step="retry", now_us=now_us, code=code)


@transaction.atomic(durable=True)
def note_line(*, account: str, failures: int, trouble: str, now_us: int) -> int:
    """How a line did; until when it rests now."""
    until_us = rest_until_us(failures=failures, now_us=now_us)
    with connection.cursor() as cursor:
        contacts.line_health(
            cursor=cursor,
            account=account,
            failures=failures,
            resting_until_us=until_us,
            trouble=trouble,
            now_us=now_us,
        )
    return until_us
