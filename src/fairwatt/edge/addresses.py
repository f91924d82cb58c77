"""Where a meter answers on its bus, and whether a meter of its model can answer there."""

from typing import Final

from fairwatt.drivers.dlt645.exchange import one_meter
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter

DLT645: Final = "dlt645-2007"


def place_on_bus(*, profile: str, address: str) -> tuple[str, str]:
    """Protocol and address, alike for all ways to write it. Raises DriverError where no such meter can be asked."""
    found = load_profile(key=profile)
    if found.protocol == DLT645:
        one_meter(number=address)
    open_meter(profile=found, address=address, zone="UTC")
    return found.protocol, one_spelling(address)


def one_spelling(address: str, /) -> str:
    """One spelling for each number, so that 7 and 007 on a bus are one meter."""
    return address.lstrip("0") or "0" if address.isdecimal() else address.upper()
