"""Fees are charged by their calendar, for the days of each stay, once, and taken back when a person says so."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.costs import JULY_END_US, a_paid_home, entries, fee, legs, run_due, staff
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street


@pytest.fixture
def street(house: Services) -> Street:
    """Without a standing charge, so that a home that uses nothing pays nothing."""
    return Street(tariff=FLAT)


@pytest.fixture
def person(street: Street) -> Any:
    return staff(street, "op")


def test_a_fee_is_charged_when_its_month_is_over_and_once(street: Street, desk: Desk, person: Any) -> None:
    meter = a_paid_home(desk)
    fee(street, person, tax_bp=600)
    assert run_due(desk, JULY_END_US - DAY_US) == 0
    assert run_due(desk, JULY_END_US) == 1
    assert run_due(desk, JULY_END_US + HOUR_US) == 0
    (entry,) = entries(desk)
    assert (entry.due_micro, entry.tax_micro, entry.taken_micro) == (31_000_000, 1_860_000, 32_860_000)
    assert desk.balance(meter) == 100_000_000 - 32_860_000
    line = desk.lines()[-1]
    assert (line.kind, line.ref, line.amount_micro) == (4, entry.id, -32_860_000)
    assert legs(desk)["revenue:fee:property"] == 31_000_000
    assert legs(desk)["tax:output"] == 1_860_000


def test_a_late_run_posts_each_missed_month_once_in_order(street: Street, desk: Desk, person: Any) -> None:
    meter = a_paid_home(desk, 500_00)
    fee(street, person, amount_micro=10_000_000)
    late_us = JULY_END_US + 61 * DAY_US
    desk.open(now_us=late_us)
    desk.read(meter, late_us - 2 * DAY_US, 0)
    assert run_due(desk, late_us) == 3
    assert [entry.first_day for entry in entries(desk)] == [date(2013, month, 1) for month in (7, 8, 9)]
    assert desk.balance(meter) == 500_000_000 - 30_000_000
    assert run_due(desk, late_us) == 0


def test_the_same_fact_under_another_key_charges_nobody_again(
    street: Street, desk: Desk, person: Any
) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    meter = a_paid_home(desk)
    made = fee(street, person)
    run_due(desk, JULY_END_US)
    before = desk.balance(meter)
    with as_role("poster"), transaction.atomic(), connection.cursor() as cursor:
        facts.add(
            cursor=cursor,
            book=street.book,
            kind="fee_run",
            natural_key="forged",
            wallet=None,
            payload={"fee": made.pk, "due": "2013-08-01"},
            raw=b"",
            now_us=JULY_END_US,
        )
    desk.post(now_us=JULY_END_US)
    assert desk.balance(meter) == before and len(entries(desk)) == 1


def test_a_fee_that_could_not_be_posted_is_asked_again_a_day_later(
    street: Street, desk: Desk, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import fees

    a_paid_home(desk)
    fee(street, person)

    def broken(*_: Any, **__: Any) -> Any:
        raise ArithmeticError

    with monkeypatch.context() as patched:
        patched.setattr(fees, "charge_owed", broken)
        assert run_due(desk, JULY_END_US) == 1
    assert run_due(desk, JULY_END_US + HOUR_US) == 0 and entries(desk) == []
    assert run_due(desk, JULY_END_US + 25 * HOUR_US) == 1
    assert run_due(desk, JULY_END_US + 50 * HOUR_US) == 0 and len(entries(desk)) == 1


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"fee": 10**9, "due": "2013-08-01"}, "unknown_fee"),
        ({"fee": 0, "due": "2013-09-01"}, "fee_not_due"),
        ({"fee": 0, "due": "2013-07-15"}, "fee_not_due"),
        ({"fee": "x"}, "unknown_kind"),
    ],
)
def test_a_forged_fee_run_is_refused(
    street: Street, desk: Desk, person: Any, payload: Any, code: str
) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    meter = a_paid_home(desk)
    made = fee(street, person)
    content = {**payload, "fee": made.pk} if payload.get("fee") == 0 else payload
    with as_role("poster"), transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=street.book,
            kind="fee_run",
            natural_key="forged",
            wallet=None,
            payload=content,
            raw=b"",
            now_us=JULY_END_US,
        )
    desk.post(now_us=JULY_END_US)
    assert (desk.fact(fact).state, desk.fact(fact).result["code"]) == ("refused", code)
    assert desk.balance(meter) == 100_000_000


def test_a_fee_taken_back_returns_what_was_taken_and_forgets_what_was_open(
    street: Street, desk: Desk, person: Any
) -> None:
    from fairwatt.flows.fees import FeeRefused, reverse_fee

    meter = a_paid_home(desk, 20_00)
    fee(street, person, tax_bp=500)
    run_due(desk, JULY_END_US)
    desk.pay(meter, 50_00, now_us=JULY_END_US + HOUR_US)
    desk.post(now_us=JULY_END_US + HOUR_US)
    first = entries(desk)[0]
    with as_role("web"):
        reverse_fee(
            book_id=street.book, entry_id=first.id, reason="wrong unit", by=person, now_us=JULY_END_US
        )
        with pytest.raises(FeeRefused, match="taken back before"):
            reverse_fee(book_id=street.book, entry_id=first.id, reason="again", by=person, now_us=JULY_END_US)
    desk.post(now_us=JULY_END_US + 2 * HOUR_US)
    assert desk.balance(meter) == 70_000_000
    assert (desk.lines()[-1].kind, entries(desk)[-1].of) == (9, first.id)
    assert legs(desk) == {"wallet": 70_000_000, "clearing:sandbox": -70_000_000}


def test_nobody_takes_a_fee_back_without_a_recorded_person(street: Street, desk: Desk, person: Any) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    meter = a_paid_home(desk)
    fee(street, person)
    run_due(desk, JULY_END_US)
    charged = entries(desk)[0].id
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=street.book,
            kind="reversal",
            natural_key="forged",
            wallet=None,
            payload={"entry": charged},
            raw=b"",
            now_us=JULY_END_US,
        )
    desk.post(now_us=JULY_END_US)
    assert desk.fact(fact).result["code"] == "unknown_reversal"
    assert desk.balance(meter) == 69_000_000


def test_a_vacant_unit_is_charged_to_its_owner(street: Street, desk: Desk, person: Any) -> None:
    from fairwatt.flows.provision import add_vacant_unit

    a_paid_home(desk)
    with as_role("migrate"):
        add_vacant_unit(site_id=street.site.pk, label="9999", floor=9, position=9)
    fee(street, person)
    run_due(desk, JULY_END_US)
    vacant = [entry for entry in entries(desk) if entry.wallet is None]
    assert [(entry.taken_micro, entry.arrears_micro) for entry in vacant] == [(0, 31_000_000)]
    assert legs(desk)["receivable:landlord"] == -31_000_000


def test_the_owners_wallet_pays_for_vacant_units_where_there_is_one(
    street: Street, desk: Desk, person: Any
) -> None:
    from fairwatt.flows.fees import set_landlord_account
    from fairwatt.flows.provision import add_vacant_unit

    meter = a_paid_home(desk)
    with as_role("migrate"):
        add_vacant_unit(site_id=street.site.pk, label="9999", floor=9, position=9)
        set_landlord_account(site_id=street.site.pk, wallet_id=street.wallets[0])
    fee(street, person)
    run_due(desk, JULY_END_US)
    assert {entry.wallet for entry in entries(desk)} == {street.wallets[0]}
    assert desk.balance(meter) == 100_000_000 - 2 * 31_000_000


def test_a_move_in_the_month_is_shared_by_days(street: Street, desk: Desk, person: Any) -> None:
    """The street opens on 1 July at noon; who moved out on the 11th owes ten days, the owner the rest."""
    from fairwatt.store.models import Tenancy

    meter = a_paid_home(desk)
    with as_role("migrate"):
        Tenancy.objects.create(
            wallet_id=street.wallets[0], user=person, start_us=NOON_US, end_us=NOON_US + 10 * DAY_US
        )
    fee(street, person, tax_bp=0)
    run_due(desk, JULY_END_US)
    assert [
        (e.wallet, e.due_micro, e.first_day.day) for e in sorted(entries(desk), key=lambda e: e.first_day)
    ] == [
        (street.wallets[0], 10_000_000, 1),
        (None, 21_000_000, 11),
    ]
    assert desk.balance(meter) == 90_000_000


def test_a_fee_by_area_counts_square_metres_and_names_units_without_one(
    street: Street, desk: Desk, person: Any
) -> None:
    from fairwatt.flows.fees import measure_unit
    from fairwatt.store.models import Installation

    a_paid_home(desk)
    desk.home()
    unit = Installation.objects.get(pk=street.installations[0]).unit_id
    with as_role("web"):
        measure_unit(unit_id=unit, from_us=NOON_US, area_dm2=8_950, heads=2, by=person, now_us=NOON_US)
    fee(street, person, basis="area", amount_micro=250_000)
    run_due(desk, JULY_END_US)
    (entry,) = entries(desk)
    assert entry.due_micro == 22_375_000
    (event,) = desk.events("fee.run")
    assert event.evidence["without_area"] == ["0002"]


def test_a_fee_that_ended_is_charged_for_its_days(street: Street, desk: Desk, person: Any) -> None:
    from fairwatt.flows.fees import end_fee

    a_paid_home(desk)
    made = fee(street, person)
    with as_role("web"):
        end_fee(book_id=street.book, fee_id=made.pk, end_day=date(2013, 7, 11), by=person, now_us=NOON_US)
    assert run_due(desk, JULY_END_US) == 1
    assert entries(desk)[0].due_micro == 10_000_000
    assert run_due(desk, JULY_END_US + 40 * DAY_US) == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": " "}, "needs a name"),
        ({"amount_micro": 0}, "above zero"),
        ({"end_day": date(2013, 7, 1)}, "ends after it begins"),
        ({"category": "bribe"}, "no such kind"),
        ({"unit_id": 10**9}, "not in this book"),
        ({"tax_bp": 10_001}, "Tax is between"),
    ],
)
def test_a_fee_that_cannot_be_is_refused_in_words(
    street: Street, desk: Desk, person: Any, changes: Any, says: str
) -> None:
    from fairwatt.flows.fees import FeeRefused

    with pytest.raises(FeeRefused, match=says):
        fee(street, person, **changes)


@pytest.mark.parametrize("table", ["store_fee", "cost_entry", "store_feerule", "store_coststep"])
def test_the_web_cannot_change_what_was_written(street: Street, desk: Desk, person: Any, table: str) -> None:
    from django.db import DatabaseError, connection, transaction

    a_paid_home(desk)
    fee(street, person)
    run_due(desk, JULY_END_US)
    for change in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id", f"TRUNCATE {table}"):
        for role in ("web", "poster"):
            with as_role(role), pytest.raises(DatabaseError), transaction.atomic():  # type: ignore[arg-type]
                connection.cursor().execute(change)


def test_a_fee_that_cannot_be_worked_out_stops_no_other_and_is_told_once(
    street: Street, desk: Desk, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows import raise_due

    real = raise_due.fee_runs
    a_paid_home(desk)
    bad, good = fee(street, person, priority=1), fee(street, person, amount_micro=1_000_000)

    def fragile(*, fee: Any, through: date) -> Any:
        if fee.fee == bad.pk:
            raise ValueError("no such day")
        return real(fee=fee, through=through)

    monkeypatch.setattr(raise_due, "fee_runs", fragile)
    assert run_due(desk, JULY_END_US) == 1
    assert run_due(desk, JULY_END_US + HOUR_US) == 0
    assert [entry.fee for entry in entries(desk)] == [good.pk]
    (alarm,) = desk.events("alarm.fee_unusable")
    assert (alarm.evidence["fee"], "no such day" in alarm.evidence["detail"]) == (bad.pk, True)


def test_a_fee_run_waits_for_a_home_that_the_poster_does_not_know_yet(
    street: Street, desk: Desk, person: Any
) -> None:
    from fairwatt.flows.raise_due import raise_due

    a_paid_home(desk)
    fee(street, person)
    street.open_home()
    raise_due(book_id=street.book, now_us=JULY_END_US)
    told = desk.post(now_us=JULY_END_US)
    assert told.reload and told.facts_wait and entries(desk) == []
    desk.open(now_us=JULY_END_US)
    assert {entry.wallet for entry in entries(desk)} >= {street.wallets[0]}


def test_nobody_takes_back_a_fee_of_the_own_home(street: Street, desk: Desk, person: Any) -> None:
    from fairwatt.flows.fees import FeeRefused, reverse_fee
    from fairwatt.store.models import Tenancy

    meter = a_paid_home(desk)
    with as_role("migrate"):
        Tenancy.objects.create(wallet_id=street.wallets[0], user=person, start_us=NOON_US)
    fee(street, person)
    run_due(desk, JULY_END_US)
    (entry,), charged = entries(desk), desk.balance(meter)
    asked = {"book_id": street.book, "entry_id": entry.pk, "reason": "mine", "now_us": JULY_END_US}
    with as_role("web"), pytest.raises(FeeRefused, match="ask a colleague"):
        reverse_fee(**asked, by=person)
    desk.post(now_us=JULY_END_US)
    assert desk.balance(meter) == charged
    colleague = staff(street, "colleague")
    with as_role("web"):
        reverse_fee(**asked, by=colleague)
    desk.post(now_us=JULY_END_US)
    assert desk.balance(meter) == 100_000_000
