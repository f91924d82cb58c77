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


def test_what_a_correction_gave_back_is_not_given_back_again(case: Case) -> None:
    from fairwatt.flows.correct_reading import correct_reading

    with as_role("migrate"):
        correct_reading(
            installation_id=case.desk.street.installations[0],
            at_us=NOON_US + HOUR_US,
            register_wh=1_000,
            author="ada",
            reason="read off wrongly",
            now_us=case.now_us,
        )
    took, opened = charged(case), case.open()
    case.rule(opened, took)
    case.answer(opened)
    case.desk.post(now_us=case.now_us)  # the correction; the ruling waits for it
    corrected = case.desk.balance(case.meter)
    case.desk.post(now_us=case.now_us)
    assert case.desk.balance(case.meter) == corrected > 20_000_000 - took
    (refused,) = case.desk.events("fact.refused")
    assert "corrections" in refused.evidence["detail"]
