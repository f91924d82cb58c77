"""One contract for every stream a visitor may come by: who gets in, what he may do, and what a bent stream costs."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.rig import ISSUER, MINUTE_US, START_US, Bench, a_command, eventually, run
from edge.test_standing import NEXT, wish
from edge.visiting import DAY_US, WAYS, Way, a_code, a_gateway, a_pass, enter, over_tcp
from fairwatt.core.commands.restore_code import Outcome
from fairwatt.edge.local.desk import Op
from fairwatt.edge.local.streams import PENALTY_S
from fairwatt.edge.local.visitor import Silent
from fairwatt.edge.spool import SpoolFull
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.courier import ToGateway, sign_ack
from fairwatt.wire.frames import Ack, Kind
from fairwatt.wire.local import LocalError, LocalRefused
from fairwatt.wire.permits import RESIDENT, Right
from fairwatt.wire.records import Relay
from fairwatt.wire.standing import Configure, SetClock, Slot, TrustIssuer

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
SOMEBODY = Ed25519PrivateKey.from_private_bytes(b"x" * 32)


def both(folder: Path, way: Way, test: Any) -> None:
    async def whole() -> None:
        async with a_gateway(folder) as bench, way(bench) as streams:
            await bench.tick()
            await test(bench, streams)

    run(whole())


@every_way
def test_a_visitor_with_a_permit_sees_the_homes(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        visitor = await enter(streams)
        seen = await visitor.look()
        assert seen.gateway == "gw1"
        first = next(home for home in seen.homes if home.meter == 100)
        assert (first.home, first.register_wh, first.relay) == ("4-201", 10_000, Relay.CLOSED)

    both(tmp_path, way, test)


@every_way
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signer": SOMEBODY}, "bad_signature"),
        ({"key": SOMEBODY}, "bad_signature"),
        ({"site": "s2"}, "wrong_permit"),
        ({"until_us": START_US}, "permit_expired"),
        ({"from_us": START_US + DAY_US, "until_us": START_US + 2 * DAY_US}, "permit_not_yet"),
    ],
    ids=["forged", "not the holder", "another site", "expired", "not yet"],
)
def test_who_has_no_right_to_it_is_turned_away_by_name(
    tmp_path: Path, way: Way, changes: dict[str, Any], code: str
) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        with pytest.raises(LocalRefused) as refused:
            await enter(streams, a_pass(**changes))
        assert refused.value.code == code

    both(tmp_path, way, test)


@every_way
def test_a_gateway_that_cannot_prove_itself_learns_nothing(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        other = SOMEBODY.public_key().public_bytes_raw()
        with pytest.raises(LocalError, match="none of the gateways"):
            await enter(streams, a_pass(gateways=(("gw1", other),)))

    both(tmp_path, way, test)


@every_way
def test_a_resident_sees_his_home_types_codes_and_nothing_else(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        visitor = await enter(streams, a_pass(rights=RESIDENT, meters=(100,)))
        assert [home.meter for home in (await visitor.look()).homes] == [100]
        assert (await visitor.type_code(meter=100, text="0")).outcome == "unknown_code"
        for op, args in ((Op.CODE, [101, a_code()]), (Op.CODE, [999, a_code()])):
            with pytest.raises(LocalRefused, match="no such meter"):
                await visitor.ask(op, args)
        for op, args in ((Op.RESTORE, [100, 1]), (Op.LOAD, [0, b"x"]), (Op.UNLOAD, [0])):
            with pytest.raises(LocalRefused, match="does not allow"):
                await visitor.ask(op, args)
        with pytest.raises(LocalRefused, match="no such request"):
            await visitor.ask(77, [])
        with pytest.raises(LocalRefused, match="arguments"):
            await visitor.ask(Op.LOOK, [1])

    both(tmp_path, way, test)


@every_way
def test_a_permit_ends_inside_a_session(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        visitor = await enter(streams, a_pass(until_us=bench.time.now_us + MINUTE_US))
        await visitor.look()
        bench.time.forward(2)
        with pytest.raises((LocalError, Silent)):
            async with asyncio.timeout(1):
                await visitor.look()

    both(tmp_path, way, lambda bench, streams: _timed(test(bench, streams)))


@pytest.mark.parametrize("way", [WAYS["tcp"], WAYS["serial"]], ids=["tcp", "serial"])
def test_a_courier_brings_wishes_of_every_kind(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        visitor = await enter(streams)
        orders = (
            wish(Configure("gw1", (("interval_s", 30),)), Slot.CONFIGURE, meter=0),
            wish(SetClock(60), Slot.SET_CLOCK),
            a_command(meter=100, seq=1, relay=RelayOrder.OPEN),
            wish(SetClock(60), Slot.SET_CLOCK, meter=999),
        )
        assert (await visitor.load(ToGateway("gw1", bench.time(), orders, None))).taken == 4
        assert bench.agent.config.interval_s == 30
        assert not bench.sims[0].relay_closed
        await bench.tick()
        assert bench.headend.codes().count("standing_receipt") == 2, "for the strange meter there is none"

    both(tmp_path, way, test)


def test_a_memory_that_is_full_shuts_no_door(tmp_path: Path) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        visitor = await enter(streams)
        pages = bench.agent.spool._db.execute("PRAGMA page_count").fetchone()[0]
        bench.agent.spool._db.execute(f"PRAGMA max_page_count={pages}")
        bench.broker.stop()
        await eventually(lambda: not bench.agent.link.connected.is_set())
        with pytest.raises(SpoolFull):
            while True:
                bench.agent.spool.append(kind=Kind.READINGS, body=bytes(2000), at_us=bench.time())
        with pytest.raises(SpoolFull):
            while True:
                bench.agent.spool.append(kind=Kind.READINGS, body=bytes(20), at_us=bench.time())
        order = a_command(meter=100, seq=1, relay=RelayOrder.OPEN, key=SOMEBODY)
        with pytest.raises(LocalRefused, match="cannot be written") as refused:
            await visitor.load(ToGateway("gw1", bench.time(), (order,), None))
        assert refused.value.code == "memory_full"
        await visitor.look()
        await (await enter(streams)).look()

    both(tmp_path, WAYS["serial"], test)


def test_who_proves_nothing_keeps_nobody_out_and_soon_leaves(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            visits = bench.agent.local.visits
            visits._handshake_s = 0.4
            ends: list[asyncio.Task[None]] = []

            def at_door(address: str) -> _Dripping:
                one = _Dripping()
                ends.append(asyncio.create_task(visits.visit(one, one, address=address)))
                return one

            idlers = [at_door(f"10.0.0.{n}") for n in range(6)]
            second = at_door("10.0.0.0")
            await asyncio.sleep(0.1)
            assert second.closed, "one place an address"
            assert not any(one.closed for one in idlers)
            async with over_tcp(bench) as streams:
                visitor = await enter(streams)
                await visitor.look()
                await eventually(lambda: all(one.closed for one in idlers), within_s=2)
                await visitor.look()
            await asyncio.gather(*ends)

    run(test())


class _Dripping:
    """A stream that says a byte now and then, and never anything."""

    closed = False

    async def read(self, count: int, /) -> bytes:
        await asyncio.sleep(0.05)
        return b"\x01"

    def write(self, data: bytes, /) -> None:
        raise AssertionError("nothing is said to who said nothing")

    async def drain(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_a_retired_key_opens_no_door_and_acknowledges_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with AsyncExitStack() as gates, a_gateway(tmp_path) as bench, over_tcp(bench) as before:
            await bench.tick()
            old = await enter(before)
            await old.look()
            retire = TrustIssuer("gw1", b"\x09", NEXT.public_key().public_bytes_raw(), b"\x01")
            await bench.headend.order(wish(retire, Slot.TRUST_ISSUER, meter=0))
            await eventually(lambda: any(e.detail.get("kids") == "09" for e in bench.headend.events()))
            with pytest.raises(Silent):
                await old.look()
            async with over_tcp(bench) as again:
                with pytest.raises(LocalRefused) as refused:
                    await enter(again)
            assert refused.value.code == "unknown_key"
            await asyncio.sleep(PENALTY_S / 5)  # the door has seen the last one leave
            new = await enter(
                await gates.enter_async_context(over_tcp(bench)), a_pass(signer=NEXT, kid=b"\x09")
            )
            bench.broker.stop()
            await eventually(lambda: not bench.agent.link.connected.is_set())
            await bench.tick(drained=False)
            await new.unload()
            spool = bench.agent.spool
            ack, waiting = Ack(spool.epoch, spool.last_seq, bench.time()), spool.count
            assert waiting
            forged = sign_ack(gateway="gw1", ack=ack, key=ISSUER, kid=b"\x01")
            assert (await new.load(ToGateway("gw1", bench.time(), (), forged))).refused == 1
            assert spool.count == waiting
            true = sign_ack(gateway="gw1", ack=ack, key=NEXT, kid=b"\x09")
            assert (await new.load(ToGateway("gw1", bench.time(), (), true))).forgotten == waiting

    run(test())


async def _timed(test: Any) -> None:
    try:
        await test
    except TimeoutError:
        pass  # on a line that never ends nothing is said, and nothing was done


@every_way
def test_a_restore_by_permit_closes_the_relay_once_and_is_told(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        bench.sims[0].relay_closed = False
        visitor = await enter(streams)
        assert (await visitor.restore(meter=100, hours=25)).outcome == "hours_refused"
        answer = await visitor.restore(meter=100, hours=2)
        assert answer.outcome == Outcome.ACCEPTED
        assert bench.sims[0].relay_closed
        assert (await visitor.restore(meter=100, hours=2)).outcome == "permit_used"
        assert (await visitor.restore(meter=101, hours=2)).outcome == Outcome.ACCEPTED
        assert await bench.agent.wait_drained(5)
        told = [event for event in bench.headend.events() if event.code == "restored"]
        assert [(event.meter, event.detail["holder"]) for event in told] == [(100, "Lin"), (101, "Lin")]
        assert told[0].detail["until_us"] == answer.until_us

    both(tmp_path, way, test)


@every_way
def test_a_cut_stream_is_taken_up_by_a_new_greeting(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        first = await enter(streams)
        await first.look()
        if way is WAYS["tcp"]:
            streams[1].close()
            async with way(bench) as others:
                await (await enter(others)).look()
            return
        streams[1].write(b"\x07half a frame")
        await (await enter(streams)).look()

    both(tmp_path, way, test)


@every_way
def test_a_replayed_visit_does_nothing(tmp_path: Path, way: Way) -> None:
    async def test(bench: Bench, streams: Any) -> None:
        bench.sims[0].relay_closed = False
        tape = _Tape(streams[1])
        visitor = await enter((streams[0], tape))
        await visitor.restore(meter=100, hours=2)
        assert bench.sims[0].relay_closed
        bench.sims[0].relay_closed = False
        records = len(bench.headend.stored)
        async with way(bench) as (_, writer):
            for data in tape.written:
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.2)
        assert not bench.sims[0].relay_closed, "the recorded restore was not carried out again"
        assert len(bench.headend.stored) - records <= 3

    both(tmp_path, way, test)


class _Tape:
    """A writer that keeps what was written."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()


def test_right_names_are_bits_of_a_permit() -> None:
    assert int(RESIDENT) == 3
    assert Right(15) == Right.LOOK | Right.CODE | Right.RESTORE | Right.COURIER
