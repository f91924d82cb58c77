"""Current transformers: a meter behind them sees a known share of the current, and counts that share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SIDE_MAX: Final = 999_999
MULTIPLE_MAX: Final = 2_000
"""The steepest in use is 10 000 A to 5 A; more is a slip of the pen."""


class TransformerError(ValueError):
    """A ratio that no current transformer has; nothing is charged by it."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """What is printed on the current transformers, in amperes: 100:5. Raises TransformerError."""

    primary: int
    secondary: int

    def __str__(self) -> str:
        return f"{self.primary}:{self.secondary}"

    def __post_init__(self) -> None:
        if not (1 <= self.secondary <= SIDE_MAX and 1 <= self.primary <= SIDE_MAX):
            raise TransformerError(
                f"a current transformer's ratio is two whole numbers from 1 to {SIDE_MAX}, such as 100 and 5; got "
                f"{self.primary} and {self.secondary}."
            )
        if self.primary < self.secondary:
            raise TransformerError(
                f"the ratio {self.primary}:{self.secondary} makes a current larger; the first number is the "
                "conductor's, such as 100 of 100:5. The home would pay a fraction of its use: exchange the two numbers."
            )
        if self.primary > self.secondary * MULTIPLE_MAX:
            raise TransformerError(
                f"the ratio {self.primary}:{self.secondary} is more than {MULTIPLE_MAX} to 1, which no transformer "
                "of a home or shop has. Read the plate again."
            )

    def of_conductor(self, metered: int) -> int:
        """Watts or amperes of the conductor for those the meter sees."""
        return metered * self.primary // self.secondary

    def of_meter(self, at_conductor: int) -> int:
        """What the meter sees of watts or amperes of the conductor: never more than its share, and at least 1."""
        return max(1, at_conductor * self.secondary // self.primary)


DIRECT: Final = Transformer(1, 1)
"""No transformers: the meter measures the wires themselves."""


def parse_ratio(text: str) -> Transformer:
    """Read ``100:5`` or ``100/5``; nothing is 1:1. Raises TransformerError."""
    cut = text.strip().replace("/", ":")
    if not cut:
        return DIRECT
    sides = [side.strip() for side in cut.split(":")]
    if len(sides) != 2 or not all(s.isascii() and s.isdecimal() and len(s) <= 6 for s in sides):
        raise TransformerError(
            f"a current transformer's ratio is two whole numbers above zero, such as 100:5; got {text!r}."
        )
    return Transformer(int(sides[0]), int(sides[1]))
