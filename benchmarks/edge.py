"""One gateway, one RS-485 line at its real pace, many meters: how long a pass takes, what the agent costs."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import nats
from tests.edge.broker import Broker

from fairwatt.drivers.dlt645.frame import Frame
from fairwatt.simulate.gateway import Bench, Wishes
from fairwatt.simulate.meters import Dlt645Bus
from fairwatt.wire import frames, topics
from fairwatt.wire.records import UNKNOWN_I32, Reading, Relay, unpack_readings

BITS_A_BYTE: Final = 11
"""Start, eight data, parity, stop."""
REACTION_MS: Final = 20
"""What a meter takes to think; the standard allows 500."""
_FRAME_BYTES: Final = 16
"""A frame without data, with its preamble."""
_TICKS_A_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(kw_only=True)
class EdgeRun:
    """What was seen: the seconds each pass took, meters read whole in it, and the agent's costs."""

    passes_s: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    rss_mb: float = 0.0
    cpu_percent: float = 0.0


class PacedBus(Dlt645Bus):
    """Meters that answer no sooner than question and answer take on the line."""

    baud = 2400

    def answer(self, *, frame: Frame) -> list[tuple[bytes, int]]:
        asked = _FRAME_BYTES + len(frame.data)
        return [
            (said, delay_ms + REACTION_MS + (asked + len(said)) * BITS_A_BYTE * 1000 // self.baud)
            for said, delay_ms in super().answer(frame=frame)
        ]


def run_edge(
    *, meters: int, baud: int, interval_s: int, passes: int, progress: Callable[[], object]
) -> EdgeRun:
    """Run the agent as a process of its own over so many whole passes; each must fit the interval."""
    with tempfile.TemporaryDirectory(prefix="fairwatt-edge-") as folder, Broker(Path(folder)) as broker:
        return asyncio.run(_run(Path(folder), broker, meters, baud, interval_s, passes, progress))


async def _run(
    folder: Path,
    broker: Broker,
    meters: int,
    baud: int,
    interval_s: int,
    passes: int,
    progress: Callable[[], object],
) -> EdgeRun:
    bench = Bench(
        Wishes(folder=folder / "gateway", meters=meters, interval_s=interval_s, mqtt_port=broker.mqtt_port)
    )
    bench.bus = PacedBus(meters=bench.meters, now=lambda: time.time_ns() // 1000)
    bench.bus.baud = baud
    heard: list[Reading] = []
    ready = asyncio.Event()
    serving = asyncio.create_task(bench.run(ready))
    await ready.wait()
    _introduce(bench.config)
    link = await _headend(broker, heard)
    program = (sys.executable, "-m", "fairwatt.server.edge_process", str(bench.config))
    agent = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.DEVNULL)
    try:
        while not heard:
            if agent.returncode is not None:
                raise RuntimeError(f"the agent ended by itself with {agent.returncode}")
            await asyncio.sleep(0.05)
        return await _watch(agent.pid, heard, meters, interval_s, passes, progress)
    finally:
        agent.terminate()
        await agent.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await link.close()


def _introduce(config: Path) -> None:
    """The name and password that this broker knows; and every reading with the instant it was heard."""
    text = config.read_text().replace("interval_s", "boundary_tolerance_s = 0\ninterval_s")
    for ours, theirs in (
        ('book = "1"', 'book = "b1"'),
        ('site = "bench"', 'site = "s1"'),
        ("gw-bench", "gw1"),
    ):
        text = text.replace(ours, theirs)
    config.write_text(text)
    (config.parent / "password").write_text("one")


async def _headend(broker: Broker, heard: list[Reading]) -> Any:
    """Store and acknowledge, as a head-end does."""
    link = await nats.connect(f"nats://127.0.0.1:{broker.nats_port}", user="backend", password="back")
    upto: dict[int, int] = {}

    async def take(message: Any) -> None:
        frame = frames.decode_up(message.data)
        for item in frame.items:
            if item.kind == frames.Kind.READINGS and item.seq > upto.get(frame.epoch, 0):
                heard.extend(unpack_readings(item.body))
        upto[frame.epoch] = frames.stored_up_to(stored_seq=upto.get(frame.epoch, 0), frame=frame)
        ack = frames.encode_ack(epoch=frame.epoch, seq=upto[frame.epoch], now_us=time.time_ns() // 1000)
        await link.publish(topics.down_subject(book="b1", site="s1", gateway="gw1"), ack)

    await link.subscribe("fw.v1.b1.s1.*.up", cb=take)
    return link


async def _watch(
    pid: int, heard: list[Reading], meters: int, interval_s: int, passes: int, progress: Callable[[], object]
) -> EdgeRun:
    first_s = (int(time.time()) // interval_s + 1) * interval_s
    run = EdgeRun()
    await asyncio.sleep(first_s - time.time())
    spent_s, began_s = _cpu_s(pid), time.monotonic()
    for _ in range(passes):
        await asyncio.sleep(interval_s - time.time() % interval_s)
        run.rss_mb = max(run.rss_mb, _peak_mb(pid))
        progress()
    run.cpu_percent = 100 * (_cpu_s(pid) - spent_s) / (time.monotonic() - began_s)
    await asyncio.sleep(1.0)
    by_pass: dict[int, list[Reading]] = defaultdict(list)
    for reading in heard:
        by_pass[reading.at_us // (interval_s * 1_000_000) * interval_s].append(reading)
    for n in range(passes):
        mine = by_pass[first_s + n * interval_s]
        run.passes_s.append(max((one.at_us for one in mine), default=0) / 1e6 - (first_s + n * interval_s))
        run.whole.append(len({one.meter for one in mine if _is_whole(one)}))
    return run


def _is_whole(reading: Reading) -> bool:
    return reading.relay != Relay.UNKNOWN and reading.power_w != UNKNOWN_I32


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_S
