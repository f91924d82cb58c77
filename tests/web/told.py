"""Messages of a scene, as its notifier would have made them."""

from __future__ import annotations

from typing import Any

from support.house import as_role
from web.scene import NOW_US, Scene


def told(
    scene: Scene, *, step: str = "low", state: str = "queued", channel: str = "sms", **changes: Any
) -> Any:
    """A message to the owner of the first home; the row."""
    from django.db import connection, transaction

    from fairwatt.store import facts, notices

    with as_role("notifier"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=scene.book)
        key = f"{step}:{state}:{channel}:{changes}:{scene.book}"
        notices.add_notice(
            cursor=cursor,
            book=scene.book,
            wallet=scene.wallets[0],
            step=step,
            key=key,
            about={},
            now_us=NOW_US,
        )
        cursor.execute("SELECT id FROM notice WHERE key = %s", [key])
        (notice,) = cursor.fetchone()
        made = {
            "notice": notice,
            "book": scene.book,
            "wallet": scene.wallets[0],
            "person": scene.owner.pk,
            "channel": channel,
            "contact": None,
            "address": "+8613800000001",
            "language": "en",
            "step": step,
            "subject": "Credit is low",
            "body": "Maple Court 0101: credit is low, ¥12.40 left.",
            "params": {},
            "segments": 1,
            "key": key,
            "code": notices.new_code(cursor=cursor),
            "digest": False,
            "due_us": NOW_US,
            "state": "queued",
            "reason": "",
            **changes,
        }
        number = notices.add_message(cursor=cursor, made=notices.NewMessage(**made), now_us=NOW_US)
        assert number is not None
        if state != "queued":
            notices.move_message(
                cursor=cursor, number=number, state=state, now_us=NOW_US, reason=changes.get("reason", "")
            )
        return notices.message(cursor=cursor, number=number)
