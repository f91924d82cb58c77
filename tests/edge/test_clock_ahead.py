"""A gateway whose clock was ahead and is set back: nobody waits until the wrong instant comes."""

from __future__ import annotations

from pathlib import Path

from edge.rig import MINUTE_US, a_bench, a_command, a_grant, eventually, run
from edge.test_guard import WARNED, at, deeds, granted, reading
from edge.test_rollback import copied, put_back
from edge.test_safety import said, watched
from fairwatt.edge.guard import Deed
from fairwatt.wire.commands import RelayOrder, Result
from fairwatt.wire.records import Reading, Relay


def test_a_clock_that_was_ahead_stops_no_count_and_frees_no_use() -> None:
    day_us = 24 * 60 * MINUTE_US
    guard = granted(100_000_000)
    guard.take_reading(reading(10, 1010))
    guard.take_reading(Reading(7, at(11) + 2 * day_us, 1010, relay=Relay.CLOSED))
    guard.set_back(now_us=at(11))
    guard.take_grant(
        meter=7, grant=a_grant(register_wh=1010, available_micro=100_000, at_us=at(12), warned_at_us=WARNED)
    )
    guard.take_reading(reading(20, 1210))
    assert guard.available_micro(wallet=1) == 0 and deeds(guard.decide(now_us=at(20))) == [Deed.TRIP]


def test_a_count_made_under_a_clock_that_was_ahead_is_made_again() -> None:
    ahead, right = granted(100_000_000), granted(100_000_000)
    for guard in (ahead, right):
        guard.take_reading(reading(10, 1010))
    ahead.take_reading(Reading(7, at(60 * 48), 1110, relay=Relay.CLOSED))
    ahead.set_back(now_us=at(11))
    assert ahead.available_micro(wallet=1) == right.available_micro(wallet=1) == 100_000_000 - 10 * 500
    for guard in (ahead, right):
        guard.take_reading(reading(20, 1110))
    assert ahead.available_micro(wallet=1) == right.available_micro(wallet=1) == 100_000_000 - 110 * 500


def test_a_clock_that_was_ahead_leaves_nobody_unwatched(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path) as bench:
            true_us = bench.time.now_us
            bench.headend.time = lambda: true_us
            bench.time.now_us += 48 * 60 * MINUTE_US
            await bench.agent.poll_once(bench.agent.clock.now_us())
            await bench.agent.wait_drained(5.0)
            assert "clock_offset" in bench.headend.codes()
            bench.sims[0].load_w = 5_000
            for _ in range(10):
                true_us += MINUTE_US
                bench.time.now_us += MINUTE_US
                await bench.agent.poll_once(bench.agent.clock.now_us())
                await bench.agent.wait_drained(5.0)
            assert not bench.sims[0].relay_closed
            assert ("safety_cut", "overload") in said(bench)

    run(story())


def test_an_older_copy_that_began_with_a_clock_ahead_obeys_once_the_clock_is_right(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            copy = await copied(bench, tmp_path)
            await bench.tick()
            true_us = bench.time.now_us
            bench.headend.time = lambda: true_us
            bench.time.now_us += 400 * 24 * 60 * MINUTE_US
            await put_back(bench, copy, marked=True)
            await eventually(lambda: "clock_offset" in bench.headend.codes())
            true_us += MINUTE_US
            bench.time.now_us += MINUTE_US
            await bench.obeyed(a_command(meter=100, seq=5, relay=RelayOrder.OPEN, issued_us=true_us))
            # The meter itself, whose clock is still ahead, lets the order lapse; the gateway no longer does.
            assert bench.headend.receipts()[-1].result == Result.METER_REFUSED

    run(test())
