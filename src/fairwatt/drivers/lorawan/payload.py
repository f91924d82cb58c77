"""What the bytes of a device mean, by a table in its profile; and Fairwatt's own form of them.

Devices of LoRaWAN have no common payload: each model's bytes are a few rows of TOML. `lorawan_water.toml` describes
the form we publish (docs/protocol/lorawan.md): ten bytes up, nine bytes down, each with a CRC-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from fairwatt.drivers.contract import MeterEventKind
from fairwatt.drivers.errors import NotAMessage, UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError, only

PROTOCOL: Final = "LoRaWAN payload"
_PAYLOAD_MAX: Final = 222
_UPLINK: Final = (
    *("port", "size", "start", "check", "register", "order"),
    *("open", "shut", "told_shut", "conditions", "battery"),
)


def crc8(data: bytes) -> int:
    """CRC-8 with polynomial 07H, start 00H, nothing reflected: a wrong table seldom passes for a right one."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ 0x07 if crc & 0x80 else crc << 1
        crc &= 0xFF
    return crc


@dataclass(frozen=True, slots=True)
class Field:
    """A number in a payload: where, and (x ``times`` / ``over``) of which unit."""

    at: int
    size: int
    low_first: bool = True
    times: int = 1
    over: int = 1

    def read(self, data: bytes) -> Fraction:
        """The number in our unit, exactly."""
        raw = data[self.at : self.at + self.size]
        return Fraction(int.from_bytes(raw, "little" if self.low_first else "big") * self.times, self.over)

    def write(self, amount: int) -> bytes:
        """What a device of this model would send for it, its register turned over."""
        number = amount * self.over // self.times % (1 << 8 * self.size)
        return number.to_bytes(self.size, "little" if self.low_first else "big")


@dataclass(frozen=True, slots=True)
class Flag:
    """A few bits of a payload and what they are when something is so."""

    at: int
    mask: int
    value: int

    def so(self, data: bytes) -> bool:
        """Whether these bits have this value."""
        return data[self.at] & self.mask == self.value


@dataclass(frozen=True, slots=True)
class Payload:
    """The table of one model. Everything but the register may be missing."""

    port: int
    size: int
    start: bytes
    has_crc8: bool
    register: Field
    order: Field | None
    opened: Flag | None
    shut: Flag | None
    told_shut: Flag | None
    conditions: tuple[tuple[MeterEventKind, Flag], ...]
    low_battery: tuple[int, int] | None

    def check(self, data: bytes) -> None:
        """Raise `NotAMessage` unless these bytes can be this model's."""
        if len(data) != self.size or not data.startswith(self.start):
            raise NotAMessage(protocol=PROTOCOL, why=f"{data.hex() or 'nothing'} is not of this model's form")
        if self.has_crc8 and crc8(data[:-1]) != data[-1]:
            raise NotAMessage(protocol=PROTOCOL, why=f"the check byte of {data.hex()} is wrong")

    def valve(self, data: bytes) -> tuple[bool, bool] | None:
        """Whether the valve is open and was told to be; None where it says neither, or nothing of it."""
        if self.opened is None or self.shut is None or self.opened.so(data) == self.shut.so(data):
            return None
        opened = self.opened.so(data)
        return opened, (opened if self.told_shut is None else not self.told_shut.so(data))

    def wrong(self, data: bytes) -> frozenset[MeterEventKind]:
        """What the payload says is wrong now."""
        kinds = {kind for kind, flag in self.conditions if flag.so(data)}
        if self.low_battery is not None and data[self.low_battery[0]] < self.low_battery[1]:
            kinds.add(MeterEventKind.LOW_BATTERY)
        if self.opened is not None and self.shut is not None and self.opened.so(data) == self.shut.so(data):
            kinds.add(MeterEventKind.VALVE_FAULT)
        return frozenset(kinds)


def register_of(payload: Payload, data: bytes, *, profile: MeterProfile) -> int:
    """The register in whole steps of the profile. Raises `UnreadableValue` beyond what it can show."""
    steps = payload.register.read(data) / profile.resolution_wh
    total = steps.numerator // steps.denominator * profile.resolution_wh
    if not 0 <= total < profile.modulus_wh:
        raise UnreadableValue(what="its register", data=data, why="which its register cannot show")
    return total


def parse_payload(*, profile: MeterProfile) -> Payload:
    """Read the table [uplink] of a profile. Raises `ProfileError`."""
    row = only(profile.settings.get("uplink", {}), *_UPLINK, where="Table [uplink]")
    try:
        payload = Payload(
            port=_within(row["port"], 1, 223),
            size=_within(row["size"], 1, _PAYLOAD_MAX),
            start=bytes.fromhex(row.get("start", "")),
            has_crc8=row.get("check") == "crc8",
            register=_field(row["register"]),
            order=_field(row["order"]) if "order" in row else None,
            opened=_flag(row["open"]) if "open" in row else None,
            shut=_flag(row["shut"]) if "shut" in row else None,
            told_shut=_flag(row["told_shut"]) if "told_shut" in row else None,
            conditions=tuple(
                (MeterEventKind(kind), _flag(one)) for kind, one in row.get("conditions", {}).items()
            ),
            low_battery=_battery(row["battery"]) if "battery" in row else None,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ProfileError(
            f"Meter profile {profile.key!r}: the table [uplink] is not whole ({error!r})."
        ) from error
    if row.get("check", "none") not in ("crc8", "none") or _end(payload) > payload.size:
        raise ProfileError(
            f"Meter profile {profile.key!r}: [uplink] names bytes beyond its size, or another check."
        )
    return payload


def _field(row: dict[str, Any]) -> Field:
    only(row, "at", "bytes", "order", "scale", where="A number of [uplink]")
    times, over = row.get("scale", [1, 1])
    if row.get("order", "low_first") not in ("low_first", "high_first"):
        raise ValueError("order is low_first or high_first")
    return Field(
        at=_within(row["at"], 0, _PAYLOAD_MAX),
        size=_within(row["bytes"], 1, 8),
        low_first=row.get("order", "low_first") == "low_first",
        times=_within(times, 1, 10**12),
        over=_within(over, 1, 10**12),
    )


def _flag(row: dict[str, Any]) -> Flag:
    only(row, "at", "mask", "value", where="A flag of [uplink]")
    mask = _within(row["mask"], 1, 255)
    return Flag(
        at=_within(row["at"], 0, _PAYLOAD_MAX), mask=mask, value=_within(row.get("value", mask), 0, 255)
    )


def _battery(row: dict[str, Any]) -> tuple[int, int]:
    only(row, "at", "low_below", where="The battery of [uplink]")
    return _within(row["at"], 0, _PAYLOAD_MAX), _within(row["low_below"], 1, 255)


def _within(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{value!r} is not a whole number of {low} to {high}")
    return value


def _end(payload: Payload) -> int:
    flags = [flag for _, flag in payload.conditions]
    flags += [flag for flag in (payload.opened, payload.shut, payload.told_shut) if flag is not None]
    fields = [field for field in (payload.register, payload.order) if field is not None]
    battery = [] if payload.low_battery is None else [payload.low_battery[0] + 1]
    return max([*(flag.at + 1 for flag in flags), *(field.at + field.size for field in fields), *battery])
