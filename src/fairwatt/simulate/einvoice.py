"""A platform that issues e-fapiao for practice: signed HTTP, waiting, refusals, red letters, faults on demand.

What it issues is marked as practice and looks like nothing a tax office knows.
"""

from __future__ import annotations

import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.payments.efapiao import signed_ask, signed_reply

US = 1_000_000


@dataclass
class Asked:
    """One request as the platform knows it."""

    serial: str
    body: dict[str, Any]
    red: bool
    asked_us: int
    number: str = ""
    refused: str = ""


@dataclass(kw_only=True)
class PracticePlatform:
    """The platform's own books. ``issue_us``: how long a request waits; ``lost``: so many answers are never sent."""

    taxpayer_key: Ed25519PublicKey
    now_us: Callable[[], int]
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    issue_us: int = 5 * US
    lost: int = 0
    origin: str = ""
    asked: dict[str, Asked] = field(default_factory=dict)
    questions: int = 0
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(
        self, *, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]] | None:
        """(status, answer) to a question; None: the line breaks before it is sent, though it was heard."""
        with self._lock:
            self.questions += 1
            told = self._heard(method, path, headers, body)
            if self.lost > 0:
                self.lost -= 1
                return None
            return told

    def sign(self, *, status: int, nonce: str, body: bytes) -> dict[str, str]:
        """The headers of an answer."""
        stamp = str(self.now_us() // US)
        signature = self.key.sign(signed_reply(status=status, stamp=stamp, nonce=nonce, body=body))
        return {"x-timestamp": stamp, "x-signature": b64encode(signature).decode()}

    def issued(self) -> dict[str, str]:
        """{serial: number} of everything that is issued: the truth to compare with."""
        return {one.serial: one.number for one in self.asked.values() if one.number}

    def _heard(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        stamp, nonce = headers.get("x-timestamp", ""), headers.get("x-nonce", "")
        try:
            self.taxpayer_key.verify(
                b64decode(headers.get("x-signature", ""), validate=True),
                signed_ask(method=method, path=path, stamp=stamp, nonce=nonce, body=body),
            )
        except (InvalidSignature, ValueError):
            return 401, {"code": "signature", "message": "the signature does not fit"}
        if nonce in self._seen or abs(int(stamp) - self.now_us() // US) > 300:
            return 401, {"code": "stale", "message": "asked before, or too old"}
        self._seen.add(nonce)
        if method == "GET":
            one = self.asked.get(path.rpartition("/")[2])
            return (
                (200, self._stands(one)) if one else (404, {"code": "unknown", "message": "no such request"})
            )
        content = json.loads(body)
        serial = str(content.pop("serial", ""))
        known = self.asked.get(serial)
        if known is not None:
            if known.body != content:
                return 409, {"code": "other_body", "message": "this serial asked for something else"}
            return 200, self._stands(known)
        red = path.endswith("/red-letters")
        made = Asked(serial, content, red, self.now_us(), refused=self._refuses(content, red=red))
        self.asked[serial] = made
        return 202, self._stands(made)

    def _refuses(self, content: dict[str, Any], *, red: bool) -> str:
        if red:
            blue = content.get("of_number")
            found = any(one.number == blue and not one.red for one in self.asked.values())
            return "" if found else "no invoice has that number"
        if not content.get("buyer", {}).get("name"):
            return "the buyer has no name"
        if content["net_minor"] != sum(line["net_minor"] for line in content["lines"]):
            return "the lines do not come to the sum"
        return ""

    def _stands(self, one: Asked) -> dict[str, Any]:
        if one.refused:
            return {"serial": one.serial, "state": "refused", "code": "refused", "message": one.refused}
        if not one.number and self.now_us() - one.asked_us >= self.issue_us:
            one.number = f"2600{len(self.issued()) + 1:016d}"
        if not one.number:
            return {"serial": one.serial, "state": "pending"}
        links = {name: f"{self.origin}/practice/{one.number}.{name}" for name in ("xml", "ofd", "pdf")}
        return {"serial": one.serial, "state": "issued", "number": one.number, **links}


@contextmanager
def serving(platform: PracticePlatform, *, port: int = 0) -> Iterator[str]:
    """Serve it on the loopback; its origin."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self.rfile.read(min(1 << 20, int(self.headers.get("content-length", "0")))))

        def log_message(self, *_: Any) -> None:
            pass

        def _serve(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            told = platform.answer(method=self.command, path=self.path, headers=headers, body=body)
            if told is None:
                self.close_connection = True
                return
            status, content = told
            answer = json.dumps(content).encode()
            self.send_response(status)
            for name, value in platform.sign(
                status=status, nonce=headers.get("x-nonce", ""), body=answer
            ).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", port), Door)
    platform.origin = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield platform.origin
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
