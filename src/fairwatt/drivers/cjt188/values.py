"""Values inside CJ/T 188 frames: quantities with their unit, the meter's clock, the status word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from fairwatt.drivers.contract import MeterEventKind
from fairwatt.drivers.errors import BadRequest, UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError

# Unit byte -> our unit of one step of the digits XXXXXX.XX, hence hundredths. Annex of CJ/T 188-2004.
_WH_UNITS: Final = {
    0x02: Fraction(1, 100),
    0x05: Fraction(1_000, 100),
    0x08: Fraction(1_000_000, 100),
    0x0A: Fraction(100_000_000, 100),
    0x01: Fraction(1, 360_000),
    0x0B: Fraction(1_000, 360_000),
    0x0E: Fraction(1_000_000, 360_000),
    0x11: Fraction(1_000_000_000, 360_000),
    0x13: Fraction(100_000_000_000, 360_000),
}
_LITRE_UNITS: Final = {0x29: Fraction(1, 100), 0x2C: Fraction(1_000, 100)}
UNIT_NAMES: Final = {
    0x01: "J",
    0x02: "Wh",
    0x05: "kWh",
    0x08: "MWh",
    0x0A: "100 MWh",
    0x0B: "kJ",
    0x0E: "MJ",
    0x11: "GJ",
    0x13: "100 GJ",
    0x14: "W",
    0x17: "kW",
    0x1A: "MW",
    0x29: "l",
    0x2C: "m3",
    0x32: "l/h",
    0x35: "m3/h",
}
QUANTITY_BYTES: Final = 5
CLOCK_BYTES: Final = 7
STATUS_BYTES: Final = 2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in the answer to 901FH, counted from behind DI and SER. ``None``: this model has it not.

    ``valve_shift`` and ``battery_bit`` say where in the first status byte they are: makers disagree.
    """

    size: int
    register_at: int
    clock_at: int | None
    status_at: int | None
    valve_shift: int = 0
    battery_bit: int = 2


def decode_bcd(data: bytes, *, what: str) -> int:
    """Read BCD digits, lowest byte first. Raises `UnreadableValue` when a nibble is not a digit."""
    try:
        return int(data[::-1].hex())
    except ValueError as error:
        raise UnreadableValue(what=what, data=data) from error


def encode_bcd(amount: int, *, size: int) -> bytes:
    """Write digits as BCD, lowest byte first."""
    return bytes.fromhex(f"{amount:0{2 * size}d}"[-2 * size :])[::-1]


def unit_of(*, medium_unit: str, code: int, extra: dict[int, Fraction]) -> Fraction | None:
    """How much of our unit (Wh or l) one step of the digits is, or None for a unit of something else."""
    known = _WH_UNITS if medium_unit == "Wh" else _LITRE_UNITS
    return extra.get(code, known.get(code))


def decode_quantity(data: bytes, *, medium_unit: str, extra: dict[int, Fraction]) -> int:
    """Turn four BCD bytes and their unit into whole Wh or litres, rounded down. Raises `UnreadableValue`."""
    digits = decode_bcd(data[:4], what="a register")
    unit = unit_of(medium_unit=medium_unit, code=data[4], extra=extra)
    if unit is None:
        raise UnreadableValue(
            what="a register", data=data, why=f"whose unit {data[4]:02X}H is not one of this meter's medium"
        )
    exact = digits * unit
    return exact.numerator // exact.denominator


def encode_quantity(amount: int, *, unit: int, medium_unit: str, extra: dict[int, Fraction]) -> bytes:
    """Write whole Wh or litres as a meter shows them in this unit, cutting off what its digits cannot show."""
    step = unit_of(medium_unit=medium_unit, code=unit, extra=extra)
    if step is None:
        raise BadRequest(f"{unit:02X}H is no unit of a register in {medium_unit}.")
    digits = Fraction(amount) / step
    return encode_bcd(digits.numerator // digits.denominator, size=4) + bytes([unit])


def decode_clock(data: bytes, *, zone: str) -> int:
    """Read `ss mm hh DD MM YY CC` of the meter's own zone as an instant. Raises `UnreadableValue`."""
    digits = [decode_bcd(data[at : at + 1], what="the time") for at in range(5)]
    year = decode_bcd(data[5:7], what="the time")
    try:
        local = datetime(year, digits[4], digits[3], digits[2], digits[1], digits[0], tzinfo=ZoneInfo(zone))
        return (local.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise UnreadableValue(what="the time", data=data, why="which is on no calendar") from error


def encode_clock(at_us: int, *, zone: str) -> bytes:
    """Write an instant as `ss mm hh DD MM YY CC` of the meter's own zone."""
    local = (_EPOCH + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))
    parts = (local.second, local.minute, local.hour, local.day, local.month)
    return b"".join(encode_bcd(part, size=1) for part in parts) + encode_bcd(local.year, size=2)


def valve_open(status: bytes, *, layout: Layout) -> bool | None:
    """Say whether the valve is open; None where the meter says that it is neither open nor shut."""
    return {0: True, 1: False}.get(status[0] >> layout.valve_shift & 3)


def encode_status(*, opened: bool, broken: bool, battery_low: bool, layout: Layout) -> bytes:
    """Write the status word as a meter of this layout does."""
    valve = 3 if broken else 0 if opened else 1
    return bytes([valve << layout.valve_shift | battery_low << layout.battery_bit, 0])


def conditions(status: bytes, *, layout: Layout) -> frozenset[MeterEventKind]:
    """Name what the status word says is wrong."""
    kinds = set()
    if valve_open(status, layout=layout) is None:
        kinds.add(MeterEventKind.VALVE_FAULT)
    if status[0] >> layout.battery_bit & 1:
        kinds.add(MeterEventKind.LOW_BATTERY)
    return frozenset(kinds)


def parse_layout(*, profile: MeterProfile) -> Layout:
    """Read the table [layout] of a profile. Raises `ProfileError`."""
    row: dict[str, Any] = profile.settings.get("layout", {})
    try:
        layout = Layout(**row)
        ends = [layout.register_at + QUANTITY_BYTES]
        ends += [] if layout.clock_at is None else [layout.clock_at + CLOCK_BYTES]
        ends += [] if layout.status_at is None else [layout.status_at + STATUS_BYTES]
        fits = max(ends) <= layout.size and 0 <= layout.valve_shift <= 6 and 0 <= layout.battery_bit <= 7
    except TypeError as error:
        raise ProfileError(
            f"Meter profile {profile.key!r}: table [layout] is not whole ({error})."
        ) from error
    if not fits:
        raise ProfileError(f"Meter profile {profile.key!r}: [layout] names bytes beyond its size.")
    return layout


def parse_units(*, profile: MeterProfile) -> dict[int, Fraction]:
    """Read unit bytes of a maker's own: `[units] "2B" = [1, 100]` is litres or Wh of one step."""
    try:
        return {int(code, 16): Fraction(*row) for code, row in profile.settings.get("units", {}).items()}
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise ProfileError(
            f'Meter profile {profile.key!r}: [units] are lines like "2B" = [1, 100] ({error}).'
        ) from error
