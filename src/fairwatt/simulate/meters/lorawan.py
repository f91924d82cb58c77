"""A virtual LoRaWAN meter with its network server: uplinks as ChirpStack says them, downlinks obeyed when heard."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fairwatt.drivers.lorawan.chirpstack import read_downlink, read_eui
from fairwatt.drivers.lorawan.meter import OPEN_VALVE, ORDER_FORM
from fairwatt.drivers.lorawan.payload import crc8, parse_payload
from fairwatt.drivers.profile import MeterProfile

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SimLorawanMeter:
    """One device. Of class A it hears what waits in the network's queue only behind an uplink of its own."""

    def __init__(
        self, *, profile: MeterProfile, dev_eui: str, register: int = 0, device_class: str = "CLASS_A"
    ) -> None:
        self.profile = profile
        self.dev_eui = read_eui(dev_eui)
        self.register = register
        self.device_class = device_class
        self.valve_open = True
        self.valve_stuck = False
        self.told_open = True
        self.leak = False
        self.battery = 90
        self.order = 0
        self.queue: list[bytes] = []
        self._f_cnt = 0
        self._payload = None if "object" in profile.settings else parse_payload(profile=profile)

    def add(self, amount: int) -> int:
        """Let litres or Wh flow; return what really did."""
        if not self.valve_open:
            return 0
        self.register += amount
        return amount

    def uplink(self, *, now_us: int) -> bytes:
        """Speak once, then take what waited. Returns the event as the network server publishes it."""
        said = json.dumps(self._event(now_us)).encode()
        self._f_cnt += 1
        waiting, self.queue = self.queue, []
        for downlink in waiting:
            self._obey(downlink, now_us)
        return said

    def downlink(self, message: bytes, *, now_us: int) -> None:
        """Take what was published for this device: at once in class B and C, else after its next uplink."""
        if read_downlink(message)[0] != self.dev_eui:
            return
        if self.device_class == "CLASS_A":
            self.queue.append(message)
        else:
            self._obey(message, now_us)

    def _obey(self, message: bytes, now_us: int) -> None:
        data = read_downlink(message)[2]
        if len(data) != 9 or data[0] != ORDER_FORM or crc8(data[:-1]) != data[-1]:
            return
        if now_us > int.from_bytes(data[4:8], "little") * 1_000_000:
            return
        self.order, self.told_open = int.from_bytes(data[2:4], "little"), data[1] == OPEN_VALVE
        if not self.valve_stuck:
            self.valve_open = self.told_open

    def _event(self, now_us: int) -> dict[str, Any]:
        event = {
            "deduplicationId": f"{self.dev_eui}-{self._f_cnt}-{now_us}",
            "time": (_EPOCH + timedelta(microseconds=now_us)).isoformat(),
            "deviceInfo": {"devEui": self.dev_eui, "deviceClassEnabled": self.device_class},
            "fCnt": self._f_cnt,
            "fPort": 1 if self._payload is None else self._payload.port,
        }
        if self._payload is None:
            shown = self.register % self.profile.modulus_wh
            return event | {"data": "qg==", "object": {"volume": shown / 1000}}
        return event | {"data": base64.b64encode(self._bytes()).decode()}

    def _bytes(self) -> bytes:
        assert self._payload is not None
        status = (0 if self.valve_open else 1) | (0 if self.told_open else 4) | (8 if self.leak else 0)
        body = self._payload.start + self._payload.register.write(self.register)
        body += bytes([status, self.battery]) + self.order.to_bytes(2, "little")
        return body + bytes([crc8(body)])
