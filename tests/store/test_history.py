"""History refuses change, whoever asks: the owner of the tables too."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from store.conftest import Neighbours

APPEND_ONLY = ("line", "line_201307", "batch", "journal", "event", "quarantine")
NO_TRUNCATE = (*APPEND_ONLY, "fact", "outbox")


def all_of(neighbours: Neighbours) -> dict[str, str]:
    return {"books": str(neighbours.ours.book), "wallets": "*"}


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET book = book", "DELETE FROM {}"])
def test_not_even_the_owner_changes_history(neighbours: Neighbours, table: str, change: str) -> None:
    with neighbours.as_role("migrate", **all_of(neighbours)) as ask:
        if table == "line_201307":
            ask(
                "ALTER TABLE line_201307 NO FORCE ROW LEVEL SECURITY"
            )  # the owner can; the trigger still stands
        assert ask(f"SELECT count(*) FROM {table}")[0][0] > 0
        with pytest.raises(errors.InsufficientPrivilege, match="history is append-only"):
            ask(change.format(table))


@pytest.mark.parametrize("table", NO_TRUNCATE)
def test_not_even_the_owner_empties_history(neighbours: Neighbours, table: str) -> None:
    with (
        neighbours.as_role("migrate", **all_of(neighbours)) as ask,
        pytest.raises(errors.InsufficientPrivilege, match="history is append-only"),
    ):
        ask(f"TRUNCATE {table}")


@pytest.mark.parametrize("table", ["fact", "outbox"])
def test_not_even_the_owner_deletes_what_was_asked_and_ordered(neighbours: Neighbours, table: str) -> None:
    with neighbours.as_role("migrate", **all_of(neighbours)) as ask:
        assert ask(f"SELECT count(*) FROM {table}")[0][0] > 0
        with pytest.raises(errors.InsufficientPrivilege, match="history is append-only"):
            ask(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", NO_TRUNCATE)
def test_no_setting_of_a_session_switches_a_guard_off(neighbours: Neighbours, table: str) -> None:
    with neighbours.as_role("migrate") as ask:
        guards = ask(
            "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
            table,
        )
    assert guards
    assert {enabled for _, enabled in guards} == {"A"}


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET book = book", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_poster_itself_may_only_add(neighbours: Neighbours, table: str, change: str) -> None:
    with neighbours.as_role("poster") as ask, pytest.raises(errors.InsufficientPrivilege):
        ask(change.format(table))


def test_a_journal_batch_that_does_not_sum_to_zero_is_refused(neighbours: Neighbours) -> None:
    book = neighbours.ours.book
    insert = "INSERT INTO journal VALUES (%s, 999, %s, %s, 'GBP', %s, 1), (%s, 999, %s, %s, 'GBP', %s, 1)"
    with (
        neighbours.as_role("poster") as ask,
        pytest.raises(errors.CheckViolation, match="does not sum to zero: 1 GBP"),
    ):
        ask(insert, book, 0, "wallet", 100, book, 1, "suspense", -99)
    with neighbours.as_role("poster") as ask:
        assert ask(insert, book, 0, "wallet", 100, book, 1, "suspense", -100) == [2]


def test_currencies_are_not_summed_into_each_other(neighbours: Neighbours) -> None:
    book = neighbours.ours.book
    with neighbours.as_role("poster") as ask, pytest.raises(errors.CheckViolation):
        ask(
            "INSERT INTO journal VALUES (%s, 999, 0, 'wallet', 'GBP', 5, 1), (%s, 999, 1, 'suspense', 'CNY', -5, 1)",
            book,
            book,
        )


def test_the_control_leg_of_every_batch_is_the_sum_of_its_lines(neighbours: Neighbours) -> None:
    with neighbours.as_role("poster") as ask:
        rows = ask(
            "SELECT batch, sum(amount_micro), (SELECT amount_micro FROM journal j WHERE j.book = l.book "
            "AND j.batch = l.batch AND account = 'wallet') FROM line l WHERE book = %s GROUP BY book, batch",
            neighbours.ours.book,
        )
    assert rows
    assert all(lines == control for _, lines, control in rows)


def test_a_charge_that_is_not_the_sum_of_its_parts_is_refused(neighbours: Neighbours) -> None:
    with (
        neighbours.as_role("poster") as ask,
        pytest.raises(errors.CheckViolation, match="charge_is_the_sum_of_its_parts"),
    ):
        ask(
            "INSERT INTO line SELECT '2013-07-02', ref, wallet, seq + 1, register_wh, counter_wh, energy_micro, "
            "standing_micro, tax_micro, amount_micro - 1, balance_micro, batch, energy_wh, tariff_version, "
            "carry_tax, book, carry_nano, kind FROM line WHERE book = %s AND kind = 1 LIMIT 1",
            neighbours.ours.book,
        )


def test_a_fact_is_answered_once(neighbours: Neighbours) -> None:
    with (
        neighbours.as_role("poster") as ask,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="answered once"),
    ):
        ask("UPDATE fact SET state = 'refused' WHERE book = %s AND state = 'posted'", neighbours.ours.book)
