"""Somebody else's vectors, made from their fields and read from their digits.

An entry names its class and sub-class, the fields of its kind (`fields.py`), the key and the twenty digits. Nothing the
entry says of itself spares it a check: its key is derived where a vending key is given, its digits are made from its
fields alone, and its fields are compared with what the digits say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.core.tokens.cipher import Algorithm, Cipher, cipher_for
from fairwatt.core.tokens.code import block_of, decode, encode, split
from fairwatt.core.tokens.ea07 import Tables
from fairwatt.core.tokens.identity import KeyName, KeyType, MeterPan
from fairwatt.core.tokens.kinds import Token
from fairwatt.core.tokens.tid import BaseDate

from .derive import decoder_key
from .fields import FieldMissing, bits, fields_of, number, token_of

UNENCRYPTED: Final = 1
BASES: Final = {
    str(said): base for base in BaseDate for said in (base.value, base.day.year, base.day.isoformat())
}
_ABOUT: Final = {
    *("name", "note", "notes", "src", "comment", "description"),
    *("dkga", "vending_key", "pan", "kt", "sgc", "ti", "krn", "ea", "base_date", "decoder_key"),
    *("cls", "subclass", "block", "crc", "token"),
}
"""What an entry has besides the fields of its kind."""
_OF_SOME_KIND: Final = {
    *("rnd", "tid", "amount_field", "amount_tenths", "sign", "exponent", "mantissa", "amount_1e5"),
    *("control", "mfr", "value_field", "watts", "raw44", "sgcho", "nkmo1"),
    *("kenho", "new_krn", "ro", "res_3kct", "new_kt", "nkho", "kenlo", "new_ti", "nklo"),
}


class Mismatch(ValueError):
    """An entry that did not pass, with what it states and what was found."""

    def __init__(self, why: str, *, expected: object = "", got: object = "") -> None:
        super().__init__(why)
        self.expected = str(expected)
        self.got = str(got)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What was expected of one entry in one direction, and what came out."""

    entry: int
    name: str
    direction: str
    expected: str
    got: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How many entries there were, how many passed each way, and every failure with both figures."""

    vectors: int
    encoded_ok: int
    decoded_ok: int
    failed: tuple[Failure, ...]
    not_compared: tuple[str, ...]
    """Names of fields that some entry has and no kind of code knows."""


def conform(*, entries: Sequence[Any], tables: Tables | None) -> Report:
    """Make and read every entry. What is no entry, or of an unknown kind, fails both ways and says why."""
    failed: list[Failure] = []
    passed = {"encode": 0, "decode": 0}
    strange: set[str] = set()
    for place, entry in enumerate(entries, start=1):
        for direction, check in (("encode", _encode), ("decode", _decode)):
            try:
                if not isinstance(entry, dict):
                    raise Mismatch("an entry is an object with cls, subclass, token and fields")
                strange |= check({name: said for name, said in entry.items() if said is not None}, tables)
                passed[direction] += 1
            except ValueError as error:
                failed.append(_failure(place, entry, direction, error))
    return Report(
        vectors=len(entries),
        encoded_ok=passed["encode"],
        decoded_ok=passed["decode"],
        failed=tuple(failed),
        not_compared=tuple(sorted(strange)),
    )


def _encode(entry: Mapping[str, Any], tables: Tables | None) -> set[str]:
    """Make the digits from the fields."""
    algorithm, key = _key(entry)
    token_class, subclass = number(entry, "cls"), number(entry, "subclass")
    token = token_of(token_class=token_class, subclass=subclass, fields=entry, algorithm=algorithm)
    if token is None:
        raise Mismatch(f"no kind of code is known as class {token_class}, sub-class {subclass}")
    _compare_block(entry, token)
    cipher = _cipher(token_class, algorithm, key, tables)
    _same("token", _digits(entry), encode(token=token, cipher=cipher))
    return set()


def _decode(entry: Mapping[str, Any], tables: Tables | None) -> set[str]:
    """Read the fields from the digits."""
    algorithm, key = _key(entry)
    cipher = _cipher(split(_digits(entry))[0], algorithm, key, tables)
    token = decode(digits=_digits(entry), cipher=cipher, algorithm=algorithm)
    _same("class", number(entry, "cls"), token.token_class)
    _same("sub-class", number(entry, "subclass"), token.pack() >> 44)
    _compare_block(entry, token)
    fields = fields_of(token)
    for name, found in fields.items():
        if name in entry:
            _same_field(name, entry, found)
    # What belongs to another kind of code would else pass unseen.
    alien = sorted(entry.keys() & _OF_SOME_KIND - fields.keys())
    if alien:
        raise Mismatch(f"the digits say nothing of {', '.join(alien)}", expected=alien, got=sorted(fields))
    return set(entry.keys() - fields.keys() - _ABOUT)


def _key(entry: Mapping[str, Any]) -> tuple[Algorithm, bytes | None]:
    """The key of an entry: derived where it can be, and then compared with the stated one."""
    derives, states = "vending_key" in entry, "decoder_key" in entry
    stated = _raw(entry, "decoder_key") if states else b""
    if "ea" not in entry and not states:
        return Algorithm.EA11, None
    said = number(entry, "ea") if "ea" in entry else _ea_of(stated)
    if said not in Algorithm:
        raise Mismatch("no such encryption algorithm", expected="7 or 11", got=said)
    algorithm = Algorithm(said)
    if not derives:
        return algorithm, stated if states else None
    key = _derived(entry, algorithm)
    if states:
        _same("decoder_key", stated.hex(), key.hex())
    return algorithm, key


def _cipher(
    token_class: int, algorithm: Algorithm, key: bytes | None, tables: Tables | None
) -> Cipher | None:
    if token_class == UNENCRYPTED or key is None:
        return None
    return cipher_for(algorithm=algorithm, key=key, tables=tables)


def _derived(entry: Mapping[str, Any], algorithm: Algorithm) -> bytes:
    base = entry.get("base_date")
    if base is not None and str(base) not in BASES:
        raise Mismatch("no such base date", expected=", ".join(BASES), got=base)
    name = KeyName(
        pan=MeterPan(str(entry.get("pan"))),
        sgc=str(entry.get("sgc")),
        ti=number(entry, "ti"),
        krn=number(entry, "krn"),
        kt=KeyType(number(entry, "kt")),
        algorithm=algorithm,
    )
    dkga = f"{number(entry, 'dkga'):02d}"
    return decoder_key(
        dkga=dkga,
        vending_key=_raw(entry, "vending_key"),
        name=name,
        base=None if base is None else BASES[str(base)],
    )


def _ea_of(key: bytes) -> int:
    return next((one.value for one in Algorithm if one.key_bytes == len(key)), 0)


def _raw(entry: Mapping[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(str(entry.get(name)))
    except ValueError:
        raise FieldMissing(f"{name} is not hexadecimal text") from None


def _digits(entry: Mapping[str, Any]) -> str:
    return "".join(str(entry.get("token", "")).split()).replace("-", "")


def _compare_block(entry: Mapping[str, Any], token: Token) -> None:
    made = f"{block_of(token):016x}"
    for name, found in (("block", made), ("crc", made[-4:])):
        if name in entry:
            _same_field(name, entry, found)


def _same_field(name: str, entry: Mapping[str, Any], found: int | str) -> None:
    """Compare a field by its value: bits as bits, numbers as numbers."""
    stated = entry[name]
    if isinstance(found, int) or name == "new_sgc":
        same = number(entry, name) == int(found)
    else:
        said, short = bits(entry, name), name == "control" and len(found) == 11 and len(str(stated)) <= 9
        same = (said << 8 if short else said) == int(found, 16)
    if not same:
        raise Mismatch(f"{name} differs", expected=stated, got=found)


def _same(what: str, expected: object, got: object) -> None:
    if expected != got:
        raise Mismatch(f"{what} differs", expected=expected, got=got)


def _failure(place: int, entry: Any, direction: str, error: ValueError) -> Failure:
    name = str(entry.get("name", "")) if isinstance(entry, dict) else repr(entry)[:60]
    return Failure(
        entry=place,
        name=name,
        direction=direction,
        expected=getattr(error, "expected", ""),
        got=getattr(error, "got", ""),
        why=str(error),
    )
