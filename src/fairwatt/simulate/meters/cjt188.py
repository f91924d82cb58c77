"""A virtual CJ/T 188 meter of any profile: a register, a valve, a battery, a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from fairwatt.drivers.cjt188.frame import (
    ABNORMAL,
    ANY_ADDRESS,
    ANY_KIND,
    FROM_METER,
    OVERHEAD,
    READ_ADDRESS,
    READ_DATA,
    START,
    WRITE_DATA,
    Frame,
    build_frame,
    frame_at,
    wire_address,
)
from fairwatt.drivers.cjt188.meter import IDENTIFIERS, OPEN_VALVE, SHUT_VALVE
from fairwatt.drivers.cjt188.values import (
    decode_clock,
    encode_clock,
    encode_quantity,
    encode_status,
    parse_layout,
    parse_units,
)
from fairwatt.drivers.errors import UnreadableValue
from fairwatt.drivers.profile import MeterProfile

KWH: Final = 0x05
CUBIC_METRE: Final = 0x2C


class SimCjt188Meter:
    """One water, heat or gas meter. Nothing flows while its valve is shut."""

    def __init__(
        self, *, profile: MeterProfile, number: str, register: int = 0, zone: str = "Asia/Shanghai"
    ) -> None:
        self.profile = profile
        self.address = wire_address(number=number)
        self.register = register
        self.zone = zone
        self.valve_open = True
        self.valve_broken = False
        self.valve_stuck = False
        self.battery_low = False
        self.clock_offset_us = 0
        self.unit = KWH if profile.medium.unit == "Wh" else CUBIC_METRE
        self._kind: int = profile.settings["meter"]["kind"]
        self._layout = parse_layout(profile=profile)
        self._units = parse_units(profile=profile)
        named = IDENTIFIERS | profile.settings.get("identifiers", {})
        self._identifiers = {name: bytes.fromhex(named[name]) for name in IDENTIFIERS}

    def add(self, amount: int) -> int:
        """Let litres or Wh flow; return what really did."""
        if not self.valve_open:
            return 0
        self.register += amount
        return amount

    def answer(self, frame: Frame, *, now_us: int) -> bytes:
        """Obey one request and return the answer."""
        identifier = frame.data[:2]
        if frame.control == READ_ADDRESS:
            return self._say(frame, frame.data)
        if frame.control == READ_DATA and identifier == self._identifiers["data"]:
            return self._say(frame, frame.data[:3] + self._data(now_us))
        if frame.control == WRITE_DATA and self._write(identifier, frame.data[3:], now_us):
            return self._say(frame, frame.data[:3] + self._status())
        return self._say(frame, frame.data[2:3] + self._status(), flags=ABNORMAL)

    def _write(self, identifier: bytes, value: bytes, now_us: int) -> bool:
        if identifier == self._identifiers["valve"] and value in (bytes([OPEN_VALVE]), bytes([SHUT_VALVE])):
            if not self.valve_stuck:
                self.valve_open = value[0] == OPEN_VALVE
            return self.profile.settings["meter"].get("valve", False) is True
        if identifier == self._identifiers["clock"] and len(value) == 7:
            try:
                self.clock_offset_us = decode_clock(value, zone=self.zone) - now_us
            except UnreadableValue:
                return False
            return True
        return False

    def _data(self, now_us: int) -> bytes:
        layout, value = self._layout, bytearray(self._layout.size)
        shown = self.register % self.profile.modulus_wh
        quantity = encode_quantity(
            shown, unit=self.unit, medium_unit=self.profile.medium.unit, extra=self._units
        )
        value[layout.register_at : layout.register_at + len(quantity)] = quantity
        if layout.clock_at is not None:
            clock = encode_clock(now_us + self.clock_offset_us, zone=self.zone)
            value[layout.clock_at : layout.clock_at + len(clock)] = clock
        if layout.status_at is not None:
            value[layout.status_at : layout.status_at + 2] = self._status()
        return bytes(value)

    def _status(self) -> bytes:
        return encode_status(
            opened=self.valve_open,
            broken=self.valve_broken,
            battery_low=self.battery_low,
            layout=self._layout,
        )

    def _say(self, frame: Frame, data: bytes, *, flags: int = 0) -> bytes:
        control = frame.control | FROM_METER | flags
        return build_frame(kind=self._kind, address=self.address, control=control, data=data)


class SimCjt188Bus:
    """Many meters on one line. Give its `answer` to a `Line`."""

    def __init__(self, *, meters: Iterable[SimCjt188Meter], now: Callable[[], int]) -> None:
        self.meters = list(meters)
        self._now = now

    def answer(self, heard: bytes) -> tuple[bytes, int]:
        """Answer every whole request in what is heard; step over noise, keep what may become a request."""
        said, at = b"", heard.find(START)
        while 0 <= at <= len(heard) - OVERHEAD:
            one = frame_at(heard, at)
            if one is None:
                if len(heard) < at + OVERHEAD + heard[at + 10]:
                    break
                at = heard.find(START, at + 1)
                continue
            said, at = said + self._obey(one[0]), heard.find(START, one[1])
        return said, len(heard) if at < 0 else at

    def _obey(self, frame: Frame) -> bytes:
        if frame.from_meter:
            return b""
        meant = [m for m in self.meters if frame.address in (m.address, ANY_ADDRESS)]
        kinds = (ANY_KIND, *(m.profile.settings["meter"]["kind"] for m in meant))
        return meant[0].answer(frame, now_us=self._now()) if len(meant) == 1 and frame.kind in kinds else b""
