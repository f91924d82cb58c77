"""Readings become charges exactly once, whatever order and however often their frames come."""

from __future__ import annotations

from fairwatt.wire.frames import Item, Kind, UpFrame, decode_up, encode_up
from fairwatt.wire.records import Reading, pack_readings
from support.desk import Desk
from support.street import HOUR_US, NOON_US, Street, reading

T1, T2, T3, T4 = (NOON_US + n * HOUR_US for n in (1, 2, 3, 4))


def frame(street: Street, epoch: int, oldest: int, *items: tuple[int, list[Reading]]) -> tuple[str, bytes]:
    """A frame with numbered records, as a spool would send it."""
    up = UpFrame(
        epoch=epoch,
        boot_id=b"bootboot",
        uptime_ms=1,
        clock_us=T4,
        oldest_seq=oldest,
        hello=False,
        items=tuple(Item(seq, Kind.READINGS, pack_readings(readings)) for seq, readings in items),
    )
    return street.gateway.slug, encode_up(up)


def test_a_reading_becomes_a_charge_and_moves_the_wallet(desk: Desk) -> None:
    meter = desk.home(opening_wh=1000)
    desk.read(meter, T1, 2000)
    (line,) = desk.lines()
    assert (line.energy_wh, line.energy_micro, line.tax_micro) == (1000, 200_000, 10_000)
    assert line.balance_micro == -210_000
    assert line.seq == 1


def test_a_reading_is_charged_once_however_often_its_frame_comes(street: Street, desk: Desk) -> None:
    meter = desk.home()
    once = street.readings(reading(meter, T1, 1000))
    first = desk.post(once, once, now_us=T1)
    again = desk.post(once, now_us=T2)
    desk.open(now_us=T2)
    after_restart = desk.post(once, once, now_us=T2)
    assert first.readings == 1
    assert (again.readings, after_restart.readings) == (0, 0)
    assert len(desk.lines()) == 1
    assert {seq for _, _, seq in desk.acked if seq} == {1}
    assert desk.quarantine() == []


def test_overlapping_frames_post_only_what_is_new(street: Street, desk: Desk) -> None:
    meter = desk.home()
    a, b, c = ([reading(meter, at, wh)] for at, wh in ((T1, 100), (T2, 200), (T3, 300)))
    desk.post(frame(street, 1, 1, (1, a), (2, b)), now_us=T4)
    result = desk.post(frame(street, 1, 1, (1, a), (2, b), (3, c)), now_us=T4)
    assert (result.readings, result.duplicates) == (1, 2)
    assert result.acks == [(street.gateway.pk, 1, 3)]
    assert [line.register_wh for line in desk.lines()] == [100, 200, 300]


def test_a_frame_that_overtook_another_is_neither_stored_nor_acknowledged(street: Street, desk: Desk) -> None:
    meter = desk.home()
    first = frame(street, 1, 1, (1, [reading(meter, T1, 100)]))
    second = frame(street, 1, 1, (2, [reading(meter, T2, 200)]))
    overtook = desk.post(second, now_us=T4)
    assert overtook.acks == [(street.gateway.pk, 1, 0)]
    assert desk.lines() == []
    assert desk.post(first, now_us=T4).acks == [(street.gateway.pk, 1, 1)]
    assert desk.post(second, now_us=T4).acks == [(street.gateway.pk, 1, 2)]
    assert [line.energy_wh for line in desk.lines()] == [100, 100]


def test_frames_out_of_order_in_one_batch_lose_nothing_that_was_acknowledged(
    street: Street, desk: Desk
) -> None:
    meter = desk.home()
    first = frame(street, 1, 1, (1, [reading(meter, T1, 100)]))
    second = frame(street, 1, 1, (2, [reading(meter, T2, 200)]))
    assert desk.post(second, first, now_us=T4).acks == [(street.gateway.pk, 1, 1)]
    assert desk.post(second, now_us=T4).readings == 1


def test_a_spool_reborn_under_a_higher_epoch_starts_anew(street: Street, desk: Desk) -> None:
    meter = desk.home()
    desk.post(frame(street, 1, 1, (1, [reading(meter, T1, 100)]), (2, [reading(meter, T2, 200)])), now_us=T4)
    reborn = frame(street, 9, 1, (1, [reading(meter, T2, 200), reading(meter, T3, 300)]))
    result = desk.post(reborn, now_us=T4)
    assert result.acks == [(street.gateway.pk, 9, 1)]
    assert (result.readings, result.duplicates) == (1, 1)


def test_a_spool_from_the_past_is_quarantined_and_told_to_begin_anew(street: Street, desk: Desk) -> None:
    meter = desk.home()
    desk.post(frame(street, 9, 1, (1, [reading(meter, T1, 100)])), now_us=T4)
    result = desk.post(frame(street, 3, 4, (4, [reading(meter, T2, 200)])), now_us=T4)
    assert result.acks == [(street.gateway.pk, 9, 1), (street.gateway.pk, 3, (1 << 63) - 1)]
    desk.post(frame(street, 3, 4, (4, [reading(meter, T2, 200)])), now_us=T4 + 1)
    assert desk.quarantine() == ["old_spool"], "not once more for every try"
    assert len(desk.lines()) == 1
    assert desk.post(frame(street, 9, 1, (2, [reading(meter, T2, 200)])), now_us=T4).readings == 1


def test_records_a_gateway_no_longer_has_are_noticed(street: Street, desk: Desk) -> None:
    meter = desk.home()
    desk.post(frame(street, 1, 1, (1, [reading(meter, T1, 100)])), now_us=T4)
    desk.post(frame(street, 1, 5, (5, [reading(meter, T3, 300)])), now_us=T4)
    (lost,) = desk.events("gateway.records_lost")
    assert lost.evidence == {"after_seq": 1, "before_seq": 5}
    assert sum(line.energy_wh for line in desk.lines()) == 300, "the next cumulative reading settles the gap"


def test_batches_split_anywhere_give_the_same_ledger(street: Street, desk: Desk) -> None:
    together, apart = desk.home(), desk.home()
    steps = [(NOON_US + n * HOUR_US // 2 + 1, 317 * n) for n in range(1, 60)]
    now = steps[-1][0]
    desk.post(street.readings(*(reading(together, at, wh) for at, wh in steps)), now_us=now)
    for start in (0, 1, 2, 20, 33):
        end = {0: 1, 1: 2, 2: 20, 20: 33, 33: 60}[start]
        desk.post(street.readings(*(reading(apart, at, wh) for at, wh in steps[start:end])), now_us=now)
    parts = [
        [
            (
                line.ts,
                line.energy_micro,
                line.standing_micro,
                line.tax_micro,
                line.counter_wh,
                line.balance_micro,
            )
            for line in desk.lines()
            if line.wallet == wallet
        ]
        for wallet in street.wallets
    ]
    assert parts[0] == parts[1]
    assert len(parts[0]) == 59


def test_hello_is_not_needed_to_be_stored_and_an_empty_frame_is_answered(street: Street, desk: Desk) -> None:
    desk.home()
    result = desk.post(street.frame(clock_us=NOON_US, hello=True), now_us=NOON_US)
    assert result.acks == [(street.gateway.pk, 1, 0)]
    assert decode_up(street.frame(clock_us=NOON_US)[1]).items == ()
