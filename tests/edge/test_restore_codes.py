"""A code typed at the gateway: supply for its hours, once, with no line at all, and told when the line is back."""

from pathlib import Path

import pytest

from edge.rig import GATEWAY_KEY, Bench, a_command, a_grant, eventually, run
from edge.visiting import DAY_US, a_code, a_gateway
from fairwatt.core.commands.restore_code import Outcome
from fairwatt.edge.local.emergency import RESTORED
from fairwatt.simulate.meters import Fault, FaultKind
from fairwatt.wire import cose
from fairwatt.wire.commands import RelayOrder, Result, SetSupply
from fairwatt.wire.frames import Event


async def typed(bench: Bench, text: str, meter: int = 100) -> str:
    assert bench.agent.local is not None
    return str((await bench.agent.local.enter(meter=meter, text=text)).outcome)


async def cut_off(bench: Bench) -> None:
    """Empty meter 100's wallet with the line down, until the guard has opened the relay."""
    at_us = await bench.tick()
    grant = a_grant(register_wh=bench.sims[0].register_wh, available_micro=100_000, at_us=at_us)
    await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.LEAVE, grant=grant))
    bench.broker.stop()
    await eventually(lambda: not bench.agent.link.connected.is_set())
    for _ in range(8):
        bench.sims[0].add_energy(100)
        await bench.tick(drained=False)
    assert not bench.sims[0].relay_closed


def events(bench: Bench, code: str) -> list[Event]:
    return [event for event in bench.headend.events() if event.code == code]


def test_supply_comes_back_without_a_line_lasts_its_hours_and_is_told_later(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await cut_off(bench)
            assert await typed(bench, a_code(hours=1)) == Outcome.ACCEPTED
            assert bench.sims[0].relay_closed
            started_us = bench.time.now_us
            for _ in range(59):
                bench.sims[0].add_energy(100)
                await bench.tick(drained=False)
                assert bench.sims[0].relay_closed, "nothing is cut while it is in force"
            counted = bench.agent.guard.available_micro(wallet=1)
            assert counted is not None and counted <= -59 * 100 * 500, "and use is counted on"
            for _ in range(3):
                await bench.tick(drained=False)
            assert not bench.sims[0].relay_closed, "its hour is over"
            bench.broker.start()
            assert await bench.agent.wait_drained(10)
            (told,) = events(bench, "restored")
            assert told.detail["until_us"] == started_us + 3_600_000_000
            assert (told.detail["how"], told.detail["counter"], told.detail["hours"]) == ("code", 1, 1)
            signed = told.detail["signed"]
            assert isinstance(signed, bytes)
            assert cose.verify(message=signed, keys={b"\x02": GATEWAY_KEY.public_key()}, domain=RESTORED)
            assert len(events(bench, "restore_ended")) == 1

    run(test())


def test_a_code_works_once_also_over_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await cut_off(bench)
            code = a_code(hours=24)
            assert await typed(bench, code) == Outcome.ACCEPTED
            await bench.restart(online=False)
            assert bench.agent.guard.restored, "it is still in force"
            assert await typed(bench, code) == Outcome.USED
            assert await typed(bench, a_code(counter=3)) == Outcome.ACCEPTED
            assert await typed(bench, a_code(counter=2)) == Outcome.OLD

    run(test())


def test_a_guesser_waits_ever_longer_and_a_pulled_plug_does_not_help(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            forged = a_code(meter=999)
            for _ in range(3):
                assert await typed(bench, forged) == Outcome.WRONG
            assert await typed(bench, a_code()) == "locked"
            await bench.restart()
            assert await typed(bench, a_code()) == "locked"
            bench.time.forward(2)
            assert await typed(bench, forged) == Outcome.WRONG
            bench.time.forward(1)
            assert await typed(bench, a_code()) == "locked"
            assert await typed(bench, a_code(meter=101), meter=101) == Outcome.ACCEPTED, (
                "a neighbour is not locked"
            )
            bench.time.forward(2)
            assert await typed(bench, a_code()) == Outcome.ACCEPTED
            assert await bench.agent.wait_drained(5)
            assert [event.detail["failures"] for event in events(bench, "restore_code_refused")] == [
                1,
                2,
                3,
                4,
            ]

    run(test())


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("1234 5678 9012 3456", Outcome.MISTYPED),
        ("12345678901234567890", "token_wrong"),
        ("123", "unknown_code"),
        ("hello", "unknown_code"),
        (a_code(meter=101), Outcome.OTHER_METER),
        (a_code(day=0), Outcome.WRONG),
    ],
)
def test_what_is_no_code_for_this_meter_is_named_and_moves_nothing(
    tmp_path: Path, text: str, outcome: str
) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            bench.sims[0].relay_closed = False
            assert await typed(bench, text) == outcome
            assert not bench.sims[0].relay_closed

    run(test())


def test_a_silent_meter_is_closed_when_it_answers_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            bench.sims[0].relay_closed = False
            bench.sims[0].faults.add(Fault(FaultKind.MUTE))
            assert await typed(bench, a_code()) == "accepted_waits"
            assert await typed(bench, a_code()) == Outcome.USED
            bench.sims[0].faults.clear()
            await bench.tick()
            await bench.tick()
            assert bench.sims[0].relay_closed

    run(test())


def test_a_cut_that_was_decided_before_the_head_end_knew_is_not_carried_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            assert await typed(bench, a_code()) == Outcome.ACCEPTED
            cut = SetSupply(RelayOrder.OPEN, "balance_empty", None)
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.OPEN, body=cut))
            assert bench.sims[0].relay_closed
            assert bench.headend.receipts()[-1].result == Result.METER_REFUSED
            by_hand = SetSupply(RelayOrder.OPEN, "operator", None)
            await bench.obeyed(a_command(meter=100, seq=2, relay=RelayOrder.OPEN, body=by_hand))
            assert not bench.sims[0].relay_closed, "an operator's order is none for credit"

    run(test())


def test_a_code_is_typed_within_its_days(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            code = a_code()
            bench.time.now_us += 4 * DAY_US
            assert await typed(bench, code) == Outcome.EXPIRED

    run(test())
