"""A draft beside the tariff in force: exact, conserved, and the decider's own thresholds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.insight.backtest import NotComparable, Trial, back_test
from fairwatt.core.insight.cut_sooner import WalletPast, live_again
from fairwatt.core.insight.past_use import NothingUsed, PastUse, of_intervals, of_readings
from fairwatt.core.insight.spread import spread_of
from fairwatt.core.rating.bill import Bill, bill
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR

START = 1_767_225_600_000_000
"""2026-01-01, UTC."""
HEAD = "fairwatt_tariff: 1\nname: T\ncurrency: CNY\nzone: UTC\nversions:\n  - effective: {since}\n    elements:\n"
FLAT = HEAD.format(since="2020-01-01") + '      - energy: {price: "0.5"}\n'
EVENING = (
    HEAD.format(since="2020-01-01")
    + """      - energy:
          periods:
            - {name: evening, hours: ["18:00-22:00"], price: "1.2"}
            - {name: rest, otherwise: true, price: "0.333333"}
      - standing: {per_day: "0.1"}
      - tax: {name: VAT, percent: "13", on: [energy]}
"""
)
BLOCKS = (
    HEAD.format(since="2020-01-01")
    + """      - energy:
          counter: month
          blocks: [3]
          prices: ["0.4", "0.9"]
      - minimum: {per_month: "5", on: [energy]}
      - tax: {name: VAT, percent: "10", on: [energy, minimum]}
"""
)


def schedule(text: str) -> Schedule:
    return parse_schedule(text)


def hours(*homes: list[int], start: int = START, span: Span | None = None) -> PastUse:
    """Use of homes hour by hour, in Wh."""
    home = np.repeat(np.arange(len(homes)), [len(one) for one in homes]).astype(np.int64)
    begins = np.concatenate([start + US_PER_HOUR * np.arange(len(one)) for one in homes]).astype(np.int64)
    length = max(len(one) for one in homes)
    return of_intervals(
        home=home,
        start_at=begins,
        end_at=begins + US_PER_HOUR,
        energy_wh=np.array([wh for one in homes for wh in one], dtype=np.int64),
        span=span or Span(start, start + length * US_PER_HOUR),
        homes=tuple(f"home {n}" for n in range(len(homes))),
    )


def day_of(days: int) -> Span:
    return Span(START, START + days * US_PER_DAY)


def test_two_homes_by_hand_to_the_micro_unit() -> None:
    morning = [1_000 if hour == 7 else 0 for hour in range(24)] * 2
    night = [1_001 if hour == 19 else 100 if hour == 3 else 0 for hour in range(24)] * 2
    trial = back_test(
        use=hours(morning, night), span=day_of(2), current=schedule(FLAT), draft=schedule(EVENING)
    )
    early, late = trial.homes
    assert early.old == {"energy": 1_000_000, "standing": 0, "settled": 0, "tax": 0}
    rest = Fraction(2 * 1_000 * 333_333, 1_000)
    assert early.new == {
        "energy": rest.__floor__(),
        "standing": 200_000,
        "settled": 0,
        "tax": (rest * Fraction(13, 100)).__floor__(),
    }
    exact = Fraction(2 * (1_001 * 1_200_000 + 100 * 333_333), 1_000)
    assert late.old_micro == 2 * 1_101 * 500
    assert late.new_micro == exact.__floor__() + 200_000 + (exact * Fraction(13, 100)).__floor__()
    assert early.difference_micro < 0 < late.difference_micro, "a dearer evening hurts the evening home"
    assert late.share == Fraction(late.new_micro - late.old_micro, late.old_micro)
    assert (trial.spread.more, trial.spread.less, trial.spread.same) == (1, 1, 0)
    assert trial.new_micro - trial.old_micro == sum(home.difference_micro for home in trial.homes)


def exact_families(made: Bill) -> dict[str, int]:
    kinds = {"energy": {"use"}, "standing": {"fixed"}, "settled": {"true_up", "settled"}}
    sums = {
        family: sum((i.exact_micro for i in made.items if i.kind in mine), Fraction(0)).__floor__()
        for family, mine in kinds.items()
    }
    return {
        **sums,
        "tax": sum((e.exact_micro for e in made.elements if e.word == "tax"), Fraction(0)).__floor__(),
    }


@given(
    st.lists(st.lists(st.integers(0, 9_000), min_size=24, max_size=24 * 3), min_size=1, max_size=5),
    st.permutations([FLAT, EVENING, BLOCKS]),
)
@settings(max_examples=10)
def test_homes_add_up_to_the_revenue_and_each_is_its_own_bill(
    homes: list[list[int]], texts: list[str]
) -> None:
    """Every family of a home is the floor of its exact sum in the bill that the scalar path makes."""
    span = day_of(3)
    trial = back_test(
        use=hours(*homes, span=span), span=span, current=schedule(texts[0]), draft=schedule(texts[1])
    )
    for home, used in zip(trial.homes, homes, strict=True):
        for text, found in ((texts[0], home.old), (texts[1], home.new)):
            readings = [(START + (n + 1) * US_PER_HOUR, wh) for n, wh in enumerate(used)]
            if len(used) < 72:
                readings.append((span.end_us, 0))
            made = bill(schedule=schedule(text), readings=readings, span=span)
            assert found == exact_families(made)
        assert home.used_wh == sum(used)
    for family in ("energy", "standing", "settled", "tax"):
        old, new = trial.revenue(family)
        assert old == sum(home.old[family] for home in trial.homes)
        assert new == sum(home.new[family] for home in trial.homes)
    assert trial.spread.total_micro == trial.new_micro - trial.old_micro
    assert sum(bar.homes for bar in trial.spread.bars) == len(homes)


@pytest.mark.parametrize("text", [FLAT, EVENING, BLOCKS])
def test_a_tariff_against_itself_changes_nothing_for_anybody(text: str) -> None:
    trial = back_test(
        use=hours([300] * 800, [0, 900] * 400),
        span=Span(START, START + 800 * US_PER_HOUR),
        current=schedule(text),
        draft=schedule(text),
    )
    assert all(home.old == home.new for home in trial.homes)
    assert (trial.spread.more, trial.spread.less, trial.spread.tenths) == (0, 0, (0,) * 9)
    assert [(bar.low_micro, bar.high_micro, bar.homes) for bar in trial.spread.bars] == [(0, 0, 2)]


def test_what_a_month_end_adds_is_counted_with_its_tax() -> None:
    span = Span(START, START + 31 * US_PER_DAY)
    trial = back_test(
        use=hours([2] * 31 * 24, span=span), span=span, current=schedule(FLAT), draft=schedule(BLOCKS)
    )
    (home,) = trial.homes
    energy = 2 * 31 * 24 * 400
    assert home.new == {
        "energy": energy,
        "standing": 0,
        "settled": 5_000_000 - energy,
        "tax": 500_000,
    }


def test_use_before_the_period_fills_the_counters_and_is_not_charged() -> None:
    use = hours([100] * 24 * 10)
    late = Span(START + 5 * US_PER_DAY, START + 10 * US_PER_DAY)
    text = BLOCKS.replace('      - minimum: {per_month: "5", on: [energy]}\n', "").replace(", minimum", "")
    (home,) = back_test(use=use, span=late, current=schedule(FLAT), draft=schedule(text)).homes
    assert home.used_wh == 12_000
    assert home.new["energy"] == 12_000 * 900, "the first block was used up before the period began"


def test_an_interval_over_the_edge_is_cut_by_its_time_and_two_periods_are_one() -> None:
    use = of_readings(
        register=np.zeros(4, dtype=np.int64),
        at=np.array([START, START + 7 * US_PER_HOUR, START + 30 * US_PER_HOUR, START + 50 * US_PER_HOUR]),
        total_wh=np.array([9_990, 300, 1_001, 2_500], dtype=np.int64),
        modulus_wh=np.array([10_000], dtype=np.int64),
        counter_wh=np.zeros(1, dtype=np.int64),
        home_of=np.zeros(1, dtype=np.int64),
        homes=("0101",),
    )
    middle = START + US_PER_DAY
    whole = back_test(use=use, span=day_of(2), current=schedule(FLAT), draft=schedule(FLAT))
    first = back_test(use=use, span=Span(START, middle), current=schedule(FLAT), draft=schedule(FLAT))
    second = back_test(
        use=use, span=Span(middle, START + 2 * US_PER_DAY), current=schedule(FLAT), draft=schedule(FLAT)
    )
    assert first.homes[0].used_wh == 310 + 701 * 17 // 23, (
        "the register wrapped, and the rest is interpolated"
    )
    assert first.homes[0].used_wh + second.homes[0].used_wh == whole.homes[0].used_wh


def test_a_draft_that_is_still_to_come_is_tried_as_if_it_had_been_in_force() -> None:
    to_come = FLAT + '  - effective: 2027-01-01\n    elements:\n      - energy: {price: "0.6"}\n'
    asked: dict[str, Any] = {"use": hours([1_000] * 24), "span": day_of(1), "current": schedule(FLAT)}
    assert back_test(**asked, draft=schedule(to_come)).new_micro == 24 * 600_000
    assert back_test(**asked, draft=schedule(to_come), dates="keep").new_micro == 24 * 500_000
    begun = to_come.replace("2027-01-01", "2026-01-01T12:00")
    assert back_test(**asked, draft=schedule(begun)).new_micro == 12 * 500_000 + 12 * 600_000
    assert back_test(**asked, draft=schedule(begun), dates="newest").new_micro == 24 * 600_000


def test_what_cannot_be_compared_is_refused_by_name() -> None:
    asked: dict[str, Any] = {"use": hours([1_000] * 24), "span": day_of(1), "current": schedule(FLAT)}
    with pytest.raises(NotComparable, match="currency CNY, the draft EUR"):
        back_test(**asked, draft=schedule(FLAT.replace("CNY", "EUR")))
    with pytest.raises(NothingUsed, match="nothing to try"):
        back_test(
            **{**asked, "span": Span(START + 40 * US_PER_DAY, START + 41 * US_PER_DAY)}, draft=schedule(FLAT)
        )


def test_the_middle_the_tenths_and_the_bars() -> None:
    spread = spread_of([*range(-3, 0), 0, *range(1, 7)])
    assert (spread.homes, spread.more, spread.less, spread.same) == (10, 6, 3, 1)
    assert spread.median_micro == Fraction(3, 2) and spread.tenths == (-3, -2, -1, 0, 1, 2, 3, 4, 5)
    assert [(b.low_micro, b.high_micro, b.homes) for b in spread.bars] == [
        (-3, -2, 1), (-2, -1, 1), (-1, 0, 1), (0, 0, 1), *((n, n + 1, 1) for n in range(6)),
    ]  # fmt: skip


# --- who would have been cut sooner ---------------------------------------------------------------------------------

POLICY = CreditPolicy(
    zone="UTC", low_micro=2_000_000, low_wh=0, critical_micro=1_000_000, friendly=((0, 480),),
    friendly_weekends=False, warn_lead_us=US_PER_HOUR, stale_after_us=2 * US_PER_HOUR,
)  # fmt: skip


def wallet(opening: int, *moves: tuple[int, int], **more: object) -> WalletPast:
    return WalletPast(opening_micro=opening, moves=moves, policy=replace(POLICY), **more)  # type: ignore[arg-type]


def lived(past: WalletPast, days: int = 3) -> Trial:
    """A home that uses a kWh each hour, at 0.5 and at 1.0."""
    dear = FLAT.replace("0.5", "1.0")
    return back_test(
        use=hours([1_000] * 24 * days),
        span=day_of(days),
        current=schedule(FLAT),
        draft=schedule(dear),
        wallets={0: past},
    )


def test_a_home_is_cut_sooner_at_the_first_reading_the_decider_would_have_taken() -> None:
    (home,) = lived(wallet(20_000_000)).homes
    old, new = home.old_story, home.new_story
    assert old is not None and new is not None and home.cut_sooner and not home.cut_later
    assert (old.empty_us, old.cut_us) == (START + 40 * US_PER_HOUR,) * 2, (
        "16:00 of the second day, no friendly hour"
    )
    assert new.empty_us == new.cut_us == START + 20 * US_PER_HOUR
    assert (old.dark_us, new.dark_us) == (32 * US_PER_HOUR, 52 * US_PER_HOUR)
    assert (old.dark_days, new.dark_days) == (2, 3)
    assert (old.closing_micro, new.closing_micro) == (20_000_000 - 36_000_000, 20_000_000 - 72_000_000)


def test_friendly_hours_put_a_cut_off_until_they_end() -> None:
    (home,) = lived(wallet(13_500_000)).homes
    assert home.old_story is not None and home.old_story.empty_us == START + 27 * US_PER_HOUR
    assert home.old_story.cut_us == START + 32 * US_PER_HOUR, "08:00 of the second day"


def test_a_top_up_ends_the_dark_at_its_own_instant() -> None:
    paid = START + 42 * US_PER_HOUR + 1
    (home,) = lived(wallet(20_000_000, (paid, 90_000_000))).homes
    assert home.old_story is not None
    assert home.old_story.cuts == 1 and home.old_story.dark_us == paid - (START + 40 * US_PER_HOUR)
    assert home.old_story.closing_micro == 110_000_000 - 36_000_000


def test_a_warning_comes_before_a_cut_and_paying_begins_the_story_anew() -> None:
    """A coin that lasts for less than the warning's lead puts the cut off by the lead, as at the decider."""
    paid = START + 39 * US_PER_HOUR + 1
    past = wallet(20_000_000, (paid, 250_000))
    (home,) = lived(past).homes
    assert home.old_story is not None and home.old_story.empty_us == START + 41 * US_PER_HOUR
    slow = WalletPast(past.opening_micro, past.moves, replace(POLICY, warn_lead_us=5 * US_PER_HOUR))
    story = live_again(
        past=slow, at=np.array([START + n * US_PER_HOUR for n in range(1, 73)]),
        charge_micro=np.full(72, 500_000), dearest_micro_per_kwh=500_000, span=day_of(3),
    )  # fmt: skip
    assert story.cut_us == START + 45 * US_PER_HOUR, (
        "the first reading five hours after the warning that paying renewed"
    )


def test_a_protected_home_is_empty_and_never_cut() -> None:
    (home,) = lived(wallet(20_000_000, protected=True)).homes
    assert home.new_story is not None and home.new_story.empty_us == START + 20 * US_PER_HOUR
    assert home.new_story.cut_us is None and home.new_story.dark_days == 0


def test_a_home_without_a_wallet_has_no_story() -> None:
    trial = back_test(use=hours([5] * 24), span=day_of(1), current=schedule(FLAT), draft=schedule(FLAT))
    assert trial.homes[0].old_story is None and not trial.homes[0].cut_sooner
