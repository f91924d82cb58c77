"""What is taken at the till: fixed charges, splits, fees, arrears, blocks by month of purchase; and the way back."""

import json
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.builders import instant
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.vending import Quote, TillState, payment_for, quote, tax_parts

ZONE = "Africa/Johannesburg"


def till(*vending: dict[str, Any], blocks: list[str] | None = None) -> Schedule:
    bounds = {"blocks": blocks or ["350"], "prices": ["2.10", "2.41"]}
    elements: list[dict[str, Any]] = [{"energy": {"counter": "purchase_month", **bounds}}]
    elements += [{"vending": body} for body in vending]
    on = ["energy", *(body["name"] for body in vending if "arrears_percent" not in body)]
    elements.append({"tax": {"name": "VAT", "percent": "15", "on": on}})
    sheet = {
        "fairwatt_tariff": 1,
        "name": "till",
        "currency": "ZAR",
        "zone": ZONE,
        "versions": [{"effective": "2024-07-01", "elements": elements}],
    }
    return parse_schedule(json.dumps(sheet))


def buy(schedule: Schedule, *payments: tuple[str, int], state: TillState | None = None) -> list[Quote]:
    state, made = state or TillState(), []
    for day, rand in payments:
        made.append(quote(schedule=schedule, at_us=instant(day, ZONE), paid_micro=rand * 10**6, state=state))
        state = made[-1].after
    return made


FIXED = {"name": "fixed", "per_month": "200", "split": {"below": "400", "percent": "60"}}


def test_the_first_purchase_of_a_month_pays_the_fixed_charge_with_its_tax() -> None:
    first, second, august = buy(
        till(FIXED), ("2024-07-02", 1_000), ("2024-07-09", 100), ("2024-08-01", 1_000)
    )
    assert first.parts == {"fixed": 230 * 10**6}
    assert first.energy_micro == 770 * 10**6
    assert second.parts == {"fixed": 0}
    assert august.parts == {"fixed": 230 * 10**6}
    net = tax_parts(version=till(FIXED).versions[0], name="fixed", gross_micro=first.parts["fixed"])
    assert net == {"fixed": 200 * 10**6, "VAT": 30 * 10**6}


def test_small_purchases_share_until_the_threshold_and_then_the_rest_is_taken() -> None:
    made = buy(till(FIXED), ("2024-07-02", 100), ("2024-07-03", 100), ("2024-07-04", 300))
    assert [q.parts["fixed"] for q in made] == [60 * 10**6, 60 * 10**6, 110 * 10**6]
    assert sum(q.parts["fixed"] for q in made) == 230 * 10**6


def test_what_a_month_left_uncollected_does_not_go_into_the_next() -> None:
    july, august = buy(till(FIXED), ("2024-07-02", 100), ("2024-08-02", 1_000))
    assert (july.parts["fixed"], august.parts["fixed"]) == (60 * 10**6, 230 * 10**6)


def test_blocks_count_what_was_bought_in_the_calendar_month() -> None:
    july, again, august = buy(till(), ("2024-07-02", 800), ("2024-07-20", 200), ("2024-08-01", 800))
    assert july.energy_wh == august.energy_wh == 331_262
    dear = 350_000 - july.after.bought_wh
    left = Fraction(200) - Fraction(dear, 1000) * Fraction("2.10") * Fraction("1.15")
    assert again.energy_wh == (dear + left * 1000 / (Fraction("2.41") * Fraction("1.15"))).__floor__()


def test_arrears_take_their_share_until_they_are_paid() -> None:
    schedule = till({"name": "arrears", "arrears_percent": "30"})
    made = buy(schedule, ("2024-07-02", 100), ("2024-07-03", 100), state=TillState(arrears_micro=40 * 10**6))
    assert [q.parts["arrears"] for q in made] == [30 * 10**6, 10 * 10**6]
    assert made[-1].after.arrears_micro == 0


@given(
    paid=st.integers(1, 3_000 * 10**6),
    bought=st.integers(0, 400_000),
    arrears=st.sampled_from([0, 25 * 10**6]),
    fee=st.sampled_from([{"percent": "2"}, {"per_purchase": "1.50"}]),
)
@settings(max_examples=40)
def test_a_quote_adds_up_and_is_the_way_back_of_its_payment(
    paid: int, bought: int, arrears: int, fee: dict[str, str]
) -> None:
    schedule = till(FIXED, {"name": "fee", **fee}, {"name": "arrears", "arrears_percent": "30"})
    at_us = instant("2024-07-05", ZONE)
    state = TillState(bought_wh=bought, arrears_micro=arrears)
    made = quote(schedule=schedule, at_us=at_us, paid_micro=paid, state=state)
    assert sum(made.parts.values(), Fraction(0)) + made.energy_micro == paid
    assert min([made.energy_micro, *made.parts.values()]) >= 0
    again = payment_for(schedule=schedule, at_us=at_us, energy_wh=made.energy_wh, state=state)
    bought_again = quote(schedule=schedule, at_us=at_us, paid_micro=again, state=state)
    assert bought_again.exact_wh >= made.energy_wh
