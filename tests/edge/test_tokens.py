"""A payment carried to a gateway as twenty digits: light with no line at all, once, and only until a grant knows it."""

from pathlib import Path

import pytest

from edge.rig import MINUTE_US, START_US, Bench, a_command, a_grant, eventually, run
from edge.test_restore_codes import cut_off, events, typed
from edge.visiting import CODE_KEY, DAY_US, a_gateway
from fairwatt.core.commands import carried_payment, restore_code
from fairwatt.core.commands.carried_payment import Outcome
from fairwatt.wire.commands import RelayOrder, SetSupply


def marker(meter: int, said: bytes) -> bytes:
    return restore_code.mark_of(key=CODE_KEY, meter=meter, said=said)


def a_token(*, meter: int = 100, amount_micro: int = 50_000_000, paid_us: int) -> str:
    made = carried_payment.write_token(marker=marker, meter=meter, amount_micro=amount_micro, paid_us=paid_us)
    assert amount_micro <= made.amount_micro <= amount_micro * 10_002 // 10_000
    return made.digits


def left(bench: Bench) -> int:
    found = bench.agent.guard.available_micro(wallet=1)
    assert found is not None
    return found


def test_a_token_gives_light_once_and_counts_until_a_grant_knows_its_payment(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await cut_off(bench)
            owed, paid_us = left(bench), bench.time.now_us
            assert await typed(bench, a_token(meter=101, paid_us=paid_us)) == Outcome.OTHER_METER
            assert await typed(bench, a_token(paid_us=paid_us)) == Outcome.ACCEPTED
            assert bench.sims[0].relay_closed
            carried = left(bench) - owed
            assert 50_000_000 <= carried < 50_010_000
            assert await typed(bench, a_token(paid_us=paid_us)) == Outcome.USED
            bench.sims[0].add_energy(200)
            await bench.tick(drained=False)
            before = left(bench)
            assert before == owed + carried - 100_000, "and use is counted on from it"
            await bench.restart(online=False)
            assert left(bench) == before, "a pulled plug forgets neither the credit"
            assert await typed(bench, a_token(paid_us=paid_us)) == Outcome.USED, "nor that it was used"
            kept = (tmp_path / "spool.db").read_bytes() + (tmp_path / "spool.kept").read_bytes()
            assert marker(100, b"fairwatt/v1/carried-payment/93")[:16] not in kept
            bench.broker.start()
            assert await bench.agent.wait_connected(10)
            assert await bench.agent.wait_drained(10)
            (told,) = events(bench, "token_taken")
            assert (told.meter, told.detail["amount_micro"]) == (100, carried)
            now_us = await bench.tick()
            grant = a_grant(register_wh=bench.sims[0].register_wh, available_micro=48_000_000, at_us=now_us)
            order = a_command(meter=100, seq=2, relay=RelayOrder.LEAVE, grant=grant, issued_us=now_us)
            await bench.obeyed(order)
            assert left(bench) == 48_000_000, "the ledger is the truth"
            assert await typed(bench, a_token(amount_micro=1_000_000, paid_us=now_us)) == "token_in_balance"
            assert left(bench) == 48_000_000

    run(test())


def test_what_the_server_cut_before_the_line_went_a_token_brings_back_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            at_us = await bench.tick()
            grant = a_grant(register_wh=bench.sims[0].register_wh, available_micro=-60_000_000, at_us=at_us)
            cut = SetSupply(RelayOrder.OPEN, "balance_empty", grant)
            await bench.obeyed(a_command(meter=100, seq=1, relay=RelayOrder.OPEN, body=cut))
            assert not bench.sims[0].relay_closed
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            for _ in range(4):
                await bench.tick(drained=False)
            first, second = (bench.time.now_us - n * MINUTE_US for n in (1, 0))
            assert await typed(bench, a_token(paid_us=second)) == "token_accepted_short"
            assert not bench.sims[0].relay_closed
            assert await typed(bench, a_token(paid_us=first)) == Outcome.ACCEPTED, "in whichever order"
            assert bench.sims[0].relay_closed

    run(test())


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("99999999999999999999", Outcome.MISTYPED),
        (a_token(paid_us=START_US - 32 * DAY_US), Outcome.EXPIRED),
        (a_token(paid_us=START_US + 2 * DAY_US), Outcome.NOT_YET),
        (a_token(paid_us=START_US), "token_no_grant"),
    ],
)
def test_what_no_token_can_do_here_is_named_and_moves_nothing(
    tmp_path: Path, text: str, outcome: str
) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            assert await typed(bench, text) == outcome

    run(test())


def test_a_wrong_digit_is_a_try_and_a_guesser_waits(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await cut_off(bench)
            right = a_token(paid_us=bench.time.now_us)
            wrong = f"{right[:-1]}{(int(right[-1]) + 1) % 10}"
            for _ in range(3):
                assert await typed(bench, wrong) == Outcome.WRONG
            assert await typed(bench, right) == "locked"
            await bench.restart(online=False)
            assert await typed(bench, right) == "locked"
            bench.time.forward(2)
            assert await typed(bench, right) == Outcome.ACCEPTED

    run(test())


def test_a_token_of_before_a_new_base_date_is_taken_after_it() -> None:
    new_year_us = 1_388_534_400_000_000  # 2014-01-01
    before, after = new_year_us - 5 * MINUTE_US, new_year_us + 5 * MINUTE_US
    kept = carried_payment.new_meter(marker=marker, meter=100, at_us=before)
    verdicts = []
    for paid_us in (before, after, before, after):
        token = a_token(paid_us=paid_us)
        verdict = carried_payment.judge(
            kept=kept, digits=token, meter=100, others=(), marker=marker, now_us=after
        )
        kept = verdict.after
        verdicts.append((verdict.outcome, verdict.paid_us))
    assert verdicts == [
        (Outcome.ACCEPTED, before),
        (Outcome.ACCEPTED, after),
        (Outcome.USED, 0),
        (Outcome.USED, 0),
    ]
