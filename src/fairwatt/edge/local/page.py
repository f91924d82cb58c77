"""The page on the local network: type a code; with the home's PIN, see the home. It needs no script and no internet.

Nothing private is shown without the PIN. What a code came to says nothing about a balance.
"""

import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.desk import TakesCodes
from fairwatt.edge.local.homes import Homes
from fairwatt.edge.local.http import Request, Response
from fairwatt.edge.local.look import CSP, Shown, page

COOKIE: Final = "fairwatt_local"
POSTS_A_MINUTE: Final = 12
POSTS_A_MINUTE_ALL: Final = 120
_CLIENTS_MAX: Final = 512


class Tries:
    """At most so many posts a minute from one address, and from all of them together. Wall time, in memory.

    What is one too many from an address counts for nobody else: a hurried hand leaves the others their share.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait_s(self, client: str) -> int:
        """Count one try; how long to wait when it is one too many, else 0."""
        now_s = int(self._clock())
        within = all(
            self._count(who, now_s // 60) <= most
            for who, most in ((client, POSTS_A_MINUTE), ("", POSTS_A_MINUTE_ALL))
        )
        while len(self._counts) > _CLIENTS_MAX:
            self._counts.popitem(last=False)
        return 0 if within else 60 - now_s % 60

    def _count(self, who: str, minute: int) -> int:
        then, count = self._counts.pop(who, (minute, 0))
        count = count + 1 if then == minute else 1
        self._counts[who] = (minute, count)
        return count


class Page:
    """Answers requests of the page."""

    def __init__(
        self,
        *,
        codes: TakesCodes,
        homes: Homes,
        now: Callable[[], int],
        entropy: Callable[[int], bytes],
        zone: str,
        currency: str,
        hosts: frozenset[str],
        tries: Tries | None = None,
    ) -> None:
        self._codes, self._homes, self._now, self._entropy = codes, homes, now, entropy
        self._zone, self._currency, self._hosts = zone, currency, hosts
        self._secret = entropy(32)
        self._tries = tries or Tries()

    async def answer(self, request: Request, /) -> Response:
        """The answer to one request."""
        language = _language(request)
        if not self._is_ours(request.headers.get("host", "")):
            # A foreign name that points here would let a foreign page read ours.
            return Response(
                status=HTTPStatus.MISDIRECTED_REQUEST, body=b"Open this page by the gateway's address.\n"
            )
        if request.path == "/favicon.ico":
            return Response(status=HTTPStatus.NO_CONTENT)
        if request.path not in ("/", "/code", "/home"):
            return self._shown(request, Shown(language=language, problem="not_found"), HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            if request.path != "/":
                return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/"})
            return self._shown(request, Shown(language=language))
        if not self._meant(request):
            return self._shown(request, Shown(language=language, problem="not_meant"), HTTPStatus.FORBIDDEN)
        home = request.form.get("home", "").strip()[:60]
        typed = request.form.get("code", "").strip()[:60]
        if wait_s := self._tries.wait_s(request.client):
            shown = Shown(language=language, home=home, code=typed, answer=Answer("busy", wait_s=wait_s))
            return self._shown(request, shown, HTTPStatus.TOO_MANY_REQUESTS)
        meter = self._homes.find(home)
        if meter is None:
            shown = Shown(language=language, home=home, code=typed, answer=Answer("unknown_meter"))
            return self._shown(request, shown, HTTPStatus.UNPROCESSABLE_ENTITY)
        if request.path == "/home":
            return self._home(request, language, home, meter)
        answer = await self._codes.enter(meter=meter, text=request.form.get("code", ""), proven=False)
        status = HTTPStatus.OK if answer.accepted else HTTPStatus.UNPROCESSABLE_ENTITY
        shown = Shown(language=language, home=home, code="" if answer.accepted else typed, answer=answer)
        return self._shown(request, shown, status)

    def _home(self, request: Request, language: str, home: str, meter: int) -> Response:
        pin = request.form.get("pin", "")
        refused = self._homes.open_with_pin(meter=meter, pin=pin, now_us=self._now())
        if refused is not None:
            shown = Shown(language=language, home=home, answer=refused, pin=True)
            return self._shown(request, shown, HTTPStatus.UNPROCESSABLE_ENTITY)
        return self._shown(request, Shown(language=language, home=home, state=self._homes.state(meter)))

    def _shown(self, request: Request, shown: Shown, status: HTTPStatus = HTTPStatus.OK) -> Response:
        known = _cookie(request.headers)
        cookie = known or self._entropy(16).hex()
        html = page(
            shown, token=self._token(cookie), zone=self._zone, currency=self._currency, now_us=self._now()
        )
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Language": shown.language,
            "Content-Security-Policy": CSP,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Vary": "Accept-Language, Cookie",
        }
        if not known:
            headers["Set-Cookie"] = f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict"
        return Response(status=status, body=html.encode(), headers=headers)

    def _token(self, cookie: str) -> str:
        return hmac.digest(self._secret, cookie.encode(), "sha256").hex()[:32]

    def _meant(self, request: Request) -> bool:
        """Say whether the post comes from our own page, by everything a browser tells."""
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if site not in (None, "same-origin") or (
            origin is not None and origin.partition("://")[2] != request.headers.get("host")
        ):
            return False
        cookie = _cookie(request.headers)
        token = request.form.get("token", "").encode()
        return bool(cookie) and hmac.compare_digest(self._token(cookie).encode(), token)

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name == "localhost" or name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _cookie(headers: Mapping[str, str]) -> str:
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and len(value) == 32 and set(value) <= set("0123456789abcdef"):
            return value
    return ""


def _language(request: Request) -> str:
    asked = request.form.get("lang") or request.query.get("lang", "")
    if asked in ("en", "zh"):
        return asked
    for part in request.headers.get("accept-language", "").split(","):
        tag = part.partition(";")[0].strip().lower()
        if tag.startswith(("en", "zh")):
            return tag[:2]
    return "en"
