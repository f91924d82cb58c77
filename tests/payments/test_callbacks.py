"""Addresses that providers are given, and whose they are."""

from __future__ import annotations

import pytest

from fairwatt.payments.callbacks import PREFIX, address, provider_at
from fairwatt.simulate.pay.books import DIALECTS
from fairwatt.simulate.pay.paybill import TABOO


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_address_leads_back_to_its_provider_and_no_platform_refuses_it(dialect: str) -> None:
    given = address(origin="https://x.example", provider=dialect, token="t", ref="r")
    assert given.endswith("/t/r")
    place = given.removeprefix(f"https://x.example{PREFIX}").split("/")[0]
    assert provider_at(place=place) == dialect
    assert dialect != "mpesa" or not any(word in given for word in TABOO)
    assert provider_at(place=dialect) == dialect, "who was given the old address is still heard"
