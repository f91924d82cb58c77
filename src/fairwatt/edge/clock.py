"""The gateway's idea of the time: its own clock, what the head-end taught it, and never backwards by itself."""

from collections.abc import Callable
from typing import Final

SLEW_PPM: Final = 500
"""How fast a small error is worked off: half a millisecond a second, as clocks of computers are."""
DRIFT_PPM_MAX: Final = 200
"""A crystal that is further off is not one; what looks like it was a step."""
STEP_US: Final = 120_000_000
"""From here on an error is not worked off but ended at once, and told."""
NOTICE_US: Final = 1_000_000
"""From here on a small error is worth an event."""
_SURE_US: Final = 2_000_000
_APART_US: Final = 600_000_000
_MILLION: Final = 1_000_000


class Clock:
    """Reads ``raw`` and corrects it. Large errors step (`step`), small ones are worked off (`learn`)."""

    def __init__(self, *, raw: Callable[[], int]) -> None:
        self._raw = raw
        self.correction_us = 0
        """what `now_us` adds to the raw clock at this instant, without what is still being worked off"""
        self.rate_ppb = 0
        """how much the raw clock is believed to lose, in billionths; negative when it gains"""
        self._seen_us: int | None = None
        self._left_us = 0
        self._remainder = 0
        self._sample: tuple[int, int] | None = None

    @property
    def offset_us(self) -> int:
        """What is still to be worked off."""
        return self._left_us

    def now_us(self) -> int:
        """The corrected instant. It never falls while the raw clock does not; a raw clock set back stands still
        here, until the head-end says how wrong it is."""
        raw_us = self._raw()
        if self._seen_us is None:
            self._seen_us = raw_us
        passed_us = raw_us - self._seen_us
        if passed_us > 0:
            self._work_off(passed_us)
        self._seen_us = max(self._seen_us, raw_us)
        return self._seen_us + self.correction_us

    def near(self, due_us: int, /, *, tolerance_us: int) -> int:
        """The instant now, or ``due_us`` when it is only just over."""
        now_us = self.now_us()
        return due_us if 0 <= now_us - due_us <= tolerance_us else now_us

    def _work_off(self, passed_us: int) -> None:
        drift, self._remainder = divmod(passed_us * self.rate_ppb + self._remainder, 1_000_000_000)
        most_us = passed_us * SLEW_PPM // _MILLION
        slew_us = max(-most_us, min(most_us, self._left_us))
        self._left_us -= slew_us
        self.correction_us += drift + slew_us

    def step(self, offset_us: int, /) -> None:
        """End a large error at once, in either direction."""
        self.correction_us += offset_us
        # A raw clock that was set back stood still until now; from here on it runs again.
        raw_us = self._raw()
        if self._seen_us is not None and raw_us < self._seen_us:
            self.correction_us += self._seen_us - raw_us
            self._seen_us = raw_us
        self._left_us, self._sample = 0, None

    def learn(self, *, offset_us: int, doubt_us: int) -> int | None:
        """Take what one answer says: the time is ``offset_us`` later than we believe, give or take ``doubt_us``.

        Returns what will be worked off, when that is new and worth telling; None otherwise. What may as well be
        no error at all, and what is not sure to two seconds, teaches nothing.
        """
        if doubt_us > _SURE_US or abs(offset_us) >= STEP_US:
            return None
        now_us = self.now_us()
        error_us = 0 if abs(offset_us) <= doubt_us else offset_us
        self._estimate_drift(now_us, error_us, doubt_us)
        new = abs(error_us) >= NOTICE_US and abs(error_us - self._left_us) >= NOTICE_US
        self._left_us = error_us
        return error_us if new else None

    def _estimate_drift(self, now_us: int, error_us: int, doubt_us: int) -> None:
        """Two sure answers ten minutes apart tell how fast the raw clock runs away from the head-end's."""
        worked_us = self.correction_us
        if self._sample is None:
            self._sample = (now_us, worked_us + error_us)
            return
        since_us, total_us = self._sample
        passed_us = now_us - since_us
        if passed_us < _APART_US:
            return
        moved_us = worked_us + error_us - total_us
        self._sample = (now_us, worked_us + error_us)
        if abs(moved_us) * _MILLION <= passed_us * DRIFT_PPM_MAX and abs(moved_us) > doubt_us:
            # Half of what is new: one answer that came slowly does not make the clock run wrong.
            self.rate_ppb += (moved_us * 1_000_000_000 // passed_us - self.rate_ppb) // 2
