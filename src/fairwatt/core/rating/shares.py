"""What percentages come to: the combined share on each element, compounding in the order of the tariff."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from fairwatt.core.rating.elements.base import RATE, TariffError
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.rebate import Rebate
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import ALL, ENERGY, STANDING, Tax
from fairwatt.core.rating.elements.use_charge import UseCharge

if TYPE_CHECKING:
    from fairwatt.core.rating.model import TariffVersion

FINE: Final = 1_000_000_000
"""Taxes are counted in billionths of a micro-unit; prices times shares lie on a grid a thousand times coarser."""
FINE_PER_KWH: Final = 1_000_000
"""A taxed price per unit is whole in millionths of a micro-unit."""
MAX_SHARE: Final = 50


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
            found |= {e.name for e in above if isinstance(e, StandingCharge | UseCharge)}
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
        rate = Fraction(element.rate_e10, RATE)
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


def fine_price(*, price_micro: int, share: Fraction) -> int:
    """Return the tax on a unit price in millionths of a micro-unit.

    With up to twelve decimals of the currency it is exact. A finer one is rounded half up, here, once for the
    price: what is charged stays a whole-number function of the use.
    """
    return _nearest(price_micro * share * FINE_PER_KWH)


def fine_amount(*, micro: int, share: Fraction) -> int:
    """Return the tax on a fixed amount in billionths of a micro-unit, rounded as ``fine_price``."""
    return _nearest(micro * share * FINE)


def check(version: TariffVersion) -> None:
    """Refuse names that are not above, and shares that could overflow; raises ``TariffError``."""
    for index, element in enumerate(version.elements):
        if isinstance(element, Tax | Rebate | MinimumCharge):
            lies_on(version, index, element.on)
    for element in version.elements:
        if abs(share_on(version, element.name)) > MAX_SHARE:
            raise TariffError(
                f"{element.name!r}: the percentages on it come to more than {MAX_SHARE} times it"
            )


def _nearest(exact: Fraction) -> int:
    return (exact + Fraction(1, 2)).__floor__()


def _named(version: TariffVersion, name: str) -> object:
    return next(element for element in version.elements if element.name == name)
