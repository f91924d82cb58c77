"""Which rate of VAT a tariff version puts on use and on standing charges.

The ledger keeps one tax figure a line. It is VAT of one rate, or it cannot be told apart and nothing is invoiced of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.model import TariffVersion
from fairwatt.core.rating.shares import shares
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import BP

_E10_PER_BP: Final = 1_000_000


class VatUnclear(Refusal):
    """The rate of tax on a charge cannot be told, so nothing is invoiced of it; nobody is charged otherwise."""

    code = "vat_unclear"


@dataclass(frozen=True, slots=True)
class Vat:
    """What a version says of VAT, in hundredths of a percent; ``None``: that part carries none.

    ``included``: it lies in the prices, and the ledger has no tax leg for it. ``levy``: the ledger's tax figure is no
    VAT but another percentage, which is charged as a part of its own.
    """

    energy_bp: int | None
    standing_bp: int | None
    included: bool = False
    levy: bool = False

    @property
    def rate_bp(self) -> int | None:
        """The one rate there is, if any."""
        return self.energy_bp if self.energy_bp is not None else self.standing_bp


UNTAXED: Final = Vat(None, None)


def vat_of(version: TariffVersion) -> Vat:
    """Read the VAT of a version off its elements. Raises VatUnclear."""
    taxes = [element for element in version.elements if isinstance(element, Tax)]
    vats = [tax for tax in taxes if tax.word == "tax" and tax.rate_e10]
    others = [tax for tax in taxes if tax.word != "tax" and not tax.included]
    if len(vats) > 1 or (vats and others):
        raise VatUnclear(
            "Tariff version %(version)s puts several percentages on its prices, and the ledger keeps their sum, so the "
            "rate of VAT cannot be told. Nothing is invoiced of it; give the tariff one percentage.",
            version=version.name,
        )
    if not vats:
        return Vat(None, None, levy=bool(others))
    (vat,) = vats
    if vat.rate_e10 % _E10_PER_BP or vat.rate_e10 < 0:
        raise VatUnclear(
            "The rate of %(name)s in tariff version %(version)s is finer than a hundredth of a percent or below zero, "
            "and no invoice can name it. Nothing is invoiced of it.",
            name=vat.name,
            version=version.name,
        )
    lies_on = set(shares(version, included=True)[vat.name])
    energy = {e.name for e in version.elements if isinstance(e, EnergyBlocks)}
    rest = {e.name for e in version.elements if not isinstance(e, EnergyBlocks | Tax | VendingCharge)}
    on_energy, on_rest = _wholly(version, energy, lies_on), _wholly(version, rest, lies_on)
    rate = vat.rate_e10 // _E10_PER_BP
    if on_energy is None and on_rest is None:
        return UNTAXED
    return Vat(
        rate if on_energy or (on_energy is None and on_rest) else None,
        rate if on_rest or (on_rest is None and on_energy) else None,
        included=vat.included,
    )


def vat_within(*, gross_micro: int, rate_bp: int) -> int:
    """The VAT that lies in an amount, rounded half up, on either side of zero alike."""
    exact = Fraction(abs(gross_micro) * rate_bp, BP + rate_bp)
    inside = (exact + Fraction(1, 2)).__floor__()
    return inside if gross_micro >= 0 else -inside


def _wholly(version: TariffVersion, family: set[str], lies_on: set[str]) -> bool | None:
    """Whether all of a family is taxed; None where there is nothing of it. Raises VatUnclear where only some is."""
    if not family:
        return None
    if family & lies_on and family - lies_on:
        raise VatUnclear(
            "Tariff version %(version)s taxes some of its charges and not others of the same "
            "kind, and the ledger keeps "
            "their sum, so the taxable amount cannot be told. Nothing is invoiced of it.",
            version=version.name,
        )
    return bool(family & lies_on)
