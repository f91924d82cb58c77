"""A virtual Modbus meter of any profile: its registers hold what its home uses, its coil moves its relay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fairwatt.drivers.modbus.frame import check_unit, crc16, rtu_frame, tcp_frame
from fairwatt.drivers.modbus.pdu import EXCEPTION, READS_BITS, READS_REGISTERS, WRITE_COIL, WRITE_REGISTER
from fairwatt.drivers.modbus.values import Item, parse_item
from fairwatt.drivers.profile import MeterProfile

_REQUEST_BYTES: Final = 6
_PHASES: Final = ("a", "b", "c")


class SimModbusMeter:
    """One unit on a Modbus line. Energy flows only while the relay is closed; its load is shared by its phases."""

    def __init__(self, *, profile: MeterProfile, unit: str, register_wh: int = 0) -> None:
        self.profile = profile
        self.unit = check_unit(number=unit)
        self.register_wh = register_wh
        self.relay_closed = True
        self.ordered_closed = True
        self.stuck = False
        self.load_w = 0
        self.voltage_dv = 2_300
        self.quantities: dict[str, int] = {}
        self._items = dict(_items(profile))
        self._relay: dict[str, Any] = profile.settings.get("relay", {})

    def add_energy(self, wh: int) -> int:
        """Let the home use energy; return what really flowed, which is 0 while the relay is open."""
        if not self.relay_closed:
            return 0
        self.register_wh += wh
        return wh

    def answer(self, pdu: bytes) -> bytes:
        """Obey one request and return the answer, refusals included."""
        function, address = pdu[0], int.from_bytes(pdu[1:3])
        number = int.from_bytes(pdu[3:5])
        if function in READS_REGISTERS:
            return self._registers(function, address, number)
        if function in READS_BITS:
            return self._bits(function, address, number)
        if function in (WRITE_COIL, WRITE_REGISTER):
            return pdu if self._write(function, address, number) else bytes([function | EXCEPTION, 2])
        return bytes([function | EXCEPTION, 1])

    def _registers(self, function: int, address: int, count: int) -> bytes:
        words: dict[int, bytes] = {}
        for name, item in self._items.items():
            if item.function == function:
                data = item.encode(self._quantity(name))
                words |= {item.address + at: data[2 * at : 2 * at + 2] for at in range(item.words)}
        asked = range(address, address + count)
        over_gaps = self.profile.settings.get("bus", {}).get("reads_over_gaps", 0) >= count
        if not any(at in words for at in asked) or not (over_gaps or all(at in words for at in asked)):
            return bytes([function | EXCEPTION, 2])
        return bytes([function, 2 * count]) + b"".join(words.get(at, b"\0\0") for at in asked)

    def _bits(self, function: int, address: int, count: int) -> bytes:
        closed = self._relay.get("closed", 1)
        for name, now in (("state", self.relay_closed), ("ordered", self.ordered_closed)):
            if self._relay.get(name) == {"function": function, "address": address} and count == 1:
                return bytes([function, 1, closed if now else 1 - closed])
        return bytes([function | EXCEPTION, 2])

    def _write(self, function: int, address: int, value: int) -> bool:
        for name, closed in (("open", False), ("close", True)):
            if self._relay.get(name) == {"function": function, "address": address, "value": value}:
                self.ordered_closed = closed
                self.relay_closed = self.relay_closed if self.stuck else closed
                return True
        return False

    def _quantity(self, name: str) -> int:
        if name in self.quantities:
            return self.quantities[name]
        power_w = self.load_w if self.relay_closed else 0
        phases = [p for p in _PHASES if any(item.startswith(f"{p}.") for item in self._items)] or ["a"]
        phase, dot, quantity = name.partition(".")
        if not dot:
            shown = self.register_wh % self.profile.modulus_wh
            whole = {"energy": shown, "power_w": power_w, "frequency_chz": 5_000}
            return whole.get(name, self._items[name].absent or 0)
        share_w = power_w // len(phases) + (power_w % len(phases) if phase == phases[0] else 0)
        return {
            "voltage_dv": self.voltage_dv,
            "current_ma": share_w * 10_000 // self.voltage_dv,
            "power_w": share_w,
            "power_factor_milli": 1_000,
        }[quantity]


class SimModbusBus:
    """Many units on one line. Give its `answer` to a `Line`, with RTU frames or TCP ones."""

    def __init__(self, *, meters: Iterable[SimModbusMeter], rtu: bool) -> None:
        self.meters = {meter.unit: meter for meter in meters}
        self.rtu = rtu
        self.requests = 0

    def answer(self, heard: bytes) -> tuple[bytes, int]:
        """Answer every whole request in what is heard; step over noise, keep what may become a request."""
        said, at = b"", 0
        size = _REQUEST_BYTES + 2 if self.rtu else 7 + _REQUEST_BYTES - 1
        while len(heard) - at >= size:
            reply = self._rtu(heard[at : at + size]) if self.rtu else self._tcp(heard[at : at + size])
            if reply is None:
                at += 1
                continue
            said, at = said + reply, at + size
        return said, at

    def _rtu(self, frame: bytes) -> bytes | None:
        if crc16(frame[:-2]) != frame[-2:]:
            return None
        meter = self.meters.get(frame[0])
        self.requests += 1
        return rtu_frame(unit=meter.unit, pdu=meter.answer(frame[1:-2])) if meter else b""

    def _tcp(self, frame: bytes) -> bytes | None:
        if frame[2:6] != b"\0\0\0\x06":
            return None
        meter = self.meters.get(frame[6])
        self.requests += 1
        pdu = meter.answer(frame[7:]) if meter else b""
        return tcp_frame(transaction=int.from_bytes(frame[:2]), unit=meter.unit, pdu=pdu) if meter else b""


def _items(profile: MeterProfile) -> Iterable[tuple[str, Item]]:
    for name, row in profile.settings["items"].items():
        if name in _PHASES:
            yield from ((f"{name}.{one}", parse_item(name=one, row=row[one])) for one in row)
        else:
            yield name, parse_item(name=name, row=row)
