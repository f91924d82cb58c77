"""The plans of a book: each tariff as published now, once for every set of parameters that some home has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import DatabaseError, connection

from fairwatt.core.rating.accounts import AccountValue, for_account_over_time, values_of
from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.flows.posting.book_state import Plan
from fairwatt.flows.posting.configuring import Alarms
from fairwatt.store.accounts import values_of_book
from fairwatt.store.models import Book, Installation, TariffPlan, TariffPublication
from fairwatt.store.posting import EventRow

Values = tuple[AccountValue, ...]


def make_plan(
    *, plan: int, schedule: Schedule, values: Sequence[AccountValue] = (), since_us: int = 0
) -> Plan:
    """A tariff plan in all the forms that posting needs, for homes with these parameters.

    One asked only from an instant on (`since_us`) is made quicker.
    """
    schedule = for_account_over_time(schedule, values)
    table = SegmentTable(schedule=schedule)
    first = max(since_us, schedule.versions[0].effective_us)
    table.ensure(start_us=first, end_us=first + 1)
    return Plan(
        plan=plan,
        schedule=schedule,
        table=table,
        vtable=VectorTable(table),
    )


def values_of_homes(book: Book, homes: Iterable[Installation]) -> dict[int, Values]:
    """{installation: what its prices depend on}; homes that have nothing of their own are left out."""
    with connection.cursor() as cursor:
        known = values_of_book(cursor=cursor, book=book.pk)
    schedules = {plan: _read(text.text) for plan, text in _newest_texts(book).items()}
    found = {}
    for row in homes:
        schedule = schedules.get(row.plan_id)
        if schedule is None:
            continue  # the plan itself says so, below
        mine = values_of(
            known.get(row.pk, []),
            schedule=schedule,
            opened_us=row.opened_us,
            started_us=row.wallet.opened_us,
            transformer=row.transformer,
        )
        if mine:
            found[row.pk] = mine
    return found


def values_under(*, book: Book, homes: Sequence[Installation], schedule: Schedule) -> dict[int, Values]:
    """{installation: what its prices depend on under a text}; nothing is empty."""
    with connection.cursor() as cursor:
        known = values_of_book(cursor=cursor, book=book.pk)
    return {
        row.pk: values_of(
            known.get(row.pk, []),
            schedule=schedule,
            opened_us=row.opened_us,
            started_us=row.wallet.opened_us,
            transformer=row.transformer,
        )
        for row in homes
    }


def _read(text: str) -> Schedule | None:
    try:
        return parse_schedule(text)
    except TariffError:
        return None


def _newest_texts(book: Book) -> dict[int, TariffPublication]:
    newest = TariffPublication.objects.filter(plan__book=book).order_by("plan_id", "-pk").distinct("plan_id")
    return {row.plan_id: row for row in newest}


def plans_of_book(
    book: Book, alarms: Alarms, homes: Iterable[Installation], values: dict[int, Values]
) -> tuple[list[Plan], dict[tuple[int, Values], int]]:
    """Every plan, and beside it one for each set of parameters that some home has; where to find each."""
    plans: list[Plan] = []
    index: dict[tuple[int, Values], int] = {}
    texts = _newest_texts(book)
    own = {(row.plan_id, values[row.pk]) for row in homes if row.pk in values}
    for plan in TariffPlan.objects.filter(book=book).order_by("pk"):
        newest = texts.get(plan.pk)
        if newest is None:
            continue
        for mine in [(), *sorted(some for of, some in own if of == plan.pk)]:
            try:
                made = make_plan(plan=plan.pk, schedule=parse_schedule(newest.text), values=mine)
            except DatabaseError:
                raise
            except Exception as error:
                evidence = alarms.about(row=newest.pk, name=plan.slug, error=error)
                alarms.add(EventRow(kind="alarm.tariff_unusable", at_us=alarms.now_us, evidence=evidence))
                continue
            index[plan.pk, mine] = len(plans)
            plans.append(made)
    return plans, index
