"""The readings of one meter since its grant, thinned to what rating can tell apart.

A grant is written before it arrives: it counts from a state some readings back. What was read since then
is rated again from there, reading by reading, because one step over a price boundary would guess where the
energy fell. Inside one price segment only the first and the last reading matter.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from fairwatt.core.rating.segments import SegmentTable

_POINTS_MAX: Final = 1024


class Point(NamedTuple):
    """A register value that was believed, in Wh."""

    at_us: int
    total_wh: int


class Trail:
    """Believed readings in order of time; at most 1024 of them, the oldest go first."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self.points = list(points)

    def add(self, *, point: Point, table: SegmentTable) -> None:
        """Keep one more reading; drop the one before it when both lie in the segment of the one before that."""
        if len(self.points) > 1:
            first, last = table.locate(start_us=self.points[-2].at_us, end_us=point.at_us)
            if first == last:
                self.points.pop()
        self.points.append(point)
        del self.points[:-_POINTS_MAX]

    def forget_after(self, at_us: int) -> None:
        """Drop what bears an instant later than this."""
        self.points = [point for point in self.points if point.at_us <= at_us]

    def after(self, at_us: int) -> list[Point]:
        """What was read later than an instant."""
        return [point for point in self.points if point.at_us > at_us]
