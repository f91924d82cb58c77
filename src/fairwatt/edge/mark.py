"""How far the memory had got, in a second place: what shows at a start that an older copy was put back."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import structlog

log = structlog.get_logger(__name__)

_NUMBER_BYTES: Final = 8
_BYTES: Final = 2 * _NUMBER_BYTES + 4


class Reached(NamedTuple):
    """A life of the memory, and the newest number in it."""

    epoch: int
    seq: int


class Mark:
    """Twenty bytes in a file of their own, written over at every record, after the record is on the disk.

    They are never ahead of the memory they belong to. A mark that is missing, cut or unwritable says nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._said = False

    def read(self) -> Reached | None:
        """What was noted last; None when that cannot be known."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return None
        numbers, check = data[:-4], data[-4:]
        if len(data) != _BYTES or zlib.crc32(numbers).to_bytes(4, "big") != check:
            return None
        return Reached(
            int.from_bytes(numbers[:_NUMBER_BYTES], "big"), int.from_bytes(numbers[_NUMBER_BYTES:], "big")
        )

    def note(self, reached: Reached, /) -> None:
        """Remember this from now on. The system writes it out in its own time: late is safe, early would not be."""
        numbers = b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in reached)
        try:
            if self._handle is None:
                self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._handle, numbers + zlib.crc32(numbers).to_bytes(4, "big"), 0)
        except OSError as error:
            if not self._said:
                log.warning("mark_not_kept", path=str(self._path), error=str(error))
            self._said = True

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
