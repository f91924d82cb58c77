"""Metered registers into billed energy, a batch at a time: equal to ``Schedule.grown`` row by row."""

from __future__ import annotations

import numpy as np

from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.vector import Ints
from fairwatt.core.units import INT64_MAX


def billed_between(*, schedule: Schedule, before: Ints, after: Ints, modulus: Ints | int) -> Ints:
    """What is billed between two values of each register, in Wh (or litres); registers wrap at ``modulus``."""
    if schedule.bills_register:
        plain: Ints = (after - before) % modulus
        return plain
    wrapped = np.where(after < before, modulus, 0)
    grown: Ints = _converted(schedule, after) - _converted(schedule, before) + _converted(schedule, wrapped)
    return grown


def _converted(schedule: Schedule, registers: Ints) -> Ints:
    multiply, divide = schedule.factor
    highest = int(registers.max(initial=0))
    if max(highest // divide + 1, divide) * multiply > INT64_MAX // 2:
        return np.array([schedule.converted(int(register)) for register in registers], dtype=np.int64)
    # Whole steps and the rest apart: register times factor passes 64 bits.
    whole, rest = np.divmod(registers, divide)
    converted: Ints = whole * multiply + rest * multiply // divide
    return converted
