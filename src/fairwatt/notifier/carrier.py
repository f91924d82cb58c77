"""Carries what senders ask: over HTTPS, over SMTP, or by apprise; with limits of time, without proxies and
redirects."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Final

import apprise
import httpx

from fairwatt.core.notices.model import State
from fairwatt.core.notices.places import is_public
from fairwatt.notifier.lines import Apprise
from fairwatt.notify.contract import CannotSay, HttpAsk, HttpReply, Letter, Moment, Outcome, Talk
from fairwatt.notify.mail import Mail

CONNECT_S: Final = 3.0
TOTAL_S: Final = 10.0
BYTES_MAX: Final = 256 * 1024


class NoAnswer(Exception):
    """No whole answer came: what was asked may or may not have been done. `asked`: whether it went out at all."""

    def __init__(self, words: str, *, asked: bool = True) -> None:
        super().__init__(words)
        self.asked = asked


class NotPublic(CannotSay):
    """A server that somebody named is one of this house or of nobody; it was not asked."""

    code = "not_public"


class _OpenNetwork(httpx.HTTPTransport):
    """Looks a name up once, and connects to that very number if it is one of the open network."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name, port = request.url.host, request.url.port or 443
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except OSError as failure:
            raise httpx.ConnectError(type(failure).__name__, request=request) from None
        numbers = [str(one[4][0]) for one in found]
        if not all(is_public(number) for number in numbers):
            raise NotPublic("this server is none of the open network")
        request.url = request.url.copy_with(host=numbers[0])
        request.extensions = {**request.extensions, "sni_hostname": name}
        return super().handle_request(request)


class Carrier:
    """Carries for any number of lines, from any thread."""

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = httpx.Client(trust_env=False, follow_redirects=False, http2=False)
        self._open = httpx.Client(trust_env=False, follow_redirects=False, transport=_OpenNetwork())
        self._clock_s = clock_s
        self._kept: dict[tuple[str, str, bytes], tuple[float, HttpReply]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Hang up."""
        self._client.close()
        self._open.close()

    def carry[T](self, talk: Talk[T]) -> T:
        """Ask what a sender wants asked until it knows. Raises NoAnswer."""
        try:
            ask = next(talk)
            while True:
                ask = talk.send(self._answer(ask))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            talk.close()

    def _answer(self, ask: HttpAsk) -> HttpReply:
        key = (ask.method, ask.url, ask.body)
        with self._lock:
            kept = self._kept.get(key)
            if ask.keep_s and not ask.anew and kept is not None and self._clock_s() < kept[0]:
                return kept[1]
        reply = self._fetch(ask)
        if ask.keep_s and reply.status == 200:
            with self._lock:
                self._kept[key] = (self._clock_s() + ask.keep_s, reply)
        return reply

    def _fetch(self, ask: HttpAsk) -> HttpReply:
        until_s = self._clock_s() + TOTAL_S
        timeout = httpx.Timeout(TOTAL_S, connect=CONNECT_S)
        body = bytearray()
        try:
            with (self._open if ask.named else self._client).stream(
                ask.method, ask.url, headers=dict(ask.headers), content=ask.body or None, timeout=timeout
            ) as answer:
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > BYTES_MAX or self._clock_s() > until_s:
                        raise NoAnswer("the answer is too long or takes too long")
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return HttpReply(answer.status_code, headers, bytes(body))
        except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
            raise NoAnswer(type(failure).__name__, asked=False) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as failure:
            # An httpx error may repeat the address with what is in it; its type says enough.
            raise NoAnswer(type(failure).__name__) from None


def post(*, mail: Mail, letter: Letter, at: Moment) -> Outcome:
    """Hand a letter to a mail server. Raises NoAnswer where it may have been taken, and CannotSay."""
    made = mail.compose(letter=letter, at=at)
    try:
        with _greeted(mail) as server:
            for code, words in (server.mail(_address(mail)), server.rcpt(letter.address)):
                if code >= 400:
                    return _refused(code, words)
            try:
                code, words = server.data(made.as_bytes())
            except (smtplib.SMTPException, OSError) as failure:
                raise NoAnswer(type(failure).__name__) from None
            return (
                Outcome(State.SENT, provider_ref=words.decode(errors="replace")[:100])
                if code < 300
                else _refused(code, words)
            )
    except smtplib.SMTPAuthenticationError as refused:
        return Outcome(State.QUEUED, code=f"smtp_{refused.smtp_code}", line=True)
    except (smtplib.SMTPException, OSError) as failure:
        return Outcome(State.QUEUED, code=type(failure).__name__, line=True)


def _greeted(mail: Mail) -> smtplib.SMTP:
    server: smtplib.SMTP
    context = ssl.create_default_context()
    if mail.security == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=TOTAL_S, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=TOTAL_S)
    server.ehlo()
    if mail.security == "starttls":
        server.starttls(context=context)
        server.ehlo()
    if mail.user:
        server.login(mail.user, mail.password)
    return server


def _address(mail: Mail) -> str:
    return mail.sender.rpartition("<")[2].removesuffix(">").strip()


def _refused(code: int, words: bytes) -> Outcome:
    del words  # it may repeat the address
    if code == 421:
        return Outcome(State.QUEUED, code="smtp_421", line=True)
    return Outcome(
        State.QUEUED if code < 500 else State.FAILED, code=f"smtp_{code}", gone=code in (550, 551, 553)
    )


def to_staff(*, line: Apprise, letter: Letter) -> Outcome:
    """Tell staff by every address of the line. Apprise says only whether all took it."""
    told = apprise.Apprise()
    for url in line.urls:
        told.add(url)
    done = told.notify(title=letter.subject, body=letter.body)
    return Outcome(State.SENT) if done else Outcome(State.QUEUED, code="apprise", line=True)
