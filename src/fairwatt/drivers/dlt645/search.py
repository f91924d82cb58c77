"""Who is on a DL/T 645 bus? Questions to be listened out, and a search that asks ever closer ones.

One meter answers the wildcard read (13H) whole. Several answer at once and spoil each other; then the lowest two
digits are asked one by one, the higher ones left open (AAH), and again where two still share them. A wildcard stands
for a whole byte, so each step has a hundred questions, not two.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

from . import codec
from .frame import (
    ANY_ADDRESS,
    FUNCTION_BITS,
    READ_ADDRESS,
    READ_DATA,
    WAKE,
    WILDCARD,
    address_matches,
    build_frame,
)
from .scan import PieceKind, scan

QUESTIONS_MAX: Final = 5_000
_TRIES: Final = 2
_HEARD_MAX: Final = 4_096
_BCD: Final = [tens * 16 + ones for tens in range(10) for ones in range(10)]
_FOUND_OUT_BY: Final = codec.FORWARD_ACTIVE_TOTAL.identifier.to_bytes(4, "little")


class Probe:
    """One question to everybody a pattern means, listened to for the whole time an answer may take.

    An `Exchange` that never ends by itself: send it once, wait, then look at `answered` and `spoiled`. With
    ``first`` the first whole answer ends it.
    """

    def __init__(
        self, *, pattern: bytes, control: int = READ_ADDRESS, data: bytes = b"", first: bool = False
    ) -> None:
        self.pattern = pattern
        self._request = build_frame(address=pattern, control=control, data=data, preamble=4)
        self._control = control
        self._first = first
        self._heard = b""

    reply_within_ms = 1_500

    def request(self) -> bytes:
        """The bytes to send; what was heard before them is forgotten."""
        self._heard = b""
        return self._request

    def feed(self, data: bytes) -> Probe | None:
        """Take bytes from the line."""
        self._heard = (self._heard + data)[-_HEARD_MAX:]
        return self if self._first and self.answered else None

    @property
    def answered(self) -> list[bytes]:
        """The address of every whole answer to this question, in order; one that speaks twice stands twice."""
        return self._look()[0]

    @property
    def spoiled(self) -> bool:
        """Whether something was heard that is no whole answer: several at once, or a bad line."""
        return self._look()[1]

    @property
    def crowded(self) -> bool:
        """Whether anything but one clean answer or silence was heard."""
        return self.spoiled or len(self.answered) > 1

    def _look(self) -> tuple[list[bytes], bool]:
        answered: list[bytes] = []
        spoiled = False
        # A two-wire line may echo the question.
        for piece in scan(data=self._heard.replace(self._request.lstrip(bytes([WAKE])), b"")):
            frame = piece.frame
            if piece.kind is not PieceKind.FRAME or frame is None:
                spoiled |= piece.kind is not PieceKind.WAKE
            elif frame.from_meter and frame.control & FUNCTION_BITS == self._control:
                whole = self._control != READ_ADDRESS or frame.is_abnormal or frame.data == frame.address
                answered += [frame.address] if whole else []
                spoiled |= not whole
        return answered, spoiled


@dataclass(slots=True)
class Found:
    """What a search knows so far. ``shared``: addresses that two meters answer to. ``spoiled``: heard, never whole."""

    addresses: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    spoiled: set[str] = field(default_factory=set)
    questions: int = 0
    gave_up: bool = False


def search(
    *, found: Found, thorough: bool = False, questions_max: int = QUESTIONS_MAX
) -> Generator[Probe, None, None]:
    """Ask until every meter that can be told apart is in ``found``; listen each probe out before the next.

    An address is believed when its meter answers to it alone, and a clean answer to a wildcard only when the energy
    register of everybody it means is one clean answer too: two meters with close numbers can sound like one. With
    ``thorough`` no answer to the first question is believed and all hundred endings are asked. On a line so noisy
    that ``questions_max`` is reached it stops, with ``gave_up``.
    """
    waiting = [ANY_ADDRESS]
    while waiting:
        if found.questions >= questions_max:
            found.gave_up = True
            return
        pattern = waiting.pop()
        probe = yield from _ask(found, Probe(pattern=pattern))
        # An answer that came late to a question before this one is a meter all the same.
        late = {a for a in probe.answered if not address_matches(pattern=pattern, address=a)}
        waiting += [address for address in late if _number(address) not in found.addresses]
        answered = set(probe.answered) - late
        if WILDCARD not in pattern:
            yield from _settle(found, pattern, probe)
            continue
        believed = bool(answered) and not probe.crowded and not (thorough and pattern == ANY_ADDRESS)
        alone = believed and (yield from _is_alone(found, pattern, next(iter(answered))))
        if (answered or probe.crowded) and not alone:
            waiting += _closer(pattern)


def _ask(found: Found, probe: Probe) -> Generator[Probe, None, Probe]:
    """Ask again what came back spoiled: noise passes, a collision stays."""
    for _ in range(_TRIES):
        found.questions += 1
        yield probe
        if not probe.crowded:
            break
    return probe


def _settle(found: Found, address: bytes, probe: Probe) -> Generator[Probe, None, None]:
    if address in probe.answered:
        yield from _is_alone(found, address, address)
    elif probe.spoiled:
        found.spoiled.add(_number(address))


def _is_alone(found: Found, pattern: bytes, address: bytes) -> Generator[Probe, None, bool]:
    """Note the meter if it is one, and say whether nobody else is meant by the pattern."""
    if pattern != address:
        named = yield from _ask(found, Probe(pattern=address, first=True))
        if address not in named.answered:
            return False
    found.addresses.add(_number(address))
    register = Probe(pattern=pattern, control=READ_DATA, data=_FOUND_OUT_BY)
    register = yield from _ask(found, register)
    if register.crowded and pattern == address:
        found.shared.add(_number(address))
    return not register.crowded


def _closer(pattern: bytes) -> list[bytes]:
    """A hundred patterns with the lowest open byte named, the highest last, so that 00 is asked first."""
    at = pattern.index(WILDCARD)
    return [pattern[:at] + bytes([value]) + pattern[at + 1 :] for value in reversed(_BCD)]


def _number(address: bytes) -> str:
    return address[::-1].hex().upper()
