"""Who stands at the gateway and means ill: keeps nobody out, stops no meter, fills no memory."""

import asyncio
import time as wall
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.rig import MINUTE_US, START_US, a_command, a_grant, eventually, run
from edge.test_buses import deaf_converter, with_buses
from edge.test_local_page import a_request, opened, post, say
from edge.test_restore_codes import cut_off
from edge.test_standing import wish
from edge.test_tokens import a_token
from edge.visiting import DAY_US, a_code, a_gateway, a_pass, enter, over_tcp
from fairwatt.core.commands.restore_code import Outcome
from fairwatt.drivers.profile import load_profile
from fairwatt.edge.config import BusConfig, MeterConfig
from fairwatt.edge.dtu_door import _CALLERS_MAX
from fairwatt.edge.local.page import POSTS_A_MINUTE, POSTS_A_MINUTE_ALL, Tries
from fairwatt.edge.local.streams import UNPROVEN_MAX, VISITORS_MAX
from fairwatt.edge.local.visitor import Pass, Silent
from fairwatt.simulate.meters import Fault, FaultKind
from fairwatt.simulate.meters.line import Line
from fairwatt.simulate.meters.modbus import SimModbusBus, SimModbusMeter
from fairwatt.wire import cbor
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.courier import ToGateway
from fairwatt.wire.local_frames import Framer, frame
from fairwatt.wire.permits import RESIDENT
from fairwatt.wire.records import UNKNOWN_I32
from fairwatt.wire.standing import SetClock, Slot

WRONG_TOKEN = "12345678901234567890"


def a_residents_pass(name: str = "r") -> Pass:
    key = Ed25519PrivateKey.from_private_bytes(name.encode() * 32)
    public = key.public_key().public_bytes_raw()
    until_us = START_US + 10 * DAY_US
    return a_pass(key=key, holder=name, holder_key=public, rights=RESIDENT, meters=(100,), until_us=until_us)


def test_a_hurried_hand_leaves_the_others_their_tries() -> None:
    tries = Tries(clock=lambda: 61.0)
    waits = [tries.wait_s("10.0.0.66") for _ in range(POSTS_A_MINUTE_ALL * 2)]
    assert waits[: POSTS_A_MINUTE + 1] == [0] * POSTS_A_MINUTE + [59]
    assert tries.wait_s("10.0.0.7") == 0, "who typed once does not wait for who typed a hundred times"
    crowd = [tries.wait_s(f"10.0.1.{n}") for n in range(POSTS_A_MINUTE_ALL)]
    assert 0 < crowd.count(59) < POSTS_A_MINUTE_ALL, "all together have a measure, too"


@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted"])
def test_a_stranger_at_the_page_locks_nobody_out_who_proved_himself(tmp_path: Path, restarts: bool) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await cut_off(bench)
            local = bench.agent.local
            for _ in range(40):  # as often as the page lets anybody try
                assert (await local.enter(meter=100, text=a_code(meter=999))).outcome == Outcome.WRONG
                answer = await local.enter(meter=100, text=WRONG_TOKEN)
                assert answer.outcome == "token_wrong"
                bench.time.forward(61)
            assert (await local.enter(meter=100, text=a_code(meter=999))).outcome == Outcome.WRONG
            assert (await local.enter(meter=100, text=WRONG_TOKEN)).outcome == "token_wrong"
            token = a_token(amount_micro=1_000_000, paid_us=bench.time.now_us)
            code = a_code(day=bench.time.now_us // DAY_US)
            for text in (code, token):
                assert (await local.enter(meter=100, text=text)).outcome == "locked", "the page is shut"
            if restarts:
                await bench.restart(online=False)
            async with over_tcp(bench) as streams:
                visitor = await enter(streams, a_residents_pass())
                assert (await visitor.type_code(meter=100, text=token)).outcome.startswith("token_accepted")
                assert (await visitor.type_code(meter=100, text=code)).outcome == Outcome.ACCEPTED
            assert bench.sims[0].relay_closed

    run(test())


def test_who_proved_himself_and_guesses_waits_like_anybody(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench, AsyncExitStack() as ways:
            await cut_off(bench)
            visitor = await enter(await ways.enter_async_context(over_tcp(bench)), a_residents_pass())
            for _ in range(3):
                assert (await visitor.type_code(meter=100, text=a_code(meter=999))).outcome == Outcome.WRONG
                assert (await visitor.type_code(meter=100, text=WRONG_TOKEN)).outcome == "token_wrong"
            await bench.restart(online=False)
            visitor = await enter(await ways.enter_async_context(over_tcp(bench)), a_residents_pass())
            for text in (a_code(), a_token(paid_us=bench.time.now_us)):
                assert (await visitor.type_code(meter=100, text=text)).outcome == "locked"
            assert (await bench.agent.local.enter(meter=100, text=a_code(counter=1))).outcome == (
                Outcome.ACCEPTED
            ), "and nobody else waits for it"
            bench.time.forward(2)
            assert (await visitor.type_code(meter=100, text=a_code(counter=2))).outcome == Outcome.ACCEPTED

    run(test())


def test_a_holder_has_one_place_and_keeps_nobody_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench, AsyncExitStack() as ways:
            await bench.tick()
            for _ in range(VISITORS_MAX + 1):
                last = await enter(await ways.enter_async_context(over_tcp(bench)), a_residents_pass())
                await last.look()
            await (await enter(await ways.enter_async_context(over_tcp(bench)))).look()
            await last.look()
            for name in "abc":
                other = await enter(await ways.enter_async_context(over_tcp(bench)), a_residents_pass(name))
                if name != "c":
                    await other.look()
            with pytest.raises((Silent, ConnectionError)):
                async with asyncio.timeout(1):
                    await other.look()

    run(test())


def test_who_proves_nothing_gets_few_signatures_and_delays_no_meter(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            greeting = b"\x00" + cbor.encode([0, [1], bytes([9]) + bytes(31), bytes(16)])
            longest_s = [0.0]

            async def watch() -> None:
                while True:
                    before_s = wall.monotonic()
                    await asyncio.sleep(0.001)
                    longest_s[0] = max(longest_s[0], wall.monotonic() - before_s)

            watching = asyncio.create_task(watch())
            async with over_tcp(bench) as (reader, writer):
                writer.write(frame(greeting) * 2000)
                framer, answers = Framer(), 0
                async with asyncio.timeout(5):
                    while data := await reader.read(65536):
                        answers += len(framer.feed(data))
            watching.cancel()
            assert 0 < answers <= UNPROVEN_MAX
            assert longest_s[0] < 0.2

    run(test())


def test_an_answer_offered_again_and_again_is_kept_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench, AsyncExitStack() as ways:
            visitor = await enter(await ways.enter_async_context(over_tcp(bench)))
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            now = bench.time
            old, new = (wish(SetClock(60), Slot.SET_CLOCK, seq=seq) for seq in (1, 2))
            switch = a_command(meter=100, seq=1, relay=0)
            await visitor.load(ToGateway("gw1", now(), (old, new, old, switch), None))
            kept = bench.agent.spool.count
            for _ in range(20):
                bench.time.now_us += 1_000_000
                await visitor.load(ToGateway("gw1", now(), (old, new, switch), None))
            assert bench.agent.spool.count == kept
            bench.broker.start()
            assert await bench.agent.wait_drained(10)
            receipts = bench.headend.codes().count("standing_receipt")
            await bench.headend.order(new)
            await eventually(lambda: bench.headend.codes().count("standing_receipt") == receipts + 1)

    run(test())


def test_a_code_on_a_slow_line_is_answered_however_long_its_meter_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairwatt.edge.local.http.WITHIN_S", 0.1)

    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            bench.sims[0].relay_closed = False
            bench.sims[0].faults.add(Fault(FaultKind.MUTE))
            status, body = await post(bench, "/code", home="4-201", code=a_code())
            assert (status, "power comes on as soon as it does" in body) == (200, True)

    run(test())


@pytest.mark.parametrize("origin", ["http://[", "//", "127.0.0.1:8080", "null"])
def test_an_origin_that_is_none_is_not_ours(tmp_path: Path, origin: str) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            cookie, token = await opened(bench)
            form = {"home": "4-201", "code": a_code(), "token": token}
            assert (await say(bench, a_request("/code", form=form, Cookie=cookie, Origin=origin)))[0] == 403

    run(test())


def test_idle_callers_keep_no_dtu_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench, AsyncExitStack() as calls:
            async with deaf_converter() as port:
                pass
            bus = BusConfig(
                name="floor 1",
                listen_host="127.0.0.1",
                listen_port=port,
                registration="ascii:DTU-{id:4}",
                dtu="0001",
                reply_within_ms=500,
                meters=(MeterConfig(number=100, address="000000000001"),),
            )
            await with_buses(bench, bus)
            idle: list[asyncio.StreamWriter] = []
            for _ in range(_CALLERS_MAX + 3):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                calls.callback(writer.close)
                idle.append(writer)
            _, dtu = await asyncio.open_connection("127.0.0.1", port)
            calls.callback(dtu.close)
            dtu.write(b"DTU-0001")
            (door,) = bench.agent.meters._doors.values()
            await eventually(lambda: door.line(bus="floor 1") is not None)
            assert len(door._callers) <= _CALLERS_MAX

    run(test())


def test_a_meter_that_says_more_than_there_is_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        profile = load_profile(key="modbus_single_phase")
        sims = [SimModbusMeter(profile=profile, unit=str(n), register_wh=1_000 * n) for n in (1, 2)]
        sims[0].quantities = {"power_w": 3 * 10**38}
        async with (
            Line(answer=SimModbusBus(meters=sims, rtu=True).answer) as line,
            a_gateway(tmp_path) as bench,
        ):
            meters = tuple(MeterConfig(number=200 + n, address=str(n), profile=profile.key) for n in (1, 2))
            bus = BusConfig(
                name="modbus", host="127.0.0.1", port=line.port, reply_within_ms=200, meters=meters
            )
            await with_buses(bench, bus)
            await bench.tick()
            kept = [(one.meter, one.total_wh, one.power_w) for one in bench.headend.readings()]
            assert kept == [(201, 1_000, UNKNOWN_I32), (202, 2_000, 0)]
            await bench.restart()
            assert bench.headend.codes() == []

    run(test())


def test_a_restore_taken_with_a_clock_ahead_lasts_no_longer_than_one_may(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await cut_off(bench)
            true_us = bench.time.now_us
            bench.headend.time = lambda: true_us  # type: ignore[assignment]
            bench.time.now_us += 3 * DAY_US
            answer = await bench.agent.local.enter(meter=100, text=a_code(hours=72))
            assert answer.outcome == Outcome.ACCEPTED
            bench.broker.start()
            await eventually(lambda: "clock_offset" in bench.headend.codes(), within_s=10)
            assert bench.agent.guard.restored[100] <= true_us + 3 * DAY_US + MINUTE_US
            await bench.restart()
            assert bench.agent.guard.restored[100] <= true_us + 3 * DAY_US + MINUTE_US

    run(test())


def test_a_memory_that_was_lost_beside_its_mark_obeys_no_order_of_before(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            at_us = await bench.tick()
            rich, poor = (
                a_grant(register_wh=10_000, available_micro=micro, at_us=at_us) for micro in (900_000_000, -1)
            )
            old = a_command(meter=100, seq=1, relay=RelayOrder.CLOSED, grant=rich, issued_us=at_us)
            await bench.obeyed(old)
            await bench.obeyed(
                a_command(meter=100, seq=2, relay=RelayOrder.OPEN, grant=poor, issued_us=at_us)
            )
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await bench.agent.stop()
            for file in tmp_path.glob("spool.db*"):
                file.unlink()
            bench.time.forward()
            await bench.restart_stopped(online=False)
            async with over_tcp(bench) as streams:
                await (await enter(streams)).load(ToGateway("gw1", bench.time(), (old,), None))
            assert not bench.sims[0].relay_closed, "credit that was used up since is not given again"
            assert bench.agent.guard.available_micro(wallet=1) is None
            bench.broker.start()
            assert await bench.agent.wait_connected(10)
            assert await bench.agent.wait_drained(10)
            assert bench.headend.codes().count("spool_rolled_back") == 1
            now_us = await bench.tick()
            await bench.obeyed(a_command(meter=100, seq=3, relay=RelayOrder.CLOSED, issued_us=now_us))
            assert bench.sims[0].relay_closed, "an order of after is obeyed"

    run(test())
