"""What a meter keeps of the things that happened to it: counters, and the ten last records of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fairwatt.drivers.contract import MeterEventKind
from fairwatt.drivers.dlt645.clock import meter_time
from fairwatt.drivers.dlt645.codec import encode_bcd, encode_operator
from fairwatt.drivers.dlt645.events import RECORDS_MAX, STANDARD, EventItem, Shape

# The State Grid supplement, as the profiles name it.
_SUPPLEMENT: Final = (
    EventItem(MeterEventKind.MAGNETIC_FIELD, 0x03350000, 0x03350001),
    EventItem(MeterEventKind.RELAY_OPENED, 0x1D000001, 0x1D00FF01, Shape.BEGUN),
    EventItem(MeterEventKind.RELAY_CLOSED, 0x1E000001, 0x1E00FF01, Shape.BEGUN),
)
OWN: Final = "99999999"
"""What the meter writes for itself where a record wants an operator."""
_ITEMS: Final = (*STANDARD.values(), *_SUPPLEMENT)
_COUNTS: Final = {item.count: item for item in _ITEMS}
_RECORDS: Final = {
    (item.record or 0) + phase * 0x100 + nth: (item, phase, nth)
    for item in _ITEMS
    for phase in range(item.phases or 1)
    for nth in range(RECORDS_MAX)
}


@dataclass(slots=True)
class SimEvent:
    """One thing that happened, by the meter's clock; `ended_us` None while it goes on."""

    begun_us: int
    ended_us: int | None = None
    operator: str = "00000000"
    phase: int = 0


@dataclass(slots=True)
class EventLog:
    """Counters and records of one meter. Clearing events empties the records and sets the counters to zero."""

    counts: dict[tuple[MeterEventKind, int], int] = field(default_factory=dict)
    kept: dict[tuple[MeterEventKind, int], list[SimEvent]] = field(default_factory=dict)

    def note(self, kind: MeterEventKind, event: SimEvent) -> None:
        """Count a thing and keep its record, the newest first."""
        key = kind, event.phase
        self.counts[key] = self.counts.get(key, 0) + 1
        self.kept[key] = [event, *self.kept.get(key, [])][:RECORDS_MAX]

    def goes_on(self, kind: MeterEventKind, *, phase: int = 0) -> bool:
        """Say whether the newest of a kind has not ended."""
        kept = self.kept.get((kind, phase))
        return bool(kept) and kept[0].ended_us is None if kept else False

    def end(self, kind: MeterEventKind, *, at_us: int, phase: int = 0) -> None:
        """End the newest of a kind."""
        self.kept[kind, phase][0].ended_us = at_us

    def count(self, kind: MeterEventKind) -> int:
        """How often a kind was counted, over all phases."""
        return sum(count for (one, _), count in self.counts.items() if one is kind)

    def clear(self) -> None:
        """Forget everything."""
        self.counts.clear()
        self.kept.clear()

    def value(self, identifier: int, *, zone: str) -> bytes | None:
        """Return what the meter sends for an event identifier, or None for one it does not have."""
        if item := _COUNTS.get(identifier):
            return self._counts(item)
        if found := _RECORDS.get(identifier):
            item, phase, nth = found
            kept = self.kept.get((item.kind, phase), [])
            return _record(item, kept[nth] if nth < len(kept) else None, zone)
        return None

    def _counts(self, item: EventItem) -> bytes:
        if not item.phases:
            return encode_bcd(self.count(item.kind), size=3)
        counts = [self.counts.get((item.kind, phase), 0) for phase in range(item.phases)]
        return b"".join(encode_bcd(count, size=3) + bytes(3) for count in counts)


def _record(item: EventItem, event: SimEvent | None, zone: str) -> bytes:
    if event is None:
        return bytes(16)
    begun = meter_time(at_us=event.begun_us, zone=zone)
    ended = bytes(6) if event.ended_us is None else meter_time(at_us=event.ended_us, zone=zone)
    match item.shape:
        case Shape.OPERATOR_TIMES:
            return encode_operator(event.operator) + begun + ended
        case Shape.BEGUN:
            return begun + encode_operator(event.operator)
        case Shape.BEGUN_ENDED:
            return begun + ended
