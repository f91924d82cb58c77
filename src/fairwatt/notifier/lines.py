"""The lines of organisations, from `notify.toml` in the state folder: only the notifier reads its secrets."""

from __future__ import annotations

import hashlib
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apprise

from fairwatt.core.notices.model import Channel
from fairwatt.notify.contract import BadAccount, Reports, Sender
from fairwatt.notify.mail import Mail
from fairwatt.notify.registry import sender_of
from fairwatt.notify.webpush import WebPush

FILE: Final = "notify.toml"
APPRISE: Final = "apprise"


class BadLines(Exception):
    """The file of lines cannot be used; the text names the line and the next step."""


@dataclass(frozen=True)
class Apprise:
    """Addresses of staff at whatever apprise knows: chats, pagers, other mail."""

    urls: tuple[str, ...]
    channel: Channel = Channel.STAFF


@dataclass(frozen=True, kw_only=True)
class Line:
    """One account: whose it is and what speaks for it. `token`: the secret end of the address its reports come to."""

    account: str
    organisation: str
    kind: str
    sender: Sender | Mail | Apprise
    token: str = ""

    @property
    def token_sha256(self) -> str:
        """What the pages know of the secret."""
        return hashlib.sha256(self.token.encode()).hexdigest() if self.token else ""

    @property
    def public(self) -> dict[str, str]:
        """What pages and browsers may know."""
        return {"key": self.sender.public} if isinstance(self.sender, WebPush) else {}


@dataclass(frozen=True)
class LineBook:
    """All lines of an installation."""

    lines: tuple[Line, ...] = ()
    of: Mapping[str, Line] = field(default_factory=dict)

    def sending(self, *, organisation: str, channel: Channel) -> list[Line]:
        """The lines of an organisation for a channel, the first one first."""
        return [
            one for one in self.lines if one.organisation == organisation and one.sender.channel is channel
        ]


def read_lines(*, path: Path, origin: str) -> LineBook:
    """Read the file; none is no lines. Raises BadLines."""
    if not path.exists():
        return LineBook()
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadLines(
            f"{path} holds secrets and can be read by others. Set its mode to 0600; nothing is sent by it."
        )
    try:
        found = tomllib.loads(path.read_text())
    except ValueError as broken:
        raise BadLines(f"{path} is no TOML ({broken}); nothing is sent.") from None
    rows = found.get("line", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadLines(f"{path}: lines are written as [[line]]; nothing is sent.")
    lines = tuple(_line(row, origin) for row in rows)
    of = {one.account: one for one in lines}
    tokens = [one.token for one in lines if one.token]
    if len(set(tokens)) != len(tokens):
        raise BadLines(f"{path} gives two lines the same callback_token; nothing is sent.")
    if len(of) != len(lines):
        raise BadLines(f"{path} names a line twice; nothing is sent.")
    return LineBook(lines, of)


def _line(row: Mapping[str, Any], origin: str) -> Line:
    organisation, name, kind = (str(row.get(word, "")) for word in ("organisation", "name", "kind"))
    if not (organisation and name and kind):
        raise BadLines("A [[line]] needs organisation, name and kind; nothing is sent.")
    token = str(row.get("callback_token", ""))
    if token and len(token) < 24:
        raise BadLines(
            f"callback_token of {name} is shorter than 24 letters and could be guessed; nothing is sent."
        )
    settings = {**row, "callback": f"{origin}/n/heard/{token}"} if token else dict(row)
    try:
        sender = _apprise(row) if kind == APPRISE else sender_of(kind=kind, settings=settings)
    except BadAccount as wrong:
        raise BadLines(f"The line {name} of {organisation} cannot be used: {wrong}") from None
    if token and not isinstance(sender, Reports):
        raise BadLines(f"The line {name} of {organisation} has no reports, so it needs no callback_token.")
    return Line(
        account=f"{organisation}/{name}", organisation=organisation, kind=kind, sender=sender, token=token
    )


def _apprise(row: Mapping[str, Any]) -> Apprise:
    urls = row.get("urls", [])
    if not isinstance(urls, list) or not urls or not all(isinstance(one, str) for one in urls):
        raise BadAccount("urls must be a list of addresses as apprise writes them")
    for url in urls:
        if apprise.Apprise.instantiate(url) is None:
            # The address itself may hold a secret and is not repeated.
            raise BadAccount(f"apprise does not know what {url.partition(':')[0]}: and what follows means")
    return Apprise(tuple(urls))
