"""One place in the meter for two limits: the desk's, and what credit leaves. Neither writes over the other."""

from __future__ import annotations

from pathlib import Path

from edge.rig import eventually, policy_obj, run
from edge.test_safety import order, watched
from edge.test_standing import wish
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.frames import Event
from fairwatt.wire.standing import LimitPower, Slot, shows


def test_the_desks_limit_outlives_what_credit_leaves_and_a_hand_at_the_meter(tmp_path: Path) -> None:
    async def story() -> None:
        policy = policy_obj(low_micro=5_000_000, steps=((5_000_000, 2_000), (1_000_000, 500)))
        async with watched(tmp_path, alarms={}, meters=1, profile="dlt645_three_phase") as bench:
            sim, seqs = bench.sims[0], iter(range(3, 9))

            async def limit_with(available_micro: int) -> int | None:
                await order(
                    bench,
                    seq=next(seqs),
                    relay=RelayOrder.LEAVE,
                    available_micro=available_micro,
                    policy_obj=policy,
                )
                await bench.tick()
                return sim.power_limit_w

            async def reported(seq: int, limit_w: int | None) -> Event:
                await bench.headend.order(wish(LimitPower(limit_w), Slot.LIMIT_POWER, seq=seq))
                await eventually(lambda: bench.headend.codes().count("reported") == seq)
                return [event for event in bench.headend.events() if event.code == "reported"][-1]

            first = await reported(1, 1_500)
            assert shows(body=LimitPower(1_500), reported=first.detail)
            assert await limit_with(4_900_000) == 1_500, "more than the desk allows"
            assert await limit_with(900_000) == 500
            wider = await reported(2, 3_000)
            assert sim.power_limit_w == 500, "the credit still leaves no more"
            assert shows(body=LimitPower(3_000), reported=wider.detail)
            assert not shows(body=LimitPower(400), reported=wider.detail)
            await bench.restart()
            assert await limit_with(90_000_000) == 3_000, "back to the desk's, not to none"
            sim.power_limit_w = 9_000
            await bench.tick(15)
            assert sim.power_limit_w == 3_000, "set by hand, set back"

    run(story())
