"""A laptop or phone as a Bluetooth LE central (bleak, in the extra `ble`)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from fairwatt.edge.local.ble_stream import FROM_GATEWAY, TO_GATEWAY, ChunkWriter


@asynccontextmanager
async def ble_streams(address: str, /) -> AsyncIterator[tuple[asyncio.StreamReader, ChunkWriter]]:
    """Connect to a gateway by its Bluetooth address; a pair of streams while inside."""
    reader = asyncio.StreamReader()

    def heard(_: BleakGATTCharacteristic, data: bytearray) -> None:
        reader.feed_data(bytes(data))

    async with BleakClient(address, disconnected_callback=lambda _: reader.feed_eof()) as client:
        await client.start_notify(FROM_GATEWAY, heard)

        async def send(piece: bytes) -> None:
            # With an answer to each: the radio's own flow control.
            await client.write_gatt_char(TO_GATEWAY, piece, response=True)

        yield reader, ChunkWriter(send=send, mtu=lambda: client.mtu_size, end=lambda: None)
