"""What percentages come to: the combined share on each element, compounding in the order of the tariff."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from fairwatt.core.rating.elements.base import PPM, TariffError
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.rebate import Rebate
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import ALL, ENERGY, STANDING, Tax

if TYPE_CHECKING:
    from fairwatt.core.rating.model import TariffVersion

FINE: Final = 1_000_000_000
"""Taxes are counted in billionths of a micro-unit; prices times shares lie on a grid a thousand times coarser."""
FINE_PER_KWH: Final = 1_000_000
"""A taxed price per unit is whole in millionths of a micro-unit."""


def lies_on(version: TariffVersion, index: int, on: Iterable[str]) -> tuple[str, ...]:
    """Resolve ``on`` of the element at an index to the names of elements above it; families become names.

    Raises ``TariffError`` for a name that is not above.
    """
    above = version.elements[:index]
    names = {element.name for element in above}
    found: set[str] = set()
    for word in on:
        if word == ALL:
            found |= names
        elif word == ENERGY:
            found |= {e.name for e in above if isinstance(e, EnergyBlocks | Package)}
        elif word == STANDING:
            found |= {e.name for e in above if isinstance(e, StandingCharge)}
        elif word in names:
            found.add(word)
        else:
            known = ", ".join(sorted(names | {ENERGY, STANDING, ALL}))
            raise TariffError(
                f"{version.elements[index].name!r} can lie on elements above it ({known}), not on {word!r}"
            )
    return tuple(element.name for element in above if element.name in found)


def shares(version: TariffVersion, *, included: bool = False) -> dict[str, dict[str, Fraction]]:
    """Return, for each percentage of a version, its exact share of each element that is not one itself.

    Percentages that are included in the prices are left out unless asked for.
    """
    made: dict[str, dict[str, Fraction]] = {}
    for index, element in enumerate(version.elements):
        if not isinstance(element, Tax) or (element.included and not included):
            continue
        rate = Fraction(element.rate_ppm, PPM)
        mine: dict[str, Fraction] = {}
        for name in lies_on(version, index, element.on):
            base = made[name] if name in made else {name: Fraction(1)}
            if name not in made and isinstance(_named(version, name), Tax):
                continue
            for base_name, share in base.items():
                mine[base_name] = mine.get(base_name, Fraction(0)) + rate * share
        made[element.name] = mine
    return made


def share_on(version: TariffVersion, name: str) -> Fraction:
    """Return the sum of all percentages on one element."""
    return sum((mine.get(name, Fraction(0)) for mine in shares(version).values()), Fraction(0))


def fine_price(*, price_micro: int, share: Fraction, of: str) -> int:
    """Return the tax on a unit price in millionths of a micro-unit; raises ``TariffError`` when it is finer."""
    exact = price_micro * share * FINE_PER_KWH
    if exact.denominator != 1:
        raise TariffError(
            f"{of}: the percentages on its price of {price_micro} micro-units make a product with more than "
            "twelve decimals per unit, which would be rounded; give the price or a percentage fewer decimals"
        )
    return exact.numerator


def check(version: TariffVersion) -> None:
    """Refuse names that are not above, and products that could not be charged exactly."""
    for index, element in enumerate(version.elements):
        if isinstance(element, Tax | Rebate | MinimumCharge):
            lies_on(version, index, element.on)
    for energy in version.energies:
        share = share_on(version, energy.name)
        for price in _prices(energy):
            fine_price(price_micro=price, share=share, of=energy.name)
    for package in version.packages:
        share = share_on(version, package.name)
        fine_price(price_micro=package.beyond_micro, share=share, of=package.name)
        _check_amount(share, of=package.name)
    for standing in version.standings:
        _check_amount(share_on(version, standing.name), of=standing.name)


def _check_amount(share: Fraction, *, of: str) -> None:
    if (share * FINE).denominator != 1:
        raise TariffError(
            f"{of}: the percentages on it make a share with more than nine decimals; give one fewer decimals"
        )


def _prices(energy: EnergyBlocks) -> set[int]:
    prices = {price for period in energy.periods for price in period.prices_micro}
    prices |= {price for case in energy.cases for row in case.prices_micro for price in row}
    if energy.market is not None:
        limits = (energy.market.round_micro, energy.market.cap_micro, energy.market.floor_micro)
        prices |= {limit for limit in limits if limit is not None}
    return prices


def _named(version: TariffVersion, name: str) -> object:
    return next(element for element in version.elements if element.name == name)
