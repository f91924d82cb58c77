"""A virtual meter with a modem of its own: it wakes, speaks, listens for a while, and sleeps again."""

from __future__ import annotations

from typing import Any

from fairwatt.drivers.mqttmeter import message as wire
from fairwatt.drivers.profile import MeterProfile

_SECOND_US = 1_000_000


class SimMqttMeter:
    """One meter. With ``awake_s`` 0 it hears nothing but what comes while it is awake after a message."""

    def __init__(
        self,
        *,
        profile: MeterProfile,
        meter: str,
        register: int = 0,
        sleeps: bool = False,
        awake_s: int = 10,
    ) -> None:
        self.profile = profile
        self.meter = meter
        self.register = register
        self.closed = True
        self.ordered = True
        self.stuck = False
        self.load_w = 0
        self.conditions: list[str] = []
        self.order = ""
        self.sleeps = sleeps
        self.awake_s = awake_s
        self.awake_until_us = 0
        self._seq = 0
        self.as_json = profile.settings["message"]["form"] == "json"

    def add(self, amount: int) -> int:
        """Let energy or gas flow; return what really did."""
        if not self.closed:
            return 0
        self.register += amount
        return amount

    def wake(self, *, now_us: int) -> bytes:
        """Wake and speak; the meter listens for `awake_s` from now on."""
        self._seq += 1
        self.awake_until_us = now_us + self.awake_s * _SECOND_US
        fields: dict[str, Any] = {
            "v": wire.VERSION,
            "meter": self.meter,
            "seq": self._seq,
            "clock": now_us // _SECOND_US,
            "register": self.register % self.profile.modulus_wh,
            "relay": self._word(self.closed),
            "ordered": self._word(self.ordered),
            "power": self.load_w if self.closed else 0,
        }
        if self.conditions:
            fields["conditions"] = self.conditions
        if self.order:
            fields["order"] = self.order
        if self.sleeps:
            fields["awake"] = self.awake_s
        return wire.write(fields, as_json=self.as_json)

    def hear(self, message: bytes, *, now_us: int) -> bytes | None:
        """Take an order if awake; obey and speak again, or keep silent."""
        if self.sleeps and now_us >= self.awake_until_us:
            return None
        fields = wire.read(message)
        if fields["meter"] != self.meter or now_us > fields["until"] * _SECOND_US:
            return None
        self.order, self.ordered = fields["order"], fields["relay"] in (1, "closed")
        if not self.stuck:
            self.closed = self.ordered
        return self.wake(now_us=now_us)

    def _word(self, closed: bool) -> str | int:
        return ("closed" if closed else "open") if self.as_json else int(closed)
