"""The clock of a gateway is part of why a charge is what it is: how far it was off, and what that is worth."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.flows.posting.clocks import LOOK_AGAIN_US, ClockSeen, look_at_clock
from fairwatt.wire.frames import Event
from flows.test_explain import explained, replayed
from support.desk import Desk
from support.street import HOUR_US, NOON_US, reading

SECOND_US = 1_000_000
ELEVEN_PM_US = NOON_US + 10 * HOUR_US
"""23:00 in London: the night price begins"""


def said(account: Any) -> str:
    from fairwatt.web.design.sentences import sentence

    return sentence(account=account)


def rows(desk: Desk) -> list[tuple[int, int]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT batch, ahead_us FROM gateway_clock WHERE book = %s ORDER BY batch", [desk.street.book]
        )
        return [(int(batch), int(ahead)) for batch, ahead in cursor.fetchall()]


def send(desk: Desk, meter: int, at_us: int, wh: int, *, ahead_us: int, way_us: int = 0) -> Any:
    """A reading stamped by a clock that is ahead of ours, posted as long after as its way took."""
    frame = desk.street.readings(reading(meter, at_us, wh), clock_us=at_us)
    return desk.post(frame, now_us=at_us - ahead_us + way_us)


def test_a_charge_says_how_far_the_gateways_clock_was_off_and_what_that_is_worth(desk: Desk) -> None:
    meter = desk.home()
    send(desk, meter, ELEVEN_PM_US - HOUR_US, 1_000, ahead_us=0)
    send(desk, meter, ELEVEN_PM_US + HOUR_US, 3_000, ahead_us=72 * SECOND_US)
    plain, skewed = explained(desk)
    assert (plain.clock.ahead_us, plain.clock.costs_nano) == (0, 0)
    assert skewed.clock.ahead_us == 72 * SECOND_US
    moved_wh = 2_000 * 72 // 7_200
    assert skewed.clock.costs_nano == moved_wh * (200_000 - 100_000), (
        "so much of it was used by day, by our clock"
    )
    assert skewed.agrees and replayed(desk).agrees
    assert "gateway's clock was 72 seconds ahead of ours" in said(skewed)
    assert "£0.002 more before tax" in said(skewed)
    assert "clock" not in said(plain)


def test_only_what_moves_by_a_second_is_written(desk: Desk) -> None:
    meter = desk.home()
    for n, ahead_ms in enumerate((0, 400, -900, 999, 1_000, 1_900, 700), start=1):
        send(desk, meter, NOON_US + n * 60 * SECOND_US, n * 10, ahead_us=ahead_ms * 1_000)
    assert [ahead for _, ahead in rows(desk)] == [0, 1_000_000]


def test_a_message_that_was_long_under_way_does_not_make_the_clock_slow(desk: Desk) -> None:
    meter = desk.home()
    send(desk, meter, NOON_US + HOUR_US, 10, ahead_us=0)
    send(desk, meter, NOON_US + HOUR_US + 60 * SECOND_US, 20, ahead_us=0, way_us=3_000 * SECOND_US)
    send(desk, meter, NOON_US + 2 * HOUR_US, 30, ahead_us=0)
    assert [ahead for _, ahead in rows(desk)] == [0]


def test_a_clock_that_stays_behind_is_believed_after_a_quarter_of_an_hour_or_when_it_was_set() -> None:
    seen = look_at_clock(None, ahead_us=5 * SECOND_US, now_us=0)
    soon = look_at_clock(seen, ahead_us=-SECOND_US, now_us=LOOK_AGAIN_US - 1)
    assert soon.ahead_us == 5 * SECOND_US
    seen = look_at_clock(soon, ahead_us=5 * SECOND_US, now_us=LOOK_AGAIN_US)
    for now_us in (LOOK_AGAIN_US + 1, 2 * LOOK_AGAIN_US, 3 * LOOK_AGAIN_US):
        seen = look_at_clock(seen, ahead_us=-SECOND_US, now_us=now_us)
    assert seen.ahead_us == -SECOND_US
    assert look_at_clock(soon, ahead_us=0, now_us=1, was_set=True) == ClockSeen(0, 0, 1)


def test_a_gateway_that_says_it_set_its_clock_is_measured_anew(desk: Desk) -> None:
    meter = desk.home()
    send(desk, meter, NOON_US + HOUR_US, 10, ahead_us=100 * SECOND_US)
    now_us = NOON_US + HOUR_US + 60 * SECOND_US
    event = Event("clock_offset", now_us, 0, {"offset_us": -100 * SECOND_US, "last_seq": 1})
    desk.post(desk.street.event(event, clock_us=now_us), now_us=now_us)
    assert [ahead for _, ahead in rows(desk)] == [100 * SECOND_US, 0]


@pytest.mark.parametrize("clock_us", [-(2**63) + 1, 2**63 - 1])
def test_a_clock_beyond_every_calendar_stops_nobody(desk: Desk, clock_us: int) -> None:
    meter = desk.home()
    desk.post(
        desk.street.readings(reading(meter, NOON_US + HOUR_US, 10), clock_us=clock_us),
        now_us=NOON_US + HOUR_US,
    )
    (row,) = rows(desk)
    assert abs(row[1]) == 400 * 86_400 * SECOND_US


def test_a_poster_that_starts_again_knows_the_clocks(desk: Desk) -> None:
    meter = desk.home()
    send(desk, meter, NOON_US + HOUR_US, 10, ahead_us=3 * SECOND_US)
    desk.open(now_us=NOON_US + HOUR_US)
    send(desk, meter, NOON_US + 2 * HOUR_US, 20, ahead_us=3 * SECOND_US)
    assert [ahead for _, ahead in rows(desk)] == [3 * SECOND_US]


def test_a_month_that_began_within_the_offset_is_not_priced_by_guess(desk: Desk) -> None:
    meter = desk.home()
    august_us = NOON_US - 12 * HOUR_US + 31 * 24 * HOUR_US - HOUR_US
    send(desk, meter, august_us - HOUR_US, 1_000, ahead_us=0)
    send(desk, meter, august_us + SECOND_US, 2_000, ahead_us=5 * SECOND_US)
    account = explained(desk)[-1]
    assert account.clock.costs_nano is None
    assert "a counting period began around then" in said(account)


def test_lines_from_before_clocks_were_written_say_so(desk: Desk) -> None:
    from dataclasses import replace

    from fairwatt.web.design.clock_words import clock_offset

    meter = desk.home()
    send(desk, meter, NOON_US + HOUR_US, 10, ahead_us=3 * SECOND_US)
    (account,) = explained(desk)
    assert clock_offset(account) == "3 seconds ahead of ours"
    assert clock_offset(replace(account, clock=None)) == "offset not recorded"
