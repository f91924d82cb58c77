"""What a home draws, phase by phase, and what the meter sees of it."""

from __future__ import annotations

from dataclasses import dataclass

from fairwatt.drivers.contract import PhaseReading


@dataclass(slots=True)
class SimPhase:
    """One phase: its supply and the load behind the relay. A negative load feeds back.

    Distortions are thousandths.
    """

    load_w: int = 0
    voltage_dv: int = 2_200
    power_factor_milli: int = 1_000
    voltage_thd_pm: int = 15
    current_thd_pm: int = 80

    def seen(self, *, flows: bool) -> PhaseReading:
        """Return what the meter measures; without flow there is a voltage and nothing else."""
        power_w = self.load_w if flows else 0
        seen_by = self.voltage_dv * abs(self.power_factor_milli)
        current_ma = abs(power_w) * 10_000_000 // seen_by if seen_by else 0
        return PhaseReading(
            voltage_dv=self.voltage_dv,
            current_ma=current_ma if power_w >= 0 else -current_ma,
            power_w=power_w,
            power_factor_milli=self.power_factor_milli if power_w >= 0 else -self.power_factor_milli,
        )
