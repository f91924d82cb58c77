"""Small parts of a tariff: what its prices depend on, and how its documents round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["half_up", "half_even", "up", "down"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A fact of the account that prices depend on, in thousandths; ``default_milli`` holds until it is known."""

    name: str
    default_milli: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How a document rounds: to a unit in micro-units, and which way."""

    unit_micro: int
    mode: Mode
