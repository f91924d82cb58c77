"""A gateway's bench for a newcomer: virtual meters that use energy in real time, and an edge.toml that fits."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fairwatt.simulate.meters import Dlt645Bus, SerialPort, SimMeter

METER_BASE: Final = 202_700_000_000
METER_PASSWORD: Final = "02123456"  # noqa: S105 - a virtual meter's factory password
_STEP_S: Final = 0.25
_WATT_MICROSECONDS_A_WH: Final = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the bench is to be. ``load_w``: what a home uses on average; ``mqtt``: where the head-end's door is."""

    folder: Path
    meters: int = 3
    load_w: int = 600
    interval_s: int = 15
    serial: bool = False
    port: int = 0
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = 1883


class Bench:
    """Meters on one bus, and the files of the gateway that reads them."""

    def __init__(self, wishes: Wishes) -> None:
        dice = Random(f"bench:{wishes.meters}")
        self.wishes = wishes
        self.config = wishes.folder / "edge.toml"
        self.meters = [
            SimMeter(
                number=str(METER_BASE + n + 1),
                register_wh=dice.randrange(100_000, 9_000_000),
                password=METER_PASSWORD,
            )
            for n in range(wishes.meters)
        ]
        for meter in self.meters:
            meter.load_w = dice.randrange(wishes.load_w // 2, wishes.load_w * 3 // 2 + 1)
        self.bus = Dlt645Bus(meters=self.meters, now=_now_us, port=wishes.port)
        self._serial = SerialPort(self.bus) if wishes.serial else None
        self._rest = [0] * wishes.meters

    @property
    def line(self) -> str:
        """Where the meters are."""
        return self._serial.device if self._serial else f"{self.bus.host}:{self.bus.port}"

    async def run(self, ready: asyncio.Event) -> None:
        """Answer for the meters and let energy flow until cancelled; set `ready` when the files are written."""
        if self._serial is not None:
            self._serial.start()
        else:
            await self.bus.start()
        try:
            self._write()
            ready.set()
            before_us = _now_us()
            while True:
                await asyncio.sleep(_STEP_S)
                now_us = _now_us()
                self._flow(now_us - before_us)
                before_us = now_us
        finally:
            if self._serial is not None:
                self._serial.stop()
            else:
                await self.bus.stop()

    def _flow(self, passed_us: int) -> None:
        for n, meter in enumerate(self.meters):
            wh, self._rest[n] = divmod(self._rest[n] + meter.load_w * passed_us, _WATT_MICROSECONDS_A_WH)
            meter.add_energy(wh)

    def _write(self) -> None:
        """The settings anew; keys and password only once, or a running head-end would not know us any more."""
        folder = self.wishes.folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("gateway", "issuer"):
            private, public = folder / f"{name}.pem", folder / f"{name}.pub"
            if not private.exists():
                key = Ed25519PrivateKey.generate()
                private.touch(mode=0o600)
                private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
                public.write_bytes(
                    key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                )
        password = folder / "password"
        if not password.exists():
            password.touch(mode=0o600)
            password.write_text(secrets.token_urlsafe(24) + "\n")
        self.config.write_text(self._toml())

    def _toml(self) -> str:
        wishes = self.wishes
        line = (
            f'device = "{self._serial.device}"\nparity = "none"  # a pseudo-terminal has none'
            if self._serial
            else f'host = "{self.bus.host}"\nport = {self.bus.port}'
        )
        meters = "".join(
            f'\n[[bus.meter]]\nnumber = {int(meter.number)}\naddress = "{meter.number}"\n'
            f'password = "{meter.password}"\n'
            for meter in self.meters
        )
        return f"""# A gateway on a bench. Made by `fairwatt edge simulate`, which answers for its meters.
[gateway]
book = "1"
site = "bench"
id = "gw-bench"
zone = "Asia/Shanghai"
spool = "spool.sqlite"
interval_s = {wishes.interval_s}

[broker]  # without one the gateway is alone: it reads and keeps
host = "{wishes.mqtt_host}"
port = {wishes.mqtt_port}
password_file = "password"

[keys]
own = "gateway.pem"

[[keys.issuer]]
kid = "01"
public = "issuer.pub"

[[bus]]
name = "bench"
{line}
{meters}"""


def _now_us() -> int:
    return time.time_ns() // 1000
