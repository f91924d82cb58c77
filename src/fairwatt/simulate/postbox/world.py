"""What arrived, and what goes wrong on purpose."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A message as its receiver has it."""

    channel: str
    provider: str
    to: str
    subject: str
    text: str
    ref: str
    provider_ref: str


@dataclass
class Faults:
    """`deaf`: this many messages are taken and the answer is lost; `sick`: this many questions get a 503."""

    deaf: int = 0
    sick: int = 0


@dataclass
class World:
    """Everything the stand-ins know. Secrets are those their customers were given."""

    secrets: dict[str, str] = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    faults: Faults = field(default_factory=Faults)
    tokens: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, one: Arrived) -> None:
        """A message arrived."""
        with self.lock:
            self.arrived.append(one)

    def number(self, prefix: str) -> str:
        """The next number of a provider's own."""
        with self.lock:
            return f"{prefix}{len(self.arrived) + 1:08d}"

    def fails(self, kind: str) -> bool:
        """Whether a fault is due now."""
        with self.lock:
            left: int = getattr(self.faults, kind)
            setattr(self.faults, kind, max(0, left - 1))
            return left > 0
