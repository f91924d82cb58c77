"""Second by second at the gateway: caught beside the polls, sent on its own session, first to give way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.rig import START_US, a_bench, eventually, run
from fairwatt.edge.config import ConfigError, TelemetryConfig
from fairwatt.edge.telemetry.capture import Blocks
from fairwatt.edge.telemetry.memory import Memory
from fairwatt.wire import topics
from fairwatt.wire.records import UNKNOWN_I32
from fairwatt.wire.telemetry import TeleFrame, decode_tele, encode_kept, encode_watch, unpack

PLACE = {"book": "b1", "site": "s1", "gateway": "gw1"}


def test_blocks_are_cut_by_the_second_and_gaps_are_unknown() -> None:
    blocks = Blocks()
    blocks.put(meter=1, second=100, sample=(50, 2200, 200))
    blocks.put(meter=1, second=103, sample=(60, 2201, 210))
    blocks.put(meter=2, second=101, sample=(7, UNKNOWN_I32, UNKNOWN_I32))
    blocks.put(meter=1, second=105, sample=(70, 2200, 230))
    ((start, seconds, bodies),) = blocks.cut(until_s=105)
    assert (start, seconds, [meter for meter, _ in bodies]) == (100, 5, [1, 2])
    assert list(unpack(bodies[0][1], seconds=5).power_w) == [50, UNKNOWN_I32, UNKNOWN_I32, 60, UNKNOWN_I32]
    blocks.put(meter=1, second=104, sample=(9, 9, 9))
    ((start, seconds, _),) = blocks.cut(until_s=106)
    assert (start, seconds) == (105, 1), "a second that was cut off already is not told twice"


def test_a_clock_that_leaps_makes_no_endless_block() -> None:
    blocks = Blocks()
    blocks.put(meter=1, second=0, sample=(1, 1, 1))
    blocks.put(meter=1, second=10_000_000, sample=(2, 2, 2))
    made = blocks.cut(until_s=10_000_001)
    assert [seconds for _, seconds, _ in made] == [600, 1]


def test_the_oldest_blocks_give_way_when_the_spool_needs_the_room(tmp_path: Path) -> None:
    room = [10_000]
    memory = Memory(path=tmp_path / "t", now_us=1, room=lambda: room[0])
    for n in range(20):
        memory.append(start_s=n, seconds=1, bodies=[(1, bytes(900))])
    assert memory.size <= 10_000
    assert memory.dropped >= 9
    left = [block.start_s for block in memory.read(after_seq=0, max_bytes=1 << 20)]
    assert left == list(range(20 - len(left), 20)), "the newest stay"
    room[0] = 0
    memory.append(start_s=99, seconds=1, bodies=[(1, bytes(900))])
    assert memory.size == 0
    memory.close()


def test_a_broken_memory_is_replaced_and_begins_a_new_life(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"this is no database, and long enough to be noticed as such" * 40)
    memory = Memory(path=path, now_us=77, room=lambda: 1 << 20)
    memory.append(start_s=1, seconds=1, bodies=[(1, b"x")])
    assert memory.epoch == 77
    assert not memory.forget(epoch=76, upto_seq=9)
    assert memory.forget(epoch=77, upto_seq=9)
    memory.close()


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError):
        TelemetryConfig(block_s=1, live_block_s=2)


def test_a_gateway_sends_every_second_and_forgets_only_what_is_kept(tmp_path: Path) -> None:
    async def drill() -> None:
        settings = TelemetryConfig(block_s=5, live_block_s=1)
        async with a_bench(tmp_path, meters=3, telemetry=settings) as bench:
            heard: list[TeleFrame] = []
            silent = [True]

            async def take(message: object) -> None:
                frame = decode_tele(message.data)  # type: ignore[attr-defined]
                heard.append(frame)
                if not silent[0]:
                    kept = encode_kept(epoch=frame.epoch, seq=frame.blocks[-1].seq)
                    await bench.headend.link.publish(topics.tack_subject(**PLACE), kept)

            await bench.headend.link.subscribe(topics.tele_subject(**PLACE), cb=take)
            for sim, load in zip(bench.sims, (100, 2_000, 0), strict=True):
                sim.load_w = load
            for _ in range(7):
                bench.time.now_us += 1_000_000
                await asyncio.sleep(1.05)
            await eventually(lambda: bool(heard))
            first = heard[0].blocks[0]
            assert START_US // 1_000_000 <= first.start_s <= START_US // 1_000_000 + 2
            said = dict(first.bodies)
            assert sorted(said) == [100, 101, 102]
            assert set(unpack(said[101], seconds=first.seconds).power_w) <= {0, 2_000, UNKNOWN_I32}
            assert 2_000 in unpack(said[101], seconds=first.seconds).power_w
            await eventually(lambda: len([f for f in heard if f.blocks[0].seq == first.seq]) > 1)
            silent[0] = False
            await bench.headend.link.publish(topics.tack_subject(**PLACE), encode_watch(for_s=30))
            before = len(heard)
            for _ in range(4):
                bench.time.now_us += 1_000_000
                await asyncio.sleep(0.6)
            await eventually(lambda: any(f.blocks[-1].seconds <= 2 for f in heard[before:]))
            # Money's path is as it was: a reading goes through while all this runs.
            await bench.tick()
            assert bench.headend.readings()

    run(drill())
