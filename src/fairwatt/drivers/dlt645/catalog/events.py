"""Event counters and records (DI3 03, 1D, 1E), annex A table A.4 and the State Grid supplement.

A counter is `03xx0000` or `03xxyy00`; the n-th last record has n in DI0. Every record begins with the time
it began. What follows the times differs by event and meter; it is shown as it is.
"""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.dlt645.forms import Field

from .entry import Entry, plain

_PHASES: Final = "ABC"
RECORDS: Final = 10
MONTHS: Final = 12
COUNT: Final = "XXXXXX"
MOMENT: Final = "YYMMDDhhmmss"
BEGUN: Final = Field("begun", MOMENT)
ENDED: Final = Field("ended", MOMENT)
_OPERATOR: Final = Field("operator", "#4")

_BY_PHASE: Final = {
    0x01: "loss of voltage",
    0x02: "undervoltage",
    0x03: "overvoltage",
    0x04: "missing phase",
    0x0B: "loss of current",
    0x0C: "overcurrent",
    0x0D: "broken current",
    0x0E: "reverse flow",
    0x0F: "overload",
}
_WITH_MINUTES: Final = {
    0x05: "loss of all voltages",
    0x06: "loss of auxiliary supply",
    0x07: "reversed voltage sequence",
    0x08: "reversed current sequence",
    0x09: "voltage unbalance",
    0x0A: "current unbalance",
}
_COUNTED: Final = {
    0x11: "power failure",
    0x35: "magnetic field",
    0x36: "relay malfunction",
    0x37: "supply module fault",
}
_DEMANDS: Final = ("forward active", "reverse active", "quadrant 1", "quadrant 2", "quadrant 3", "quadrant 4")
_OPERATED: Final = {
    0x00: "programming",
    0x01: "meter clear",
    0x02: "demand clear",
    0x03: "event clear",
    0x04: "clock set",
    0x05: "day table programming",
    0x06: "zone table programming",
    0x07: "rest day programming",
    0x08: "holiday programming",
    0x09: "active combination programming",
    0x0A: "reactive combination 1 programming",
    0x0B: "reactive combination 2 programming",
    0x0C: "settlement day programming",
    0x0D: "meter cover open",
    0x0E: "terminal cover open",
    0x0F: "tariff table programming",
    0x10: "step table programming",
    0x12: "key change",
}
_OPENED: Final = {0x0D, 0x0E}
_PURCHASE: Final = {0x32: ("energy", "kWh"), 0x33: ("money", "CNY")}
_RELAY: Final = {0x1D: "relay opened", 0x1E: "relay closed"}


def event_entry(identifier: int) -> Entry | None:
    """Name an event identifier of DI3 03."""
    family, which, nth = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
    if family == 0x10 and which <= len(_PHASES) and nth <= MONTHS:
        return _quality(which, nth)
    if nth > RECORDS:
        return None
    if family in _BY_PHASE:
        return _by_phase(_BY_PHASE[family], which, nth)
    if family in _WITH_MINUTES and which == 0:
        return _with_minutes(_WITH_MINUTES[family], nth, current=family == 0x05)
    if family in _COUNTED and which == 0:
        return _counted(_COUNTED[family], nth)
    if family == 0x12:
        return _demand(which, nth)
    if family == 0x30 and which in _OPERATED:
        return _operated(which, nth)
    if family in _PURCHASE:
        return _purchase(*_PURCHASE[family], which, nth)
    return None


def relay_event_entry(identifier: int) -> Entry | None:
    """Name a relay event: `1D000001` counts openings, `1D00FFnn` is the n-th last; 1E the same of closings."""
    name = _RELAY[identifier >> 24]
    which, nth = identifier >> 8 & 0xFFFF, identifier & 0xFF
    if which == 0 and nth == 1:
        return plain(f"{name}: count", COUNT)
    if which == 0x00FF and 1 <= nth <= RECORDS:
        return Entry(f"{name}: record {nth}", (BEGUN, _OPERATOR), is_open=True)
    return None


def _by_phase(name: str, which: int, nth: int) -> Entry | None:
    if which == 0 and nth == 0:
        fields = [
            field
            for phase in _PHASES
            for field in (
                Field(f"count of phase {phase}", COUNT),
                Field(f"minutes of phase {phase}", COUNT, "min"),
            )
        ]
        return Entry(f"{name}: counts", tuple(fields), is_block=True)
    if 1 <= which <= len(_PHASES) and nth:
        return Entry(f"{name} of phase {_PHASES[which - 1]}: record {nth}", (BEGUN, ENDED), is_open=True)
    return None


def _with_minutes(name: str, nth: int, *, current: bool) -> Entry:
    if nth == 0:
        return Entry(f"{name}: count", (Field("count", COUNT), Field("minutes", COUNT, "min")))
    if current:
        return Entry(f"{name}: record {nth}", (BEGUN, Field("current", "XXX.XXX", "A"), ENDED))
    return Entry(f"{name}: record {nth}", (BEGUN, ENDED), is_open=True)


def _quality(which: int, nth: int) -> Entry:
    where = f" of phase {_PHASES[which - 1]}" if which else ""
    fields = (
        Field("watched", COUNT, "min"),
        Field("in band", "XXXX.XX", "%"),
        Field("out of band", "XXXX.XX", "%"),
        Field("above band", COUNT, "min"),
        Field("below band", COUNT, "min"),
        Field("highest voltage", "XXX.X", "V"),
        Field("time of highest", "MMDDhhmm"),
        Field("lowest voltage", "XXX.X", "V"),
        Field("time of lowest", "MMDDhhmm"),
    )
    month = "this month" if nth == 0 else f"month {nth} ago"
    return Entry(f"voltage quality{where}, {month}", fields, is_block=True, is_open=True)


def _counted(name: str, nth: int) -> Entry:
    if nth == 0:
        return plain(f"{name}: count", COUNT)
    return Entry(f"{name}: record {nth}", (BEGUN, ENDED), is_open=True)


def _demand(which: int, nth: int) -> Entry | None:
    if which == 0 and nth == 0:
        fields = tuple(Field(f"count of {name}", COUNT) for name in _DEMANDS)
        return Entry("demand over limit: counts", fields, is_block=True)
    if 1 <= which <= len(_DEMANDS) and nth:
        name = f"{_DEMANDS[which - 1]} demand over limit: record {nth}"
        demand = (Field("maximum demand", "XX.XXXX"), Field("time of it", "YYMMDDhhmm"))
        return Entry(name, (BEGUN, ENDED, *demand))
    return None


def _operated(which: int, nth: int) -> Entry:
    name = _OPERATED[which]
    if nth == 0:
        return plain(f"{name}: count", COUNT)
    if which in _OPENED:
        return Entry(f"{name}: record {nth}", (BEGUN, ENDED), is_open=True)
    if which == 0x04:
        times = (Field("time before", MOMENT), Field("time after", MOMENT))
        return Entry(f"{name}: record {nth}", (_OPERATOR, *times))
    return Entry(f"{name}: record {nth}", (BEGUN, _OPERATOR), is_open=True)


def _purchase(name: str, unit: str, which: int, nth: int) -> Entry | None:
    parts = {
        0x01: (f"purchase of {name}: date", "YYMMDDhhmm", ""),
        0x02: (f"purchase of {name}: count", "NNNN", ""),
        0x03: (f"purchase of {name}: amount", "XXXXXX.XX", unit),
        0x04: (f"purchase of {name}: remaining before", "XXXXXX.XX", unit),
        0x05: (f"purchase of {name}: remaining after", "XXXXXX.XX", unit),
        0x06: (f"purchase of {name}: purchased in all", "XXXXXX.XX", unit),
    }
    if which not in parts or not 1 <= nth <= RECORDS:
        return None
    whole, notation, its_unit = parts[which]
    return plain(whole if nth == 1 else f"{whole}, {nth} times ago", notation, its_unit)
