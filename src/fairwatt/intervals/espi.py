"""Green Button: the ESPI feeds (NAESB REQ.21) that utilities hand out, as rows.

Of a feed only energy is taken: meter readings whose type is watt-hours (uom 72) per interval. Starts are seconds since
1970 UTC, whatever the feed says of local time; `powerOfTenMultiplier` scales; quality codes become the letters of VEE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fairwatt.core.metering.vee.model import Row, Status
from fairwatt.core.units import US_PER_SECOND
from fairwatt.intervals.contract import (
    FileBroken,
    FileEmpty,
    FileTooLarge,
    IntervalFile,
    UnknownUnit,
    Unreadable,
    UnreadableValue,
)
from fairwatt.intervals.values import WH_MAX, BadCell, energy_wh

ATOM: Final = "{http://www.w3.org/2005/Atom}"
ESPI: Final = "{http://naesb.org/espi}"
WATT_HOURS: Final = "72"
PER_INTERVAL: Final = ("", "4", "12")
"""accumulationBehaviour: delta data, or nothing said; 12 is what an early profile wrote for it."""
BYTES_MAX: Final = 64 * 1024 * 1024
START_S_MAX: Final = 4_102_444_800
"""The first second of 2100."""
LENGTH_S_MAX: Final = 31 * 86_400
POWER_MAX: Final = 12
OFFSET_S_MAX: Final = 14 * 3_600
_WHOLE: Final = re.compile(r"-?[0-9]{1,12}")
QUALITY: Final = {
    "0": Status.ACTUAL,  # valid
    "7": Status.EDITED,  # manually edited
    "8": Status.ESTIMATED,  # estimated using reference day
    "9": Status.ESTIMATED,  # estimated using linear interpolation
    "10": Status.ACTUAL,  # questionable: kept, and the doubt is told
    "11": Status.SUBSTITUTED,  # derived
    "12": Status.ESTIMATED,  # projected (forecast)
    "13": Status.SUBSTITUTED,  # mixed
    "14": Status.ACTUAL,  # raw
    "15": Status.SUBSTITUTED,  # normalized for weather
    "16": Status.SUBSTITUTED,  # other
    "17": Status.ACTUAL,  # validated
    "18": Status.ACTUAL,  # verified
    "19": Status.ACTUAL,  # revenue-quality
}
_WORST: Final = (Status.EDITED, Status.SUBSTITUTED, Status.ESTIMATED)
ZONES: Final = {
    (-18000, True): "America/New_York",
    (-21600, True): "America/Chicago",
    (-25200, True): "America/Denver",
    (-28800, True): "America/Los_Angeles",
    (-32400, True): "America/Anchorage",
}
NORTH_AMERICA: Final = ("360E2000", "B40E2000")
"""The summer-time rules of the United States since 2007 as LocalTimeParameters writes them: start, end."""


@dataclass(frozen=True, slots=True)
class _Type:
    """What a ReadingType says of values."""

    uom: str
    power: int
    length_s: int
    behaviour: str


def read_espi(*, path: Path) -> IntervalFile:
    """Read a feed. Entities, external or expanding, are refused; so is anything that is not a feed."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    if path.stat().st_size > BYTES_MAX:
        raise FileTooLarge(f"{path.name} has more than {BYTES_MAX} bytes. Ask for the feed in parts.")
    try:
        root = parse(path, forbid_dtd=True).getroot()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise FileBroken(f"{path.name} is not readable XML ({error}). Fetch it again.") from error
    if root is None or root.tag != f"{ATOM}feed":
        raise FileBroken(
            f"{path.name} is XML, but no Green Button feed. Ask the utility for its ESPI download."
        )
    return _Feed(path.name, root).read()


class _Feed:
    """One feed: its entries by the address each gives itself."""

    def __init__(self, name: str, root: Any) -> None:
        self.file = IntervalFile(name=name, format="espi")
        self.entries = [(_links(entry), entry) for entry in root.iter(f"{ATOM}entry")]
        self.types = {
            links.get("self", [""])[0]: _type(found)
            for links, entry in self.entries
            for found in entry.iter(f"{ESPI}ReadingType")
        }
        self.number = 0
        self.units: set[str] = set()

    def read(self) -> IntervalFile:
        meter_readings = {
            links.get("self", [""])[0]: links
            for links, entry in self.entries
            if entry.find(f"{ATOM}content/{ESPI}MeterReading") is not None
        }
        blocks = 0
        for links, entry in self.entries:
            for block in entry.iter(f"{ESPI}IntervalBlock"):
                blocks += 1
                up = links.get("up", [""])[0].removesuffix("/IntervalBlock")
                self._take_block(block, up, self._type_of(meter_readings.get(up, {})))
        self.file.zone = self._zone()
        if not blocks or not self.file.count:
            if self.units:
                raise UnknownUnit(
                    f"{self.file.name} holds values of unit {', '.join(sorted(self.units))} only. Energy in watt-hours "
                    "(unit 72) per interval is what can be read; ask the utility for that."
                )
            raise FileEmpty(f"{self.file.name} holds no intervals. Nothing was read.")
        return self.file

    def _type_of(self, links: dict[str, list[str]]) -> _Type:
        for href in links.get("related", []):
            if href in self.types:
                return self.types[href]
        # A feed with one type need not say whose it is.
        return next(iter(self.types.values())) if len(self.types) == 1 else _Type(WATT_HOURS, 0, 0, "")

    def _take_block(self, block: Any, meter_reading: str, kind: _Type) -> None:
        if kind.uom != WATT_HOURS or kind.behaviour not in PER_INTERVAL:
            self.units.add(kind.uom)
            return
        home = _home(meter_reading)
        if kind.length_s:
            self.file.step_us = kind.length_s * US_PER_SECOND
        for reading in block.iter(f"{ESPI}IntervalReading"):
            self.number += 1
            try:
                self.file.add(_row(reading, self.number, home, kind))
            except BadCell as error:
                self.file.unreadable.append(Unreadable(self.number, home, str(error)))

    def _zone(self) -> str | None:
        for _, entry in self.entries:
            for found in entry.iter(f"{ESPI}LocalTimeParameters"):
                offset, start, end = (
                    _text(found, name) for name in ("tzOffset", "dstStartRule", "dstEndRule")
                )
                offset_s = _whole(offset, least=-OFFSET_S_MAX, most=OFFSET_S_MAX)
                if offset_s is None:
                    return None
                summer = (start, end) == NORTH_AMERICA
                hours, odd = divmod(-offset_s, 3600)
                if not summer and not odd and -14 <= hours <= 12:
                    return f"Etc/GMT{hours:+d}" if hours else "UTC"
                return ZONES.get((offset_s, summer))
        return None


def _row(reading: Any, number: int, home: str, kind: _Type) -> Row:
    period = reading.find(f"{ESPI}timePeriod")
    start = _text(period, "start") if period is not None else ""
    start_s = _whole(start, least=0, most=START_S_MAX)
    if start_s is None:
        raise BadCell(f"the reading has no start between 1970 and 2100 ({start[:20]!r})")
    length = _text(period, "duration")
    if kind.length_s and length and length != str(kind.length_s):
        raise BadCell(f"the reading lasts {length[:20]} s, the feed says {kind.length_s} s an interval")
    text = _text(reading, "value")
    wh, _ = energy_wh(text=text, per_unit_wh=1)
    rounded = False
    if wh is not None:
        wh, rounded = _scaled(wh, kind.power)
        if abs(wh) > WH_MAX:
            raise BadCell(f"{text[:40]!r} is beyond any meter at ten to the {kind.power}")
    status, doubted = _quality(reading)
    note = "doubted" if doubted else "rounded" if rounded else ""
    return Row(number, home, start_s * US_PER_SECOND, wh, status, text, note)


def _scaled(steps: int, power: int) -> tuple[int, bool]:
    """Steps of ten to that power in whole watt-hours, rounded half up where a step is finer."""
    if power >= 0:
        return steps * 10**power, False
    scale: int = 10**-power
    return (2 * steps + scale) // (2 * scale), bool(steps % scale)


def _quality(reading: Any) -> tuple[Status, bool]:
    codes = [(found.text or "").strip() for found in reading.iter(f"{ESPI}quality")]
    said = {QUALITY.get(code, Status.SUBSTITUTED) for code in codes}
    return next((status for status in _WORST if status in said), Status.ACTUAL), "10" in codes


def _type(found: Any) -> _Type:
    return _Type(
        uom=_text(found, "uom"),
        power=_said(found, "powerOfTenMultiplier", least=-POWER_MAX, most=POWER_MAX),
        length_s=_said(found, "intervalLength", least=0, most=LENGTH_S_MAX),
        behaviour=_text(found, "accumulationBehaviour"),
    )


def _said(found: Any, name: str, *, least: int, most: int) -> int:
    """What the type says of all its readings; 0 where it says nothing. A wrong one would scale every charge."""
    text = _text(found, name) or "0"
    number = _whole(text, least=least, most=most)
    if number is None:
        raise UnreadableValue(
            f"The feed says {name} {text[:20]!r}, which is no whole number from {least} to {most}. Nothing was read; "
            "ask the utility for a corrected download."
        )
    return number


def _whole(text: str, *, least: int, most: int) -> int | None:
    """A whole number in plain digits within its bounds, or None."""
    number = int(text) if _WHOLE.fullmatch(text) else None
    return number if number is not None and least <= number <= most else None


def _home(meter_reading: str) -> str:
    """The usage point's own id; with the meter reading's behind it where that is not the first."""
    parts = [part for part in meter_reading.split("/") if part]
    if "UsagePoint" in parts[:-1]:
        point = parts[parts.index("UsagePoint") + 1]
        last = parts[-1]
        return point if last in ("01", "1", "MeterReading", point) else f"{point}/{last}"
    return "home"


def _links(entry: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for link in entry.findall(f"{ATOM}link"):
        found.setdefault(link.get("rel", ""), []).append(link.get("href", ""))
    return found


def _text(parent: Any, name: str) -> str:
    found = parent.find(f"{ESPI}{name}") if parent is not None else None
    return (found.text or "").strip() if found is not None else ""
