"""A common cost goes from draft to ledger, adds up to its total, and comes back whole."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import ProgrammingError

from fairwatt.server.launcher.services import Services
from support.costs import (
    AUGUST_US,
    TOTAL,
    WINDOW_US,
    balances,
    digest_seen,
    drafted,
    entries,
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
from support.forged import add_fact, forge
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street

WATER = FLAT.replace("currency: GBP", "currency: GBP\nunit: m3")


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
    assert [line.kind for line in desk.lines() if line.kind not in (1, 2)] == [5, 5, 5]
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

    meters = three_homes(desk, street, people, still=False)
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


def test_a_water_meter_behind_the_bulk_meter_takes_nothing_off_the_losses(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows import provision
    from fairwatt.flows.cost_sources import Losses
    from fairwatt.store.models import Installation

    meters = three_homes(desk, street, people, still=False)
    with as_role("migrate"):
        water = provision.publish_tariff(
            book_id=street.book, slug="water", name="Water", text=WATER, now_us=NOON_US
        )
        Installation.objects.filter(pk=street.installations[2]).update(plan=water)
    for meter, wh in zip(meters, (100_000, 40_000, 45_000), strict=True):
        desk.read(meter, NOON_US + 5 * DAY_US, wh)
    unit = Installation.objects.get(pk=street.installations[0]).unit_id
    lost = drafted(street, people, source=Losses(bulk_unit=unit, micro_per_kwh=250_000, evidence="bill 3"))
    assert (lost.total_micro, lost.source["lost_wh"]) == (15_000_000, 60_000)


def test_own_use_is_the_electricity_of_a_wallet_in_each_unit(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from django.db import connection

    from fairwatt.flows import provision
    from fairwatt.flows.cost_sources import own_use
    from fairwatt.store.models import Installation

    meters = three_homes(desk, street, people, still=False)
    with as_role("migrate"):
        water = provision.publish_tariff(
            book_id=street.book, slug="water", name="Water", text=WATER, now_us=NOON_US
        )
        Installation.objects.filter(pk=street.installations[1]).update(wallet=street.wallets[0])
        Installation.objects.filter(pk=street.installations[2]).update(plan=water)
    desk.open()
    for meter, wh in zip(meters, (100_000, 40_000, 45_000), strict=True):
        desk.read(meter, NOON_US + 5 * DAY_US, wh)
    units = [Installation.objects.get(pk=one).unit_id for one in street.installations[:2]]
    with as_role("poster"), connection.cursor() as cursor:
        used = own_use(cursor=cursor, site=street.site, first=date(2013, 7, 1), end=date(2013, 8, 1))
    assert used == {(street.wallets[0], units[0]): 100_000, (street.wallets[0], units[1]): 40_000}


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
    fact = add_fact(street.book, "allocation", {"allocation": draft.pk})
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


def test_who_objected_does_not_decide_his_own_objection(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    from fairwatt.flows.shared_costs import SharedCostRefused
    from support.costs import decide, object_to, share_of, staff

    three_homes(desk, street, people)
    judge = staff(street, "judge")
    share = share_of(street, published(street, people), 0)
    object_to(street, people | {"lin": judge}, share, 0)
    with pytest.raises(SharedCostRefused, match="Who objected"):
        decide(street, share, judge, 0)


def test_only_the_figures_that_were_looked_at_are_published(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    """A home is measured anew between looking and publishing: its neighbours' shares are others then."""
    from fairwatt.flows.fees import measure_unit
    from fairwatt.flows.shared_costs import SharedCostRefused
    from fairwatt.store.models import AllocationProof, Installation

    three_homes(desk, street, people)
    draft = drafted(street, people)
    seen = digest_seen(draft)
    unit = Installation.objects.get(pk=street.installations[0]).unit_id
    with as_role("web"):
        measure_unit(
            unit_id=unit, from_us=NOON_US, area_dm2=9_000, heads=2, by=people["drafter"], now_us=AUGUST_US
        )
    with pytest.raises(SharedCostRefused, match="figures have changed"):
        publish_as_seen(street, people, draft, seen)
    assert not AllocationProof.objects.filter(allocation=draft).exists()
    proof = publish_as_seen(street, people, draft, digest_seen(draft))
    assert proof.digest == digest_seen(draft) != seen


def test_a_deadline_that_a_page_wrote_shortens_no_window(
    street: Street, desk: Desk, people: dict[str, Any]
) -> None:
    """A web process taken over dates the publication back: objections still run from when the poster saw it."""
    from fairwatt.flows.shared_costs import publish
    from fairwatt.store.models import AllocationProof

    meters = three_homes(desk, street, people)
    draft = drafted(street, people)
    with as_role("web"):
        publish(
            book_id=street.book,
            allocation_id=draft.pk,
            seen_digest=digest_seen(draft),
            by=people["drafter"],
            now_us=AUGUST_US - 60 * DAY_US,
        )
    assert AllocationProof.objects.get(allocation=draft).deadline_us < AUGUST_US
    forged = {"allocation": draft.pk}
    with pytest.raises(ProgrammingError, match="row-level security"):
        forge(street.book, "publication", forged)
    early = add_fact(street.book, "allocation", forged, key="early")
    desk.post(now_us=AUGUST_US)
    assert desk.fact(early).result["code"] == "objections_open"
    run_due(desk, AUGUST_US)
    assert [event.evidence["until_us"] for event in desk.events("shared.published")] == [
        AUGUST_US + WINDOW_US
    ]
    object_to(street, people, share_of(street, draft, 0), 0, now_us=AUGUST_US + DAY_US)
    run_due(desk, AUGUST_US + WINDOW_US - 1)
    assert balances(desk, meters) == [100_000_000] * 3
    run_due(desk, AUGUST_US + WINDOW_US)
    assert balances(desk, meters) == [100_000_000, 70_000_000, 80_000_000]
