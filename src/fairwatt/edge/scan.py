"""Finding meters on a bus, before anybody has written down which are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.dlt645.search import Found, Probe, search
from fairwatt.drivers.errors import MeterRefused, UnreadableValue
from fairwatt.drivers.profile import MeterProfile
from fairwatt.drivers.registry import open_meter
from fairwatt.edge.bus import Bus, BusDown, Garbled, Silent

DLT645: Final = "dlt645-2007"
ONE_BY_ONE: Final = {"modbus-rtu": (1, 247), "modbus-tcp": (1, 247), "mbus": (1, 250)}
"""Protocols whose addresses are few enough to ask each: first and last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One address that somebody answered to.

    ``trouble``: empty, ``shared``, ``spoiled``, ``refused``, ``unreadable`` or a driver's code.
    """

    address: str
    register_wh: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a scan of one bus found. ``gave_up``: the line was too noisy to come to an end."""

    meters: tuple[Heard, ...]
    questions: int
    gave_up: bool = False


type Progress = Callable[[int, int], None]
"""Told questions asked and meters found."""


def can_scan(*, protocol: str) -> bool:
    """Whether meters of this protocol can be looked for."""
    return protocol == DLT645 or protocol in ONE_BY_ONE


async def scan_bus(
    *,
    bus: Bus,
    profile: MeterProfile,
    known: Iterable[str] = (),
    thorough: bool = False,
    progress: Progress = lambda asked, found: None,
) -> Scanned:
    """Find the meters of a profile's protocol on a bus; ``known`` addresses are asked by name too.

    Raises BusDown when the line fails.
    """
    if profile.protocol == DLT645:
        return await _search(bus, profile, known, thorough, progress)
    return await _one_by_one(bus, profile, progress)


async def _search(
    bus: Bus, profile: MeterProfile, known: Iterable[str], thorough: bool, progress: Progress
) -> Scanned:
    found = Found()
    for probe in search(found=found, thorough=thorough):
        await _listen(bus, probe)
        progress(found.questions, len(found.addresses))
    missed = {_padded(address) for address in known} - found.addresses
    meters = []
    for address in sorted(found.addresses | found.spoiled | missed):
        heard = await _read(bus, profile, address)
        trouble = "shared" if address in found.shared else "spoiled" if address in found.spoiled else ""
        if heard is not None:
            meters.append(
                Heard(address=address, register_wh=heard.register_wh, trouble=trouble or heard.trouble)
            )
        elif address not in missed:
            meters.append(Heard(address=address, trouble=trouble or "spoiled"))
    return Scanned(meters=tuple(meters), questions=found.questions + len(meters), gave_up=found.gave_up)


async def _listen(bus: Bus, probe: Probe) -> None:
    try:
        await bus.ask(probe, attempts=1)
    except Silent:
        pass  # its time is over: what it heard is in the probe


async def _one_by_one(bus: Bus, profile: MeterProfile, progress: Progress) -> Scanned:
    first, last = ONE_BY_ONE[profile.protocol]
    meters: list[Heard] = []
    for asked, address in enumerate(_addresses(first, last), start=1):
        heard = await _read(bus, profile, address)
        if heard is not None:
            meters.append(heard)
        progress(asked, len(meters))
    return Scanned(meters=tuple(meters), questions=last - first + 1)


def _addresses(first: int, last: int) -> Iterator[str]:
    return map(str, range(first, last + 1))


async def _read(bus: Bus, profile: MeterProfile, address: str) -> Heard | None:
    """The register of whoever is there; a refusal and an odd value are somebody too."""
    meter = open_meter(profile=profile, address=address, zone="UTC")
    try:
        reading = await bus.ask(meter.read_register(), attempts=1)
    except (Silent, BusDown) as error:
        if isinstance(error, BusDown):
            raise
        return None
    except MeterRefused:
        return Heard(address=address, trouble="refused")
    except (UnreadableValue, Garbled):
        return Heard(address=address, trouble="unreadable")
    except DriverError as error:
        return Heard(address=address, trouble=error.code)
    return Heard(address=address, register_wh=reading.total_wh)


def _padded(address: str) -> str:
    return address.upper().zfill(12)
