"""Documents of a book, a building and a home become one policy; a law is a floor; nothing protective goes unnoticed."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.builders import instant
from core.test_credit import EMPTY, NOON, POLICY
from fairwatt.core.credit.decide import Action, Reason, decide_supply
from fairwatt.core.credit.levels import with_days
from fairwatt.core.credit.policy import CreditPolicy, CutRule, Shelter, Why, policy_from_obj, policy_to_obj
from fairwatt.core.credit.terms import Basis, Emergency, Layer, Merged, Terms, loosened, merge, windows_joined
from fairwatt.core.credit.terms_file import TermsFileError, parse_terms, write_terms
from fairwatt.core.credit.tonight import look_ahead, quiet_until
from fairwatt.core.rating.elements.periods import Calendar
from fairwatt.core.units import MICRO, US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

TODAY = date(2024, 5, 8)
WINDOWS = st.lists(
    st.tuples(st.integers(0, 1_439), st.integers(1, 200)).map(lambda w: (w[0], min(1_440, w[0] + w[1]))),
    max_size=3,
).map(tuple)
TERMS = st.builds(
    Terms,
    low_micro=st.none() | st.integers(10 * MICRO, 50 * MICRO),
    low_wh=st.none() | st.integers(0, 9_000),
    low_days=st.none() | st.integers(0, 9),
    critical_micro=st.none() | st.integers(0, 9 * MICRO),
    warn_lead_us=st.none() | st.integers(0, 20).map(lambda n: n * US_PER_HOUR),
    stale_after_us=st.none() | st.integers(1, 20).map(lambda n: n * US_PER_HOUR),
    friendly=st.none() | WINDOWS,
    friendly_weekends=st.none() | st.booleans(),
    holidays=st.none() | st.just(Calendar(((date(2024, 5, 9), "holiday"),), (((5, 1), "holiday"),))),
    max_debt_micro=st.none() | st.integers(-1, 90),
    cut=st.none() | st.sampled_from([CutRule.ALLOWED, CutRule.NEVER]),
    emergency=st.none()
    | st.just(Emergency(0))
    | st.builds(Emergency, st.integers(1, 9), st.integers(0, 9), st.booleans()),
    least_micro=st.none() | st.integers(0, 9),
)
LAYERS = st.lists(
    st.builds(Layer, st.integers(1, 9), st.integers(0, 2), st.sampled_from(Basis), TERMS), max_size=4
)


def merged(*layers: Layer, shelters: tuple[Shelter, ...] = ()) -> Merged:
    return merge(base=POLICY, layers=layers, shelters=shelters, today=TODAY)


def house(rank: int, **said: object) -> Layer:
    return Layer(rank + 1, rank, Basis.HOUSE, Terms(**said))  # type: ignore[arg-type]


def law(**said: object) -> Layer:
    return Layer(9, 0, Basis.LAW, Terms(**said))  # type: ignore[arg-type]


def test_home_over_site_over_book_and_who_said_it_is_known() -> None:
    made = merged(
        house(2, low_micro=7 * MICRO), house(0, low_micro=9 * MICRO, low_days=3), house(1, low_days=5)
    )
    assert (made.policy.low_micro, made.low_days) == (7 * MICRO, 5)
    assert (made.said_by["low_micro"], made.said_by["low_days"], made.said_by["friendly"]) == (3, 2, 0)


def test_a_law_protects_more_and_never_less() -> None:
    strict = law(friendly=((600, 660),), cut=CutRule.LIMIT, limit_w=500, least_micro=5)
    made = merged(house(2, friendly=((0, 60),), least_micro=9, limit_w=100), strict)
    assert made.policy.friendly == ((0, 60), (600, 660))
    assert (made.policy.cut, made.policy.steps, made.least_micro) == (CutRule.LIMIT, ((1, 500),), 5)
    assert merged(house(2, cut=CutRule.NEVER), strict).policy.cut is CutRule.NEVER


@given(LAYERS, TERMS)
def test_a_law_that_is_added_loosens_nothing(layers: list[Layer], said: Terms) -> None:
    assert loosened(before=merged(*layers), after=merged(*layers, Layer(99, 2, Basis.LAW, said))) == ()


@given(LAYERS)
def test_what_holds_for_a_home_survives_the_wire(layers: list[Layer]) -> None:
    policy = merged(*layers, shelters=(Shelter(NOON, NOON + 1, Why.WEATHER),)).policy
    assert policy_from_obj(policy_to_obj(policy)) == policy
    assert policy_to_obj(policy)[0] == 3


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (Terms(friendly=()), "friendly"),
        (Terms(friendly_weekends=False), "friendly_weekends"),
        (Terms(max_debt_micro=5), "max_debt_micro"),
        (Terms(low_micro=6 * MICRO), "low_micro"),
        (Terms(warn_lead_us=0), "warn_lead_us"),
        (Terms(stale_after_us=US_PER_DAY), "stale_after_us"),
    ],
)
def test_whatever_protects_less_is_named(said: Terms, name: str) -> None:
    assert loosened(before=merged(), after=merged(Layer(1, 0, Basis.HOUSE, said))) == (name,)


def test_a_shelter_that_ends_sooner_is_a_loosening() -> None:
    long, short = Shelter(NOON, NOON + 9, Why.WEATHER), Shelter(NOON, NOON + 8, Why.PROTECTED)
    assert loosened(before=merged(shelters=(long,)), after=merged(shelters=(short,))) == ("shelters",)
    assert loosened(before=merged(shelters=(short,)), after=merged(shelters=(long,))) == ()


@given(TERMS)
def test_a_document_that_is_written_reads_as_it_was(terms: Terms) -> None:
    friendly = None if terms.friendly is None else windows_joined(terms.friendly)
    said = replace(terms, friendly=friendly)
    assert parse_terms(write_terms(said)) == said


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("cut: limit", "limit_w"),
        ("cut: sometimes", "none of"),
        ('friendly: {hours: ["25:00-26:00"]}', "hours of a day"),
        ("holidays: [2026-02-30]", "no date"),
        ('warn: {below: "5", critical: "6"}', "critical"),
        ('top_up: {least: "9", most: "5"}', "least"),
        ("cutt: never", "did you mean 'cut'"),
        ('emergency: {amount: "-1"}', "below zero"),
    ],
)
def test_a_document_that_cannot_be_used_names_the_line(line: str, where: str) -> None:
    with pytest.raises(TermsFileError, match=f"line 2: .*{where}"):
        parse_terms(f"fairwatt_credit: 1\n{line}\n")


def test_an_older_gateway_reads_what_can_be_said_in_its_words() -> None:
    assert [policy_to_obj(p)[0] for p in (POLICY, replace(POLICY, cut=CutRule.NEVER))] == [1, 3]


def test_a_home_is_warned_days_ahead_by_its_own_use() -> None:
    assert with_days(policy=POLICY, level_micro=27 * MICRO).low_micro == 27 * MICRO
    assert with_days(policy=POLICY, level_micro=None) is POLICY


def test_tonight_ends_when_the_friendly_hours_do() -> None:
    assert quiet_until(policy=POLICY, now_us=NOON) == instant("2024-05-09 08:00")
    friday = instant("2024-05-10 12:00")
    assert quiet_until(policy=POLICY, now_us=friday) == instant("2024-05-13 08:00")


def look(**changes: object) -> tuple[Action, Reason, int] | None:
    found = look_ahead(
        facts=replace(EMPTY, **changes),  # type: ignore[arg-type]
        policy=POLICY,
        low_micro=POLICY.low_micro,
        day_micro=12 * MICRO,
        now_us=NOON,
        until_us=quiet_until(policy=POLICY, now_us=NOON),
    )
    return None if found is None else (found.decision.action, found.decision.reason, found.available_micro)


def test_the_outlook_says_who_is_cut_who_is_withheld_and_who_lasts() -> None:
    assert look() == (Action.CUT, Reason.BALANCE_EMPTY, -10 * MICRO - 1)
    assert look(available_micro=5 * MICRO) == (Action.CUT, Reason.BALANCE_EMPTY, -5 * MICRO)
    assert look(available_micro=5 * MICRO, protected=True) == (Action.WITHHOLD, Reason.PROTECTED, -5 * MICRO)
    assert look(available_micro=11 * MICRO) is None
    assert look(relay_closed=False, cut_by_credit=True) is None


@pytest.mark.parametrize("late_us", [0, 21 * US_PER_MINUTE, 29 * US_PER_MINUTE + 7])
def test_the_end_of_the_night_and_its_cut_do_not_depend_on_when_one_looks(late_us: int) -> None:
    now_us = instant("2024-05-08 20:58") + late_us
    until_us = quiet_until(policy=POLICY, now_us=now_us)
    assert until_us == instant("2024-05-09 08:00")
    facts = replace(EMPTY, available_micro=2_400, newest_reading_us=now_us)
    found = look_ahead(
        facts=facts, policy=POLICY, low_micro=0, day_micro=MICRO, now_us=now_us, until_us=until_us
    )
    assert found is not None and (found.decision.action, found.at_us) == (Action.CUT, until_us)


@pytest.mark.parametrize(
    ("day", "asked_min", "over_min"),
    # Put forward, 01:00 is 02:00; put back, 01:00 to 01:30 comes, and is quiet, a second time.
    [("2024-03-31", 7, 60), ("2024-10-27", 7, 90), ("2024-10-27", 123, 150)],
)
def test_the_night_ends_by_the_clock_on_the_wall_where_clocks_change(
    day: str, asked_min: int, over_min: int
) -> None:
    london = replace(POLICY, zone="Europe/London", friendly=((0, 90),), friendly_weekends=False)
    midnight = instant(f"{day} 00:00", "Europe/London")
    over = quiet_until(policy=london, now_us=midnight + asked_min * US_PER_MINUTE)
    assert over == midnight + over_min * US_PER_MINUTE


HOURS = st.lists(
    st.tuples(st.integers(0, 47), st.integers(1, 30)).map(
        lambda w: (w[0] * 30, min(1_440, (w[0] + w[1]) * 30))
    ),
    max_size=2,
).map(tuple)


@given(
    HOURS,
    st.none() | st.integers(-900, 0),
    st.integers(-3, 9),
    st.none() | st.integers(0, 5),
    st.integers(0, 40),
    st.sampled_from([(), (Shelter(NOON, NOON + 5 * US_PER_HOUR, Why.WEATHER),)]),
)
def test_a_cut_is_at_the_first_minute_the_rules_let_it_be(
    friendly: tuple[tuple[int, int], ...],
    warned: int | None,
    credit: int,
    debt: int | None,
    a_day: int,
    shelters: tuple[Shelter, ...],
) -> None:
    policy = replace(
        POLICY,
        friendly=friendly,
        max_debt_micro=None if debt is None else debt * MICRO,
        shelters=shelters,
    )
    warned_us = None if warned is None else NOON + warned * US_PER_MINUTE
    facts = replace(EMPTY, available_micro=credit * MICRO, warned_at_us=warned_us)
    until_us = NOON + 30 * US_PER_HOUR
    found = look_ahead(
        facts=facts,
        policy=policy,
        low_micro=2 * MICRO,
        day_micro=a_day * MICRO,
        now_us=NOON,
        until_us=until_us,
    )
    first = None
    for at_us in range(NOON, until_us + 1, US_PER_MINUTE):
        available = credit * MICRO - a_day * MICRO * (at_us - NOON) // US_PER_DAY
        if warned_us is None and available < 2 * MICRO:
            warned_us = at_us
        then = replace(facts, available_micro=available, warned_at_us=warned_us, newest_reading_us=at_us)
        if decide_supply(facts=then, policy=policy, now_us=at_us).action is Action.CUT:
            first = at_us
            break
    told = found.at_us if found is not None and found.cut else None
    assert (first is None) == (told is None)
    # Walked by the minute, a warning and what is counted from it come up to a minute late.
    assert first is None or told is None or 0 <= first - told <= 2 * US_PER_MINUTE


@given(st.integers(0, 24 * 60 * 60 - 1))
def test_quiet_hours_end_when_the_rule_says_whenever_one_looks(second: int) -> None:
    """Nobody is cut before 08:00, and who runs out in the night at that very instant, not at the next half hour."""
    now_us = instant("2024-05-08 20:00") + second * 1_000_000 % (10 * US_PER_HOUR)
    until_us = quiet_until(policy=POLICY, now_us=now_us)
    assert until_us == instant("2024-05-09 08:00")
    found = look_ahead(
        facts=replace(
            EMPTY, available_micro=2_400, warned_at_us=now_us - US_PER_DAY, newest_reading_us=now_us
        ),
        policy=POLICY,
        low_micro=POLICY.low_micro,
        day_micro=2 * MICRO,
        now_us=now_us,
        until_us=until_us + US_PER_HOUR,
    )
    assert found is not None and found.decision.action is Action.CUT
    assert found.at_us == until_us


@given(st.integers(-20, 20), st.sampled_from([POLICY, replace(POLICY, cut=CutRule.NEVER)]))
def test_the_outlook_cuts_nobody_whom_the_decider_would_not(credit: int, policy: CreditPolicy) -> None:
    facts = replace(EMPTY, available_micro=credit * MICRO)
    found = look_ahead(
        facts=facts, policy=policy, low_micro=0, day_micro=0, now_us=NOON, until_us=NOON + US_PER_HOUR
    )
    now = decide_supply(facts=facts, policy=policy, now_us=NOON)
    assert (found is not None and found.cut) == (now.action is Action.CUT)
