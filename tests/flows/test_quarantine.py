"""What cannot be believed is kept whole and named; nothing is lost, nobody is charged, supply stays on."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.wire.frames import Event, Kind, encode_event, seal
from fairwatt.wire.records import Reading, pack_readings
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street, reading

T1, T2 = NOON_US + HOUR_US, NOON_US + 2 * HOUR_US
LAST_METER = (1 << 40) - 1


def rows(desk: Desk) -> list[Any]:
    from fairwatt.store.models import Quarantine

    return list(Quarantine.objects.filter(book=desk.street.book).order_by("id"))


@pytest.mark.parametrize(
    ("code", "at_us", "wh"),
    [
        ("backward_register", T2, 900),
        ("impossible_register", T2, 30_000),
        ("impossible_register", T2, 10**9),
        ("negative_register", T2, -1),
        ("future_timestamp", T2 + 121_000_000, 1_000),
        ("ancient_timestamp", T2 - 401 * DAY_US, 1_000),
        ("conflicting_reading", T1, 1_010),
        ("before_installation", NOON_US - 1, 1_000),
    ],
)
def test_an_unbelievable_reading_is_quarantined_by_its_code(
    desk: Desk, code: str, at_us: int, wh: int
) -> None:
    meter = desk.home()
    desk.read(meter, T1, 1_000)
    bad = reading(meter, at_us, wh)
    result = desk.post(desk.street.readings(bad, clock_us=T2), now_us=T2)
    (row,) = rows(desk)
    assert (row.code, row.meter, row.gateway) == (code, meter, desk.street.gateway.pk)
    assert bytes(row.raw) == pack_readings([bad])
    assert result.acks == [(desk.street.gateway.pk, 1, 2)], "quarantined counts as stored"
    assert len(desk.lines()) == 1
    assert desk.orders() == [] or {order.relay for order in desk.orders()} == {2}
    desk.read(meter, T2, 1_500)
    assert desk.lines()[-1].energy_wh == 500, "the next cumulative reading settles the gap"


@pytest.mark.parametrize(
    "meter", [1, 999_999_999_999, LAST_METER, (1 << 40) + 7, (1 << 63) + 1, (1 << 64) - 1]
)
def test_a_meter_nobody_knows_is_quarantined(desk: Desk, meter: int) -> None:
    desk.home()
    desk.post(desk.street.readings(Reading(meter, T1, 1_000), clock_us=T1), now_us=T1)
    assert desk.quarantine() == ["unknown_meter"]


def test_a_gateway_cannot_speak_for_the_meter_of_another(desk: Desk) -> None:
    from fairwatt.flows import provision

    meter = desk.home()
    own = desk.street.gateway
    with as_role("migrate"):
        other = provision.add_gateway(
            site_id=desk.street.site.pk, slug=f"{own.slug}-b", public_key=bytes(own.public_key)
        )
    desk.open()
    disguised = ((own.pk ^ other.pk) << 40) | meter
    trip = encode_event(Event("local_trip", T1, disguised, {}))
    slug, data = desk.street.frame(
        (Kind.READINGS, pack_readings([Reading(meter, T1, 1_000), Reading(disguised, T1, 1_000)])),
        (Kind.EVENT, trip),
        clock_us=T1,
    )
    desk.post((f"{slug}-b", data), now_us=T1)
    assert desk.quarantine() == ["unknown_meter", "unknown_meter"]
    assert not desk.state.wallets["cut_by_credit"].any()


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\xff\x00garbage", "damaged"), (seal(b"\xff\x00garbage"), "malformed_cbor")],
)
def test_a_frame_that_cannot_be_read_is_quarantined_whole(desk: Desk, data: bytes, code: str) -> None:
    desk.home()
    result = desk.post((desk.street.gateway.slug, data), now_us=T1)
    (row,) = rows(desk)
    assert (row.code, bytes(row.raw)) == (code, data)
    assert result.acks == []


def test_a_frame_of_a_gateway_of_another_book_is_quarantined(desk: Desk) -> None:
    desk.home()
    desk.post(("stranger", b"whatever"), now_us=T1)
    assert desk.quarantine() == ["unknown_gateway"]


def test_a_record_with_an_unknown_relay_state_is_quarantined_and_its_neighbour_is_charged(desk: Desk) -> None:
    meter, other = desk.home(), desk.home()
    bad = bytearray(pack_readings([Reading(meter, T1, 500, relay=1)]))
    bad[32] = 9
    body = bytes(bad) + pack_readings([reading(other, T1, 700)])
    desk.post(desk.street.frame((Kind.READINGS, body), clock_us=T1), now_us=T1)
    assert desk.quarantine() == ["bad_record"]
    assert [line.energy_wh for line in desk.lines()] == [700]


def test_a_cut_record_and_a_broken_event_are_quarantined(desk: Desk) -> None:
    meter = desk.home()
    cut = pack_readings([reading(meter, T1, 500)])[:-1]
    result = desk.post(desk.street.frame((Kind.READINGS, cut), (Kind.EVENT, b"\x01"), clock_us=T1), now_us=T1)
    assert desk.quarantine() == ["bad_shape", "bad_shape"]
    assert result.acks == [(desk.street.gateway.pk, 1, 2)]


def test_what_a_gateway_with_a_foreign_clock_says_is_quarantined(desk: Desk) -> None:
    meter = desk.home()
    result = desk.post(desk.street.readings(reading(meter, T1, 500), clock_us=T1 + 121_000_000), now_us=T1)
    assert desk.quarantine() == ["foreign_clock"]
    assert result.acks == [(desk.street.gateway.pk, 1, 1)]
    assert desk.lines() == []


def test_an_event_that_no_table_can_hold_does_not_stop_the_book(desk: Desk) -> None:
    meter = desk.home()
    hostile = Event(
        "odd\x00code", -(1 << 63), (1 << 64) - 1, {"k\x00": "v\x00", "big": 1 << 20_000, "b": b"\x00"}
    )
    desk.post(
        desk.street.frame(
            (Kind.EVENT, encode_event(hostile)),
            (Kind.READINGS, pack_readings([reading(meter, T1, 500)])),
            clock_us=T1,
        ),
        now_us=T1,
    )
    (event,) = desk.events("gateway.odd")
    assert event.meter is None
    assert event.evidence["big"] == "an integer of 20001 bits"
    assert len(desk.lines()) == 1


def test_a_home_without_a_tariff_is_not_charged_at_another_homes_price(desk: Desk) -> None:
    from fairwatt.store.models import Installation, TariffPlan

    desk.home()
    orphan = desk.home()
    with as_role("migrate"):
        empty = TariffPlan.objects.create(book_id=desk.street.book, slug="empty", name="No price yet")
        Installation.objects.filter(pk=desk.street.installations[1]).update(plan=empty)
    desk.open()
    desk.read(orphan, T1, 1_000)
    assert desk.quarantine() == ["no_tariff"]
    assert desk.lines() == []
    with as_role("migrate"):
        Installation.objects.filter(pk=desk.street.installations[1]).update(plan=desk.street.plan)


def test_a_wrap_of_the_register_is_energy_and_no_fault(desk: Desk) -> None:
    meter = desk.home(opening_wh=10**9 - 300)
    desk.read(meter, T1, 200)
    assert [line.energy_wh for line in desk.lines()] == [500]
    assert desk.quarantine() == []


def test_a_gateway_of_another_book_reaches_no_meter_here_though_its_meters_have_the_same_numbers(
    desk: Desk,
) -> None:
    meter = desk.home()
    with as_role("web"):
        neighbour = Street()
        assert neighbour.open_home() == meter
    desk.post(neighbour.readings(reading(meter, T1, 1_000)), now_us=T1)
    assert desk.quarantine() == ["unknown_gateway"]
    assert desk.lines() == []
