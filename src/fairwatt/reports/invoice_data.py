"""An invoice as data: EN 16931 in the syntax CII, one to one with what is printed, and put into the PDF as Factur-X.

Terms are named by the numbers of the standard (BT, BG); amounts are text made of whole coins, never a float.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from facturx import generate_cii_xml, generate_from_binary

from fairwatt.core.invoices.documents import Part, Rate, Sums
from fairwatt.core.invoices.tax_numbers import EU_COUNTRIES
from fairwatt.core.spans import local_date
from fairwatt.reports.invoice_words import UNTAXED, part_words, percent
from fairwatt.store.invoices import Invoice, Setup

_TYPE: Final = {"invoice": "380", "credit_note": "381"}
_UNITS: Final = {"kWh": "KWH", "m3": "MTQ", "": "C62"}
"""UN/ECE recommendation 20: kilowatt hour, cubic metre, one."""
_PRICE_PLACES: Final = 8
logging.getLogger("factur-x").setLevel(logging.WARNING)


def invoice_xml(
    *, invoice: Invoice, taxes: Mapping[Rate, Sums], setup: Setup, zone: str, currency: str, minor_digits: int
) -> bytes:
    """The document as CII, checked against the schema of the standard. In the language that is active."""

    def money(minor: int) -> str:
        return coins(minor, minor_digits)

    def day(at_us: int) -> Any:
        return local_date(zone=zone, at_us=at_us)

    parts = invoice.documents_parts()
    net, tax = money(invoice.net_minor), money(invoice.tax_minor)
    data: dict[str, Any] = {
        "BT-1": invoice.name,
        "BT-2": day(invoice.issued_us),
        "BT-3": _TYPE[invoice.sort],
        "BT-5": currency,
        "BT-72": day(invoice.end_us - 1),
        "BT-73": day(invoice.start_us),
        "BT-74": day(invoice.end_us - 1),
        "BG-4": _seller(setup),
        "BG-7": _buyer(invoice.buyer),
        "BG-23": [_rate(rate, one, setup, money) for rate, one in taxes.items()],
        "BG-25": [_line(n, part, setup, money, minor_digits) for n, part in enumerate(parts, start=1)],
        "BT-106": net,
        "BT-109": net,
        "BT-110": tax,
        "BT-112": money(invoice.gross_minor),
        "BT-113": money(invoice.paid_minor),
        "BT-115": money(invoice.gross_minor - invoice.paid_minor),
    }
    if invoice.of_issued_us is not None:
        data["BG-3"] = [{"BT-25": invoice.of_name, "BT-26": day(invoice.of_issued_us)}]
    if invoice.due_us is not None:
        data["BT-9"] = day(invoice.due_us)
    if invoice.reason:
        data["BG-1"] = [{"BT-22": invoice.reason}]
    made = generate_cii_xml(data, level="en16931", check_xsd=True, check_schematron=False)
    return bytes(made)


def with_data(*, pdf: bytes, xml: bytes, language: str, title: str, author: str) -> bytes:
    """The PDF with the data in it, as Factur-X (ZUGFeRD) of the profile EN 16931."""
    made = generate_from_binary(
        pdf,
        xml,
        flavor="factur-x",
        level="en16931",
        check_xsd=False,
        check_schematron=False,
        lang="zh-CN" if language.startswith("zh") else "en",
        pdf_metadata={"author": author, "keywords": "Factur-X", "title": title, "subject": title},
        afrelationship="alternative",
    )
    return bytes(made)


def coins(minor: int, digits: int) -> str:
    """Whole coins as an amount with all its decimals."""
    sign, minor = ("-" if minor < 0 else ""), abs(minor)
    whole, part = divmod(minor, 10**digits)
    return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"


def category(*, rate: Rate, setup: Setup) -> str:
    """The category of VAT (UNTDID 5305): standard, or what a book says of what carries none."""
    return setup.untaxed if rate is None else "S"


def _seller(setup: Setup) -> dict[str, Any]:
    seller = setup.seller
    made = {"name": seller["name"], **_address(seller)}
    number = seller["tax_number"]
    if seller["country"] in EU_COUNTRIES:
        made["vat_identifier"] = number
    else:
        made["tax_identifier"] = number
    if seller.get("registered"):
        made["legal_identifier"] = seller["registered"]
    return made


def _buyer(buyer: Mapping[str, str]) -> dict[str, Any]:
    made = {"name": buyer["name"], **_address(buyer)}
    if buyer["tax_kind"] == "eu_vat":
        made["vat_identifier"] = buyer["tax_number"]
    elif buyer["tax_number"]:
        made["legal_identifier"] = buyer["tax_number"]
    return made


def _address(party: Mapping[str, str]) -> dict[str, str]:
    kept = {
        "addr_l1": party.get("street", ""),
        "city": party.get("city", ""),
        "postcode": party.get("postcode", ""),
        "country_code": party["country"],
    }
    return {name: value for name, value in kept.items() if value}


def _rate(rate: Rate, one: Sums, setup: Setup, money: Any) -> dict[str, str]:
    made = {
        "BT-116": money(one.net_minor),
        "BT-117": money(one.tax_minor),
        "BT-118": category(rate=rate, setup=setup),
    }
    if rate is not None or setup.untaxed != "O":
        made["BT-119"] = percent(rate or 0)
    if rate is None and setup.untaxed != "Z":
        made["BT-120"] = setup.untaxed_words or str(UNTAXED[setup.untaxed])
    return made


def _line(n: int, part: Part, setup: Setup, money: Any, digits: int) -> dict[str, str]:
    """A line: what is counted has its mean price, the rest is one of it; below zero the quantity is."""
    thousandths = part.quantity or 1_000
    if part.quantity and (part.net_minor < 0) != (part.quantity < 0):
        thousandths = -part.quantity if part.net_minor < 0 else abs(part.quantity)
    if not part.quantity and part.net_minor < 0:
        thousandths = -1_000
    made = {
        "BT-126": str(n),
        "BT-129": coins(thousandths, 3),
        "BT-130": _UNITS[part.unit if part.quantity else ""],
        "BT-131": money(part.net_minor),
        "BT-146": _price(abs(part.net_minor), abs(thousandths), digits),
        "BT-151": category(rate=part.rate_bp, setup=setup),
        "BT-153": part_words(part),
    }
    if part.rate_bp is not None or setup.untaxed != "O":
        made["BT-152"] = percent(part.rate_bp or 0)
    return made


def _price(minor: int, thousandths: int, digits: int) -> str:
    """The mean price of one: so many decimals that price times quantity is the amount again."""
    scaled = minor * 1_000 * 10 ** (_PRICE_PLACES - digits)
    return coins((2 * scaled + thousandths) // (2 * thousandths), _PRICE_PLACES)
