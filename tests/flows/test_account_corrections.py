"""A tariff whose homes have parameters of their own is corrected in the past: each home by what holds for it."""

from __future__ import annotations

import pytest

from flows.test_bill_periods import BY_BILL, bills, london_us, opened
from flows.test_explain import explained, replayed
from flows.test_windows import HEAD, charged, close, set_values, windows
from support.corrections import confirm, drain, place
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US

pytestmark = pytest.mark.usefixtures("house")

JULY_US = 1_372_633_200_000_000
RIGHT = (
    HEAD
    + """
      - energy:
          counter: month
          blocks: [100]
          prices: ["0.10", "0.50"]
          extra: [{parameter: persons, above: 2, each: "50"}]
      - standing: {by: persons, bands: [{upto: 2, per_day: "0.20"}, {per_day: "0.25"}]}
      - tax: {name: VAT, percent: "5", on: [all]}
"""
)
WRONG = RIGHT.replace('"0.50"', '"0.61"').replace('each: "50"', 'each: "20"').replace('"0.25"', '"0.21"')


def told_apart(desk: Desk) -> None:
    assert all(account.differences == () for account in explained(desk))
    for n in range(len(desk.street.homes)):
        assert replayed(desk, n).slips == []


def live(desk: Desk, tariff: str) -> list[int]:
    """Three homes of two, four, and from the fifth day on five persons; what each was charged."""
    homes = [desk.home(), desk.home(), desk.home()]
    opened_us = desk.street.opened_us
    set_values(desk, opened_us, opened_us + HOUR_US, n=1, persons=4_000)
    set_values(desk, opened_us + 5 * DAY_US, opened_us + HOUR_US, n=2, persons=5_000)
    desk.post(now_us=opened_us + HOUR_US)
    desk.open(now_us=opened_us + HOUR_US)
    for day in (3, 7, 12):
        for meter in homes:
            desk.read(meter, opened_us + day * DAY_US, day * 31_003)
    return [charged(desk, meter) for meter in homes]


@pytest.mark.parametrize("restart", [False, True])
def test_each_home_ends_where_the_right_text_would_have_put_it(
    restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import retariffing

    monkeypatch.setattr(retariffing, "LINES_A_BATCH", 1)
    monkeypatch.setattr(retariffing, "PRICES_AT_ONCE", 2)
    with windows(RIGHT) as desk:
        right = live(desk, RIGHT)
    with windows(WRONG) as desk:
        wrong = live(desk, WRONG)
        assert all(was != is_ for was, is_ in zip(wrong, right, strict=True))
        now = JULY_US + 60 * DAY_US
        correction = place(desk.street, RIGHT, now_us=now)
        fact = confirm(desk.street, correction)
        drain(desk, fact, now_us=now, restart=restart)
        desk.open(now_us=now)
        assert [charged(desk, meter) for meter in desk.street.homes] == right
        said = sum(correction.preview[part] for part in ("energy_micro", "standing_micro", "tax_micro"))
        assert abs(said - (sum(right) - sum(wrong))) <= 9, "each home and component may floor once"
        assert correction.preview["registers"] == desk.fact(fact).result["registers"] == 3
        told_apart(desk)
        # Life goes on under the right prices, each home by its own.
        for meter in desk.street.homes:
            desk.read(meter, JULY_US + 13 * DAY_US, 13 * 31_003, now_us=now)
        told_apart(desk)


def test_homes_billed_from_days_of_their_own_are_corrected_and_settled_again() -> None:
    wrong = BY_BILL.replace('"19.123457"', '"25"').replace('"0.2303"', '"0.3"')
    start_us, end_us = london_us(7, 10), london_us(8, 10)
    with opened(wrong, start_us) as desk:
        meter = desk.home()
        shown = [(start_us + 9 * DAY_US, 31_007), (end_us, 44_009)]
        for at, wh in shown:
            desk.read(meter, at, wh)
        now = end_us + HOUR_US
        assert close(desk, now) == 1
        assert charged(desk, meter) == bills(wrong, shown, [start_us, end_us])
        fact = confirm(desk.street, place(desk.street, BY_BILL, now_us=now))
        drain(desk, fact, now_us=now)
        desk.open(now_us=now)
        assert close(desk, now) == 1
        assert charged(desk, meter) == bills(BY_BILL, shown, [start_us, end_us])
        told_apart(desk)


def test_a_settled_period_of_a_closed_home_is_settled_again_for_the_wallet_it_left() -> None:
    from fairwatt.store.models import Installation

    wrong = BY_BILL.replace('"19.123457"', '"25"').replace('"0.2303"', '"0.3"')
    start_us, end_us = london_us(7, 10), london_us(8, 10)
    with opened(wrong, start_us) as desk:
        meter = desk.home()
        shown = [(start_us + 9 * DAY_US, 31_007), (end_us, 44_009)]
        for at, wh in shown:
            desk.read(meter, at, wh)
        now = end_us + HOUR_US
        assert close(desk, now) == 1
        with as_role("migrate"):
            Installation.objects.filter(pk=desk.street.installations[0]).update(closed_us=end_us)
        desk.open(now_us=now)
        fact = confirm(desk.street, place(desk.street, BY_BILL, now_us=now))
        drain(desk, fact, now_us=now)
        desk.open(now_us=now)
        assert close(desk, now) == 1
        assert charged(desk, meter) == bills(BY_BILL, shown, [start_us, end_us])
        told_apart(desk)
