"""What the demo's office does, it does once: started again, it finds its work in the book."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.costs import flush, run_due
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street

END_US = NOON_US + 32 * DAY_US


@pytest.fixture
def street(house: Services) -> Street:
    return Street(tariff=FLAT)


def _people(street: Street) -> Any:
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = street.site.book.organisation
        for role in ("operator", "admin"):
            User.objects.create_user(
                f"{role}-{organisation.slug}", None, "x", organisation=organisation, role=role
            )
        return User.objects.create_user(f"resident-{organisation.slug}", None, "x")


def _made(book: int) -> dict[str, int]:
    from fairwatt.store import models
    from fairwatt.web.access import Scope, seeing

    tables: tuple[Any, ...] = (
        *(models.UnitMeasure.objects.filter(unit__site__book=book), models.Fee.objects.filter(book=book)),
        *(
            models.AllocationProof.objects.filter(allocation__book=book),
            models.CostStep.objects.filter(book=book),
        ),
        *(models.MeterCertificate.objects.filter(book=book), models.MeterCheck.objects.filter(book=book)),
        *(models.SupplierBill.objects.filter(book=book), models.TrustStatement.objects.filter(book=book)),
        *(models.Dispute.objects.filter(book=book), models.DisputeEntry.objects.filter(book=book)),
        *(models.PeriodClose.objects.filter(book=book), models.CostEntry.objects.filter(book=book)),
    )
    with as_role("web"), seeing(scope=Scope(books=(book,))):
        return {rows.model.__name__: rows.count() for rows in tables}


def test_the_office_of_the_demo_does_everything_once(street: Street, desk: Desk) -> None:
    from fairwatt.simulate.office import Office

    person = _people(street)
    meters = [desk.home(tenants=(person,)) for _ in range(2)]
    for meter in meters:
        desk.pay(meter, 400_00, now_us=NOON_US + HOUR_US)
        desk.read(meter, NOON_US + DAY_US, 9_000)
        desk.read(meter, END_US - DAY_US, 90_000)
    for start in range(2):
        with as_role("web"):
            office = Office(book=street.book, opened_us=street.opened_us)
        for days in (12, 32):
            now_us = NOON_US + days * DAY_US
            with as_role("web"):
                office.catch_up(now_us=now_us)
            assert not office.waits(now_us=now_us)
            run_due(desk, now_us if start == 0 else END_US)
        if start == 0:
            first = _made(street.book)
    flush(desk, END_US)
    assert min(first.values()) > 0, first
    assert _made(street.book) == first
