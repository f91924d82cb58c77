"""Whether a buyer's tax number can be one: of China by its check character, of the EU by its shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from fairwatt.core.refusal import Refusal

Kind = Literal["none", "cn_uscc", "eu_vat", "other"]

_USCC: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015: digits and letters but I, O, S, V and Z."""
_USCC_LENGTH: Final = 18
OTHER_MAX: Final = 30
_OTHER: Final = re.compile(r"[A-Z0-9][A-Z0-9./-]{1,29}")
_EU: Final[Mapping[str, str]] = {
    "AT": r"U\d{8}",
    "BE": r"[01]\d{9}",
    "BG": r"\d{9,10}",
    "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}",
    "DE": r"[1-9]\d{8}",
    "DK": r"\d{8}",
    "EE": r"\d{9}",
    "EL": r"\d{9}",
    "ES": r"[A-Z0-9]\d{7}[A-Z0-9]",
    "FI": r"\d{8}",
    "FR": r"[A-HJ-NP-Z0-9]{2}\d{9}",
    "HR": r"\d{11}",
    "HU": r"\d{8}",
    "IE": r"(?:\d{7}[A-Z]{1,2}|\d[A-Z+*]\d{5}[A-Z])",
    "IT": r"\d{11}",
    "LT": r"(?:\d{9}|\d{12})",
    "LU": r"\d{8}",
    "LV": r"\d{11}",
    "MT": r"\d{8}",
    "NL": r"\d{9}B\d{2}",
    "PL": r"\d{10}",
    "PT": r"\d{9}",
    "RO": r"[1-9]\d{1,9}",
    "SE": r"\d{12}",
    "SI": r"[1-9]\d{7}",
    "SK": r"[1-9]\d{9}",
}
"""VAT identification numbers behind their two letters (Directive 2006/112/EC, article 215; as VIES
takes them)."""
_PREFIX: Final = {"GR": "EL"}
"""A country whose numbers begin with other letters than its own code."""
EU_COUNTRIES: Final = frozenset(_EU) - {"EL"} | {"GR"}


class BadTaxNumber(Refusal):
    """A tax number that nobody can have; nothing was kept."""

    code = "bad_tax_number"


@dataclass(frozen=True, slots=True)
class TaxNumber:
    """A tax number as documents write it: no spaces, capital letters."""

    kind: Kind
    number: str


def tax_number(*, text: str, country: str) -> TaxNumber:
    """Read a tax number of somebody in a country (ISO 3166, two letters); an empty one is none. Raises BadTaxNumber."""
    number = re.sub(r"\s", "", text).upper()
    if not number:
        return TaxNumber("none", "")
    if country == "CN":
        return TaxNumber("cn_uscc", _social_credit_code(number))
    if country in EU_COUNTRIES:
        return TaxNumber("eu_vat", _vat_number(number, _PREFIX.get(country, country)))
    if not _OTHER.fullmatch(number):
        raise BadTaxNumber(
            "A tax number has 2 to 30 letters and digits. Nothing was kept; type it as the tax office writes it."
        )
    return TaxNumber("other", number)


def check_character(*, body: str) -> str:
    """The last character of a unified social credit code, from the seventeen before it (GB 32100-2015)."""
    total = sum(_USCC.index(letter) * pow(3, n, 31) for n, letter in enumerate(body))
    return _USCC[-total % 31]


def _social_credit_code(number: str) -> str:
    if len(number) != _USCC_LENGTH or set(number) - set(_USCC):
        raise BadTaxNumber(
            "A unified social credit code has 18 digits and letters, none of them I, O, S, V or Z. "
            "Nothing was kept; copy it from the business licence."
        )
    if check_character(body=number[:-1]) != number[-1]:
        raise BadTaxNumber(
            "The last character of %(number)s does not fit the others, so one of them is wrong. "
            "Nothing was kept; copy it from the business licence.",
            number=number,
        )
    return number


def _vat_number(number: str, prefix: str) -> str:
    bare = number.removeprefix(prefix)
    if not re.fullmatch(_EU[prefix], bare):
        raise BadTaxNumber(
            "A VAT number of this country looks otherwise than %(number)s. Nothing was kept; it begins with %(prefix)s "
            "and is printed on the company's own invoices.",
            number=number[:OTHER_MAX],
            prefix=prefix,
        )
    return prefix + bare
