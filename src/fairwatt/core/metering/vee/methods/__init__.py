"""How a hole is filled, best method first. Each says what it would put there, or that it cannot say.

A method gives weights in Wh; the caller scales them to the register where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fairwatt.core.metering.vee.methods import like_days, linear, profile
from fairwatt.core.metering.vee.model import Series
from fairwatt.core.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """An estimation method: its stable id, what it means to a person, and what it would put into a hole."""

    id: str
    meaning: str
    fill: Callable[[Series, Span], list[int] | None]


METHODS: Final = (
    Method(
        id="linear",
        meaning="A short gap: a straight line between the values before and after it.",
        fill=linear.fill,
    ),
    Method(
        id="like_days",
        meaning="The average of three like days near it, from the same meter.",
        fill=like_days.fill,
    ),
    Method(
        id="profile",
        meaning="The usual shape of a home's day, at the height of this meter's own days.",
        fill=profile.fill,
    ),
)
