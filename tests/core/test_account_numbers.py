"""Case 24: a number typed wrong is nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.account_numbers import NotAnAccount, account_number, in_groups, wallet_of, wallets_in

WALLETS = st.integers(1, 10**12)


@given(WALLETS)
def test_a_number_names_its_wallet_however_it_is_spaced(wallet: int) -> None:
    number = account_number(wallet=wallet)
    assert wallet_of(text=number) == wallet_of(text=f" {in_groups(number=number)} ") == wallet
    assert wallets_in(text=f"for {in_groups(number=number)}, thank you") == {wallet}


@given(WALLETS, st.data())
def test_a_wrong_digit_or_two_exchanged_are_always_seen(wallet: int, data: st.DataObject) -> None:
    number = account_number(wallet=wallet)
    at = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[at]]))
    to = data.draw(st.integers(0, len(number) - 1))
    exchanged = list(number)
    exchanged[at], exchanged[to] = exchanged[to], exchanged[at]
    for wrong in (number[:at] + other + number[at + 1 :], "".join(exchanged)):
        if wrong != number:
            with pytest.raises(NotAnAccount):
                wallet_of(text=wrong)


@pytest.mark.parametrize("text", ["", "1", "0301", "x" * 9, "000000 00", "٠٠٠٠٠١٠٣", "9" * 30])
def test_what_is_no_account_number_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotAnAccount):
        wallet_of(text=text)
