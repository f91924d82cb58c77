"""A dead meter's estimate is charged once, on a person's word; it cuts nobody, and the next total settles it."""

from __future__ import annotations

from typing import Any

import pytest

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
    from django.utils import translation

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
    assert labels["Clock of the gateway"] == "offset not recorded"


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
