"""A data terminal unit (DTU) on the line: a modem that dials in, says who it is, and then carries bytes.

What it says by itself is not the meters': a *registration* packet at the start, *heartbeats* whenever nothing
else is said. `DtuStream` takes both out of what comes in and tells whose line it is. It owns no socket.

A pattern is written `ascii:REG{id:11}` or `hex:7B {id:8} 7D`: `{id:n}` stands for the n bytes that name the
unit (their text in an ascii pattern, hexadecimal digits in a hex one), `{any:n}` for n bytes that may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .contract import DriverError

REGISTRATION_BYTES_MAX: Final = 512
_SHORT: Final = 4
_PART: Final = re.compile(r"\{(id|any):(\d{1,3})\}")


class UnknownDtu(DriverError):
    """Somebody dialled in and did not say a registration that is configured; none of its bytes are believed."""

    code = "unknown_dtu"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A packet of a fixed length: bytes that must stand there, bytes that name, bytes that may be anything."""

    text: str
    parts: tuple[bytes | int, ...]
    """Literal bytes, or a number of bytes: the one that names is `named`, every other may be anything."""
    named: int | None
    is_ascii: bool

    @property
    def size(self) -> int:
        return sum(part if isinstance(part, int) else len(part) for part in self.parts)

    def fits(self, data: bytes) -> bool:
        """Say whether data are this packet, or could become it with more bytes."""
        position = 0
        for part in self.parts:
            rest = data[position:]
            if isinstance(part, bytes) and not (rest.startswith(part) or part.startswith(rest)):
                return False
            position += part if isinstance(part, int) else len(part)
        return True

    def name_in(self, data: bytes) -> str:
        """Return what names the unit in a whole packet; nothing when the pattern names none."""
        position = 0
        for number, part in enumerate(self.parts):
            size = part if isinstance(part, int) else len(part)
            if number == self.named:
                found = data[position : position + size]
                return found.decode("ascii", "replace").strip("\0 ") if self.is_ascii else found.hex()
            position += size
        return ""


def dtu_pattern(text: str) -> Pattern:
    """Read `ascii:...` or `hex:...` with `{id:n}` and `{any:n}`. Raises ValueError for anything else."""
    kind, colon, body = text.partition(":")
    if not colon or kind not in ("ascii", "hex") or not body:
        raise ValueError(f"a packet is written ascii:... or hex:...; got {text!r}")
    parts: list[bytes | int] = []
    named, position = None, 0
    for found in _PART.finditer(body):
        parts += _literal(kind, body[position : found.start()])
        if found[1] == "id":
            if named is not None:
                raise ValueError(f"a packet names its unit once; got {text!r}")
            named = len(parts)
        parts.append(int(found[2]))
        position = found.end()
    parts += _literal(kind, body[position:])
    pattern = Pattern(text, tuple(parts), named, kind == "ascii")
    if not 0 < pattern.size <= REGISTRATION_BYTES_MAX:
        raise ValueError(f"a packet has 1 to {REGISTRATION_BYTES_MAX} bytes; {text!r} has {pattern.size}")
    return pattern


def _literal(kind: str, text: str) -> list[bytes]:
    if "{" in text or "}" in text:
        raise ValueError(f"in braces stands {{id:n}} or {{any:n}}; got {text!r}")
    if kind == "hex":
        return [bytes.fromhex(text)] if text.strip() else []
    # Escapes, so that a carriage return can be written in a settings file.
    return [text.encode("ascii").decode("unicode_escape").encode("latin-1")] if text else []


@dataclass(frozen=True, slots=True)
class DtuDialect:
    """What one make of DTU says by itself, and what it wants to hear back.

    Without a registration the line belongs to whoever dials in, and `name` is empty.
    """

    registration: Pattern | None = None
    heartbeats: tuple[Pattern, ...] = ()
    registration_reply: bytes = b""
    heartbeat_reply: bytes = b""

    def __post_init__(self) -> None:
        for one in self.heartbeats:
            if not isinstance(one.parts[0], bytes):
                raise ValueError(
                    f"a heartbeat begins with bytes that are known; {one.text!r} could be anything"
                )


@dataclass(frozen=True, slots=True)
class Heard:
    """What came in: bytes of the meters' line, and bytes to send back to the unit itself."""

    payload: bytes = b""
    reply: bytes = b""


class DtuStream:
    """One call of one DTU. Feed what the socket brings; hand `payload` to the exchange, send `reply` back.

    A heartbeat is a packet of the unit's own, so it is looked for where a packet can begin: at the start of
    what arrives, and behind another heartbeat. One of four bytes or more is found inside and behind other
    bytes, too, since TCP joins packets; a shorter one could be part of a meter's frame, and is taken out only
    when it is all that arrived. A heartbeat that arrives in two pieces is held back until it is whole; call
    `release` when the line has been still for a while, so that nothing else is held for ever.
    """

    def __init__(self, *, dialect: DtuDialect) -> None:
        self.dialect = dialect
        self.name: str | None = None if dialect.registration is not None else ""
        """Who is calling; None until it has registered."""
        self.heartbeats = 0
        self._held = b""

    def feed(self, data: bytes) -> Heard:
        """Take bytes as they came. Raises `UnknownDtu` when what came first is no registration."""
        data = self._held + data
        self._held = b""
        reply = b""
        if self.name is None:
            rest = self._register(data)
            if rest is None:
                self._held = data
                return Heard()
            data, reply = rest, self.dialect.registration_reply
        payload, answers = self._without_packets(data)
        return Heard(payload, reply + answers)

    def release(self) -> bytes:
        """Give out what was held back as the beginning of a heartbeat that never became one."""
        if self.name is None:
            return b""
        held, self._held = self._held, b""
        return held

    def _register(self, data: bytes) -> bytes | None:
        """Return what came behind the registration, or None while it is not whole."""
        pattern = self.dialect.registration
        assert pattern is not None
        if not pattern.fits(data[: pattern.size]):
            raise UnknownDtu(
                f"A caller began with {data[:40].hex()}, which is no registration {pattern.text!r}. Nothing of it "
                "is believed and no meter is read over it. Compare the unit's settings with the gateway's."
            )
        if len(data) < pattern.size:
            return None
        self.name = pattern.name_in(data)
        return data[pattern.size :]

    def _without_packets(self, data: bytes) -> tuple[bytes, bytes]:
        payload, reply = bytearray(), b""
        position = 0
        alone = [one for one in self.dialect.heartbeats if one.size >= _SHORT or _is_only(data, one.size)]
        while position < len(data):
            whole = self._packet_at(data, position, alone)
            if whole is not None:
                size, answer = whole
                position += size
                reply += answer
            elif not payload and self._may_become_packet(data[position:]):
                self._held = data[position:]
                break
            else:
                payload.append(data[position])
                position += 1
        return bytes(payload), reply

    def _packet_at(
        self, data: bytes, position: int, heartbeats: Iterable[Pattern]
    ) -> tuple[int, bytes] | None:
        """Return size and answer of the unit's own packet that stands here."""
        for pattern in heartbeats:
            size = pattern.size
            if len(data) - position >= size and pattern.fits(data[position : position + size]):
                self.heartbeats += 1
                return size, self.dialect.heartbeat_reply
        again = self.dialect.registration
        # Some units say who they are again and again instead of a heartbeat.
        if again is not None and len(data) - position >= again.size >= _SHORT:
            said = data[position : position + again.size]
            if again.fits(said) and again.name_in(said) == self.name:
                return again.size, self.dialect.registration_reply
        return None

    def _may_become_packet(self, rest: bytes) -> bool:
        own = (*self.dialect.heartbeats, *((self.dialect.registration,) if self.dialect.registration else ()))
        return any(len(rest) < one.size and one.size >= _SHORT and one.fits(rest) for one in own)


def _is_only(data: bytes, size: int) -> bool:
    """Say whether what came is one packet of a size, or the same again and again."""
    return not len(data) % size and data == data[:size] * (len(data) // size)
