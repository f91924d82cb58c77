"""A typed code that gives one home supply for some hours, with no line to anybody: what it says, how it is judged.

16 digits: 15 carry 49 bits, from the top a mark of 33, the counter (8, modulo 256), the hours (3, a place in
`HOURS`) and the day of issue (5, modulo 32); the last digit checks the others. The mark is made with the meter's
key over the whole counter and the whole day, so what the short fields leave out cannot be bent.

An STS token has 20 digits: the two cannot be taken for each other.
"""

import hmac
import unicodedata
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

DIGITS: Final = 16
HOURS: Final = (1, 2, 4, 8, 12, 24, 48, 72)
"""How long a code may last."""
TYPED_WITHIN_DAYS: Final = 3
"""A code is typed on its day of issue or within so many days; the day before is allowed to a slow clock."""
FREE_TRIES: Final = 3
WAIT_S_MAX: Final = 3600
"""A guess an hour: a lifetime of guessing finds a mark of 33 bits once in ten thousand lifetimes."""
AHEAD_MAX: Final = 190
"""So many codes may be issued beyond the last one used; past that their counters could not be told apart."""

_MARK_BITS, _COUNTER_BITS, _HOURS_BITS, _DAY_BITS = 33, 8, 3, 5
_WINDOW: Final = 64
_S: Final = 1_000_000
_SAID: Final = b"fairwatt/v1/restore-code"
_METER: Final = b"fairwatt/v1/restore-code/meter"
_GATEWAY: Final = b"fairwatt/v1/restore-code/gateway"
# Damm's quasigroup of order 10: finds every wrong digit and every swap of neighbours.
_DAMM: Final = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


class KeepsCodeKeys(Protocol):
    """Whoever holds the keys of codes, and marks with them without showing them: a file, a poster, an HSM."""

    def mark(self, *, gateway: str, meter: int, said: bytes) -> bytes:
        """HMAC-SHA256 of `said` under the key of one meter."""
        ...


class Outcome(StrEnum):
    """What came of a typed code; the same word is stored, told to the server and put into sentences."""

    ACCEPTED = "accepted"
    MISTYPED = "mistyped"
    WRONG = "wrong"
    OTHER_METER = "other_meter"
    USED = "used"
    OLD = "old"
    EXPIRED = "expired"
    NOT_YET = "not_yet"


class Mistyped(ValueError):
    """These digits cannot be a code: one is missing, wrong, or two are swapped. Nothing was tried."""


class Typed(NamedTuple):
    """The fields of a code as its digits say them, nothing believed yet."""

    mark: int
    counter_low: int
    hours: int
    day_low: int


class Memory(NamedTuple):
    """Which codes a meter has seen: the highest counter used, and bit k for the one k below it."""

    highest: int = 0
    below: int = 0

    def has_used(self, counter: int) -> bool:
        """Say whether this counter was used."""
        back = self.highest - counter
        return back == 0 if back <= 0 else back < _WINDOW and bool(self.below >> back & 1)

    def using(self, counter: int) -> "Memory":
        """The memory once `counter`, higher than any before, is used."""
        moved = (self.below | 1) << (counter - self.highest)
        return Memory(counter, moved & ((1 << _WINDOW) - 1))


class Verdict(NamedTuple):
    """What a code is worth at a meter today; counter, hours and day are known once the mark holds."""

    outcome: Outcome
    counter: int = 0
    hours: int = 0
    day: int = 0


Marker = Callable[[int, bytes], bytes]
"""(meter, what is said) -> its HMAC, for the meters of one gateway."""


def gateway_key(*, master: bytes, gateway: str) -> bytes:
    """The secret of one gateway, made from the installation's: this one is given to it at commissioning."""
    return hmac.digest(master, _GATEWAY + gateway.encode(), "sha256")


def mark_of(*, key: bytes, meter: int, said: bytes) -> bytes:
    """What holds a code to its meter, under the secret of the meter's gateway."""
    own = hmac.digest(key, _METER + meter.to_bytes(8, "big"), "sha256")
    return hmac.digest(own, said, "sha256")


def said_by(*, meter: int, counter: int, hours: int, day: int) -> bytes:
    """The bytes a mark is made over. `day` counts days since 1970, UTC."""
    return (
        _SAID
        + meter.to_bytes(8, "big")
        + counter.to_bytes(4, "big")
        + bytes([hours])
        + day.to_bytes(4, "big")
    )


def write_code(*, marker: Marker, meter: int, counter: int, hours: int, day: int) -> str:
    """The digits of a code. `hours` is one of `HOURS`; `counter` begins at 1 and rises with every code of the meter."""
    assert hours in HOURS and counter > 0
    number = _mark(marker, meter, counter, hours, day)
    for value, bits in ((counter, _COUNTER_BITS), (HOURS.index(hours), _HOURS_BITS), (day, _DAY_BITS)):
        number = number << bits | value & ((1 << bits) - 1)
    digits = f"{number:0{DIGITS - 1}d}"
    return digits + str(_check(digits))


def grouped(digits: str, /) -> str:
    """Digits as people read them out: in fours."""
    return " ".join(digits[k : k + 4] for k in range(0, len(digits), 4))


def plain_digits(text: str, /) -> str:
    """What was typed without blanks and dashes; full-width digits are digits, too."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(
        sign for sign in plain if not sign.isspace() and sign not in "-\u2010\u2011\u2012\u2013\u2014.,"
    )


def read_code(text: str, /) -> Typed:
    """Take typed text apart. Raises Mistyped."""
    digits = plain_digits(text[:200])
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise Mistyped(f"a restore code has {DIGITS} digits; check what you typed against the code")
    number = int(digits[:-1])
    if _check(digits) or number >> (_MARK_BITS + _COUNTER_BITS + _HOURS_BITS + _DAY_BITS):
        raise Mistyped("a digit is wrong or two are swapped; check what you typed against the code")
    number, day = number >> _DAY_BITS, number & ((1 << _DAY_BITS) - 1)
    number, place = number >> _HOURS_BITS, number & ((1 << _HOURS_BITS) - 1)
    return Typed(number >> _COUNTER_BITS, number & ((1 << _COUNTER_BITS) - 1), HOURS[place], day)


def judge(
    *, typed: Typed, meter: int, others: Iterable[int], memory: Memory, today: int, marker: Marker
) -> Verdict:
    """Say what a code is worth at `meter` on day `today`. `others`: the gateway's other meters.

    Nothing but "wrong" or "for another meter" is said before the mark holds.
    """
    counter = _nearest(
        typed.counter_low, modulus=1 << _COUNTER_BITS, low=max(1, memory.highest - _WINDOW + 1)
    )
    day = _nearest(typed.day_low, modulus=1 << _DAY_BITS, low=max(0, today - 24))
    if typed.mark != _mark(marker, meter, counter, typed.hours, day):
        elsewhere = any(_holds_at(typed, other, day, marker) for other in others)
        return Verdict(Outcome.OTHER_METER if elsewhere else Outcome.WRONG)
    if memory.has_used(counter):
        outcome = Outcome.USED
    elif counter < memory.highest:
        outcome = Outcome.OLD
    elif today > day + TYPED_WITHIN_DAYS:
        outcome = Outcome.EXPIRED
    elif today < day - 1:
        outcome = Outcome.NOT_YET
    else:
        outcome = Outcome.ACCEPTED
    return Verdict(outcome, counter, typed.hours, day)


def _holds_at(typed: Typed, other: int, day: int, marker: Marker) -> bool:
    # Another meter's memory says nothing here: its early counters are tried, which are nearly all there ever are.
    first = typed.counter_low or 1 << _COUNTER_BITS
    return any(
        typed.mark == _mark(marker, other, counter, typed.hours, day)
        for counter in (first, first + (1 << _COUNTER_BITS))
    )


def wait_s(failures: int, /) -> int:
    """How long a meter takes no code after so many wrong ones in a row: nothing, then a minute, doubling."""
    return 0 if failures < FREE_TRIES else min(WAIT_S_MAX, 60 << min(failures - FREE_TRIES, 16))


class Lock(NamedTuple):
    """Wrong codes in a row, and when the last one was typed."""

    failures: int = 0
    last_us: int = 0

    @property
    def until_us(self) -> int:
        """When the next code is taken."""
        return self.last_us + wait_s(self.failures) * _S

    def seen(self, *, now_us: int) -> "Lock":
        """The lock as of now: a clock that was set back makes the wait begin again, and does not stretch it."""
        return Lock(self.failures, min(self.last_us, now_us))

    def failed(self, *, now_us: int) -> "Lock":
        """One more wrong code."""
        return Lock(self.failures + 1, now_us)


def _mark(marker: Marker, meter: int, counter: int, hours: int, day: int) -> int:
    digest = marker(meter, said_by(meter=meter, counter=counter, hours=hours, day=day))
    return int.from_bytes(digest[:8], "big") >> (64 - _MARK_BITS)


def _nearest(low_part: int, *, modulus: int, low: int) -> int:
    """The first number from `low` on with this remainder."""
    return low + (low_part - low) % modulus


def _check(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return interim
