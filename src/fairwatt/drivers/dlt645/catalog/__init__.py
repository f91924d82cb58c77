"""Every identifier of DL/T 645-2007 that we can name: what it holds, in which form, in which unit.

An identifier is written as printed, DI3 first. DI3 chooses the table: 00 energy, 01 demand, 02 variables,
03, 1D and 1E events, 04 parameters, 05 freezes, 06 load records, 07 security.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .energy import demand_entry, energy_entry
from .entry import Entry
from .events import event_entry, relay_event_entry
from .freezes import freeze_entry, load_record_entry
from .parameters import parameter_entry
from .security import security_entry
from .variables import variable_entry

__all__ = ["Entry", "find_entry"]

_TABLES: Final[dict[int, Callable[[int], Entry | None]]] = {
    0x00: energy_entry,
    0x01: demand_entry,
    0x02: variable_entry,
    0x03: event_entry,
    0x04: parameter_entry,
    0x05: freeze_entry,
    0x06: load_record_entry,
    0x07: security_entry,
    0x1D: relay_event_entry,
    0x1E: relay_event_entry,
}


def find_entry(*, identifier: int) -> Entry | None:
    """Return what the standard keeps under an identifier, or None for one that only a vendor can explain."""
    table = _TABLES.get(identifier >> 24)
    return table(identifier) if table is not None else None
