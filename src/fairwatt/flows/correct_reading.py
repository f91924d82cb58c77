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
    process wrote. The same word twice is one fact, until another word was said
    of that reading, or the poster refused it.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        row = Installation.objects.select_related("wallet").get(pk=installation_id)
        book, about = row.wallet.book_id, f"edit:{installation_id}:{at_us}:"
        facts.see_book(cursor=cursor, book=book)
        cursor.execute(
            "SELECT id, state, payload->>'register_wh' FROM fact WHERE book = %s AND kind = 'reading_edit' "
            "AND starts_with(natural_key, %s) ORDER BY id DESC LIMIT 1",
            [book, about],
        )
        last, state, said = cursor.fetchone() or (0, "refused", None)
        shown = None if register_wh is None else str(register_wh)
        if state != "refused" and said == shown:
            return int(last)
        fact, _ = facts.add(
            cursor=cursor,
            book=book,
            kind="reading_edit",
            natural_key=f"{about}{shown or 'none'}:{last}",
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
