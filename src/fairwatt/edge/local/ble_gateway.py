"""The gateway as a Bluetooth LE peripheral (bumble, in the extra `ble`): advertises itself, one visitor a link."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.transport import open_transport

from fairwatt.edge.local.ble_stream import FROM_GATEWAY, SERVICE, TO_GATEWAY, ChunkWriter
from fairwatt.edge.local.streams import Reads, Writes

Visit = Callable[[Reads, Writes], Awaitable[None]]
ADDRESS = "F0:FA:1A:7F:00:01"
_HELD_MAX = 1 << 20


async def advertise(*, transport: str, name: str, visit: Visit) -> None:
    """Serve visitors over the radio that a bumble transport names (for example ``usb:0``), until it is gone."""
    async with await open_transport(transport) as hci:
        device = Device.with_hci(name, Address(ADDRESS), hci.source, hci.sink)
        await serve(device=device, name=name, visit=visit)
        await hci.source.wait_for_termination()


async def serve(*, device: Device, name: str, visit: Visit) -> None:
    """Put the service on a device, switch it on and advertise it."""
    peripheral = _Peripheral(device, visit)
    device.add_service(peripheral.service)
    device.on("connection", peripheral.connected)
    await device.power_on()
    advertised = [
        (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, bytes(UUID(SERVICE))),
    ]
    named = [(AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()[:26])]
    await device.start_advertising(
        auto_restart=True,
        advertising_data=bytes(AdvertisingData(advertised)),
        scan_response_data=bytes(AdvertisingData(named)),
    )


class _Peripheral:
    """The service and its links."""

    def __init__(self, device: Device, visit: Visit) -> None:
        self._device, self._visit = device, visit
        self._readers: dict[int, asyncio.StreamReader] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._out: Characteristic[bytes] = Characteristic(
            FROM_GATEWAY, Characteristic.Properties.NOTIFY, Characteristic.READABLE, b""
        )
        written: Characteristic[bytes] = Characteristic(
            TO_GATEWAY,
            Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
            Characteristic.WRITEABLE,
            CharacteristicValue(write=self._heard),
        )
        self.service = Service(SERVICE, [written, self._out])

    def connected(self, connection: Connection) -> None:
        """Begin a visit with a link, and end it with the link."""
        reader = self._readers[connection.handle] = asyncio.StreamReader()
        task = asyncio.get_running_loop().create_task(self._serve(connection, reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def gone(_reason: int) -> None:
            self._readers.pop(connection.handle, None)
            reader.feed_eof()

        connection.on("disconnection", gone)

    async def _serve(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        async def send(piece: bytes) -> None:
            await self._device.notify_subscriber(connection, self._out, piece)

        def end() -> None:
            task = asyncio.get_running_loop().create_task(_end(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        await self._visit(reader, ChunkWriter(send=send, mtu=lambda: connection.att_mtu, end=end))

    def _heard(self, connection: Connection, data: bytes) -> None:
        reader = self._readers.get(connection.handle)
        if reader is None or reader.at_eof():
            return
        held: Any = getattr(reader, "_buffer", b"")
        if len(held) + len(data) > _HELD_MAX:
            reader.feed_eof()
            return
        reader.feed_data(data)


async def _end(connection: Connection) -> None:
    try:
        await connection.disconnect()
    except Exception:  # noqa: S110  (it is gone already, which is what was wanted)
        pass
