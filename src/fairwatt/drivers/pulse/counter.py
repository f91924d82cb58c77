"""A pulse counter becomes a register: pure arithmetic, with a memory that survives its turning over.

    register = opening + pulses since the opening x amount / number

Pulses are added up exactly and divided last, so that rounding never gathers. A counter that falls other than
by turning over lost its memory or was exchanged: that is refused by name, and never becomes negative energy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.contract import PulseState
from fairwatt.drivers.errors import BadRequest, CounterFell
from fairwatt.drivers.profile import MeterProfile, ProfileError, only


@dataclass(frozen=True, slots=True)
class Pulses:
    """What a pulse is worth and how the counter counts: ``number`` pulses are ``amount`` Wh or litres.

    A fall is a turning over when the counter made at most ``turnover_max`` pulses between two looks.
    """

    number: int
    amount: int
    bits: int
    turnover_max: int

    @property
    def range(self) -> int:
        """How many different values the counter has."""
        return 1 << self.bits


@dataclass(frozen=True, slots=True)
class Opening:
    """What the dial showed when the counter stood at ``count``."""

    register: int = 0
    count: int = 0


def look(
    *, pulses: Pulses, opening: Opening, before: PulseState | None, count: int, number: str
) -> PulseState:
    """Take one look at the counter. Raises `CounterFell`; ``before`` None is a first look, after the opening."""
    if before is None:
        if pulses.bits == 32 and count < opening.count:  # so many pulses no meter makes: it was set to zero
            raise CounterFell(number=number, before=opening.count, now=count)
        return PulseState(count=count, pulses=(count - opening.count) % pulses.range)
    step = (count - before.count) % pulses.range
    if count < before.count and step > pulses.turnover_max:
        raise CounterFell(number=number, before=before.count, now=count)
    return PulseState(count=count, pulses=before.pulses + step)


def register(*, pulses: Pulses, opening: Opening, state: PulseState, modulus: int) -> int:
    """What the meter's own dial would show now, in Wh or litres, rounded down."""
    return (opening.register + state.pulses * pulses.amount // pulses.number) % modulus


def parse_pulses(*, profile: MeterProfile) -> Pulses:
    """Read the tables [pulses] and [counter] of a profile. Raises `ProfileError`."""
    row = only(profile.settings.get("pulses", {}), "number", "amount", "turnover_max", where="Table [pulses]")
    counter = only(profile.settings.get("counter", {}), *_COUNTER, where="Table [counter]")
    bits = counter.get("bits")
    if bits not in (16, 32):
        raise ProfileError(f"Meter profile {profile.key!r}: counter.bits is 16 or 32; got {bits!r}.")
    worth = [row.get("number"), row.get("amount"), row.get("turnover_max", (1 << bits) // 16)]
    if any(type(one) is not int or one < 1 for one in worth) or worth[2] >= 1 << bits:
        raise ProfileError(
            f"Meter profile {profile.key!r}: [pulses] says how many pulses (number) are how much (amount), as "
            "whole numbers above zero, and turnover_max less than the counter's range."
        )
    return Pulses(number=worth[0], amount=worth[1], bits=bits, turnover_max=worth[2])


_COUNTER: Final = (
    *("framing", "function", "address", "word_order", "byte_order"),
    *("bits", "stride", "channels"),
)
_ADDRESS: Final = re.compile(
    r"(?P<unit>\d{1,3})/(?P<channel>\d{1,3})(=(?P<register>\d{1,15})@(?P<count>\d{1,10}))?"
)


def parse_address(number: str) -> tuple[str, int, Opening]:
    """Read `unit/channel` or `unit/channel=register@count`. Raises `BadRequest`."""
    found = _ADDRESS.fullmatch(number)
    if found is None or not number.isascii():
        raise BadRequest(
            f"{number!r} is no pulse counter: write its unit and channel as 12/1, and with the opening 12/1=184520@17 "
            "where the dial showed 184520 (Wh or l) while the counter stood at 17."
        )
    opening = Opening(register=int(found["register"] or 0), count=int(found["count"] or 0))
    return found["unit"], int(found["channel"]), opening
