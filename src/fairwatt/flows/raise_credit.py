"""Credit rules begin and end by the clock: a fact at each such instant, and one a day, makes the poster look again."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.core.ids import credit_change_key
from fairwatt.core.spans import local_day_start
from fairwatt.core.units import US_PER_DAY
from fairwatt.store import credit_rules, facts
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
    instants = {local_day_start(zone=book.zone, at_us=now_us)}
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
            payload={"at_us": at_us, "wallets": []},
            raw=b"",
            now_us=now_us,
        )
        raised += fresh
    return raised
