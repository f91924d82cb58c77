"""A gateway one can walk up to: permits, passes, codes, and a way in over each kind of stream."""

import asyncio
import os
import pty
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from bumble.controller import Controller
from bumble.core import UUID
from bumble.device import Device, Peer
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.rig import GATEWAY_KEY, ISSUER, MINUTE_US, START_US, Bench, a_bench
from fairwatt.core.commands import restore_code
from fairwatt.edge.local.ble_gateway import ADDRESS, serve
from fairwatt.edge.local.ble_stream import FROM_GATEWAY, TO_GATEWAY, ChunkWriter
from fairwatt.edge.local.homes import Home, hash_pin
from fairwatt.edge.local.settings import Door, LocalConfig
from fairwatt.edge.local.streams import fd_streams, open_tty, serial_streams
from fairwatt.edge.local.visitor import Pass, Visitor
from fairwatt.wire.permits import ALL, Permit, sign_permit

CODE_KEY = b"k" * 32
HOLDER = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
DAY_US = 24 * 60 * MINUTE_US
HOMES = {
    100: Home(100, "4-201", hash_pin("2468", salt=b"salt")),
    101: Home(101, "4-202", ""),
}


def a_pass(
    *,
    key: Ed25519PrivateKey = HOLDER,
    signer: Ed25519PrivateKey = ISSUER,
    kid: bytes = b"\x01",
    **changes: Any,
) -> Pass:
    permit = Permit(
        serial=b"s" * 16,
        holder="Lin",
        holder_key=HOLDER.public_key().public_bytes_raw(),
        book="b1",
        site="s1",
        gateways=(("gw1", GATEWAY_KEY.public_key().public_bytes_raw()),),
        meters=(),
        rights=ALL,
        hours_max=24,
        from_us=START_US - MINUTE_US,
        until_us=START_US + DAY_US,
    )
    return Pass(sign_permit(permit=permit._replace(**changes), key=signer, kid=kid), key)


def a_code(*, meter: int = 100, counter: int = 1, hours: int = 24, day: int = START_US // DAY_US) -> str:
    def marker(meter: int, said: bytes) -> bytes:
        return restore_code.mark_of(key=CODE_KEY, meter=meter, said=said)

    return restore_code.write_code(marker=marker, meter=meter, counter=counter, hours=hours, day=day)


@asynccontextmanager
async def a_gateway(folder: Path, **changes: Any) -> AsyncIterator[Bench]:
    local: dict[str, Any] = {
        "code_key": CODE_KEY,
        "homes": HOMES,
        "currency": "CNY",
        "tcp": Door(host="127.0.0.1", port=0),
        "page": Door(host="127.0.0.1", port=0),
        "socket": folder / "local.sock",
    }
    async with a_bench(folder, local=LocalConfig(**(local | changes))) as bench:
        yield bench


Streams = tuple[Any, Any]
Way = Callable[[Bench], AbstractAsyncContextManager[Streams]]


@asynccontextmanager
async def over_tcp(bench: Bench) -> AsyncIterator[Streams]:
    assert bench.agent.local is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.agent.local.doors["tcp"])
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def over_serial(bench: Bench) -> AsyncIterator[Streams]:
    assert bench.agent.local is not None
    near, far = pty.openpty()
    open_tty(near)
    name = os.ttyname(far)
    mine = await fd_streams(near)
    theirs = await serial_streams(name, baud=115_200)
    os.close(far)
    standing = asyncio.create_task(bench.agent.local.visits.stand_by(*theirs))
    try:
        yield mine
    finally:
        standing.cancel()
        await asyncio.gather(standing, return_exceptions=True)
        theirs[1].close()
        mine[1].close()


@asynccontextmanager
async def over_ble(bench: Bench) -> AsyncIterator[Streams]:
    """Two virtual controllers on one virtual air: the gateway advertises, the phone connects."""
    assert bench.agent.local is not None
    air = LocalLink()
    near, far = (a_radio(air, name) for name in ("phone", "gw1"))
    await serve(device=far, name="gw1", visit=bench.agent.local.visits.visit)
    await near.power_on()
    connection = await near.connect(far.random_address)
    peer = Peer(connection)
    await peer.request_mtu(185)
    await peer.discover_all()
    (outward,) = peer.get_characteristics_by_uuid(UUID(TO_GATEWAY))
    (inward,) = peer.get_characteristics_by_uuid(UUID(FROM_GATEWAY))
    reader = asyncio.StreamReader()
    gone: list[int] = []
    connection.on("disconnection", lambda reason: (gone.append(reason), reader.feed_eof()))
    await inward.subscribe(reader.feed_data)

    async def send(piece: bytes) -> None:
        await outward.write_value(piece, with_response=True)

    try:
        yield reader, ChunkWriter(send=send, mtu=lambda: connection.att_mtu, end=lambda: None)
    finally:
        if not gone:
            await connection.disconnect()


def a_radio(air: LocalLink, name: str) -> Device:
    controller = Controller(name, link=air)
    host = Host()
    controller.host = AsyncPipeSink(host)
    host.set_packet_sink(AsyncPipeSink(controller))
    address = "F0:F1:F2:F3:F4:F5" if name == "phone" else ADDRESS
    return Device(name=name, address=Address(address), host=host)


WAYS: dict[str, Way] = {"tcp": over_tcp, "serial": over_serial, "ble": over_ble}


async def enter(streams: Streams, holds: Pass | None = None) -> Visitor:
    return await Visitor.enter(reader=streams[0], writer=streams[1], holds=holds or a_pass())
