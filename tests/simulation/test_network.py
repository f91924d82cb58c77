"""The bad line against a real broker and a real MQTT client: each fault does what it says."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import nats
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.simulate.network import BrokenPacket, FaultyLink, LinkFaults, Packet, split_packets


@dataclass(frozen=True)
class Broker:
    nats_port: int
    mqtt_port: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("nats")
    at = Broker(free_port(), free_port())
    (folder / "nats.conf").write_text(
        f'server_name: test\nlisten: "127.0.0.1:{at.nats_port}"\n'
        f'jetstream {{ store_dir: "{folder}/js", max_file_store: 64M }}\n'
        f'mqtt {{ listen: "127.0.0.1:{at.mqtt_port}" }}\n'
    )
    binary = Path(sys.executable).parent / "nats-server"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, "-c", folder / "nats.conf"], stdout=log, stderr=log)
    try:
        wait_for_port(at.mqtt_port, process, folder / "log")
        yield at
    finally:
        process.terminate()
        process.wait(10)


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@dataclass
class Sent:
    """What the far side heard of `count` numbered messages, and the link that carried them."""

    link: FaultyLink
    heard: list[int]


async def send(broker: Broker, faults: LinkFaults, *, count: int = 40, seed: int = 1) -> Sent:
    """Publish numbered messages at QoS 1 through a bad line, each acknowledged, and listen at the broker."""
    link = FaultyLink(name="g1", target_port=broker.mqtt_port, seed=seed, faults=faults)
    port = await link.start()
    heard: list[int] = []
    ear = await nats.connect(f"nats://127.0.0.1:{broker.nats_port}")

    async def hear(message: Any) -> None:
        heard.append(int(message.data))

    await ear.subscribe(f"up.{port}", cb=hear)
    await ear.flush()
    async with aiomqtt.Client("127.0.0.1", port, identifier=f"g{port}") as client:
        for number in range(count):
            await asyncio.wait_for(client.publish(f"up/{port}", str(number), qos=1), 5)
        await settle(link)
        # The connection must have survived whatever was done to it.
        await asyncio.wait_for(client.subscribe("anything"), 5)
    await ear.flush()
    await asyncio.sleep(0.05)
    await ear.close()
    await link.stop()
    return Sent(link, heard)


async def settle(link: FaultyLink) -> None:
    for _ in range(500):
        if not link.in_transit:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the link still holds packets")


def run[T](work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


def test_a_good_line_passes_everything_in_order(broker: Broker) -> None:
    sent = run(send(broker, LinkFaults()))

    assert sent.heard == list(range(40))
    assert (sent.link.up.seen, sent.link.up.passed) == (40, 40)


def test_a_lost_message_is_acknowledged_and_never_arrives(broker: Broker) -> None:
    sent = run(send(broker, LinkFaults(lose=1000)))

    assert sent.heard == []
    assert sent.link.up.lost == 40


def test_a_doubled_message_arrives_twice_and_is_acknowledged_once(broker: Broker) -> None:
    sent = run(send(broker, LinkFaults(double=1000)))

    assert sent.heard == [number for number in range(40) for _ in (0, 1)]
    assert sent.link.up.doubled == 40


def test_delayed_and_reordered_messages_all_arrive(broker: Broker) -> None:
    faults = LinkFaults(delay=400, reorder=400, delay_ms=(1, 30), reorder_wait_ms=30)

    sent = run(send(broker, faults))

    assert sorted(sent.heard) == list(range(40))
    assert sent.link.up.delayed and sent.link.up.reordered


async def burst(broker: Broker, faults: LinkFaults) -> list[int]:
    """Messages in flight together (QoS 0 needs no acknowledgement), so that one can overtake another."""
    link = FaultyLink(name="g1", target_port=broker.mqtt_port, seed=3, faults=faults)
    port = await link.start()
    heard: list[int] = []
    async with aiomqtt.Client("127.0.0.1", broker.mqtt_port, identifier=f"e{port}") as ear:
        await ear.subscribe(f"up/{port}", qos=1)
        async with aiomqtt.Client("127.0.0.1", port, identifier=f"g{port}") as client:
            for number in range(30):
                await client.publish(f"up/{port}", str(number), qos=0)
            async for message in ear.messages:
                heard.append(int(str(message.payload, "ascii")))
                if len(heard) == 30:
                    break
    await link.stop()
    return heard


def test_messages_under_way_together_overtake_each_other(broker: Broker) -> None:
    heard = run(burst(broker, LinkFaults(reorder=500)))

    assert sorted(heard) == list(range(30))
    assert heard != sorted(heard)


def test_the_same_seed_strikes_the_same_messages(broker: Broker) -> None:
    faults = LinkFaults(lose=300, double=300)

    first, again, other = (run(send(broker, faults, seed=seed)) for seed in (5, 5, 6))

    assert first.heard == again.heard != other.heard


def test_faults_strike_downward_messages_too(broker: Broker) -> None:
    async def work() -> tuple[list[int], FaultyLink]:
        link = FaultyLink(name="g1", target_port=broker.mqtt_port, seed=1, faults=LinkFaults(double=1000))
        port = await link.start()
        heard: list[int] = []
        mouth = await nats.connect(f"nats://127.0.0.1:{broker.nats_port}")
        async with aiomqtt.Client("127.0.0.1", port, identifier=f"g{port}") as client:
            await client.subscribe(f"down/{port}", qos=1)
            for number in range(10):
                await mouth.publish(f"down.{port}", str(number).encode())
            async for message in client.messages:
                heard.append(int(str(message.payload, "ascii")))
                if len(heard) == 20:
                    break
        await mouth.close()
        await link.stop()
        return heard, link

    heard, link = run(work())
    assert sorted(heard) == sorted([*range(10), *range(10)])
    assert (link.down.doubled, link.up.seen) == (10, 0)


def test_a_partition_breaks_one_gateways_line_and_not_its_neighbours(broker: Broker) -> None:
    async def work() -> FaultyLink:
        cut, neighbour = (
            FaultyLink(name=name, target_port=broker.mqtt_port, seed=1, faults=LinkFaults())
            for name in ("g1", "g2")
        )
        ports = await cut.start(), await neighbour.start()
        async with aiomqtt.Client("127.0.0.1", ports[1], identifier=f"g{ports[1]}") as talking:
            with pytest.raises(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", ports[0], identifier=f"g{ports[0]}") as client:
                    await client.subscribe("anything")
                    await cut.partition()
                    assert cut.partitioned
                    async for _ in client.messages:
                        raise AssertionError("a message came through a cut line")
            with pytest.raises(aiomqtt.MqttError):
                async with aiomqtt.Client("127.0.0.1", ports[0], identifier=f"g{ports[0]}", timeout=0.5):
                    pass
            await talking.publish("up/neighbour", "still here", qos=1)
            await cut.heal()
            async with aiomqtt.Client("127.0.0.1", ports[0], identifier=f"g{ports[0]}") as client:
                await client.publish("up/back", "again", qos=1)
        await cut.stop()
        await neighbour.stop()
        return cut

    cut = run(work())
    assert cut.refused >= 1
    assert (cut.partitions, cut.connects) == (1, 2)


def test_a_silent_partition_swallows_everything_until_it_heals(broker: Broker) -> None:
    async def work() -> FaultyLink:
        link = FaultyLink(name="g1", target_port=broker.mqtt_port, seed=1)
        port = await link.start()
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("127.0.0.1", port, identifier=f"g{port}", timeout=0.3) as client:
                await client.publish("up/before", "x", qos=1)
                await link.partition(silent=True)
                with pytest.raises(aiomqtt.MqttError):  # no acknowledgement comes
                    await client.publish("up/into-the-void", "x", qos=1)
                await link.heal()
                async for _ in client.messages:
                    raise AssertionError("nothing was sent down")
        await link.stop()
        return link

    link = run(work())
    assert (link.up.seen, link.refused) == (1, 0)


def test_a_dead_broker_looks_like_a_refused_line() -> None:
    async def work() -> FaultyLink:
        link = FaultyLink(name="g1", target_port=free_port(), seed=1)
        port = await link.start()
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client("127.0.0.1", port, identifier="g1", timeout=0.5):
                pass
        await link.stop()
        return link

    assert run(work()).refused == 1


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    size, length = len(body), b""
    while True:
        size, digit = size >> 7, size & 0x7F
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([kind << 4 | flags]) + length + body


@given(st.lists(st.binary(max_size=300), max_size=8), st.lists(st.integers(1, 400), min_size=1))
def test_packets_come_out_whole_however_the_stream_is_chopped(bodies: list[bytes], steps: list[int]) -> None:
    packets = [packet(3, body) for body in bodies]
    stream, buffer, out = b"".join(packets), bytearray(), []
    at = turn = 0
    while at < len(stream):
        buffer += stream[at : at + steps[turn % len(steps)]]
        at, turn = at + steps[turn % len(steps)], turn + 1
        out += [each.raw for each in split_packets(buffer)]

    assert (out, bytes(buffer)) == (packets, b"")


def test_a_repeat_carries_the_dup_flag_where_the_protocol_wants_it() -> None:
    at_least_once = packet(3, b"\x00\x01t\x12\x34hello", flags=0b0010)
    at_most_once = packet(3, b"\x00\x01thello")

    assert Packet(at_least_once, 2).packet_id == 0x1234
    assert Packet(at_least_once, 2).again()[0] == 0b0011_1010
    assert Packet(at_most_once, 2).again() == at_most_once


@pytest.mark.parametrize(
    "stream", [b"\x30\xff\xff\xff\xff\x01", b"\x30\xff\xff\xff\x7f"], ids=["endless", "huge"]
)
def test_what_is_not_mqtt_is_not_carried(stream: bytes) -> None:
    with pytest.raises(BrokenPacket):
        split_packets(bytearray(stream))


def test_chances_over_certainty_are_refused() -> None:
    with pytest.raises(ValueError, match="per mille"):
        LinkFaults(lose=600, double=600)
