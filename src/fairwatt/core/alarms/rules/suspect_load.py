"""A heater where heaters are not allowed: a step of power that is all resistance."""

from dataclasses import dataclass
from math import isqrt
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Restores, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectLoad(Timed):
    """Power stepped up by at least ``step_w`` with a power factor of at least ``factor_milli``, in ``hours``.

    ``hours`` are local minutes of the day, end excluded; none means the rule sleeps. Over when the power is back
    below where it stepped from plus the step. It may be told to cut (dormitories); as made it only tells.
    """

    code: ClassVar[AlarmCode] = AlarmCode.SUSPECT_LOAD
    restores: ClassVar[Restores] = Restores.PERSON

    step_w: int = 800
    factor_milli: int = 985
    hours: tuple[tuple[int, int], ...] = ()
    within_us: int = 300_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if self.step_w <= 0 or not 0 < self.factor_milli <= 1_000 or self.within_us <= 0:
            raise AlarmError("suspect_load: step and span above zero, factor inside 1-1000 thousandths")
        if any(not 0 <= start < end <= 1_440 for start, end in self.hours):
            raise AlarmError("suspect_load: hours lie inside one day; split them at midnight")

    def judge(
        self, *, now: Picture, before: Picture | None, memory: int | None, minute: int
    ) -> Finding | None:
        """Look for the step; ``memory`` is the power it started from, ``minute`` the local minute of the day."""
        power_w = now.total_w
        if power_w is None:
            return None
        if not any(start <= minute < end for start, end in self.hours):
            return Finding(False)
        if memory is not None:
            still = power_w >= memory + self.step_w
            evidence = (("power_w", power_w), ("from_w", memory))
            return Finding(still, evidence, memory if still else None)
        if before is None or before.total_w is None or now.at_us - before.at_us > self.within_us:
            return Finding(False)
        step_w = power_w - before.total_w
        factor = step_factor_milli(now=now, before=before)
        if step_w < self.step_w or factor is None or factor < self.factor_milli:
            return Finding(False)
        seen = (("power_w", power_w), ("from_w", before.total_w), ("factor_milli", factor))
        return Finding(True, seen, before.total_w)


def step_factor_milli(*, now: Picture, before: Picture) -> int | None:
    """The power factor of what was switched on, in thousandths: of the step, not of the whole home.

    A refrigerator that runs already must not hide a heater. ``None`` where a factor is not measured.
    """
    reactive = [_reactive_w(picture) for picture in (before, now)]
    if reactive[0] is None or reactive[1] is None or now.total_w is None or before.total_w is None:
        return None
    step_w, step_var = now.total_w - before.total_w, reactive[1] - reactive[0]
    apparent = isqrt(step_w * step_w + step_var * step_var)
    return min(1_000, abs(step_w) * 1_000 // apparent) if apparent else None


def _reactive_w(picture: Picture) -> int | None:
    power_w, factor = picture.total_w, picture.power_factor_milli
    if power_w == 0:
        return 0
    if power_w is None or factor is None or not 0 < abs(factor) <= 1_000:
        return None
    return isqrt(power_w * power_w * (1_000_000 - factor * factor)) // abs(factor)
