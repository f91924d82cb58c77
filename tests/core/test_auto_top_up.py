"""When a top-up that was agreed to is taken: one a fall, never beside another payment, never beyond the month."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.core.credit.auto_top_up import (
    AGAIN_US,
    AutoDecision,
    AutoDo,
    AutoSeen,
    AutoTerms,
    decide_auto,
    is_below,
)
from fairwatt.core.units import US_PER_DAY

NOW_US = 100 * US_PER_DAY
TERMS = AutoTerms(
    below_micro=10_000_000, below_days=None, amount_minor=2_000, times_most=4, month_most_minor=6_000
)


def seen(**changes: Any) -> AutoSeen:
    """A home just below its level."""
    figures: dict[str, Any] = {
        "available_micro": 9_999_999,
        "left_us": None,
        "below": True,
        "in_flight": False,
        "answered": False,
        "tries": 0,
        "failed_us": 0,
        "taken_times": 0,
        "taken_minor": 0,
    }
    return AutoSeen(**{**figures, **changes})


@pytest.mark.parametrize(
    ("changes", "do", "reason", "fell"),
    [
        ({"below": False}, AutoDo.TAKE, "below_money", True),
        ({}, AutoDo.TAKE, "below_money", False),
        ({"available_micro": 10_000_000}, AutoDo.ROSE, "", False),
        ({"available_micro": 10_000_000, "below": False}, AutoDo.NOTHING, "", False),
        ({"answered": True, "tries": 1}, AutoDo.NOTHING, "answered", False),
        # What answered the fall before answers no new one.
        ({"answered": True, "tries": 1, "below": False}, AutoDo.TAKE, "below_money", True),
        ({"in_flight": True, "below": False}, AutoDo.NOTHING, "in_flight", True),
        ({"tries": 1, "failed_us": NOW_US - AGAIN_US + 1}, AutoDo.NOTHING, "wait", False),
        ({"tries": 1, "failed_us": NOW_US - AGAIN_US}, AutoDo.TAKE, "again", False),
        ({"tries": 3, "failed_us": 0}, AutoDo.NOTHING, "answered", False),
        ({"taken_times": 4, "below": False}, AutoDo.HOLD, "limit_times", True),
        ({"taken_minor": 4_001}, AutoDo.HOLD, "limit_money", False),
        ({"taken_minor": 4_000}, AutoDo.TAKE, "below_money", False),
    ],
)
def test_each_look_has_one_answer(changes: dict[str, Any], do: AutoDo, reason: str, fell: bool) -> None:
    assert decide_auto(terms=TERMS, seen=seen(**changes), now_us=NOW_US) == AutoDecision(do, reason, fell)


def test_days_are_the_forecasts_and_used_up_is_fewer_than_any() -> None:
    days = AutoTerms(below_micro=None, below_days=3, amount_minor=2_000, times_most=4, month_most_minor=6_000)
    for left_us, available, below in (
        (3 * US_PER_DAY, 1, False),
        (3 * US_PER_DAY - 1, 1, True),
        (None, 1, False),
        (None, 0, True),
    ):
        assert is_below(terms=days, seen=seen(left_us=left_us, available_micro=available)) is below
    with pytest.raises(ValueError, match="one of money or one of days"):
        AutoTerms(below_micro=1, below_days=1, amount_minor=1, times_most=1, month_most_minor=1)
