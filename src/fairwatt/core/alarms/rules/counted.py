"""What a meter counts by itself: covers opened, magnets held to it."""

from dataclasses import dataclass

from fairwatt.core.alarms.model import Finding, Timed
from fairwatt.core.alarms.picture import Picture

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Timed):
    """The meter's counter rose. Told once for each rise that comes a day or more after the last."""

    clear_after_us: int = _DAY_US

    def judge(self, *, now: Picture, memory: int | None) -> Finding | None:
        """Compare with the count kept in ``memory``; the first count ever seen is where counting begins."""
        count = now.count(self.code)
        if count is None:
            return None
        if memory is None or count < memory:
            # A smaller count is another meter, or one that was cleared, which has an event of its own.
            return Finding(False, memory=count)
        return Finding(count > memory, (("count", count), ("before", memory)), count)
