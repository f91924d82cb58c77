"""Which column is the home, which the stamp and which the energy, by the names people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fairwatt.intervals.contract import UnknownColumns

HOMES: Final = ("meter", "lclid", "customerid", "meterid", "meternumber", "home", "device", "mpan", "nmi")
STAMPS: Final = (
    *(
        "ts",
        "tslocal",
        "tsutc",
        "tstp",
        "datetime",
        "timestamp",
        "time",
        "date",
        "start",
        "intervalstart",
        "starttime",
    ),
)
POWERS: Final = ("activepowerkw", "powerkw", "globalactivepower", "kw")
"""Mean power over the interval in kW: what meters of some trials and data loggers write."""
_MEASURE: Final = re.compile(r"(_|\b)(k?wh?|k?varh?|v|a|hz|pf|price|cost|temp\w*)$")
"""Columns beside the energy that name no home: voltages, sub-meters, costs."""
ENERGIES: Final = {
    **dict.fromkeys(("wh", "energywh", "valuewh", "usewh"), 1),
    **dict.fromkeys(("kwh", "energykwh", "valuekwh", "usekwh", "kwhhh", "kwhhhperhalfhour"), 1000),
    **dict.fromkeys(("consumptionkwh", "usagekwh", "energykwhhh"), 1000),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of the three columns (home: None where the file is about one unnamed home); Wh per unit, 0 for mean kW."""

    home: int | None
    stamp: int
    energy: int
    per_unit_wh: int


def find_columns(*, name: str, names: Sequence[str]) -> Columns:
    """Find the columns by their header. Raises UnknownColumns with what was found and what is needed."""
    plain = [re.sub(r"[^a-z0-9]", "", one.casefold()) for one in names]
    home = next((plain.index(one) for one in HOMES if one in plain), None)
    stamp = next((plain.index(one) for one in STAMPS if one in plain), None)
    energy = next((plain.index(one) for one in (*ENERGIES, *POWERS) if one in plain), None)
    others = [one for n, one in enumerate(names) if n not in (stamp, energy)]
    nameless = home is None and not all(_MEASURE.search(one.strip().casefold()) for one in others)
    if stamp is None or energy is None or nameless:
        raise UnknownColumns(
            f"{name} has the columns {list(names)[:12]}. It needs a home (`meter`, `lclid`, `customer_id`), a stamp "
            "(`ts`, `datetime`) and an energy (`wh`, `kwh`, or mean power in `kw`). Rename them and read it again."
        )
    return Columns(home, stamp, energy, ENERGIES.get(plain[energy], 0))
