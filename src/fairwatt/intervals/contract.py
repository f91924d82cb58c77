"""What reading an interval file gives, and the names of everything that can be wrong with one as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from fairwatt.core.metering.vee.model import Row

BYTES_MAX: Final = 512 * 1024 * 1024
"""The most bytes of a file, packed and unpacked alike."""
ROWS_MAX: Final = 5_000_000
"""The most rows that are read one by one, each kept with its text: some 1.5 GB."""
COLUMN_ROWS_MAX: Final = 50_000_000
"""The most rows that are read as columns of numbers."""
UNREADABLE_MAX: Final = 100_000
LINE_MAX: Final = 64 * 1024


class IntervalFileError(Exception):
    """The interval file cannot be trusted; nothing of it was used. `.code` names the kind of fault."""

    code = "interval_file"


class FileBroken(IntervalFileError):
    """The file is in none of the forms known here, or stops in the middle."""

    code = "file_broken"


class FileEmpty(IntervalFileError):
    """The file holds no intervals at all."""

    code = "file_empty"


class FileTooLarge(IntervalFileError):
    """More bytes than one import may have."""

    code = "file_too_large"


class UnknownColumns(IntervalFileError):
    """The file has no home column, no stamp column or no energy column that is known here."""

    code = "unknown_columns"


class UnknownUnit(IntervalFileError):
    """A Green Button feed without energy in watt-hours."""

    code = "unknown_unit"


class UnreadableValue(IntervalFileError):
    """An energy or a stamp is not a number or a date (the London files write "Null")."""

    code = "unreadable_value"


class NegativeEnergy(IntervalFileError):
    """A home used less than nothing; a consumption register cannot run backward."""

    code = "negative_energy"


class EnergyTooLarge(IntervalFileError):
    """One interval holds more energy than a home can draw."""

    code = "energy_too_large"


class OffGrid(IntervalFileError):
    """A stamp does not sit on the file's interval grid."""

    code = "off_grid"


class DuplicateStamp(IntervalFileError):
    """One home has two values for one interval; which is true cannot be guessed."""

    code = "duplicate_stamp"


class OutsideSpan(IntervalFileError):
    """The asked span is not covered by the home's data."""

    code = "outside_span"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that gives no interval: its place in the file, whose it seems to be, and what is wrong with it."""

    row: int
    home: str
    detail: str


@dataclass(kw_only=True)
class IntervalFile:
    """An interval file as rows by home, in the order of first appearance.

    A row's number is its line in a CSV (the header is line 1), its place in a Parquet table or its place among the
    readings of a feed, from 1. `step_us` and `zone` are what the file itself says of its grid and its wall clock;
    None where it says nothing. `unreadable` rows are told, and are in nobody's rows.
    """

    name: str
    format: str
    homes: dict[str, list[Row]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    step_us: int | None = None
    zone: str | None = None

    def add(self, row: Row) -> None:
        """Keep one row under its home."""
        self.homes.setdefault(row.meter, []).append(row)

    @property
    def count(self) -> int:
        """How many rows were read, unreadable ones included."""
        return sum(map(len, self.homes.values())) + len(self.unreadable)
