"""The plug is pulled on a real agent, again and again, while readings and orders flow."""

import asyncio
import sys
import time as wall
from pathlib import Path
from random import Random
from typing import Any

import nats
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from edge.broker import Broker
from edge.rig import GATEWAY_KEY, ISSUER, PASSWORD, Headend, a_command, address, eventually, run
from fairwatt.simulate.meters import Dlt645Bus, SimMeter
from fairwatt.wire import frames
from fairwatt.wire.commands import Result

KILLS = 4
SETTINGS = """
[gateway]
book = "b1"
site = "s1"
id = "gw1"
zone = "Asia/Shanghai"
spool = "spool.db"
interval_s = 1
[broker]
host = "127.0.0.1"
port = {mqtt}
password_file = "password"
resend_s = 0.3
reconnect_min_s = 0.05
reconnect_max_s = 0.2
return_spread_s = 0.0
[keys]
own = "own.pem"
own_kid = "02"
[[keys.issuer]]
kid = "01"
public = "issuer.pub"
[[bus]]
name = "line"
host = "127.0.0.1"
port = {bus}
reply_within_ms = 200
[[bus.meter]]
number = 100
address = "{address}"
password = "{password}"
"""


def now_us() -> int:
    return wall.time_ns() // 1000


def settings(folder: Path, *, mqtt: int, bus: int) -> Path:
    own, issuer = folder / "own.pem", folder / "issuer.pub"
    own.touch(mode=0o600)
    own.write_bytes(GATEWAY_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    issuer.write_bytes(ISSUER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "password").write_text("one")
    path = folder / "edge.toml"
    path.write_text(SETTINGS.format(mqtt=mqtt, bus=bus, address=address(0), password=PASSWORD))
    return path


class Strict(Headend):
    """Remembers every body it ever saw under a number."""

    seen: dict[tuple[int, int], set[bytes]]

    async def _take(self, message: Any) -> None:
        frame = frames.decode_up(message.data)
        for item in frame.items:
            self.seen.setdefault((frame.epoch, item.seq), set()).add(bytes([item.kind]) + item.body)
        await super()._take(message)


async def an_agent(path: Path) -> asyncio.subprocess.Process:
    program = (sys.executable, "-m", "fairwatt.server.edge_process", str(path))
    return await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.DEVNULL)


async def live(headend: Strict, sim: SimMeter, path: Path) -> None:
    """Kill it at odd moments; each life gets an order, and the home uses energy all the time."""
    dice = Random(7)
    for life in range(1, KILLS + 2):
        agent = await an_agent(path)
        order = a_command(
            meter=100, seq=life, relay=life % 2, issued_us=now_us(), expires_us=now_us() + 600_000_000
        )
        last = life == KILLS + 1
        end_s = wall.monotonic() + (20 if last else dice.uniform(1.2, 2.4))
        while wall.monotonic() < end_s:
            sim.add_energy(10)
            await headend.order(order)
            await asyncio.sleep(0.1)
            if last and any(receipt.seq == life for receipt in headend.receipts()):
                break
        if last:
            await asyncio.sleep(1.5)  # one more reading, and its acknowledgement
            agent.terminate()
        else:
            agent.kill()
        await agent.wait()


def test_a_killed_agent_loses_nothing_doubles_nothing_and_obeys_once(tmp_path: Path) -> None:
    async def test() -> None:
        sim = SimMeter(number=address(0), register_wh=10_000)
        with Broker(tmp_path) as broker:
            async with Dlt645Bus(meters=[sim], now=now_us) as bus:
                link = await nats.connect(
                    f"nats://127.0.0.1:{broker.nats_port}", user="backend", password="back"
                )
                headend = Strict(link, now_us)  # type: ignore[arg-type]
                headend.seen = {}
                await headend.listen()
                await live(headend, sim, settings(tmp_path, mqtt=broker.mqtt_port, bus=bus.port))
                await eventually(
                    lambda: headend.upto == {max(headend.upto): max(s for _, s in headend.stored)}
                )
                await link.close()
        (epoch,) = headend.upto
        assert sorted(headend.stored) == [(epoch, n + 1) for n in range(len(headend.stored))], "no hole"
        assert all(len(bodies) == 1 for bodies in headend.seen.values()), "a number has one content for ever"
        readings = headend.readings()
        instants = [reading.at_us for reading in readings]
        assert instants == sorted(set(instants)), "no instant twice"
        registers = [reading.total_wh for reading in readings]
        assert registers == sorted(registers)
        assert "spool_rolled_back" not in headend.codes()
        applied = [receipt for receipt in headend.receipts() if receipt.result == Result.APPLIED]
        assert len({receipt.seq for receipt in applied}) == len(set(applied)), "one receipt an order"
        assert max(receipt.seq for receipt in applied) == KILLS + 1
        assert len(sim.moves) <= KILLS + 1, "no order moved the relay twice"
        assert sim.relay_closed == bool((KILLS + 1) % 2)

    run(test())
