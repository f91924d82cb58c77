"""What comes in at the door of providers and of readers is kept as bytes; who holds the keys judges it later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from django.db import connection, transaction

from fairwatt.core.notices.model import State, may_move
from fairwatt.store import contacts, notices
from fairwatt.store.notices import Row

BODY_MAX: Final = 65_536
_KEPT: Final = ("x-twilio-signature", "content-type")


@transaction.atomic(durable=True)
def hear_provider(*, token: str, url: str, headers: Mapping[str, str], body: bytes, now_us: int) -> bool:
    """Keep what a provider says at an address with a secret that we gave it; whether there is such an address."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    with connection.cursor() as cursor:
        account = contacts.account_of_token(cursor=cursor, token_sha256=digest)
        if account is None or len(body) > BODY_MAX:
            return False
        kept = {name.lower(): value[:500] for name, value in headers.items() if name.lower() in _KEPT}
        contacts.hear(
            cursor=cursor,
            account=account,
            what="provider",
            url=url[:1_000],
            headers=kept,
            body=body,
            now_us=now_us,
        )
    return True


@transaction.atomic(durable=True)
def hear_reader(*, code: str, state: State, reader: int | None, now_us: int) -> Row | None:
    """A browser shows a message, or its reader opens it; the message, where the address is one. Twice is once.

    `reader`: who opened it; somebody else's opening says nothing.
    """
    with connection.cursor() as cursor:
        row = notices.message_by_code(cursor=cursor, code=code)
        if row is not None and reader in (None, row.person) and may_move(State(row.state), state):
            contacts.hear(
                cursor=cursor, account=code, what=state, url="", headers={}, body=b"", now_us=now_us
            )
    return row
