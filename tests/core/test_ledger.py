"""Money is conserved: no entry exists that does not sum to zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.ledger.model import JournalEntry, Kind, Leg, UnbalancedEntry, combine, totals
from fairwatt.core.ledger.recipes import (
    adjustment_legs,
    charge_legs,
    chargeback_legs,
    opening_legs,
    owed_legs,
    refund_found_legs,
    refund_held_legs,
    refund_paid_legs,
    rounded_legs,
    topup_legs,
    unmatched_topup_legs,
)

AMOUNTS = st.integers(-(10**15), 10**15)
PAID = st.integers(1, 10**15)


def moves(legs: tuple[Leg, ...]) -> dict[str, int]:
    return {leg.account: leg.amount_micro for leg in legs}


def test_a_charge_takes_from_the_wallet_what_revenue_and_tax_gain() -> None:
    legs = charge_legs(currency="CNY", energy_micro=500, standing_micro=300, tax_micro=104)
    assert moves(legs) == {
        "wallet": -904,
        "revenue:energy": 500,
        "revenue:standing": 300,
        "tax:output": 104,
    }


def test_a_top_up_credits_the_wallet_against_its_provider() -> None:
    legs = topup_legs(currency="CNY", provider="sandbox", amount_micro=50_000_000)
    assert moves(legs) == {"wallet": 50_000_000, "clearing:sandbox": -50_000_000}


def test_money_nobody_can_place_waits_in_suspense() -> None:
    legs = unmatched_topup_legs(currency="CNY", provider="sandbox", amount_micro=7)
    assert moves(legs) == {"suspense": 7, "clearing:sandbox": -7}


def test_what_is_given_back_takes_its_tax_along() -> None:
    legs = adjustment_legs(currency="CNY", amount_micro=113, tax_micro=13)
    assert moves(legs) == {"wallet": 113, "revenue:adjustment": -100, "tax:output": -13}
    with pytest.raises(ValueError, match="no part"):
        adjustment_legs(currency="CNY", amount_micro=5, tax_micro=6)


def test_a_charge_of_nothing_moves_nothing() -> None:
    assert charge_legs(currency="CNY", energy_micro=0, standing_micro=0, tax_micro=0) == ()


def test_a_fee_is_taken_or_still_to_come() -> None:
    fee = {"currency": "CNY", "earned": "revenue:fee:rent", "receivable": "receivable:fees"}
    charged = owed_legs(kind=Kind.FEE, net_micro=100, tax_micro=6, taken_micro=40, **fee)
    assert moves(charged) == {
        "wallet": -40,
        "receivable:fees": -66,
        "revenue:fee:rent": 100,
        "tax:output": 6,
    }
    recovered = owed_legs(kind=Kind.FEE, net_micro=0, tax_micro=0, taken_micro=26, **fee)
    assert moves(recovered) == {"wallet": -26, "receivable:fees": 26}
    taken_back = owed_legs(kind=Kind.REVERSAL, net_micro=-100, tax_micro=-6, taken_micro=-66, **fee)
    assert combine([*charged, *recovered, *taken_back]) == ()


@given(AMOUNTS, AMOUNTS, AMOUNTS, PAID)
def test_every_recipe_sums_to_zero_alone_and_in_a_batch(a: int, b: int, c: int, paid: int) -> None:
    recipes = [
        charge_legs(currency="CNY", energy_micro=a, standing_micro=b, tax_micro=c),
        owed_legs(
            currency="CNY", kind=Kind.FEE, earned="e", receivable="r", net_micro=a, tax_micro=b, taken_micro=c
        ),
        topup_legs(currency="GBP", provider="p", amount_micro=paid),
        unmatched_topup_legs(currency="GBP", provider="p", amount_micro=paid),
        adjustment_legs(currency="GBP", amount_micro=paid, tax_micro=paid // 6),
        opening_legs(currency="CNY", amount_micro=a),
        refund_held_legs(currency="CNY", amount_micro=a),
        refund_paid_legs(currency="CNY", provider="p", amount_micro=paid),
        refund_found_legs(currency="CNY", provider="p", amount_micro=paid, account="suspense"),
        rounded_legs(currency="CNY", amount_micro=paid),
        chargeback_legs(currency="CNY", provider="p", amount_micro=a),
    ]
    for legs in recipes:
        assert not any(totals(legs).values())
    batch = combine(leg for legs in recipes for leg in legs)
    assert not any(totals(batch).values())
    assert list(batch) == sorted(batch)


@given(st.lists(st.tuples(st.sampled_from(["CNY", "GBP"]), AMOUNTS), min_size=1))
def test_an_entry_that_makes_money_cannot_be_built(parts: list[tuple[str, int]]) -> None:
    legs = tuple(Leg(f"a{n}", currency, amount) for n, (currency, amount) in enumerate(parts))
    if any(totals(legs).values()):
        with pytest.raises(UnbalancedEntry, match="off by"):
            JournalEntry(kind=Kind.READING, legs=legs)
    else:
        assert JournalEntry(kind=Kind.READING, legs=legs).legs == legs


def test_currencies_never_pay_for_each_other() -> None:
    with pytest.raises(UnbalancedEntry):
        JournalEntry(kind=Kind.TOPUP, legs=(Leg("wallet", "CNY", 5), Leg("clearing:p", "GBP", -5)))


@pytest.mark.parametrize("amount", [0, -1])
def test_a_payment_of_nothing_or_less_has_no_recipe(amount: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        topup_legs(currency="CNY", provider="sandbox", amount_micro=amount)


def test_a_provider_cannot_name_another_account() -> None:
    with pytest.raises(ValueError, match="lower-case"):
        topup_legs(currency="CNY", provider="x:y", amount_micro=1)
    with pytest.raises(ValueError, match="account"):
        Leg("", "CNY", 1)


def test_stored_kinds_keep_their_numbers() -> None:
    assert {kind.name: int(kind) for kind in Kind} == {
        "READING": 1,
        "TOPUP": 2,
        "CORRECTION": 3,
        "FEE": 4,
        "SHARED": 5,
        "ADJUSTMENT": 6,
        "LATE": 7,
        "TRUE_UP": 8,
        "REVERSAL": 9,
        "MOVED": 12,
        "EMERGENCY": 13,
        "DEBT": 14,
        "VOID": 17,
        "REFUND": 15,
        "CHARGEBACK": 16,
        "DEPOSIT": 20,
    }
