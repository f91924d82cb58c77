"""From micro-units to documents: rates told or refused, coins that follow the ledger, numbers that can be numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.invoices.documents import (
    Charge,
    Document,
    NotYet,
    Original,
    Part,
    Rate,
    Sums,
    documents_of,
)
from fairwatt.core.invoices.tax_numbers import BadTaxNumber, tax_number
from fairwatt.core.invoices.vat import Vat, VatUnclear, vat_of, vat_within
from fairwatt.core.rating.tariff_file import parse_schedule

COIN = 10_000
micro = st.integers(min_value=0, max_value=50_000_000)


def charge(*amounts: tuple[Rate, int, int]) -> Charge:
    """Parts of (rate, net, tax)."""
    return Charge(
        parts=tuple(Part(what="use", rate_bp=rate, net_micro=net) for rate, net, _ in amounts),
        tax_micro={rate: sum(t for r, _, t in amounts if r == rate) for rate, _, _ in amounts},
    )


@given(st.lists(st.tuples(micro, micro, micro), min_size=1, max_size=12))
def test_documents_never_drift_from_the_ledger_however_a_year_is_cut(
    months: list[tuple[int, int, int]],
) -> None:
    so_far: dict[Rate, Sums] = {}
    for net, tax, untaxed in months:
        asked = charge((1_300, net, tax), (None, untaxed, 0))
        try:
            (made,) = documents_of(charge=asked, so_far=so_far, originals=(), minor_micro=COIN)
        except NotYet:
            continue
        so_far = {rate: so_far.get(rate, Sums()).plus(one) for rate, one in made.sums.items()}
        for one in so_far.values():
            assert abs(2 * (one.net_minor * COIN - one.net_micro)) <= COIN
            assert abs(2 * (one.tax_minor * COIN - one.tax_micro)) <= COIN


@given(st.lists(st.integers(-9_000_000, 9_000_000), min_size=1, max_size=8), st.integers(0, 9_999))
def test_the_parts_of_a_document_come_to_its_coins(nets: list[int], carried: int) -> None:
    asked = charge(*((500, net, 0) for net in [*nets, 100_000_000]))
    before = {500: Sums(net_micro=carried)}
    (made,) = documents_of(charge=asked, so_far=before, originals=(), minor_micro=COIN)
    assert sum(part.net_minor for part in made.parts) == made.total.net_minor
    assert all(abs(part.net_minor * COIN - part.net_micro) < 2 * COIN for part in made.parts)


@given(micro, micro, st.lists(st.tuples(micro, micro), max_size=4))
def test_a_credit_note_never_takes_more_than_its_original_has_left(
    net: int, tax: int, left: list[tuple[int, int]]
) -> None:
    known = [
        Original(invoice=n, left={1_300: Sums(a, b, a // COIN, b // COIN)}) for n, (a, b) in enumerate(left)
    ]
    asked = charge((1_300, -net, -tax))
    try:
        made = documents_of(charge=asked, so_far={}, originals=known, minor_micro=COIN)
    except NotYet:
        assert net + tax == 0 or net > sum(a for a, _ in left) or tax > sum(b for _, b in left)
        return
    notes: list[Document] = list(made)
    assert sum(note.total.gross_micro for note in notes) == net + tax
    for note in notes:
        original = known[note.of or 0].left[1_300]
        taken = note.sums[1_300]
        assert taken.net_micro <= original.net_micro and taken.tax_micro <= original.tax_micro
        assert taken.net_minor <= original.net_minor and taken.tax_minor <= original.tax_minor


def version(*elements: str) -> Vat:
    text = "\n".join(
        [
            "fairwatt_tariff: 1",
            "name: T",
            "currency: EUR",
            "zone: Europe/Berlin",
            "versions:",
            "  - effective: 2026-01-01",
            "    elements:",
            '      - energy: {price: "0.20"}',
            '      - standing: {per_day: "0.25"}',
            *(f"      - {one}" for one in elements),
        ]
    )
    return vat_of(parse_schedule(text).versions[0])


def test_the_rate_is_read_off_the_tariff_or_refused_by_name() -> None:
    assert version() == Vat(None, None)
    assert version('tax: {name: VAT, percent: "19", on: [all]}') == Vat(1_900, 1_900)
    assert version('tax: {name: VAT, percent: "7.5", on: [energy]}') == Vat(750, None)
    assert version('tax: {name: VAT, percent: "19", on: [all], included: true}').included
    assert version('levy: {name: Fund, percent: "4", on: [energy]}').levy
    with pytest.raises(VatUnclear, match="several percentages"):
        version(
            'levy: {name: Fund, percent: "4", on: [energy]}', 'tax: {name: VAT, percent: "19", on: [all]}'
        )
    assert vat_within(gross_micro=113_000_000, rate_bp=1_300) == 13_000_000
    assert vat_within(gross_micro=-119, rate_bp=1_900) == -19


def test_tax_numbers_that_cannot_be_are_refused() -> None:
    from stdnum.cn import uscc
    from stdnum.eu import vat

    code = "91110000600037341L"
    assert (
        uscc.is_valid(code)
        and tax_number(text=f" {code[:9]} {code[9:].lower()}", country="CN").number == code
    )
    for place in range(18):
        for other in "0123456789ABCDEFGHJKLMNPQRTUWXY":
            wrong = code[:place] + other + code[place + 1 :]
            if wrong == code:
                continue
            with pytest.raises(BadTaxNumber):
                tax_number(text=wrong, country="CN")
    for country, number in {
        "DE": "136695976",
        "FR": "40303265045",
        "NL": "004495445B01",
        "GR": "094259216",
    }.items():
        made = tax_number(text=number, country=country)
        assert made.kind == "eu_vat" and vat.is_valid(made.number)
        with pytest.raises(BadTaxNumber):
            tax_number(text=number[:-1], country=country)
    assert tax_number(text="", country="CN").kind == "none"
    assert tax_number(text="P051234567X", country="KE").kind == "other"
