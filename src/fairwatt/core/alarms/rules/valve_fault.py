"""A valve that does not go where it is told."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Severity
from fairwatt.core.alarms.rules.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class ValveFault(Told):
    """The meter could not move its valve."""

    code: ClassVar[AlarmCode] = AlarmCode.VALVE_FAULT
    severity: ClassVar[Severity] = Severity.WARNING
