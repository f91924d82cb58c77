"""Where a gateway's messages go: one pair of MQTT topics, and the NATS subjects they turn into.

fw/v1/{book}/{site}/{gw}/up      gateway -> head-end        in.{book}.{site}.{gw}   after the stream's
transform fw/v1/{book}/{site}/{gw}/down    head-end -> gateway
fw/v1/{book}/{site}/{gw}/tele    gateway -> telemetry       tele.{book}.{site}.{gw}, a stream of its own
fw/v1/{book}/{site}/{gw}/tack    telemetry -> gateway
"""

import re
from typing import Final, NamedTuple

from fairwatt.wire.errors import BadTopic

STREAM_SUBJECTS: Final = "fw.v1.*.*.*.up"
"""What the backbone's stream listens to."""
STREAM_TRANSFORM: Final = "in.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}"
"""How the stream stores them: book first, so that one consumer can take one book."""
TELE_SUBJECTS: Final = "fw.v1.*.*.*.tele"
TELE_TRANSFORM: Final = "tele.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}"
TACK_SUBJECTS: Final = "fw.v1.*.*.*.tack"
"""What meters did second by second: a stream beside the other one, so that neither waits for the other."""

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
    return _topic(book, site, gateway, "up")


def down(*, book: str, site: str, gateway: str) -> str:
    """MQTT topic that a gateway listens to."""
    return _topic(book, site, gateway, "down")


def tele(*, book: str, site: str, gateway: str) -> str:
    """MQTT topic that a gateway publishes telemetry to."""
    return _topic(book, site, gateway, "tele")


def tack(*, book: str, site: str, gateway: str) -> str:
    """MQTT topic on which a gateway hears that its telemetry is kept."""
    return _topic(book, site, gateway, "tack")


def up_subject(*, book: str, site: str, gateway: str) -> str:
    """NATS subject that a publish on the up topic arrives as."""
    return up(book=book, site=site, gateway=gateway).replace("/", ".")


def down_subject(*, book: str, site: str, gateway: str) -> str:
    """NATS subject to publish on to reach the gateway."""
    return down(book=book, site=site, gateway=gateway).replace("/", ".")


def tele_subject(*, book: str, site: str, gateway: str) -> str:
    """NATS subject that a publish on the telemetry topic arrives as."""
    return tele(book=book, site=site, gateway=gateway).replace("/", ".")


def tack_subject(*, book: str, site: str, gateway: str) -> str:
    """NATS subject to publish on to tell the gateway about its telemetry."""
    return tack(book=book, site=site, gateway=gateway).replace("/", ".")


def book_filter(*, book: str) -> str:
    """Filter subject of the consumer that takes one book from the stream."""
    return f"in.{check_id(book)}.>"


def parse_subject(subject: str, /) -> Address:
    """Read the gateway's place from an ``in.…``, ``tele.…`` or ``fw.v1.….up|down|tele|tack`` subject.

    Raises BadTopic. The broker binds a gateway's credential to its own subject, so this is who really spoke.
    """
    parts = subject.split(".")
    if len(parts) == 4 and parts[0] in ("in", "tele"):
        book, site, gateway = parts[1:]
    elif len(parts) == 6 and parts[:2] == ["fw", "v1"] and parts[5] in ("up", "down", "tele", "tack"):
        book, site, gateway = parts[2:5]
    else:
        raise BadTopic(f"{subject!r} is not a subject of this protocol")
    return Address(check_id(book), check_id(site), check_id(gateway))


def _topic(book: str, site: str, gateway: str, end: str) -> str:
    return "/".join(("fw", "v1", check_id(book), check_id(site), check_id(gateway), end))
