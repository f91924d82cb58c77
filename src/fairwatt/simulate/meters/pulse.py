"""A virtual counter module: pulses come in on its channels, and it can lose its memory."""

from __future__ import annotations

from fairwatt.drivers.modbus.frame import RTU_OVERHEAD, check_unit, crc16, rtu_frame
from fairwatt.drivers.modbus.pdu import EXCEPTION
from fairwatt.drivers.profile import MeterProfile
from fairwatt.drivers.pulse.counter import parse_pulses


class SimPulseCounter:
    """One module on a Modbus RTU line. Give its `answer` to a `Line`."""

    def __init__(self, *, profile: MeterProfile, unit: str) -> None:
        self.unit = check_unit(number=unit)
        self._row = profile.settings["counter"]
        self._pulses = parse_pulses(profile=profile)
        self.counts = [0] * self._row.get("channels", 1)
        self._rest = [0] * len(self.counts)

    def add(self, *, channel: int, amount: int) -> None:
        """Let so many Wh or litres through the meter on this channel; what makes no pulse yet is kept."""
        self._rest[channel - 1] += amount * self._pulses.number
        made, self._rest[channel - 1] = divmod(self._rest[channel - 1], self._pulses.amount)
        self.counts[channel - 1] = (self.counts[channel - 1] + made) % self._pulses.range

    def lose_memory(self) -> None:
        """Count from zero again, as a module whose battery is empty does after a power cut."""
        self.counts = [0] * len(self.counts)

    def answer(self, heard: bytes) -> tuple[bytes, int]:
        """Answer every whole request in what is heard."""
        said, at, size = b"", 0, RTU_OVERHEAD + 5
        while len(heard) - at >= size:
            frame = heard[at : at + size]
            if crc16(frame[:-2]) != frame[-2:]:
                at += 1
                continue
            at += size
            if frame[0] == self.unit:
                said += rtu_frame(unit=self.unit, pdu=self._obey(frame[1:-2]))
        return said, at

    def _obey(self, pdu: bytes) -> bytes:
        words = b"".join(count.to_bytes(self._pulses.bits // 8) for count in self.counts)
        start = 2 * (int.from_bytes(pdu[1:3]) - self._row["address"])
        data = words[start : start + 2 * int.from_bytes(pdu[3:5])] if start >= 0 else b""
        if pdu[0] != self._row["function"] or len(data) != 2 * int.from_bytes(pdu[3:5]):
            return bytes([pdu[0] | EXCEPTION, 2])
        return bytes([pdu[0], len(data)]) + data
