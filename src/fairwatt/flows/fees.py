"""Fees of a book: written down by a person, kept for ever, charged later by the poster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction

from fairwatt.core.costs.calendar import Calendar, Every, Run, next_run
from fairwatt.core.costs.taking import FeePolicy
from fairwatt.core.ids import fee_run_key, reversal_key
from fairwatt.core.refusal import Refusal
from fairwatt.core.spans import local_date
from fairwatt.flows.posting.fees import calendar_of, fee_runs, owed_for
from fairwatt.flows.posting.taking import Owed
from fairwatt.store import costs, facts
from fairwatt.store.models import (
    Book,
    CostEntry,
    CostStep,
    Fee,
    FeeEnd,
    FeeRule,
    LandlordAccount,
    Tenancy,
    Unit,
    UnitMeasure,
    User,
)

AMOUNT_MICRO_MAX = 10**13


class FeeRefused(Refusal):
    """A fee that cannot be written down as asked; nobody is charged."""


@dataclass(frozen=True, kw_only=True)
class FeePreview:
    """The next run of a fee as it would be charged today: what each stay owes, before energy is protected."""

    run: Run | None
    owed: tuple[tuple[str, Owed], ...] = ()
    """(label of the unit, what it owes)"""
    without_area: tuple[str, ...] = ()

    @property
    def total_micro(self) -> int:
        """Everything that would be asked for, tax included."""
        return sum(one.net_micro + one.tax_micro for _, one in self.owed)


@transaction.atomic(durable=True)
def add_fee(
    *,
    book_id: int,
    name: str,
    category: str,
    basis: str,
    amount_micro: int,
    calendar: Calendar,
    first_day: date,
    end_day: date | None,
    tax_bp: int,
    priority: int,
    unit_id: int | None,
    by: User,
    now_us: int,
) -> Fee:
    """Write a fee down; the first run is posted when it falls due, at once where that day has passed.

    Raises FeeRefused.
    """
    if not name.strip():
        raise FeeRefused("A fee needs a name that residents can read. Nobody is charged; write a name.")
    if not 0 < amount_micro <= AMOUNT_MICRO_MAX:
        raise FeeRefused("The amount of a fee must be above zero. Nobody is charged; write another amount.")
    if end_day is not None and end_day <= first_day:
        raise FeeRefused("A fee ends after it begins. Nobody is charged; write a later last day.")
    if category not in Fee.Category.values or basis not in Fee.Basis.values:
        raise FeeRefused("There is no such kind of fee. Nobody is charged; choose one of the list.")
    if not 0 <= tax_bp <= 10_000 or not 0 <= priority <= 99:
        raise FeeRefused("Tax is between 0 and 100 %, priority between 0 and 99. Nobody is charged.")
    if unit_id is not None and not Unit.objects.filter(pk=unit_id, site__book_id=book_id).exists():
        raise FeeRefused("That unit is not in this book. Nobody is charged; choose a unit of the list.")
    return Fee.objects.create(
        book_id=book_id,
        unit_id=unit_id,
        name=name.strip(),
        category=category,
        basis=basis,
        amount_micro=amount_micro,
        tax_bp=tax_bp,
        every=calendar.every,
        day=calendar.day,
        month=calendar.month,
        advance=calendar.advance,
        priority=priority,
        first_day=first_day,
        end_day=end_day,
        created_us=now_us,
        created_by=by,
    )


@transaction.atomic(durable=True)
def end_fee(*, book_id: int, fee_id: int, end_day: date, by: User, now_us: int) -> None:
    """Say from which day on a fee is owed no more; days charged already are taken back by a reversal only.

    Raises FeeRefused when the fee has an end, or the day is before it begins.
    """
    fee = Fee.objects.filter(pk=fee_id, book_id=book_id).first()
    if fee is None or FeeEnd.objects.filter(fee=fee).exists():
        raise FeeRefused("This fee has ended already, or is not in this book. Nothing was changed.")
    if end_day < fee.first_day:
        raise FeeRefused("The fee begins after that day. Nothing was changed; write a later day.")
    FeeEnd.objects.create(fee=fee, end_day=end_day, created_us=now_us, created_by=by)


@transaction.atomic(durable=True)
def set_fee_rule(*, book_id: int, policy: FeePolicy, by: User | None, now_us: int) -> None:
    """Set how fees stand behind energy from now on; the rows before stay to explain what they decided."""
    FeeRule.objects.create(
        book_id=book_id,
        reserve_micro=policy.reserve_micro,
        reserve_days=policy.reserve_days,
        recovery_bp=policy.recovery_bp,
        fees_may_cut=policy.fees_may_cut,
        legal_reference=policy.legal_reference,
        created_us=now_us,
        created_by=by,
    )


@transaction.atomic(durable=True)
def measure_unit(
    *,
    unit_id: int,
    from_us: int,
    area_dm2: int,
    heads: int,
    by: User | None,
    now_us: int,
    common: bool = False,
) -> None:
    """Note what a unit counts by from an instant on: hundredths of a square metre, people, or that it is common."""
    UnitMeasure.objects.create(
        unit_id=unit_id,
        from_us=from_us,
        area_dm2=area_dm2,
        heads=heads,
        common=common,
        created_us=now_us,
        created_by=by,
    )


@transaction.atomic(durable=True)
def set_landlord_account(*, site_id: int, wallet_id: int) -> None:
    """Let a site's owner pay for vacant units from a wallet. Commissioning's, not the console's."""
    LandlordAccount.objects.create(site_id=site_id, wallet_id=wallet_id)


@transaction.atomic(durable=True)
def reverse_fee(*, book_id: int, entry_id: int, reason: str, by: User, now_us: int) -> int:
    """Take one charged fee back: what was taken returns, what is open is owed no more. Return the fact id.

    Raises FeeRefused when there is no such fee, it was taken back before, or no reason is given.
    """
    if not reason.strip():
        raise FeeRefused("Say why the fee is taken back. Nothing was changed; write a reason.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        entry = CostEntry.objects.filter(pk=entry_id, book=book_id, kind="fee").first()
        if entry is None or CostStep.objects.filter(entry=entry_id, kind="reversed").exists():
            raise FeeRefused("This fee was taken back before, or is not in this book. Nothing was changed.")
        if entry.wallet is not None and Tenancy.objects.filter(wallet=entry.wallet, user=by).exists():
            raise FeeRefused(
                "Nobody takes back a fee of the home they live or have lived in. Nothing was changed; ask a colleague."
            )
        CostStep.objects.create(
            book=book_id,
            wallet=entry.wallet,
            entry=entry_id,
            kind="reversed",
            person=by,
            at_us=now_us,
            reason=reason.strip(),
        )
        fact, _ = facts.add(
            cursor=cursor,
            book=book_id,
            kind="reversal",
            natural_key=reversal_key(what="entry", number=entry_id),
            wallet=entry.wallet,
            payload={"entry": entry_id},
            raw=b"",
            now_us=now_us,
        )
    return fact


def preview_next_run(*, book: Book, fee_id: int, now_us: int) -> FeePreview:
    """Work out the next run of a fee with today's stays; nothing is written."""
    today = local_date(zone=book.zone, at_us=now_us)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        (fee,) = costs.fee_terms(cursor=cursor, book=book.pk, fee=fee_id)
        run = next_run(calendar=calendar_of(fee), first=fee.first_day, end=fee.end_day, after=today)
        if run is None:
            return FeePreview(run=None)
        owed, missing = owed_for(cursor=cursor, book=book.pk, zone=book.zone, fee=fee, run=run)
    labels = dict(Unit.objects.filter(site__book=book).values_list("id", "label"))
    return FeePreview(
        run=run,
        owed=tuple((labels.get(one.unit or 0, ""), one) for one in owed),
        without_area=tuple(missing),
    )


def not_raised(*, book: Book, fee_id: int, now_us: int) -> list[Run]:
    """Runs that fell due and the poster was not asked for yet: a fee that begins in the past is charged for them."""
    today = local_date(zone=book.zone, at_us=now_us)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        (fee,) = costs.fee_terms(cursor=cursor, book=book.pk, fee=fee_id)
        known = facts.asked_for(cursor=cursor, book=book.pk, kind="fee_run", again_us=0)
    return [
        run
        for run in fee_runs(fee=fee, through=today)
        if fee_run_key(fee=fee.fee, due=run.due.isoformat()) not in known
    ]


def arrears(*, book: Book) -> list[tuple[int | None, str, int, date | None]]:
    """(wallet, account, still open, oldest day) of everybody who owes fees or shares."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return costs.arrears_by_wallet(cursor=cursor, book=book.pk)


def calendar(*, every: str, day: int, month: int, advance: bool) -> Calendar:
    """A calendar from plain values; raises CalendarError."""
    return Calendar(every=Every(every), day=day, month=month, advance=advance)
