"""A meter that lives on a battery is near its end."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Severity
from fairwatt.core.alarms.rules.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class LowBattery(Told):
    """The meter says that its battery is low; it still counts."""

    code: ClassVar[AlarmCode] = AlarmCode.LOW_BATTERY
    severity: ClassVar[Severity] = Severity.NOTICE
