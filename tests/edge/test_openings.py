"""A relay found open after a hole in the memory: whose deed it was, where the meter wrote that down."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.rig import Bench, a_bench, a_command, a_grant, run
from edge.test_alone import grant
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.frames import Detail

MINE = "00000042"


async def away(bench: Bench, *, opened_by: str | None, known: bool) -> tuple[list[str], Detail]:
    """Grant, switch the gateway off, let credit run out and the relay open; what it says at its return."""
    config = bench.agent.config
    (bus,) = config.buses
    meters = tuple(replace(meter, operator=MINE) for meter in bus.meters)
    bench.agent.config = replace(config, buses=(replace(bus, meters=meters),))
    await bench.restart()
    sim = bench.sims[0]
    await grant(bench, 200_000)
    if known:
        for seq, relay in ((2, RelayOrder.OPEN), (3, RelayOrder.CLOSED)):
            bench.time.forward()
            plenty = a_grant(register_wh=sim.register_wh, available_micro=200_000, at_us=bench.time())
            await bench.obeyed(
                a_command(meter=100, seq=seq, relay=relay, grant=plenty, issued_us=bench.time())
            )
    await bench.agent.stop()
    sim.add_energy(1_000)
    bench.time.forward(300)
    if opened_by is None:
        sim.move(closed=False, now_us=bench.time())
    else:
        sim.move(closed=False, now_us=bench.time(), operator=opened_by)
    await bench.restart_stopped()
    await bench.tick()
    told = [e for e in bench.headend.events() if e.code in ("local_trip", "relay_found_open")]
    return [event.code for event in told], told[-1].detail


@pytest.mark.parametrize(
    ("opened_by", "known", "code"),
    [
        (MINE, True, "local_trip"),
        (None, True, "relay_found_open"),
        ("00000007", True, "relay_found_open"),
        # It never wrote this gateway's number down: perhaps it writes none.
        (None, False, "local_trip"),
    ],
)
def test_the_meters_record_says_whose_it_was(
    tmp_path: Path, opened_by: str | None, known: bool, code: str
) -> None:
    async def test() -> None:
        async with a_bench(tmp_path) as bench:
            codes, detail = await away(bench, opened_by=opened_by, known=known)
            assert codes == [code]
            assert detail.get("presumed") is (True if code == "local_trip" else None)
            assert bench.agent.guard.is_tripped(meter=100) is (code == "local_trip")
            await bench.tick()
            assert [e.code for e in bench.headend.events()].count(code) == 1, "told once"

    run(test())
