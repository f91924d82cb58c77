"""What is sold, under which key, in which minute; and that keys stay where they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.token_cases import SAMPLE
from fairwatt.core.tokens.cipher import Algorithm, cipher_for
from fairwatt.core.tokens.code import decode
from fairwatt.core.tokens.credit import Resource, TransferCredit
from fairwatt.core.tokens.ea07 import TablesMissing
from fairwatt.core.tokens.identity import KeyName, KeyType, MeterPan
from fairwatt.core.tokens.key_change import DecoderKey, KeyChangeImpossible, KeySection1, joined
from fairwatt.core.tokens.meter import Counts, Meter, enter
from fairwatt.core.tokens.tid import BaseDate
from fairwatt.vending.derive import DerivationImpossible, decoder_key
from fairwatt.vending.issue import KeyEnded, issue, issue_key_change
from fairwatt.vending.software import SoftwareVault, VendingKey
from fairwatt.vending.vault import KeyVault, SupplyGroup, UnknownGroup

NOVEMBER_2026_US = 1_795_305_600_000_000
"""2026-11-22 00:00 UTC: KEN 103 of the base date 2014."""
PAN = MeterPan("600727000000000009")
SECRET = bytes.fromhex("abababababababab949494949494949401234567")
OLD = KeyName(pan=PAN, sgc="201457", ti=1, krn=1)
NEW = replace(OLD, sgc="203557", krn=2)


def kept(name: KeyName, *, base: BaseDate = BaseDate.D2014, ken: int = 255) -> VendingKey:
    group = SupplyGroup(sgc=name.sgc, krn=name.krn, kt=name.kt, base=base, ken=ken)
    return VendingKey(group=group, dkga="04", key=SECRET)


def vault(*keys: VendingKey, tables: bool = True) -> KeyVault:
    return SoftwareVault(keys=keys or (kept(OLD), kept(NEW)), tables=SAMPLE if tables else None)


def kwh(tid: int) -> TransferCredit:
    return TransferCredit(resource=Resource.ELECTRICITY, tid=tid, tenths=100, rnd=5)


def sell(where: KeyVault, name: KeyName = OLD, *, taken: tuple[int, ...] = ()) -> tuple[str, int]:
    sold = issue(vault=where, name=name, token_at=kwh, at_us=NOVEMBER_2026_US, taken=taken)
    return sold.digits, sold.tid


def test_a_sold_code_is_one_that_the_meter_takes() -> None:
    digits, _ = sell(vault())
    key = decoder_key(dkga="04", vending_key=SECRET, name=OLD, base=BaseDate.D2014)
    assert key.hex() == "929bd3a415c9420a05ec5ee9f3ce91c3"
    held = DecoderKey(key=key, algorithm=OLD.algorithm, kt=OLD.kt, krn=1, ti=1, sgc=OLD.sgc)
    meter = Meter(pan=PAN, counts=Counts(resource=Resource.ELECTRICITY), held=held)
    assert str(enter(meter, digits)[1].said) == "10.0 kWh were added."
    assert vault().decode(name=OLD, digits=digits) == kwh(sell(vault())[1])


def test_two_codes_of_one_minute_carry_two_minutes() -> None:
    first, tid = sell(vault())
    second, next_tid = sell(vault(), taken=(tid,))
    assert next_tid == tid + 2, "the minute 00:01 between them is nobody's"
    assert first != second


def test_nothing_is_sold_under_a_key_that_has_ended() -> None:
    ended, running = kept(OLD, ken=102), kept(NEW, ken=103)
    with pytest.raises(KeyEnded, match="nothing is owed"):
        sell(vault(ended, running))
    assert sell(vault(ended, running), NEW)
    assert len(issue_key_change(vault=vault(ended, running), now=OLD, then=NEW, at_us=NOVEMBER_2026_US)) == 4
    with pytest.raises(KeyEnded):
        issue_key_change(vault=vault(ended, running), now=NEW, then=OLD, at_us=NOVEMBER_2026_US)


def test_a_key_change_carries_the_new_key_under_the_old_one() -> None:
    later = vault(kept(OLD, base=BaseDate.D1993), kept(NEW, ken=200))
    codes = issue_key_change(vault=later, now=OLD, then=NEW, at_us=NOVEMBER_2026_US)
    old = decoder_key(dkga="04", vending_key=SECRET, name=OLD, base=BaseDate.D1993)
    cipher = cipher_for(algorithm=Algorithm.EA11, key=old)
    sections = [decode(digits=one, cipher=cipher, algorithm=Algorithm.EA11) for one in codes]
    assert isinstance(sections[0], KeySection1) and sections[0].ro, "the base date changes"
    whole = joined(sections, algorithm=Algorithm.EA11)
    assert whole is not None
    assert whole[0].key == decoder_key(dkga="04", vending_key=SECRET, name=NEW, base=BaseDate.D2014)
    assert (whole[0].ken, whole[0].krn, whole[0].sgc) == (200, 2, "203557")


def test_ea07_changes_group_by_three_codes_and_the_rest_by_two() -> None:
    short, moved = replace(OLD, algorithm=Algorithm.EA07), replace(NEW, algorithm=Algorithm.EA07)
    assert len(vault().change_key(now=short, then=moved)) == 3
    assert len(vault().change_key(now=short, then=replace(short, ti=2))) == 2
    with pytest.raises(KeyChangeImpossible, match="its algorithm"):
        vault().change_key(now=OLD, then=moved)


def test_ea07_without_tables_refuses() -> None:
    short = replace(OLD, algorithm=Algorithm.EA07)
    assert sell(vault(), short)
    with pytest.raises(TablesMissing, match="licensed by the STS Association"):
        sell(vault(tables=False), short)


def test_a_group_that_is_not_kept_is_named() -> None:
    with pytest.raises(UnknownGroup, match="999999"):
        sell(vault(), replace(OLD, sgc="999999"))
    with pytest.raises(UnknownGroup):
        sell(vault(), replace(OLD, kt=KeyType.COMMON))


def test_keys_that_do_not_fit_their_derivation_are_refused() -> None:
    for dkga, key, name in (
        ("01", SECRET, OLD),
        ("04", SECRET[:8], OLD),
        ("02", SECRET[:8], OLD),
        ("02", SECRET, replace(OLD, algorithm=Algorithm.EA07)),
    ):
        with pytest.raises(DerivationImpossible, match="No code was made"):
            decoder_key(dkga=dkga, vending_key=key, name=name, base=BaseDate.D2014)


def test_common_keys_of_dkga02_are_the_same_for_all_meters_of_a_maker_list() -> None:
    common = replace(OLD, kt=KeyType.COMMON, algorithm=Algorithm.EA07)
    other = replace(common, pan=MeterPan("600727111111111153"))
    keys = {decoder_key(dkga="02", vending_key=SECRET[:8], name=one, base=None) for one in (common, other)}
    assert len(keys) == 1
    unique = {
        decoder_key(
            dkga="02", vending_key=SECRET[:8], name=replace(one, kt=KeyType.UNIQUE), base=BaseDate.D1993
        )
        for one in (common, other)
    }
    assert len(unique) == 2


def test_neither_a_key_nor_a_vault_shows_what_it_keeps() -> None:
    shown = repr((vault(), kept(OLD)))
    assert SECRET.hex() not in shown and "\\xab" not in shown and "SoftwareVault(2 keys)" in shown
