"""What a meter noticed by itself: counters and records (DI3 03, 1D, 1E), as a profile names them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fairwatt.drivers.contract import EventCount, EventRecord, Exchange, MeterEventKind
from fairwatt.drivers.errors import BadRequest, UnreadableValue
from fairwatt.drivers.several import Several

from .clock import from_meter_time
from .codec import decode_bcd
from .exchange import STANDARD_RETRY, Retry
from .follow_up import JoinedExchange

RECORDS_MAX: Final = 10
_COUNT_BYTES: Final = 3
_MOMENT_BYTES: Final = 6
_OPERATOR_BYTES: Final = 4


class Shape(StrEnum):
    """How a record begins; what follows is not read."""

    BEGUN_ENDED = "begun_ended"
    BEGUN = "begun"  # and the operator, where one follows
    OPERATOR_TIMES = "operator_times"  # operator, the time before, the time after (clock set)


@dataclass(frozen=True, slots=True)
class EventItem:
    """Where one kind of event lives. `record` is the identifier of the newest; its neighbours are older.

    With `phases` the counter is a count and minutes for each phase, and each phase keeps records of its own
    100H further on (loss of voltage, overvoltage, overload and their like).
    """

    kind: MeterEventKind
    count: int
    record: int | None
    shape: Shape = Shape.BEGUN_ENDED
    phases: int = 0


# Confirmed in public firmware and in the tables of the `dlt645` package.
STANDARD: Final = {
    item.kind: item
    for item in (
        EventItem(MeterEventKind.POWER_FAIL, 0x03110000, 0x03110001),
        EventItem(MeterEventKind.PROGRAMMED, 0x03300000, 0x03300001, Shape.BEGUN),
        EventItem(MeterEventKind.METER_CLEARED, 0x03300100, 0x03300101, Shape.BEGUN),
        EventItem(MeterEventKind.CLOCK_SET, 0x03300400, 0x03300401, Shape.OPERATOR_TIMES),
        EventItem(MeterEventKind.COVER_OPEN, 0x03300D00, 0x03300D01),
        EventItem(MeterEventKind.TERMINAL_COVER_OPEN, 0x03300E00, 0x03300E01),
        EventItem(MeterEventKind.UNDERVOLTAGE, 0x03020000, 0x03020101, phases=3),
        EventItem(MeterEventKind.OVERVOLTAGE, 0x03030000, 0x03030101, phases=3),
        EventItem(MeterEventKind.REVERSE_FLOW, 0x030E0000, 0x030E0101, phases=3),
        EventItem(MeterEventKind.OVERLOAD, 0x030F0000, 0x030F0101, phases=3),
    )
}


def event_items(*, table: dict[str, Any]) -> dict[MeterEventKind, EventItem]:
    """Read the `[events]` of a profile: `kind = "standard"` or a table of its own identifiers.

    Raises ValueError for a kind that is no `MeterEventKind` or "standard" where the standard has none.
    """
    return {kind: _item(kind, said) for kind, said in ((MeterEventKind(key), table[key]) for key in table)}


def _item(kind: MeterEventKind, said: Any) -> EventItem:
    if said == "standard" and kind in STANDARD:
        return STANDARD[kind]
    if not isinstance(said, dict):
        raise ValueError(f"events.{kind} is no identifier of the standard; give count and record")
    return EventItem(
        kind=kind,
        count=int(said["count"], 16),
        record=int(said["record"], 16) if "record" in said else None,
        shape=Shape(said.get("times", Shape.BEGUN_ENDED)),
        phases=int(said.get("phases", 0)),
    )


def read_event_count(*, address: str, item: EventItem, retry: Retry = STANDARD_RETRY) -> Exchange[EventCount]:
    """Ask how often it happened since the meter was made; over all phases where it counts them apart."""
    return JoinedExchange(
        address=address,
        identifier=item.count,
        parse=lambda data: EventCount(item.kind, _count(data, item)),
        retry=retry,
    )


def read_event_record(
    *, address: str, item: EventItem, nth: int, zone: str, retry: Retry = STANDARD_RETRY
) -> Exchange[EventRecord]:
    """Ask for the n-th last record, 1 being the newest; over all phases the n-th last of them together."""
    if item.record is None or not 1 <= nth <= RECORDS_MAX:
        raise BadRequest(
            f"A meter keeps records 1 to {RECORDS_MAX} of an event, and not of every one; asked for {nth} of "
            f"{item.kind}. Nothing was sent."
        )
    if not item.phases:
        return _record(address, item, item.record + nth - 1, zone, retry)
    parts = [
        _record(address, item, item.record + phase * 0x100 + older, zone, retry)
        for phase in range(item.phases)
        for older in range(nth)
    ]
    return Several(parts=parts, join=lambda records: _newest(records, nth))


def _record(address: str, item: EventItem, identifier: int, zone: str, retry: Retry) -> Exchange[EventRecord]:
    # Records of some meters are longer than a frame: only their beginning is looked at.
    return JoinedExchange(
        address=address,
        identifier=identifier,
        parse=lambda data: _times(data, item, zone),
        retry=retry,
    )


def _newest(records: tuple[EventRecord, ...], nth: int) -> EventRecord:
    begun = sorted(records, key=lambda record: record.begun_us or 0, reverse=True)
    return begun[nth - 1]


def _count(data: bytes, item: EventItem) -> int:
    step = 2 * _COUNT_BYTES if item.phases else _COUNT_BYTES
    if not data or len(data) % step or (not item.phases and len(data) != step):
        raise UnreadableValue(what=f"a count of {item.kind}", data=data)
    counts = (data[at : at + _COUNT_BYTES] for at in range(0, len(data), step))
    return sum(decode_bcd(count, what=f"a count of {item.kind}") for count in counts if count != b"\xff" * 3)


def _times(data: bytes, item: EventItem, zone: str) -> EventRecord:
    start = 4 if item.shape is Shape.OPERATOR_TIMES else 0
    needed = start + (_MOMENT_BYTES if item.shape is Shape.BEGUN else 2 * _MOMENT_BYTES)
    if len(data) < needed:
        raise UnreadableValue(what=f"a record of {item.kind}", data=data)
    begun = _moment(data[start : start + _MOMENT_BYTES], zone)
    if item.shape is Shape.BEGUN:
        who = data[needed : needed + _OPERATOR_BYTES]
        return EventRecord(
            item.kind, begun, begun, who[::-1].hex() if begun and len(who) == _OPERATOR_BYTES else None
        )
    return EventRecord(item.kind, begun, _moment(data[start + _MOMENT_BYTES : needed], zone))


def _moment(data: bytes, zone: str) -> int | None:
    if data in (bytes(_MOMENT_BYTES), b"\xff" * _MOMENT_BYTES):
        return None
    return from_meter_time(data=data, zone=zone)
