"""Builders for tests of fees and shared costs: people, homes with credit, what is owed, and what became of it."""

from __future__ import annotations

from datetime import date
from typing import Any

from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street

JULY_END_US = NOON_US + 31 * DAY_US
"""2013-08-01 12:00 UTC: the month after the street opened is over."""
AUGUST_US = NOON_US + 32 * DAY_US
WINDOW_US = 7 * DAY_US
TOTAL = 100_000_000


def staff(street: Street, name: str) -> Any:
    """Somebody at the desk of the street's organisation."""
    from fairwatt.store.models import User

    with as_role("migrate"):
        organisation = street.site.book.organisation
        return User.objects.create_user(
            f"{name}-{organisation.slug}", None, "x", organisation=organisation, role="operator"
        )


def resident(street: Street, name: str) -> Any:
    """Somebody who lives in the street."""
    from fairwatt.store.models import User

    with as_role("migrate"):
        return User.objects.create_user(f"{name}-{street.site.book.organisation.slug}", None, "x")


def fee(street: Street, person: Any, **changes: Any) -> Any:
    """A property fee of 31.00 a month, due when the month is over."""
    from fairwatt.core.costs.calendar import Calendar, Every
    from fairwatt.flows.fees import add_fee

    wishes: dict[str, Any] = {
        "name": "Property fee",
        "category": "property",
        "basis": "unit",
        "amount_micro": 31_000_000,
        "calendar": Calendar(Every.MONTH),
        "first_day": date(2013, 7, 1),
        "end_day": None,
        "tax_bp": 0,
        "priority": 50,
        "unit_id": None,
        **changes,
    }
    with as_role("web"):
        return add_fee(book_id=street.book, by=person, now_us=NOON_US, **wishes)


def run_due(desk: Desk, now_us: int) -> int:
    """Flush the caches and look at the calendar, as the head-end does all the time; post what fell due."""
    from fairwatt.flows.raise_due import raise_due

    flush(desk, now_us)
    raised = raise_due(book_id=desk.street.book, now_us=now_us)
    desk.post(now_us=now_us)
    return raised


def flush(desk: Desk, now_us: int) -> None:
    from fairwatt.flows.posting.flushing import CacheFlusher
    from fairwatt.flows.posting.loading import load_book

    desk.state = load_book(book=desk.street.book, now_us=now_us)
    flusher = CacheFlusher(state=desk.state)
    flusher.catch_up()
    flusher.flush(state=desk.state)


def entries(desk: Desk) -> list[Any]:
    from fairwatt.store.models import CostEntry

    return list(CostEntry.objects.filter(book=desk.street.book).order_by("id"))


def legs(desk: Desk) -> dict[str, int]:
    from fairwatt.store.models import Journal

    sums: dict[str, int] = {}
    for leg in Journal.objects.filter(book=desk.street.book):
        sums[leg.account] = sums.get(leg.account, 0) + leg.amount_micro
    return {account: amount for account, amount in sums.items() if amount}


def a_paid_home(desk: Desk, minor: int = 100_00) -> int:
    """A home with credit where nothing is used: its days are read and cost nothing."""
    meter = desk.home()
    desk.pay(meter, minor, now_us=NOON_US + HOUR_US)
    desk.read(meter, JULY_END_US - 2 * DAY_US, 0)
    return meter


def three_homes(
    desk: Desk, street: Street, people: dict[str, Any], minor: int = 100_00, still: bool = True
) -> list[int]:
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
    for meter in meters if still else ():
        desk.read(meter, AUGUST_US - DAY_US, 0)
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
    draft = drafted(street, people, **changes)
    publish_as_seen(street, people, draft, digest_seen(draft))
    see_published(street)
    return draft


def see_published(street: Street, now_us: int = AUGUST_US) -> int:
    """What the head-end does all the time: objections run from when its own clock saw the cost."""
    from django.db import connection, transaction

    from fairwatt.flows.raise_due import see_publications

    with as_role("poster"), transaction.atomic(), connection.cursor() as cursor:
        return see_publications(cursor=cursor, book=street.book, now_us=now_us)


def digest_seen(draft: Any) -> str:
    """What names the preview that a person looks at now."""
    from fairwatt.flows.shared_costs import preview

    with as_role("web"):
        return str(preview(allocation=draft).proof()["digest"])


def publish_as_seen(street: Street, people: dict[str, Any], draft: Any, digest: str) -> Any:
    from fairwatt.flows.shared_costs import publish

    with as_role("web"):
        return publish(
            book_id=street.book,
            allocation_id=draft.pk,
            seen_digest=digest,
            by=people["drafter"],
            now_us=AUGUST_US,
        )


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


def balances(desk: Desk, meters: list[int]) -> list[int]:
    return [desk.balance(meter) for meter in meters]
