"""Present values (DI3 02), annex A table A.3."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.dlt645.forms import Field

from .entry import Entry, plain

_PHASES: Final = "ABC"
_ALL: Final = 0xFF
_HARMONICS: Final = 0x15

# DI2: name, form, unit, whether DI1 00 is the total of the phases.
_QUANTITIES: Final = {
    0x01: ("voltage", "XXX.X", "V", False),
    0x02: ("current", "±XXX.XXX", "A", False),
    0x03: ("active power", "±XX.XXXX", "kW", True),
    0x04: ("reactive power", "±XX.XXXX", "kvar", True),
    0x05: ("apparent power", "±XX.XXXX", "kVA", True),
    0x06: ("power factor", "±X.XXX", "", True),
    0x07: ("phase angle", "XXX.X", "deg", False),
    0x08: ("voltage distortion", "XX.XX", "%", False),
    0x09: ("current distortion", "XX.XX", "%", False),
}
_HARMONIC: Final = {0x0A: "voltage harmonic", 0x0B: "current harmonic"}
_OTHERS: Final = {
    0x02800001: ("neutral current", "±XXX.XXX", "A"),
    0x02800002: ("frequency", "XX.XX", "Hz"),
    0x02800003: ("mean active power of one minute", "±XX.XXXX", "kW"),
    0x02800004: ("present active demand", "±XX.XXXX", "kW"),
    0x02800005: ("present reactive demand", "±XX.XXXX", "kvar"),
    0x02800006: ("present apparent demand", "±XX.XXXX", "kVA"),
    0x02800007: ("temperature inside the meter", "±XXX.X", "Cel"),
    0x02800008: ("clock battery voltage", "XX.XX", "V"),
    0x02800009: ("reading battery voltage", "XX.XX", "V"),
    0x0280000A: ("battery working time", "XXXXXXXX", "min"),
    0x0280000B: ("present step price", "XXXX.XXXX", "CNY/kWh"),
    0x02800020: ("present price", "XXXX.XXXX", "CNY/kWh"),
    0x02800021: ("present tariff price", "XXXX.XXXX", "CNY/kWh"),
}


def variable_entry(identifier: int) -> Entry | None:
    """Name a present value `02 quantity phase 00`, or its block with phase FF."""
    if identifier in _OTHERS:
        return plain(*_OTHERS[identifier])
    quantity, phase, last = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
    if quantity in _HARMONIC:
        return _harmonic(_HARMONIC[quantity], phase, last)
    if quantity not in _QUANTITIES or last != 0:
        return None
    name, notation, unit, has_total = _QUANTITIES[quantity]
    fields = [Field(f"total {name}", notation, unit)] if has_total else []
    fields += [Field(f"{name} of phase {letter}", notation, unit) for letter in _PHASES]
    if phase == _ALL:
        return Entry(f"{name} block", tuple(fields), is_block=True)
    at = phase if has_total else phase - 1
    if not 0 <= at < len(fields):
        return None
    return plain(fields[at].name, notation, unit)


def _harmonic(name: str, phase: int, order: int) -> Entry | None:
    if not 1 <= phase <= len(_PHASES):
        return None
    whole = f"{name} of phase {_PHASES[phase - 1]}, order"
    if order == _ALL:
        return Entry(f"{whole}s", (), (Field(whole, "XX.XX", "%"),), is_block=True)
    return plain(f"{whole} {order}", "XX.XX", "%") if 1 <= order <= _HARMONICS else None
