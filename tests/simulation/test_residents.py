"""The people of the street pay late, each in their own way, and always the same way twice."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from fairwatt.simulate.residents import MANNERS, Habit, Payment, Resident, Seen, decide, move_in

HOUR = 3_600_000_000
MONDAY_NOON = round(datetime(2013, 3, 18, 12, tzinfo=UTC).timestamp()) * 1_000_000
LONDON = "Europe/London"


def someone(habit: Habit, *, seed: int = 1, home: str = "MAC000018") -> Resident:
    return Resident(home, habit, 500, LONDON, seed)


def first_payment(resident: Resident, seen: Seen, *, from_us: int, hours: int = 96) -> Payment | None:
    for half_hour in range(2 * hours):
        payment = decide(resident=resident, seen=seen, now_us=from_us + half_hour * HOUR // 2)
        if payment is not None:
            return payment
    return None


def test_nobody_pays_without_a_reason() -> None:
    for habit in Habit:
        assert first_payment(someone(habit), Seen(), from_us=MONDAY_NOON) is None


def test_a_prompt_resident_pays_within_hours_of_a_warning() -> None:
    paid = [
        first_payment(someone(Habit.PROMPT, seed=seed), Seen(warned_at_us=MONDAY_NOON), from_us=MONDAY_NOON)
        for seed in range(50)
    ]

    in_time = [payment for payment in paid if payment is not None]
    assert len(in_time) > 40
    assert all(payment.due_us <= MONDAY_NOON + 24 * HOUR for payment in in_time)


def test_some_people_let_every_warning_pass_and_pay_only_in_the_dark() -> None:
    resident = someone(Habit.DARK)

    assert first_payment(resident, Seen(warned_at_us=MONDAY_NOON), from_us=MONDAY_NOON) is None
    dark = Seen(warned_at_us=MONDAY_NOON, dark_since_us=MONDAY_NOON + HOUR)
    payment = first_payment(resident, dark, from_us=MONDAY_NOON + HOUR)
    assert payment is not None and payment.because == "dark"


def test_a_forgetful_resident_sometimes_pays_too_late() -> None:
    seen = Seen(warned_at_us=MONDAY_NOON)
    paid = [
        first_payment(someone(Habit.FORGETFUL, seed=seed), seen, from_us=MONDAY_NOON) for seed in range(100)
    ]

    forgotten = paid.count(None)
    assert 25 < forgotten < 65


def test_one_warning_is_paid_for_once() -> None:
    resident = someone(Habit.PROMPT, seed=3)
    payment = first_payment(resident, Seen(warned_at_us=MONDAY_NOON), from_us=MONDAY_NOON)
    assert payment is not None

    after = Seen(warned_at_us=MONDAY_NOON, paid_at_us=payment.due_us)
    assert first_payment(resident, after, from_us=payment.due_us) is None


def test_who_paid_and_is_still_dark_pays_again_but_not_at_once() -> None:
    dark = Seen(dark_since_us=MONDAY_NOON, paid_at_us=MONDAY_NOON + HOUR)

    payment = first_payment(someone(Habit.PROMPT), dark, from_us=MONDAY_NOON + HOUR)

    assert payment is not None and payment.due_us >= MONDAY_NOON + 4 * HOUR


@given(
    st.sampled_from([habit for habit in Habit if habit is not Habit.AWAY]),
    st.integers(0, 10**6),
    st.integers(0, 365 * 48),
    st.booleans(),
)
def test_everyone_pays_awake_in_time_and_in_whole_coins(
    habit: Habit, seed: int, half_hour: int, dark: bool
) -> None:
    resident = someone(habit, seed=seed)
    event_us = MONDAY_NOON + half_hour * HOUR // 2
    seen = Seen(dark_since_us=event_us) if dark else Seen(warned_at_us=event_us)

    payment = decide(resident=resident, seen=seen, now_us=event_us + 72 * HOUR)

    if payment is None:
        assert not dark, "the dark is never forgotten"
        return
    local = datetime.fromtimestamp(payment.due_us // 1_000_000, ZoneInfo(LONDON))
    first, last = MANNERS[habit].awake
    assert first <= local.hour < last
    assert event_us <= payment.due_us <= event_us + timedelta(days=3) // timedelta(microseconds=1)
    assert payment.amount_minor >= 200
    assert decide(resident=resident, seen=seen, now_us=event_us + 72 * HOUR) == payment
    assert decide(resident=resident, seen=seen, now_us=payment.due_us - 1) is None


def test_every_street_has_all_kinds_of_people_and_the_seed_decides_who() -> None:
    homes = [(f"h{n}", 250) for n in range(20)]

    people = move_in(seed=7, homes=homes, zone=LONDON)

    assert Counter(person.habit for person in people) == {
        Habit.PROMPT: 6,
        Habit.EVENING: 6,
        Habit.FORGETFUL: 4,
        Habit.DARK: 4,
    }
    assert people == move_in(seed=7, homes=homes, zone=LONDON)
    assert people != [replace(person, seed=7) for person in move_in(seed=8, homes=homes, zone=LONDON)]


def test_usual_amounts_are_small_and_follow_the_homes_own_spend() -> None:
    small, large = move_in(seed=7, homes=[("small", 100), ("large", 900)], zone=LONDON)

    assert 300 <= small.usual_minor <= 400
    assert 1_000 <= large.usual_minor <= 2_800
