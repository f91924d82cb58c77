"""More between the independent `dlt645` package and us: events, clock, three phases, freezes, addresses.

Two more things are the package's own: it names speeds by BCD of bit/s over 300 where the standard has one bit a
speed, and it clears demands by identifier and password where the standard has password and operator.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dlt645 import MeterClientService, MeterServerService

from drivers.test_peer import NOW_US, NUMBER, WIRE_ORDER, ask_peer, with_peer_client
from fairwatt.drivers.contract import Accepted, EventCount, EventRecord, MeterClock, MeterEventKind
from fairwatt.drivers.dlt645 import (
    Item,
    freeze_now,
    read_block,
    read_clock,
    read_item,
    write_address,
)
from fairwatt.drivers.dlt645.events import STANDARD, read_event_count, read_event_record
from fairwatt.simulate.meters import SimMeter
from fairwatt.simulate.meters.events import SimEvent

ZONE = "Asia/Shanghai"
COVER = STANDARD[MeterEventKind.COVER_OPEN]


@pytest.fixture
def peer_meter() -> Iterator[MeterServerService]:
    server = MeterServerService.new_tcp_server("127.0.0.1", 0, 1.0)
    server.set_address(WIRE_ORDER)
    assert server.start()
    yield server
    server.stop()


def test_the_peer_reads_our_three_phases() -> None:
    meter = SimMeter(number=NUMBER, phases=3)
    for number, phase in enumerate(meter.phases):
        phase.voltage_dv, phase.load_w, phase.power_factor_milli = 2_200 + number, -500 * number, 900
    found = with_peer_client(
        [meter],
        lambda client: [
            client.read_02(identifier).value
            for identifier in (0x02010200, 0x02010300, 0x02030100, 0x02030300, 0x02060300, 0x02800002)
        ],
    )
    assert found == [220.1, 220.2, 0.0, -1.0, -0.9, 50.0]


def test_the_peer_reads_our_clock_and_our_tariffs() -> None:
    meter = SimMeter(number=NUMBER, register_wh=7_000)
    meter.tariff = 2
    meter.add_energy(3_000)

    def story(client: MeterClientService) -> list[object]:
        return [
            client.read_04(0x04000101).value,
            client.read_04(0x04000102).value,
            client.read_00(0x00010100).value,
            client.read_00(0x00010200).value,
        ]

    assert with_peer_client([meter], story) == ["26080106", "080000", 7.0, 3.0]


def test_the_peer_counts_our_covers() -> None:
    meter = SimMeter(number=NUMBER)
    for _ in range(3):
        meter.events.note(MeterEventKind.COVER_OPEN, SimEvent(NOW_US, NOW_US))
    found = with_peer_client([meter], lambda client: client.read_03(0x03300D00))
    assert "000003" in str([item.value for item in found] if isinstance(found, list) else found.value)


def test_the_peer_freezes_us() -> None:
    meter = SimMeter(number=NUMBER, register_wh=1_000)
    with_peer_client([meter], lambda client: client.freeze(99, 99, 99, 99))
    assert [len(kept) for kept in meter.freezes.kept.values()] == [0, 1, 0, 0]


def test_our_driver_counts_the_peers_events(peer_meter: MeterServerService) -> None:
    peer_meter.set_03(COVER.count, ["000012"])
    count = ask_peer(peer_meter, read_event_count(address=NUMBER, item=COVER))
    assert count == EventCount(MeterEventKind.COVER_OPEN, 12)
    record = ask_peer(peer_meter, read_event_record(address=NUMBER, item=COVER, nth=1, zone=ZONE))
    assert record == EventRecord(MeterEventKind.COVER_OPEN, None, None)


def test_our_driver_reads_the_peers_clock(peer_meter: MeterServerService) -> None:
    peer_meter.set_04(0x04000101, "26080106")
    peer_meter.set_04(0x04000102, "080000")
    assert ask_peer(peer_meter, read_clock(address=NUMBER, zone=ZONE)) == MeterClock(NOW_US)


@pytest.mark.parametrize(
    ("identifier", "told", "item", "ours"),
    [
        (0x02010300, 219.9, Item("voltage", 0x02010300, 2), 2_199),
        (0x02030200, -3.25, Item("power", 0x02030200, 3, over=10, signed=True), -3_250),
        (0x02060000, -0.871, Item("power factor", 0x02060000, 2, signed=True), -871),
        (0x02800001, 1.234, Item("neutral", 0x02800001, 3, signed=True), 1_234),
        (0x02800002, 49.98, Item("frequency", 0x02800002, 2), 4_998),
        (0x02800007, -12.5, Item("temperature", 0x02800007, 2, signed=True), -125),
        (0x02080100, 3.21, Item("distortion", 0x02080100, 2, over=10), 32),
    ],
)
def test_our_driver_reads_the_peers_variables(
    peer_meter: MeterServerService, identifier: int, told: float, item: Item, ours: int
) -> None:
    assert peer_meter.set_02(identifier, told)
    assert ask_peer(peer_meter, read_block(address=NUMBER, item=item)) == (ours,)


def test_the_peer_freezes_and_takes_another_address(peer_meter: MeterServerService) -> None:
    assert ask_peer(peer_meter, freeze_now(address=NUMBER)) == Accepted()
    assert ask_peer(peer_meter, write_address(address=NUMBER, new="202611210009")) == Accepted()
    moved = read_item(address="202611210009", identifier=0x04000103, parse=bytes)
    assert len(ask_peer(peer_meter, moved)) == 1
