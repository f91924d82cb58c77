"""Energy flows although the relay is open: welded contacts, or a wire around the meter's switch."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, AlarmError, Finding, Severity, Timed
from fairwatt.core.alarms.picture import Picture, known


@dataclass(frozen=True, slots=True, kw_only=True)
class UseWhileOpen(Timed):
    """With the relay open the register rose by ``rise_wh``, or a current of ``limit_ma`` flows. No cut can help."""

    code: ClassVar[AlarmCode] = AlarmCode.USE_WHILE_OPEN
    severity: ClassVar[Severity] = Severity.DANGER

    rise_wh: int = 30
    limit_ma: int = 200
    raise_after_us: int = 60_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        if self.rise_wh <= 0 or self.limit_ma <= 0:
            raise AlarmError("use_while_open: rise and current must be above zero")

    def judge(self, *, now: Picture, memory: int | None) -> Finding | None:
        """``memory`` is the register when the relay was first seen open; a closed relay forgets it."""
        if now.relay_closed is None:
            return None
        if now.relay_closed:
            return Finding(False)
        currents = [abs(current) for current in known(now.currents_ma)]
        if now.register_wh is None:
            return None if not currents else self._by_current(max(currents), memory)
        first = now.register_wh if memory is None else memory
        rise = now.register_wh - first
        if currents and max(currents) >= self.limit_ma:
            return self._by_current(max(currents), first)
        return Finding(rise >= self.rise_wh, (("rise_wh", rise),), first)

    def _by_current(self, current_ma: int, memory: int | None) -> Finding:
        return Finding(current_ma >= self.limit_ma, (("current_ma", current_ma),), memory)
