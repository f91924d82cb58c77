"""HTTP/1.1 as far as one small page needs it: GET, HEAD and short form posts, one request a connection.

Written by hand because everything it does not understand is refused: no keep-alive, no chunks, no continuation, no
ranges, nothing kept of a request beyond its few limits. A gateway has little memory and no one to look after it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import structlog

log = structlog.get_logger(__name__)

HEAD_BYTES: Final = 8 * 1024
BODY_BYTES: Final = 2 * 1024
FIELDS_MAX: Final = 16
CONNECTIONS_MAX: Final = 32
FROM_ONE_MAX: Final = 8
WITHIN_S: Final = 10.0
_FORM: Final = "application/x-www-form-urlencoded"
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that was understood. Header names are small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What to answer."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class NotUnderstood(Exception):
    """The request is not one this server takes."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


Handler = Callable[[Request], Awaitable[Response]]


class HttpDoor:
    """Takes connections, a few at a time and a few from each address, and gives understood requests to a handler."""

    def __init__(self, *, handler: Handler) -> None:
        self._handler = handler
        self._inside: Counter[str] = Counter()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        peer = writer.get_extra_info("peername")
        client = str(peer[0]) if peer else ""
        if self._inside.total() >= CONNECTIONS_MAX or self._inside[client] >= FROM_ONE_MAX:
            writer.close()
            return
        self._inside[client] += 1
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._answer(reader, writer, client)
        finally:
            self._inside[client] -= 1
            if not self._inside[client]:
                del self._inside[client]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: str) -> None:
        head_only = False
        try:
            async with asyncio.timeout(WITHIN_S):
                request = await read_request(reader, client=client)
        except NotUnderstood as error:
            response = Response(status=error.status, body=f"{error.status.phrase}\n".encode())
        else:
            # Not hurried: a code that is used up on a slow line is answered, however long its meter takes.
            response, head_only = await self._responded(request), request.method == "HEAD"
        writer.write(written(response, head_only=head_only))
        async with asyncio.timeout(WITHIN_S):
            await writer.drain()

    async def _responded(self, request: Request) -> Response:
        try:
            return await self._handler(request)
        except Exception:
            # One request must not stop the page; what it was is in the log.
            log.error("page_failed", exc_info=True)
            return Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, body=b"Try again later.\n")


async def read_request(reader: asyncio.StreamReader, /, *, client: str) -> Request:
    """Read one request. Raises NotUnderstood, or IncompleteReadError when the other side left."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise NotUnderstood(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    if len(head) > HEAD_BYTES:
        raise NotUnderstood(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    match first.split(" "):
        case [("GET" | "HEAD" | "POST") as method, target, ("HTTP/1.1" | "HTTP/1.0")] if target.startswith(
            "/"
        ):
            headers = _headers(lines)
        case [_, _, ("HTTP/1.1" | "HTTP/1.0")]:
            raise NotUnderstood(HTTPStatus.METHOD_NOT_ALLOWED)
        case _:
            raise NotUnderstood(HTTPStatus.BAD_REQUEST)
    path, _, query = target.partition("?")
    return Request(
        method=method,
        path=path,
        query=_fields(query),
        headers=headers,
        form=_fields(await _body(reader, method, headers)),
        client=client,
    )


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        # A name twice, a blank before the colon, a folded line: two readers could read two requests in it.
        if not colon or not name or not set(name) <= _TOKEN or (name in headers and name != "cookie"):
            raise NotUnderstood(HTTPStatus.BAD_REQUEST)
        headers[name] = f"{headers[name]}; {value.strip()}" if name in headers else value.strip()
    return headers


async def _body(reader: asyncio.StreamReader, method: str, headers: Mapping[str, str]) -> str:
    if "transfer-encoding" in headers or "expect" in headers:
        raise NotUnderstood(HTTPStatus.NOT_IMPLEMENTED)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise NotUnderstood(HTTPStatus.BAD_REQUEST)
    if len(length) > 6 or int(length) > BODY_BYTES:
        raise NotUnderstood(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if method != "POST":
        if int(length):
            raise NotUnderstood(HTTPStatus.BAD_REQUEST)
        return ""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise NotUnderstood(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = await reader.readexactly(int(length))
    return body.decode("latin-1")


def _fields(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="replace")
    except ValueError:
        raise NotUnderstood(HTTPStatus.BAD_REQUEST) from None
    return {name[:40]: value[:200] for name, value in pairs}


def written(response: Response, /, *, head_only: bool) -> bytes:
    """The bytes of an answer; the connection ends with it."""
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        **response.headers,
        "Content-Length": str(len(response.body)),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if head_only else head + response.body
