"""The System Advisor Model's bill (PySAM, Utilityrate5) for what it can express of a tariff file.

SAM knows one calendar year without a leap day, whole hours by month and weekday or weekend, blocks by month or by
day, and a fixed charge by month; no clock changes, holidays, taxes or new prices in mid-year. Its blocks count the use
of the month over all periods, in the order of time.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import PySAM.Utilityrate5 as Utilityrate5

from oracle.fraction_bill import Oracle

MONDAYS_YEAR = 2018
"""A year that begins on a Monday, as SAM's years do, and has no leap day."""
KWH_A_MONTH, KWH_A_DAY = 0, 2
LAST = 1e38
NET_BILLING = 2
"""Blocks in the order of time. Option 0 (net metering) spreads a month's blocks over its periods pro rata instead."""


def sam_for(path: Path, *, steps: int) -> Any:
    """A SAM object with the prices of a tariff file; its load is still to be set, in kW by step."""
    oracle = Oracle(path)
    [version] = oracle.versions
    [energy] = version.energies
    rows: list[tuple[float, ...]] = []
    numbers: dict[Any, int] = {}

    def period(at: datetime) -> int:
        prices, bounds, unit = _cell(oracle, energy, at)
        key = prices, bounds
        if key not in numbers:
            numbers[key] = len(numbers) + 1
            for tier, price in enumerate(prices, start=1):
                most = float(bounds[tier - 1]) if tier <= len(bounds) else LAST
                rows.append((numbers[key], tier, most, unit, float(price), 0.0))
        return numbers[key]

    weekday, weekend = [], []
    for month in range(1, 13):
        first = datetime(MONDAYS_YEAR, month, 1, tzinfo=UTC)
        monday = first + timedelta(days=-first.weekday() % 7)
        weekday.append([period(monday + timedelta(hours=hour)) for hour in range(24)])
        weekend.append([period(monday + timedelta(days=5, hours=hour)) for hour in range(24)])

    sam = Utilityrate5.new()
    sam.Lifetime.assign({"analysis_period": 1, "inflation_rate": 0, "system_use_lifetime_output": 0})
    sam.SystemOutput.assign({"degradation": [0], "gen": [0.0] * steps})
    sam.ElectricityRates.assign(
        {
            "en_electricity_rates": 1,
            "rate_escalation": [0],
            "ur_metering_option": NET_BILLING,
            "ur_monthly_fixed_charge": float(sum(Fraction(of["per_month"]) for of in version.standings)),
            "ur_monthly_min_charge": 0,
            "ur_annual_min_charge": 0,
            "ur_nm_yearend_sell_rate": 0,
            "ur_nm_credit_month": 0,
            "ur_nm_credit_rollover": 0,
            "ur_en_ts_buy_rate": 0,
            "ur_en_ts_sell_rate": 0,
            "ur_sell_eq_buy": 0,
            "ur_dc_enable": 0,
            "ur_ec_sched_weekday": weekday,
            "ur_ec_sched_weekend": weekend,
            "ur_ec_tou_mat": rows,
        }
    )
    return sam


def _cell(
    oracle: Oracle, energy: dict[str, Any], at: datetime
) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...], int]:
    _, [prices], _ = oracle.prices(at)
    if "blocks_per_day" in energy:
        each = energy["blocks_per_day"]
        bounds = each[oracle.season(at.date())] if isinstance(each, dict) else each
        return prices, tuple(map(Fraction, bounds)), KWH_A_DAY
    return prices, tuple(map(Fraction, energy["blocks"])), KWH_A_MONTH


def bill(sam: Any, *, kilowatts: list[float]) -> list[float]:
    """What each of the twelve months costs."""
    sam.Load.load = kilowatts
    sam.execute()
    energy = sam.Outputs.year1_monthly_ec_charge_without_system
    fixed = sam.Outputs.year1_monthly_fixed_without_system
    return [of_energy + of_fixed for of_energy, of_fixed in zip(energy, fixed, strict=True)]
