"""The snapshots a meter takes of its register: every hour, every day, at a month's end, on order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from fairwatt.drivers.dlt645.clock import meter_time
from fairwatt.drivers.dlt645.freezes import FreezeKind

_HOUR_US: Final = 3_600_000_000
_KEPT: Final = {FreezeKind.TIMED: 60, FreezeKind.INSTANT: 3, FreezeKind.HOURLY: 254, FreezeKind.DAILY: 62}
_ANY: Final = 0x99
_SETTLEMENTS: Final = 12


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registers at an instant of the meter's clock: total, then the tariffs."""

    at_us: int
    energies: bytes


@dataclass(slots=True)
class FreezeBook:
    """All snapshots of one meter, the newest first."""

    zone: str
    kept: dict[FreezeKind, deque[Snapshot]] = field(
        default_factory=lambda: {kind: deque(maxlen=most) for kind, most in _KEPT.items()}
    )
    settlements: deque[Snapshot] = field(default_factory=lambda: deque(maxlen=_SETTLEMENTS))
    pattern: bytes | None = None
    """`mm hh DD MM` of a freeze on order, 99H standing for any."""
    _clock_us: int | None = None

    def pass_time(self, *, clock_us: int, energies: Callable[[], bytes]) -> None:
        """Take what fell due since the clock was last looked at. The register is the one of now."""
        before, self._clock_us = self._clock_us, clock_us
        if before is None or clock_us < before:
            return
        if clock_us // _HOUR_US != before // _HOUR_US or self.pattern is not None:
            self._pass_hours(before, clock_us, energies())

    def _pass_hours(self, before: int, clock_us: int, energies: bytes) -> None:
        self._timed(before, clock_us, energies)
        full_hour = clock_us - clock_us % _HOUR_US
        if full_hour <= before:
            return
        self.take(FreezeKind.HOURLY, at_us=full_hour, energies=energies)
        then, now = self._local(before), self._local(clock_us)
        if then.date() != now.date():
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            at_us = int(midnight.astimezone(UTC).timestamp()) * 1_000_000
            self.take(FreezeKind.DAILY, at_us=at_us, energies=energies)
            if (then.year, then.month) != (now.year, now.month):
                self.settlements.appendleft(Snapshot(at_us, energies))

    def take(self, kind: FreezeKind, *, at_us: int, energies: bytes) -> None:
        """Keep one snapshot."""
        self.kept[kind].appendleft(Snapshot(at_us, energies))

    def value(self, identifier: int) -> bytes | None:
        """Return what the meter sends for a frozen item, or None for one it does not have."""
        kind, what, nth = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
        if kind not in _KEPT or not 1 <= nth <= _KEPT[FreezeKind(kind)] or what not in (0x00, 0x01):
            return None
        kept = self.kept[FreezeKind(kind)]
        snapshot = kept[nth - 1] if nth <= len(kept) else None
        if what == 0x00:
            return bytes(5) if snapshot is None else meter_time(at_us=snapshot.at_us, zone=self.zone)[1:]
        energies = bytes(4) if snapshot is None else snapshot.energies
        return energies[:4] if kind == FreezeKind.HOURLY else energies

    def _timed(self, before: int, clock_us: int, energies: bytes) -> None:
        """Take a freeze on order when its minute lies between; the newest such minute of the last hour."""
        if self.pattern is None:
            return
        minute_us = 60_000_000
        newest = clock_us - clock_us % minute_us
        for at_us in range(newest, max(before, newest - _HOUR_US), -minute_us):
            shown = meter_time(at_us=at_us, zone=self.zone)[1:5]
            if all(wanted in (_ANY, got) for wanted, got in zip(self.pattern, shown, strict=True)):
                self.take(FreezeKind.TIMED, at_us=at_us, energies=energies)
                return

    def _local(self, at_us: int) -> datetime:
        return datetime.fromtimestamp(at_us // 1_000_000, tz=ZoneInfo(self.zone))
