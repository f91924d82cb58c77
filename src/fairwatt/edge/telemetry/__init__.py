"""Second by second: what meters do between two readings, caught where the bus has time."""

from fairwatt.edge.telemetry.service import Telemetry

__all__ = ["Telemetry"]
