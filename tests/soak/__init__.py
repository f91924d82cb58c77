"""Long fuzz, one file a protocol: `python -m soak`, run by `make soak`.

Each file has `soak(*, count, seed) -> Soaked`. It damages what is right, hands it to the decoder, and fails when
anything but a named error comes out, or when damage passes for something else more often than the protocol's own
check allows. `test_soak.py` does a few thousand of each.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """What a run found. `broken` says in words what must not be; empty is good."""

    protocol: str
    mutated: int
    refused: Mapping[str, int]
    """how many of them by the code of the error"""
    passed: int
    """damaged, and read as something else"""
    allowed: int
    """how many of those the protocol's check must let through at most, for so many"""
    broken: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not self.broken and self.passed <= self.allowed


def protocols() -> list[str]:
    """The files of this folder that soak."""
    names = (one.name for one in pkgutil.iter_modules(__path__))
    return sorted(name for name in names if not name.startswith(("_", "test_")))
