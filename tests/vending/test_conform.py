"""Published vectors, both ways; and vectors that were tampered with."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.token_cases import SAMPLE
from fairwatt.core.tokens.cipher import Algorithm, cipher_for
from fairwatt.core.tokens.code import block_of, encode
from fairwatt.core.tokens.credit import CurrencyCredit, Resource, TransferCredit
from fairwatt.core.tokens.identity import KeyName, KeyType, MeterPan
from fairwatt.core.tokens.key_change import DecoderKey, cut
from fairwatt.core.tokens.kinds import Token
from fairwatt.core.tokens.settings import Extended, TariffRate, WaterFactor
from fairwatt.core.tokens.showing import ExtendedRead
from fairwatt.core.tokens.tid import BaseDate
from fairwatt.vending.conform import Report, conform
from fairwatt.vending.derive import decoder_key
from fairwatt.vending.fields import fields_of
from fairwatt.vending.worked import work_out

FILE = json.loads((Path(__file__).parents[1] / "data" / "sts_vectors.json").read_text())
VECTORS: list[dict[str, Any]] = FILE["vectors"]
PAN = MeterPan("600727111111111153")


def judged(*entries: Any, tables: bool = True) -> Report:
    return conform(entries=entries, tables=SAMPLE if tables else None)


def test_every_vector_passes_both_ways() -> None:
    report = conform(entries=VECTORS, tables=None)
    assert (report.vectors, report.encoded_ok, report.decoded_ok) == (131, 131, 131)
    assert report.failed == () and report.not_compared == ()


def test_every_worked_figure_comes_out() -> None:
    assert work_out(groups=FILE["primitives"], tables=SAMPLE) == (24, [], [])
    count, failed, unchecked = work_out(groups=FILE["primitives"], tables=None)
    assert (count, failed) == (23, []) and "needs the standard's sample tables" in unchecked[0]


def one_of_each() -> list[dict[str, Any]]:
    """The first vector of each class and sub-class."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for entry in VECTORS:
        found.setdefault((entry["cls"], entry["subclass"]), entry)
    return list(found.values())


def changed(said: Any) -> Any:
    """Something else of the same type."""
    match said:
        case str() if said.isdigit():
            return str(int(said) ^ 1).rjust(len(said), "0")
        case str():
            return ("e" if said[0] != "e" else "d") + said[1:]
        case _:
            return said + 1


@pytest.mark.parametrize("entry", one_of_each(), ids=lambda one: f"{one['cls']}.{one['subclass']}")
def test_a_changed_figure_of_a_vector_is_found(entry: dict[str, Any]) -> None:
    """The name is only a name; everything else that is changed makes the entry fail."""
    for field in entry.keys() - {"name"}:
        if entry[field] is not None:
            broken = {**entry, field: changed(entry[field])}
            report = judged(broken)
            assert report.failed, (field, broken)
            assert all(one.why for one in report.failed)


def test_an_entry_cannot_talk_itself_out_of_a_check() -> None:
    credit = next(one for one in VECTORS if one["cls"] == 0)
    unlocked = {**credit, "cls": 1, "subclass": 0, "control": "000000001", "mfr": "00"}
    unkeyed = {name: said for name, said in credit.items() if name not in ("decoder_key", "vending_key")}
    bare = {"cls": 0, "subclass": 0, "token": credit["token"]}
    alien = {**credit, "watts": 5}
    for entry in (unlocked, unkeyed, bare, alien):
        assert judged(entry).decoded_ok == 0
    unknown = {**credit, "subclass": 9}
    assert "no kind of code is known" in judged(unknown).failed[0].why
    for strange in ("a token", None, {}, [], 5, {"cls": "x"}, {"cls": 0, "subclass": 0}):
        report = judged(strange)
        assert (report.vectors, report.encoded_ok, report.decoded_ok, len(report.failed)) == (1, 0, 0, 2)
    assert judged({**credit, "suite": "A"}).not_compared == ("suite",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(entry=st.sampled_from(one_of_each()), strange=JSON, data=st.data())
def test_no_entry_ends_in_anything_but_a_report(
    entry: dict[str, Any], strange: Any, data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(entry)))
    for one in (strange, {**entry, field: strange}):
        report = judged(one)
        assert report.vectors == 1 and report.encoded_ok + report.decoded_ok + len(report.failed) == 2
    groups: dict[str, Any] = FILE["primitives"]
    name = data.draw(st.sampled_from(sorted(groups)))
    work_out(groups={name: strange}, tables=SAMPLE)
    first = groups[name][0] if isinstance(groups[name], list) else groups[name]
    work_out(groups={name: [dict.fromkeys(first, strange)]}, tables=SAMPLE)


def test_the_worked_example_of_the_written_protocol_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "protocol" / "sts.md").read_text()
    water = next(one for one in VECTORS if one["subclass"] == 1 and one["cls"] == 0)
    cipher = cipher_for(algorithm=Algorithm.EA11, key=bytes.fromhex(water["decoder_key"]))
    encrypted = cipher.encrypt(int(water["block"], 16))
    two, number = encrypted >> 27 & 3, int(water["token"])
    for figure in (
        water["decoder_key"],
        water["block"],
        f"{encrypted:016x}",
        f"`{two:02b}`",
        f"`{number:017x}`",
    ):
        assert figure in page
    assert " ".join(water["token"][i : i + 4] for i in range(0, 20, 4)) in page


# --- files of the same shape --------------------------------------------------------------------------------------


def entry_of(token: Token, *, dkga: str, algorithm: Algorithm, base: BaseDate | None) -> dict[str, Any]:
    """A vector as another maker would state it."""
    vending_key = bytes(range(8 if dkga == "02" else 20))
    name = KeyName(pan=PAN, sgc="201457", ti=1, krn=1, kt=KeyType.UNIQUE, algorithm=algorithm)
    key = decoder_key(dkga=dkga, vending_key=vending_key, name=name, base=base)
    cipher = cipher_for(algorithm=algorithm, key=key, tables=SAMPLE)
    fields = {said: value for said, value in fields_of(token).items() if said in KNOWN}
    return {
        "dkga": dkga,
        "vending_key": vending_key.hex(),
        "pan": PAN.digits,
        "kt": 2,
        "sgc": "201457",
        "ti": "01",
        "krn": 1,
        "ea": algorithm.value,
        "base_date": base and base.day.year,
        "decoder_key": key.hex(),
        "cls": token.token_class,
        "subclass": token.pack() >> 44,
        "block": f"{block_of(token):016x}",
        "token": encode(token=token, cipher=cipher),
        **fields,
    }


KNOWN = {field for entry in VECTORS for field in entry}


@pytest.mark.parametrize(
    ("dkga", "algorithm", "base"),
    [
        ("02", Algorithm.EA07, None),
        ("04", Algorithm.EA07, BaseDate.D1993),
        ("04", Algorithm.EA11, BaseDate.D2035),
    ],
)
def test_another_file_of_the_same_shape_passes(
    dkga: str, algorithm: Algorithm, base: BaseDate | None
) -> None:
    new = DecoderKey(
        key=bytes(algorithm.key_bytes), algorithm=algorithm, kt=KeyType.UNIQUE, krn=2, ti=7, sgc="201457"
    )
    tokens: list[Token] = [
        *cut(new=new, rollover=True),
        *(TransferCredit(resource=one, tid=9, tenths=20_004, rnd=3) for one in Resource),
        *(CurrencyCredit(resource=one, tid=9, amount_1e5=-99_994) for one in Resource),
        TariffRate(tid=8, rnd=1, value=77),
        WaterFactor(tid=8, rnd=1, value=78),
        Extended(tid=8, rnd=1, value=0xFC01),
    ]
    entries = [entry_of(one, dkga=dkga, algorithm=algorithm, base=base) for one in tokens]
    report = judged(*entries)
    assert report.failed == () and report.encoded_ok == report.decoded_ok == len(tokens)
    if algorithm is Algorithm.EA07:
        refused = judged(*entries, tables=False)
        assert refused.decoded_ok == 0 and "licensed" in refused.failed[0].why


def test_control_of_an_extended_read_may_leave_out_its_zeros() -> None:
    token = ExtendedRead(control=0xFC0000000)
    entry = {"cls": 1, "subclass": 2, "control": "fc0000000", "token": encode(token=token, cipher=None)}
    entry["block"] = "2fc0000000000c4e"
    assert judged(entry).failed == ()
    assert judged({**entry, "control": "fc000000000"}).failed == ()


def test_a_changed_worked_figure_is_found() -> None:
    broken = copy.deepcopy(FILE["primitives"])
    broken["crc16"][0]["out"] = "0000"
    broken["dkga02"][0]["dk"] = "00" * 8
    broken["amount"][1] = {"tenths": 1}
    broken["new_group"] = [{}]
    count, failed, _ = work_out(groups=broken, tables=SAMPLE)
    assert count == 25 and {one.name for one in failed} == {"crc16", "dkga02", "amount", "new_group"}
