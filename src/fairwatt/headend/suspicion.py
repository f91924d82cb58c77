"""Which frame stops a batch? Halve what failed until one frame is left; that one is posted as quarantine.

The last resort behind a poster that takes anything: bytes nobody foresaw must cost one gateway one frame, not a
book its service.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

CALM_AFTER_FRAMES: Final = 4000
"""So many frames must pass before batches are big again: at least all that were in hand when one failed."""


class Suspicion:
    """How many frames the next batch may have, and which frames are condemned."""

    def __init__(self) -> None:
        self.condemned: frozenset[bytes] = frozenset()
        """SHA-256 of frames that failed alone, twice"""
        self._failed_alone = b""
        self._most = 0
        self._to_pass = 0

    @property
    def careful(self) -> bool:
        """True while the culprit is looked for: one batch at a time."""
        return self._most > 0

    def most(self, usual: int, /) -> int:
        """How many frames the next batch may have."""
        return self._most or usual

    def failed(self, frames: Sequence[bytes], /) -> bytes | None:
        """A batch of these frames failed. Return the culprit's digest once it is known."""
        if not frames:
            return None
        self._most, self._to_pass = max(1, len(frames) // 2), CALM_AFTER_FRAMES
        if len(frames) > 1:
            return None
        digest = sha256(frames[0]).digest()
        if digest != self._failed_alone:
            self._failed_alone = digest  # once may be chance
            return None
        self.condemned |= {digest}
        return digest

    def passed(self, frames: int, /) -> None:
        """A batch of so many frames is durable."""
        if self._most:
            self._to_pass -= frames
            # Growing again finds the next culprit as fast, and leaves a good flood behind soon.
            self._most = min(CALM_AFTER_FRAMES, self._most * 2) if self._to_pass > 0 else 0
