"""The meter found a fault in itself."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Severity
from fairwatt.core.alarms.rules.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterFault(Told):
    """The meter says that its own check failed; what it counts may be wrong."""

    code: ClassVar[AlarmCode] = AlarmCode.METER_FAULT
    severity: ClassVar[Severity] = Severity.WARNING
