"""Frozen data (DI3 05) and load records (DI3 06), annex A table A.6.

`05 kind what nth`: a snapshot a meter took of itself, the newest being 1.
"""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.dlt645.forms import Field

from .entry import Entry, plain

_KINDS: Final = {
    0x00: ("timed freeze", 60),
    0x01: ("instant freeze", 3),
    0x02: ("freeze at a change of zone tables", 2),
    0x03: ("freeze at a change of day tables", 2),
    0x04: ("hourly freeze", 254),
    0x05: ("freeze at a change of prices", 2),
    0x06: ("daily freeze", 62),
    0x07: ("freeze at a change of steps", 2),
}
HOURLY: Final = 0x04
_ENERGIES: Final = {
    0x01: ("forward active energy", "XXXXXX.XX", "kWh"),
    0x02: ("reverse active energy", "XXXXXX.XX", "kWh"),
    0x03: ("combined reactive 1 energy", "±XXXXXX.XX", "kvarh"),
    0x04: ("combined reactive 2 energy", "±XXXXXX.XX", "kvarh"),
    0x05: ("quadrant 1 reactive energy", "XXXXXX.XX", "kvarh"),
    0x06: ("quadrant 2 reactive energy", "XXXXXX.XX", "kvarh"),
    0x07: ("quadrant 3 reactive energy", "XXXXXX.XX", "kvarh"),
    0x08: ("quadrant 4 reactive energy", "XXXXXX.XX", "kvarh"),
}
_DEMANDS: Final = {0x09: "forward active", 0x0A: "reverse active"}
_POWERS: Final = tuple(
    Field(name, "±XX.XXXX", unit)
    for quantity, unit in (("active", "kW"), ("reactive", "kvar"))
    for name in (
        f"total {quantity} power",
        f"{quantity} power of phase A",
        f"{quantity} power of phase B",
        f"{quantity} power of phase C",
    )
)


def freeze_entry(identifier: int) -> Entry | None:
    """Name a frozen item."""
    kind, what, nth = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
    if kind not in _KINDS or not 1 <= nth <= _KINDS[kind][1]:
        return None
    name = f"{_KINDS[kind][0]} {nth}"
    if what == 0x00:
        return plain(f"{name}: time", "YYMMDDhhmm")
    if what in _ENERGIES:
        energy, notation, unit = _ENERGIES[what]
        total = Field(f"{energy} total", notation, unit)
        if kind == HOURLY:
            return Entry(f"{name}: {energy}", (total,))
        return Entry(
            f"{name}: {energy}", (total,), (Field(f"{energy} tariff", notation, unit),), is_block=True
        )
    if what in _DEMANDS and kind != HOURLY:
        pair = (Field(f"{_DEMANDS[what]} maximum demand", "XX.XXXX", "kW"), Field("time of it", "YYMMDDhhmm"))
        return Entry(f"{name}: {_DEMANDS[what]} demand", pair, pair, is_block=True)
    if what == 0x10:
        return Entry(f"{name}: powers", _POWERS, is_block=True)
    if what == 0xFF:
        return Entry(f"{name}: block", (Field("time", "YYMMDDhhmm"),), is_open=True)
    return None


def load_record_entry(identifier: int) -> Entry | None:
    """Name a load record: its frames differ by meter and are shown as they are."""
    if identifier >> 16 & 0xFF > 0x06:
        return None
    return Entry(f"load record {identifier:08X}", (), is_open=True)
