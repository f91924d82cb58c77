"""Whom to tell what, when, and in which words: the router, the wording, the pace."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.notices.icu import BadWording, check, fill
from fairwatt.core.notices.model import MANNERS, Channel, State, Step
from fairwatt.core.notices.pacing import (
    FAILURES_MAX,
    KEPT_US,
    LIMITS,
    TRIES_MAX,
    TooOften,
    admit,
    rest_until_us,
    retry_us,
)
from fairwatt.core.notices.router import CAP_A_DAY, WAVES, Choice, Contact, Person, Routed, due_at, route
from fairwatt.core.notices.segments import segments
from fairwatt.core.notices.wording import DEFAULTS, LANGUAGES, SAMPLE, WORDS, check_wording, say

ZONE = "Asia/Shanghai"
NOON_US = int(datetime(2026, 11, 21, 12, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1_000_000
ALL = frozenset(Channel)
_ADDRESSES = {
    Channel.PUSH: "https://push.example/1",
    Channel.WECHAT: "o1",
    Channel.EMAIL: "a@b.example",
    Channel.SMS: "+8613800000001",
}
CONTACTS = tuple(Contact(n, ch, address) for n, (ch, address) in enumerate(_ADDRESSES.items(), 1))
residents_steps = st.sampled_from([step for step in Step if step not in (Step.ALARM, Step.CALL)])


def routed(
    person: Person, step: Step, *, wave: int = 0, now_us: int = NOON_US, reached: bool = False
) -> Routed:
    return route(
        step=step, persons=[person], zone=ZONE, now_us=now_us, wave=wave, reached=reached, offered=ALL
    )


@given(
    step=st.sampled_from([step for step, manner in MANNERS.items() if manner.safety]),
    channels=st.one_of(st.none(), st.frozensets(st.sampled_from(list(_ADDRESSES)))),
    silent=st.frozensets(st.sampled_from(list(Step))),
    digest=st.booleans(),
    there=st.frozensets(st.sampled_from(list(_ADDRESSES)), min_size=1),
)
def test_no_choice_silences_what_is_about_safety(
    step: Step,
    channels: frozenset[Channel] | None,
    silent: frozenset[Step],
    digest: bool,
    there: frozenset[Channel],
) -> None:
    mine = tuple(one for one in CONTACTS if one.channel in there)
    person = Person(1, "en", mine, Choice("", channels, silent, digest))
    found = routed(person, step)
    assert [plan for plan in found.plans if plan.state is State.QUEUED and not plan.digest]


@given(
    step=residents_steps, at_s=st.integers(0, 4 * 365 * 86_400), zone=st.sampled_from([ZONE, "Europe/London"])
)
def test_nothing_that_can_wait_goes_out_at_night(step: Step, at_s: int, zone: str) -> None:
    now_us = 1_750_000_000_000_000 + at_s * 1_000_000
    due_us = due_at(step=step, zone=zone, now_us=now_us)
    on_the_wall = datetime.fromtimestamp(due_us // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    assert now_us <= due_us <= now_us + 12 * 3_600_000_000
    if MANNERS[step].at_night:
        assert due_us == now_us
    else:
        assert 8 <= on_the_wall.hour < 21


@given(
    step=residents_steps,
    there=st.frozensets(st.sampled_from(list(_ADDRESSES))),
    hour=st.integers(0, 23),
    arrives=st.integers(1, 5),
)
def test_who_is_not_reached_is_called_in_the_end(
    step: Step, there: frozenset[Channel], hour: int, arrives: int
) -> None:
    """Wave after wave while nothing arrives; it ends, and with a call exactly where a cut may follow."""
    person = Person(1, "en", tuple(one for one in CONTACTS if one.channel in there))
    now_us, wave, used = NOON_US + hour * 3_600_000_000, 0, []
    for looks in range(1, 6):
        found = routed(person, step, wave=wave, now_us=now_us, reached=looks > arrives)
        used += [plan.channel for plan in found.plans]
        if found.next_us is None:
            break
        assert found.next_us > now_us
        wave, now_us = found.next_wave, found.next_us
    waves = sum(bool(wave & there) for wave in WAVES)
    assert found.next_us is None
    assert len(used) == len(set(used))
    assert bool(found.call_staff) == (MANNERS[step].calls and arrives > waves)
    if found.call_staff:
        assert set(used) == there
        assert found.call_staff == ("no_receipt" if there else "no_contact")


def test_the_free_channels_come_first_and_the_short_message_after_ten_minutes() -> None:
    person = Person(1, "en", CONTACTS)
    first = routed(person, Step.CRITICAL)
    assert {plan.channel for plan in first.plans} == {Channel.PUSH, Channel.WECHAT, Channel.EMAIL}
    assert first.next_us == NOON_US + 600_000_000
    second = routed(person, Step.CRITICAL, wave=first.next_wave, now_us=first.next_us)
    assert [plan.channel for plan in second.plans] == [Channel.SMS]


def test_a_person_is_not_told_twice_a_day_nor_too_often() -> None:
    again = Person(1, "en", CONTACTS, told_today=frozenset({Step.LOW}))
    assert [(plan.state, plan.reason) for plan in routed(again, Step.LOW).plans] == [
        (State.SUPPRESSED, "told_today")
    ]
    many = Person(1, "en", CONTACTS, lately_us=(NOON_US - 1,) * CAP_A_DAY)
    assert routed(many, Step.LOW).plans[0].reason == "too_many"
    assert routed(many, Step.CRITICAL).plans[0].state is State.QUEUED
    assert routed(again, Step.RESTORED).plans[0].state is State.QUEUED


def test_what_can_wait_waits_for_the_digest() -> None:
    person = Person(1, "en", CONTACTS, Choice(digest=True))
    (plan,) = routed(person, Step.LOW).plans
    assert plan.digest
    assert plan.due_us == NOON_US + 6 * 3_600_000_000
    assert not any(plan.digest for plan in routed(person, Step.EMPTY).plans)


# --- words ---------------------------------------------------------------------------------------------------


def test_every_step_has_its_words() -> None:
    for language in LANGUAGES:
        for step in Step:
            check_wording(step=step, wording=DEFAULTS[language][step])
            for channel in Channel:
                said = say(
                    wording=DEFAULTS[language][step],
                    step=step,
                    values=SAMPLE[language],
                    language=language,
                    channel=channel,
                )
                assert "{" not in said.subject + said.body
                assert said.segments is None or said.segments.messages <= 3
        assert set(WORDS) == set(Step)


@pytest.mark.parametrize(
    ("days", "language", "text"),
    [(1, "en", "1 day"), (2, "en", "2 days"), (0, "en", "none"), (1, "zh-hans", "1 days")],
)
def test_plurals_follow_the_language(days: int, language: str, text: str) -> None:
    wording = "{days, plural, =0 {none} one {# day} other {# days}}"
    assert fill(wording, values={"days": days}, language=language) == text


def test_a_wording_is_filled_in_whole_or_refused() -> None:
    with pytest.raises(BadWording, match="balanse"):
        check("You have {balanse}", known={"balance"})
    with pytest.raises(BadWording, match="balance"):
        fill("You have {balance}", values={}, language="en")
    with pytest.raises(BadWording, match="no number"):
        fill("{n, plural, other {#}}", values={"n": "3"}, language="en")
    for broken in ("{", "}", "{A}", "{n, plural, one {x}}", "{n, plural, other {x}", "{n plural}", "{" * 20):
        with pytest.raises(BadWording):
            check(broken, known={"n"})
    assert fill("it''s '{'{n}'}'", values={"n": 1}, language="en") == "it's {1}"


@given(st.text(alphabet="{}n#, 'pluraothe=1", max_size=40))
def test_no_wording_breaks_its_reader(text: str) -> None:
    try:
        check(text, known={"n"})
    except BadWording:
        return
    fill(text, values={"n": 2}, language="en")


def test_segments_are_counted_as_phones_do() -> None:
    counted = {
        "": ("GSM-7", 0, 0),
        "a" * 160: ("GSM-7", 160, 1),
        "a" * 161: ("GSM-7", 161, 2),
        "€" * 80: ("GSM-7", 160, 1),
        # An extended letter is not split: 153 leaves one septet of the first part unused.
        "a" * 152 + "€" + "a" * 10: ("GSM-7", 164, 2),
        "余" * 70: ("UCS-2", 70, 1),
        "余" * 71: ("UCS-2", 71, 2),
        "余" * 135: ("UCS-2", 135, 3),
        "😀" * 35: ("UCS-2", 70, 1),
    }
    for text, expected in counted.items():
        assert segments(text)[:3] == expected


# --- pace ----------------------------------------------------------------------------------------------------


@given(gaps=st.lists(st.integers(0, 7_200), max_size=60))
def test_nobody_is_bombed_with_codes(gaps: list[int]) -> None:
    """Whatever the tries, never more than one in a minute, five in an hour, ten in a day get through."""
    at_us, sent = NOON_US, []
    for gap_s in gaps:
        at_us += gap_s * 1_000_000
        try:
            admit(kind="to", past_us=[one for one in sent if one > at_us - KEPT_US], now_us=at_us)
        except TooOften:
            continue
        sent.append(at_us)
    for limit in LIMITS["to"]:
        for end_us in sent:
            assert sum(end_us - limit.within_us < one <= end_us for one in sent) <= limit.most


def test_tries_end_and_a_line_rests_longer_each_time() -> None:
    pauses = [retry_us(tries=tries, now_us=0) for tries in range(1, TRIES_MAX + 1)]
    assert pauses[-1] is None
    waits = [one for one in pauses if one is not None]
    assert waits == sorted(waits)
    assert rest_until_us(failures=FAILURES_MAX - 1, now_us=5) == 0
    assert (
        0
        < rest_until_us(failures=FAILURES_MAX, now_us=0)
        < rest_until_us(failures=FAILURES_MAX + 3, now_us=0)
    )
