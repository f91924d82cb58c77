"""Fees and shared costs in a scene, written down by its operator through the real flows."""

from __future__ import annotations

from datetime import date
from typing import Any

from support.house import as_role
from web.scene import DAY_US, NOW_US, Scene


def measure_all(scene: Scene) -> None:
    """Areas and people for every unit, in force since the building opened."""
    from fairwatt.flows.fees import measure_unit
    from fairwatt.store.models import Unit

    with as_role("web"):
        for n, unit in enumerate(Unit.objects.filter(site=scene.site).order_by("label")):
            measure_unit(
                unit_id=unit.pk,
                from_us=scene.opened_us,
                area_dm2=6_000 + n * 737 % 5_000,
                heads=1 + n % 4,
                by=scene.operator,
                now_us=scene.opened_us,
            )


def write_fee(scene: Scene, **changes: Any) -> int:
    """A property fee by area, due when its month is over."""
    from fairwatt.core.costs.calendar import Calendar, Every
    from fairwatt.flows.fees import add_fee

    wishes: dict[str, Any] = {
        "name": "物业费 Property fee",
        "category": "property",
        "basis": "area",
        "amount_micro": 2_800_000,
        "calendar": Calendar(Every.MONTH),
        "first_day": date(2026, 11, 1),
        "end_day": None,
        "tax_bp": 600,
        "priority": 50,
        "unit_id": None,
        **changes,
    }
    with as_role("web"):
        return add_fee(book_id=scene.book, by=scene.operator, now_us=NOW_US, **wishes).pk


def share_a_cost(
    scene: Scene, *, at_us: int = NOW_US, title: str = "Stairs and lift, October"
) -> dict[str, int]:
    """Publish a cost of 486.40 by area and people; return its numbers and the owner's share."""
    from django.db import connection, transaction

    from fairwatt.core.costs.apportion import Basis, Formula, Part
    from fairwatt.flows.cost_sources import Typed
    from fairwatt.flows.raise_due import see_publications
    from fairwatt.flows.shared_costs import draft_allocation, preview, publish, publish_formula
    from fairwatt.store.models import AllocationShare
    from fairwatt.web.access import Scope, seeing

    measure_all(scene)
    parts = (Part(Basis.AREA, 7_000), Part(Basis.HEADS, 3_000))
    with as_role("web"):
        formula = publish_formula(
            book_id=scene.book, formula=Formula(title, parts), by=scene.operator, now_us=at_us
        )
        draft = draft_allocation(
            book_id=scene.book,
            site_id=scene.site.pk,
            formula_id=formula.pk,
            title=title,
            first_day=date(2026, 11, 6),
            end_day=date(2026, 11, 20),
            source=Typed(amount_micro=486_400_000, evidence=f"Invoice 2026-1107, {title}"),
            objection_days=14,
            by=scene.operator,
            now_us=at_us,
            entropy=bytes(range(16)),
        )
        seen = preview(allocation=draft).proof()["digest"]
        publish(book_id=scene.book, allocation_id=draft.pk, seen_digest=seen, by=scene.operator, now_us=at_us)
    with as_role("poster"), transaction.atomic(), connection.cursor() as cursor:
        see_publications(cursor=cursor, book=scene.book, now_us=at_us)
    with as_role("web"), seeing(scope=Scope(books=(scene.book,))):
        share = AllocationShare.objects.get(allocation=draft, wallet=scene.wallets[0])
    fee = write_fee(scene, first_day=date(2030, 1, 1))
    return {"cost": draft.pk, "share": share.pk, "fee": fee}


def charge_everything(scene: Scene, *, now_us: int = NOW_US + DAY_US) -> None:
    """Raise what fell due and post it, as the head-end does."""
    from fairwatt.flows.raise_due import raise_due

    with as_role("poster"):
        raise_due(book_id=scene.book, now_us=now_us)
    scene.post(now_us=now_us, obey=False)
