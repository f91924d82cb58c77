"""A code as named fields, in the words of the standard: what the command line prints and what vectors state.

Numbers are integers, bit fields are hexadecimal text of fixed length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fairwatt.core.tokens.amounts import pack_amount, pack_currency, unpack_amount, unpack_currency
from fairwatt.core.tokens.cipher import Algorithm
from fairwatt.core.tokens.credit import CURRENCY_SUBCLASS, CurrencyCredit, Resource, TransferCredit
from fairwatt.core.tokens.identity import KeyType
from fairwatt.core.tokens.key_change import (
    GroupSection,
    KeySection1,
    KeySection2,
    KeySection3,
    KeySection4,
)
from fairwatt.core.tokens.kinds import Setting, Token
from fairwatt.core.tokens.settings import (
    ClearCredit,
    ClearTamper,
    Extended,
    PowerLimit,
    TariffRate,
    UnbalanceLimit,
    WaterFactor,
)
from fairwatt.core.tokens.showing import ExtendedRead, MeterTest, WideMakerTest

NAMES: Final[Mapping[type, str]] = {
    MeterTest: "InitiateMeterTest/Display (2-digit mfr)",
    WideMakerTest: "InitiateMeterTest/Display (4-digit mfr)",
    ExtendedRead: "Extended read (STS 202-5)",
    PowerLimit: "SetMaximumPowerLimit",
    ClearCredit: "ClearCredit",
    TariffRate: "SetTariffRate",
    KeySection1: "Set1stSectionDecoderKey",
    KeySection2: "Set2ndSectionDecoderKey",
    ClearTamper: "ClearTamperCondition",
    UnbalanceLimit: "SetMaximumPhasePowerUnbalanceLimit",
    WaterFactor: "SetWaterMeterFactor",
    KeySection3: "Set3rdSectionDecoderKey",
    GroupSection: "Set3rdSectionDecoderKey (supply group)",
    KeySection4: "Set4thSectionDecoderKey",
    Extended: "Extended (STS 202-5)",
}
_SETTINGS: Final[Mapping[int, type[Setting]]] = {
    kind.subclass: kind
    for kind in (PowerLimit, ClearCredit, TariffRate, ClearTamper, UnbalanceLimit, WaterFactor, Extended)
}


class FieldMissing(ValueError):
    """A field that a code cannot be made without is absent or not what it should be."""


def name_of(token: Token) -> str:
    """What the standard calls this code."""
    match token:
        case TransferCredit(resource=resource):
            return f"TransferCredit {resource.name.lower()}"
        case CurrencyCredit(resource=resource):
            return f"{resource.name.lower()} currency credit"
        case _:
            return NAMES[type(token)]


def fields_of(token: Token) -> dict[str, int | str]:
    """Every field of a code, amounts also as they stand in its bits."""
    match token:
        case TransferCredit():
            field = f"{pack_amount(token.tenths):04x}"
            return {
                "rnd": token.rnd,
                "tid": token.tid,
                "amount_field": field,
                "amount_tenths": token.carried,
            }
        case CurrencyCredit():
            sign, exponent, mantissa = pack_currency(token.amount_1e5)
            money = {"sign": sign, "exponent": exponent, "mantissa": mantissa}
            return {**money, "tid": token.tid, "amount_1e5": token.carried}
        case MeterTest():
            return {"control": f"{token.control:09x}", "mfr": f"{token.maker:02x}"}
        case WideMakerTest():
            return {"control": f"{token.control:07x}", "mfr": f"{token.maker:04x}"}
        case ExtendedRead():
            return {"control": f"{token.control << 8 | token.rest:011x}"}
        case KeySection1():
            return {
                "kenho": token.ken_high,
                "new_krn": token.krn,
                "ro": int(token.ro),
                "res_3kct": int(token.three),
                "new_kt": int(token.kt),
                "nkho": f"{token.word:08x}",
            }
        case KeySection2():
            return {"kenlo": token.ken_low, "new_ti": token.ti, "nklo": f"{token.word:08x}"}
        case KeySection3():
            third = {"sgclo": f"{token.sgc_low:03x}", "nkmo2": f"{token.word:08x}"}
            return {**third, "raw44": third["sgclo"] + third["nkmo2"]}
        case GroupSection():
            return {"new_sgc": f"{token.sgc:06d}", "raw44": f"{token.sgc << 20 | token.rest:011x}"}
        case KeySection4():
            fourth = {"sgcho": f"{token.sgc_high:03x}", "nkmo1": f"{token.word:08x}"}
            return {**fourth, "raw44": fourth["sgcho"] + fourth["nkmo1"]}
        case _:
            return _setting_fields(token)


def _setting_fields(token: Setting) -> dict[str, int | str]:
    field = token.pack() & 0xFFFF
    said: dict[str, int | str] = {"rnd": token.rnd, "tid": token.tid, "value_field": f"{field:04x}"}
    match token:
        case PowerLimit() | UnbalanceLimit():
            said["watts"] = token.carried
        case ClearCredit():
            said["register"] = token.value
        case TariffRate():
            said["rate"] = token.value
        case WaterFactor():
            said["factor"] = token.value
        case Extended():
            said |= {"index": token.index, "value": token.content}
        case ClearTamper():
            pass
    return said


def token_of(
    *, token_class: int, subclass: int, fields: Mapping[str, Any], algorithm: Algorithm
) -> Token | None:
    """Make a code of its fields; None for a kind that is not known. Raises FieldMissing, TokenError."""
    make = _MAKERS.get((token_class, subclass))
    if make is not None:
        return make(fields)
    match token_class, subclass:
        case 0, 0 | 1 | 2 | 3:
            return _transfer(Resource(subclass), fields)
        case 0, 4 | 5 | 6 | 7:
            return _currency(Resource(subclass - CURRENCY_SUBCLASS), fields)
        case 2, KeySection3.subclass:
            return _third(fields, algorithm)
        case 2, KeySection4.subclass if algorithm is Algorithm.EA11:
            return _fourth(fields)
        case 2, _ if subclass in _SETTINGS:
            return _SETTINGS[subclass](
                rnd=number(fields, "rnd"), tid=number(fields, "tid"), value=_value(subclass, fields)
            )
        case _:
            return None


def number(fields: Mapping[str, Any], name: str) -> int:
    """A whole number, also where it is written as text. Raises FieldMissing."""
    said = fields.get(name)
    if isinstance(said, bool) or (isinstance(said, str) and said.strip().lstrip("-").isdecimal()):
        return int(said)
    if not isinstance(said, int):
        raise FieldMissing(
            f"{name} is {'missing' if said is None else repr(said)[:40]}; it is a whole number"
        )
    return said


def bits(fields: Mapping[str, Any], name: str) -> int:
    """A field of bits, written in hexadecimal. Raises FieldMissing."""
    said = fields.get(name)
    try:
        if not isinstance(said, str):
            raise ValueError
        return int(said, 16)
    except ValueError:
        raise FieldMissing(
            f"{name} is {'missing' if said is None else repr(said)[:40]}; it is hexadecimal text"
        ) from None


def _transfer(resource: Resource, fields: Mapping[str, Any]) -> Token:
    rnd, tid = number(fields, "rnd"), number(fields, "tid")
    stated = "amount_tenths" in fields or "amount_field" not in fields
    tenths = number(fields, "amount_tenths") if stated else unpack_amount(bits(fields, "amount_field"))
    return TransferCredit(resource=resource, rnd=rnd, tid=tid, tenths=tenths)


def _currency(resource: Resource, fields: Mapping[str, Any]) -> Token:
    if "amount_1e5" in fields or "mantissa" not in fields:
        amount = number(fields, "amount_1e5")
    else:
        sign, exponent, mantissa = (number(fields, name) for name in ("sign", "exponent", "mantissa"))
        amount = unpack_currency(sign=sign, exponent=exponent, mantissa=mantissa)
    return CurrencyCredit(resource=resource, tid=number(fields, "tid"), amount_1e5=amount)


def _value(subclass: int, fields: Mapping[str, Any]) -> int:
    plain = {1: "register", 2: "rate", 7: "factor"}.get(subclass, "")
    if _SETTINGS[subclass].squeezed:
        if "watts" in fields:
            return number(fields, "watts")
        return unpack_amount(bits(fields, "value_field"))
    if plain in fields:
        return number(fields, plain)
    if subclass == Extended.subclass and "index" in fields:
        return number(fields, "index") << 10 | number(fields, "value")
    if subclass == ClearTamper.subclass and "value_field" not in fields:
        return 0
    return bits(fields, "value_field")


def _extended_read(fields: Mapping[str, Any]) -> Token:
    control = bits(fields, "control")
    # Eleven digits are the whole 44 bits; nine leave out the eight that are 0.
    if len(str(fields["control"])) > 9:
        return ExtendedRead(control=control >> 8, rest=control & 0xFF)
    return ExtendedRead(control=control)


def _first(fields: Mapping[str, Any]) -> Token:
    return KeySection1(
        ken_high=number(fields, "kenho"),
        krn=number(fields, "new_krn"),
        ro=bool(number(fields, "ro")),
        three=bool(number(fields, "res_3kct")),
        kt=KeyType(number(fields, "new_kt")),
        word=bits(fields, "nkho"),
    )


def _second(fields: Mapping[str, Any]) -> Token:
    return KeySection2(
        ken_low=number(fields, "kenlo"), ti=number(fields, "new_ti"), word=bits(fields, "nklo")
    )


def _third(fields: Mapping[str, Any], algorithm: Algorithm) -> Token:
    if algorithm is Algorithm.EA11:
        if "nkmo2" in fields:
            return KeySection3(sgc_low=bits(fields, "sgclo"), word=bits(fields, "nkmo2"))
        raw = bits(fields, "raw44")
        return KeySection3(sgc_low=raw >> 32, word=raw & 0xFFFF_FFFF)
    if "new_sgc" in fields:
        return GroupSection(sgc=number(fields, "new_sgc"))
    raw = bits(fields, "raw44")
    return GroupSection(sgc=raw >> 20, rest=raw & 0xFFFFF)


def _fourth(fields: Mapping[str, Any]) -> Token:
    if "nkmo1" in fields or "raw44" not in fields:
        return KeySection4(sgc_high=bits(fields, "sgcho"), word=bits(fields, "nkmo1"))
    raw = bits(fields, "raw44")
    return KeySection4(sgc_high=raw >> 32, word=raw & 0xFFFF_FFFF)


_MAKERS: Final[Mapping[tuple[int, int], Callable[[Mapping[str, Any]], Token]]] = {
    (1, 0): lambda said: MeterTest(control=bits(said, "control"), maker=bits(said, "mfr")),
    (1, 1): lambda said: WideMakerTest(control=bits(said, "control"), maker=bits(said, "mfr")),
    (1, 2): _extended_read,
    (2, 3): _first,
    (2, 4): _second,
}
