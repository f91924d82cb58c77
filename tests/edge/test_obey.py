"""Commands at the gateway: obeyed once, answered always, believed only with a reading."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.rig import (
    GATEWAY_KEY,
    ISSUER,
    MINUTE_US,
    START_US,
    Bench,
    a_bench,
    a_command,
    a_grant,
    eventually,
    run,
)
from fairwatt.edge.obey import Obeyer
from fairwatt.simulate.meters import Fault, FaultKind
from fairwatt.wire import cose
from fairwatt.wire.commands import RelayOrder, Result, hash8
from fairwatt.wire.frames import Kind
from fairwatt.wire.records import Relay


def moves(bench: Bench, n: int = 0) -> list[bool]:
    return [move.closed for move in bench.sims[n].moves]


def test_an_order_moves_the_relay_and_the_next_reading_proves_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            at_us = await bench.tick()
            message = a_command(meter=100, seq=1, relay=RelayOrder.OPEN)
            await bench.obeyed(message)
            assert not bench.sims[0].relay_closed
            assert bench.sims[1].relay_closed
            (receipt,) = bench.headend.receipts()
            assert (receipt.meter, receipt.seq, receipt.result) == (100, 1, Result.APPLIED)
            assert (receipt.relay, receipt.command_hash8) == (Relay.OPEN, hash8(message))
            proof = bench.headend.readings()[-1]
            assert (proof.meter, proof.relay) == (100, Relay.OPEN)
            assert proof.at_us == at_us + 1, "two relay states need two instants"
            await bench.obeyed(a_command(meter=100, seq=2, relay=RelayOrder.CLOSED))
            assert bench.headend.readings()[-1].relay == Relay.CLOSED

    run(test())


def test_the_same_bytes_again_get_the_same_receipt_and_move_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            message = a_command(meter=100, seq=1, relay=RelayOrder.OPEN)
            await bench.obeyed(message)
            bench.time.forward()
            await bench.obeyed(message)
            first, second = bench.headend.bodies(Kind.RECEIPT)
            assert first == second
            assert moves(bench) == [False]
            await bench.restart()
            await bench.obeyed(message)
            assert bench.headend.bodies(Kind.RECEIPT) == [first] * 3
            assert moves(bench) == [False]

    run(test())


def test_the_same_number_on_other_bytes_is_an_alarm_and_is_not_obeyed(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.CLOSED))
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
            assert bench.headend.receipts()[-1].result == Result.OTHER_BYTES
            assert "command_forged" in bench.headend.codes()
            assert bench.sims[0].relay_closed

    run(test())


def test_an_older_command_is_stale_also_after_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            await bench.obeyed(a_command(meter=100, seq=5, relay=RelayOrder.CLOSED))
            await bench.restart()
            await bench.obeyed(a_command(meter=100, seq=4, relay=RelayOrder.OPEN))
            assert bench.headend.receipts()[-1].result == Result.STALE
            assert bench.sims[0].relay_closed
            assert moves(bench) == []

    run(test())


def test_an_expired_command_is_not_obeyed_and_does_not_use_up_its_number(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            await bench.obeyed(
                a_command(meter=100, seq=1, relay=RelayOrder.OPEN, expires_us=bench.time() - MINUTE_US)
            )
            assert bench.headend.receipts()[-1].result == Result.EXPIRED
            assert bench.sims[0].relay_closed
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
            assert bench.headend.receipts()[-1].result == Result.APPLIED

    run(test())


def test_forged_commands_move_nothing_and_cannot_flood_the_memory(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            message = a_command(meter=100, seq=1, relay=RelayOrder.OPEN)
            forged = [message[:-1] + bytes([n]) for n in range(50) if n != message[-1]]
            other = cose.sign(payload=b"\x80", key=ISSUER, kid=b"\x07", domain=cose.COMMAND)
            await bench.headend.order(*forged, other, b"garbage")
            await eventually(lambda: bool(bench.headend.receipts()))
            assert await bench.agent.wait_drained(5.0)
            assert [receipt.result for receipt in bench.headend.receipts()] == [Result.BAD_SIGNATURE]
            assert bench.headend.codes() == ["command_bad_signature"]
            assert bench.sims[0].relay_closed

    run(test())


def test_a_command_for_a_meter_that_is_elsewhere_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.headend.order(a_command(meter=999, seq=1, relay=RelayOrder.OPEN))
            await eventually(lambda: "command_unknown_meter" in bench.headend.codes())

    run(test())


def test_a_silent_meter_obeys_when_it_is_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            bench.sims[0].faults.add(Fault(FaultKind.MUTE, until_us=bench.time() + 2 * MINUTE_US))
            await bench.headend.order(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
            await bench.tick()
            assert bench.headend.receipts() == []
            assert bench.agent.spool.open_commands() != []
            await bench.tick()
            assert [receipt.result for receipt in bench.headend.receipts()] == [Result.APPLIED]
            assert not bench.sims[0].relay_closed

    run(test())


def test_an_order_cut_short_by_a_power_failure_is_done_after_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            # What the disk holds when the plug is pulled between remembering and doing.
            message = a_command(meter=100, seq=1, relay=RelayOrder.OPEN)
            bench.agent.spool.keep_command(meter=100, seq=1, message=message)
            await bench.restart()
            await bench.tick()
            assert not bench.sims[0].relay_closed
            assert [receipt.result for receipt in bench.headend.receipts()] == [Result.APPLIED]

    run(test())


def test_an_accepted_order_is_carried_out_though_its_key_was_changed_since(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            message = a_command(meter=100, seq=1, relay=RelayOrder.OPEN)
            bench.agent.spool.keep_command(meter=100, seq=1, message=message)
            bench.agent.config = replace(bench.agent.config, issuers={b"\x09": GATEWAY_KEY.public_key()})
            await bench.restart()
            await bench.tick()
            assert not bench.sims[0].relay_closed
            assert [receipt.result for receipt in bench.headend.receipts()] == [Result.APPLIED]

    run(test())


@pytest.mark.parametrize("kept", [b"garbage", a_command(meter=101, seq=1, relay=RelayOrder.OPEN)])
def test_a_kept_order_that_cannot_be_used_is_answered_and_dropped(tmp_path: Path, kept: bytes) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            bench.agent.spool.keep_command(meter=100, seq=1, message=kept)
            await bench.restart()
            for _ in range(2):
                await bench.tick()
            assert len(bench.headend.readings()) == 4
            (receipt,) = bench.headend.receipts()
            assert (receipt.meter, receipt.seq, receipt.result) == (100, 1, Result.METER_REFUSED)
            assert bench.headend.codes() == ["meter_refused"]
            assert all(sim.relay_closed for sim in bench.sims)
            await bench.obeyed(a_command(meter=100, seq=2, relay=RelayOrder.OPEN))
            assert not bench.sims[0].relay_closed

    run(test())


def test_a_kept_grant_or_count_that_cannot_be_used_stops_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            grant = a_grant(register_wh=20_000, available_micro=7_000_000)
            await bench.obeyed(a_command(meter=101, seq=1, relay=RelayOrder.LEAVE, grant=grant))
            bench.agent.spool.put([("grant/100", b"\x80"), ("grant/x", b"\x80"), ("guard", b"garbage")])
            await bench.restart()
            await bench.tick()
            assert len(bench.headend.readings()) == 4
            assert bench.agent.guard.available_micro(wallet=1) == 7_000_000

    run(test())


def test_a_message_that_breaks_the_program_does_not_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:

            async def breaks(self: Obeyer, message: bytes) -> None:
                raise RuntimeError("a fault of our own")

            with monkeypatch.context() as patch:
                patch.setattr(Obeyer, "take", breaks)
                await bench.headend.order(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
                await bench.tick()
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
            await bench.tick()
            assert not bench.sims[0].relay_closed

    run(test())


def test_a_meter_that_refuses_is_told_by_name(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            bench.sims[0].password = "02999999"
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
            (receipt,) = bench.headend.receipts()
            assert (receipt.result, receipt.relay) == (Result.METER_REFUSED, Relay.CLOSED)
            assert "meter_refused" in bench.headend.codes()

    run(test())


def test_a_stuck_relay_is_acknowledged_but_the_proof_tells_the_truth(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            bench.sims[0].faults.add(Fault(FaultKind.STUCK_RELAY))
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.OPEN))
            assert bench.headend.receipts()[-1].relay == Relay.CLOSED
            assert bench.headend.readings()[-1].relay == Relay.CLOSED

    run(test())


def test_a_command_that_leaves_the_relay_only_renews_the_grant(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            grant = a_grant(register_wh=10_000, available_micro=7_000_000)
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.LEAVE, grant=grant))
            assert bench.headend.receipts()[-1].available_micro == 7_000_000
            assert bench.sims[0].moves == []
            await bench.restart()
            assert bench.agent.guard.available_micro(wallet=1) == 7_000_000

    run(test())


def test_the_instants_of_a_meters_readings_only_rise(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            for seq in range(1, 4):
                await bench.obeyed(a_command(meter=100, seq=seq, relay=RelayOrder.CLOSED))
            await bench.tick()
            instants = [reading.at_us for reading in bench.headend.readings() if reading.meter == 100]
            assert len(instants) == 5
            assert instants == sorted(set(instants))
            assert instants[0] == START_US + MINUTE_US

    run(test())


def test_a_dead_meter_does_not_keep_its_neighbours_order_from_the_bus(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            bench.sims[0].faults.add(Fault(FaultKind.MUTE))
            before = bench.bus.requests
            dead = a_command(meter=100, seq=1, relay=RelayOrder.OPEN)
            for _ in range(40):
                await bench.headend.order(dead)  # the head-end offers it again until it is answered
            await bench.headend.order(a_command(meter=101, seq=1, relay=RelayOrder.OPEN))
            await eventually(lambda: not bench.sims[1].relay_closed)
            assert bench.bus.requests - before < 20, "one order's attempts, not forty's"

    run(test())
