"""Somebody opened the cover over the live terminals."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode, Severity
from fairwatt.core.alarms.rules.counted import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalCoverOpen(Counted):
    """The meter counted an opening of its terminal cover."""

    code: ClassVar[AlarmCode] = AlarmCode.TERMINAL_COVER_OPEN
    severity: ClassVar[Severity] = Severity.DANGER
