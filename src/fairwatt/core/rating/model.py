"""A tariff as versions in time, each an ordered set of price elements."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise

from fairwatt.core.rating.elements.energy_blocks import (
    DoublyPriced,
    EnergyBlocks,
    Period,
    PriceOutOfRange,
    TariffError,
    UnpricedInstant,
)
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.spans import to_datetime, zone_info

__all__ = [
    "DoublyPriced",
    "Element",
    "EnergyBlocks",
    "NoTariff",
    "Period",
    "PriceOutOfRange",
    "Schedule",
    "StandingCharge",
    "TariffError",
    "TariffVersion",
    "Tax",
    "UnpricedInstant",
]

Element = EnergyBlocks | StandingCharge | Tax


class NoTariff(LookupError):
    """No version was in force at an instant, so nothing can be charged there."""


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """The prices in force from ``effective_us`` until the next version.

    Holds exactly one ``EnergyBlocks`` and at most one ``StandingCharge`` and one ``Tax``; anything else
    raises ``TariffError``.
    """

    number: int
    effective_us: int
    name: str
    elements: tuple[Element, ...]

    def __post_init__(self) -> None:
        counts = {EnergyBlocks: 0, StandingCharge: 0, Tax: 0}
        for element in self.elements:
            counts[type(element)] += 1
        if counts[EnergyBlocks] != 1:
            raise TariffError(
                f"version {self.name!r} needs one energy element, it has {counts[EnergyBlocks]}"
            )
        if counts[StandingCharge] > 1 or counts[Tax] > 1:
            raise TariffError(f"version {self.name!r} has more than one standing charge or tax")

    @property
    def energy(self) -> EnergyBlocks:
        """The price per kWh."""
        for element in self.elements:
            if isinstance(element, EnergyBlocks):
                return element
        raise AssertionError("checked at construction")

    @property
    def standing_micro_per_day(self) -> int:
        """The daily charge in micro-units; 0 when there is none."""
        return sum(e.micro_per_day for e in self.elements if isinstance(e, StandingCharge))

    @property
    def energy_tax_bp(self) -> int:
        """The tax rate on energy, in hundredths of a percent."""
        return self._tax_bp(on="energy")

    @property
    def standing_tax_bp(self) -> int:
        """The tax rate on the standing charge, in hundredths of a percent."""
        return self._tax_bp(on="standing")

    def _tax_bp(self, *, on: str) -> int:
        return sum(e.rate_bp for e in self.elements if isinstance(e, Tax) and on in e.on)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A tariff over time: its currency (ISO 4217), its time zone (IANA) and its versions, oldest first."""

    currency: str
    zone: str
    versions: tuple[TariffVersion, ...]

    def __post_init__(self) -> None:
        zone_info(self.zone)
        if len(self.currency) != 3 or not (self.currency.isascii() and self.currency.isupper()):
            raise TariffError(f"currency {self.currency!r} is not a three-letter ISO 4217 code")
        if not self.versions:
            raise TariffError("a tariff needs at least one version")
        for older, newer in pairwise(self.versions):
            if newer.effective_us <= older.effective_us:
                raise TariffError(f"version {newer.name!r} does not take effect after {older.name!r}")
            if newer.number <= older.number:
                raise TariffError(f"version numbers must rise: {older.number} is followed by {newer.number}")

    @property
    def dearest_micro_per_kwh(self) -> int:
        """The highest price of any version, period and block: what a kWh costs at worst, before tax."""
        return max(
            price
            for version in self.versions
            for period in version.energy.periods
            for price in period.prices_micro
        )

    def since(self, *, at_us: int) -> Schedule:
        """Return what prices use from an instant on: the version in force there and all later ones.

        Version numbers stay as they are. Raises ``NoTariff`` before the first version.
        """
        index = self.version_index_at(at_us=at_us)
        return self if index == 0 else replace(self, versions=self.versions[index:])

    def version_index_at(self, *, at_us: int) -> int:
        """Return the index of the version in force at an instant; raises ``NoTariff`` before the first."""
        index = bisect_right(self.versions, at_us, key=lambda version: version.effective_us) - 1
        if index < 0:
            at, first = to_datetime(at_us), to_datetime(self.versions[0].effective_us)
            raise NoTariff(
                f"no tariff was in force at {at:%Y-%m-%d %H:%M} UTC, the first starts at "
                f"{first:%Y-%m-%d %H:%M} UTC; nothing is charged and supply stays on, "
                "publish a version that covers it"
            )
        return index
