"""Which meter is in which room: a table that people fill in, checked line by line before any of it is used.

    room,bus,number,address,profile,ct_primary,ct_secondary
    1-101,riser,202700000001,202700000001,dlt645_single_phase,1,1

``number`` is the meter's in the books (left out: its address), ``profile`` may be left out, ``ct_primary`` and
``ct_secondary`` are what is printed on the current transformers (both left out: none, 1:1). ``feeder`` and
``feeds_gateway`` (yes or no) may be left out. A gateway sends registers as they are; ratio and wiring belong to the
books: checked here, applied there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from fairwatt.core.metering.transformer import DIRECT, Transformer, TransformerError, parse_ratio
from fairwatt.drivers.contract import DriverError
from fairwatt.edge.addresses import one_spelling, place_on_bus
from fairwatt.edge.config import DEFAULT_PROFILE

NEEDED: Final = ("room", "bus", "address")
COLUMNS: Final = (
    *("room", "bus", "number", "address", "profile", "ct_primary", "ct_secondary"),
    *("feeder", "feeds_gateway"),
)
ROWS_MAX: Final = 10_000
_NUMBER_DIGITS: Final = 19
_YES: Final = ("yes", "1", "true")
_NO: Final = ("", "no", "0", "false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One meter of the map, as it was understood."""

    line: int
    room: str
    bus: str
    number: int
    address: str
    profile: str
    transformer: Transformer = DIRECT
    feeder: str = ""
    feeds_gateway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong in a line, what it would do, and the next step."""

    line: int
    text: str


def read_map(*, text: str, buses: Collection[str] = ()) -> tuple[list[Row], list[Fault]]:
    """Read a map; every fault is told, and a line with a fault gives no row. ``buses``: known ones, empty for any.

    A room may have several meters; a meter is in one room.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        strange = [name for name in names if name not in COLUMNS]
        lacking = [name for name in NEEDED if name not in names]
        if strange or lacking or len(set(names)) != len(names):
            said = (
                f"it lacks {', '.join(lacking)}"
                if lacking
                else f"{', '.join(strange) or 'a name'} is not expected"
            )
            return [], [Fault(line=1, text=f"the columns are {', '.join(COLUMNS)}; {said}.")]
        reader.fieldnames = names
        lines = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        return [], [Fault(line=max(1, reader.line_num), text=f"this is not readable CSV ({error}).")]
    if not lines or len(lines) > ROWS_MAX:
        return [], [Fault(line=1, text=f"a map has 1 to {ROWS_MAX} meters; this one has {len(lines)}.")]
    rows, faults = [], []
    for line, cells in lines:
        found = _row(line, cells, buses)
        if isinstance(found, Row):
            rows.append(found)
        else:
            faults.append(found)
    twice = list(_twice(rows))
    bad = {fault.line for fault in twice}
    return [row for row in rows if row.line not in bad], sorted([*faults, *twice], key=lambda one: one.line)


def _row(line: int, cells: dict[str | None, str | list[str] | None], buses: Collection[str]) -> Row | Fault:
    if None in cells or None in cells.values():
        return Fault(
            line=line, text="it has more or fewer cells than the first line; a comma may be missing."
        )
    cell = {name: str(value).strip() for name, value in cells.items()}
    empty = [name for name in NEEDED if not cell[name]]
    if empty:
        return Fault(
            line=line, text=f"{', '.join(empty)} is empty; nobody could be charged by this meter. Fill it in."
        )
    if buses and cell["bus"] not in buses:
        return Fault(
            line=line,
            text=f"there is no bus {cell['bus']!r} in the settings, only {', '.join(sorted(buses))}.",
        )
    number = cell.get("number") or cell["address"]
    if not (
        number.isascii()
        and number.isdecimal()
        and len(number) <= _NUMBER_DIGITS
        and 0 < int(number) < 1 << 63
    ):
        return Fault(
            line=line,
            text=f"{number!r} is no meter number: digits, not zero. Give the column number its own.",
        )
    feeds = cell.get("feeds_gateway", "").lower()
    if feeds not in (*_YES, *_NO):
        return Fault(line=line, text=f"feeds_gateway is yes, no or empty; got {feeds!r}.")
    try:
        sides = [cell.get("ct_primary", ""), cell.get("ct_secondary", "")]
        transformer = parse_ratio(":".join(sides) if any(sides) else "")
    except TransformerError as error:
        return Fault(line=line, text=str(error))
    wrong = _meter_fault(cell)
    if wrong:
        return Fault(line=line, text=wrong)
    return Row(
        line=line,
        room=cell["room"],
        bus=cell["bus"],
        number=int(number),
        address=cell["address"],
        profile=cell.get("profile") or DEFAULT_PROFILE,
        transformer=transformer,
        feeder=cell.get("feeder", ""),
        feeds_gateway=feeds in _YES,
    )


def _meter_fault(cell: dict[str | None, str]) -> str:
    """Whether a meter of that model can have that address, by the driver that would ask it."""
    try:
        place_on_bus(profile=cell.get("profile") or DEFAULT_PROFILE, address=cell["address"])
    except DriverError as error:
        return str(error)
    return ""


def _twice(rows: list[Row]) -> Iterator[Fault]:
    """A meter that stands twice would be charged to two rooms: the later line is refused."""
    numbers: dict[int, Row] = {}
    places: dict[tuple[str, str], Row] = {}
    for row in rows:
        for what, first in (
            (f"meter {row.number}", numbers.setdefault(row.number, row)),
            (
                f"address {row.address} on bus {row.bus}",
                places.setdefault((row.bus, one_spelling(row.address)), row),
            ),
        ):
            if first is not row:
                yield Fault(
                    line=row.line,
                    text=f"{what} stands in line {first.line} already, for room {first.room}; two rooms would be "
                    "charged by one meter. Correct one of them.",
                )
                break
