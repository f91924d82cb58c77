"""The stand-ins on loopback: SMTP by aiosmtpd, everything else by one small HTTP server, with a page of what
arrived."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from fairwatt.simulate.postbox.phones import Asked, answer
from fairwatt.simulate.postbox.world import Arrived, World

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:6vh auto;padding:0 "
    "1rem;color:#1c2430;background:#f4f5f2}"
    "article{background:#fff;border-radius:14px;padding:14px 18px;margin:12px "
    "0}small{color:#54615b}pre{white-space:pre-wrap;"
    "font:inherit;margin:.4rem 0 0}h1{font-size:1.5rem}"
)


class Postbox:
    """`with Postbox(...) as box`: `box.smtp_port`, `box.url`, `box.world.arrived`.

    `pushed`: told the path, headers and body of what comes for a browser. `reports`: called with each text message that
    arrived, to tell its sender.
    """

    def __init__(
        self,
        *,
        smtp_port: int = 0,
        http_port: int = 0,
        secrets: dict[str, str] | None = None,
        pushed: Callable[[Asked], int] | None = None,
        reports: Callable[[Arrived], None] | None = None,
    ) -> None:
        self.world = World(secrets=dict(secrets or {}))
        self._pushed, self._reports = pushed, reports
        self.smtp_port = smtp_port or _free_port()
        """Where letters are taken."""
        self._mail = Controller(
            _Mailbox(self.world), hostname="127.0.0.1", port=self.smtp_port, ready_timeout=10
        )
        self._web = ThreadingHTTPServer(("127.0.0.1", http_port), self._handler())
        self._thread = threading.Thread(target=self._web.serve_forever, daemon=True)

    def __enter__(self) -> Postbox:
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        self._mail.start()
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._mail.stop()
        self._web.shutdown()
        self._web.server_close()

    @property
    def url(self) -> str:
        """Where everything else is, and the page."""
        return f"http://127.0.0.1:{self._web.server_address[1]}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        box = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_GET(self) -> None:
                box._serve(self)

            def do_POST(self) -> None:
                box._serve(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the library's
                del format, args

        return Handler

    def _serve(self, at: BaseHTTPRequestHandler) -> None:
        body = at.rfile.read(int(at.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in at.headers.items()}
        asked = Asked(at.command, at.path, headers, body)
        if at.command == "GET" and urlsplit(at.path).path == "/":
            _say(at, 200, "text/html; charset=utf-8", _page(self.world).encode())
            return
        if self.world.fails("sick"):
            _say(at, 503, "text/plain", b"busy")
            return
        if at.path.startswith("/push/") and self._pushed is not None:
            _say(at, self._pushed(asked), "text/plain", b"")
            return
        if at.path.startswith("/staff"):
            said = json.loads(body)
            self.world.take(
                Arrived(
                    channel="staff",
                    provider="chat",
                    to="staff",
                    subject=str(said.get("title", "")),
                    text=str(said.get("message", "")),
                    ref="",
                    provider_ref="",
                )
            )
            _say(at, 200, "application/json", b"{}")
            return
        before = len(self.world.arrived)
        told = answer(self.world, asked)
        if self.world.fails("deaf"):
            # Taken, and the line breaks before the answer.
            at.close_connection = True
            with contextlib.suppress(OSError):
                at.connection.shutdown(2)
            return
        if told is None:
            _say(at, 404, "text/plain", b"")
            return
        _say(at, told.status, "application/json", json.dumps(told.content).encode())
        if self._reports is not None:
            for one in self.world.arrived[before:]:
                self._reports(one)


class _Mailbox:
    """Takes every letter."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # theirs
        del server, session
        letter = message_from_bytes(envelope.original_content or b"", policy=default)
        body = letter.get_body(("plain",))
        self._world.take(
            Arrived(
                channel="email",
                provider="smtp",
                to=", ".join(envelope.rcpt_tos),
                subject=str(letter["Subject"]),
                text=body.get_content().rstrip("\n") if body is not None else "",
                ref=str(letter["Message-ID"]).strip("<>").partition("@")[0],
                provider_ref="",
            )
        )
        return "250 taken"


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _say(at: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
    at.send_response(status)
    at.send_header("Content-Type", kind)
    at.send_header("Content-Length", str(len(body)))
    at.end_headers()
    at.wfile.write(body)


def _page(world: World) -> str:
    with world.lock:
        newest = list(reversed(world.arrived))[:200]
    items = "".join(
        f"<article><b>{escape(one.subject or one.channel)}</b> <small>{escape(one.channel)} · {escape(one.to)}</small>"
        f"<pre>{escape(one.text)}</pre></article>"
        for one in newest
    )
    return (
        '<!doctype html><html lang="en"><meta charset=utf-8><meta name=viewport content="width=device-width">'
        '<meta http-equiv="refresh" content="5"><title>Messages that arrived</title>'
        f"<style>{_STYLE}</style><h1>Messages that arrived</h1><p><small>Stand-ins for mailboxes and "
        f"phones: nothing left "
        f"this machine.</small></p>{items or '<p>Nothing has arrived yet.</p>'}</html>"
    )
