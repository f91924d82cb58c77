"""What can be wrong with a meter or its line, when, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

FOREVER_US = 2**62


class FaultKind(StrEnum):
    """One way to misbehave. `amount` of a `Fault` means what the comment says."""

    MUTE = "mute"  # the request is not heard at all
    DEAF_LINE = "deaf_line"  # the request is obeyed, the reply is lost
    NOISE = "noise"  # amount: random bytes before and after the reply (default 8)
    CUT = "cut"  # amount: bytes of the reply that get through (default: a random part)
    CHECKSUM = "checksum"  # the reply has a wrong checksum
    SLOW = "slow"  # amount: milliseconds of wall time the reply is held back (default 300)
    STUCK_RELAY = "stuck_relay"  # orders are acknowledged, the relay does not move
    BACKWARD = "backward"  # amount: Wh the register shows too little (default 50 kWh)
    JUMP = "jump"  # amount: Wh the register shows too much (default 50 kWh)
    WRONG_CLOCK = "wrong_clock"  # amount: microseconds the meter's clock is ahead (may be negative)
    POWER_FAIL = "power_fail"  # no supply at the meter: it is mute, nothing flows, and it records it
    COVER_OPEN = "cover_open"  # somebody has the meter's cover off; the meter records it
    TERMINAL_COVER_OPEN = "terminal_cover_open"  # the same of the terminal cover
    MAGNETIC_FIELD = "magnetic_field"  # a magnet at the meter; the meter records it


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault over a half-open span of domain time, striking `per_mille` of the replies in it."""

    kind: FaultKind
    from_us: int = 0
    until_us: int = FOREVER_US
    amount: int = 0
    per_mille: int = 1000


class FaultPlan:
    """The faults of one meter. Same faults, same seed, same requests: same misbehaviour."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int | str = 0) -> None:
        self._faults: dict[FaultKind, list[Fault]] = {}
        self.chance = Random(f"meter-faults:{seed}")
        for fault in faults:
            self.add(fault)

    @classmethod
    def seeded(
        cls,
        *,
        seed: int | str,
        from_us: int,
        until_us: int,
        spells: int = 3,
        spell_us: int = 3_600_000_000,
        kinds: tuple[FaultKind, ...] = (
            FaultKind.MUTE,
            FaultKind.DEAF_LINE,
            FaultKind.NOISE,
            FaultKind.CUT,
            FaultKind.CHECKSUM,
        ),
    ) -> FaultPlan:
        """Draw `spells` bad spells of up to `spell_us` each inside the span, by seed.

        The default kinds harm only the line: energy, relay and clock stay true, so every reading that
        gets through is a right one.
        """
        plan = cls(seed=seed)
        draw = Random(f"meter-spells:{seed}")
        for _ in range(spells):
            start = draw.randrange(from_us, until_us)
            end = min(until_us, start + draw.randrange(1, spell_us + 1))
            plan.add(
                Fault(draw.choice(kinds), from_us=start, until_us=end, per_mille=draw.randrange(200, 1001))
            )
        return plan

    def add(self, fault: Fault) -> None:
        """Put one more fault into the plan; it counts from the next request on."""
        self._faults.setdefault(fault.kind, []).append(fault)

    def clear(self, kind: FaultKind | None = None) -> None:
        """Mend one kind of fault, or all of them."""
        if kind is None:
            self._faults.clear()
        else:
            self._faults.pop(kind, None)

    def strikes(self, kind: FaultKind, *, now_us: int) -> Fault | None:
        """Return the fault of this kind that strikes now, drawing its chance, or None."""
        for fault in self._faults.get(kind, ()):
            if not fault.from_us <= now_us < fault.until_us:
                continue
            if fault.per_mille >= 1000 or self.chance.randrange(1000) < fault.per_mille:
                return fault
        return None

    def of(self, kind: FaultKind) -> tuple[Fault, ...]:
        """List the faults of one kind, whenever they strike."""
        return tuple(self._faults.get(kind, ()))

    def all(self) -> tuple[Fault, ...]:
        """List every fault of the plan."""
        return tuple(fault for faults in self._faults.values() for fault in faults)
