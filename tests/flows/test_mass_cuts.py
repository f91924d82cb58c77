"""Too many cuts at once are held back, and a person is asked; one home at a time is as before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.credit.blast import WINDOW_US, MassCuts, credit_limit, order_limit
from fairwatt.server.launcher.services import Services
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import HOUR_US, NOON_US, Street, reading

HOMES = 30


@given(st.integers(0, 1_000_000))
def test_the_limits_are_what_is_written(meters: int) -> None:
    assert credit_limit(meters=meters) == max(20, meters // 100)
    assert 1 <= order_limit(meters=meters) <= 20
    assert order_limit(meters=meters) <= credit_limit(meters=meters)


def test_a_meter_counts_once_and_for_an_hour() -> None:
    cuts = MassCuts().noted(frozenset({1, 2}), now_us=0).noted(frozenset({2, 3}), now_us=10)
    assert cuts.counted(now_us=11) == {1, 2, 3}
    assert cuts.counted(now_us=WINDOW_US + 5) == {3}


@pytest.fixture
def many(house: Services) -> Iterator[Desk]:
    """Thirty homes, each with a reading and no credit, warned an hour ago."""
    street = Street()
    for _ in range(HOMES):
        street.open_home()
    with opened_desk(street) as desk:
        yield desk
        check_laws(street.book, acked=desk.acked)


def empty(desk: Desk, homes: list[int]) -> int:
    """Let homes use up what they never had, be warned, and be due for a cut; return the instant."""
    street = desk.street
    for hours, wh in ((1, 5_000), (3, 6_000)):
        at_us = NOON_US + hours * HOUR_US
        desk.post(street.readings(*(reading(meter, at_us, wh) for meter in homes)), now_us=at_us)
    return NOON_US + 3 * HOUR_US


def kinds(desk: Desk) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in desk.events():
        found[event.kind] = found.get(event.kind, 0) + 1
    return found


def answer(desk: Desk, *, allow: bool, role: str = "admin", now_us: int) -> Any:
    """Ask as an administrator would at the console."""
    from fairwatt.flows.answer_mass_cut import answer_mass_cut
    from fairwatt.store.models import User

    with as_role("migrate"):
        name = f"{role}-{desk.street.book}-{now_us}"
        person = User.objects.create_user(
            name, None, "x", organisation=desk.street.site.book.organisation, role=role
        )
    since = desk.state.mass_cuts.held_since_us
    with as_role("web"):
        return answer_mass_cut(
            book_id=desk.street.book,
            since_us=since,
            allow=allow,
            words="meant",
            user_id=person.pk,
            now_us=now_us,
        )


def test_up_to_the_limit_cuts_are_as_ever(many: Desk) -> None:
    empty(many, many.street.homes[:20])
    assert kinds(many)["supply.cut"] == 20
    assert "alarm.mass_cut" not in kinds(many)


def test_a_batch_beyond_the_limit_cuts_nobody_and_asks(many: Desk) -> None:
    at_us = empty(many, many.street.homes)
    told = kinds(many)
    assert "supply.cut" not in told
    assert (told["alarm.mass_cut"], told["supply.withheld"]) == (1, HOMES * 2)
    (alarm,) = many.events("alarm.mass_cut")
    assert alarm.evidence == {"recent": 0, "wanted": HOMES, "limit": 20, "meters": HOMES}
    held = [event for event in many.events("supply.withheld") if event.reason == "mass_cut"]
    assert len(held) == HOMES
    assert held[0].rule == "withhold.mass_cut"
    many.open(now_us=at_us)  # a poster that starts anew knows it from the events
    assert many.state.mass_cuts.held_since_us == at_us
    later = at_us + 2 * HOUR_US
    many.post(many.street.readings(*(reading(m, later, 6_500) for m in many.street.homes[:3])), now_us=later)
    assert "supply.cut" not in kinds(many), "the hour is over, the question is not answered"
    assert kinds(many)["alarm.mass_cut"] == 1, "and it is not asked twice"


def test_allowed_the_held_homes_are_cut_at_once(many: Desk) -> None:
    at_us = empty(many, many.street.homes)
    answer(many, allow=True, now_us=at_us)
    many.post(now_us=at_us)
    assert kinds(many)["supply.cut"] == HOMES
    assert many.state.mass_cuts.held_since_us is None
    many.open(now_us=at_us)
    assert len(many.state.mass_cuts.counted(now_us=at_us)) == HOMES


def test_refused_everybody_keeps_power_and_the_alarm_comes_again(many: Desk) -> None:
    at_us = empty(many, many.street.homes)
    answer(many, allow=False, now_us=at_us)
    many.post(now_us=at_us + 1)
    told = kinds(many)
    assert "supply.cut" not in told
    assert (told["supply.mass_cut_refused"], told["alarm.mass_cut"]) == (1, 2)


def test_an_operator_may_not_answer_and_a_forged_fact_is_refused(many: Desk) -> None:
    from fairwatt.flows.desk import NotAllowed
    from fairwatt.store import facts

    at_us = empty(many, many.street.homes)
    with pytest.raises(NotAllowed):
        answer(many, allow=True, role="operator", now_us=at_us)
    with as_role("web"):
        from django.db import connection, transaction

        with transaction.atomic(), connection.cursor() as cursor:
            facts.add(
                cursor=cursor,
                book=many.street.book,
                kind="mass_cut_answer",
                natural_key="forged",
                wallet=None,
                payload={"allow": True, "since_us": at_us, "author": 999_999},
                raw=b"",
                now_us=at_us,
            )
    many.post(now_us=at_us)
    assert "supply.cut" not in kinds(many)


def test_somebody_who_pays_is_not_held(many: Desk) -> None:
    at_us = empty(many, many.street.homes)
    many.pay(many.street.homes[0], 50_00, now_us=at_us)
    many.post(now_us=at_us)
    assert many.balance(many.street.homes[0]) > 0
    assert "supply.cut" not in kinds(many)
