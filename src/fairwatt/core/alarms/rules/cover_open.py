"""Somebody opened the meter itself."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Severity
from fairwatt.core.alarms.rules.counted import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverOpen(Counted):
    """The meter counted an opening of its own cover."""

    code: ClassVar[AlarmCode] = AlarmCode.COVER_OPEN
    severity: ClassVar[Severity] = Severity.DANGER
