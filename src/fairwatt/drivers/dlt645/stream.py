"""Find frames in a byte stream that also carries wake-up bytes, noise and torn frames."""

from __future__ import annotations

from typing import Final

from .frame import END, MAX_READ_DATA, OVERHEAD, START, Frame, open_frame

_NEEDS_MORE: Final = 0
_IMPOSSIBLE: Final = -1


class FrameStream:
    """Feed bytes in any pieces, get every whole frame out, in order.

    A frame is believed when both start marks, the end mark and the checksum agree. Anything else is
    stepped over one byte at a time, so the next good frame is always found. A torn frame that still waits
    for bytes does not hold back a whole one behind it. The buffer never outgrows one frame.
    """

    __slots__ = ("_buffer", "damaged")

    def __init__(self) -> None:
        self._buffer = b""
        self.damaged = 0
        """Frames dropped for a wrong checksum or end mark."""

    def reset(self) -> None:
        """Forget a half-received frame, as before a repeated request."""
        self._buffer = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes as they came from the line and return the frames they complete."""
        buffer = self._buffer + data
        frames: list[Frame] = []
        position, waiting = 0, -1
        while (start := buffer.find(START, position)) >= 0:
            end = _frame_end(buffer, start)
            position = start + 1
            if end == _NEEDS_MORE:
                waiting = start if waiting < 0 else waiting
            elif end != _IMPOSSIBLE:
                if buffer[end - 1] == END and buffer[end - 2] == sum(buffer[start : end - 2]) & 0xFF:
                    frames.append(open_frame(raw=buffer[start:end]))
                    position, waiting = end, -1
                elif waiting < 0:
                    # Inside a frame that still waits, a lookalike is just its data: not counted.
                    self.damaged += 1
        self._buffer = buffer[waiting:] if waiting >= 0 else b""
        return frames


def _frame_end(buffer: bytes, start: int) -> int:
    """Return where the frame that may begin at `start` ends, or why there is none."""
    have = len(buffer) - start
    if have > 7 and buffer[start + 7] != START:
        return _IMPOSSIBLE
    if have < 10:
        return _NEEDS_MORE
    length = buffer[start + 9]
    if length > MAX_READ_DATA:
        return _IMPOSSIBLE
    size = OVERHEAD + length
    return start + size if have >= size else _NEEDS_MORE
