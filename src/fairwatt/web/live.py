"""One live stream per page: the caches are looked at once a second, and only what changed is sent.

However many pages are open, one query a second per process asks which books and wallets moved; a page is drawn
again only when its own part did. A few reader threads keep their database connections, so a thousand open pages
cost four connections, not a thousand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.db import DatabaseError, connection
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import translation

from fairwatt.core.units import US_PER_MINUTE
from fairwatt.store.models import User
from fairwatt.web.access import Scope, now_us, seeing

POLL_S: Final = 1.0
HEARTBEAT_S: Final = 15.0
READERS: Final = 4
# A page that stays open is checked again: who signed out or moved out must not keep reading.
RECHECK_S: Final = 60.0

type Fragments = Mapping[str, str]
type Draw = Callable[[], Fragments]

_readers: Final = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="live")

_BOOK_MARK = """
SELECT coalesce((SELECT last_batch FROM shard WHERE book = %s), 0),
       coalesce((SELECT max(batch) FROM wallet_head WHERE book = %s), 0),
       coalesce((SELECT max(heard_us) FROM gateway_head WHERE book = %s), 0),
       coalesce((SELECT max(id) FROM quarantine WHERE book = %s), 0)
"""
_WALLET_MARK = """
SELECT coalesce((SELECT batch FROM wallet_head WHERE wallet = %s), 0),
       coalesce((SELECT max(at_us) FROM register_head WHERE wallet = %s), 0),
       coalesce((SELECT string_agg(id || state, ',' ORDER BY id) FROM
                 (SELECT id, state FROM outbox WHERE wallet = %s ORDER BY id DESC LIMIT 3) AS newest), ''),
       coalesce((SELECT string_agg(id || state, ',' ORDER BY id) FROM
                 (SELECT id, state FROM fact WHERE wallet = %s ORDER BY id DESC LIMIT 3) AS newest), ''),
       coalesce((SELECT string_agg(id || state || trouble || (action IS NULL), ',' ORDER BY id) FROM
                 (SELECT id, state, trouble, action FROM store_paymentintent WHERE wallet_id = %s
                  ORDER BY id DESC LIMIT 3) AS newest), '')
"""


def mark(*, scope: Scope) -> tuple[object, ...]:
    """A small answer that differs whenever something this scope shows has changed."""
    with seeing(scope=scope), connection.cursor() as cursor:
        if scope.wallets is None:
            cursor.execute(_BOOK_MARK, [scope.books[0]] * 4)
        else:
            cursor.execute(_WALLET_MARK, [scope.wallets[0]] * 5)
        found = cursor.fetchone()
    # Words such as "2 minutes ago" age by themselves.
    return (*found, now_us() // US_PER_MINUTE)


class Marks:
    """The marks that open pages wait for, each asked for once a second however many pages share it."""

    def __init__(self) -> None:
        self._asked: dict[Scope, tuple[float, asyncio.Future[tuple[object, ...]]]] = {}

    async def of(self, scope: Scope) -> tuple[object, ...]:
        """The mark of a scope, at most one second old."""
        loop = asyncio.get_running_loop()
        asked = self._asked.get(scope)
        if asked is None or asked[0] + POLL_S * 0.9 < loop.time() or asked[1].get_loop() is not loop:
            self._drop_old(loop.time())
            future = loop.run_in_executor(_readers, _guarded, lambda: mark(scope=scope))
            asked = self._asked[scope] = (loop.time(), future)
        return await asyncio.shield(asked[1])

    def _drop_old(self, time_s: float) -> None:
        for scope in [scope for scope, (at_s, _) in self._asked.items() if at_s < time_s - 60]:
            del self._asked[scope]


_marks: Final = Marks()


def _guarded[T](work: Callable[[], T]) -> T:
    """Run in a reader thread; a broken connection is dropped so that the next call makes a new one."""
    try:
        return work()
    except DatabaseError:
        connection.close()
        raise


async def in_reader[T](work: Callable[[], T]) -> T:
    """Run database work of an async view in a reader thread."""
    return await asyncio.get_running_loop().run_in_executor(_readers, _guarded, work)


def live_response(
    *, request: HttpRequest, scope: Scope, draw: Draw, may: Callable[[], bool], beside_ledger: bool = False
) -> StreamingHttpResponse:
    """Answer with server-sent events: every fragment of `draw` that changed, named as in `sse-swap`.

    `beside_ledger`: what is drawn moves without the ledger, so it is drawn every second.

    `draw` runs in a reader thread, in the language of the request. The stream ends when the person signed out or
    `may` says that they may no longer see this; the browser then asks again and is shown the door.
    """
    language = translation.get_language() or "en"
    sessions, key = type(request.session)(), request.session.session_key

    def allowed() -> bool:
        return key is not None and sessions.exists(key) and may()

    def drawn() -> Fragments:
        with translation.override(language):
            return draw()

    response = StreamingHttpResponse(
        _events(scope, drawn, allowed, beside_ledger=beside_ledger),
        content_type="text/event-stream; charset=utf-8",
    )
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(
    scope: Scope, draw: Draw, may: Callable[[], bool], *, beside_ledger: bool = False
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    seen: tuple[object, ...] = ()
    sent: dict[str, str] = {}
    checked_s = beat_s = loop.time()
    yield b"retry: 2000\n\n"
    while True:
        if loop.time() - checked_s > RECHECK_S:
            checked_s = loop.time()
            if not await in_reader(may):
                return
        try:
            newest = (loop.time(),) if beside_ledger else await _marks.of(scope)
            fragments = {} if newest == seen else await in_reader(draw)
        except DatabaseError:
            # The database is away for a moment (restart, failover): keep the page, try again.
            fragments, newest = {}, ()
        seen = newest
        for name, html in fragments.items():
            if sent.get(name) != html:
                sent[name] = html
                yield encode_event(name=name, data=html)
                beat_s = loop.time()
        if loop.time() - beat_s > HEARTBEAT_S:
            beat_s = loop.time()
            yield b": still here\n\n"
        await asyncio.sleep(POLL_S)


def encode_event(*, name: str, data: str) -> bytes:
    """One server-sent event; each line of the data gets its own field."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\n{lines}\n".encode()


def still_active(*, user: User) -> bool:
    """Whether the account may still be used."""
    return User.objects.filter(pk=user.pk, is_active=True).exists()
