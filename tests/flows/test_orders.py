"""An order is done when a later reading shows the relay there; until then it is open, renewed or replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fairwatt.server.launcher.services import Services
from fairwatt.wire.commands import Receipt, Result, hash8, sign_receipt
from fairwatt.wire.frames import Event, Kind
from fairwatt.wire.records import Relay, pack_readings
from support.desk import Desk, opened_desk
from support.laws import check_laws
from support.street import FLAT, HOUR_US, NOON_US, Street, reading

MINUTE_US = 60_000_000
OPEN, CLOSED, LEAVE = 0, 1, 2
WARNED = NOON_US + 10 * MINUTE_US
CUT = WARNED + HOUR_US


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    street = Street(tariff=FLAT)
    with opened_desk(street) as opened:
        yield opened
        check_laws(street.book, acked=opened.acked)


@pytest.fixture
def meter(desk: Desk) -> int:
    """A home that is ordered off at CUT."""
    number = desk.home()
    desk.read(number, WARNED, 1_000)
    desk.read(number, CUT, 1_100)
    assert last(desk).relay == OPEN
    return number


def last(desk: Desk) -> Any:
    return desk.orders()[-1]


def shows(desk: Desk, meter: int, at_us: int, relay: int) -> Any:
    """Post a reading with this relay state."""
    shown = reading(meter, at_us, 1_100)._replace(relay=relay)
    return desk.post(desk.street.readings(shown), now_us=at_us)


def test_an_order_is_signed_and_carries_the_whole_desired_state(desk: Desk, meter: int) -> None:
    command = desk.command(last(desk))
    assert (command.meter, command.seq, command.body.relay, command.body.reason) == (
        meter,
        2,
        OPEN,
        "balance_empty",
    )
    assert command.issued_us == CUT
    assert command.expires_us == CUT + 6 * HOUR_US
    grant = command.body.grant
    assert grant is not None
    assert (grant.available_micro, grant.warned_at_us) == (-220_000, WARNED)
    assert (grant.state.at_us, grant.state.register_wh) == (CUT, 1_100)


def test_a_receipt_and_a_later_reading_prove_an_order(desk: Desk, meter: int) -> None:
    desk.post(desk.receipt(last(desk), at_us=CUT), now_us=CUT)
    assert (last(desk).state, last(desk).accepted_us) == ("accepted", CUT)
    shows(desk, meter, CUT + MINUTE_US, OPEN)
    assert (last(desk).state, last(desk).proven_us) == ("proven", CUT + MINUTE_US)
    (event,) = desk.events("supply.proven")
    assert (event.reason, event.evidence["read_at_us"]) == ("open", CUT + MINUTE_US)


def test_receipt_and_proof_may_share_a_frame(desk: Desk, meter: int) -> None:
    order = last(desk)
    receipt = desk.street.signed(
        Receipt(meter, order.seq, Result.APPLIED, OPEN, None, CUT, hash8(bytes(order.payload)))
    )
    proof = pack_readings([reading(meter, CUT, 1_100, closed=False)])  # the clock stood still since the poll
    desk.post(desk.street.frame((Kind.RECEIPT, receipt), (Kind.READINGS, proof), clock_us=CUT), now_us=CUT)
    assert last(desk).state == "proven"


def test_a_reading_spooled_before_the_receipt_proves_nothing(desk: Desk, meter: int) -> None:
    shows(desk, meter, CUT + MINUTE_US, OPEN)
    assert last(desk).state == "queued"
    before = desk.street.readings(reading(meter, CUT + 2 * MINUTE_US, 1_100, closed=False))
    desk.post(before, desk.receipt(last(desk), at_us=CUT), now_us=CUT + 2 * MINUTE_US)
    assert last(desk).state == "accepted"


def test_an_accepted_order_is_proven_after_a_restart(desk: Desk, meter: int) -> None:
    desk.post(desk.receipt(last(desk), at_us=CUT), now_us=CUT)
    desk.open(now_us=CUT)
    shows(desk, meter, CUT + MINUTE_US, OPEN)
    assert last(desk).state == "proven"


def test_a_receipt_that_nobody_signed_moves_nothing(desk: Desk, meter: int) -> None:
    order = last(desk)
    claim = Receipt(meter, order.seq, Result.APPLIED, OPEN, None, CUT, hash8(bytes(order.payload)))
    receipt = sign_receipt(
        receipt=claim, key=Ed25519PrivateKey.generate(), kid=desk.street.gateway.slug.encode()
    )
    desk.post(desk.street.frame((Kind.RECEIPT, receipt), clock_us=CUT), now_us=CUT)
    assert last(desk).state == "queued"
    assert desk.quarantine() == ["receipt_bad_signature"]


def test_a_receipt_for_other_bytes_is_not_a_receipt_for_the_order(desk: Desk, meter: int) -> None:
    other = Receipt(meter, last(desk).seq, Result.APPLIED, OPEN, None, CUT, b"8 bytes!")
    desk.post(desk.street.receipt(other, clock_us=CUT), now_us=CUT)
    assert last(desk).state == "queued"


@pytest.mark.parametrize("result", [Result.BAD_SIGNATURE, Result.OTHER_BYTES])
def test_a_forged_command_at_the_gateway_is_an_alarm(desk: Desk, meter: int, result: Result) -> None:
    desk.post(desk.receipt(last(desk), result=result, at_us=CUT), now_us=CUT)
    (alarm,) = desk.events("alarm.command_forged")
    assert (alarm.reason, alarm.meter) == (result.name.lower(), meter)
    assert last(desk).state == "queued"


def test_a_relay_that_disobeys_twice_is_an_alarm_and_gets_a_new_order(desk: Desk, meter: int) -> None:
    first = last(desk)
    desk.post(desk.receipt(first, at_us=CUT), now_us=CUT)
    shows(desk, meter, CUT + MINUTE_US, CLOSED)
    assert last(desk).id == first.id
    shows(desk, meter, CUT + 2 * MINUTE_US, CLOSED)
    states = {order.id: order.state for order in desk.orders()}
    assert states[first.id] == "failed"
    assert (last(desk).relay, last(desk).state, last(desk).seq) == (OPEN, "queued", first.seq + 1)
    (alarm,) = desk.events("alarm.relay_disobeys")
    assert (alarm.meter, alarm.reason, alarm.evidence) == (meter, "open", {"seq": first.seq})


def test_a_relay_nobody_could_read_neither_proves_nor_disobeys(desk: Desk, meter: int) -> None:
    desk.post(desk.receipt(last(desk), at_us=CUT), now_us=CUT)
    for n in range(1, 4):
        shows(desk, meter, CUT + n * MINUTE_US, Relay.UNKNOWN)
    assert last(desk).state == "accepted"
    assert desk.events("alarm.") == []


def test_a_new_order_starts_with_a_clean_record(desk: Desk, meter: int) -> None:
    desk.post(desk.receipt(last(desk), at_us=CUT), now_us=CUT)
    shows(desk, meter, CUT + MINUTE_US, CLOSED)
    desk.post(now_us=CUT + MINUTE_US, regrant=[desk.street.wallets[0]])
    desk.post(desk.receipt(last(desk), at_us=CUT + MINUTE_US), now_us=CUT + MINUTE_US)
    shows(desk, meter, CUT + 2 * MINUTE_US, CLOSED)
    assert last(desk).state == "accepted"
    assert desk.events("alarm.") == []


def test_a_fresh_grant_inherits_a_relay_order_still_on_its_way(desk: Desk, meter: int) -> None:
    older = last(desk)
    desk.post(now_us=CUT + 1, regrant=[desk.street.wallets[0]])
    states = {order.id: order.state for order in desk.orders()}
    assert states[older.id] == "superseded"
    assert (last(desk).relay, last(desk).reason) == (OPEN, "balance_empty")
    assert last(desk).seq == older.seq + 1


def test_a_fresh_grant_alone_touches_no_relay_and_is_done_by_its_receipt(desk: Desk) -> None:
    desk.home()
    desk.post(now_us=NOON_US, regrant=[desk.street.wallets[0]])
    assert (last(desk).relay, last(desk).reason) == (LEAVE, "grant")
    desk.post(desk.receipt(last(desk), at_us=NOON_US), now_us=NOON_US)
    assert last(desk).state == "proven"


def test_an_order_that_lapsed_is_decided_anew_when_its_gateway_is_heard(desk: Desk, meter: int) -> None:
    lapsed = last(desk)
    later = CUT + 6 * HOUR_US
    desk.post(now_us=later)
    assert last(desk).state == "queued", "nobody was heard, so nobody could be told"
    desk.read(meter, later, 1_200)
    states = {order.id: order.state for order in desk.orders()}
    assert states[lapsed.id] == "expired"
    assert (last(desk).relay, last(desk).state) == (OPEN, "queued")
    assert last(desk).expires_us == later + 6 * HOUR_US


def test_a_lapsed_cut_is_not_repeated_in_quiet_hours(desk: Desk, meter: int) -> None:
    night = NOON_US + 11 * HOUR_US
    desk.read(meter, night, 1_200)
    assert last(desk).relay == LEAVE
    assert desk.events("supply.withheld")[-1].reason == "friendly_hours"


@pytest.mark.parametrize("result", [Result.EXPIRED, Result.STALE, Result.METER_REFUSED])
def test_an_order_the_gateway_could_not_obey_is_given_again(desk: Desk, meter: int, result: Result) -> None:
    refused = last(desk)
    desk.post(desk.receipt(refused, result=result, at_us=CUT), now_us=CUT)
    states = {order.id: order.state for order in desk.orders()}
    assert states[refused.id] == ("failed" if result is Result.METER_REFUSED else "expired")
    assert (last(desk).relay, last(desk).state) == (OPEN, "queued")
    assert [event.reason for event in desk.events("order.refused")] == [result.name.lower()]


def test_hello_brings_back_the_open_orders(desk: Desk, meter: int) -> None:
    order = last(desk)
    assert desk.post(desk.street.frame(clock_us=CUT), now_us=CUT).send == {}
    hello = desk.post(desk.street.frame(clock_us=CUT, hello=True), now_us=CUT)
    assert hello.send == {desk.street.gateway.pk: [bytes(order.payload)]}
    desk.post(desk.receipt(order, at_us=CUT), now_us=CUT)
    again = desk.post(desk.street.frame(clock_us=CUT, hello=True), now_us=CUT)
    assert again.send == {}, "an accepted order waits for its proof, not for another copy"


def test_orders_come_with_the_batch_that_made_them(desk: Desk) -> None:
    number = desk.home()
    desk.read(number, WARNED, 1_000)
    result = desk.read(number, CUT, 1_100)
    assert result.send == {desk.street.gateway.pk: [bytes(last(desk).payload)]}


def test_a_trip_during_the_cut_does_not_confuse_the_proof(desk: Desk, meter: int) -> None:
    trip = desk.street.event(Event("local_trip", CUT, meter, {}), clock_us=CUT)
    desk.post(trip, desk.receipt(last(desk), at_us=CUT), now_us=CUT)
    shows(desk, meter, CUT + MINUTE_US, OPEN)
    assert last(desk).state == "proven"
