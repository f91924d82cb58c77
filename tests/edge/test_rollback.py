"""A memory put back from an older copy: noticed whatever happened since, told, and nothing done on old news."""

import shutil
from pathlib import Path

import pytest

from edge.rig import GATEWAY_KEY, MINUTE_US, Bench, a_bench, a_command, a_grant, eventually, run
from edge.test_alone import alone, grant
from edge.test_restore_codes import typed
from edge.test_standing import NEXT, wish
from edge.visiting import DAY_US, a_code, a_gateway, a_pass
from fairwatt.core.commands.restore_code import Outcome
from fairwatt.simulate.meters import Fault, FaultKind
from fairwatt.wire.commands import RelayOrder, Result, verify_receipt
from fairwatt.wire.permits import unverified_permit
from fairwatt.wire.records import Relay
from fairwatt.wire.standing import Configure, Slot, TrustIssuer


async def copied(bench: Bench, folder: Path) -> Path:
    """Stop, take a picture of the disk, go on."""
    await bench.agent.stop()
    copy = folder / "copy"
    copy.mkdir()
    for file in folder.glob("spool.db*"):
        shutil.copy(file, copy)
    await bench.restart_stopped()
    return copy


async def put_back(bench: Bench, copy: Path, *, online: bool = True, marked: bool = False) -> None:
    """Put the copy in the memory's place; a whole disk's, with the mark, or (`marked`) the file's alone."""
    await bench.agent.stop()
    folder = bench.agent.config.spool.parent
    for file in folder.glob("spool.db*"):
        file.unlink()
    if not marked:
        (folder / "spool.mark").unlink(missing_ok=True)
        (folder / "spool.kept").unlink(missing_ok=True)
    for file in copy.iterdir():
        shutil.copy(file, folder)
    await bench.restart_stopped(online=online)


def by_number(bench: Bench) -> list[tuple[int, int]]:
    return [(reading.meter, reading.at_us) for reading in bench.headend.readings()]


@pytest.mark.parametrize("marked", [False, True], ids=["a disk", "a file"])
@pytest.mark.parametrize(
    "minutes_alone", [0, 1, 40], ids=["at once", "fewer than were lost", "more than were lost"]
)
def test_an_older_copy_is_known_however_much_it_has_written_since(
    tmp_path: Path, minutes_alone: int, marked: bool
) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            copy = await copied(bench, tmp_path)
            epoch = bench.agent.spool.epoch
            for _ in range(10):
                await bench.tick()
            bench.broker.stop()
            await put_back(bench, copy, online=False, marked=marked)
            for _ in range(minutes_alone):
                await bench.tick(drained=False)
            bench.broker.start()
            await eventually(lambda: "spool_rolled_back" in bench.headend.codes(), within_s=10)
            assert await bench.agent.wait_drained(10.0)
            await bench.tick()
            assert bench.agent.spool.epoch > epoch
            assert bench.headend.codes().count("spool_rolled_back") == 1
            every = 2 * (1 + 10 + minutes_alone + 1)
            assert len(by_number(bench)) == len(set(by_number(bench))) == every, "none lost, none doubled"

    run(test())


def test_a_memory_that_was_only_switched_off_is_not_taken_for_an_older_one(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            epoch = bench.agent.spool.epoch
            for silent in (False, True, False):
                bench.headend.silent = silent
                await bench.tick(drained=False)
                await bench.restart()
            bench.broker.stop()
            for _ in range(3):
                await bench.tick(drained=False)
                await bench.restart(online=False)
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            assert bench.agent.spool.epoch == epoch
            assert bench.headend.codes() == []

    run(test())


def test_a_mark_in_another_place_tells_an_older_copy_before_anybody_is_asked(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path, spool_mark=tmp_path / "elsewhere") as bench:
            await grant(bench, 200_000)
            copy = await copied(bench, tmp_path)
            epoch = bench.agent.spool.epoch
            await bench.tick()
            bench.broker.stop()
            await put_back(bench, copy, online=False)
            assert bench.agent.guard.is_doubted(meter=100), "known at the start"
            assert bench.agent.spool.epoch > epoch
            await alone(bench, 12)
            assert bench.sims[0].relay_closed, "nobody is cut on a grant of before"
            await bench.restart(online=False)
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            assert bench.headend.codes().count("spool_rolled_back") == 1
            assert len(by_number(bench)) == len(set(by_number(bench))), "none doubled"

    run(test())


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(20), None])
def test_a_mark_that_cannot_be_read_says_nothing(tmp_path: Path, content: bytes | None) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            epoch = bench.agent.spool.epoch
            await bench.agent.stop()
            mark = tmp_path / "spool.mark"
            if content is None:
                mark.unlink()
                mark.mkdir()
            else:
                mark.write_bytes(content)
            await bench.restart_stopped()
            await bench.tick()
            assert bench.agent.spool.epoch == epoch
            assert bench.headend.codes() == []

    run(test())


def test_orders_of_before_are_refused_and_orders_of_after_obeyed(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            copy = await copied(bench, tmp_path)
            cut = a_command(meter=100, seq=1, relay=RelayOrder.OPEN, issued_us=bench.time())
            await bench.obeyed(cut)
            await bench.obeyed(a_command(meter=100, seq=2, relay=RelayOrder.CLOSED, issued_us=bench.time()))
            bench.time.forward()
            await put_back(bench, copy)
            await eventually(lambda: "spool_rolled_back" in bench.headend.codes())
            await bench.obeyed(cut)
            assert bench.headend.receipts()[-1].result == Result.STALE
            assert bench.sims[0].relay_closed, "a paid home is not cut by an order that was undone long ago"
            await bench.restart()
            await bench.obeyed(a_command(meter=101, seq=1, relay=RelayOrder.OPEN, issued_us=bench.time() - 1))
            assert bench.headend.receipts()[-1].result == Result.STALE, "nor after a restart"
            await bench.obeyed(a_command(meter=100, seq=3, relay=RelayOrder.OPEN, issued_us=bench.time()))
            assert not bench.sims[0].relay_closed

    run(test())


def test_nobody_is_cut_on_a_grant_of_before_until_a_fresh_one_comes(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await grant(bench, 200_000)
            copy = await copied(bench, tmp_path)
            paid = a_grant(
                register_wh=bench.sims[0].register_wh, available_micro=50_000_000, at_us=bench.time()
            )
            await bench.obeyed(
                a_command(meter=100, seq=2, relay=RelayOrder.LEAVE, grant=paid, issued_us=bench.time())
            )
            bench.time.forward()
            await put_back(bench, copy)
            await eventually(lambda: "spool_rolled_back" in bench.headend.codes())
            assert bench.agent.guard.is_doubted(meter=100)
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await alone(bench, 12)
            await bench.restart(online=False)
            await alone(bench, 3)
            assert bench.sims[0].relay_closed, "the old grant is used up, but it is old"
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            withheld = [event for event in bench.headend.events() if event.code == "local_withheld"]
            assert {event.detail["rule"] for event in withheld} == {"withhold.quarantined"}
            fresh = a_grant(
                register_wh=bench.sims[0].register_wh, available_micro=100_000, at_us=bench.time()
            )
            await bench.obeyed(
                a_command(
                    meter=100,
                    seq=3,
                    relay=RelayOrder.LEAVE,
                    issued_us=bench.time(),
                    grant=fresh._replace(warned_at_us=bench.time() - 10 * MINUTE_US),
                )
            )
            assert not bench.agent.guard.is_doubted(meter=100)
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await alone(bench, 6)
            assert not bench.sims[0].relay_closed, "the fresh one is believed"
            bench.broker.start()
            assert await bench.agent.wait_drained(10.0)
            await bench.tick()
            assert bench.headend.readings()[-2].relay == Relay.OPEN

    run(test())


def test_what_the_head_end_lost_is_said_again_from_the_memory(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            for _ in range(6):
                await bench.tick()
            epoch, last = bench.agent.spool.epoch, bench.agent.spool.last_seq
            kept = dict(bench.headend.stored)
            # The head-end's database is put back to where it knew two records.
            bench.headend.stored = {key: item for key, item in kept.items() if key[1] <= 2}
            bench.headend.upto[epoch] = 2
            await bench.agent.poll_once(bench.time.forward())
            await eventually(lambda: (epoch, last + 1) in bench.headend.stored)
            await bench.headend.say_again(after_seq=2)
            assert await bench.agent.wait_drained(5.0)
            assert {key: bench.headend.stored[key] for key in kept} == kept
            assert bench.headend.upto[epoch] == last + 1

    run(test())


def standing_results(bench: Bench) -> list[int]:
    messages = [e.detail["message"] for e in bench.headend.events() if e.code == "standing_receipt"]
    keys = {b"\x02": GATEWAY_KEY.public_key()}
    return [verify_receipt(message=one, keys=keys).result for one in messages if isinstance(one, bytes)]


async def with_another_issuer(bench: Bench) -> None:
    """Retire the key that the gateway was set up with; the next one orders from now on."""
    public = NEXT.public_key().public_bytes_raw()
    retire = wish(TrustIssuer("gw1", b"\x09", public, b"\x01"), Slot.TRUST_ISSUER, meter=0)
    await bench.headend.order(retire)
    await eventually(lambda: any(e.detail.get("kids") == "09" for e in bench.headend.events()))
    await bench.tick()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["a file", "a disk"])
def test_a_retired_issuer_stays_retired_when_an_older_copy_is_put_back(
    tmp_path: Path, elsewhere: bool
) -> None:
    async def test() -> None:
        place = {"spool_mark": tmp_path / "elsewhere.mark"} if elsewhere else {}
        async with a_bench(tmp_path, **place) as bench:
            await bench.tick()
            copy = await copied(bench, tmp_path)
            await with_another_issuer(bench)
            await put_back(bench, copy, marked=not elsewhere)
            await eventually(lambda: "spool_rolled_back" in bench.headend.codes())
            assert set(bench.agent.standing.issuers) == {b"\x09"}
            await bench.headend.order(wish(Configure("gw1", (("interval_s", 900),)), Slot.CONFIGURE, meter=0))
            await eventually(lambda: "command_bad_signature" in bench.headend.codes())
            assert bench.agent.config.interval_s == 60
            bench.time.forward()
            await bench.headend.order(
                a_command(
                    meter=100, seq=1, relay=RelayOrder.OPEN, issued_us=bench.time(), key=NEXT, kid=b"\x09"
                )
            )
            await eventually(lambda: not bench.sims[0].relay_closed)

    run(test())


def test_wishes_of_before_are_refused_and_wishes_of_after_carried_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            first = wish(Configure("gw1", (("interval_s", 30),)), Slot.CONFIGURE, meter=0)
            await bench.tick()
            copy = await copied(bench, tmp_path)
            await bench.headend.order(first)
            await bench.headend.order(wish(Configure("gw1", ()), Slot.CONFIGURE, seq=2, meter=0))
            await eventually(lambda: standing_results(bench) == [Result.APPLIED] * 2)
            bench.time.forward()
            await put_back(bench, copy)
            await eventually(lambda: "spool_rolled_back" in bench.headend.codes())
            await bench.headend.order(first)
            await eventually(lambda: standing_results(bench)[2:] == [Result.STALE])
            assert bench.agent.config.interval_s == 60, "a setting that was taken back long ago stays so"
            again = wish(
                Configure("gw1", (("interval_s", 45),)), Slot.CONFIGURE, seq=3, meter=0, at_us=bench.time()
            )
            await bench.headend.order(again)
            await eventually(lambda: bench.agent.config.interval_s == 45)

    run(test())


def test_an_order_that_an_older_copy_had_still_before_it_is_not_carried_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            await bench.tick()
            bench.sims[0].faults.add(Fault(FaultKind.MUTE))
            await bench.headend.order(
                a_command(meter=100, seq=1, relay=RelayOrder.OPEN, issued_us=bench.time())
            )
            await eventually(lambda: bool(bench.agent.spool.open_commands()), within_s=10)
            copy = await copied(bench, tmp_path)
            bench.sims[0].faults.clear()
            await bench.tick()
            await eventually(lambda: not bench.sims[0].relay_closed)
            await bench.obeyed(a_command(meter=100, seq=2, relay=RelayOrder.CLOSED, issued_us=bench.time()))
            bench.time.forward()
            await put_back(bench, copy, marked=True)
            await bench.tick()
            assert bench.sims[0].relay_closed, "the order was carried out, and undone, before"
            assert bench.headend.receipts()[-1].result == Result.STALE

    run(test())


def test_what_was_used_stays_used_when_an_older_copy_is_put_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            permit = unverified_permit(a_pass().permit)
            copy = await copied(bench, tmp_path)
            assert await typed(bench, a_code(hours=24)) == Outcome.ACCEPTED
            local = bench.agent.local
            assert (await local.restore(meter=101, hours=2, permit=permit)).outcome == Outcome.ACCEPTED
            for _ in range(3):
                await typed(bench, a_code(meter=999), meter=101)
                local.homes.open_with_pin(meter=100, pin="1111", now_us=bench.time())
            await put_back(bench, copy, marked=True)
            local = bench.agent.local
            assert await typed(bench, a_code(hours=24)) == Outcome.USED
            assert (await local.restore(meter=101, hours=2, permit=permit)).outcome == "permit_used"
            assert bench.agent.guard.restored, "and what they gave lasts"
            assert await typed(bench, a_code(meter=101), meter=101) == "locked"
            answer = local.homes.open_with_pin(meter=100, pin="2468", now_us=bench.time())
            assert answer is not None and answer.outcome == "locked"
            assert await typed(bench, a_code(counter=2)) == Outcome.ACCEPTED, "one that was not used is good"

    run(test())


def test_codes_and_permits_that_may_have_been_used_are_refused_after_a_whole_disk_came_back(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            copy = await copied(bench, tmp_path)
            assert await typed(bench, a_code(hours=24)) == Outcome.ACCEPTED
            await bench.tick()
            await put_back(bench, copy)
            await eventually(lambda: "spool_rolled_back" in bench.headend.codes())
            assert await typed(bench, a_code(hours=24)) == "in_doubt"
            await bench.restart()
            assert await typed(bench, a_code(hours=24)) == "in_doubt"
            assert await typed(bench, a_code(meter=999)) == Outcome.WRONG, "a guess learns nothing by it"
            restore, old = bench.agent.local.restore, unverified_permit(a_pass().permit)
            assert (await restore(meter=100, hours=2, permit=old)).outcome == "permit_in_doubt"
            new = old._replace(serial=b"t" * 16, from_us=bench.time() + 1)
            assert (await restore(meter=100, hours=2, permit=new)).outcome == Outcome.ACCEPTED
            bench.time.forward(24 * 60)
            tomorrow = a_code(counter=2, day=bench.time() // DAY_US)
            assert await typed(bench, tomorrow) == Outcome.ACCEPTED

    run(test())
