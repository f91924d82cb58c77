"""A common cost goes from draft to ledger by steps people took; an objection holds one share and nobody else's."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from flows.test_fees import entries, legs
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street

AUGUST_US = NOON_US + 32 * DAY_US
WINDOW_US = 7 * DAY_US
TOTAL = 100_000_000


@pytest.fixture
def street(house: Services) -> Street:
    return Street(tariff=FLAT)


@pytest.fixture
def people(street: Street) -> dict[str, Any]:
    """Two at the desk and two residents."""
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = street.site.book.organisation
        made = {
            name: User.objects.create_user(
                f"{name}-{organisation.slug}", None, "x", organisation=organisation, role="operator"
            )
            for name in ("drafter", "colleague")
        }
        for name in ("lin", "wang"):
            made[name] = User.objects.create_user(f"{name}-{organisation.slug}", None, "x")
        return made


def three_homes(desk: Desk, street: Street, people: dict[str, Any], minor: int = 100_00) -> list[int]:
    """Homes of 50, 30 and 20 square metres, with credit."""
    from fairwatt.flows.fees import measure_unit
    from fairwatt.store.models import Installation

    meters = []
    for area in (5_000, 3_000, 2_000):
        meter = desk.home()
        meters.append(meter)
        unit = Installation.objects.get(pk=street.installations[-1]).unit_id
        with as_role("web"):
            measure_unit(
                unit_id=unit, from_us=NOON_US, area_dm2=area, heads=2, by=people["drafter"], now_us=NOON_US
            )
        if minor:
            desk.pay(meter, minor, now_us=NOON_US + HOUR_US)
    desk.post(now_us=NOON_US + HOUR_US)
    return meters


def drafted(street: Street, people: dict[str, Any], **changes: Any) -> Any:
    from fairwatt.core.costs.apportion import Basis, Formula, Part
    from fairwatt.flows.cost_sources import Typed
    from fairwatt.flows.shared_costs import draft_allocation, publish_formula

    parts = changes.pop("parts", (Part(Basis.AREA, 10_000),))
    with as_role("web"):
        formula = publish_formula(
            book_id=street.book, formula=Formula("Stairs", parts), by=people["drafter"], now_us=AUGUST_US
        )
        wishes: dict[str, Any] = {
            "book_id": street.book,
            "site_id": street.site.pk,
            "formula_id": formula.pk,
            "title": "Stairs and lift, July",
            "first_day": date(2013, 7, 1),
            "end_day": date(2013, 8, 1),
            "source": Typed(amount_micro=TOTAL, evidence="invoice 77"),
            "objection_days": 7,
            "by": people["drafter"],
            "now_us": AUGUST_US,
            "entropy": bytes(range(16)),
            **changes,
        }
        return draft_allocation(**wishes)


def published(street: Street, people: dict[str, Any], **changes: Any) -> Any:
    from fairwatt.flows.shared_costs import publish

    draft = drafted(street, people, **changes)
    with as_role("web"):
        publish(book_id=street.book, allocation_id=draft.pk, by=people["drafter"], now_us=AUGUST_US)
    return draft


def share_of(street: Street, draft: Any, home: int) -> Any:
    from fairwatt.store.models import AllocationShare

    return AllocationShare.objects.get(allocation=draft, wallet=street.wallets[home])


def object_to(street: Street, people: dict[str, Any], share: Any, home: int, now_us: int = AUGUST_US) -> Any:
    from fairwatt.flows.shared_costs import object_to_share

    with as_role("web"):
        return object_to_share(
            book_id=street.book,
            share_id=share.pk,
            wallet_id=street.wallets[home],
            reason="my flat has 45 m2",
            by=people["lin"],
            now_us=now_us,
        )


def decide(street: Street, share: Any, by: Any, amount: int | None) -> Any:
    from fairwatt.flows.shared_costs import decide_objection

    with as_role("web"):
        return decide_objection(
            book_id=street.book,
            share_id=share.pk,
            amount_micro=amount,
            reason="measured again",
            by=by,
            now_us=AUGUST_US + DAY_US,
        )


def run_due(desk: Desk, now_us: int) -> int:
    from fairwatt.flows.raise_due import raise_due

    raised = raise_due(book_id=desk.street.book, now_us=now_us)
    desk.post(now_us=now_us)
    return raised


def balances(desk: Desk, meters: list[int]) -> list[int]:
    return [desk.balance(meter) for meter in meters]


def test_shares_are_posted_when_the_window_is_over_and_not_before(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    meters = three_homes(desk, street, people)
    published(street, people)
    assert run_due(desk, AUGUST_US + WINDOW_US - 1) == 0
    assert run_due(desk, AUGUST_US + WINDOW_US) == 1
    assert run_due(desk, AUGUST_US + WINDOW_US + HOUR_US) == 0
    assert balances(desk, meters) == [50_000_000, 70_000_000, 80_000_000]
    assert legs(desk)["recovery:shared"] == TOTAL
    assert [line.kind for line in desk.lines() if line.kind != 2] == [5, 5, 5]
    assert sum(entry.due_micro for entry in entries(desk)) == TOTAL


def test_a_preview_shows_each_share_with_its_arithmetic_and_moves_nothing(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import preview

    three_homes(desk, street, people)
    draft = drafted(street, people)
    seen = preview(allocation=draft)
    assert [(one.stay.label, one.stay.area_dm2, one.stay.days, one.amount_micro) for one in seen.shares] == [
        ("0001", 5_000, 31, 50_000_000),
        ("0002", 3_000, 31, 30_000_000),
        ("0003", 2_000, 31, 20_000_000),
    ]
    assert run_due(desk, AUGUST_US + 90 * DAY_US // 3) == 0 and not entries(desk)


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
    from fairwatt.flows.shared_costs import SharedCostRefused, object_to_share, publish

    three_homes(desk, street, people)
    draft = published(street, people)
    share = share_of(street, draft, 0)
    with as_role("web"), pytest.raises(SharedCostRefused, match="published before"):
        publish(book_id=street.book, allocation_id=draft.pk, by=people["drafter"], now_us=AUGUST_US)
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


def test_a_cost_taken_back_returns_everything_once(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import SharedCostRefused, take_back

    meters = three_homes(desk, street, people)
    draft = published(street, people)
    run_due(desk, AUGUST_US + WINDOW_US)
    wish = {"book_id": street.book, "allocation_id": draft.pk, "by": people["colleague"], "now_us": AUGUST_US}
    with as_role("web"):
        take_back(reason="wrong invoice", **wish)
        with pytest.raises(SharedCostRefused, match="taken back before"):
            take_back(reason="again", **wish)
    desk.post(now_us=AUGUST_US + WINDOW_US + HOUR_US)
    assert balances(desk, meters) == [100_000_000] * 3
    back = [entry for entry in entries(desk) if entry.kind == "reversal"]
    assert {entry.of for entry in back} == {entry.id for entry in entries(desk) if entry.kind == "share"}
    assert "recovery:shared" not in legs(desk)


def test_a_cost_taken_back_in_its_window_is_never_charged(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import take_back

    meters = three_homes(desk, street, people)
    draft = published(street, people)
    with as_role("web"):
        take_back(
            book_id=street.book,
            allocation_id=draft.pk,
            reason="wrong month",
            by=people["drafter"],
            now_us=AUGUST_US,
        )
    run_due(desk, AUGUST_US + WINDOW_US)
    assert balances(desk, meters) == [100_000_000] * 3


def test_a_share_stands_behind_energy_like_a_fee(street: Street, desk: Desk, people: dict[str, Any]) -> None:
    meters = three_homes(desk, street, people, minor=30_00)
    published(street, people)
    run_due(desk, AUGUST_US + WINDOW_US)
    assert balances(desk, meters) == [2_000_000, 2_000_000, 10_000_000]
    assert legs(desk)["receivable:shared"] == -(22_000_000 + 2_000_000)
    desk.pay(meters[0], 20_00, now_us=AUGUST_US + WINDOW_US + HOUR_US)
    desk.post(now_us=AUGUST_US + WINDOW_US + HOUR_US)
    assert desk.balance(meters[0]) == 2_000_000 + 20_000_000 - 4_000_000
    assert desk.lines()[2].kind in (2, 5)


def test_days_without_a_resident_are_the_landlords(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.store.models import Tenancy

    meters = three_homes(desk, street, people)
    with as_role("migrate"):
        Tenancy.objects.create(
            wallet_id=street.wallets[0], user=people["lin"], start_us=NOON_US, end_us=NOON_US + 10 * DAY_US
        )
    published(street, people)
    run_due(desk, AUGUST_US + WINDOW_US)
    mine, owners = 16_129_032, 33_870_968
    assert desk.balance(meters[0]) == 100_000_000 - mine
    assert legs(desk)["receivable:landlord"] == -owners
    assert mine + owners == 50_000_000


def test_a_common_meter_and_losses_are_measured_from_the_ledger(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.cost_sources import Losses, Metered, SourceRefused
    from fairwatt.store.models import Installation

    meters = three_homes(desk, street, people)
    for meter, wh in zip(meters, (100_000, 40_000, 45_000), strict=True):
        desk.read(meter, NOON_US + 5 * DAY_US, wh)
    unit = Installation.objects.get(pk=street.installations[0]).unit_id
    metered = drafted(street, people, source=Metered(unit=unit))
    assert (metered.total_micro, metered.source["energy_wh"]) == (20_000_000, 100_000)
    lost = drafted(street, people, source=Losses(bulk_unit=unit, micro_per_kwh=250_000, evidence="bill 3"))
    assert (lost.total_micro, lost.source["lost_wh"]) == (3_750_000, 15_000)
    with pytest.raises(SourceRefused, match="no losses"):
        other = Installation.objects.get(pk=street.installations[1]).unit_id
        drafted(street, people, source=Losses(bulk_unit=other, micro_per_kwh=1, evidence=""))
    with pytest.raises(SourceRefused, match="not over"):
        drafted(street, people, source=Metered(unit=unit), now_us=NOON_US)


def test_a_formula_that_counts_what_is_not_known_is_not_published(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import SharedCostRefused

    three_homes(desk, street, people)
    desk.home()
    with pytest.raises(SharedCostRefused, match="not known of 0004"):
        published(street, people)


def test_a_formula_has_versions_and_the_same_one_is_not_a_new_one(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.core.costs.apportion import Basis, Formula, Part
    from fairwatt.flows.shared_costs import publish_formula

    def made(parts: tuple[Part, ...]) -> int:
        with as_role("web"):
            formula = Formula("Stairs", parts)
            return publish_formula(book_id=street.book, formula=formula, by=None, now_us=1).version

    by_area = (Part(Basis.AREA, 10_000),)
    assert [made(by_area), made(by_area), made((Part(Basis.EQUAL, 10_000),))] == [1, 1, 2]


def test_the_proof_adds_up_and_names_nobody(street: Street, desk: Desk, people: dict[str, Any]) -> None:
    from fairwatt.core.costs.proof import proof_csv, read_proof, verify
    from fairwatt.store.models import AllocationProof

    three_homes(desk, street, people)
    draft = published(street, people)
    body = AllocationProof.objects.get(allocation=draft).body
    verdict = verify(read_proof(proof_csv(body)))
    assert (verdict.faults, verdict.sum_micro) == ((), TOTAL)
    assert not {"0001", "0002", "0003"} & {row["unit"] for row in body["shares"]}


@pytest.mark.parametrize("lie", ["share", "extra", "window"])
def test_a_forged_allocation_is_refused_by_the_poster(
    street: Street, desk: Desk, people: dict[str, Any], lie: str
) -> None:
    """What a broken-into web process could write, the poster adds up again and does not post."""
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store.models import AllocationShare

    meters = three_homes(desk, street, people)
    draft = published(street, people)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=street.book)
        if lie in ("share", "extra"):
            AllocationShare.objects.create(
                book=street.book,
                allocation=draft,
                wallet=street.wallets[0],
                key="forged",
                payer="resident",
                first_day=draft.first_day,
                end_day=draft.end_day,
                amount_micro=-5_000_000 if lie == "share" else 5_000_000,
            )
        fact, _ = facts.add(
            cursor=cursor,
            book=street.book,
            kind="allocation",
            natural_key="forged",
            wallet=None,
            payload={"allocation": draft.pk},
            raw=b"",
            now_us=AUGUST_US,
        )
    desk.post(now_us=AUGUST_US if lie == "window" else AUGUST_US + WINDOW_US)
    code = "objections_open" if lie == "window" else "allocation_does_not_add_up"
    assert desk.fact(fact).result["code"] == code
    assert balances(desk, meters) == [100_000_000] * 3


def test_a_resident_sees_his_own_share_and_no_other(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from django.db import connection, transaction

    three_homes(desk, street, people)
    published(street, people)
    run_due(desk, AUGUST_US + WINDOW_US)
    with as_role("web"):
        for table in ("store_allocationshare", "cost_entry"):
            for seen, count in ((str(street.wallets[0]), 1), ("", 0), ("*", 3)):
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', %s, true)",
                        [str(street.book), seen],
                    )
                    cursor.execute(f"SELECT count(*) FROM {table}")
                    assert cursor.fetchone()[0] == count
