"""Worked bills, read by people who know tariffs, must come out to the micro-unit on both rating paths."""

import tomllib
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.builders import instant
from fairwatt.core.rating.scalar import opening_state, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.vector import rate_rows
from fairwatt.core.rating.vector_table import VectorTable

BILLS = sorted((Path(__file__).parent / "bills").glob("*.toml"))


def load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def thousandths(kwh: str) -> int:
    wh = Decimal(kwh) * 1_000
    assert wh == int(wh), f"{kwh} kWh is not a whole number of watt-hours"
    return int(wh)


def expected_micro(bill: dict[str, Any]) -> dict[str, int]:
    return {
        part: int(Decimal(bill["expect"][part]) * 10**6) for part in ("energy", "standing", "tax", "total")
    }


def test_there_are_bills() -> None:
    assert len(BILLS) >= 12


@pytest.mark.parametrize("path", BILLS, ids=lambda path: path.stem)
def test_a_worked_bill_comes_out_to_the_micro_unit(path: Path) -> None:
    bill = load(path)
    schedule = parse_schedule(bill["tariff"])
    table = SegmentTable(schedule=schedule)
    state = opening_state(
        schedule=schedule,
        at_us=instant(bill["opening"]["at"], schedule.zone),
        register_wh=0,
        counter_wh=thousandths(bill["opening"]["year_or_month_to_date_kwh"]),
    )
    sums = {"energy": 0, "standing": 0, "tax": 0, "total": 0}
    for reading in bill["reading"]:
        charge, state = rate(
            table=table,
            state=state,
            at_us=instant(reading["at"], schedule.zone),
            register_wh=state.register_wh + thousandths(reading["used_kwh"]),
            energy_wh=thousandths(reading["used_kwh"]),
        )
        sums["energy"] += charge.energy_micro
        sums["standing"] += charge.standing_micro
        sums["tax"] += charge.tax_micro
        sums["total"] += charge.amount_micro
    assert sums == expected_micro(bill)
    if printed := bill["expect"].get("printed"):
        exact = Decimal(sums["total"]) / 10**6
        assert exact.quantize(Decimal(printed), ROUND_HALF_EVEN) == Decimal(printed)


@pytest.mark.parametrize("path", BILLS, ids=lambda path: path.stem)
def test_a_worked_bill_comes_out_the_same_as_one_batch(path: Path) -> None:
    bill = load(path)
    schedule = parse_schedule(bill["tariff"])
    opening = opening_state(
        schedule=schedule,
        at_us=instant(bill["opening"]["at"], schedule.zone),
        register_wh=0,
        counter_wh=thousandths(bill["opening"]["year_or_month_to_date_kwh"]),
    )
    at = np.array([instant(r["at"], schedule.zone) for r in bill["reading"]], dtype=np.int64)
    energy = np.array([thousandths(r["used_kwh"]) for r in bill["reading"]], dtype=np.int64)
    same = np.ones(at.size, dtype=np.int64)
    rated = rate_rows(
        vtable=VectorTable(SegmentTable(schedule=schedule)),
        first=np.arange(at.size) == 0,
        prev_at=np.concatenate([[opening.at_us], at[:-1]]),
        at=at,
        energy_wh=energy,
        counter=same * opening.counter_wh,
        window=same * opening.window_us,
        carry_nano=same * 0,
        carry_tax=same * 0,
    )
    sums = {
        "energy": int(rated.energy_micro.sum()),
        "standing": int(rated.standing_micro.sum()),
        "tax": int(rated.tax_micro.sum()),
    }
    assert sums | {"total": sum(sums.values())} == expected_micro(bill)
