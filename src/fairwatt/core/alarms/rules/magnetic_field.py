"""A magnet was held to the meter."""

from dataclasses import dataclass
from typing import ClassVar

from fairwatt.core.alarms.model import AlarmCode
from fairwatt.core.alarms.rules.counted import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class MagneticField(Counted):
    """The meter counted a foreign magnetic field."""

    code: ClassVar[AlarmCode] = AlarmCode.MAGNETIC_FIELD
