"""What a VIF means: the quantity, its unit, and the power of ten of one step. Source: EN 13757-3, tables 10-15."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_MASK: Final = 0x7F
_FIRST_EXTENSION: Final = 0xFB
_SECOND_EXTENSION: Final = 0xFD
_MANUFACTURER: Final = 0x7F
_PLAIN_TEXT: Final = 0x7C
_HARMLESS: Final = frozenset({0x3B})  # accumulated while flowing forward: what a register is anyway
_TIMES_1000: Final = 0x7D
_JOULES_A_WH: Final = 3600


@dataclass(frozen=True, slots=True)
class Unit:
    """``quantity`` in ``unit``; one step of the value is ``scale`` of it.

    ``qualified``: an extension says that this is not simply the quantity (per hour, backward flow, ...).
    ``fault``: an extension says that the value is not to be used, and why.
    """

    quantity: str
    unit: str
    scale: Fraction = Fraction(1)
    qualified: bool = False
    fault: str | None = None

    @property
    def is_time(self) -> bool:
        """Whether values are points of time and not numbers."""
        return self.quantity in ("date", "date and time")


def ten(power: int) -> Fraction:
    """A power of ten, exactly."""
    return Fraction(10**power) if power >= 0 else Fraction(1, 10**-power)


_DURATION: Final = (
    ("s", Fraction(1)),
    ("min", Fraction(1)),
    ("h", Fraction(1)),
    ("d", Fraction(1)),
)


def _primary(code: int) -> Unit | None:
    low = code & 7
    rows = {
        0x00: ("energy", "Wh", ten(low - 3)),
        0x08: ("energy", "Wh", ten(low) / _JOULES_A_WH),
        0x10: ("volume", "l", ten(low - 3)),
        0x18: ("mass", "kg", ten(low - 3)),
        0x28: ("power", "W", ten(low - 3)),
        0x30: ("power", "W", ten(low) / _JOULES_A_WH),
        0x38: ("flow", "l/h", ten(low - 3)),
        0x40: ("flow", "l/h", ten(low - 4) * 60),
        0x48: ("flow", "l/h", ten(low - 6) * 3600),
        0x50: ("mass flow", "kg/h", ten(low - 3)),
    }
    if row := rows.get(code & ~7):
        return Unit(*row)
    name, scale = _DURATION[code & 3]
    quarters = {
        0x20: Unit("time on", name, scale),
        0x24: Unit("time in operation", name, scale),
        0x58: Unit("flow temperature", "degC", ten((code & 3) - 3)),
        0x5C: Unit("return temperature", "degC", ten((code & 3) - 3)),
        0x60: Unit("temperature difference", "K", ten((code & 3) - 3)),
        0x64: Unit("outside temperature", "degC", ten((code & 3) - 3)),
        0x68: Unit("pressure", "bar", ten((code & 3) - 3)),
        0x70: Unit("averaging time", name, scale),
        0x74: Unit("actuality time", name, scale),
    }
    singles = {
        0x6C: Unit("date", ""),
        0x6D: Unit("date and time", ""),
        0x6E: Unit("heat cost units", ""),
        0x78: Unit("fabrication number", ""),
        0x79: Unit("identification", ""),
        0x7A: Unit("bus address", ""),
    }
    return quarters.get(code & ~3) or singles.get(code)


def _first_extension(code: int) -> Unit | None:
    low = code & 1
    return {
        0x00: Unit("energy", "Wh", ten(low + 5)),
        0x08: Unit("energy", "Wh", ten(low + 8) / _JOULES_A_WH),
        0x10: Unit("volume", "l", ten(low + 5)),
        0x18: Unit("mass", "kg", ten(low + 5)),
        0x28: Unit("power", "W", ten(low + 5)),
        0x30: Unit("power", "W", ten(low + 8) / _JOULES_A_WH),
    }.get(code & ~1)


def _second_extension(code: int) -> Unit | None:
    if 0x40 <= code <= 0x4F:
        return Unit("voltage", "V", ten((code & 15) - 9))
    if 0x50 <= code <= 0x5F:
        return Unit("current", "A", ten((code & 15) - 12))
    return {
        0x08: Unit("access number", ""),
        0x09: Unit("medium", ""),
        0x0A: Unit("manufacturer", ""),
        0x0C: Unit("model", ""),
        0x0D: Unit("hardware version", ""),
        0x0E: Unit("firmware version", ""),
        0x0F: Unit("software version", ""),
        0x10: Unit("customer location", ""),
        0x11: Unit("customer", ""),
        0x17: Unit("error flags", ""),
        0x1A: Unit("digital output", ""),
        0x1B: Unit("digital input", ""),
        0x3A: Unit("dimensionless", ""),
        0x60: Unit("reset counter", ""),
        0x61: Unit("cumulation counter", ""),
        0x74: Unit("battery left", "d"),
    }.get(code)


def unit_of(*, vif: int, vifes: bytes, text: bytes) -> Unit:
    """Say what a value information block means; an unknown one is named so, and its value still stepped over."""
    code = vif & _MASK
    if vif in (_FIRST_EXTENSION, _SECOND_EXTENSION):
        known = (_first_extension if vif == _FIRST_EXTENSION else _second_extension)(vifes[0] & _MASK)
        vifes = vifes[1:]
    elif code == _PLAIN_TEXT:
        unit = "".join(chr(byte) for byte in reversed(text) if 32 <= byte < 127).strip()
        return Unit("in its maker's own words", unit, qualified=True)
    elif code == _MANUFACTURER:
        return Unit("maker's own", "", qualified=True)
    else:
        known = _primary(code)
    return _refined(known or Unit("unknown", "", qualified=True), vifes)


def _refined(unit: Unit, vifes: bytes) -> Unit:
    scale, qualified, fault = unit.scale, unit.qualified, unit.fault
    for vife in vifes:
        code = vife & _MASK
        if 0 < code < 0x20:
            fault = f"which the meter itself marks as faulty (record error {code:02X}H)"
        elif code == _TIMES_1000:
            scale *= 1000
        elif 0x70 <= code <= 0x77:
            scale *= ten((code & 7) - 6)
        elif code == _MASK:
            qualified = True
            break  # what follows is the maker's own
        elif code and code not in _HARMLESS:
            qualified = True
    return Unit(unit.quantity, unit.unit, scale, qualified, fault)
