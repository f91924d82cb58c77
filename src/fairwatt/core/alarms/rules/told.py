"""What a meter says of itself in its status word: it leaks, its battery ends, its valve is stuck."""

from dataclasses import dataclass

from fairwatt.core.alarms.model import Finding, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Timed):
    """The meter says so. Such meters speak a few times a day, so its word counts at once, both ways."""

    clear_after_us: int = 0

    def judge(self, *, now: Picture) -> Finding | None:
        """Look for the name in what the meter says; one that says nothing of itself is not judged."""
        return None if now.conditions is None else Finding(str(self.code) in now.conditions)
