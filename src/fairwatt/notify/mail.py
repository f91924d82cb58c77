"""A message as an e-mail. Its Message-ID is our number: mailboxes that look for repetitions know one again."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from typing import Any

from fairwatt.core.notices.model import Channel
from fairwatt.core.spans import to_datetime
from fairwatt.notify.contract import BadAccount, CannotSay, Letter, Moment
from fairwatt.notify.fields import setting


class Mail:
    """One account at a mail server: where it is, who we are there, whom the letter is from."""

    channel = Channel.EMAIL

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.host = setting(settings, "host")
        self.port = settings.get("port", 587)
        if type(self.port) is not int or not 0 < self.port < 65_536:
            raise BadAccount("port is no port")
        self.user, self.password = str(settings.get("user", "")), str(settings.get("password", ""))
        self.security = str(settings.get("security", "starttls"))
        if self.security not in ("starttls", "tls", "none"):
            raise BadAccount("security is starttls, tls or none")
        if self.security == "none" and self.host not in ("127.0.0.1", "localhost", "::1"):
            raise BadAccount("letters leave this machine encrypted only: security starttls or tls")
        self.sender = setting(settings, "sender")
        self._name, address = parseaddr(self.sender)
        if "@" not in address:
            raise BadAccount("sender is no address")
        self._address = address

    def compose(self, *, letter: Letter, at: Moment) -> EmailMessage:
        """The letter. Raises CannotSay where the address is none."""
        to = letter.address
        if "@" not in to or any(one.isspace() or one in '<>,;"' for one in to) or not to.isascii():
            raise CannotSay("no address of a mailbox")
        made = EmailMessage()
        made["Subject"] = " ".join(letter.subject.split())
        made["From"] = formataddr((self._name, self._address))
        made["To"] = to
        made["Date"] = format_datetime(to_datetime(at.now_us))
        made["Message-ID"] = f"<{letter.ref}@{self._address.rpartition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"
        made["Content-Language"] = "zh-Hans" if letter.language.startswith("zh") else "en"
        made.set_content(letter.body, cte="quoted-printable" if letter.body.isascii() else "base64")
        return made
