"""A formula as it is written down, stored and published."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from fairwatt.core.costs.apportion import ApportionError, Basis, Formula, Part, percent_text

VERSION: Final = 1


def formula_to_obj(formula: Formula) -> dict[str, Any]:
    """Write a formula with plain names and percentages, ready for JSON."""
    return {
        "fairwatt_formula": VERSION,
        "name": formula.name,
        "parts": [
            {"by": str(part.basis), "percent": percent_text(part.percent_bp)} for part in formula.parts
        ],
        "prorata": formula.prorata,
        "vacant": "landlord" if formula.vacant_pays else "residents",
    }


def formula_from_obj(obj: object) -> Formula:
    """Read a formula back; raises ApportionError with what is wrong."""
    match obj:
        case {
            "fairwatt_formula": 1,
            "name": str(name),
            "parts": list(parts),
            "prorata": bool(prorata),
            "vacant": "landlord" | "residents" as vacant,
        }:
            return Formula(
                name=name,
                parts=tuple(_part(part) for part in parts),
                prorata=prorata,
                vacant_pays=vacant == "landlord",
            )
        case _:
            raise ApportionError(
                "this is not a version 1 formula: it needs fairwatt_formula, name, parts, prorata (true or false) "
                "and vacant (landlord or residents)"
            )


def percent_bp(text: str) -> int:
    """Read a percentage such as "33.33" as hundredths of a percent, exactly."""
    try:
        scaled = Decimal(text.strip()) * 100
        whole = int(scaled)
    except (ArithmeticError, ValueError) as error:
        raise ApportionError("“%(text)s” is not a percentage such as 60 or 33.33", text=text) from error
    if whole != scaled:
        raise ApportionError("%(text)s has more than two decimals; a percentage has at most two", text=text)
    return whole


def _part(obj: object) -> Part:
    match obj:
        case {"by": str(by), "percent": str(percent)} if by in set(Basis):
            return Part(Basis(by), percent_bp(percent))
        case _:
            raise ApportionError(
                "“%(part)s” is not a part; write by (one of %(known)s) and percent (a text such as '60')",
                part=repr(obj)[:80],
                known=", ".join(Basis),
            )
