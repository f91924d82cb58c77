"""The door of merchants' callbacks, ahead of everything that people's pages need.

A provider brings no cookie, no language and no session; only its signature speaks. So its bytes are taken in a few
threads that keep their connection to the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from django.db import InterfaceError, OperationalError, connection
from django.utils.datastructures import CaseInsensitiveMapping

from fairwatt.flows.receive_payment import BODY_MAX, count_refused, receive_callback
from fairwatt.flows.unasked import hear
from fairwatt.payments.callbacks import PREFIX, provider_at
from fairwatt.payments.contract import Ack, CallbackRejected
from fairwatt.payments.unasked import PLACE
from fairwatt.web import access
from fairwatt.web.pay.bell import Bell
from fairwatt.web.providers import open_merchants

log = logging.getLogger(__name__)

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Any, Any, Any], Awaitable[None]]

HANDS: Final = 6
"""As many callbacks are stored at once; more only wait for one another's disk."""
BODY_S: Final = 10.0
"""So long a caller may take to say what it has to say."""
_NOT_FOUND: Final = Ack(404, b"", "text/plain")
_SICK: Final = Ack(503, b"", "text/plain")


def take(
    *, provider: str, token: str, hint_ref: str, headers: Any, body: bytes, bell: Bell | None = None
) -> Ack | None:
    """Take a callback of a merchant's own account; None where there is no such account.

    With a bell, whoever waits for what is stored is called by it, after the commit.

    The provider repeats until it hears that all is well, so everything that is stored, also for the second time, is.
    """
    own = None if provider == PLACE else provider_at(place=provider)
    merchant = open_merchants().by_token(token=token, provider=own)
    if merchant is None:
        return None
    now_us = access.now_us()
    if provider == PLACE:
        return hear(merchant=merchant, what=hint_ref, body=body, now_us=now_us)
    try:
        received = receive_callback(
            provider=merchant.provider,
            headers=headers,
            body=body,
            now_us=now_us,
            account=merchant.account,
            hint_ref=hint_ref,
            call_after=bell is not None,
        )
    except CallbackRejected as refused:
        count_refused(account=merchant.account, code=refused.code, now_us=now_us)
        return merchant.provider.ack(refused=refused)
    if bell is not None:
        bell.ring(received.calls)
    return merchant.provider.ack(refused=None)


class CallbackDoor:
    """Answers merchants' callbacks itself, and leaves every other request to the pages."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="callbacks")
        self._bell = Bell()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, as ASGI has it."""
        parts = _parts(scope)
        if parts is None:
            await self._pages(scope, receive, send)
            return
        ack: Ack | None
        try:
            body = await asyncio.wait_for(_body(receive), BODY_S)
        except TimeoutError:
            ack = Ack(408, b"", "text/plain")
        else:
            ack = None
            if body is not None:
                headers = _headers(scope)
                loop = asyncio.get_running_loop()
                ack = await loop.run_in_executor(self._hands, _answer, parts, headers, body, self._bell)
        await _say(send, ack or _NOT_FOUND)


def _parts(scope: Message) -> tuple[str, str, str] | None:
    """Provider, token and reference of a merchant's address; None for any other request."""
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(PREFIX):
        return None
    parts = scope["path"].removeprefix(PREFIX).split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        return None
    provider, token, *ref = parts
    return provider, token, ref[0] if ref else ""


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or as much of it as shows that it is too long; None when the caller went away."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        if len(body) <= BODY_MAX:
            body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body[: BODY_MAX + 1])


def _headers(scope: Message) -> CaseInsensitiveMapping[str]:
    """Headers under the names that Django gives them, which stored facts have."""
    return CaseInsensitiveMapping(
        {name.decode("latin-1").title(): value.decode("latin-1") for name, value in scope["headers"]}
    )


def _answer(
    parts: tuple[str, str, str], headers: CaseInsensitiveMapping[str], body: bytes, bell: Bell
) -> Ack | None:
    provider, token, ref = parts
    for last in (False, True):
        try:
            return take(provider=provider, token=token, hint_ref=ref, headers=headers, body=body, bell=bell)
        except (OperationalError, InterfaceError):
            # The connection was kept while the database went away. Taking the same twice is taking it once.
            connection.close()
            if last:
                log.warning("callback.database_away", exc_info=True)
        except Exception:
            connection.close()
            log.exception("callback.failed")
            break
    return _SICK


async def _say(send: Send, ack: Ack) -> None:
    headers = [
        (b"content-type", ack.content_type.encode()),
        (b"content-length", str(len(ack.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": ack.status, "headers": headers})
    await send({"type": "http.response.body", "body": ack.body})
