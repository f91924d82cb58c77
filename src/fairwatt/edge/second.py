"""What an older copy of the memory must not bring back: whom to obey, which codes were used. Kept in a second place.

A file beside the mark, written whole after each change, after the memory itself. Both count their changes: a file
that has counted further than the memory beside it shows that the memory is an older copy, and what it has forgotten.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from fairwatt.wire import cbor
from fairwatt.wire.errors import BadShape, FrameError

log = structlog.get_logger(__name__)

_FORMAT: Final = 1
_MAX_BYTES: Final = 16 * 1024 * 1024


class Kept(NamedTuple):
    """Values by their keys, and how often any of them was changed."""

    changes: int
    values: tuple[tuple[str, bytes], ...]


class SecondPlace:
    """One small file. One that is missing, cut or cannot be written says nothing; the memory then stands alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said = False

    def read(self) -> Kept | None:
        """What was kept last; None when that cannot be known."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return None
        body, check = data[:-4], data[-4:]
        if zlib.crc32(body).to_bytes(4, "big") != check:
            return None
        try:
            return _read(body)
        except FrameError as error:
            log.error("second_place_unreadable", path=str(self._path), error=str(error))
            return None

    def write(self, kept: Kept, /) -> None:
        """Keep this from now on: the whole of it or, if the plug is pulled, the whole of what was there before."""
        body = cbor.encode([_FORMAT, kept.changes, [list(pair) for pair in kept.values]])
        draft = self._path.with_name(f"{self._path.name}.new")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(body + zlib.crc32(body).to_bytes(4, "big"))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            if not self._said:
                log.warning("second_place_not_kept", path=str(self._path), error=str(error))
            self._said = True


def _read(body: bytes) -> Kept:
    value = cbor.decode(body, max_bytes=_MAX_BYTES, what="what is kept in the second place")
    version, changes, rows = cbor.array(value, length=3, what="what is kept in the second place")
    if version != _FORMAT or type(rows) is not list:
        raise BadShape("what is kept in the second place is of another format")
    pairs = [cbor.array(row, length=2, what="a kept value") for row in rows]
    return Kept(
        cbor.integer(changes, what="changes"),
        tuple(
            (cbor.text(key, what="a key", max_chars=80), cbor.octets(one, what="a kept value"))
            for key, one in pairs
        ),
    )
