"""Lets begin and end by the clock: each step that is due becomes a fact, once."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.core.credit.contract import warn_at
from fairwatt.core.ids import let_key
from fairwatt.core.units import US_PER_MINUTE
from fairwatt.store import facts, lets
from fairwatt.store.lets import Let

KIND: Final = "let"
AGAIN_US: Final = 10 * US_PER_MINUTE
"""What the poster refused is asked again after so long: a home may be empty by then, a meter dark."""


def raise_lets(*, cursor: Any, book: int, now_us: int) -> int:
    """Write a fact for every step of a let that is due by now; return how many are new."""
    found = [one for one in lets.lets_of_book(cursor=cursor, book=book, since_us=now_us) if one.is_open]
    due = [(one, step) for one in found for step in _due(one, now_us)]
    ending = {
        one.wallet: one.end_us
        for one in found
        if one.wallet is not None and one.contract.over_at(at_us=now_us)
    }
    if ending:
        on = lets.still_on(cursor=cursor, book=book, ends=ending)
        due += [(one, "close") for one in found if one.wallet in ending and one.wallet not in on]
    if not due:
        return 0
    known = facts.asked_for(cursor=cursor, book=book, kind=KIND, again_us=now_us - AGAIN_US)
    return sum(_raise(cursor, book, one, step, now_us) for one, step in due if _key(one, step) not in known)


def _due(one: Let, now_us: int) -> list[str]:
    if one.wallet is None:
        return ["begin"] if one.begin_us <= now_us < one.end_us else []
    steps = ["package"]
    if one.warned_us is None and warn_at(begin_us=one.begin_us, end_us=one.end_us) <= now_us:
        steps.append("warn")
    return [*steps, "end"] if one.contract.over_at(at_us=now_us) else steps


def _key(one: Let, step: str) -> str:
    return let_key(let=one.let, step=step, end_us=0 if step in ("begin", "package") else one.end_us)


def _raise(cursor: Any, book: int, one: Let, step: str, now_us: int) -> int:
    _, fresh = facts.add(
        cursor=cursor,
        book=book,
        kind=KIND,
        natural_key=facts.fresh_key(cursor=cursor, book=book, kind=KIND, key=_key(one, step)),
        wallet=one.wallet,
        payload={"let": one.let, "step": step},
        raw=b"",
        now_us=now_us,
    )
    return int(fresh)
