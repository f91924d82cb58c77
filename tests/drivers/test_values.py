"""Numbers, words and dates inside frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.drivers.dlt645 import BadRequest, Item, UnreadableValue
from fairwatt.drivers.dlt645.clock import from_meter_time, meter_date, meter_time
from fairwatt.drivers.dlt645.codec import (
    ACTIVE_POWER,
    CURRENT_A,
    FORWARD_ACTIVE_TOTAL,
    VOLTAGE_A,
    ControlOrder,
    Order,
    decode_bcd,
    decode_status_3,
    encode_bcd,
    encode_status_3,
)

SECOND_US = 1_000_000
CENTURY_US = st.integers(946_771_200, 4_102_358_399).map(lambda s: s * SECOND_US)
EIGHT_DIGITS = st.integers(0, 99_999_999).map(lambda n: f"{n:08d}")


@given(st.integers(0, 99_999_999))
def test_bcd_round_trips(number: int) -> None:
    assert decode_bcd(encode_bcd(number, size=4)) == number


@given(steps=st.integers(0, 99_999_999))
def test_a_register_round_trips_in_its_own_steps(steps: int) -> None:
    assert FORWARD_ACTIVE_TOTAL.decode(FORWARD_ACTIVE_TOTAL.encode(steps * 10)) == steps * 10


@given(wh=st.integers(0, 999_999_999))
def test_a_register_shows_what_its_digits_can_and_cuts_the_rest(wh: int) -> None:
    assert FORWARD_ACTIVE_TOTAL.decode(FORWARD_ACTIVE_TOTAL.encode(wh)) == wh - wh % 10


@given(power_w=st.integers(-79_999, 79_999))
def test_power_keeps_its_sign(power_w: int) -> None:
    assert ACTIVE_POWER.decode(ACTIVE_POWER.encode(power_w)) == power_w


def test_tenths_of_a_watt_are_cut_toward_zero_on_both_sides() -> None:
    assert ACTIVE_POWER.decode(bytes.fromhex("999900")) == 999
    assert ACTIVE_POWER.decode(bytes.fromhex("999980")) == -999


def test_voltage_and_current_come_in_their_own_units() -> None:
    assert VOLTAGE_A.decode(bytes.fromhex("0822")) == 2_208  # 220.8 V
    assert CURRENT_A.decode(bytes.fromhex("345612")) == 125_634  # 125.634 A, past 80 A it is no sign


@pytest.mark.parametrize("data", ["0a000000", "ffffffff", "000000", "0000000000", ""])
def test_a_value_that_breaks_its_format_is_never_a_reading(data: str) -> None:
    with pytest.raises(UnreadableValue, match="nothing is charged"):
        FORWARD_ACTIVE_TOTAL.decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("item", "amount"), [(FORWARD_ACTIVE_TOTAL, -10), (FORWARD_ACTIVE_TOTAL, 10**9), (ACTIVE_POWER, 80_000)]
)
def test_an_amount_that_does_not_fit_is_refused(item: Item, amount: int) -> None:
    with pytest.raises(BadRequest):
        item.encode(amount)


@given(closed=st.booleans(), ordered=st.booleans(), warned=st.booleans())
def test_status_word_3_round_trips(closed: bool, ordered: bool, warned: bool) -> None:
    word = encode_status_3(closed=closed, ordered_closed=ordered, trip_warning=warned)
    assert decode_status_3(word) == (closed, ordered, warned)


def test_status_word_3_bits_are_those_of_the_standard() -> None:
    assert decode_status_3(b"\x00\x00") == (True, True, False)
    assert decode_status_3(b"\x10\x00") == (False, True, False)
    assert decode_status_3(b"\x40\x00") == (True, False, False)
    assert decode_status_3(b"\x80\x00") == (True, True, True)


@given(at_us=CENTURY_US)
def test_a_meter_clock_round_trips_where_there_is_no_summer_time(at_us: int) -> None:
    written = meter_time(at_us=at_us, zone="Etc/GMT-8")
    assert from_meter_time(data=written, zone="Etc/GMT-8") == at_us


@given(
    at_us=CENTURY_US, part=st.integers(0, 999_999), zone=st.sampled_from(["Europe/London", "Asia/Shanghai"])
)
def test_a_validity_time_never_ends_later_than_it_was_meant_to(at_us: int, part: int, zone: str) -> None:
    read = from_meter_time(data=meter_time(at_us=at_us + part, zone=zone), zone=zone)
    assert at_us - 3_600 * SECOND_US <= read <= at_us


@pytest.mark.parametrize("data", ["000000311126", "000060010126", "0000000a0126", "000000000000", "0000"])
def test_a_date_that_does_not_exist_is_unreadable(data: str) -> None:
    with pytest.raises(UnreadableValue):
        from_meter_time(data=bytes.fromhex(data), zone="Asia/Shanghai")


def test_a_year_past_the_meters_century_is_refused() -> None:
    with pytest.raises(BadRequest, match="2100"):
        meter_time(at_us=4_102_444_800 * SECOND_US, zone="UTC")


def test_sunday_is_day_zero_of_the_meters_week() -> None:
    assert meter_date(at_us=1_385_251_200 * SECOND_US, zone="UTC").hex() == "00241113"  # 2013-11-24


@given(order=st.sampled_from(Order), password=EIGHT_DIGITS, operator=EIGHT_DIGITS, at_us=CENTURY_US)
def test_an_order_round_trips(order: Order, password: str, operator: str, at_us: int) -> None:
    told = ControlOrder(order=order, password=password, operator=operator, valid_until_us=at_us)
    assert ControlOrder.decode(told.encode(zone="UTC"), zone="UTC") == told


@pytest.mark.parametrize("password", ["", "123456", "0212345x", "021234567"])
def test_a_password_of_another_shape_is_refused_without_being_shown(password: str) -> None:
    order = ControlOrder(order=Order.TRIP, password=password, operator="00000000", valid_until_us=10**15)
    with pytest.raises(BadRequest) as refused:
        order.encode(zone="UTC")
    assert not password or password not in str(refused.value)
