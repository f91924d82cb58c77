"""Mean power becomes energy without losing a watt-hour on the way."""

from __future__ import annotations

from fairwatt.core.metering.vee.model import Row
from fairwatt.core.metering.vee.validate import step_of
from fairwatt.core.units import US_PER_HOUR
from fairwatt.intervals.contract import IntervalFile, OffGrid, Unreadable
from fairwatt.intervals.values import BadCell, energy_wh

MICRO_W_PER_KW = 10**9


def power_to_energy(*, file: IntervalFile) -> None:
    """Give every row of a file of mean kW its energy in Wh.

    A minute of 0.123 kW is 2.05 Wh: what does not make a whole watt-hour is carried into the next interval, so the sum
    over any stretch is right to within one. Raises OffGrid when the stamps show no grid.
    """
    for home, rows in file.homes.items():
        try:
            step_us = file.step_us or step_of(instants=[row.at_us for row in rows])
        except ValueError as error:
            raise OffGrid(f"{file.name}: {home}: {error}. Nothing was read.") from error
        carry, unit = 0, MICRO_W_PER_KW // 1000 * US_PER_HOUR
        made: list[Row] = []
        for row in rows:
            try:
                micro_w, _ = energy_wh(text=row.text, per_unit_wh=MICRO_W_PER_KW)
            except BadCell as error:
                file.unreadable.append(Unreadable(row.number, home, str(error)))
                continue
            if micro_w is None:
                made.append(row)
                continue
            wh, carry = divmod(carry + micro_w * step_us, unit)
            made.append(row._replace(wh=wh))
        file.homes[home] = made
