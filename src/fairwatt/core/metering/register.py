"""How much energy lies between two readings of one cumulative register, or why nobody can say."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.units import US_PER_HOUR


@dataclass(frozen=True, slots=True)
class RegisterSpec:
    """What a meter model says about its cumulative register.

    ``modulus_wh`` is where it wraps to zero, ``resolution_wh`` its smallest step, ``max_power_w`` the
    most the meter can carry (used to tell a wrap from a fault).
    """

    modulus_wh: int
    resolution_wh: int
    max_power_w: int

    def __post_init__(self) -> None:
        if min(self.modulus_wh, self.resolution_wh, self.max_power_w) <= 0:
            raise ValueError(f"register limits must be positive: {self}")
        if self.resolution_wh >= self.modulus_wh:
            raise ValueError(
                f"a step of {self.resolution_wh} Wh does not fit a register of {self.modulus_wh} Wh"
            )


@dataclass(frozen=True, slots=True)
class Advance:
    """Energy used between two readings, and whether the register wrapped on the way."""

    energy_wh: int
    rolled_over: bool


class ReadingRejected(ValueError):
    """A reading that moves no money; ``code`` is stable and names the kind for storage and screens."""

    code: ClassVar[str] = "rejected"


class DuplicateReading(ReadingRejected):
    """The same instant and the same value as the last reading: acknowledge it, there is nothing to do."""

    code = "duplicate"


class ConflictingReading(ReadingRejected):
    """The same instant as the last reading with another value: one of the two is wrong."""

    code = "conflicting"


class LateReading(ReadingRejected):
    """An instant before the last reading: it belongs to a re-rating, not to the head."""

    code = "late"


class OutOfRangeRegister(ReadingRejected):
    """A value the register cannot show: negative, or at or above its modulus."""

    code = "out_of_range"


class BackwardRegister(ReadingRejected):
    """The register went back and a wrap does not explain it: meter changed, reset or tampered with."""

    code = "backward"


class ImpossibleRegister(ReadingRejected):
    """More energy than the meter can carry in the time: a garbled value or another meter's."""

    code = "impossible"


def advance(*, spec: RegisterSpec, prev_at_us: int, prev_wh: int, at_us: int, wh: int) -> Advance:
    """Say how much energy was used between two readings of a register.

    Registers in Wh, instants in microseconds. A lower value counts as a wrap only when it fell by more
    than half the modulus and the unwrapped step is one the meter could have carried. Raises a
    ``ReadingRejected`` otherwise; each means: quarantine visibly, keep supply on, charge nothing.
    """
    if not 0 <= wh < spec.modulus_wh:
        raise OutOfRangeRegister(
            f"register shows {wh} Wh but counts from 0 to {spec.modulus_wh - 1} Wh; "
            "nothing is charged, check the meter profile"
        )
    if at_us == prev_at_us:
        if wh == prev_wh:
            raise DuplicateReading(f"{wh} Wh was already read at this instant; nothing is charged twice")
        raise ConflictingReading(
            f"register was read as {prev_wh} Wh and as {wh} Wh at one instant; "
            "nothing is charged, decide which reading stands"
        )
    if at_us < prev_at_us:
        raise LateReading(f"reading is {prev_at_us - at_us} us older than the last one; it needs a re-rating")
    dt_us = at_us - prev_at_us
    if wh >= prev_wh:
        return Advance(energy_wh=_possible(spec=spec, dt_us=dt_us, energy_wh=wh - prev_wh), rolled_over=False)
    unwrapped_wh = wh + spec.modulus_wh - prev_wh
    fell_past_half = 2 * (prev_wh - wh) > spec.modulus_wh
    if fell_past_half and _could_carry(spec=spec, dt_us=dt_us, energy_wh=unwrapped_wh, steps=1):
        return Advance(energy_wh=unwrapped_wh, rolled_over=True)
    raise BackwardRegister(
        f"register went back from {prev_wh} Wh to {wh} Wh; nothing is charged and supply stays on, "
        "check whether the meter was exchanged or reset"
    )


def _possible(*, spec: RegisterSpec, dt_us: int, energy_wh: int) -> int:
    if not _could_carry(spec=spec, dt_us=dt_us, energy_wh=energy_wh, steps=2):
        raise ImpossibleRegister(
            f"register rose by {energy_wh} Wh in {dt_us // 1_000_000} s, more than {spec.max_power_w} W "
            "allows; nothing is charged and supply stays on, read the meter again"
        )
    return energy_wh


def _could_carry(*, spec: RegisterSpec, dt_us: int, energy_wh: int, steps: int) -> bool:
    # Both ends of the interval are cut to the resolution, so a true step may look up to that much larger.
    slack_wh = steps * spec.resolution_wh
    return (energy_wh - slack_wh) * US_PER_HOUR <= spec.max_power_w * dt_us
