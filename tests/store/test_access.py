"""Nobody sees or writes what is not theirs, under the database's own roles."""

from __future__ import annotations

import pytest
from psycopg import errors

from fairwatt.server.config import DATABASE_ROLES
from store.conftest import Neighbours
from support.house import as_role

LEDGER = (
    "line",
    "batch",
    "journal",
    "shard",
    "outbox",
    "event",
    "quarantine",
    "gateway_head",
    "gateway_clock",
    "wallet_head",
    "register_head",
)
SEEN = (*LEDGER, "use_day", "fact")
OF_A_WALLET = ("line", "outbox", "event", "wallet_head", "register_head", "use_day", "fact")
OF_A_BOOK = ("batch", "journal", "shard", "quarantine", "gateway_head")


@pytest.mark.parametrize("role", ["web", "auditor"])
@pytest.mark.parametrize("table", SEEN)
def test_a_request_that_names_nothing_sees_nothing(neighbours: Neighbours, role: str, table: str) -> None:
    with neighbours.as_role(role) as ask:  # type: ignore[arg-type]
        assert ask(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize("table", [table for table in SEEN if table != "outbox"])
def test_staff_see_their_own_book_and_no_other(neighbours: Neighbours, table: str) -> None:
    with neighbours.as_role("web", books=str(neighbours.ours.book), wallets="*") as ask:
        assert ask(f"SELECT DISTINCT book FROM {table}") == [(neighbours.ours.book,)]


@pytest.mark.parametrize("table", [table for table in OF_A_WALLET if table != "outbox"])
def test_a_tenant_sees_the_rows_of_his_wallet_alone(neighbours: Neighbours, table: str) -> None:
    mine = neighbours.ours.wallets[0]
    with neighbours.as_role("web", books=str(neighbours.ours.book), wallets=str(mine)) as ask:
        assert ask(f"SELECT DISTINCT wallet FROM {table}") == [(mine,)]
    with neighbours.as_role("web", books=str(neighbours.theirs.book), wallets=str(mine)) as ask:
        assert ask(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize("table", OF_A_BOOK)
def test_a_tenant_sees_nothing_of_the_book_itself(neighbours: Neighbours, table: str) -> None:
    mine = str(neighbours.ours.wallets[0])
    with neighbours.as_role("web", books=str(neighbours.ours.book), wallets=mine) as ask:
        assert ask(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_tenant_sees_the_clock_of_the_gateway_before_his_meter_alone(neighbours: Neighbours) -> None:
    mine, books = str(neighbours.ours.wallets[0]), f"{neighbours.ours.book},{neighbours.theirs.book}"
    with neighbours.as_role("web", books=books, wallets=mine) as ask:
        assert ask("SELECT DISTINCT gateway FROM gateway_clock") == [(neighbours.ours.gateway.pk,)]


@pytest.mark.parametrize("role", ["web", "auditor"])
def test_a_partition_is_no_way_round(neighbours: Neighbours, role: str) -> None:
    with (
        neighbours.as_role(role, books=str(neighbours.ours.book), wallets="*") as ask,  # type: ignore[arg-type]
        pytest.raises(errors.InsufficientPrivilege, match="line_201307"),
    ):
        ask("SELECT count(*) FROM line_201307")


def test_a_partition_hides_its_rows_even_from_its_owner(neighbours: Neighbours) -> None:
    with neighbours.as_role("migrate", books=str(neighbours.ours.book), wallets="*") as ask:
        assert ask("SELECT count(*) FROM line_201307") == [(0,)]
        assert ask("SELECT count(*) FROM line")[0][0] > 0


@pytest.mark.parametrize("table", LEDGER)
@pytest.mark.parametrize(
    "change",
    ["INSERT INTO {} (book) VALUES (1)", "UPDATE {} SET book = book", "DELETE FROM {}", "TRUNCATE {}"],
)
@pytest.mark.parametrize("role", ["web", "auditor"])
def test_neither_web_nor_auditor_writes_the_ledger(
    neighbours: Neighbours, table: str, change: str, role: str
) -> None:
    refused = (
        errors.InsufficientPrivilege
        if role == "web"
        else (
            errors.InsufficientPrivilege,
            errors.ReadOnlySqlTransaction,
        )
    )
    with (
        neighbours.as_role(role, books=str(neighbours.ours.book), wallets="*") as ask,  # type: ignore[arg-type]
        pytest.raises(refused),
    ):
        ask(change.format(table))


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO line (book) VALUES (1)",
        "INSERT INTO fact (book, kind, natural_key, created_us) VALUES (1, 'config', 'k', 1)",
        "UPDATE store_wallet SET protected = true",
        "DELETE FROM wallet_head",
    ],
)
def test_an_auditor_who_lifts_his_read_only_mode_still_writes_nothing(
    neighbours: Neighbours, change: str
) -> None:
    with neighbours.as_role("auditor") as ask:
        ask("SET TRANSACTION READ WRITE")
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
            ask(change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fact SET state = 'posted'",
        "UPDATE fact SET payload = '{}'",
        "DELETE FROM fact",
        "INSERT INTO fact (book, kind, natural_key, created_us, state, result) "
        "VALUES (1, 'payment', 'k', 1, 'posted', '{\"provider_ref\": \"p\"}')",
    ],
)
def test_the_web_writes_facts_and_never_their_answers(neighbours: Neighbours, change: str) -> None:
    with (
        neighbours.as_role("web", books=str(neighbours.ours.book), wallets="*") as ask,
        pytest.raises(errors.InsufficientPrivilege, match="permission denied for table fact"),
    ):
        ask(change)


def test_the_web_writes_no_fact_into_a_book_the_request_may_not_see(neighbours: Neighbours) -> None:
    with (
        neighbours.as_role("web", books=str(neighbours.ours.book), wallets="*") as ask,
        pytest.raises(errors.InsufficientPrivilege, match="row-level security"),
    ):
        ask(
            "INSERT INTO fact (book, kind, natural_key, created_us) VALUES (%s, 'payment', 'k', 1)",
            neighbours.theirs.book,
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE store_paymentintent SET state = 'credited'",
        "DELETE FROM store_paymentintent",
        "UPDATE store_tariffpublication SET text = ''",
        "DELETE FROM store_tariffpublication",
        "INSERT INTO store_tariffpublication (plan_id, published_us, text) VALUES (1, 1, '')",
        "UPDATE store_book SET minor_digits = 0",
        "UPDATE store_policy SET body = '{}'",
        "UPDATE store_gateway SET public_key = ''",
        "UPDATE store_installation SET opening_wh = 0",
        "UPDATE store_wallet SET protected = true",
        "UPDATE store_meter SET modulus_wh = 1",
        "INSERT INTO store_tenancy (wallet_id, user_id, start_us) VALUES (1, 1, 0)",
        "UPDATE store_user SET role = 'admin'",
        "UPDATE store_user SET organisation_id = 1",
        "INSERT INTO store_user (username) VALUES ('x')",
    ],
)
def test_the_web_changes_nothing_that_money_or_rights_are_made_of(
    neighbours: Neighbours, change: str
) -> None:
    with (
        neighbours.as_role("web") as ask,
        pytest.raises(errors.InsufficientPrivilege, match="permission denied"),
    ):
        ask(change)


def test_the_poster_changes_nothing_that_people_manage(neighbours: Neighbours) -> None:
    for change in (
        "UPDATE store_wallet SET protected = true",
        "DELETE FROM store_installation",
        "UPDATE store_paymentintent SET amount_minor = 1",
    ):
        with neighbours.as_role("poster") as ask, pytest.raises(errors.InsufficientPrivilege):
            ask(change)


def test_an_intent_begins_unpaid_whatever_the_web_writes(neighbours: Neighbours) -> None:
    with (
        neighbours.as_role("web") as ask,
        pytest.raises(errors.InsufficientPrivilege, match="begins unpaid"),
    ):
        ask(
            "INSERT INTO store_paymentintent (book_id, wallet_id, our_ref, provider, amount_minor, currency, state, "
            "provider_ref, created_us) VALUES (%s, %s, 'r', 'sandbox', 1, 'GBP', 'review', '', 1)",
            neighbours.ours.book,
            neighbours.ours.wallets[0],
        )


@pytest.mark.parametrize("table", ["store_user", "django_session", "mfa_authenticator"])
def test_the_poster_knows_nothing_about_people(neighbours: Neighbours, table: str) -> None:
    with (
        neighbours.as_role("poster") as ask,
        pytest.raises(errors.InsufficientPrivilege, match="permission denied"),
    ):
        ask(f"SELECT * FROM {table}")


def test_what_was_granted_by_hand_is_gone_when_the_rights_are_settled_again(neighbours: Neighbours) -> None:
    """A line that is deleted from the file takes the right with it, from every role."""
    from django.db import connection, transaction

    from fairwatt.store.apps import grant_access

    roles = [f"fairwatt_{role}" for role in DATABASE_ROLES if role not in ("admin", "migrate")]
    with as_role("migrate"), transaction.atomic(), connection.cursor() as cursor:

        def rights() -> set[tuple[str, str]]:
            cursor.execute(
                "SELECT r, p.oid::regprocedure::text FROM pg_proc p, unnest(%s::text[]) r "
                "WHERE p.pronamespace = 'public'::regnamespace AND has_function_privilege(r, p.oid, 'EXECUTE')",
                [roles],
            )
            return set(cursor.fetchall())

        settled = rights()
        cursor.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {', '.join(roles)}")
        by_hand = rights()
        grant_access()
        again = rights()
        transaction.set_rollback(True)
    assert {role for role, _ in by_hand - settled} == set(roles)
    assert again == settled
