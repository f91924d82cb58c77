"""The independent `pymodbus` package reads our meter, and our driver reads its server: RTU and TCP frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.line import ask
from fairwatt.drivers.contract import Accepted, PowerReading, RegisterReading, RelayState, VoltageReading
from fairwatt.drivers.errors import MeterRefused
from fairwatt.drivers.modbus.meter import ModbusLoadMeter, ModbusMeter, ModbusPrepaidMeter
from fairwatt.drivers.profile import load_profile
from fairwatt.simulate.meters.line import Line
from fairwatt.simulate.meters.modbus import SimModbusBus, SimModbusMeter

ONE = load_profile(key="modbus_single_phase")
THREE = load_profile(key="modbus_three_phase")
UNIT = 12


async def with_peer_client(
    meter: SimModbusMeter, story: Callable[[AsyncModbusTcpClient], Awaitable[None]]
) -> None:
    rtu = meter.profile.protocol == "modbus-rtu"
    async with Line(answer=SimModbusBus(meters=[meter], rtu=rtu).answer) as line:
        framer = FramerType.RTU if rtu else FramerType.SOCKET
        client = AsyncModbusTcpClient("127.0.0.1", port=line.port, framer=framer, timeout=2, retries=0)
        assert await client.connect()
        try:
            await story(client)
        finally:
            client.close()


@asynccontextmanager
async def peer_server(*, rtu: bool) -> AsyncIterator[int]:
    """A server of the package, with four separate blocks as real meters have."""
    coils = [SimData(0, values=[True], datatype=DataType.BITS)]
    inputs = [SimData(0, values=[True], datatype=DataType.BITS)]
    holding = [SimData(0x0100, values=[4_000_000_001], datatype=DataType.UINT32)]
    words = [
        SimData(0, values=[230.1], datatype=DataType.FLOAT32),
        SimData(12, values=[-1234.4], datatype=DataType.FLOAT32),
        SimData(72, values=[12_345.67], datatype=DataType.FLOAT32),
    ]
    device = SimDevice(id=UNIT, simdata=(coils, inputs, holding, words))
    server = ModbusTcpServer(
        device, framer=FramerType.RTU if rtu else FramerType.SOCKET, address=("127.0.0.1", 0)
    )
    await server.listen()
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


def test_the_peer_reads_our_meters_floats_over_serial_frames() -> None:
    meter = SimModbusMeter(profile=ONE, unit=str(UNIT), register_wh=12_345_670)
    meter.load_w, meter.voltage_dv = 2_300, 2_304

    async def story(client: AsyncModbusTcpClient) -> None:
        told = [
            (await client.read_input_registers(address, count=2, device_id=UNIT)).registers
            for address in (72, 0, 12)
        ]
        floats = [client.convert_from_registers(words, client.DATATYPE.FLOAT32) for words in told]
        assert [round(float(str(one)), 2) for one in floats] == [12_345.67, 230.4, 2_300.0]

    asyncio.run(with_peer_client(meter, story))


def test_the_peer_reads_and_switches_our_meter_over_tcp() -> None:
    meter = SimModbusMeter(profile=THREE, unit=str(UNIT), register_wh=4_000_000_001)

    async def story(client: AsyncModbusTcpClient) -> None:
        words = (await client.read_holding_registers(0x0100, count=2, device_id=UNIT)).registers
        assert client.convert_from_registers(words, client.DATATYPE.UINT32) == 4_000_000_001
        assert (await client.write_coil(0, False, device_id=UNIT)).isError() is False
        assert (await client.read_discrete_inputs(0, device_id=UNIT)).bits[0] is False
        assert (await client.read_holding_registers(0x0900, device_id=UNIT)).exception_code == 2

    asyncio.run(with_peer_client(meter, story))
    assert meter.relay_closed is False


def test_our_driver_reads_the_peers_floats_over_serial_frames() -> None:
    async def story() -> None:
        async with peer_server(rtu=True) as port:
            meter = ModbusLoadMeter(profile=ONE, address=str(UNIT))
            assert await ask(port=port, exchange=meter.read_register(), wait_s=1) == RegisterReading(
                12_345_670
            )
            assert await ask(port=port, exchange=meter.read_voltage(), wait_s=1) == VoltageReading(2_301)
            assert await ask(port=port, exchange=meter.read_power(), wait_s=1) == PowerReading(-1_234)

    asyncio.run(story())


def test_our_driver_reads_and_switches_the_peers_device_over_tcp() -> None:
    async def story() -> None:
        async with peer_server(rtu=False) as port:
            meter = ModbusPrepaidMeter(profile=THREE, address=str(UNIT))
            told = await ask(port=port, exchange=meter.read_register(), wait_s=1)
            assert told == RegisterReading(4_000_000_001)
            assert await ask(port=port, exchange=meter.open_relay(valid_until_us=0), wait_s=1) == Accepted()
            relay = await ask(port=port, exchange=meter.read_relay(), wait_s=1)
            # The package's coils and inputs are separate memories: the order is seen, the contacts stayed.
            assert relay == RelayState(closed=True, ordered_closed=False)
            with pytest.raises(MeterRefused, match="no such register"):
                await ask(port=port, exchange=meter.read_measurements(), wait_s=1)

    asyncio.run(story())


def test_our_driver_reads_our_meter_over_a_slow_socket() -> None:
    async def story() -> None:
        meter = SimModbusMeter(profile=ONE, unit=str(UNIT), register_wh=990)
        async with Line(answer=SimModbusBus(meters=[meter], rtu=True).answer, pace_ms=1) as line:
            exchange = ModbusMeter(profile=ONE, address=str(UNIT)).read_register()
            assert await ask(port=line.port, exchange=exchange, wait_s=1) == RegisterReading(990)

    asyncio.run(story())
