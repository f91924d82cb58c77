"""What is known of a meter at one instant."""

from __future__ import annotations

from dataclasses import dataclass

Phases = tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One meter at one instant; ``None`` and left-out phases are what was not measured, never zero.

    Phases in order A, B, C. Power and current are negative when energy flows back. ``power_factors_milli`` are
    thousandths, ``terminal_temperature_dc`` tenths of a degree Celsius, ``*_thd_pm`` thousandths of the
    fundamental. ``counts`` are the meter's own event counters by the name of what they count; they only rise.
    ``conditions`` are what its status word says is so right now, by name.
    """

    at_us: int
    voltages_dv: Phases = ()
    currents_ma: Phases = ()
    powers_w: Phases = ()
    power_w: int | None = None
    power_factors_milli: Phases = ()
    neutral_current_ma: int | None = None
    terminal_temperature_dc: int | None = None
    residual_current_ma: int | None = None
    voltage_thd_pm: int | None = None
    current_thd_pm: int | None = None
    relay_closed: bool | None = None
    register_wh: int | None = None
    counts: tuple[tuple[str, int], ...] = ()
    conditions: tuple[str, ...] | None = None

    @property
    def total_w(self) -> int | None:
        """The power of all phases: as measured in total, or their sum when every phase is known."""
        if self.power_w is not None:
            return self.power_w
        return sum(known(self.powers_w)) if self.powers_w and None not in self.powers_w else None

    @property
    def power_factor_milli(self) -> int | None:
        """The power factor of a single-phase meter."""
        return self.power_factors_milli[0] if len(self.power_factors_milli) == 1 else None

    def count(self, name: str) -> int | None:
        """The meter's counter of that name, where it was read."""
        return next((count for kind, count in self.counts if kind == name), None)


def known(values: Phases) -> list[int]:
    """The phases that were measured."""
    return [value for value in values if value is not None]
