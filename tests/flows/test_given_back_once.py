"""Money comes back once for one charge, whatever facts, rulings, reversals and corrections say of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.costs import JULY_END_US, entries, fee, run_due
from support.disputes import Case, charged, doubting
from support.forged import add_fact, forge
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street


@pytest.fixture
def case(street: Street) -> Iterator[Case]:
    with doubting(street) as case:
        yield case


@pytest.mark.parametrize("payload", [{"row": 0}, {"row": "1"}, {"amount_micro": 5}, {"row": 10**12}])
@pytest.mark.parametrize("kind", ["adjustment", "opening"])
def test_a_fact_that_rests_on_nothing_is_refused(case: Case, kind: str, payload: Any) -> None:
    with as_role("web" if kind == "adjustment" else "migrate"):
        fact = add_fact(case.desk.street.book, kind, payload, wallet=case.wallet)
    before = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.fact(fact).state == "refused"
    assert case.desk.balance(case.meter) == before


def test_a_ruling_that_nobody_approved_moves_nothing_whatever_a_fact_says(case: Case) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    ruling = case.rule(case.open(), 5)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=case.desk.street.book,
            kind="adjustment",
            natural_key="hasty",
            wallet=case.wallet,
            payload={"row": ruling.pk},
            raw=b"",
            now_us=case.now_us,
        )
    case.desk.post(now_us=case.now_us)
    assert case.desk.fact(fact).result["code"] == "ruling_unproven"


def test_a_key_that_was_taken_keeps_no_ruling_from_being_posted(case: Case) -> None:
    from fairwatt.core.ids import ruling_key

    opened = case.open()
    ruling = case.rule(opened, 5)
    before = case.desk.balance(case.meter)
    taken = forge(case.desk.street.book, "adjustment", {"row": 0}, key=ruling_key(ruling=ruling.pk))
    case.answer(opened)
    case.desk.post(now_us=case.now_us)
    assert case.desk.fact(taken).state == "refused"
    assert case.desk.balance(case.meter) == before + 5


@pytest.mark.parametrize("answered", [True, False])
def test_a_ruling_gives_back_once_whatever_wallet_its_facts_name(case: Case, answered: bool) -> None:
    opened = case.open()
    before = case.desk.balance(case.meter)
    ruling = case.rule(opened, 5)
    case.answer(opened)
    if answered:
        case.desk.post(now_us=case.now_us)
    for n in range(3):
        forge(case.desk.street.book, "adjustment", {"row": ruling.pk}, key=f"again {n}")
        case.desk.post(now_us=case.now_us + n)
    assert case.desk.balance(case.meter) == before + 5


def test_one_ruling_named_by_two_facts_of_one_batch_gives_back_once(case: Case) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts

    opened = case.open()
    ruling = case.rule(opened, 5)
    case.answer(opened)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.add(
            cursor=cursor,
            book=case.desk.street.book,
            kind="adjustment",
            natural_key="twice",
            wallet=case.wallet,
            payload={"row": ruling.pk},
            raw=b"",
            now_us=case.now_us,
        )
    before = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before + 5


def test_two_rulings_on_one_line_in_one_batch_give_back_once(case: Case) -> None:
    """The flow takes one ruling; a web process taken over writes a second one, approved as well."""
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store.models import DisputeEntry

    opened = case.open()
    case.rule(opened, 5)
    case.answer(opened)
    asked = {
        "dispute": opened,
        "book_id": opened.book_id,
        "wallet_id": opened.wallet_id,
        "at_us": case.now_us,
    }
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=case.desk.street.book)
        second = DisputeEntry.objects.create(**asked, kind="ruling", refund_micro=7, author=case.clerk)
        DisputeEntry.objects.create(**asked, kind="approval", about=second, author=case.admin)
        facts.add(
            cursor=cursor,
            book=case.desk.street.book,
            kind="adjustment",
            natural_key="second",
            wallet=None,
            payload={"row": second.pk},
            raw=b"",
            now_us=case.now_us,
        )
    before = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == before + 5
    assert [event.reason for event in case.desk.events("fact.refused")] == ["already_given_back"]


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("ruling_first", [True, False])
def test_a_fee_is_given_back_once_by_a_ruling_or_by_its_reversal(
    case: Case, ruling_first: bool, batches: int
) -> None:
    from fairwatt.flows.fees import reverse_fee

    desk = case.desk
    desk.pay(case.meter, 500_00, now_us=NOON_US + 2 * HOUR_US)
    desk.read(case.meter, JULY_END_US - 2 * DAY_US, 5_000)
    fee(desk.street, case.clerk, amount_micro=1_000_000, tax_bp=600)
    run_due(desk, JULY_END_US)
    case.now_us = JULY_END_US
    line, (entry,), before = desk.lines()[-1], entries(desk), desk.balance(case.meter)
    opened = case.open(line_seq=line.seq)
    case.rule(opened, 600_000)

    def reverse() -> None:
        with as_role("web"):
            reverse_fee(
                book_id=desk.street.book, entry_id=entry.id, reason="twice", by=case.clerk, now_us=case.now_us
            )

    for step in (case.answer, reverse) if ruling_first else (reverse, case.answer):
        step(opened) if step == case.answer else reverse()
        if batches == 2:
            desk.post(now_us=case.now_us)
    desk.post(now_us=case.now_us)
    assert desk.balance(case.meter) == before + 1_060_000


def edit(case: Case, wh: int) -> None:
    from fairwatt.flows.correct_reading import correct_reading

    with as_role("migrate"):
        correct_reading(
            installation_id=case.desk.street.installations[0],
            at_us=NOON_US + HOUR_US,
            register_wh=wh,
            author="ada",
            reason="read off wrongly",
            now_us=case.now_us,
        )


def settle(case: Case, batches: int = 4) -> None:
    for _ in range(batches):
        case.now_us += 1
        case.desk.post(now_us=case.now_us)


@pytest.mark.parametrize("refund_percent", [10, 100])
@pytest.mark.parametrize("steps", ["ruling, edit", "edit, ruling", "edit+ruling"])
def test_a_ruling_and_a_correction_give_one_charge_back_once_in_either_order(
    case: Case, steps: str, refund_percent: int
) -> None:
    took, opened = charged(case), case.open()
    refund = took * refund_percent // 100
    case.rule(opened, refund)
    for step in steps.replace("+", ", ").split(", "):
        case.answer(opened) if step == "ruling" else edit(case, 1_000)
        if "+" not in steps:
            settle(case)
    settle(case)
    corrected = sum(line.amount_micro for line in case.desk.lines() if line.kind == 3)
    assert 0 < corrected < took
    assert case.desk.balance(case.meter) == 20_000_000 - took + max(refund, corrected)
    assert not case.desk.events("fact.refused")


def test_what_is_charged_again_later_is_given_back_again(case: Case) -> None:
    """The edit that had eaten up the refund was wrong itself: with the charge, the refund comes back."""
    took, opened = charged(case), case.open()
    case.rule(opened, took // 2)
    case.answer(opened)
    settle(case)
    refunded = case.desk.balance(case.meter)
    for wh in (1_000, 0, 5_000):
        edit(case, wh)
        settle(case)
    assert case.desk.balance(case.meter) == refunded == 20_000_000 - took + took // 2
    from fairwatt.store.models import Journal

    tax = Journal.objects.filter(book=case.desk.street.book, account="tax:output")
    assert sum(leg.amount_micro for leg in tax) == case.desk.lines()[1].tax_micro - tax_of(case, took // 2)


def tax_of(case: Case, refund: int) -> int:
    line = case.desk.lines()[1]
    return int(refund * line.tax_micro // -line.amount_micro)


def test_a_forged_fact_that_counts_what_nobody_gave_moves_nothing(case: Case) -> None:
    day_us = NOON_US - 13 * HOUR_US  # midnight in London
    charge = {
        "wallet": case.wallet,
        "ref": case.desk.street.installations[0],
        "day_us": day_us,
        "after_seq": 0,
    }
    first = forge(case.desk.street.book, "adjustment", charge)
    opened = case.open()
    case.rule(opened, 5)
    case.answer(opened)
    settle(case)
    before = case.desk.balance(case.meter)
    again = forge(case.desk.street.book, "adjustment", charge, key="again")
    settle(case)
    assert case.desk.fact(first).state == "refused"
    assert case.desk.fact(again).result["amount_micro"] == 0
    assert case.desk.balance(case.meter) == before
