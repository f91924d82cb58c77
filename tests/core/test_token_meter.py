"""The meter's side: each code acts once, for its own meter, and a key change is whole or nothing."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import token_cases as cases
from fairwatt.core.tokens.cipher import Algorithm, cipher_for
from fairwatt.core.tokens.code import WrongKey, encode
from fairwatt.core.tokens.credit import CurrencyCredit, Resource, TransferCredit
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyType, MeterPan
from fairwatt.core.tokens.key_change import DecoderKey, KeyChangeImpossible, cut, joined
from fairwatt.core.tokens.kinds import Token
from fairwatt.core.tokens.meter import (
    MEMORY_MIN,
    Counts,
    ExpiredKey,
    KeyChangeDone,
    Meter,
    NotForThisKind,
    Old,
    Used,
    enter,
)
from fairwatt.core.tokens.meter_state import MemoryUnreadable, meter_from_obj, meter_to_obj
from fairwatt.core.tokens.settings import ALL_REGISTERS, ClearCredit, PowerLimit, WaterFactor
from fairwatt.core.tokens.showing import MeterTest

PAN = MeterPan("600727111111111153")
OLD_KEY = DecoderKey(
    key=bytes(range(16)), algorithm=Algorithm.EA11, kt=KeyType.UNIQUE, krn=1, ti=1, sgc="123456"
)
SHORT_KEY = replace(OLD_KEY, key=bytes(range(8)), algorithm=Algorithm.EA07)


def meter(
    *, key: DecoderKey = OLD_KEY, resource: Resource = Resource.ELECTRICITY, in_money: bool = False
) -> Meter:
    return Meter(pan=PAN, counts=Counts(resource=resource, in_money=in_money), held=key)


def code(token: Token, key: DecoderKey = OLD_KEY) -> str:
    cipher = cipher_for(algorithm=key.algorithm, key=key.key, tables=cases.SAMPLE)
    return encode(token=token, cipher=cipher)


def change(
    *, to: DecoderKey = cases.NEW_KEY, under: DecoderKey = OLD_KEY, rollover: bool = False
) -> list[str]:
    return [code(one, under) for one in cut(new=to, rollover=rollover)]


def typed(one: Meter, codes: list[str]) -> Meter:
    for digits in codes:
        one, _ = enter(one, digits, tables=cases.SAMPLE)
    return one


# --- once -------------------------------------------------------------------------------------------------------


def test_credit_is_taken_once_and_said_in_words() -> None:
    after, outcome = enter(meter(), code(cases.credit(tenths=256)))
    assert str(outcome.said) == "25.6 kWh were added."
    with pytest.raises(Used, match="used on this meter before"):
        enter(after, code(cases.credit(tenths=256)))
    with pytest.raises(Used):
        enter(after, code(replace(cases.credit(), rnd=6)))


@given(tids=st.lists(st.integers(0, 120), max_size=160))
def test_no_order_of_codes_makes_one_act_twice(tids: list[int]) -> None:
    one, acted = meter(), []
    for tid in tids:
        try:
            one, _ = enter(one, code(cases.credit(tid=tid)))
            acted.append(tid)
        except (Used, Old) as error:
            assert (tid in acted) if isinstance(error, Used) else len(set(acted)) >= MEMORY_MIN
    assert len(acted) == len(set(acted))


def test_a_code_below_a_full_memory_is_old() -> None:
    one = typed(meter(), [code(cases.credit(tid=tid)) for tid in range(100, 100 + MEMORY_MIN)])
    with pytest.raises(Old, match="cannot tell whether it was used"):
        enter(one, code(cases.credit(tid=99)))
    almost = typed(meter(), [code(cases.credit(tid=tid)) for tid in range(101, 100 + MEMORY_MIN)])
    assert enter(almost, code(cases.credit(tid=99)))[1].token == cases.credit(tid=99)
    with pytest.raises(ValueError, match="at least 50"):
        replace(one, memory=49)


def test_shows_and_tests_work_again_and_again_and_on_every_meter() -> None:
    digits = code(MeterTest(control=1))
    for resource in Resource:
        one = meter(resource=resource)
        assert typed(one, [digits, digits]) == one
    assert enter(meter(), code(MeterTest(control=1, maker=PAN.maker)))
    with pytest.raises(NotForThisKind):
        enter(meter(), code(MeterTest(control=1, maker=PAN.maker + 1)))


# --- for whom ---------------------------------------------------------------------------------------------------


def test_a_code_for_another_meter_changes_nothing() -> None:
    with pytest.raises(WrongKey, match="another meter or another key"):
        enter(meter(), code(cases.credit(), cases.NEW_KEY))


@pytest.mark.parametrize(
    ("token", "fits"),
    [
        (cases.credit(resource=Resource.WATER), (Resource.WATER, False)),
        (
            CurrencyCredit(resource=Resource.ELECTRICITY, tid=9, amount_1e5=100_000),
            (Resource.ELECTRICITY, True),
        ),
        (PowerLimit(tid=9, rnd=0, value=1_000), (Resource.ELECTRICITY, False)),
        (WaterFactor(tid=9, rnd=0, value=10), (Resource.WATER, False)),
        (ClearCredit(tid=9, rnd=0, value=6), (Resource.GAS, True)),
    ],
)
def test_each_code_works_on_its_own_kind_of_meter(token: Token, fits: tuple[Resource, bool]) -> None:
    for resource, in_money in itertools.product(Resource, (False, True)):
        one = meter(resource=resource, in_money=in_money)
        credit_or_register = not isinstance(token, PowerLimit | WaterFactor)
        if resource is fits[0] and (in_money == fits[1] or not credit_or_register):
            assert enter(one, code(token))[1].token == cases.as_carried(token)
        else:
            with pytest.raises(NotForThisKind, match="another kind of meter"):
                enter(one, code(token))
    everything = ClearCredit(tid=9, rnd=0, value=ALL_REGISTERS)
    assert str(enter(meter(), code(everything))[1].said) == "All credit in the meter was set to zero."


def test_a_code_made_after_the_key_ended_is_refused() -> None:
    ending = replace(OLD_KEY, ken=0x64)
    assert enter(meter(key=ending), code(cases.credit(tid=0x64FFFF), ending))
    with pytest.raises(ExpiredKey, match="key change"):
        enter(meter(key=ending), code(cases.credit(tid=0x650000), ending))


# --- another key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_key_change_is_taken_in_any_order_and_only_when_whole(order: tuple[int, ...]) -> None:
    codes = change()
    one = meter()
    for number, place in enumerate(order, start=1):
        assert one.held == OLD_KEY
        one, outcome = enter(one, codes[place])
        if number < 4:
            assert str(outcome.said).startswith(f"Key change: {number} of 4 codes are in")
            assert typed(one, [codes[place]]) == one
    assert outcome.new_key == one.held == cases.NEW_KEY
    assert one.previous == OLD_KEY and one.sections == ()


@pytest.mark.parametrize("sgc", [None, "201457"])
def test_ea07_changes_keys_by_two_codes_or_with_the_group_by_three(sgc: str | None) -> None:
    new = replace(SHORT_KEY, key=bytes(range(8, 16)), krn=2, sgc=sgc)
    codes = change(to=new, under=SHORT_KEY)
    assert len(codes) == (2 if sgc is None else 3)
    for order in itertools.permutations(codes):
        after = typed(meter(key=SHORT_KEY), list(order[:-1]))
        assert after.held == SHORT_KEY
        assert typed(after, [order[-1]]).held == replace(new, sgc=sgc or SHORT_KEY.sgc)


def test_a_code_sold_before_the_key_change_still_works_once_after_it() -> None:
    early = code(cases.credit(tid=5))
    one = typed(meter(), [*change(), early, code(cases.credit(tid=6), cases.NEW_KEY)])
    with pytest.raises(Used):
        enter(one, early)
    with pytest.raises(Used):
        enter(one, code(cases.credit(tid=5), cases.NEW_KEY))


def test_with_a_new_base_date_the_memory_begins_anew_but_no_old_code_works_twice() -> None:
    early, late = code(cases.credit(tid=5)), code(cases.credit(tid=7))
    one = typed(meter(), [early, *change(rollover=True)])
    assert one.taken == ()
    one = typed(one, [code(cases.credit(tid=5), cases.NEW_KEY), late])
    for digits in (early, late, code(cases.credit(tid=5), cases.NEW_KEY)):
        with pytest.raises(Used):
            enter(one, digits)


def test_a_key_change_cannot_be_used_to_forget_what_was_taken() -> None:
    codes = change(rollover=True)
    one = typed(meter(), [*codes, code(cases.credit(tid=5), cases.NEW_KEY)])
    for digits in codes:
        with pytest.raises(KeyChangeDone, match="already"):
            enter(one, digits)
    again = change(to=cases.NEW_KEY, under=cases.NEW_KEY, rollover=True)
    assert typed(one, again).taken == one.taken


def test_another_section_of_the_same_number_begins_another_set() -> None:
    other = replace(cases.NEW_KEY, key=bytes(range(16, 32)), krn=3)
    one = typed(meter(), [*change()[:3], *change(to=other)[:1]])
    assert len(one.sections) == 1
    assert typed(one, change(to=other)).held == other


def test_a_key_mixed_of_two_sets_is_left_by_typing_one_of_them_whole() -> None:
    other = replace(cases.NEW_KEY, key=bytes(range(16, 32)), krn=3)
    early, late = code(cases.credit(tid=5)), code(cases.credit(tid=5), cases.NEW_KEY)
    mixed = typed(meter(), [early, *change(rollover=True)[:3], change(to=other)[3]])
    assert mixed.held not in (OLD_KEY, cases.NEW_KEY, other)
    healed = typed(mixed, change(rollover=True))
    assert (healed.held, healed.previous, healed.sections) == (cases.NEW_KEY, OLD_KEY, ())
    healed = typed(healed, [*change(to=other)[:2], late])
    assert healed.proven and healed.sections == ()
    for digits, why in ((early, Used), (late, Used), (change(to=other)[2], KeyChangeDone)):
        with pytest.raises(why):
            enter(healed, digits)


@given(st.lists(st.sampled_from(range(15)), max_size=40))
def test_no_mixture_of_key_changes_and_credit_makes_a_code_act_twice(order: list[int]) -> None:
    other = replace(cases.NEW_KEY, key=bytes(range(16, 32)), krn=3)
    keys = (OLD_KEY, cases.NEW_KEY, other)
    codes = [
        *(code(cases.credit(tid=5), key) for key in keys),
        *change(rollover=True),
        *change(to=other, rollover=True),
        *change(to=other, under=cases.NEW_KEY, rollover=True),
    ]
    one, acted = meter(), []
    for place in order:
        try:
            one, outcome = enter(one, codes[place])
        except TokenError:
            continue
        if isinstance(outcome.token, TransferCredit):
            acted.append(place)
    assert len(acted) == len(set(acted))


def test_a_key_that_codes_cannot_carry_is_refused() -> None:
    with pytest.raises(KeyChangeImpossible, match="supply group"):
        cut(new=replace(cases.NEW_KEY, sgc=None), rollover=False)


@given(
    key=st.binary(min_size=16, max_size=16),
    ken=st.integers(0, 255),
    krn=st.integers(1, 9),
    ti=st.integers(0, 99),
    kt=st.sampled_from(KeyType),
    sgc=st.integers(0, 999_999),
    ro=st.booleans(),
    long=st.booleans(),
)
def test_a_key_cut_into_sections_is_the_same_key_again(
    key: bytes, ken: int, krn: int, ti: int, kt: KeyType, sgc: int, ro: bool, long: bool
) -> None:
    algorithm = Algorithm.EA11 if long else Algorithm.EA07
    new = DecoderKey(
        key=key[: algorithm.key_bytes], algorithm=algorithm, ken=ken, krn=krn, ti=ti, kt=kt, sgc=f"{sgc:06d}"
    )
    assert joined(cut(new=new, rollover=ro), algorithm=algorithm) == (new, ro)


@given(token=cases.tokens(Algorithm.EA11))
def test_whatever_is_entered_is_said_in_words_or_refused_by_name(token: Token) -> None:
    for resource, in_money in itertools.product(Resource, (False, True)):
        try:
            _, outcome = enter(meter(resource=resource, in_money=in_money), code(token))
        except TokenError as error:
            assert "Nothing was changed" in str(error)
        else:
            assert str(outcome.said).endswith(".") and "%(" not in str(outcome.said)


@given(number=st.integers(0, 2**66 + 2**60), later=st.booleans())
def test_whatever_is_typed_changes_nothing_unless_it_acts(number: int, later: bool) -> None:
    one = typed(meter(), change()) if later else meter()
    try:
        after, outcome = enter(one, f"{number:020d}")
    except TokenError as error:
        assert error.code != TokenError.code
    else:
        assert after == one or outcome.token.token_class != 1


# --- through a power cut ----------------------------------------------------------------------------------------


def test_a_meter_is_the_same_after_a_power_cut() -> None:
    fresh = meter()
    halfway = typed(fresh, [code(cases.credit(tid=5)), *change()[:2]])
    changed = typed(halfway, [*change(rollover=True), code(cases.credit(tid=8))])
    short = typed(meter(key=SHORT_KEY), change(to=replace(SHORT_KEY, krn=2), under=SHORT_KEY)[1:])
    for one in (fresh, halfway, changed, short):
        assert meter_from_obj(cbor2.loads(cbor2.dumps(meter_to_obj(one)))) == one


@given(broken=st.recursive(st.none() | st.integers() | st.text() | st.booleans() | st.binary(), st.lists))
def test_a_memory_that_cannot_be_read_takes_no_code(broken: object) -> None:
    whole = meter_to_obj(typed(meter(), [code(cases.credit(tid=5)), change()[0]]))
    for obj in (broken, *([*whole[:i], broken, *whole[i + 1 :]] for i in range(len(whole)))):
        try:
            read = meter_from_obj(obj)
        except MemoryUnreadable as error:
            assert "takes no code" in str(error)
        else:
            assert meter_to_obj(read) == obj
