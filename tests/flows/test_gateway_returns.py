"""What a gateway says when it is back: its own count beside the ledger's, an older memory, a hole in its numbers."""

from __future__ import annotations

from fairwatt.wire.frames import Event, Item, Kind, UpFrame, encode_up
from fairwatt.wire.records import pack_readings
from support.desk import Desk
from support.street import HOUR_US, NOON_US, reading

LATER = NOON_US + HOUR_US


def counts(desk: Desk, *, available_micro: int, counted_us: int, wallet: int | None = None) -> Event:
    detail = {
        "wallet": desk.street.wallets[0] if wallet is None else wallet,
        "available_micro": available_micro,
        "counted_us": counted_us,
    }
    return Event("guard_balance", LATER, 0, detail)


def told(desk: Desk, event: Event) -> tuple[str, object, object]:
    desk.post(desk.street.event(event, clock_us=LATER), now_us=LATER)
    row = desk.events("gateway.guard_balance")[-1]
    return row.reason, row.wallet, row.evidence.get("amount_micro")


def test_a_gateways_own_count_is_put_beside_the_ledger_to_the_micro_unit(desk: Desk) -> None:
    meter = desk.home()
    wallet = desk.street.wallets[0]
    desk.read(meter, LATER, 1_000)
    balance = desk.balance(meter)
    assert balance < 0
    agreed = counts(desk, available_micro=balance, counted_us=LATER)
    assert told(desk, agreed) == ("agrees", wallet, 0)
    desk.pay(meter, 1_000, now_us=LATER)
    assert told(desk, agreed) == ("differs", wallet, -10_000_000), "the payment it could not know, by name"
    early = counts(desk, available_micro=balance, counted_us=LATER - 1)
    assert told(desk, early) == ("unknown", wallet, None), "another reading is another count"


def test_no_gateway_speaks_for_a_wallet_that_is_not_behind_it(desk: Desk) -> None:
    desk.home()
    foreign = counts(desk, available_micro=0, counted_us=LATER, wallet=987_654_321)
    assert told(desk, foreign) == ("unknown", None, None)


def test_a_memory_put_back_is_an_alarm_and_every_meter_gets_a_fresh_grant(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 1, 100)
    before = desk.orders()[-1].seq if desk.orders() else 0
    desk.street.epoch, desk.street.seq = desk.street.epoch + 1, 0
    desk.post(desk.street.event(Event("spool_rolled_back", LATER, 0, {}), clock_us=LATER), now_us=LATER)
    assert [event.kind for event in desk.events("alarm.")] == ["alarm.gateway_rolled_back"]
    order = desk.orders()[-1]
    assert (order.meter, order.relay) == (meter, 2)
    assert order.seq > before
    command = desk.command(order)
    assert command.body.grant is not None
    assert command.issued_us == LATER


def frame_from(desk: Desk, first: int, *readings: object) -> tuple[str, bytes]:
    items = tuple(
        Item(first + n, Kind.READINGS, pack_readings([one]))
        for n, one in enumerate(readings)  # type: ignore[list-item]
    )
    frame = UpFrame(desk.street.epoch, b"bootboot", 0, LATER, 1, False, items)
    return desk.street.gateway.slug, encode_up(frame)


def test_a_frame_beyond_a_hole_is_answered_with_the_wish_to_hear_from_the_hole_on(desk: Desk) -> None:
    meter = desk.home()
    gateway, epoch = desk.street.gateway.pk, desk.street.epoch
    one, two, three = (reading(meter, NOON_US + n * HOUR_US // 4, 100 * n) for n in (1, 2, 3))
    assert desk.post(frame_from(desk, 1, one), now_us=LATER).again == []
    assert desk.post(frame_from(desk, 3, three), now_us=LATER).again == [(gateway, epoch, 1)]
    assert desk.post(frame_from(desk, 3, three), frame_from(desk, 2, two), now_us=LATER).again == []
    assert desk.post(frame_from(desk, 2, two, three), now_us=LATER).again == []
    assert len(desk.lines()) == 3
