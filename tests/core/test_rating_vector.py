"""The batch path equals the reference bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.builders import day_night, instant, journeys, schedule, schedules
from fairwatt.core.rating.model import NoTariff, Schedule
from fairwatt.core.rating.scalar import EnergyOutOfRange, NotAfterState, opening_state, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.vector import RatedRows, UnorderedRows, VectorTable, rate_rows

# A head state and the (instant, energy) readings after it.
Register = tuple[RegisterState, list[tuple[int, int]]]
JUNK = 10**15 + 7


def rate_registers(vtable: VectorTable, registers: list[Register]) -> RatedRows:
    """Lay registers out as the poster does: sorted rows, the head state on each first row only."""
    rows = []
    for state, readings in registers:
        prev_us = state.at_us
        for n, (at_us, energy) in enumerate(readings):
            head = (state.counter_wh, state.window_us, state.carry_nano, state.carry_tax)
            rows.append((n == 0, prev_us, at_us, energy, *(head if n == 0 else (JUNK,) * 4)))
            prev_us = at_us
    columns = [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]
    return rate_rows(
        vtable=vtable,
        first=columns[0].astype(bool),
        prev_at=columns[1],
        at=columns[2],
        energy_wh=columns[3],
        counter=columns[4],
        window=columns[5],
        carry_nano=columns[6],
        carry_tax=columns[7],
    )


@st.composite
def registers_of(draw: st.DrawFn, tariff: Schedule) -> list[Register]:
    registers = []
    for _ in range(draw(st.integers(1, 4))):
        at_us, readings = draw(journeys(tariff))
        opened = opening_state(
            schedule=tariff, at_us=at_us, register_wh=0, counter_wh=draw(st.integers(0, 70_000))
        )
        state = RegisterState(
            opened.at_us,
            0,
            opened.counter_wh,
            # A head may also stand in a window that closed before its next use.
            opened.window_us if draw(st.booleans()) else opened.window_us - 1,
            draw(st.integers(0, 999)),
            draw(st.integers(0, 999_999_999)),
        )
        registers.append((state, readings))
    return registers


@given(tariff=schedules(), data=st.data())
@settings(max_examples=120)
def test_a_batch_equals_one_by_one_bit_for_bit(tariff: Schedule, data: st.DataObject) -> None:
    registers = data.draw(registers_of(tariff))
    rated = rate_registers(VectorTable(SegmentTable(schedule=tariff)), registers)
    table, row = SegmentTable(schedule=tariff), 0
    for head, readings in registers:
        state = head
        for at_us, energy in readings:
            charge, state = rate(table=table, state=state, at_us=at_us, register_wh=0, energy_wh=energy)
            assert (
                rated.energy_micro[row],
                rated.standing_micro[row],
                rated.tax_micro[row],
            ) == (
                charge.energy_micro,
                charge.standing_micro,
                charge.tax_micro,
            )
            assert (
                rated.counter[row],
                rated.window[row],
                rated.carry_nano[row],
                rated.carry_tax[row],
            ) == (state.counter_wh, state.window_us, state.carry_nano, state.carry_tax)
            row += 1


def test_a_year_without_readings_at_full_energy_does_not_overflow() -> None:
    tariff = schedule(day_night(day_micro=9_223_372_036, night_micro=-9_223_372_036))
    state = opening_state(schedule=tariff, at_us=instant("2023-01-01 11:11"), register_wh=0)
    at_us = instant("2024-02-05 03:33")
    rated = rate_registers(VectorTable(SegmentTable(schedule=tariff)), [(state, [(at_us, 10**9)])])
    charge, _ = rate(
        table=SegmentTable(schedule=tariff),
        state=state,
        at_us=at_us,
        register_wh=0,
        energy_wh=10**9,
    )
    assert int(rated.energy_micro[0]) == charge.energy_micro


def test_an_empty_batch_charges_nothing() -> None:
    vtable = VectorTable(SegmentTable(schedule=schedule(day_night(day_micro=1, night_micro=2))))
    none = np.zeros(0, dtype=np.int64)
    rated = rate_rows(
        vtable=vtable,
        first=none.astype(bool),
        prev_at=none,
        at=none,
        energy_wh=none,
        counter=none,
        window=none,
        carry_nano=none,
        carry_tax=none,
    )
    assert rated.energy_micro.size == 0


def test_what_cannot_be_rated_stops_the_batch_and_names_the_row() -> None:
    tariff = schedule(day_night(day_micro=1, night_micro=2), effective="2024-01-01")
    vtable = VectorTable(SegmentTable(schedule=tariff))
    state = opening_state(schedule=tariff, at_us=instant("2024-01-01"), register_wh=0)
    soon = state.at_us + 5
    with pytest.raises(NotAfterState, match="row 1"):
        rate_registers(vtable, [(state, [(soon, 1), (soon, 1)])])
    with pytest.raises(EnergyOutOfRange, match="row 0"):
        rate_registers(vtable, [(state, [(soon, -1)])])
    with pytest.raises(NoTariff):
        rate_registers(vtable, [(RegisterState(state.at_us - 9, 0, 0, 0, 0, 0), [(soon, 1)])])
    one = np.ones(1, dtype=np.int64)
    with pytest.raises(UnorderedRows, match="must start a register"):
        rate_rows(
            vtable=vtable,
            first=np.zeros(1, dtype=bool),
            prev_at=one,
            at=one + 1,
            energy_wh=one,
            counter=one,
            window=one,
            carry_nano=one,
            carry_tax=one,
        )
