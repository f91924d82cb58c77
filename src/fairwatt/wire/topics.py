"""Where a gateway's messages go: one pair of MQTT topics, and the NATS subjects they turn into.

fw/v1/{book}/{site}/{gw}/up      gateway -> head-end        in.{book}.{site}.{gw}   after the stream's
transform fw/v1/{book}/{site}/{gw}/down    head-end -> gateway
"""

import re
from typing import Final, NamedTuple

from fairwatt.wire.errors import BadTopic

STREAM_SUBJECTS: Final = "fw.v1.*.*.*.up"
"""What the backbone's stream listens to."""
STREAM_TRANSFORM: Final = "in.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}"
"""How the stream stores them: book first, so that one consumer can take one book."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Address(NamedTuple):
    """A gateway's place: the book that its money is in, the site, the gateway's own id."""

    book: str
    site: str
    gateway: str


def check_id(text: str, /) -> str:
    """Return ``text`` when it may stand in a topic: 1-64 of ``A-Z a-z 0-9 _ -``; else raise BadTopic."""
    if not _ID.fullmatch(text):
        raise BadTopic(f"{text!r} cannot be part of a topic; use 1 to 64 of A-Z, a-z, 0-9, _ and -")
    return text


def up(*, book: str, site: str, gateway: str) -> str:
    """MQTT topic that a gateway publishes to."""
    return "/".join(("fw", "v1", check_id(book), check_id(site), check_id(gateway), "up"))


def down(*, book: str, site: str, gateway: str) -> str:
    """MQTT topic that a gateway listens to."""
    return "/".join(("fw", "v1", check_id(book), check_id(site), check_id(gateway), "down"))


def up_subject(*, book: str, site: str, gateway: str) -> str:
    """NATS subject that a publish on the up topic arrives as."""
    return up(book=book, site=site, gateway=gateway).replace("/", ".")


def down_subject(*, book: str, site: str, gateway: str) -> str:
    """NATS subject to publish on to reach the gateway."""
    return down(book=book, site=site, gateway=gateway).replace("/", ".")


def book_filter(*, book: str) -> str:
    """Filter subject of the consumer that takes one book from the stream."""
    return f"in.{check_id(book)}.>"


def parse_subject(subject: str, /) -> Address:
    """Read the gateway's place from an ``in.…`` or ``fw.v1.….up|down`` subject.

    Raises BadTopic. The broker binds a gateway's credential to its own subject, so this is who really spoke.
    """
    parts = subject.split(".")
    if len(parts) == 4 and parts[0] == "in":
        book, site, gateway = parts[1:]
    elif len(parts) == 6 and parts[0] == "fw" and parts[1] == "v1" and parts[5] in ("up", "down"):
        book, site, gateway = parts[2:5]
    else:
        raise BadTopic(f"{subject!r} is not a subject of this protocol")
    return Address(check_id(book), check_id(site), check_id(gateway))
