"""A dead meter's estimate is charged once, on a person's word; it cuts nobody, and the next total settles it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street, reading

HALF_US = HOUR_US // 2
DEAD_US = NOON_US + 8 * DAY_US
NOW_US = DEAD_US + 2 * DAY_US + HALF_US


@pytest.fixture
def person(street: Street) -> Any:
    from fairwatt.store.models import User

    with as_role("migrate"):
        return User.objects.create_user(
            f"op-{street.site.book.slug}",
            None,
            "x",
            organisation=street.site.book.organisation,
            role="operator",
        )


@pytest.fixture
def meter(desk: Desk) -> int:
    """A home with eight days of use, a kilowatt-hour an hour, and then silence."""
    home = desk.home()
    half_hours = range(1, 8 * 48 + 1)
    desk.pay(home, 52_00, now_us=NOON_US)
    for day in range(8):
        frames = [
            desk.street.readings(reading(home, NOON_US + n * HALF_US, n * 500))
            for n in half_hours[day * 48 : (day + 1) * 48]
        ]
        desk.post(*frames, now_us=NOON_US + (day + 1) * DAY_US)
    return home


def approve(street: Street, person: Any, *, now_us: int = NOW_US, **changes: Any) -> int:
    from fairwatt.flows.approve_estimate import approve_estimate, propose_estimate
    from fairwatt.store.models import Meter

    meter = Meter.objects.get(gateway=street.gateway, number=street.homes[0])
    found = propose_estimate(book_id=street.book, meter_id=meter.pk, now_us=now_us)
    asked = {
        "book_id": street.book,
        "meter_id": meter.pk,
        "seen_from_us": found.from_us if found else 0,
        "seen_wh": found.wh if found else 0,
        "reason": "display dark, photo 7",
        "user_id": person.pk,
        "now_us": now_us,
    }
    with as_role("web"):
        return approve_estimate(**{**asked, **changes})


def test_an_approved_estimate_is_charged_once_by_the_tariff(desk: Desk, meter: int, person: Any) -> None:
    fact = approve(desk.street, person)
    before = desk.balance(meter)
    desk.post(now_us=NOW_US)

    line = desk.lines()[-1]
    assert desk.fact(fact).state == "posted"
    assert (line.energy_wh, line.register_wh) == (48_000, 8 * 24_000 + 48_000)
    assert desk.balance(meter) == before + line.amount_micro < before
    assert desk.events("estimate.charged")[0].evidence["author"] == person.pk
    from fairwatt.flows.approve_estimate import EstimateImpossible

    with pytest.raises(EstimateImpossible):
        approve(desk.street, person)
    lines = len(desk.lines())
    desk.post(now_us=NOW_US + HALF_US)
    assert len(desk.lines()) == lines


def test_the_line_says_that_it_was_estimated_and_who_approved_it(desk: Desk, meter: int, person: Any) -> None:
    from fairwatt.flows.explaining.ids import LineId
    from fairwatt.flows.explaining.line import explain_line
    from fairwatt.web.design import arithmetic, sentences

    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    charge, read = (
        explain_line(line_id=LineId(line.book, line.wallet, line.seq))
        for line in (desk.lines()[-1], desk.lines()[-2])
    )
    assert charge.agrees and charge.recomputed
    assert charge.estimate is not None and charge.estimate.approved_by == person.username
    assert f"{person.username} approved it" in sentences.sentence(account=charge)
    with translation.override("zh-hans"):
        assert f"由 {person.username} 批准" in sentences.sentence(account=charge)
    assert read.estimate is None and "estimated" not in sentences.sentence(account=read)
    labels = {step.label: step.figure for step in arithmetic.steps(account=read)}
    assert labels["Clock of the gateway"] == "within a second of ours"


def test_nobody_is_cut_on_an_estimate(desk: Desk, meter: int, person: Any) -> None:
    """Friendly hours are over, the warning is old, the balance is below zero: only the doubt keeps the power on."""
    approve(desk.street, person, now_us=NOW_US)
    desk.post(now_us=NOW_US)
    late_us = NOW_US + HALF_US
    desk.open(now_us=late_us)  # also a poster that starts anew knows it
    desk.pay(meter, 1, now_us=late_us)  # a penny makes the decider look again
    desk.post(now_us=late_us + HALF_US)
    desk.pay(meter, 1, now_us=late_us + HALF_US)
    desk.post(now_us=late_us + 2 * HALF_US)
    assert desk.balance(meter) < 0
    assert {event.reason for event in desk.events("supply.withheld")} >= {"quarantined"}
    assert not [order for order in desk.orders() if order.relay == 0]
    assert "dead_meter" in desk.quarantine()


def test_the_next_total_settles_what_was_really_used(desk: Desk, meter: int, person: Any) -> None:
    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    desk.read(meter, NOW_US + HOUR_US, 8 * 24_000 + 50_500)

    assert desk.lines()[-1].energy_wh == 2_500


def test_a_meter_that_was_read_meanwhile_is_not_estimated(desk: Desk, meter: int, person: Any) -> None:
    fact = approve(desk.street, person)
    frame = desk.street.readings(reading(meter, NOW_US, 8 * 24_000 + 30_000))
    desk.post(frame, now_us=NOW_US)

    assert desk.fact(fact).state == "refused"
    assert desk.fact(fact).result["code"] == "estimate_refused"
    assert desk.lines()[-1].energy_wh == 30_000


def test_what_the_poster_refused_is_approved_again_on_new_evidence(
    desk: Desk, meter: int, person: Any
) -> None:
    """Where the tariff was out of force that day, or the connection too small, the same silence is looked at again."""
    from fairwatt.flows.approve_estimate import EstimateImpossible

    desk.state.registers["max_power_w"] = 1  # as if the connection could not have carried so much
    refused = approve(desk.street, person)
    with pytest.raises(EstimateImpossible, match="approved before"):
        approve(desk.street, person)
    desk.post(now_us=NOW_US)
    assert desk.fact(refused).state == "refused"
    desk.open(now_us=NOW_US)
    again = approve(desk.street, person, reason="checked the fuse, photo 8")
    desk.post(now_us=NOW_US)
    assert desk.fact(again).state == "posted"
    assert desk.lines()[-1].energy_wh == 48_000
    with pytest.raises(EstimateImpossible):
        approve(desk.street, person)


def test_without_a_persons_row_a_fact_charges_nothing(desk: Desk, meter: int) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=desk.street.book,
            kind="estimate",
            natural_key="estimate:forged",
            wallet=None,
            payload={"approval": 999_999_999},
            raw=b"",
            now_us=NOW_US,
        )
    lines = len(desk.lines())
    desk.post(now_us=NOW_US)
    assert desk.fact(fact).result["code"] == "estimate_refused"
    assert len(desk.lines()) == lines


def test_a_meter_read_within_a_day_is_not_dead(desk: Desk, meter: int, person: Any) -> None:
    from fairwatt.flows.approve_estimate import EstimateImpossible

    with pytest.raises(EstimateImpossible, match="look at it again"):
        approve(desk.street, person, now_us=DEAD_US + DAY_US - HOUR_US)


def shown(days: int, wh: int = 0) -> int:
    """What the register shows after some days of a kilowatt-hour an hour, and a little more."""
    return days * 24_000 + wh


def spoken(line: Any) -> str:
    from fairwatt.flows.explaining.ids import LineId
    from fairwatt.flows.explaining.line import explain_line
    from fairwatt.web.design import sentences

    return sentences.sentence(account=explain_line(line_id=LineId(line.book, line.wallet, line.seq)))


def explained(desk: Desk) -> None:
    """Every line since the last day before the silence works out again."""
    from fairwatt.flows.explaining.ids import LineId
    from fairwatt.flows.explaining.line import explain_line

    for line in desk.lines()[-(48 + 24) :]:
        account = explain_line(line_id=LineId(line.book, line.wallet, line.seq))
        assert account.agrees and account.recomputed, (line.seq, account.differences)


@pytest.mark.parametrize(("real_wh", "restarted"), [(10, True), (25_000, False)])
def test_a_real_reading_below_the_estimate_is_believed_and_the_money_comes_back(
    desk: Desk, meter: int, person: Any, real_wh: int, restarted: bool
) -> None:
    before = desk.balance(meter)
    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    charged = before - desk.balance(meter)
    if restarted:
        desk.open(now_us=NOW_US)
    desk.read(meter, NOW_US + HOUR_US, shown(8, real_wh))

    assert "backward_register" not in desk.quarantine()
    (told,) = desk.events("estimate.trued_up")
    assert told.evidence["estimated_wh"] == shown(10) > told.evidence["register_wh"] >= shown(8)
    back = [line for line in desk.lines() if line.kind == 3]
    assert "the estimate gave way" in spoken(back[0])
    with translation.override("zh-hans"):
        assert "估算值让位于" in spoken(back[0])
    assert sum(line.amount_micro for line in back) == -told.evidence["difference_micro"] > 0
    assert before - desk.balance(meter) < charged
    assert sum(line.energy_wh for line in desk.lines()) == shown(8, real_wh)
    assert not [order for order in desk.orders() if order.relay == 0]
    explained(desk)
    lines = len(desk.lines())
    for n in range(1, 3):  # nothing is left to be set right, and the register goes on from what was read
        desk.read(meter, NOW_US + (1 + n) * HOUR_US, shown(8, real_wh + n * 1_000))
    assert len(desk.lines()) == lines + 2
    assert len(desk.events("estimate.trued_up")) == 1


def test_a_real_reading_far_above_the_estimate_is_believed_as_well(
    desk: Desk, meter: int, person: Any
) -> None:
    """More than the meter can carry in half an hour, but not in the two days that it was silent."""
    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    desk.read(meter, NOW_US + HALF_US, shown(8, 300_000))
    assert [code for code in desk.quarantine() if code != "dead_meter"] == []
    assert sum(line.energy_wh for line in desk.lines()) == shown(8, 300_000)
    explained(desk)


def test_a_register_below_its_last_real_reading_stays_in_quarantine(
    desk: Desk, meter: int, person: Any
) -> None:
    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    balance = desk.balance(meter)
    desk.read(meter, NOW_US + HOUR_US, shown(8) - 1)
    assert desk.quarantine()[-1] == "backward_register"
    assert (desk.balance(meter), desk.events("estimate.trued_up")) == (balance, [])


@pytest.mark.parametrize("order", ["in time", "newest first", "one batch"])
def test_the_spool_of_a_silent_gateway_is_believed_over_the_estimate_in_any_order(
    desk: Desk, meter: int, person: Any, order: str
) -> None:
    """The meter went on counting, slower and faster than estimated: what it says replaces what was guessed."""
    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    said = [
        reading(meter, DEAD_US + n * 6 * HOUR_US, shown(8, 9_000 * n if n < 7 else 54_000 + n * 10))
        for n in range(1, 12)
    ]
    frames = [desk.street.readings(one) for one in said]
    if order == "one batch":
        desk.post(*frames, now_us=NOW_US + DAY_US)
    else:
        for n, frame in enumerate(frames if order == "in time" else reversed(frames)):
            desk.post(frame, now_us=NOW_US + DAY_US + n)
    assert [code for code in desk.quarantine() if code != "dead_meter"] == []
    assert sum(line.energy_wh for line in desk.lines()) == shown(8, 54_110)
    explained(desk)


def test_two_estimates_in_a_row_give_way_together(desk: Desk, meter: int, person: Any) -> None:
    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    later_us = NOW_US + 3 * DAY_US
    approve(desk.street, person, now_us=later_us)
    desk.post(now_us=later_us)
    assert desk.lines()[-1].register_wh > shown(12)
    desk.read(meter, later_us + HOUR_US, shown(8, 5_000))
    assert len(desk.events("estimate.trued_up")) == 2
    assert sum(line.energy_wh for line in desk.lines()) == shown(8, 5_000)
    assert [code for code in desk.quarantine() if code != "dead_meter"] == []
    explained(desk)


def test_what_the_meter_says_of_the_estimated_instant_itself_is_its_value(
    desk: Desk, meter: int, person: Any
) -> None:
    approve(desk.street, person)
    desk.post(now_us=NOW_US)
    for _ in range(2):
        desk.read(meter, NOW_US - HALF_US, shown(8, 20_000), now_us=NOW_US + HOUR_US)
    (told,) = desk.events("estimate.trued_up")
    assert told.evidence["register_wh"] == shown(8, 20_000)
    desk.read(meter, NOW_US + HOUR_US, shown(8, 19_000))  # and then it is real: nothing may go below it
    assert desk.quarantine()[-1] == "backward_register"
    explained(desk)
