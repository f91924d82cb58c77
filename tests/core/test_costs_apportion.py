"""A common cost is shared to the micro-unit, and anybody can add it up again."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.costs.apportion import (
    LANDLORD_KEY,
    ApportionError,
    Basis,
    Formula,
    Part,
    Participant,
    Payer,
    apportion,
)
from fairwatt.core.costs.formula import formula_from_obj, formula_to_obj, percent_bp
from fairwatt.core.costs.proof import (
    ProofError,
    digest_of,
    proof_csv,
    proof_json,
    proof_of,
    read_proof,
    verify,
)

AMOUNTS = st.integers(-(10**15), 10**15)


@st.composite
def formulas(draw: Any) -> Formula:
    bases = draw(st.lists(st.sampled_from(list(Basis)), min_size=1, max_size=5, unique=True))
    cuts = sorted(
        draw(st.lists(st.integers(1, 9_999), min_size=len(bases) - 1, max_size=len(bases) - 1, unique=True))
    )
    edges = [0, *cuts, 10_000]
    parts = tuple(
        Part(basis, end - start) for basis, start, end in zip(bases, edges, edges[1:], strict=False)
    )
    return Formula("mix", parts, prorata=draw(st.booleans()), vacant_pays=draw(st.booleans()))


@st.composite
def participants(draw: Any) -> list[Participant]:
    count = draw(st.integers(1, 12))
    return [
        Participant(
            key=f"u{n:02d}",
            payer=draw(st.sampled_from(list(Payer))),
            days=draw(st.integers(0, 31)),
            area_dm2=draw(st.integers(0, 50_000)),
            heads=draw(st.integers(0, 6)),
            own_wh=draw(st.integers(0, 10**7)),
        )
        for n in range(count)
    ]


def equal(count: int, total: int) -> list[int]:
    homes = [Participant(f"{n:05d}", Payer.RESIDENT, 30) for n in range(count)]
    formula = Formula("equal", (Part(Basis.EQUAL, 10_000),))
    return [
        share.amount_micro
        for share in apportion(formula=formula, total_micro=total, participants=homes).shares
    ]


@given(formula=formulas(), homes=participants(), total=AMOUNTS)
def test_the_shares_always_make_the_total(formula: Formula, homes: list[Participant], total: int) -> None:
    result = apportion(formula=formula, total_micro=total, participants=homes)
    assert sum(share.amount_micro for share in result.shares) == total
    assert sum(share.weight for share in result.shares) == result.divisor


@given(formula=formulas(), homes=participants(), total=AMOUNTS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_homes_changes_nothing(
    formula: Formula, homes: list[Participant], total: int, order: Any
) -> None:
    shuffled = list(homes)
    order.shuffle(shuffled)
    assert apportion(formula=formula, total_micro=total, participants=shuffled) == apportion(
        formula=formula, total_micro=total, participants=homes
    )


@given(formula=formulas(), homes=participants(), total=AMOUNTS)
def test_more_weight_never_carries_less(formula: Formula, homes: list[Participant], total: int) -> None:
    shares = apportion(formula=formula, total_micro=total, participants=homes).shares
    for one in shares:
        for other in shares:
            if one.weight > other.weight:
                assert abs(one.amount_micro) >= abs(other.amount_micro)


@given(formula=formulas(), homes=participants(), total=AMOUNTS)
def test_no_share_is_further_than_a_micro_unit_from_the_exact_one(
    formula: Formula, homes: list[Participant], total: int
) -> None:
    result = apportion(formula=formula, total_micro=total, participants=homes)
    for share in result.shares:
        exact = Fraction(total * share.weight, result.divisor)
        assert abs(share.amount_micro - exact) < 1
        assert share.residue_micro in (-1, 0, 1)
        assert share.weight or not share.amount_micro


@given(formula=formulas(), homes=participants(), total=AMOUNTS)
def test_weights_are_the_published_fractions(formula: Formula, homes: list[Participant], total: int) -> None:
    """A second arithmetic, in fractions, part by part as the formula reads."""
    result = apportion(formula=formula, total_micro=total, participants=homes)
    expected = {one.key: Fraction(0) for one in homes} | {LANDLORD_KEY: Fraction(0)}
    for part in formula.parts:
        counts = {one.key: _count(formula, part.basis, one) for one in homes}
        weight = sum(counts.values())
        if not weight:
            expected[LANDLORD_KEY] += Fraction(part.percent_bp, 10_000)
            continue
        for key, count in counts.items():
            expected[key] += Fraction(part.percent_bp * count, 10_000 * weight)
    found = {share.key: Fraction(share.weight, result.divisor) for share in result.shares}
    assert {LANDLORD_KEY: Fraction(0), **found} == expected


def _count(formula: Formula, basis: Basis, one: Participant) -> int:
    if one.payer is Payer.LANDLORD and not formula.vacant_pays:
        return 0
    days = one.days if formula.prorata else min(one.days, 1)
    table = {"area": one.area_dm2 * days, "heads": one.heads * days, "days": one.days}
    return {**table, "own_use": one.own_wh, "equal": days}[str(basis)]


def test_one_home_carries_everything() -> None:
    assert equal(1, 12_345_678) == [12_345_678]
    assert equal(1, -1) == [-1]


def test_what_is_left_over_goes_to_the_first_keys_one_micro_unit_each() -> None:
    assert equal(3, 100) == [34, 33, 33]
    assert equal(3, -100) == [-34, -33, -33]
    assert equal(7, 3) == [1, 1, 1, 0, 0, 0, 0]


def test_ten_thousand_homes_share_exactly() -> None:
    shares = equal(10_000, 98_765_432_109)
    assert sum(shares) == 98_765_432_109
    assert max(shares) - min(shares) == 1


def test_a_part_nobody_has_any_weight_in_is_the_landlords() -> None:
    homes = [Participant("a", Payer.RESIDENT, 30), Participant("b", Payer.RESIDENT, 30)]
    formula = Formula("half by area", (Part(Basis.AREA, 5_000), Part(Basis.EQUAL, 5_000)))
    shares = apportion(formula=formula, total_micro=101, participants=homes).shares
    assert {share.key: share.amount_micro for share in shares} == {"a": 25, "b": 25, LANDLORD_KEY: 51}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ((Part(Basis.AREA, 9_999),), "99.99 %, not 100"),
        ((Part(Basis.AREA, 5_000), Part(Basis.AREA, 5_000)), "names each basis once"),
        ((), "0 %, not 100"),
    ],
)
def test_a_formula_that_does_not_make_the_whole_is_refused(parts: tuple[Part, ...], says: str) -> None:
    with pytest.raises(ApportionError, match=says):
        Formula("bad", parts)


def test_two_homes_with_one_key_and_none_at_all_are_refused() -> None:
    formula = Formula("equal", (Part(Basis.EQUAL, 10_000),))
    twice = [Participant("a", Payer.RESIDENT, 1)] * 2
    for homes in (twice, []):
        with pytest.raises(ApportionError):
            apportion(formula=formula, total_micro=1, participants=homes)


@given(formula=formulas())
def test_a_formula_is_read_back_as_it_was_written(formula: Formula) -> None:
    assert formula_from_obj(json.loads(json.dumps(formula_to_obj(formula)))) == formula


@pytest.mark.parametrize("text", ["", "abc", "33.333", "NaN", "Infinity", "1e999999"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ApportionError):
        percent_bp(text)


def a_proof(total: int = 1_234_567) -> dict[str, Any]:
    homes = [
        Participant("7f3a", Payer.RESIDENT, 30, 8_950, 3, 120_500),
        Participant("0b21", Payer.RESIDENT, 12, 6_400, 2, 40_000),
        Participant("0b21v", Payer.LANDLORD, 18, 6_400, 0, 0),
    ]
    formula = Formula("Stairs, lift", (Part(Basis.AREA, 7_000), Part(Basis.HEADS, 3_000)))
    return proof_of(
        title="公共用电, November",
        currency="CNY",
        zone="Asia/Shanghai",
        first_day="2026-11-01",
        end_day="2026-12-01",
        days=30,
        source={"kind": "typed", "evidence": 'invoice 77, "paid"'},
        formula=formula,
        participants=homes,
        result=apportion(formula=formula, total_micro=total, participants=homes),
    )


@pytest.mark.parametrize("total", [1_234_567, -1_234_567, 0])
def test_a_proof_survives_both_files(total: int) -> None:
    body = a_proof(total)
    for text in (proof_json(body), proof_csv(body)):
        assert read_proof(text) == body
        verdict = verify(read_proof(text))
        assert (verdict.faults, verdict.total_micro, verdict.sum_micro) == ((), total, total)


@pytest.mark.parametrize(
    "title", ['=HYPERLINK("http://x","y")', "'=1+1", "''@x", "'tis", "-5", "+1", "@x", "＝1", "\tx", "plain"]
)
def test_a_proof_runs_nothing_in_a_spreadsheet_and_is_still_itself(title: str) -> None:
    body = {**a_proof(-1_234_567), "title": title}
    body["digest"] = digest_of(body)
    text = proof_csv(body)

    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            assert cell[:1] not in set("=+@\t\r＝") and (cell[:1] != "-" or float(cell) < 0)
    assert read_proof(text) == body
    assert not verify(read_proof(text)).faults


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b["shares"][0].update(amount_micro=b["shares"][0]["amount_micro"] + 1),
        lambda b: b["shares"][0].update(heads=9),
        lambda b: b["shares"][1].update(days=30),
        lambda b: b["shares"].pop(),
        lambda b: b.update(total_micro=b["total_micro"] + 1),
        lambda b: b["formula"]["parts"].reverse(),
        lambda b: b.update(title="another"),
        lambda b: b["source"].update(evidence="another"),
    ],
)
def test_any_changed_figure_of_a_proof_is_found(change: Any) -> None:
    body = a_proof()
    change(body)
    assert verify(read_proof(proof_json(body))).faults


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "{", "a,b\n1,2", '{"fairwatt_allocation": 1}', "fairwatt_allocation,1\n\nx"]
)
def test_what_is_no_proof_is_told_in_words(text: str) -> None:
    with pytest.raises(ProofError):
        verify(read_proof(text))
