"""Codes: what is made is read back, and what is damaged is not taken for something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import token_cases as cases
from fairwatt.core.tokens.amounts import (
    AMOUNT_MAX,
    CURRENCY_MAX,
    AmountTooLarge,
    pack_amount,
    pack_currency,
    unpack_amount,
    unpack_currency,
)
from fairwatt.core.tokens.cipher import Algorithm, KeyLength, cipher_for
from fairwatt.core.tokens.code import NoCode, NotDigits, WrongKey, block_of, decode, digits_of, encode, split
from fairwatt.core.tokens.crc import check_of, crc16
from fairwatt.core.tokens.ea07 import Ea07, Tables, TablesMissing, TablesUnusable
from fairwatt.core.tokens.errors import OutOfRange, TokenError
from fairwatt.core.tokens.identity import (
    CardRecord,
    CardUnreadable,
    KeyName,
    MeterNumberWrong,
    MeterPan,
    card_of,
    pan_of_drn,
    read_card,
    read_meter_number,
)
from fairwatt.core.tokens.kinds import Malformed, UnknownKind, unpack
from fairwatt.core.tokens.misty1 import Misty1
from fairwatt.core.tokens.tid import (
    TID_MAX,
    BaseDate,
    OutsideBaseDate,
    is_expired,
    minute_of,
    tid_at,
)

DATA = Path(__file__).parents[1] / "data"
VECTORS = json.loads((DATA / "sts_vectors.json").read_text())
DAY_US, MINUTE_US = 86_400_000_000, 60_000_000
JULY_29_2026_US = 1_785_283_200_000_000
"""2026-07-29 00:00 UTC"""
OF_EA11 = cipher_for(algorithm=Algorithm.EA11, key=bytes(range(16)))
OF_EA07 = cipher_for(algorithm=Algorithm.EA07, key=bytes(range(8)), tables=cases.SAMPLE)


# --- what is made is read back --------------------------------------------------------------------------------


@given(token=cases.tokens(Algorithm.EA11))
def test_what_is_made_is_read_back(token: cases.Token) -> None:
    digits = encode(token=token, cipher=OF_EA11)
    assert decode(digits=digits, cipher=OF_EA11, algorithm=Algorithm.EA11) == cases.as_carried(token)


@given(token=cases.tokens(Algorithm.EA07))
def test_what_is_made_is_read_back_under_ea07(token: cases.Token) -> None:
    digits = encode(token=token, cipher=OF_EA07)
    assert decode(digits=digits, cipher=OF_EA07, algorithm=Algorithm.EA07) == cases.as_carried(token)


@given(b48=st.integers(0, 2**48 - 1), token_class=st.integers(0, 3), ea=st.sampled_from(Algorithm))
def test_any_block_that_can_be_read_is_made_again_bit_by_bit(
    b48: int, token_class: int, ea: Algorithm
) -> None:
    try:
        token = unpack(token_class=token_class, b48=b48, algorithm=ea)
    except (UnknownKind, Malformed):
        return
    minus_zero = token_class == 0 and b48 >> 43 & 1 and not getattr(token, "amount_1e5", 1)
    assert minus_zero or token.pack() == b48


@given(key=st.binary(min_size=16, max_size=16), block=st.integers(0, 2**64 - 1))
def test_both_ciphers_undo_themselves(key: bytes, block: int) -> None:
    for cipher in (Misty1(key), Ea07(key[:8], cases.SAMPLE)):
        assert cipher.decrypt(cipher.encrypt(block)) == block


@given(encrypted=st.integers(0, 2**64 - 1), token_class=st.integers(0, 2))
def test_the_class_goes_into_the_bits_and_out_again(encrypted: int, token_class: int) -> None:
    assert split(digits_of(token_class=token_class, encrypted=encrypted)) == (token_class, encrypted)


def test_the_published_ciphers_and_checks_come_out() -> None:
    found = VECTORS["primitives"]
    for one in found["misty1"]:
        assert Misty1(bytes.fromhex(one["key"])).encrypt(int(one["pt"], 16)) == int(one["ct"], 16)
    for one in found["crc16"]:
        assert f"{crc16(bytes.fromhex(one['in_hex'])):04x}" == one["out"]
    sample = found["ea07_sample_tables"]
    sealed = Ea07(bytes.fromhex(sample["key"]), cases.SAMPLE).encrypt(int(sample["block"], 16))
    assert int(digits_of(token_class=0, encrypted=sealed)) == int(sample["token66_hex"], 16)


def test_money_is_checked_with_a_byte_more_than_energy() -> None:
    assert check_of(token_class=0, b48=0x406D6F5160AA) == 0x72F9
    assert check_of(token_class=2, b48=0x406D6F5160AA) != crc16(bytes.fromhex("00406d6f5160aa"))


# --- damage ---------------------------------------------------------------------------------------------------


@given(token=cases.tokens(Algorithm.EA11), bit=st.integers(0, 65))
def test_a_damaged_code_never_raises_anything_without_a_name(token: cases.Token, bit: int) -> None:
    number = int(encode(token=token, cipher=OF_EA11)) ^ 1 << bit
    try:
        read = decode(digits=f"{number:020d}", cipher=OF_EA11, algorithm=Algorithm.EA11)
    except TokenError as error:
        assert error.code != TokenError.code
        assert "Nothing was changed" in str(error) or "No code was made" in str(error)
    else:
        assert read != token


def test_a_damaged_code_is_another_one_only_as_often_as_its_check_allows() -> None:
    """Sixty-six damaged bits of 200 codes: 65,536 to one that none of 13,200 passes by chance, give or take."""
    passed = 0
    for number in range(200):
        digits = encode(token=cases.credit(tid=number, tenths=number * 7), cipher=OF_EA11)
        for bit in range(66):
            damaged = int(digits) ^ 1 << bit
            try:
                decode(digits=f"{damaged:020d}", cipher=OF_EA11, algorithm=Algorithm.EA11)
                passed += 1
            except TokenError:
                continue
    assert passed <= 3


@given(control=st.integers(0, 2**36 - 1), bit=st.integers(0, 65))
def test_a_code_without_encryption_survives_no_single_error(control: int, bit: int) -> None:
    number = int(encode(token=cases.showing(control), cipher=None)) ^ 1 << bit
    with pytest.raises(TokenError):
        decode(digits=f"{number:020d}", cipher=OF_EA11, algorithm=Algorithm.EA11)


@given(typed=st.text(max_size=40) | st.text(alphabet="0123456789 -", min_size=18, max_size=24))
def test_whatever_is_typed_is_a_code_or_a_named_error(typed: str) -> None:
    try:
        decode(digits=typed, cipher=OF_EA11, algorithm=Algorithm.EA11)
    except TokenError as error:
        assert isinstance(error, NotDigits | NoCode | WrongKey | UnknownKind | Malformed)


def test_digits_are_read_as_people_write_them() -> None:
    digits = encode(token=cases.credit(), cipher=OF_EA11)
    written = "-".join(digits[i : i + 4] for i in range(0, 20, 4)) + "\n"
    assert split(written) == split(digits)
    for wrong, kind in (("12345", NotDigits), ("9" * 20, NoCode), ("٣" * 20, NotDigits)):
        with pytest.raises(kind):
            split(wrong)


def test_reserved_kinds_are_named_and_change_nothing() -> None:
    for token_class, subclass in ((0, 8), (1, 3), (2, 11), (3, 0)):
        with pytest.raises(UnknownKind, match="sub-class"):
            unpack(token_class=token_class, b48=subclass << 44, algorithm=Algorithm.EA11)
    with pytest.raises(UnknownKind):
        unpack(token_class=2, b48=9 << 44, algorithm=Algorithm.EA07)
    with pytest.raises(Malformed, match="KRN is 0"):
        unpack(token_class=2, b48=3 << 44, algorithm=Algorithm.EA11)


# --- amounts --------------------------------------------------------------------------------------------------


@given(amount=st.integers(0, AMOUNT_MAX))
def test_an_amount_is_never_less_than_was_asked(amount: int) -> None:
    carried = unpack_amount(pack_amount(amount))
    assert amount <= carried <= amount + amount // 1_000 + 1
    assert unpack_amount(pack_amount(carried)) == carried


@given(field=st.integers(0, 0xFFFF))
def test_each_field_has_its_own_amount(field: int) -> None:
    assert pack_amount(unpack_amount(field)) == field


@given(amount=st.integers(-CURRENCY_MAX, CURRENCY_MAX) | st.integers(-(10**7), 10**7))
def test_money_is_rounded_toward_the_customer(amount: int) -> None:
    sign, exponent, mantissa = pack_currency(amount)
    carried = unpack_currency(sign=sign, exponent=exponent, mantissa=mantissa)
    assert amount <= carried <= amount + abs(amount) // 1_000 + 1


def test_what_no_code_can_carry_is_refused() -> None:
    for pack, most in ((pack_amount, AMOUNT_MAX), (pack_currency, CURRENCY_MAX)):
        pack(most)
        with pytest.raises(AmountTooLarge, match="several codes"):
            pack(most + 1)
    for wrong in (-1, 10**5_000):
        with pytest.raises(AmountTooLarge):
            pack_amount(wrong)
    with pytest.raises(OutOfRange):
        cases.credit(tid=TID_MAX + 1)


# --- time -----------------------------------------------------------------------------------------------------


def test_the_minute_after_midnight_is_never_sold() -> None:
    midnight = tid_at(at_us=JULY_29_2026_US, base=BaseDate.D2014)
    one, two = (tid_at(at_us=JULY_29_2026_US + n * MINUTE_US, base=BaseDate.D2014) for n in (1, 2))
    assert (one, two) == (0x64E602, 0x64E602)
    assert midnight == 0x64E600
    crowded = tid_at(at_us=JULY_29_2026_US, base=BaseDate.D2014, taken={midnight, two, two + 1})
    assert crowded == two + 2


def test_minutes_follow_the_clock_of_the_supply_group() -> None:
    utc = tid_at(at_us=JULY_29_2026_US + 30 * MINUTE_US, base=BaseDate.D2014)
    local = tid_at(at_us=JULY_29_2026_US + 30 * MINUTE_US, base=BaseDate.D2014, zone="Africa/Johannesburg")
    assert local - utc == 120
    assert minute_of(tid=local, base=BaseDate.D2014).isoformat() == "2026-07-29T02:30:00"


def test_a_base_date_counts_for_thirty_one_years() -> None:
    last = minute_of(tid=TID_MAX, base=BaseDate.D1993)
    assert last.date().isoformat() == "2024-11-24"
    with pytest.raises(OutsideBaseDate, match="1993-01-01"):
        tid_at(at_us=JULY_29_2026_US, base=BaseDate.D1993)
    with pytest.raises(OutsideBaseDate, match="2035-01-01"):
        tid_at(at_us=JULY_29_2026_US, base=BaseDate.D2035)


def test_a_key_ends_by_the_upper_bits_of_the_minute() -> None:
    assert not is_expired(tid=0x64FFFF, ken=0x64)
    assert is_expired(tid=0x650000, ken=0x64)
    assert not is_expired(tid=TID_MAX, ken=255)


# --- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pan", ["600727000000000009", "000001000000000082", "600727111111111153"])
def test_a_meter_number_is_found_in_its_account_number(pan: str) -> None:
    known = MeterPan(pan)
    assert pan_of_drn(known.drn) == known == read_meter_number(f"{pan[:6]} {pan[6:]}")


@pytest.mark.parametrize("wrong", ["12345678904", "11111111113", "600727000000000008", "", "6007", "x" * 18])
def test_a_wrong_digit_of_a_meter_number_is_found(wrong: str) -> None:
    with pytest.raises(MeterNumberWrong, match="No code was made"):
        read_meter_number(wrong)


@given(digit=st.integers(0, 17), other=st.integers(1, 9))
def test_any_one_wrong_digit_of_an_account_number_is_found(digit: int, other: int) -> None:
    right = "600727111111111153"
    wrong = right[:digit] + str((int(right[digit]) + other) % 10) + right[digit + 1 :]
    with pytest.raises(MeterNumberWrong):
        MeterPan(wrong)


def test_makers_have_two_or_four_digits() -> None:
    assert MeterPan("600727111111111153").maker == 11
    assert MeterPan("000001000000000082").maker == 100


def test_a_card_is_read_as_it_was_written() -> None:
    name = KeyName(pan=MeterPan("600727000000000009"), sgc="201457", ti=1, krn=1)
    text = card_of(CardRecord(name=name))
    assert text == "600727000000000009===0211201457011"
    assert read_card(text) == CardRecord(name=name)
    for wrong in ("", text[:-1], text.replace("===", "="), text.replace("0211", "0209")):
        with pytest.raises(CardUnreadable):
            read_card(wrong)


# --- keys and tables ------------------------------------------------------------------------------------------


def test_ea07_without_its_tables_makes_and_reads_nothing() -> None:
    with pytest.raises(TablesMissing, match="licensed"):
        cipher_for(algorithm=Algorithm.EA07, key=bytes(8))
    with pytest.raises(KeyLength, match="16 bytes, not 8"):
        cipher_for(algorithm=Algorithm.EA11, key=bytes(8))
    with pytest.raises(TablesUnusable, match="each number"):
        Tables(s1=(0,) * 16, s2=cases.SAMPLE.s2, p=cases.SAMPLE.p)


def test_no_key_shows_in_what_is_printed() -> None:
    shown = repr((OF_EA11, OF_EA07, cases.SAMPLE, cases.NEW_KEY))
    assert "key kept to itself" in shown and cases.NEW_KEY.key.hex() not in shown and "29, 27" not in shown


def test_every_vector_has_the_block_it_states() -> None:
    for one in VECTORS["vectors"]:
        key = one["decoder_key"]
        cipher = cipher_for(algorithm=Algorithm.EA11, key=bytes.fromhex(key)) if key else None
        token = decode(digits=one["token"], cipher=cipher, algorithm=Algorithm.EA11)
        assert f"{block_of(token):016x}" == one["block"]
        assert encode(token=token, cipher=cipher) == one["token"]
