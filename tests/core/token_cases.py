"""Codes of every kind, and the sample tables that the standard prints for EA07."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from fairwatt.core.tokens.amounts import AMOUNT_MAX, CURRENCY_MAX
from fairwatt.core.tokens.cipher import Algorithm
from fairwatt.core.tokens.credit import CurrencyCredit, Resource, TransferCredit
from fairwatt.core.tokens.ea07 import Tables
from fairwatt.core.tokens.identity import KeyType
from fairwatt.core.tokens.key_change import (
    DecoderKey,
    GroupSection,
    KeySection1,
    KeySection2,
    KeySection3,
    KeySection4,
)
from fairwatt.core.tokens.kinds import Token
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
from fairwatt.core.tokens.tid import TID_MAX

_FOUND = json.loads((Path(__file__).parents[1] / "data" / "sts_sample_tables.json").read_text())
SAMPLE: Final = Tables(s1=tuple(_FOUND["s1"]), s2=tuple(_FOUND["s2"]), p=tuple(_FOUND["p"]))
NEW_KEY: Final = DecoderKey(
    key=bytes.fromhex("929bd3a415c9420a05ec5ee9f3ce91c3"),
    algorithm=Algorithm.EA11,
    kt=KeyType.UNIQUE,
    krn=2,
    ti=1,
    sgc="201457",
)


def credit(
    *, tid: int = 1_000, tenths: int = 10, resource: Resource = Resource.ELECTRICITY
) -> TransferCredit:
    return TransferCredit(resource=resource, tid=tid, tenths=tenths, rnd=5)


def showing(control: int) -> MeterTest:
    return MeterTest(control=control)


def as_carried(token: Token) -> Token:
    """The token as the meter reads it: amounts rounded to what the bits can say."""
    match token:
        case TransferCredit():
            return replace(token, tenths=token.carried)
        case CurrencyCredit():
            return replace(token, amount_1e5=token.carried)
        case PowerLimit() | UnbalanceLimit():
            return replace(token, value=token.carried)
        case _:
            return token


def tokens(algorithm: Algorithm) -> st.SearchStrategy[Token]:
    """Every kind of code that an algorithm has."""
    tid, rnd, word = st.integers(0, TID_MAX), st.integers(0, 15), st.integers(0, 2**32 - 1)
    nibble, resource = st.integers(0, 15), st.sampled_from(Resource)
    amounts, fields = st.integers(0, AMOUNT_MAX), st.integers(0, 0xFFFF)
    money = st.integers(-CURRENCY_MAX, CURRENCY_MAX) | st.integers(-(10**6), 10**6)
    twelve = st.integers(0, 0xFFF)
    kinds: list[st.SearchStrategy[Token]] = [
        st.builds(TransferCredit, resource=resource, tid=tid, rnd=rnd, tenths=amounts),
        st.builds(CurrencyCredit, resource=resource, tid=tid, amount_1e5=money),
        st.builds(MeterTest, control=st.integers(0, 2**36 - 1), maker=st.integers(0, 0xFF)),
        st.builds(WideMakerTest, control=st.integers(0, 2**28 - 1), maker=fields),
        st.builds(ExtendedRead, control=st.integers(0, 2**36 - 1), rest=st.integers(0, 0xFF)),
        *(st.builds(kind, tid=tid, rnd=rnd, value=amounts) for kind in (PowerLimit, UnbalanceLimit)),
        *(
            st.builds(kind, tid=tid, rnd=rnd, value=fields)
            for kind in (ClearCredit, TariffRate, ClearTamper, WaterFactor, Extended)
        ),
        st.builds(
            KeySection1,
            ken_high=nibble,
            krn=st.integers(1, 9),
            ro=st.booleans(),
            three=st.booleans(),
            kt=st.sampled_from(KeyType),
            word=word,
        ),
        st.builds(KeySection2, ken_low=nibble, ti=st.integers(0, 99), word=word),
    ]
    if algorithm is Algorithm.EA11:
        kinds += [
            st.builds(KeySection3, sgc_low=twelve, word=word),
            st.builds(KeySection4, sgc_high=twelve, word=word),
        ]
    else:
        kinds.append(st.builds(GroupSection, sgc=st.integers(0, 999_999), rest=st.integers(0, (1 << 20) - 1)))
    return st.one_of(kinds)
