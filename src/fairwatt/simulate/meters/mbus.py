"""A virtual M-Bus meter of any profile: a register, a status byte, one telegram or several."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fairwatt.drivers.contract import Medium
from fairwatt.drivers.mbus.frame import (
    ACK,
    DATA_LONG_HEADER,
    END,
    FCB,
    REQ_UD2,
    RSP_UD,
    SELECT,
    SELECTED,
    SND_NKE,
    SND_UD,
    Telegram,
    long_frame,
    telegram_at,
)
from fairwatt.drivers.profile import MeterProfile

_MEDIUM_BYTES: Final = {Medium.WATER: 0x07, Medium.GAS: 0x03, Medium.HEAT: 0x04, Medium.ELECTRICITY: 0x02}
_VOLUME_VIF: Final = {1: 0x13, 10: 0x14, 100: 0x15, 1_000: 0x16}
_ENERGY_VIF: Final = {1: 0x03, 10: 0x04, 100: 0x05, 1_000: 0x06}
_BCD8: Final = 0x0C
_MAKER: Final = 0x5EDD  # "WVW", given to nobody


class SimMbusMeter:
    """One meter with a primary address and a number. ``telegrams`` spreads its records over so many."""

    def __init__(
        self,
        *,
        profile: MeterProfile,
        number: str = "12345678",
        primary: int = 1,
        register: int = 0,
        telegrams: int = 1,
    ) -> None:
        self.profile = profile
        self.primary = primary
        self.register = register
        self.status = 0
        self.telegrams = telegrams
        maker = _MAKER.to_bytes(2, "little")
        self.identity = bytes.fromhex(number)[::-1] + maker + bytes([1, _MEDIUM_BYTES[profile.medium]])
        self.selected = False
        self._access = 0
        self._count: int | None = None
        self._place = 0

    def answer(self, telegram: Telegram) -> bytes:
        """Obey one telegram that is for this meter, as the link layer of EN 13757-2 does."""
        if telegram.control == SND_NKE:
            self._count, self._place = None, 0
            self.selected = self.selected and telegram.address != SELECTED
            return bytes([ACK])
        if telegram.control & ~FCB == REQ_UD2:
            self._turn(telegram.control & FCB)
            return self._say()
        return b""

    def select(self, asked: bytes) -> bytes:
        """Take or lose the selection, by an identity with wildcards."""
        pairs = zip(asked, self.identity, strict=True) if len(asked) == 8 else ()
        self.selected = len(asked) == 8 and all(mine in (0xFF, theirs) for mine, theirs in pairs)
        self._count, self._place = None, 0
        return bytes([ACK]) if self.selected else b""

    def _turn(self, count: int) -> None:
        """The same count bit asks for the same telegram again, the other one for the next."""
        if self._count is not None and count != self._count:
            self._place = (self._place + 1) % self.telegrams
        self._count = count

    def _say(self) -> bytes:
        self._access = (self._access + 1) & 0xFF
        header = self.identity + bytes([self._access, self.status, 0, 0])
        last = self._place == self.telegrams - 1
        records = self._register() if last else self._filling()
        data = header + records + (b"" if last else b"\x1f")
        return long_frame(control=RSP_UD, address=self.primary, ci=DATA_LONG_HEADER, data=data)

    def _register(self) -> bytes:
        step = self.profile.resolution_wh
        vif = (_ENERGY_VIF if self.profile.medium is Medium.HEAT else _VOLUME_VIF)[step]
        shown = self.register % self.profile.modulus_wh // step
        now = bytes([_BCD8, vif]) + bytes.fromhex(f"{shown:08d}")[::-1]
        # Last month's value, a flow and a text: what a real meter sends besides.
        return b"\x4c" + bytes([vif]) + b"\x05\0\0\0" + now + b"\x0b\x3b\x13\x01\x00" + b"\x0d\xfd\x11\x03321"

    def _filling(self) -> bytes:
        return b"\x2f\x02\xfd\x17\x00\x00" + bytes([0x84, self._place + 1, 0x13]) + b"\x07\0\0\0"


class SimMbusBus:
    """Many meters on one line. Give its `answer` to a `Line`."""

    def __init__(self, *, meters: Iterable[SimMbusMeter]) -> None:
        self.meters = list(meters)

    def answer(self, heard: bytes) -> tuple[bytes, int]:
        """Answer every whole request in what is heard; step over noise, keep what may become a request."""
        said, at = b"", 0
        while at < len(heard):
            one = telegram_at(heard, at)
            if one is None and _may_grow(heard[at:]):
                break
            if one is None:
                at += 1
                continue
            said, at = said + self._obey(one[0]), one[1]
        return said, at

    def _obey(self, telegram: Telegram) -> bytes:
        if telegram.ci == SELECT and telegram.control & ~FCB == SND_UD & ~FCB:
            heard = [meter.select(telegram.data) for meter in self.meters]
            return max(heard, default=b"")
        for meter in self.meters:
            if telegram.address == meter.primary or (telegram.address == SELECTED and meter.selected):
                return meter.answer(telegram)
        return b""


def _may_grow(rest: bytes) -> bool:
    if rest[0] == 0x10:
        return len(rest) < 5
    if rest[0] != 0x68 or len(rest) < 4:
        return rest[0] == 0x68
    return (
        rest[1] == rest[2] and rest[3] == 0x68 and len(rest) < rest[1] + 6 and END not in rest[rest[1] + 5 :]
    )
