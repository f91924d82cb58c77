"""Water or gas flows without a pause: a pipe, a tap, a cistern."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Severity
from fairwatt.core.alarms.rules.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak(Told):
    """The meter has seen flow for longer than any use lasts."""

    code: ClassVar[AlarmCode] = AlarmCode.LEAK
    severity: ClassVar[Severity] = Severity.DANGER
