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

from fairwatt.core.commands import restore_code
from fairwatt.edge.local.homes import hash_pin
from fairwatt.simulate.meters import Dlt645Bus, SerialPort, SimMeter

METER_BASE: Final = 202_700_000_000
METER_PASSWORD: Final = "02123456"  # noqa: S105 - a virtual meter's factory password
PIN: Final = "2468"
"""of every virtual home"""
PAGE: Final = "127.0.0.1:8480"
TCP: Final = "127.0.0.1:7420"
_CODE_HOURS: Final = 1
_DAY_US: Final = 86_400_000_000
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
        self.code = ""
        """a restore code for the first meter, once the files are written"""

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
        self._write_local(folder)
        self.config.write_text(self._toml())

    def _write_local(self, folder: Path) -> None:
        """What opens the gateway's own doors: the secret of its codes, and homes that all have one PIN."""
        secret = folder / "restore.key"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_hex(32) + "\n")
        homes = (
            f'[[home]]\nmeter = {int(meter.number)}\nname = "{self.home(n)}"\n'
            f'pin = "{hash_pin(PIN, salt=secrets.token_bytes(16))}"\n'
            for n, meter in enumerate(self.meters)
        )
        (folder / "homes.toml").write_text("\n".join(homes))
        self.code = self._next_code()

    def home(self, n: int, /) -> str:
        """Name of the home of one meter."""
        return f"1-{n + 101}"

    def _next_code(self) -> str:
        """A restore code for the first meter, another one at each start: the count is kept, as an office keeps it."""
        folder = self.wishes.folder
        key, count = bytes.fromhex((folder / "restore.key").read_text()), folder / "restore.count"
        counter = 1 + (int(count.read_text()) if count.exists() else 0)
        count.write_text(f"{counter}\n")
        digits = restore_code.write_code(
            marker=lambda meter, said: restore_code.mark_of(key=key, meter=meter, said=said),
            meter=int(self.meters[0].number),
            counter=counter,
            hours=_CODE_HOURS,
            day=_now_us() // _DAY_US,
        )
        return restore_code.grouped(digits)

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

[local]  # what it offers to people who stand before it
code_key = "restore.key"
homes = "homes.toml"
currency = "CNY"
page = "{PAGE}"
tcp = "{TCP}"

[[bus]]
name = "bench"
{line}
{meters}"""


def _now_us() -> int:
    return time.time_ns() // 1000
