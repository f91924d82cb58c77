"""A street whose organisation has lines to its people: real mailboxes and phones on loopback, the real
notifier between."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairwatt.simulate.postbox import Postbox
from fairwatt.simulate.postbox.phones import Asked
from support.desk import Desk
from support.house import as_role
from support.till import HandClock

ORIGIN = "http://fairwatt.test"
PHONE = "+447700900123"
STEPS = (
    "days",
    "day",
    "low",
    "critical",
    "hours",
    "empty",
    "cut",
    "restored",
    "balance",
    "code",
    "emergency",
)


@dataclass
class Telling:
    """One street, its postbox, and a notifier that looks when it is told to."""

    desk: Desk
    box: Postbox
    clock: HandClock
    organisation: Any
    kinds: tuple[str, ...]
    notifier: Any = None
    _carriers: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    @property
    def token(self) -> str:
        """The secret part of the address that this organisation's providers report to."""
        return f"{self.organisation.slug:t<32}"

    def restart(self) -> None:
        """Another process: nothing in memory survives."""
        from fairwatt.notifier.carrier import Carrier
        from fairwatt.notifier.lines import Line, LineBook
        from fairwatt.notifier.main import Notifier
        from fairwatt.notify.registry import sender_of

        slug = self.organisation.slug
        lines = tuple(
            Line(
                account=f"{slug}/{kind}",
                organisation=slug,
                kind=kind,
                sender=sender_of(kind=kind, settings=self._settings()[kind]),
                token=self.token + kind if kind in ("aliyun", "twilio") else "",
            )
            for kind in self.kinds
        )
        self._carriers.append(Carrier())
        self.notifier = Notifier(
            book=LineBook(lines, {one.account: one for one in lines}),
            carrier=self._carriers[-1],
            clock=self.clock,
            origin=ORIGIN,
            dsn="",
        )
        with as_role("notifier"):
            self.notifier.announce()

    def _settings(self) -> Mapping[str, Mapping[str, Any]]:
        words = {step: {"code": f"SMS_{step}", "words": ["home", "balance", "code"]} for step in STEPS}
        return {
            "smtp": {
                "host": "127.0.0.1",
                "port": self.box.smtp_port,
                "security": "none",
                "sender": "Maple <power@maple.example>",
            },
            "aliyun": {
                "access_key": "LTAI",
                "access_secret": "al-secret",
                "sign_name": "Maple",
                "endpoint": self.box.url,
                "templates": {"en": words},
            },
            "twilio": {
                "account_sid": "AC1",
                "auth_token": "tw-token",
                "sender": "+15005550006",
                "endpoint": self.box.url,
            },
            "webpush": {
                "private": _b64((41).to_bytes(32)),
                "subject": "mailto:ops@maple.example",
                "loopback": True,
            },
        }

    def browser_keys(self, key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
        """What a browser with this key gives a page that may show messages."""
        form = serialization.PublicFormat.UncompressedPoint
        point = key.public_key().public_bytes(serialization.Encoding.X962, form)
        return {"p256dh": _b64(point), "auth": _b64(bytes(16))}

    def look(self, *, at_us: int | None = None, notifier: Any = None) -> None:
        """The notifier looks once, at an instant."""
        if at_us is not None:
            self.clock.us = at_us
        with as_role("notifier"):
            (notifier or self.notifier).look()

    def person(self, *, email: str = "", phone: str = PHONE) -> Any:
        """Somebody who may be reached; by a proven phone unless told otherwise."""
        from django.db import connection, transaction

        from fairwatt.store import contacts
        from fairwatt.store.models import User

        with as_role("migrate"):
            count = User.objects.count()
            made = User.objects.create_user(f"resident-{self.organisation.pk}-{count}", email or None, "x")
        if phone:
            with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
                contacts.see_person(cursor=cursor, person=made.pk)
                contacts.add_contact(
                    cursor=cursor,
                    person=made.pk,
                    channel="sms",
                    address=phone,
                    details={},
                    proof="",
                    now_us=1,
                )
        return made

    def messages(self) -> list[Any]:
        """All messages of the book, oldest first."""
        from django.db import connection, transaction

        from fairwatt.store import facts
        from fairwatt.store import messages as stored

        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=self.desk.street.book)
            return list(reversed(stored.written(cursor=cursor, book=self.desk.street.book, limit=500)))

    def told(self) -> list[tuple[str, str, str]]:
        """(step, channel, state) of every message."""
        return [(one.step, one.channel, one.state) for one in self.messages()]

    def calls(self) -> list[Any]:
        """The call list."""
        from django.db import connection, transaction

        from fairwatt.store import escalations, facts

        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=self.desk.street.book)
            return escalations.escalations(
                cursor=cursor, book=self.desk.street.book, open_only=False, limit=99
            )

    def lawless(self) -> list[int]:
        """Cuts that neither a warning nor a call came before."""
        from fairwatt.flows.notifying.desk import unheralded

        with as_role("web"):
            return unheralded(book_id=self.desk.street.book)

    def report(self, kind: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """A provider calls; the notifier judges."""
        from fairwatt.flows.notifying.door import hear_provider

        with as_role("web"):
            assert hear_provider(
                token=self.token + kind,
                url=f"{ORIGIN}/n/heard/{self.token}{kind}",
                headers=headers or {},
                body=body,
                now_us=self.clock.us,
            )
        self.look()


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def open_telling(
    desk: Desk,
    clock: HandClock,
    *,
    kinds: tuple[str, ...] = ("smtp", "aliyun"),
    pushed: Callable[[Asked], int] | None = None,
) -> Iterator[Telling]:
    """A postbox and a notifier for a desk's street."""
    secrets = {"aliyun": "al-secret", "twilio": "tw-token"}
    with Postbox(secrets=secrets, pushed=pushed) as box:
        organisation = desk.street.site.book.organisation
        yield Telling(desk=desk, box=box, clock=clock, organisation=organisation, kinds=kinds)
