"""How little credit is little: the amount below which a home is told that it lasts about so many days."""

from __future__ import annotations

from typing import Final

import numpy as np

from fairwatt.core.insight.ahead.outlook import Outlook
from fairwatt.core.insight.ahead.use import Ints
from fairwatt.core.units import US_PER_DAY

_DEAR_HALF_DAYS: Final = 3


def warn_micro(*, middle_micro: Ints, day_micro: Ints, days: int) -> Ints:
    """The level for many homes: ``middle_micro`` is the middle cost of so many days and a half.

    "About three days" is less than three and a half. Where one day in twenty is so dear that credit might not last one
    and a half of them, nobody waits for the middle: a home back from a journey is warned in time, too.
    """
    dear = day_micro * min(days, _DEAR_HALF_DAYS) // 2
    level: Ints = np.maximum(np.maximum(middle_micro, dear), 0)
    return level


def warning_level_micro(*, outlook: Outlook, days: int) -> int:
    """The level that holds through the first day of an outlook: the gateway, which forecasts nothing, keeps to it."""
    half_us = outlook.from_us + days * US_PER_DAY + US_PER_DAY // 2
    middle = outlook.cost_by(at_us=half_us)
    level = warn_micro(middle_micro=np.array([middle]), day_micro=np.array([outlook.day_micro]), days=days)
    return int(level[0])
