"""What the database itself allows each role, whatever our code may try."""

import psycopg
import pytest
from psycopg import errors

from fairwatt.server.config import Config, DatabaseRole
from fairwatt.server.launcher.database import DatabaseUnready, prepare_database
from fairwatt.server.launcher.services import Services


def one(services: Services, role: DatabaseRole, query: str) -> tuple[object, ...]:
    with psycopg.connect(services.config.dsn(role=role)) as link:
        row = link.execute(query.encode()).fetchone()
    assert row is not None
    return row


def test_the_owner_owns_every_table_and_cannot_log_in(running: Services) -> None:
    owners = one(
        running, "admin", "SELECT array_agg(DISTINCT tableowner) FROM pg_tables WHERE schemaname = 'public'"
    )
    assert owners == (["fairwatt_owner"],)
    query = "SELECT rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'fairwatt_owner'"
    assert one(running, "admin", query) == (False, False, False)


def test_only_the_poster_passes_row_level_security_and_nobody_is_superuser(running: Services) -> None:
    query = """
        SELECT array_agg(rolname ORDER BY rolname) FILTER (WHERE rolbypassrls),
            bool_or(rolsuper OR rolcreaterole)
        FROM pg_roles WHERE rolname ~ '^fairwatt_(poster|web|auditor|migrate)$'"""
    assert one(running, "admin", query) == (["fairwatt_poster"], False)


def test_migrations_may_become_the_owner_and_the_faces_may_not(running: Services) -> None:
    with psycopg.connect(running.config.dsn(role="migrate")) as link:
        link.execute("SET ROLE fairwatt_owner")
    for role in ("web", "poster", "auditor"):
        with (
            psycopg.connect(running.config.dsn(role=role)) as link,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            link.execute("SET ROLE fairwatt_owner")


def test_the_auditor_starts_read_only(running: Services) -> None:
    with (
        psycopg.connect(running.config.dsn(role="auditor")) as link,
        pytest.raises(errors.ReadOnlySqlTransaction),
    ):
        link.execute("CREATE TABLE forged (x int)")


@pytest.mark.parametrize("role", ["web", "poster", "migrate"])
def test_no_login_may_make_tables_by_itself(running: Services, role: DatabaseRole) -> None:
    with psycopg.connect(running.config.dsn(role=role)) as link, pytest.raises(errors.InsufficientPrivilege):
        link.execute("CREATE TABLE public.forged (x int)")


def test_a_wrong_password_is_refused_and_so_is_none(running: Services) -> None:
    server = running.config.database()
    for password in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(
                host=server.host,
                port=server.port,
                dbname=server.name,
                user="fairwatt_poster",
                password=password,
            )


def test_commits_wait_for_the_disk(running: Services) -> None:
    query = """SELECT current_setting('fsync'), current_setting('synchronous_commit'),
        current_setting('full_page_writes'), current_setting('TimeZone'), current_setting('data_checksums')"""
    assert one(running, "web", query) == ("on", "on", "on", "UTC", "on")


def test_preparing_twice_changes_nothing_and_a_database_of_your_own_is_prepared_alike(
    running: Services,
) -> None:
    prepare_database(running.config)
    elsewhere = Config(
        state=running.config.state, database_url=running.config.dsn(role="admin", database="another")
    )
    prepare_database(elsewhere)
    with psycopg.connect(elsewhere.dsn(role="web")) as link:
        row = link.execute("SELECT current_database(), current_user").fetchone()
    assert row == ("another", "fairwatt_web")


def test_a_login_that_may_not_prepare_is_told_what_it_lacks(running: Services) -> None:
    powerless = Config(state=running.config.state, database_url=running.config.dsn(role="web"))
    with pytest.raises(DatabaseUnready, match="must be able to create roles"):
        prepare_database(powerless)
