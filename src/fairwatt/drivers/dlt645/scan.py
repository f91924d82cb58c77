"""Cut a recording into everything that is in it: frames, wake-up bytes, damaged frames, noise.

`FrameStream` hands out good frames and forgets the rest; this keeps the rest, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .frame import END, MAX_READ_DATA, OVERHEAD, START, WAKE, Frame, open_frame


class PieceKind(StrEnum):
    """What a piece of a recording is."""

    FRAME = "frame"
    WAKE = "wake"
    DAMAGED = "damaged"
    TORN = "torn"
    NOISE = "noise"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes with one meaning. `why` says what is wrong with a damaged or torn frame."""

    kind: PieceKind
    offset: int
    raw: bytes
    frame: Frame | None = None
    why: str = ""


def scan(*, data: bytes) -> list[Piece]:
    """Return every byte of a recording in pieces, in order."""
    pieces: list[Piece] = []
    position = start = 0
    while (start := data.find(START, start)) >= 0:
        end = _end(data, start)
        if end is None or _fault(data[start:end]):
            start += 1
            continue
        pieces += _rest(data, position, start)
        pieces.append(Piece(PieceKind.FRAME, start, data[start:end], open_frame(raw=data[start:end])))
        position = start = end
    return pieces + _rest(data, position, len(data))


def _end(data: bytes, start: int) -> int | None:
    """Return where the frame at `start` ends, or None when it is none or not whole."""
    if len(data) - start < OVERHEAD or data[start + 7] != START or data[start + 9] > MAX_READ_DATA:
        return None
    end = start + OVERHEAD + data[start + 9]
    return end if end <= len(data) else None


def _fault(raw: bytes) -> str:
    total = sum(raw[:-2]) & 0xFF
    if raw[-1] != END:
        return f"ends in {raw[-1]:02X}H instead of 16H"
    return "" if raw[-2] == total else f"checksum is {raw[-2]:02X}H, its bytes make {total:02X}H"


def _rest(data: bytes, start: int, end: int) -> list[Piece]:
    """Name what lies between good frames."""
    pieces: list[Piece] = []
    while start < end:
        mark = _candidate(data, start, end)
        if mark is None:
            return pieces + _quiet(data, start, end)
        pieces += _quiet(data, start, mark)
        whole = _end(data[:end], mark)
        if whole is None:
            why = f"{end - mark} bytes came of a frame that says {OVERHEAD + data[mark + 9]}"
            return [*pieces, Piece(PieceKind.TORN, mark, data[mark:end], why=why)]
        pieces.append(Piece(PieceKind.DAMAGED, mark, data[mark:whole], why=_fault(data[mark:whole])))
        start = whole
    return pieces


def _candidate(data: bytes, start: int, end: int) -> int | None:
    """Return where something begins that has both start marks and a length, good or not."""
    for at in range(start, end - 9):
        if data[at] == START and data[at + 7] == START and data[at + 9] <= MAX_READ_DATA:
            return at
    return None


def _quiet(data: bytes, start: int, end: int) -> list[Piece]:
    """Part noise from the wake-up bytes behind it."""
    wake = end
    while wake > start and data[wake - 1] == WAKE:
        wake -= 1
    pieces = [Piece(PieceKind.NOISE, start, data[start:wake])] if wake > start else []
    return [*pieces, Piece(PieceKind.WAKE, wake, data[wake:end])] if end > wake else pieces
