"""Carries an exchange over HTTPS: hard limits of time and size, no proxy, no redirects, nothing of it in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx

from fairwatt.collector.breaker import Breaker
from fairwatt.payments.exchange import (
    CircuitOpen,
    Exchange,
    HttpAsk,
    HttpReply,
    NoAnswer,
    ProviderBusy,
)

CONNECT_S: Final = 3.0
TOTAL_S: Final = 10.0
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, and for one question with the whole of its answer."""

    connect_s: float = CONNECT_S
    total_s: float = TOTAL_S


@dataclass
class _Kept:
    reply: HttpReply
    until_s: float


@dataclass
class _Line:
    """What is remembered of one merchant account."""

    breaker: Breaker
    kept: dict[tuple[str, str, bytes], _Kept] = field(default_factory=dict)
    date: str = ""


class Carrier:
    """Carries exchanges for any number of merchant accounts, from any thread."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        resolve: Mapping[str, str] | None = None,
    ) -> None:
        """`resolve` sends what is meant for an origin to another one: a simulator, a recording gateway."""
        self._limits = limits or Limits()
        self._clock_s = clock_s
        self._resolve = dict(resolve or {})
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()
        # The environment's proxies must see no payment; a redirect would carry a signature to another address.
        self._client = httpx.Client(trust_env=False, follow_redirects=False, http2=False)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def available(self, *, account: str) -> bool:
        """Whether this account's provider is being asked just now; a method that is not is not offered."""
        return not self._line(account).breaker.open

    def date(self, *, account: str) -> str:
        """The `Date` of the newest answer: how the provider's clock stands."""
        return self._line(account).date

    def carry[T](self, exchange: Exchange[T], *, account: str) -> T:
        """Ask what the exchange wants asked until it has its answer. `account` names whose breaker counts.

        Raises ProviderTrouble: the carrier's own (NoAnswer, ProviderBusy, CircuitOpen) or the adapter's.
        """
        line = self._line(account)
        try:
            ask = next(exchange)
            while True:
                ask = exchange.send(self._answer(line, ask))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            exchange.close()

    def _line(self, account: str) -> _Line:
        with self._lock:
            return self._lines.setdefault(account, _Line(Breaker(clock_s=self._clock_s)))

    def _answer(self, line: _Line, ask: HttpAsk) -> HttpReply:
        key = (ask.method, ask.url, ask.body)
        kept = line.kept.get(key)
        if kept is not None and self._clock_s() < kept.until_s:
            return kept.reply
        if not line.breaker.admit():
            raise CircuitOpen("this provider failed too often just now; nothing was asked of it")
        try:
            reply = self._fetch(ask)
        except NoAnswer:
            line.breaker.failed()
            raise
        if (reply.status == 429 or reply.status >= 500) and reply.status not in ask.answers:
            line.breaker.failed()
            raise ProviderBusy(f"the provider answered {reply.status}; what was asked may or may not be done")
        line.breaker.succeeded()
        line.date = reply.headers.get("date", "")
        if ask.keep_s and reply.status == 200:
            line.kept[key] = _Kept(reply, self._clock_s() + ask.keep_s)
        return reply

    def _fetch(self, ask: HttpAsk) -> HttpReply:
        url = self._address(ask.url)
        total_s = self._limits.total_s if ask.total_s is None else ask.total_s
        until_s = self._clock_s() + total_s
        timeout = httpx.Timeout(total_s, connect=self._limits.connect_s)
        body = bytearray()
        try:
            with self._client.stream(
                ask.method, url, headers=dict(ask.headers), content=ask.body or None, timeout=timeout
            ) as answer:
                # A read's own limit begins anew with every byte; a slow drip must meet an end.
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > ask.bytes_max:
                        raise NoAnswer(f"the answer has more than {ask.bytes_max} bytes; it was not read")
                    if self._clock_s() > until_s:
                        raise NoAnswer(f"the answer took more than {total_s:g} s")
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return HttpReply(status=answer.status_code, headers=headers, body=bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as failure:
            # The text of an httpx error may hold the address with what is in it; its type says enough.
            raise NoAnswer(f"no whole answer came ({type(failure).__name__})") from None

    def _address(self, url: str) -> str:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        other = self._resolve.get(origin)
        if other is not None:
            url = other + url[len(origin) :]
            parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise NoAnswer("providers are asked over https only; nothing was sent")
        return url
