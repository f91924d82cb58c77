"""Credit rules begin and end by the clock: a fact at each such instant, and one a day, makes the poster look again."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.core.ids import credit_change_key
from fairwatt.core.spans import local_midnights
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.flows.borrow import ask_for
from fairwatt.flows.tonight import held_now
from fairwatt.store import credit_entries, credit_rules, facts
from fairwatt.store.models import Book

KIND: Final = "credit_change"
_BACK_US: Final = 7 * US_PER_DAY


def raise_credit(*, cursor: Any, book: Book, now_us: int) -> int:
    """Write a fact for every instant lately at which a rule began or ended, and for the day; return how many are new.

    A start of the poster reads every rule anyway, so nothing older has to be caught up with.
    """
    rules = credit_rules.rules_of_book(cursor=cursor, book=book.pk)
    if not rules:
        return 0
    # Each new day since the first rule takes its instalments, also one on which nobody was there to say so.
    first_us = max(now_us - _BACK_US, min(rule.created_us for rule in rules))
    instants = set(local_midnights(zone=book.zone, start_us=first_us, end_us=now_us))
    for rule in rules:
        if rule.agreed:
            instants |= {at for at in (rule.start_us, rule.end_us) if at is not None}
    raised = 0
    for at_us in sorted(at for at in instants if now_us - _BACK_US < at <= now_us):
        _, fresh = facts.add(
            cursor=cursor,
            book=book.pk,
            kind=KIND,
            natural_key=credit_change_key(at_us=at_us),
            wallet=None,
            payload={"at_us": at_us},
            raw=b"",
            now_us=now_us,
        )
        raised += fresh
    return raised + _automatic(cursor, book, now_us)


def _automatic(cursor: Any, book: Book, now_us: int) -> int:
    """Ask for the emergency credit that homes take by themselves when they have none of their own."""
    # What the poster refused is asked again an hour later: what was missing may be there by then.
    cursor.execute(
        "SELECT h.wallet FROM wallet_head h WHERE h.book = %s AND h.balance_micro <= 0 AND EXISTS "
        "(SELECT 1 FROM store_installation i WHERE i.wallet_id = h.wallet AND i.closed_us IS NULL) AND NOT EXISTS "
        "(SELECT 1 FROM fact f WHERE f.book = h.book AND f.kind = 'emergency' AND f.wallet = h.wallet "
        "AND (f.state = 'waiting' OR f.state = 'refused' AND f.created_us > %s))",
        [book.pk, now_us - US_PER_HOUR],
    )
    empty = [int(wallet) for (wallet,) in cursor.fetchall()]
    if not empty:
        return 0
    held = held_now(cursor=cursor, book=book, now_us=now_us)
    taking = [
        wallet
        for wallet in empty
        if (one := held.homes.get(wallet)) is not None
        and (lent := one.emergency_at(at_us=now_us)) is not None
        and lent.automatic
    ]
    if not taking:
        return 0
    owed = credit_entries.owing(cursor=cursor, book=book.pk, week_us=now_us, now_us=now_us, wallets=taking)
    asked = 0
    for wallet in taking:
        owing = owed.get(wallet, credit_entries.NOTHING)
        if owing.emergency_micro <= 0:
            _, fresh = ask_for(
                cursor=cursor, book=book.pk, wallet=wallet, after=owing.newest, author=None, now_us=now_us
            )
            asked += fresh
    return asked
