"""Everything a DL/T 645 model can be asked, asked of a simulated meter: each capability of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.line import say
from fairwatt.drivers.contract import (
    Accepted,
    EventCount,
    EventRecord,
    KeepsClock,
    LimitsPower,
    MeterClock,
    MeterEventKind,
    PhaseReading,
    PowerLimit,
    ReadsEvents,
    ReadsMeasurements,
    RelayState,
    SwitchesRelay,
    WarnsAtMeter,
)
from fairwatt.drivers.dlt645 import (
    BadRequest,
    ClockNotTaken,
    FreezeKind,
    FrozenEnergy,
    MeterRefused,
    broadcast_freeze,
    correct_clock,
    freeze_at,
    freeze_now,
    read_status3,
    set_clock,
)
from fairwatt.drivers.dlt645.meter import Dlt645Meter, WithRelay
from fairwatt.drivers.dlt645.stream import FrameStream
from fairwatt.drivers.profile import ProfileError, load_profile, parse_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.simulate.meters import Dlt645Bus, Fault, FaultKind, SimMeter

SECOND_US, HOUR_US = 1_000_000, 3_600_000_000
NOON_US = 1_785_556_800_000_000  # 2026-08-01 12:00 in Shanghai
NUMBER = "202611210001"
KEY: dict[str, Any] = {"zone": "Asia/Shanghai", "password": "02123456", "operator": "00000001"}
Kind = MeterEventKind


class Room:
    """One meter, its line, and a clock of its own."""

    def __init__(self, profile: str = "dlt645_three_phase", **meter: Any) -> None:
        self.now_us = NOON_US
        self.meter = SimMeter(number=NUMBER, **({"phases": 3} | meter))
        self.bus = Dlt645Bus(meters=[self.meter], now=lambda: self.now_us)
        self.driver: Any = open_meter(profile=load_profile(key=profile), address=NUMBER, **KEY)

    def ask(self, exchange: Any) -> Any:
        return say(self.bus, exchange)

    def wait(self, us: int) -> None:
        self.now_us += us
        self.meter.pass_time(now_us=self.now_us)


def test_three_phases_are_measured_each_for_itself() -> None:
    room = Room()
    a, b, c = room.meter.phases
    a.load_w, b.load_w, c.load_w = 2_200, -1_100, 0
    b.voltage_dv, c.power_factor_milli, a.voltage_thd_pm = 2_301, 870, 42
    room.meter.neutral_current_ma, room.meter.terminal_temperature_dc = 5_123, -73

    found = room.ask(room.driver.read_measurements())

    assert found.phases == (
        PhaseReading(voltage_dv=2_200, current_ma=10_000, power_w=2_200, power_factor_milli=1_000),
        PhaseReading(voltage_dv=2_301, current_ma=-4_780, power_w=-1_100, power_factor_milli=-1_000),
        PhaseReading(voltage_dv=2_200, current_ma=0, power_w=0, power_factor_milli=870),
    )
    assert (found.neutral_current_ma, found.frequency_chz) == (5_123, 5_000)
    assert (found.terminal_temperature_dc, found.residual_current_ma) == (-73, 2)
    assert (found.voltage_thd_pm, found.current_thd_pm) == (42, 80)


def test_what_a_meter_does_not_hold_is_none_and_nothing_else_is_lost() -> None:
    room = Room()
    room.meter.terminal_temperature_dc = None

    found = room.ask(room.driver.read_measurements())
    assert found.terminal_temperature_dc is None
    assert found.frequency_chz == 5_000


def test_a_single_phase_model_asks_its_own_items() -> None:
    room = Room(profile="dlt645_single_phase", phases=1)
    room.meter.load_w = 1_100
    found = room.ask(room.driver.read_measurements())
    assert found.phases == (PhaseReading(2_200, 5_000, 1_100, 1_000),)
    assert (found.neutral_current_ma, found.residual_current_ma) == (5_000, None)


def test_a_meter_is_only_what_its_profile_says() -> None:
    single = Room(profile="dlt645_single_phase").driver
    three = Room().driver
    for ability in (ReadsMeasurements, ReadsEvents, KeepsClock, SwitchesRelay, WarnsAtMeter):
        assert isinstance(single, ability)
    assert isinstance(three, LimitsPower)
    assert not isinstance(single, LimitsPower)

    bare = load_profile(key="dlt645_single_phase")
    text = (
        'title="t"\nprotocol="dlt645-2007"\n[register]\nresolution_wh=10\nmodulus_wh=1000000000\nmax_power_w=1\n'
        '[relay]\nclose="none"\n[items]\n'
        + "\n".join(
            f'{name} = {{ identifier = "{row["identifier"]}", bytes = {row["bytes"]} }}'
            for name, row in bare.settings["items"].items()
        )
    )
    without = open_meter(profile=parse_profile(key="bare", text=text), address=NUMBER, **KEY)
    assert isinstance(without, Dlt645Meter)
    assert not isinstance(without, SwitchesRelay | WithRelay | LimitsPower)


@pytest.mark.parametrize(
    "table",
    [
        '[events]\nmagnetic_field = "standard"',
        '[events]\nghosts = "standard"',
        "[measurements]\nphase = 3",
        '[power_limit]\nidentifier = "04090B"\nbytes = 3',
        '[clock]\nset = "sometimes"',
        '[prepaid.items]\nremaining_gold = "standard"',
        '[prepaid.topup]\nencoding = "float"',
    ],
)
def test_a_profile_that_cannot_be_used_is_named(table: str) -> None:
    text = (
        'title="t"\nprotocol="dlt645-2007"\n[register]\nresolution_wh=10\nmodulus_wh=10\nmax_power_w=1\n'
        '[items]\nenergy = { identifier = "00010000", bytes = 4 }\npower = { identifier = "02030000", bytes = 3 }\n'
        'voltage = { identifier = "02010100", bytes = 2 }\ncurrent = { identifier = "02020100", bytes = 3 }\n'
    )
    with pytest.raises(ProfileError, match="own"):
        open_meter(profile=parse_profile(key="own", text=text + table), address=NUMBER, **KEY)


# --- events -------------------------------------------------------------------------------------------------


def test_covers_magnets_and_power_failures_are_counted_and_recorded() -> None:
    room = Room()
    begun, ended = NOON_US + HOUR_US, NOON_US + 2 * HOUR_US
    for kind in (FaultKind.COVER_OPEN, FaultKind.TERMINAL_COVER_OPEN, FaultKind.MAGNETIC_FIELD):
        room.meter.faults.add(Fault(kind, from_us=begun, until_us=ended))
    room.wait(HOUR_US + 90 * SECOND_US)
    assert room.ask(room.driver.read_event_record(kind=Kind.COVER_OPEN)) == EventRecord(
        Kind.COVER_OPEN, begun, None
    )

    room.wait(HOUR_US)
    for kind in (Kind.COVER_OPEN, Kind.TERMINAL_COVER_OPEN, Kind.MAGNETIC_FIELD):
        assert room.ask(room.driver.read_event_count(kind=kind)) == EventCount(kind, 1)
        assert room.ask(room.driver.read_event_record(kind=kind)) == EventRecord(kind, begun, ended)


def test_a_power_failure_is_silence_and_then_a_record() -> None:
    room = Room()
    room.meter.faults.add(Fault(FaultKind.POWER_FAIL, NOON_US + HOUR_US, NOON_US + 2 * HOUR_US))
    room.wait(HOUR_US)
    with pytest.raises(Exception, match="did not answer"):
        room.ask(room.driver.read_register())
    room.wait(HOUR_US)
    record = room.ask(room.driver.read_event_record(kind=Kind.POWER_FAIL))
    assert (record.begun_us, record.ended_us) == (NOON_US + HOUR_US, NOON_US + 2 * HOUR_US)


def test_events_of_phases_are_counted_together_and_the_newest_is_first() -> None:
    room = Room()
    for number, phase in enumerate(room.meter.phases):
        phase.voltage_dv = 2_700
        room.wait(HOUR_US)
        phase.voltage_dv = 2_200
        room.wait((number + 1) * 60 * SECOND_US)
    assert room.ask(room.driver.read_event_count(kind=Kind.OVERVOLTAGE)).count == 3
    newest = [
        room.ask(room.driver.read_event_record(kind=Kind.OVERVOLTAGE, nth=nth)).begun_us for nth in (1, 2, 3)
    ]
    assert newest == sorted(newest, reverse=True)
    assert newest[2] == NOON_US + HOUR_US


def test_a_kind_nobody_has_seen_has_no_time_and_an_unnamed_one_is_refused() -> None:
    room = Room(profile="dlt645_vendor_prepaid", phases=1)
    assert room.ask(room.driver.read_event_record(kind=Kind.COVER_OPEN)) == EventRecord(
        Kind.COVER_OPEN, None, None
    )
    with pytest.raises(ProfileError, match="names no identifier"):
        room.driver.read_event_count(kind=Kind.MAGNETIC_FIELD)
    with pytest.raises(BadRequest):
        room.driver.read_event_record(kind=Kind.COVER_OPEN, nth=11)


# --- power limit, alarm, keep power -------------------------------------------------------------------------


def test_a_meter_cuts_by_itself_above_the_limit_it_was_told() -> None:
    room = Room()
    assert room.ask(room.driver.read_power_limit()) == PowerLimit(None)
    assert room.ask(room.driver.limit_power(limit_w=3_000)) == Accepted()
    assert room.ask(room.driver.read_power_limit()) == PowerLimit(3_000)

    room.meter.load_w = 3_300
    room.wait(SECOND_US)
    room.wait(59 * SECOND_US)
    assert room.meter.relay_closed
    room.wait(2 * SECOND_US)
    assert room.ask(read_status3(address=NUMBER)) == RelayState(closed=False, ordered_closed=False)
    assert room.ask(room.driver.read_event_count(kind=Kind.RELAY_OPENED)).count == room.meter.own_trips == 1
    assert room.ask(room.driver.read_event_count(kind=Kind.OVERLOAD)).count == 3

    room.ask(room.driver.limit_power(limit_w=None))
    assert room.meter.power_limit_w is None


def test_a_meter_that_keeps_power_does_not_cut() -> None:
    room = Room()
    until = NOON_US + HOUR_US
    room.ask(room.driver.keep_power(valid_until_us=until))
    with pytest.raises(MeterRefused):
        room.ask(room.driver.open_relay(valid_until_us=until))
    room.ask(room.driver.end_keep_power(valid_until_us=until))
    room.ask(room.driver.open_relay(valid_until_us=until))
    assert not room.meter.relay_closed


# --- clock --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off_us", [0, -SECOND_US, 12 * HOUR_US, 400 * 24 * HOUR_US])
def test_a_clock_is_one_instant_however_far_it_is_off(off_us: int) -> None:
    room = Room()
    room.meter.clock_offset_us = off_us
    assert room.ask(room.driver.read_clock()) == MeterClock(NOON_US + off_us)

    assert room.ask(room.driver.set_clock(at_us=NOON_US)) == Accepted()
    assert room.meter.clock_us(now_us=NOON_US) == NOON_US
    assert room.ask(room.driver.read_event_count(kind=Kind.CLOCK_SET)).count == 2  # date and time


def test_a_clock_read_over_midnight_is_not_a_day_off() -> None:
    room = Room()
    midnight_us = NOON_US + 12 * HOUR_US
    for first in range(-4, 2):
        room.now_us = midnight_us + first * SECOND_US
        exchange = room.driver.read_clock()
        for _ in range(2):
            (frame,) = FrameStream().feed(exchange.request())
            ((heard, _),) = room.bus.answer(frame=frame)
            exchange.feed(heard)
            room.now_us += SECOND_US
        assert abs(room.ask(exchange).at_us - room.now_us) <= 2 * SECOND_US


def test_a_broadcast_corrects_a_little_and_what_did_not_follow_is_told() -> None:
    room = Room(profile="dlt645_vendor_prepaid", phases=1)
    room.meter.clock_offset_us = 90 * SECOND_US
    assert room.ask(room.driver.set_clock(at_us=NOON_US)) == Accepted()
    assert room.meter.clock_us(now_us=NOON_US) == NOON_US

    room.meter.clock_offset_us = 3 * HOUR_US
    with pytest.raises(ClockNotTaken, match="10800 s"):
        room.ask(room.driver.set_clock(at_us=NOON_US))
    with pytest.raises(BadRequest, match="300 s"):
        correct_clock(address=NUMBER, at_us=NOON_US, zone="Asia/Shanghai", off_us=3 * HOUR_US)


def test_a_clock_is_not_set_while_a_day_ends() -> None:
    with pytest.raises(BadRequest, match="last minute"):
        set_clock(address=NUMBER, at_us=NOON_US + 12 * HOUR_US - SECOND_US, **KEY)


# --- blocks, freezes, follow-up frames ----------------------------------------------------------------------


def test_a_block_tells_the_tariffs_and_they_make_the_total() -> None:
    room = Room(register_wh=10_000)
    room.meter.tariff = 3
    room.meter.add_energy(2_500)
    total, *tariffs = room.ask(room.driver.read_tariff_registers())
    assert (total, tariffs) == (12_500, [10_000, 0, 2_500, 0])
    assert [one.register_wh for one in room.meter.emitted] == [12_500]


@pytest.mark.parametrize("frame_bytes", [6, 7, 9, 25, 200])
def test_a_long_block_in_any_number_of_frames_is_the_same_block(frame_bytes: int) -> None:
    room = Room(register_wh=123_450, frame_bytes=frame_bytes)
    assert room.ask(room.driver.read_tariff_registers()) == (123_450, 123_450, 0, 0, 0)


def test_the_days_and_hours_are_frozen_as_they_pass() -> None:
    room = Room(register_wh=1_000)
    room.wait(SECOND_US)
    room.meter.add_energy(500)
    room.wait(13 * HOUR_US)
    room.meter.add_energy(70)
    midnight_us = NOON_US + 12 * HOUR_US
    daily = room.ask(room.driver.read_frozen_register(kind=FreezeKind.DAILY))
    assert daily == FrozenEnergy(midnight_us, (1_500, 1_500, 0, 0, 0))
    hourly = room.ask(room.driver.read_frozen_register(kind=FreezeKind.HOURLY))
    assert hourly == FrozenEnergy(midnight_us + HOUR_US, (1_500,))
    assert room.ask(room.driver.read_frozen_register(kind=FreezeKind.DAILY, nth=2)).at_us is None
    with pytest.raises(BadRequest):
        room.driver.read_frozen_register(kind=FreezeKind.INSTANT, nth=4)


def test_a_meter_freezes_on_order_alone_or_with_the_whole_line() -> None:
    room = Room(register_wh=1_000)
    assert room.ask(freeze_now(address=NUMBER)) == Accepted()
    (frame,) = FrameStream().feed(broadcast_freeze())
    assert room.bus.answer(frame=frame) == []
    frozen = room.ask(room.driver.read_frozen_register(kind=FreezeKind.INSTANT, nth=2))
    assert frozen == FrozenEnergy(NOON_US, (1_000, 1_000, 0, 0, 0))

    room.ask(freeze_at(address=NUMBER, minute=30))
    room.wait(31 * 60 * SECOND_US)
    timed = room.ask(room.driver.read_frozen_register(kind=FreezeKind.TIMED))
    assert timed.at_us == NOON_US + 30 * 60 * SECOND_US
    with pytest.raises(BadRequest):
        freeze_at(address=NUMBER, minute=30, day=1)
    with pytest.raises(BadRequest):
        freeze_now(address="9" * 12)


def test_a_clock_that_drifts_is_off_by_as_much_until_it_is_set() -> None:
    room = Room()
    room.meter.drift_ppm = 50
    room.wait(0)
    room.wait(240 * HOUR_US)
    assert (
        room.ask(room.driver.read_clock()).at_us - room.now_us == 43 * SECOND_US
    )  # 43.2 s, shown in whole ones
    room.ask(room.driver.set_clock(at_us=room.now_us))
    assert abs(room.ask(room.driver.read_clock()).at_us - room.now_us) <= SECOND_US
