"""Any tariff explains each charge to the last fraction, and comparing two of them at once is comparing them singly."""

import itertools
import json
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.test_rating_elements import cases, versions
from fairwatt.core.rating.explain import Charged, explain_interval
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.scalar import opening_state, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import CARRY_NANO_LIMIT, CARRY_TAX_LIMIT, RegisterState
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.vector_exact import exact_under
from fairwatt.core.rating.vector_table import VectorTable

MODULUS_WH = 10**6


def walk(
    table: SegmentTable, state: RegisterState, readings: list[tuple[int, int]]
) -> list[tuple[RegisterState, Any, RegisterState]]:
    """Rate readings one by one: state before, charge, state after."""
    made = []
    for at_us, wh in readings:
        shown = (state.register_wh + wh) % MODULUS_WH
        charge, after = rate(table=table, state=state, at_us=at_us, register_wh=shown, energy_wh=wh)
        made.append((state, charge, after))
        state = after
    return made


@given(cases())
@settings(max_examples=10, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
def test_any_tariff_explains_each_charge_to_the_last_fraction(case: Any) -> None:
    sheet, start_us, readings, counter_wh, persons = case
    mine = parse_schedule(json.dumps(sheet)).for_account({"persons": persons * 1_000})
    table = SegmentTable(schedule=mine)
    state = opening_state(schedule=mine, at_us=start_us, register_wh=MODULUS_WH - 300, counter_wh=counter_wh)
    for before, charge, after in walk(table, state, readings):
        charged = Charged(
            energy_wh=charge.energy_wh,
            energy_micro=charge.energy_micro,
            standing_micro=charge.standing_micro,
            tax_micro=charge.tax_micro,
            counter_wh=after.counter_wh,
            carry_nano=after.carry_nano,
            carry_tax=after.carry_tax,
        )
        told = explain_interval(
            table=table,
            before=before,
            at_us=after.at_us,
            register_wh=after.register_wh,
            modulus_wh=MODULUS_WH,
            charged=charged,
        )
        assert told.differences == ()
        assert sum(share.energy_wh for share in told.shares) == charge.energy_wh
        assert sum(share.nano for share in told.shares) == told.energy_nano
        assert sum(share.energy_wh * share.price_micro for share in told.shares) == told.energy_nano


def singly(schedule: Schedule, start_us: int, readings: list[tuple[int, int]], counter_wh: int) -> list[Any]:
    """What each reading costs exactly by component, and where it leaves the counter, by the scalar path."""
    state = opening_state(schedule=schedule, at_us=start_us, register_wh=0, counter_wh=counter_wh)
    return [
        (
            charge.energy_micro * CARRY_NANO_LIMIT + after.carry_nano - before.carry_nano,
            charge.standing_micro * CARRY_NANO_LIMIT,
            charge.tax_micro * CARRY_TAX_LIMIT + after.carry_tax - before.carry_tax,
            after.counter_wh,
            after.window_us,
        )
        for before, charge, after in walk(SegmentTable(schedule=schedule), state, readings)
    ]


@given(case=cases(), other=versions("2023-01-01"), dearer=st.booleans(), factor=st.sampled_from([1, 10**5]))
@settings(max_examples=10, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
def test_two_tariffs_at_once_cost_what_each_does_alone(
    case: Any, other: dict[str, Any], dearer: bool, factor: int
) -> None:
    sheet, start_us, readings, counter_wh, _ = case
    readings = [(at_us, wh * factor) for at_us, wh in readings]
    text = json.dumps(sheet)
    changed = (
        text.replace('"price": "', '"price": "1') if dearer else json.dumps({**sheet, "versions": [other]})
    )
    schedules = [parse_schedule(text), parse_schedule(changed.replace('"1-', '"-1'))]
    # Two registers: one from the first reading on, one from the second.
    rows = [(start_us, *readings[0])] + [(a[0], *b) for a, b in itertools.pairwise(readings)]
    rows += rows[:1]
    first = np.zeros(len(rows), dtype=np.bool_)
    first[[0, -1]] = True
    prev_at, at, energy = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    states = [
        opening_state(schedule=s, at_us=start_us, register_wh=0, counter_wh=counter_wh) for s in schedules
    ]
    rated = exact_under(
        vtables=tuple(VectorTable(SegmentTable(schedule=s)) for s in schedules),
        first=first,
        prev_at=prev_at,
        at=at,
        energy_wh=energy,
        counters=tuple(np.full(len(rows), state.counter_wh, dtype=np.int64) for state in states),
        windows=tuple(np.full(len(rows), state.window_us, dtype=np.int64) for state in states),
    )
    for schedule, got in zip(schedules, rated, strict=True):
        alone = singly(schedule, start_us, readings, counter_wh)
        expected = [*alone, alone[0]]
        columns = (got.energy, got.standing, got.tax, got.counter, got.window)
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected
