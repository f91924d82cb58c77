"""Set a stored reading right by a person's word: another value, or none. The reading itself stays as it came."""

from __future__ import annotations

from django.db import connection, transaction

from fairwatt.store import facts
from fairwatt.store.models import Installation


def correct_reading(
    *, installation_id: int, at_us: int, register_wh: int | None, author: str, reason: str, now_us: int
) -> int:
    """Ask the poster to charge a register as if a reading had shown something else; return the fact id.

    `register_wh` None strikes the reading out. Only the role that commissions may: the poster refuses what a web
    process wrote. The same word twice is one fact.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        row = Installation.objects.select_related("wallet").get(pk=installation_id)
        shown = "none" if register_wh is None else str(register_wh)
        fact, _ = facts.add(
            cursor=cursor,
            book=row.wallet.book_id,
            kind="reading_edit",
            natural_key=f"edit:{installation_id}:{at_us}:{shown}:{now_us}",
            wallet=row.wallet_id,
            payload={
                "installation": installation_id,
                "at_us": at_us,
                "register_wh": register_wh,
                "author": author,
                "reason": reason,
            },
            raw=b"",
            now_us=now_us,
        )
    return fact
