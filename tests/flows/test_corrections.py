"""What was wrong in the past is set right to the very totals it would have given in time, and says so."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from flows.test_explain import explained, replayed
from flows.test_late import EVENING_US, MINUTE_US, TWO_VERSIONS, steps, totals
from support.corrections import edit
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, NOON_US, Street, reading


def all_is_explained(desk: Desk, homes: int = 1) -> None:
    for account in explained(desk):
        assert account.differences == (), f"{account.id} {account.what}"
        assert account.recomputed
    for n in range(homes):
        assert replayed(desk, n).slips == []


@settings(
    max_examples=6,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=steps, data=st.data())
def test_late_and_edited_readings_in_any_order_end_where_right_ones_in_time_would(
    house: Services, steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    ats = list(accumulate((minutes * MINUTE_US for minutes, _ in steps), initial=EVENING_US))[1:]
    used = list(accumulate(minutes * watts // 60 for minutes, watts in steps))
    right = dict(zip(ats, used, strict=True))
    struck = data.draw(st.sets(st.sampled_from(ats[:-1])), label="struck out")
    wrong = data.draw(st.sets(st.sampled_from(ats)), label="read off wrongly")
    arrivals = data.draw(st.permutations(ats), label="arrivals")
    misread = {at: max(low, right[at] - 97) for at, low in zip(ats, [0, *used], strict=False)}
    street = Street(tariff=TWO_VERSIONS, opened_us=EVENING_US)
    in_time, other = (street.open_home() for _ in range(2))
    now = ats[-1]
    with opened_desk(street) as desk:
        true = [reading(in_time, at, wh) for at, wh in right.items() if at not in struck]
        desk.post(street.readings(*true), now_us=now)
        for at in arrivals:
            shown = misread[at] if at in wrong else right[at]
            desk.post(street.readings(reading(other, at, shown)), now_us=now)
        expected = {at for at in ats if at in wrong and misread[at] != right[at]}
        said = [(at, right[at]) for at in sorted(expected)] + [(at, None) for at in sorted(struck)]
        for k, (at, wh) in enumerate(data.draw(st.permutations(said), label="edits")):
            fact = edit(desk, at, wh, n=1, now_us=now + k)
            answer = {}
            for _ in range(3):
                desk.post(now_us=now)
                desk.open(now_us=now)
                answer = desk.fact(fact).result or {}
                if answer:
                    break
            assert "difference_micro" in answer or answer["code"] == "unknown_reading", answer
        assert totals(desk, other) == totals(desk, in_time)
        all_is_explained(desk, homes=2)
        check_laws(street.book, acked=desk.acked)


def test_an_edit_says_who_and_why_and_the_reading_itself_stays(desk: Desk) -> None:
    meter = desk.home()
    for hour, wh in ((9, 9_000), (14, 30_000), (20, 31_000)):
        desk.read(meter, NOON_US + hour * HOUR_US, wh)
    fact = edit(desk, NOON_US + 14 * HOUR_US, 14_000)
    desk.post(now_us=NOON_US + 21 * HOUR_US)
    assert desk.fact(fact).state == "posted"
    energy = next(account for account in explained(desk) if account.what == "correction")
    assert energy.corrects is not None
    assert (energy.corrects.cause, energy.corrects.author) == ("edited", "ada")
    assert energy.corrects.readings == ((NOON_US + 14 * HOUR_US, 14_000),)
    assert [line.register_wh for line in desk.lines() if line.kind == 1] == [9_000, 30_000, 31_000]
    all_is_explained(desk)


def test_the_newest_reading_set_right_is_what_the_next_one_counts_from(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 9 * HOUR_US, 9_000)
    desk.read(meter, NOON_US + 20 * HOUR_US, 90_000)
    edit(desk, NOON_US + 20 * HOUR_US, 20_000)
    frame = desk.street.readings(reading(meter, NOON_US + 21 * HOUR_US, 21_000))
    desk.post(frame, now_us=NOON_US + 21 * HOUR_US)
    assert sum(line.energy_wh for line in desk.lines()) == 21_000
    desk.open(now_us=NOON_US + 21 * HOUR_US)
    desk.read(meter, NOON_US + 22 * HOUR_US, 22_000)
    assert desk.quarantine() == []
    all_is_explained(desk)


@pytest.mark.parametrize(
    ("at_hours", "wh", "code"),
    [
        (13, 14_000, "unknown_reading"),
        (14, 30_000, "nothing_changes"),
        (20, None, "newest_reading"),
        (14, 8_000, "backward"),
        (0, 5, "before_installation"),
    ],
)
def test_an_edit_that_cannot_be_true_is_refused_and_nothing_moves(
    desk: Desk, at_hours: int, wh: int | None, code: str
) -> None:
    meter = desk.home()
    for hour, shown in ((9, 9_000), (14, 30_000), (20, 31_000)):
        desk.read(meter, NOON_US + hour * HOUR_US, shown)
    before = len(desk.lines())
    fact = edit(desk, NOON_US + at_hours * HOUR_US, wh)
    desk.post(now_us=NOON_US + 21 * HOUR_US)
    assert (desk.fact(fact).state, desk.fact(fact).result["code"]) == ("refused", code)
    assert len(desk.lines()) == before


@pytest.mark.parametrize("role", ["web", "poster"])
def test_only_commissioning_moves_money_by_an_edit(desk: Desk, role: str) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 9 * HOUR_US, 9_000)
    desk.read(meter, NOON_US + 14 * HOUR_US, 30_000)
    if role == "web":
        from django.db import ProgrammingError

        with pytest.raises(ProgrammingError, match="row-level security"):
            edit(desk, NOON_US + 9 * HOUR_US, 8_000, role=role)
        return
    fact = edit(desk, NOON_US + 9 * HOUR_US, 8_000, role=role)
    desk.post(now_us=NOON_US + 21 * HOUR_US)
    assert desk.fact(fact).result["code"] == "not_authorised"


def test_the_same_word_on_a_reading_is_one_fact_until_another_is_said(desk: Desk) -> None:
    meter = desk.home()
    for hour, wh in ((9, 9_000), (14, 30_000), (20, 31_000)):
        desk.read(meter, NOON_US + hour * HOUR_US, wh)
    at_us, now_us = NOON_US + 14 * HOUR_US, NOON_US + 21 * HOUR_US
    said = []
    for wh in (14_000, 14_000, 15_000, 14_000):
        said.append(edit(desk, at_us, wh, now_us=now_us + len(said)))
        desk.post(now_us=now_us)
    assert len(set(said)) == 3 and said[0] == said[1]
    assert {desk.fact(fact).state for fact in said} == {"posted"}


def test_edits_that_wait_keep_no_payment_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairwatt.flows.posting import facts

    meter = desk.home()
    for hour in (1, 2, 3):
        desk.read(meter, NOON_US + hour * HOUR_US, hour * 1_000)
    monkeypatch.setattr(facts, "FACTS_MAX", 2)
    for n in range(4):
        edit(desk, NOON_US + HOUR_US, 900 - n)
    paid = [desk.pay(meter, 10_00, now_us=NOON_US + 4 * HOUR_US + n) for n in range(3)]
    result = desk.post(now_us=NOON_US + 5 * HOUR_US)
    assert [desk.fact(fact).state for fact in paid] == ["posted", "posted", "waiting"]
    assert result.facts_wait


def test_a_correction_that_empties_a_wallet_warns_anew_before_any_cut(desk: Desk) -> None:
    meter = desk.home()
    noon = NOON_US + DAY_US
    desk.pay(meter, 3_50, now_us=NOON_US)
    desk.read(meter, noon - HOUR_US, 18_000)
    desk.read(meter, noon, 18_100)  # about 0.09 left: warned low and almost gone
    assert 0 < desk.balance(meter) < 1_000_000
    assert [event.kind for event in desk.events("warning")] != []
    later = noon + 2 * HOUR_US
    desk.read(meter, later, 18_200)
    edit(desk, later, 20_500, now_us=later)
    desk.post(now_us=later)
    assert desk.balance(meter) < 0
    assert [event.kind for event in desk.events("credit.corrected")] == ["credit.corrected"]
    assert desk.events("warning")[-1].kind == "warning.empty" and desk.events("warning")[-1].at_us == later
    assert desk.events("supply.cut") == [], "the old warnings do not count"
    desk.open(now_us=later)
    desk.read(meter, later + HOUR_US // 2, 20_600)
    assert desk.events("supply.cut") == []
    desk.read(meter, later + HOUR_US + HOUR_US // 10, 20_700)
    assert len(desk.events("supply.cut")) == 1, "then the ladder goes on as always"


def test_a_debt_brought_over_warns_anew_before_any_cut(desk: Desk) -> None:
    from fairwatt.flows.keep_books import bring_balance_over

    meter = desk.home()
    noon = NOON_US + DAY_US
    desk.pay(meter, 3_50, now_us=NOON_US)
    desk.read(meter, noon - HOUR_US, 18_000)
    desk.read(meter, noon, 18_100)
    later = noon + 2 * HOUR_US
    desk.read(meter, later, 18_200)
    with as_role("migrate"):
        bring_balance_over(
            wallet_id=desk.street.wallets[0], amount_micro=-50_000_000, reference="old", now_us=later
        )
    desk.post(now_us=later)
    assert desk.balance(meter) < 0 and desk.events("supply.cut") == []
    assert desk.events("warning")[-1].at_us == later
