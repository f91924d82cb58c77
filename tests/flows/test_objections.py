"""An objection holds one share and nobody else's, until a person decides it."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.costs import (
    AUGUST_US,
    TOTAL,
    WINDOW_US,
    balances,
    decide,
    legs,
    object_to,
    publish_as_seen,
    published,
    resident,
    run_due,
    share_of,
    staff,
    three_homes,
)
from support.desk import Desk
from support.house import as_role
from support.street import FLAT, HOUR_US, Street


@pytest.fixture
def street(house: Services) -> Street:
    return Street(tariff=FLAT)


@pytest.fixture
def people(street: Street) -> dict[str, Any]:
    """Two at the desk and a resident."""
    return {
        "drafter": staff(street, "drafter"),
        "colleague": staff(street, "colleague"),
        "lin": resident(street, "lin"),
    }


def test_an_objection_holds_its_share_and_nobody_else_waits(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    meters = three_homes(desk, street, people)
    draft = published(street, people)
    object_to(street, people, share_of(street, draft, 0), 0)
    run_due(desk, AUGUST_US + WINDOW_US)
    assert balances(desk, meters) == [100_000_000, 70_000_000, 80_000_000]
    (event,) = desk.events("shared.posted")
    assert (event.evidence["shares"], event.evidence["held"]) == (2, 1)


@pytest.mark.parametrize("before_the_deadline", [True, False])
def test_a_rejected_objection_is_posted_as_published(
    street: Street, desk: Desk, people: dict[str, Any], before_the_deadline: bool
) -> None:
    meters = three_homes(desk, street, people)
    draft = published(street, people)
    share = share_of(street, draft, 0)
    object_to(street, people, share, 0)
    if not before_the_deadline:
        run_due(desk, AUGUST_US + WINDOW_US)
        assert desk.balance(meters[0]) == 100_000_000
    decide(street, share, people["colleague"], None)
    run_due(desk, AUGUST_US + WINDOW_US + HOUR_US)
    assert balances(desk, meters) == [50_000_000, 70_000_000, 80_000_000]
    assert run_due(desk, AUGUST_US + WINDOW_US + 2 * HOUR_US) == 0


@pytest.mark.parametrize("before_the_deadline", [True, False])
def test_an_upheld_objection_lowers_the_share_and_the_landlord_carries_the_rest(
    street: Street, desk: Desk, people: dict[str, Any], before_the_deadline: bool
) -> None:
    meters = three_homes(desk, street, people)
    draft = published(street, people)
    share = share_of(street, draft, 0)
    object_to(street, people, share, 0)
    if not before_the_deadline:
        run_due(desk, AUGUST_US + WINDOW_US)
    decide(street, share, people["colleague"], 45_000_000)
    run_due(desk, AUGUST_US + WINDOW_US + HOUR_US)
    assert balances(desk, meters) == [55_000_000, 70_000_000, 80_000_000]
    assert legs(desk)["receivable:landlord"] == -5_000_000
    assert legs(desk)["recovery:shared"] == TOTAL, "the sum stays the published total"


def test_an_objection_upheld_to_nothing_leaves_the_resident_alone(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    meters = three_homes(desk, street, people)
    draft = published(street, people)
    share = share_of(street, draft, 2)
    object_to(street, people, share, 2)
    decide(street, share, people["colleague"], 0)
    run_due(desk, AUGUST_US + WINDOW_US)
    assert desk.balance(meters[2]) == 100_000_000
    assert legs(desk)["receivable:landlord"] == -20_000_000


def test_who_drafted_does_not_decide_while_there_is_a_colleague(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import SharedCostRefused
    from fairwatt.store.models import CostStep, User

    three_homes(desk, street, people)
    draft = published(street, people)
    share = share_of(street, draft, 0)
    object_to(street, people, share, 0)
    with pytest.raises(SharedCostRefused, match="ask a colleague"):
        decide(street, share, people["drafter"], None)
    with as_role("migrate"):
        User.objects.filter(pk=people["colleague"].pk).update(is_active=False)
    decide(street, share, people["drafter"], None)
    steps = CostStep.objects.filter(share=share.pk).order_by("id")
    assert [(step.kind, step.person_id) for step in steps] == [
        ("objected", people["lin"].pk),
        ("rejected", people["drafter"].pk),
    ]


def test_steps_that_cannot_be_taken_are_refused_in_words(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import SharedCostRefused, object_to_share

    three_homes(desk, street, people)
    draft = published(street, people)
    share = share_of(street, draft, 0)
    with pytest.raises(SharedCostRefused, match="published before"):
        publish_as_seen(street, people, draft, "")
    with pytest.raises(SharedCostRefused, match="time for objections is over"):
        object_to(street, people, share, 0, now_us=AUGUST_US + WINDOW_US)
    with pytest.raises(SharedCostRefused, match="no such share of this home"):
        object_to(street, people, share, 1)
    with as_role("web"), pytest.raises(SharedCostRefused, match="write a reason"):
        object_to_share(
            book_id=street.book,
            share_id=share.pk,
            wallet_id=street.wallets[0],
            reason=" ",
            by=people["lin"],
            now_us=AUGUST_US,
        )
    with pytest.raises(SharedCostRefused, match="no open objection"):
        decide(street, share, people["colleague"], None)
    object_to(street, people, share, 0)
    with pytest.raises(SharedCostRefused, match="objection already"):
        object_to(street, people, share, 0)
    with pytest.raises(SharedCostRefused, match="lowers the share"):
        decide(street, share, people["colleague"], 50_000_000)


def test_an_objection_that_reaches_the_database_behind_the_posting_is_refused(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    """Begun before the deadline by its own clock; the share is charged meanwhile, and the objection waits for that."""
    from fairwatt.flows.shared_costs import SharedCostRefused

    meters = three_homes(desk, street, people)
    draft = published(street, people)
    run_due(desk, AUGUST_US + WINDOW_US)
    assert desk.balance(meters[0]) == 50_000_000
    with pytest.raises(SharedCostRefused, match="has been or will be charged"):
        object_to(street, people, share_of(street, draft, 0), 0, now_us=AUGUST_US + WINDOW_US - 1)


def test_objection_and_posting_take_the_same_lock(
    street: Street, desk: Desk, people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.store import costs

    locked: list[int] = []
    real = costs.lock_shares

    def noted(**asked: Any) -> None:
        real(**asked)
        locked.append(asked["allocation"])

    monkeypatch.setattr(costs, "lock_shares", noted)
    three_homes(desk, street, people)
    draft = published(street, people)
    object_to(street, people, share_of(street, draft, 0), 0)
    run_due(desk, AUGUST_US + WINDOW_US)
    assert locked == [draft.pk, draft.pk]


def test_a_refused_posting_is_asked_again_a_day_later(
    street: Street, desk: Desk, people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import shares

    meters = three_homes(desk, street, people)
    published(street, people)

    def missing(*_: Any, **__: Any) -> Any:
        raise shares._refuse("cost_unknown_wallet", "not yet there")

    with monkeypatch.context() as patched:
        patched.setattr(shares, "charge_owed", missing)
        assert run_due(desk, AUGUST_US + WINDOW_US) == 1
    assert run_due(desk, AUGUST_US + WINDOW_US + HOUR_US) == 0
    assert balances(desk, meters) == [100_000_000] * 3
    assert run_due(desk, AUGUST_US + WINDOW_US + 25 * HOUR_US) == 1
    assert balances(desk, meters) == [50_000_000, 70_000_000, 80_000_000]
    assert run_due(desk, AUGUST_US + WINDOW_US + 50 * HOUR_US) == 0


def test_a_cost_is_shared_once_unless_it_was_taken_back(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import SharedCostRefused, take_back

    three_homes(desk, street, people)
    first = published(street, people)
    with pytest.raises(SharedCostRefused, match="has shared this very cost"):
        published(street, people, title="Stairs again")
    with as_role("web"):
        asked = {"book_id": street.book, "allocation_id": first.pk, "reason": "wrong days"}
        take_back(**asked, by=people["colleague"], now_us=AUGUST_US)
    published(street, people, title="Stairs again")
