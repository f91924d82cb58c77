"""The independent `dlt645` package reads our meter, and our driver reads its server.

Two things of that package are its own: it takes addresses in wire order (lowest pair first), and it has no
relay control. Values are floats there; they are compared in the meter's own steps.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from dlt645 import MeterClientService, MeterServerService, TcpClient

from drivers.line import ask
from fairwatt.drivers.contract import (
    CurrentReading,
    Exchange,
    MeterAddress,
    PowerReading,
    RegisterReading,
    RelayState,
    VoltageReading,
)
from fairwatt.drivers.dlt645 import (
    MeterRefused,
    NoAnswer,
    Retry,
    read_address,
    read_current,
    read_energy,
    read_item,
    read_power,
    read_status3,
    read_voltage,
)
from fairwatt.simulate.meters import Dlt645Bus, Fault, FaultKind, FaultPlan, SimMeter

NUMBER = "202611210001"
WIRE_ORDER = "010021112620"
NOW_US = 1_785_542_400_000_000


@cache
def peer_client() -> MeterClientService:
    """Make the package's client once: it copies a table of thousands of items each time."""
    return MeterClientService(TcpClient())


def with_peer_client[T](meters: list[SimMeter], story: Callable[[MeterClientService], T]) -> T:
    """Run the package's blocking client in a thread against our bus."""

    async def run() -> T:
        async with Dlt645Bus(meters=meters, now=lambda: NOW_US) as bus:
            client = peer_client()
            client.client = TcpClient("127.0.0.1", bus.port, timeout=2.0)
            client.set_address(WIRE_ORDER)
            try:
                return await asyncio.get_running_loop().run_in_executor(threads, story, client)
            finally:
                client.disconnect()

    with ThreadPoolExecutor(1) as threads:
        return asyncio.run(run())


@pytest.fixture(scope="module")
def peer_meter() -> Iterator[MeterServerService]:
    server = MeterServerService.new_tcp_server("127.0.0.1", 0, 1.0)
    server.set_address(WIRE_ORDER)
    assert server.start()
    yield server
    server.stop()
    assert not any(thread.name.startswith("dlt645-tcp") for thread in threading.enumerate())


def ask_peer[T](server: MeterServerService, exchange: Exchange[T]) -> T:
    return asyncio.run(ask(port=server.server.port, exchange=exchange, wait_s=1.0))


def test_the_peer_reads_our_meter() -> None:
    meter = SimMeter(number=NUMBER, register_wh=123_456_789)
    meter.load_w, meter.voltage_dv = 2_345, 2_208

    def story(client: MeterClientService) -> list[float]:
        return [
            client.read_00(0x00010000).value,
            client.read_02(0x02010100).value,
            client.read_02(0x02020100).value,
            client.read_02(0x02030000).value,
        ]

    assert with_peer_client([meter], story) == [123_456.78, 220.8, 10.62, 2.345]
    assert [told.register_wh for told in meter.emitted] == [123_456_780]


def test_the_peer_sees_our_relay_open() -> None:
    def status(closed: bool) -> str:
        meter = SimMeter(number=NUMBER, relay_closed=closed)
        return with_peer_client([meter], lambda client: str(client.read_04(0x04000503).value))

    assert status(True) == "0000"
    assert status(False) == "0050"


def test_the_peer_finds_our_meters_address() -> None:
    found = with_peer_client([SimMeter(number=NUMBER)], lambda client: client.read_address().value)
    assert found == WIRE_ORDER


def test_the_peer_understands_our_refusal() -> None:
    meters = [SimMeter(number=NUMBER)]
    assert with_peer_client(meters, lambda client: client.read_00(0x00030000)) is None


def test_the_peer_hears_our_meter_through_noise() -> None:
    meter = SimMeter(number=NUMBER, register_wh=10, faults=FaultPlan([Fault(FaultKind.NOISE, amount=5)]))
    assert with_peer_client([meter], lambda client: client.read_00(0x00010000).value) == 0.01


def test_our_driver_reads_the_peers_meter(peer_meter: MeterServerService) -> None:
    peer_meter.set_00(0x00010000, 4_321.09)
    peer_meter.set_02(0x02010100, 230.1)
    peer_meter.set_02(0x02020100, -1.234)
    peer_meter.set_02(0x02030000, 1.5004)

    assert ask_peer(peer_meter, read_energy(address=NUMBER)) == RegisterReading(4_321_090)
    assert ask_peer(peer_meter, read_voltage(address=NUMBER)) == VoltageReading(2_301)
    assert ask_peer(peer_meter, read_current(address=NUMBER)) == CurrentReading(-1_234)
    assert ask_peer(peer_meter, read_power(address=NUMBER)) == PowerReading(1_500)


def test_our_driver_sees_the_peers_relay(peer_meter: MeterServerService) -> None:
    peer_meter.set_04(0x04000503, "0010")
    assert ask_peer(peer_meter, read_status3(address=NUMBER)) == RelayState(closed=False, ordered_closed=True)


def test_our_driver_finds_the_peers_address(peer_meter: MeterServerService) -> None:
    assert ask_peer(peer_meter, read_address()) == MeterAddress(NUMBER)


def test_our_driver_understands_the_peers_refusal(peer_meter: MeterServerService) -> None:
    with pytest.raises(MeterRefused) as refused:
        ask_peer(peer_meter, read_item(address=NUMBER, identifier=0x00FE0000, parse=bytes))
    assert refused.value.reasons == ("no_data",)


def test_the_peers_reply_under_another_address_is_not_taken(peer_meter: MeterServerService) -> None:
    stranger = read_energy(address="202611210009", retry=Retry(attempts=1))
    # The peer refuses in the name of the address it was asked under; either way no reading comes of it.
    with pytest.raises((MeterRefused, NoAnswer)):
        ask_peer(peer_meter, stranger)
