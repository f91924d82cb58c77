"""One reader for every interval file: what a file is, its bytes say, not its name."""

from __future__ import annotations

from pathlib import Path

from fairwatt.intervals.contract import BYTES_MAX, FileBroken, FileEmpty, FileTooLarge, IntervalFile
from fairwatt.intervals.csv_file import read_csv
from fairwatt.intervals.espi import read_espi
from fairwatt.intervals.parquet_file import read_parquet


def read_file(*, path: Path, zone: str = "UTC") -> IntervalFile:
    """Read a CSV (packed or not), a Parquet table or a Green Button feed as rows by home.

    `zone` is the wall clock of stamps that carry no offset. Raises a subclass of IntervalFileError, UnknownZone, or
    OSError for a file that is not there. Rows that give no interval are in `unreadable`; a file of which more than half
    is unreadable is broken.
    """
    check_size(path=path)
    with path.open("rb") as file:
        begin = file.read(512)
    if begin.startswith(b"PAR1") or path.suffix.lower() in {".parquet", ".pq"}:
        found = read_parquet(path=path, zone=zone)
    elif begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        found = read_espi(path=path)
    else:
        found = read_csv(path=path, zone=zone)
    if not found.count:
        raise FileEmpty(f"{path.name} holds no intervals. Nothing was read.")
    if 2 * len(found.unreadable) > found.count:
        first = found.unreadable[0]
        raise FileBroken(
            f"{path.name}: {len(found.unreadable)} of {found.count} rows cannot be read, the first is row {first.row}: "
            f"{first.detail}. Nothing was taken over."
        )
    return found


def check_size(*, path: Path) -> None:
    """Refuse a file of more bytes than one import may have."""
    size = path.stat().st_size
    if size > BYTES_MAX:
        raise FileTooLarge(
            f"{path.name} has {size} bytes, and {BYTES_MAX} are the most. Split it by time or home."
        )
