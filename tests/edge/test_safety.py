"""Danger is answered at the meter: cut at once, held, told once, and power returns only where it may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.rig import SCHEDULE_OBJ, START_US, Bench, a_bench, a_command, a_grant, policy_obj, run
from fairwatt.core.rating.tariff_obj import schedule_from_obj, schedule_to_obj
from fairwatt.drivers.contract import MeterEventKind
from fairwatt.simulate.meters.events import SimEvent
from fairwatt.simulate.meters.faults import Fault, FaultKind
from fairwatt.wire.commands import RelayOrder, Result
from fairwatt.wire.records import Relay

LIMIT = {"overload": {"limit_w": 3_000}}
CREDIT = 50_000_000


@asynccontextmanager
async def watched(
    folder: Path, *, alarms: Any = LIMIT, grants: Any = None, profile: str = "", **changes: Any
) -> AsyncIterator[Bench]:
    """A bench whose meters have an overload limit and a grant."""
    async with a_bench(folder, **changes) as bench:
        config = bench.agent.config
        buses = tuple(
            replace(
                bus,
                meters=tuple(
                    replace(one, alarms=alarms, profile=profile or one.profile) for one in bus.meters
                ),
            )
            for bus in config.buses
        )
        bench.agent.config = replace(config, buses=buses)
        await bench.restart()
        for n in range(len(bench.sims)):
            await order(bench, seq=1, relay=RelayOrder.LEAVE, meter=100 + n, **(grants or {}))
        yield bench


async def order(
    bench: Bench,
    *,
    seq: int,
    relay: int,
    meter: int = 100,
    reason: str = "test",
    available_micro: int = CREDIT,
    **changes: Any,
) -> None:
    sim = bench.sims[meter - 100]
    grant = a_grant(
        register_wh=sim.register_wh,
        available_micro=available_micro,
        at_us=bench.time.now_us,
        wallet=meter,
        **changes,
    )
    message = a_command(meter=meter, seq=seq, relay=relay, grant=grant, reason=reason)
    await bench.obeyed(message)


def said(bench: Bench, meter: int = 100) -> list[tuple[str, object]]:
    """What was told of a meter's alarms and holds: the event and what it is about."""
    ours = ("alarm_", "safety_", "power_limit")
    return [
        (e.code, e.detail.get("reason"))
        for e in bench.headend.events()
        if e.meter == meter and e.code.startswith(ours)
    ]


def test_an_overload_is_cut_held_and_tried_again_by_itself(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path) as bench:
            sim, other = bench.sims
            sim.load_w, other.load_w = 5_000, 500
            await bench.tick()
            assert sim.relay_closed, "a start-up is no overload"
            await bench.tick()
            assert not sim.relay_closed
            assert other.relay_closed
            assert said(bench) == [("alarm_raised", "overload"), ("safety_cut", "overload")]
            proof = [reading for reading in bench.headend.readings() if reading.meter == 100][-1]
            assert proof.relay == Relay.OPEN, "the proof follows the cut"
            sim.load_w = 800
            for _ in range(4):
                await bench.tick()
            assert not sim.relay_closed
            await bench.tick()
            assert sim.relay_closed
            assert said(bench)[2:] == [("alarm_cleared", "overload"), ("safety_released", "overload")]
            proof = [reading for reading in bench.headend.readings() if reading.meter == 100][-1]
            assert proof.relay == Relay.CLOSED

    run(story())


def test_an_overload_that_stays_waits_for_a_person_after_three_tries(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1) as bench:
            bench.sims[0].load_w = 5_000
            for _ in range(60):
                await bench.tick()
            codes = [code for code, _ in said(bench) if code.startswith("safety")]
            assert codes == ["safety_cut", "safety_released"] * 3 + ["safety_cut"]
            assert not bench.sims[0].relay_closed
            cut = [event for event in bench.headend.events() if event.code == "safety_cut"][-1]
            assert cut.detail["until_us"] is None
            bench.sims[0].load_w = 100
            await order(bench, seq=2, relay=RelayOrder.CLOSED, reason="safety_reset")
            assert bench.sims[0].relay_closed
            assert bench.headend.receipts()[-1].result == Result.APPLIED
            assert said(bench)[-1] == ("safety_released", "overload")

    run(story())


def test_a_top_up_during_an_overload_does_not_close_and_later_safety_does(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1) as bench:
            bench.sims[0].load_w = 5_000
            await bench.tick()
            await bench.tick()
            await order(bench, seq=2, relay=RelayOrder.CLOSED, reason="credit_returned")
            assert bench.headend.receipts()[-1].result == Result.SAFETY_OPEN
            assert not bench.sims[0].relay_closed
            bench.sims[0].load_w = 100
            for _ in range(6):
                await bench.tick()
            assert bench.sims[0].relay_closed

    run(story())


def test_what_credit_opened_during_a_hold_safety_does_not_close(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1) as bench:
            bench.sims[0].load_w = 5_000
            await bench.tick()
            await bench.tick()
            await order(bench, seq=2, relay=RelayOrder.OPEN, available_micro=-1)
            bench.sims[0].load_w = 100
            for _ in range(10):
                await bench.tick()
            assert not bench.sims[0].relay_closed
            released = [event for event in bench.headend.events() if event.code == "safety_released"]
            assert [event.detail["closes"] for event in released] == [False]
            await order(bench, seq=3, relay=RelayOrder.CLOSED)
            assert bench.sims[0].relay_closed

    run(story())


def test_credit_that_ran_out_during_a_hold_keeps_the_relay_open(tmp_path: Path) -> None:
    async def story() -> None:
        grant = {
            "available_micro": 100_000,
            "warned_at_us": START_US,
            "policy_obj": policy_obj(warn_lead_us=0),
        }
        async with watched(tmp_path, meters=1, grants=grant) as bench:
            bench.sims[0].load_w = 5_000
            await bench.tick()
            await bench.tick()
            bench.sims[0].relay_closed = True  # a wire around the relay: use goes on, 0.125 of it
            bench.sims[0].add_energy(250)
            bench.sims[0].relay_closed = False
            bench.sims[0].load_w = 0
            for _ in range(6):
                await bench.tick()
            released = [event for event in bench.headend.events() if event.code == "safety_released"]
            assert [(e.detail["closes"], e.detail["empty"]) for e in released] == [(False, True)]
            assert not bench.sims[0].relay_closed
            assert bench.agent.guard.is_tripped(meter=100), "credit holds it now and gives it back"

    run(story())


def test_a_restart_in_the_middle_forgets_no_hold(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1) as bench:
            bench.sims[0].load_w = 5_000
            await bench.tick()
            await bench.restart()
            await bench.tick()
            assert not bench.sims[0].relay_closed
            await bench.restart()
            await order(bench, seq=2, relay=RelayOrder.CLOSED)
            assert not bench.sims[0].relay_closed
            bench.sims[0].load_w = 100
            for _ in range(6):
                await bench.tick()
            assert bench.sims[0].relay_closed
            assert [code for code, _ in said(bench)].count("safety_cut") == 1

    run(story())


def test_a_relay_that_sticks_is_ordered_again_and_told_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1) as bench:
            bench.sims[0].load_w = 5_000
            bench.sims[0].faults.add(Fault(FaultKind.STUCK_RELAY, 0, START_US + 5 * 60_000_000))
            for _ in range(4):
                await bench.tick()
            assert bench.sims[0].relay_closed
            for _ in range(2):
                await bench.tick()
            assert not bench.sims[0].relay_closed
            assert [code for code, _ in said(bench)].count("safety_cut") == 1

    run(story())


def test_the_feed_of_the_gateway_is_told_about_and_never_cut(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1, grants={"feeds_gateway": True}) as bench:
            bench.sims[0].load_w = 5_000
            for _ in range(5):
                await bench.tick()
            assert bench.sims[0].relay_closed
            assert said(bench) == [("alarm_raised", "overload")]

    run(story())


def test_without_a_grant_nobody_knows_what_feeds_the_gateway_so_nothing_is_cut(tmp_path: Path) -> None:
    async def story() -> None:
        async with a_bench(tmp_path, meters=1) as bench:
            bench.sims[0].load_w = 14_000
            for _ in range(3):
                await bench.tick()
            assert bench.sims[0].relay_closed
            assert said(bench) == [("alarm_raised", "overload")]

    run(story())


def test_many_homes_are_closed_a_few_at_a_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=12) as bench:
            for sim in bench.sims:
                sim.load_w = 5_000
            await bench.tick()
            await bench.tick()
            assert not any(sim.relay_closed for sim in bench.sims)
            for n, sim in enumerate(bench.sims):
                sim.load_w = 100 + n
            counts = []
            for _ in range(8):
                await bench.tick()
                counts.append(sum(sim.relay_closed for sim in bench.sims))
            assert counts[-4:] == [5, 10, 12, 12]

    run(story())


def test_use_through_an_open_relay_is_told_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1) as bench:
            await order(bench, seq=2, relay=RelayOrder.OPEN, available_micro=-1)
            for _ in range(6):
                bench.sims[0].register_wh += 40
                await bench.tick()
            assert said(bench) == [("alarm_raised", "use_while_open")]

    run(story())


# --- what only a meter that measures and notices more can tell ------------------------------------------------


def test_a_cover_that_is_opened_is_told_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=1) as bench:
            for _ in range(12):
                await bench.tick()
            bench.sims[0].events.note(MeterEventKind.COVER_OPEN, SimEvent(bench.time.now_us))
            for _ in range(30):
                await bench.tick()
            assert said(bench) == [("alarm_raised", "cover_open")]
            assert bench.sims[0].relay_closed, "it is told; nobody is cut for it"

    run(story())


def test_a_heater_in_forbidden_hours_is_seen_by_its_step(tmp_path: Path) -> None:
    async def story() -> None:
        rules = {"suspect_load": {"step_w": 1_000, "hours": [[0, 1_440]]}}
        async with watched(tmp_path, alarms=rules, meters=2) as bench:
            for sim in bench.sims:
                sim.phases[0].load_w, sim.phases[0].power_factor_milli = 300, 800
            await bench.tick()
            await bench.tick()
            bench.sims[0].phases[0].load_w, bench.sims[0].phases[0].power_factor_milli = 1_800, 989
            bench.sims[1].phases[0].load_w, bench.sims[1].phases[0].power_factor_milli = 1_800, 700
            await bench.tick()
            assert said(bench) == [("alarm_raised", "suspect_load")]
            assert said(bench, 101) == [], "a motor is no heater"

    run(story())


def test_power_steps_down_with_the_credit_and_comes_back_with_it(tmp_path: Path) -> None:
    async def story() -> None:
        policy = policy_obj(low_micro=5_000_000, steps=((5_000_000, 2_000), (1_000_000, 500)))
        async with watched(tmp_path, alarms={}, meters=2, profile="dlt645_three_phase") as bench:
            for meter, protected in ((100, False), (101, True)):
                await order(
                    bench,
                    seq=2,
                    relay=RelayOrder.LEAVE,
                    meter=meter,
                    available_micro=4_000_000,
                    policy_obj=policy,
                    protected=protected,
                )
            await bench.tick()
            assert (bench.sims[0].power_limit_w, bench.sims[1].power_limit_w) == (2_000, None)
            await order(bench, seq=3, relay=RelayOrder.LEAVE, available_micro=900_000, policy_obj=policy)
            await bench.tick()
            await bench.restart()
            await bench.tick()
            assert bench.sims[0].power_limit_w == 500
            await order(bench, seq=4, relay=RelayOrder.LEAVE, available_micro=90_000_000, policy_obj=policy)
            await bench.tick()
            assert bench.sims[0].power_limit_w is None
            limits = [event for event in bench.headend.events() if event.code.startswith("power_limit")]
            assert [event.detail["limit_w"] for event in limits] == [2_000, 500, None]

    run(story())


def test_the_gateway_itself_says_why_it_is_dark(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path, meters=4) as bench:
            sims = bench.sims

            def why(n: int) -> str:
                answer = bench.agent.safety.why_dark(meter=100 + n, said_dark=True, now_us=bench.time.now_us)
                return str(answer.cause)

            for sim in sims:
                sim.load_w = 500
            await bench.tick()
            sims[0].load_w, sims[1].load_w = 5_000, 0
            await order(
                bench, seq=2, relay=RelayOrder.OPEN, meter=102, reason="balance_empty", available_micro=-1
            )
            sims[3].faults.add(Fault(FaultKind.MUTE))
            await bench.tick()
            await bench.tick()
            assert [why(n) for n in range(3)] == ["overload", "breaker", "credit"]
            for _ in range(31):
                await bench.tick()
            assert why(3) == "meter_fault"
            await bench.restart()
            await bench.tick()
            assert why(2) == "unknown", "who opened it is forgotten, and nobody guesses"

    run(story())


def test_behind_transformers_the_meter_is_told_its_share_of_the_limit(tmp_path: Path) -> None:
    async def story() -> None:
        policy = policy_obj(low_micro=5_000_000, steps=((5_000_000, 40_000),))
        behind = schedule_to_obj(replace(schedule_from_obj(SCHEDULE_OBJ), transformer=(100, 5)))
        async with watched(tmp_path, alarms={}, profile="dlt645_three_phase") as bench:
            await order(
                bench,
                seq=2,
                relay=RelayOrder.LEAVE,
                available_micro=4_000_000,
                policy_obj=policy,
                schedule_obj=behind,
            )
            await bench.tick()
            assert bench.sims[0].power_limit_w == 2_000
            [limit] = [event for event in bench.headend.events() if event.code == "power_limited"]
            assert limit.detail["limit_w"] == 40_000, "the home's own watts are told"

    run(story())


def test_a_memory_that_knows_of_no_hold_says_so_when_a_person_ends_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with watched(tmp_path) as bench:
            await order(bench, seq=5, relay=RelayOrder.CLOSED, reason="safety_reset")
            await bench.tick()
            told = [e for e in bench.headend.events() if e.code == "safety_released"]
            assert [(e.meter, e.detail["empty"]) for e in told] == [(100, False)]

    run(story())
