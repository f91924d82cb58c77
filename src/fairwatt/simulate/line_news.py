"""What a watcher of the demo is told of lines that the script takes away: a silent gateway is no riddle then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from fairwatt.core.units import US_PER_HOUR
from fairwatt.simulate.scenario import Outage, Scenario

_SOON_US: Final = 24 * US_PER_HOUR
"""As far ahead as a watcher is told when the demo opens: at sixty times its pace, 24 minutes."""


class LineNews:
    """The outages of a scenario in words. ``labels``: the homes' names by index; ``local``: µs to local time."""

    def __init__(
        self, *, scenario: Scenario, labels: Sequence[str], local: Callable[[int], datetime]
    ) -> None:
        self._scenario, self._labels, self._local = scenario, labels, local

    def opening(self, *, tick: int, tell: Callable[[str], None]) -> None:
        """Tell of outages under way at this tick, and those that begin within a day of it."""
        until_us = self._scenario.at_us(tick) + _SOON_US
        for one in self._scenario.outages:
            if tick < one.end_tick and self._scenario.at_us(one.start_tick) <= until_us:
                tell(self._words(one, "is cut off" if one.start_tick <= tick else "will be cut off"))

    def at(self, *, tick: int, tell: Callable[[str], None]) -> None:
        """Tell what begins and what ends at exactly this tick."""
        for one in self._scenario.outages:
            if one.start_tick == tick:
                tell(self._words(one, "is cut off"))
            if one.end_tick == tick:
                tell(f"part of the show: the line of gw-{one.gateway + 1} is back; it sends what it kept")

    def _words(self, one: Outage, verb: str) -> str:
        homes = [self._labels[home] for home in self._scenario.homes_of(one.gateway)]
        start, end = (
            f"{self._local(self._scenario.at_us(tick)):%a %-d %b, %H:%M}"
            for tick in (one.start_tick, one.end_tick)
        )
        return (
            f"part of the show: gw-{one.gateway + 1} (homes {', '.join(homes)}) {verb} from {start} to {end}; "
            "it reads, keeps and guards alone, and what it kept arrives when its line is back"
        )
