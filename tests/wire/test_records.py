"""The 40-byte reading."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.wire.errors import BadShape
from fairwatt.wire.records import RECORD_BYTES, UNKNOWN_I32, Reading, Relay, pack_readings, unpack_readings

I32 = st.integers(-(2**31), 2**31 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
READINGS = st.builds(
    Reading,
    meter=st.integers(0, 2**64 - 1),
    at_us=I64,
    total_wh=I64,
    power_w=I32,
    voltage_dv=I32,
    relay=st.sampled_from(Relay).map(int),
    quality=st.just(0),
    flags=st.integers(0, 2**16 - 1),
)


@given(readings=st.lists(READINGS, min_size=1, max_size=20))
def test_readings_come_back_as_they_went(readings: list[Reading]) -> None:
    body = pack_readings(readings)
    assert len(body) == 40 * len(readings)
    assert unpack_readings(body) == readings


def test_the_layout_is_the_documented_one() -> None:
    body = pack_readings([Reading(7, 1_000_000, 12_340, 1500, 2301, Relay.CLOSED, 0, 1)])
    assert body.hex() == ("070000000000000040420f00000000003430000000000000dc050000fd0800000100010000000000")


def test_what_was_not_read_is_unknown_and_not_zero() -> None:
    reading = unpack_readings(pack_readings([Reading(7, 1, 2)]))[0]
    assert (reading.power_w, reading.voltage_dv, reading.relay) == (UNKNOWN_I32, UNKNOWN_I32, Relay.UNKNOWN)


@pytest.mark.parametrize("cut", [0, 1, 39, 41])
def test_a_cut_record_is_refused(cut: int) -> None:
    with pytest.raises(BadShape):
        unpack_readings((pack_readings([Reading(7, 1, 2)]) * 2)[:cut])


@pytest.mark.parametrize(("offset", "value"), [(32, 3), (33, 1), (36, 1)])
def test_an_unknown_relay_quality_or_reserved_value_is_refused(offset: int, value: int) -> None:
    body = bytearray(pack_readings([Reading(7, 1, 2)]))
    struct.pack_into("<B", body, offset, value)
    with pytest.raises(BadShape):
        unpack_readings(bytes(body))


def test_a_value_that_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(BadShape):
        pack_readings([Reading(2**64, 1, 2)])
    assert RECORD_BYTES == 40
