"""The worked figures beneath the codes: checks, amounts, ciphers and derived keys, each worked out again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fairwatt.core.tokens.amounts import pack_amount, unpack_amount
from fairwatt.core.tokens.cipher import Algorithm
from fairwatt.core.tokens.code import digits_of, split
from fairwatt.core.tokens.crc import crc16
from fairwatt.core.tokens.ea07 import Ea07, Tables
from fairwatt.core.tokens.identity import KeyName, KeyType, MeterPan
from fairwatt.core.tokens.misty1 import Misty1
from fairwatt.core.tokens.tid import BaseDate

from .conform import Failure, Mismatch
from .derive import blocks_of, data_block_of, decoder_key
from .fields import number

SAMPLE_TABLES: Final = "cca464f5"
"""How the hash of the tables printed in the standard begins; they are not in this program."""

Figures = Iterator[tuple[str, object, object]]


def fingerprint(tables: Tables) -> str:
    """A short name of a set of tables that tells nothing of them."""
    return hashlib.sha256(bytes((*tables.s1, *tables.s2, *tables.p))).hexdigest()[:8]


def work_out(*, groups: Mapping[str, Any], tables: Tables | None) -> tuple[int, list[Failure], list[str]]:
    """Work every figure out again: how many there were, which differ, and what could not be checked and why."""
    count, failed, unchecked = 0, list[Failure](), list[str]()
    for group, said in groups.items():
        if group == "ea07_sample_tables" and (tables is None or fingerprint(tables) != SAMPLE_TABLES):
            unchecked.append(f"{group}: needs the standard's sample tables as --tables")
            continue
        for place, entry in enumerate(said if isinstance(said, list) else [said], start=1):
            count += 1
            try:
                _compare(group, entry, tables)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                why = f"{error!r}" if isinstance(error, KeyError) else str(error)
                expected, got = getattr(error, "expected", ""), getattr(error, "got", "")
                failed.append(
                    Failure(
                        entry=place, name=group, direction="work out", expected=expected, got=got, why=why
                    )
                )
    return count, failed, unchecked


def _compare(group: str, entry: Any, tables: Tables | None) -> None:
    work = _GROUPS.get(group)
    if work is None or not isinstance(entry, dict):
        raise Mismatch(f"no figure of the kind {group} is known")
    for name, expected, got in work(entry, tables):
        if expected != got:
            raise Mismatch(f"{name} differs", expected=expected, got=got)


def _crc(entry: dict[str, Any], _: Tables | None) -> Figures:
    yield "out", entry["out"].lower(), f"{crc16(bytes.fromhex(entry['in_hex'])):04x}"


def _ea07(entry: dict[str, Any], tables: Tables | None) -> Figures:
    assert tables is not None
    cipher = Ea07(bytes.fromhex(entry["key"]), tables)
    block, number66 = int(entry["block"], 16), int(entry["token66_hex"], 16)
    token_class, encrypted = split(f"{number66:020d}")
    made = digits_of(token_class=token_class, encrypted=cipher.encrypt(block))
    yield "token66_hex", f"{number66:x}", f"{int(made):x}"
    yield "block", f"{block:016x}", f"{cipher.decrypt(encrypted):016x}"


def _misty1(entry: dict[str, Any], _: Tables | None) -> Figures:
    cipher = Misty1(bytes.fromhex(entry["key"]))
    plain, sealed = int(entry["pt"], 16), int(entry["ct"], 16)
    yield "ct", f"{sealed:016x}", f"{cipher.encrypt(plain):016x}"
    yield "pt", f"{plain:016x}", f"{cipher.decrypt(sealed):016x}"


def _dkga02(entry: dict[str, Any], _: Tables | None) -> Figures:
    name = _name(entry, Algorithm.EA07)
    for what, block in zip(("panblock", "ctrlblock"), blocks_of(name), strict=True):
        if what in entry:
            yield what, entry[what].lower(), block.hex()
    key = decoder_key(dkga="02", vending_key=bytes.fromhex(entry["vk"]), name=name, base=None)
    yield "dk", entry["dk"].lower(), key.hex()


def _dkga04(entry: dict[str, Any], _: Tables | None) -> Figures:
    name, base = _name(entry, Algorithm(number(entry, "ea"))), BaseDate(str(entry["base"]))
    if "data_block" in entry:
        yield "data_block", entry["data_block"].lower(), data_block_of(name, base).hex()
    key = decoder_key(dkga="04", vending_key=bytes.fromhex(entry["vk"]), name=name, base=base)
    yield "dk", entry["dk"].lower(), key.hex()


def _amount(entry: dict[str, Any], _: Tables | None) -> Figures:
    yield "field", entry["field"].lower(), f"{pack_amount(number(entry, 'tenths')):04x}"
    yield "decoded", entry["decoded"], unpack_amount(int(entry["field"], 16))


def _name(entry: dict[str, Any], algorithm: Algorithm) -> KeyName:
    return KeyName(
        pan=MeterPan(entry["pan"]),
        sgc=entry["sgc"],
        ti=number(entry, "ti"),
        krn=number(entry, "krn"),
        kt=KeyType(number(entry, "kt")),
        algorithm=algorithm,
    )


_GROUPS: Final[Mapping[str, Callable[[dict[str, Any], Tables | None], Figures]]] = {
    "crc16": _crc,
    "ea07_sample_tables": _ea07,
    "misty1": _misty1,
    "dkga02": _dkga02,
    "dkga04": _dkga04,
    "amount": _amount,
}
