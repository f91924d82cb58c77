"""The closed list of checks, in the order in which they look. A new check is a file and a line here."""

from __future__ import annotations

from typing import Final

from fairwatt.core.metering.vee.model import Rows, Rule, Series
from fairwatt.core.metering.vee.rules import (
    clock_offset,
    duplicate_different,
    duplicate_equal,
    frozen,
    gap,
    high_use,
    interval_count,
    low_use,
    meter_id,
    negative,
    null,
    off_grid,
    outage,
    over_limit,
    rounded,
    source_doubt,
    spike,
    sum_check,
    time_check,
    true_zero,
)

ROW_RULES: Final[tuple[Rule[Rows], ...]] = (
    meter_id.RULE,
    time_check.RULE,
    clock_offset.RULE,
    off_grid.RULE,
    null.RULE,
    negative.RULE,
    over_limit.RULE,
    source_doubt.RULE,
    rounded.RULE,
    duplicate_equal.RULE,
    duplicate_different.RULE,
)
"""Checks of what was sent, row by row, before anything is put on the grid."""

SERIES_RULES: Final[tuple[Rule[Series], ...]] = (
    gap.RULE,
    interval_count.RULE,
    sum_check.RULE,
    spike.RULE,
    high_use.RULE,
    low_use.RULE,
    frozen.RULE,
    true_zero.RULE,
    outage.RULE,
)
"""Checks of the values on their grid."""
