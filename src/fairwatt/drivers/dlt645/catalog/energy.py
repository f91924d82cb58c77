"""Energy registers (DI3 00) and maximum demands (DI3 01), annex A tables A.1 and A.2."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.dlt645.forms import Field

from .entry import Entry, plain

SETTLEMENTS: Final = 12
TARIFFS: Final = 63
BLOCK: Final = 0xFF
_APPARENT: Final = {0x09, 0x0A}
_SIGNED: Final = {0x00, 0x03, 0x04}

_KINDS: Final = {
    0x00: "combined active",
    0x01: "forward active",
    0x02: "reverse active",
    0x03: "combined reactive 1",
    0x04: "combined reactive 2",
    0x05: "quadrant 1 reactive",
    0x06: "quadrant 2 reactive",
    0x07: "quadrant 3 reactive",
    0x08: "quadrant 4 reactive",
    0x09: "forward apparent",
    0x0A: "reverse apparent",
}
_LOSSES: Final = (
    "linked",
    "forward active fundamental",
    "reverse active fundamental",
    "forward active harmonic",
    "reverse active harmonic",
    "copper loss compensation",
    "iron loss compensation",
)
# Per phase the standard repeats kinds 01..0A and 80..86, 14H further on for each phase.
_PHASE_STEP: Final = 0x14
_PHASES: Final = "ABC"
_PREPAID: Final = {
    0x00900100: ("remaining energy", "XXXXXX.XX", "kWh"),
    0x00900101: ("overdraft energy", "XXXXXX.XX", "kWh"),
    0x00900200: ("remaining money", "XXXXXX.XX", "CNY"),
    0x00900201: ("overdraft money", "XXXXXX.XX", "CNY"),
}
_PERIODS: Final = {0x0B: "combined active, settlement period", 0x0C: "combined active, month"}


def energy_entry(identifier: int) -> Entry | None:
    """Name an energy identifier `00 kind tariff settlement`."""
    if identifier in _PREPAID:
        return plain(*_PREPAID[identifier])
    kind, tariff, settlement = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
    if kind in _PERIODS and tariff == 0 and settlement <= SETTLEMENTS:
        return plain(f"{_PERIODS[kind]} energy{_ago(settlement)}", "XXXXXX.XX", "kWh")
    found = _kind(kind)
    if found is None or (settlement > SETTLEMENTS and settlement != BLOCK):
        return None
    name, base = found
    unit = "kvarh" if _is_reactive(base) else "kVAh" if base in _APPARENT else "kWh"
    notation = "±XXXXXX.XX" if base in _SIGNED else "XXXXXX.XX"
    whole = f"{name} energy"
    if tariff == BLOCK:
        total = Field(f"{whole} total", notation, unit)
        return Entry(
            f"{whole} block{_ago(settlement)}",
            (total,),
            (Field(f"{whole} tariff", notation, unit),),
            is_block=True,
        )
    if settlement == BLOCK:
        return Entry(
            f"{whole} {_tariff(tariff)}, all settlements",
            (Field(f"{whole} {_tariff(tariff)} now", notation, unit),),
            (Field(f"{whole} {_tariff(tariff)} settlement", notation, unit),),
            is_block=True,
        )
    if tariff > TARIFFS:
        return None
    return plain(f"{whole} {_tariff(tariff)}{_ago(settlement)}", notation, unit)


def demand_entry(identifier: int) -> Entry | None:
    """Name a maximum demand identifier `01 kind tariff settlement`: a power and when it was."""
    kind, tariff, settlement = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
    found = _kind(kind)
    if found is None or kind == 0 or settlement > SETTLEMENTS or (tariff > TARIFFS and tariff != BLOCK):
        return None
    name, base = found
    unit = "kvar" if _is_reactive(base) else "kVA" if base in _APPARENT else "kW"
    pair = (
        Field(f"{name} maximum demand", "±XX.XXXX" if base in _SIGNED else "XX.XXXX", unit),
        Field("time of it", "YYMMDDhhmm"),
    )
    if tariff == BLOCK:
        return Entry(f"{name} maximum demand block{_ago(settlement)}", pair, pair, is_block=True)
    return Entry(f"{name} maximum demand {_tariff(tariff)}{_ago(settlement)}", pair)


def _kind(kind: int) -> tuple[str, int] | None:
    """Return the words for DI2 and the total's kind it is like."""
    if kind in _KINDS:
        return _KINDS[kind], kind
    if 0x80 <= kind <= 0x86:
        return _LOSSES[kind - 0x80], kind
    for number, phase in enumerate(_PHASES, start=1):
        shifted = kind - number * _PHASE_STEP
        if 0x01 <= shifted <= 0x0A:
            return f"phase {phase} {_KINDS[shifted]}", shifted
        if 0x80 <= shifted <= 0x86:
            return f"phase {phase} {_LOSSES[shifted - 0x80]}", shifted
    return None


def _is_reactive(base: int) -> bool:
    return 0x03 <= base <= 0x08


def _tariff(number: int) -> str:
    return f"tariff {number}" if number else "total"


def _ago(settlement: int) -> str:
    return (
        ""
        if settlement == 0
        else ", all settlements"
        if settlement == BLOCK
        else f", settlement {settlement}"
    )
