"""Interval values on a real database: raw rows stay, versions grow, the same file again changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.desk import opened_desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street

LONDON = Path(__file__).parents[1] / "data" / "lcl_mac000002_halfhourly.csv.gz"
LATER_US = 1_500_000_000_000_000
HALF_US = HOUR_US // 2


@dataclass
class House:
    """A street with a desk, and what the desk does."""

    street: Street
    operator: Any
    auditor: Any

    @property
    def meter(self) -> Any:
        from fairwatt.store.models import Meter

        return Meter.objects.get(gateway=self.street.gateway, number=self.street.homes[0])

    def take(self, path: Path, digest: str = "d", **changes: Any) -> Any:
        from fairwatt.flows.import_readings import import_readings
        from fairwatt.intervals.reader import read_file

        asked = {
            "file": read_file(path=path),
            "digest": digest,
            "home": "",
            "book_slug": self.street.site.book.slug,
            "meter_number": str(self.street.homes[0]),
            "author": self.operator.username,
            "stamps_end": False,
            "now_us": LATER_US,
        }
        return import_readings(**{**asked, **changes})

    def values(self) -> dict[int, list[Any]]:
        from fairwatt.store.models import IntervalValue

        found: dict[int, list[Any]] = {}
        with self.seen():
            for value in IntervalValue.objects.filter(meter=self.meter.pk).order_by("at_us", "version"):
                found.setdefault(value.at_us, []).append(value)
        return found

    def counts(self) -> dict[str, int]:
        from django.db import connection

        tables = (
            "interval_import",
            "interval_raw",
            "interval_value",
            "interval_defect",
            "event",
            "line",
            "fact",
        )
        with self.seen(), connection.cursor() as cursor:
            counted = {}
            for table in tables:
                cursor.execute(f"SELECT count(*) FROM {table} WHERE book = %s", [self.street.book])
                counted[table] = int(cursor.fetchone()[0])
        return counted

    def seen(self) -> Any:
        from fairwatt.web.access import Scope, seeing

        return seeing(scope=Scope(books=(self.street.book,)))


@pytest.fixture
def home(street: Street) -> House:
    from fairwatt.store.models import User

    street.open_home()
    tag = street.site.book.slug
    with as_role("migrate"):
        organisation = street.site.book.organisation
        operator = User.objects.create_user(
            f"op-{tag}", None, "x", organisation=organisation, role="operator"
        )
        auditor = User.objects.create_user(f"au-{tag}", None, "x", organisation=organisation, role="auditor")
    return House(street, operator, auditor)


def csv_of(folder: Path, *rows: tuple[int, int | str], name: str = "use.csv") -> Path:
    from fairwatt.core.spans import to_datetime

    lines = [f"a,{to_datetime(at_us).isoformat()},{wh}" for at_us, wh in rows]
    path = folder / name
    path.write_text("\n".join(["meter,ts,wh", *lines]) + "\n")
    return path


def test_the_raw_london_home_is_stored_whole_and_the_same_file_again_changes_nothing(home: House) -> None:
    done = home.take(LONDON)

    assert (done.known_before, done.rows, done.versions) == (False, 24_158, 24_192)
    kinds = {finding.rule: finding.count for finding in done.examined.findings}
    assert (kinds["null"], kinds["off_grid"], kinds["duplicate_equal"], kinds["gap"]) == (1, 1, 17, 5)
    before = home.counts()
    assert before["interval_raw"] == 24_158
    assert before["interval_value"] == 24_192
    assert before["interval_defect"] == sum(kinds.values())
    assert before["line"] == 0, "an import moves no balance"

    again = home.take(LONDON)
    other_name = home.take(LONDON, digest="another")

    assert (again.known_before, again.import_id, again.versions) == (True, done.import_id, 0)
    assert (other_name.known_before, other_name.versions) == (False, 0), "same values: no new version of any"
    after = home.counts()
    assert after["interval_value"] == before["interval_value"]
    statuses = [value.status for versions in home.values().values() for value in versions]
    assert (statuses.count("A"), statuses.count("E")) == (24_140, 52)


def test_a_measurement_that_arrives_later_becomes_the_next_version(home: House, tmp_path: Path) -> None:
    holed = [(NOON_US, 10), (NOON_US + HALF_US, 20), (NOON_US + 3 * HALF_US, 40), (NOON_US + 4 * HALF_US, 50)]
    home.take(csv_of(tmp_path, *holed))
    home.take(csv_of(tmp_path, (NOON_US + 2 * HALF_US, 33), (NOON_US, 11), name="late.csv"), digest="late")

    values = home.values()
    assert [(v.version, v.wh, v.status, v.rule) for v in values[NOON_US + 2 * HALF_US]] == [
        (1, 30, "E", "linear"),
        (2, 33, "A", "source"),
    ]
    assert [(v.wh, v.status) for v in values[NOON_US]] == [(10, "A")], (
        "two measurements: the first one stands"
    )
    from fairwatt.store.models import IntervalDefect

    with home.seen():
        told = IntervalDefect.objects.filter(meter=home.meter.pk, rule="conflict").get()
    assert told.detail == "now 11 Wh, before 10 Wh (A)"


def test_estimates_meet_the_register_that_was_charged(home: House, tmp_path: Path) -> None:
    with opened_desk(home.street) as desk:
        desk.read(home.street.homes[0], NOON_US + 6 * HALF_US, 700)
    known = [
        (NOON_US, 100),
        (NOON_US + HALF_US, 100),
        (NOON_US + 4 * HALF_US, 120),
        (NOON_US + 5 * HALF_US, 120),
    ]
    home.take(csv_of(tmp_path, *known))

    values = home.values()
    assert sum(versions[-1].wh for versions in values.values()) == 700
    assert [versions[-1].rule for versions in values.values()].count("linear+register") == 2


def test_nothing_of_a_file_that_cannot_be_used_is_stored(home: House, tmp_path: Path) -> None:
    from fairwatt.flows.desk import NotAllowed, NotFound
    from fairwatt.flows.import_readings import ImportRefused
    from fairwatt.intervals.contract import FileBroken

    good = csv_of(tmp_path, (NOON_US, 1), (NOON_US + HALF_US, 2))
    before = home.counts()
    future = csv_of(tmp_path, (LATER_US + DAY_US, 1), (LATER_US + DAY_US + HALF_US, 1), name="future.csv")
    with pytest.raises(FileBroken, match="No row holds a value"):
        home.take(future)
    with pytest.raises(NotAllowed):
        home.take(good, author=home.auditor.username)
    with pytest.raises(NotFound):
        home.take(good, meter_number="7")
    with pytest.raises(ImportRefused, match="no book"):
        home.take(good, book_slug="none")
    assert home.counts() == before


def test_a_crash_in_the_middle_of_an_import_leaves_nothing(
    home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.store import intervals

    module: Any = intervals
    real = module.add_versions

    def dies(**rows: Any) -> None:
        real(**rows)
        raise ConnectionError("the power went")

    monkeypatch.setattr(module, "add_versions", dies)
    before = home.counts()
    with pytest.raises(ConnectionError):
        home.take(csv_of(tmp_path, (NOON_US, 1), (NOON_US + HALF_US, 2)))
    assert home.counts() == before


def test_a_person_edits_a_value_with_a_reason_and_everything_before_stays(
    home: House, tmp_path: Path
) -> None:
    from fairwatt.flows.edit_interval import ChangedMeanwhile, EditRefused, edit_interval
    from fairwatt.store.models import Event

    home.take(csv_of(tmp_path, (NOON_US, 10), (NOON_US + HALF_US, 20)))

    def edit(**changes: Any) -> Any:
        asked = {
            "book_id": home.street.book,
            "meter_id": home.meter.pk,
            "at_us": NOON_US,
            "seen_version": 1,
            "wh": 15,
            "reason": "read on site, photo 12",
            "user_id": home.operator.pk,
            "now_us": LATER_US,
        }
        return edit_interval(**{**asked, **changes})

    assert edit().version == 2
    with pytest.raises(ChangedMeanwhile, match="Version 2"):
        edit()
    for wrong in ({"reason": " . "}, {"wh": -1}, {"wh": 10_100}):
        with pytest.raises(EditRefused):
            edit(seen_version=2, **wrong)
    from fairwatt.flows.desk import NotAllowed, NotFound

    with pytest.raises(NotAllowed):
        edit(user_id=home.auditor.pk)
    with pytest.raises(NotFound):
        edit(at_us=NOON_US + DAY_US)
    versions = home.values()[NOON_US]
    assert [(v.version, v.wh, v.status, v.author) for v in versions] == [
        (1, 10, "A", None),
        (2, 15, "X", home.operator.pk),
    ]
    with home.seen():
        deed = Event.objects.filter(book=home.street.book, kind="desk.interval_edited").get()
    assert (deed.evidence["from_wh"], deed.evidence["to_wh"], deed.batch) == (10, 15, 0)
    home.take(csv_of(tmp_path, (NOON_US, 10), (NOON_US + HALF_US, 20)), digest="again")
    assert len(home.values()[NOON_US]) == 2, "what a person decided stands against any file"


def test_no_role_changes_what_was_sent_or_said(home: House, tmp_path: Path) -> None:
    from django.db import DatabaseError, connection, transaction

    home.take(csv_of(tmp_path, *((NOON_US + n * HALF_US, 10) for n in (0, 1, 3))))
    for role in ("web", "poster", "migrate"):
        with as_role(role):  # type: ignore[arg-type]
            for table in ("interval_raw", "interval_value", "interval_defect", "interval_import"):
                for statement in (
                    f"UPDATE {table} SET book = book",
                    f"DELETE FROM {table}",
                    f"TRUNCATE {table}",
                ):
                    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                        cursor.execute(
                            "SELECT set_config('fairwatt.books', %s, true)", [str(home.street.book)]
                        )
                        cursor.execute("SELECT set_config('fairwatt.wallets', '*', true)")
                        cursor.execute("SET LOCAL ROLE fairwatt_owner" if role == "migrate" else "SELECT 1")
                        cursor.execute(statement)


def test_the_web_adds_events_of_the_desk_and_no_others(home: House) -> None:
    from django.db import DatabaseError, connection, transaction

    insert = "INSERT INTO event (book, at_us, kind, reason, rule, evidence, batch) VALUES (%s, 1, %s, '', '', '{}', %s)"
    for kind, batch in (("payment.credited", 0), ("supply.cut", 0), ("desk.interval_edited", 7)):
        with (
            pytest.raises(DatabaseError, match="row-level security"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT set_config('fairwatt.books', %s, true)", [str(home.street.book)])
            cursor.execute("SELECT set_config('fairwatt.wallets', '*', true)")
            cursor.execute(insert, [home.street.book, kind, batch])


def test_a_resident_sees_no_interval_values(home: House, tmp_path: Path) -> None:
    from fairwatt.store.models import IntervalValue
    from fairwatt.web.access import Scope, seeing

    home.take(csv_of(tmp_path, (NOON_US, 10), (NOON_US + HALF_US, 20)))
    with seeing(scope=Scope(books=(home.street.book,), wallets=(home.street.wallets[0],))):
        assert not IntervalValue.objects.filter(meter=home.meter.pk).exists()


# --- meter quality ----------------------------------------------------------------------------------------------


def test_a_certificate_and_a_test_are_recorded_once_and_judged(home: House) -> None:
    from datetime import date

    from fairwatt.flows.desk import NotAllowed
    from fairwatt.flows.meter_quality import (
        CertificateSpec,
        CheckSpec,
        QualityRefused,
        record_certificate,
        record_check,
    )
    from fairwatt.store.models import Event

    paper = CertificateSpec(
        accuracy_class="2",
        number="JB-1",
        authority="Institute",
        issued_on=date(2015, 1, 1),
        expires_on=date(2020, 1, 1),
    )
    test = CheckSpec(
        tested_us=LATER_US - HOUR_US,
        reference="REF-9",
        reference_from_wh=0,
        reference_to_wh=10_000,
        reference_step_wh=1,
        tested_from_wh=500,
        tested_to_wh=10_650,
        evidence="protocol 7",
    )
    who = {
        "book_id": home.street.book,
        "meter_id": home.meter.pk,
        "user_id": home.operator.pk,
        "now_us": LATER_US,
    }
    with pytest.raises(QualityRefused, match="Record its certificate first"):
        record_check(check=test, **who)
    first = record_certificate(certificate=paper, **who)
    assert record_certificate(certificate=paper, **who).pk == first.pk
    done = record_check(check=test, **who)
    assert record_check(check=test, **who).pk == done.pk
    assert (done.error_num, done.error_den, done.verdict) == (15, 1, "fail")
    assert (done.limit_per_mille, done.limit_rule) == (10, "house"), "class 2 allows 20, the house 10"
    from dataclasses import replace

    with pytest.raises(QualityRefused, match="Another test"):
        record_check(check=replace(test, tested_to_wh=10_600), **who)
    with pytest.raises(QualityRefused, match="other content"):
        record_certificate(certificate=replace(paper, accuracy_class="1"), **who)
    with pytest.raises(NotAllowed):
        record_check(check=test, **{**who, "user_id": home.auditor.pk})
    with home.seen():
        deeds = Event.objects.filter(book=home.street.book, kind__startswith="desk.").order_by("id")
        assert [deed.kind for deed in deeds] == ["desk.certificate_recorded", "desk.meter_check_fail"]


def test_the_meters_own_readings_become_values_and_gaps_meet_the_register(home: House) -> None:
    from fairwatt.flows.check_days import check_days

    meter = home.street.homes[0]
    with opened_desk(home.street) as desk:
        for n, wh in ((1, 100), (2, 250), (4, 700), (5, 800)):
            desk.read(meter, NOON_US + n * HALF_US, wh)
    now_us = NOON_US + 6 * HALF_US
    done = check_days(book_id=home.street.book, user_id=home.operator.pk, now_us=now_us)
    assert (done.meters, done.versions, done.estimated) == (1, 5, 2)
    newest = [(versions[-1].wh, versions[-1].status) for versions in home.values().values()]
    assert [status for _, status in newest] == ["A", "A", "E", "E", "A"]
    assert sum(wh for wh, _ in newest[2:4]) == 450
    before = home.counts()
    assert check_days(book_id=home.street.book, user_id=home.operator.pk, now_us=now_us).versions == 0
    assert home.counts() == before
    with opened_desk(home.street) as desk:
        desk.read(meter, NOON_US + 3 * HALF_US, 600, now_us=now_us)
    check_days(book_id=home.street.book, user_id=home.operator.pk, now_us=now_us)
    settled = home.values()[NOON_US + 2 * HALF_US]
    assert [(v.version, v.status) for v in settled] == [(1, "E"), (2, "A")]
    assert settled[-1].wh == 350, "the late reading settles what was a guess"
