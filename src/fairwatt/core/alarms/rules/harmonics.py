"""A distorted wave that heats neutrals and transformers."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Finding, Severity, Timed
from fairwatt.core.alarms.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmonics(Timed):
    """Voltage distortion above ``voltage_pm`` or current distortion above ``current_pm``, in thousandths.

    5 % of voltage is the limit of GB/T 14549 at 380 V; a home's current is distorted much more by right.
    """

    code: ClassVar[AlarmCode] = AlarmCode.HARMONICS
    severity: ClassVar[Severity] = Severity.NOTICE

    voltage_pm: int = 50
    voltage_back_pm: int = 40
    current_pm: int = 800
    current_back_pm: int = 700
    raise_after_us: int = 600_000_000
    clear_after_us: int = 600_000_000

    def __post_init__(self) -> None:
        Timed.__post_init__(self)
        self._above(over="voltage_pm", back="voltage_back_pm")
        self._above(over="current_pm", back="current_back_pm")

    def judge(self, *, now: Picture, raised: bool) -> Finding | None:
        """Look at whichever of the two is measured."""
        voltage, current = now.voltage_thd_pm, now.current_thd_pm
        if voltage is None and current is None:
            return None
        limits = (
            (self.voltage_back_pm, self.current_back_pm) if raised else (self.voltage_pm, self.current_pm)
        )
        bad = (voltage is not None and voltage > limits[0]) or (current is not None and current > limits[1])
        evidence = (("voltage_thd_pm", voltage), ("current_thd_pm", current))
        return Finding(bad, tuple((name, value) for name, value in evidence if value is not None))
