"""A day of a merchant account: its provider's bill held against ledger and meters. Writes what came of it, once.

A day is open until there is a bill to judge by; it never comes to "0 differences" without one. The same look again
changes nothing; another result is another version, and the earlier ones stay.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.refusal import Refusal
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.flows.reconciling import bills, records
from fairwatt.payments.billing import BILLING, Billing, days_between, neighbours
from fairwatt.payments.contract import BillRow, Kind
from fairwatt.payments.reconcile import Compared, Difference, Drift, Side, Told, compare
from fairwatt.store import facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, MerchantAccount, Role

LATE_US: Final = US_PER_DAY
"""A meter that has not confirmed an order for so long is somebody's work."""
QUIET_US: Final = US_PER_DAY
"""Where an empty day has no bill, it is waited for so much longer before the day is called quiet."""
SHOWN_DAYS: Final = 40
PATIENCE_MS: Final = 600_000
"""So long a statement of a comparison may take, and the next one be waited for."""
ROOM: Final = "256MB"
"""What a bill names is hashed only where it fits; else each of our rows walks all of it. This is room for millions."""
AGAIN_DAYS: Final = 7
"""Days so old are looked at again only when their bill or a person's word is new."""


class NotReconciled(Refusal):
    """The day cannot be reconciled as asked; nothing was written."""


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What a day of an account came to; `fresh` where that is something new."""

    version: records.Version
    differences: tuple[Difference, ...]
    open: tuple[Difference, ...]
    """differences that nobody has spoken about"""
    fresh: bool


@transaction.atomic(durable=True)
def reconcile_day(*, account_id: int, day: str, now_us: int) -> Reconciled:
    """Compare a day and keep what came of it. Raises NotReconciled for a day that cannot be, or is not over."""
    account = MerchantAccount.objects.filter(pk=account_id).first()
    billing = BILLING.get(account.provider) if account is not None else None
    if account is None or billing is None:
        raise NotReconciled(
            "This account has no bills to be held against. Nothing was written; name another."
        )
    if _end_us(billing, day) > now_us:
        raise NotReconciled(
            "The day is not over at the provider, so its bill cannot be there. Nothing was written; ask again tomorrow."
        )
    return _reconcile(account, billing, day, now_us)


def _end_us(billing: Billing, day: str) -> int:
    try:
        return billing.span(day)[1]
    except ValueError:
        raise NotReconciled("This is no day. A day is written as 2026-11-21. Nothing was written.") from None


def _reconcile(account: MerchantAccount, billing: Billing, day: str, now_us: int) -> Reconciled:
    books = list(Book.objects.filter(organisation=account.organisation_id).order_by("pk"))
    with connection.cursor() as cursor:
        facts.see_books(cursor=cursor, books=[book.pk for book in books])
        # A page may not hold the database for longer than its reader waits; a day of 400,000 payments takes longer.
        cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {PATIENCE_MS}")
        cursor.execute(f"SET LOCAL work_mem = '{ROOM}'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, account.pk])
        found = _Day(cursor=cursor, account=account, billing=billing, day=day, now_us=now_us)
        compared, totals = found.compare([book.pk for book in books])
        words = records.words_of(cursor=cursor, account=account.pk, day=day)
        left = tuple(one for one in compared.differences if one.key not in words)
        state, reason = found.state(compared, totals, left)
        content = [
            *(found.bill, state, reason, totals),
            *sorted(one.key for one in compared.differences),
            *sorted(one.key for one in left),
        ]
        made = records.Version(
            *(0, account.pk, day, 0, found.bill, state, reason, totals),
            sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
            now_us,
        )
        before = next(iter(records.versions(cursor=cursor, account=account.pk, day=day)), None)
        fresh = before is None or before.digest != made.digest
        if fresh:
            made = records.add_version(cursor=cursor, before=before, made=made, items=compared.differences)
            _note(cursor, books, made, len(left))
    return Reconciled(
        version=made if fresh or before is None else before,
        differences=tuple(compared.differences),
        open=left,
        fresh=fresh,
    )


_LOCK: Final = 0x5EC0


def _note(cursor: Any, books: list[Book], made: records.Version, left: int) -> None:
    """Leave it where every deed is looked for: the clock did it, and what differs is somebody's work."""
    for book in books[:1]:
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.reconciled",
            author=None,
            now_us=made.made_us,
            reason=made.state,
            evidence={
                "account": made.account,
                "day": made.day,
                "version": made.version,
                "differences": left,
                "found_by_bill": made.totals["found_by_bill"],
            },
        )


@dataclass(kw_only=True)
class _Day:
    """A day of an account, as it is looked at once."""

    cursor: Any
    account: MerchantAccount
    billing: Billing
    day: str
    now_us: int
    bill: int | None = None
    heard: str = ""
    """what was heard last: got, again, late, corrupt, refused, or nothing"""
    sure: bool = False

    def compare(self, books: list[int]) -> tuple[Compared, dict[str, int]]:
        """Hold the bill against our side; figures of the day."""
        found = bills.heard(cursor=self.cursor, account=self.account.pk, day=self.day)
        newest = bills.in_force(found)
        self.bill = None if newest is None else newest.id
        self.heard = found[-1].state if found else ""
        self.sure = bills.confirmed(found)
        rows = [] if newest is None else bills.rows_of(cursor=self.cursor, bill=newest.id)
        before, after = (self._beside(day) for day in neighbours(self.day))
        side = self._side(rows, books)
        compared = (
            Compared()
            if newest is None
            else compare(billing=self.billing, day=self.day, rows=rows, before=before, after=after, side=side)
        )
        return compared, self._totals(rows, side, compared, books)

    def _beside(self, day: str) -> list[BillRow] | None:
        """The rows of the day before or after; None while its bill is to come."""
        found = bills.in_force(bills.heard(cursor=self.cursor, account=self.account.pk, day=day))
        if found is not None:
            return bills.rows_of(cursor=self.cursor, bill=found.id)
        ready_us = self.billing.span(day)[1] + self.billing.ready_us
        if day < self.billing.day_of(self.account.created_us):
            return []
        # A bill that has not come long after its day is waited for no more: this day would never be judged.
        return [] if self.now_us > ready_us + 2 * US_PER_DAY else None

    def _side(self, rows: list[BillRow], books: list[int]) -> Side:
        start_us, end_us = self.billing.span(self.day)
        span = (start_us - US_PER_DAY, end_us + US_PER_DAY)
        refs = sorted({row.our_ref for row in rows if row.our_ref})
        known = records.orders(
            cursor=self.cursor, account=self.account.pk, refs=refs, ref_chars=self.billing.ref_chars
        )
        whole = [one.our_ref for one in known.values()]
        return Side(
            payments=records.payments(
                cursor=self.cursor,
                account=self.account.pk,
                books=books,
                span=span,
                numbers=[row.provider_ref for row in rows],
                refs=() if self.billing.numbers_agree else whole,
                late_before_us=self.now_us - LATE_US,
            ),
            refunds=records.refunds(cursor=self.cursor, account=self.account.pk, span=span, refs=whole),
            orders=known,
        )

    def _totals(
        self, rows: list[BillRow], side: Side, compared: Compared, books: list[int]
    ) -> dict[str, int]:
        start_us, end_us = self.billing.span(self.day)
        mine = [one for one in side.payments if start_us <= one.occurred_at_us < end_us]
        flying, flying_minor = records.in_flight(
            cursor=self.cursor, account=self.account.pk, books=books, span=(start_us, end_us)
        )
        paid = [row for row in rows if row.kind is Kind.PAYMENT]
        back = [row for row in rows if row.kind is not Kind.PAYMENT]
        told = [one.told for one in compared.matched]
        return {
            "billed": len(paid),
            "billed_minor": sum(row.amount_minor for row in paid),
            "back": len(back),
            "back_minor": sum(row.amount_minor for row in back),
            "fee_minor": sum(row.fee_minor for row in rows),
            "net_minor": sum(row.amount_minor - row.fee_minor for row in rows),
            "ours": len(mine),
            "ours_minor": sum(one.amount_minor for one in mine),
            "matched": len(compared.matched),
            "in_review": sum(one.review for one in mine),
            "in_flight": flying,
            "in_flight_minor": flying_minor,
            "over_midnight": len(compared.over_midnight),
            "found_by_bill": records.healed(cursor=self.cursor, account=self.account.pk, day=self.day),
            "meter_confirmed": told.count(Told.CONFIRMED),
            "meter_waiting": told.count(Told.WAITING) + told.count(Told.LATE),
            "meter_nothing": told.count(Told.NOTHING),
        }

    def state(
        self, compared: Compared, totals: dict[str, int], left: tuple[Difference, ...]
    ) -> tuple[str, str]:
        """How the day stands, and why it is open if it is."""
        if self.bill is None:
            waited_us = self.now_us - self.billing.span(self.day)[1] - self.billing.ready_us
            empty = not self.billing.speaks_of_empty_days and not totals["ours"] and not totals["in_flight"]
            if empty and self.heard == "late" and waited_us > QUIET_US:
                return "quiet", ""
            return "open", self.heard if self.heard in _TROUBLE else "no_bill"
        if not self.sure:
            return "open", "issued_again"
        if left:
            return "differs", ""
        if compared.over_midnight:
            return "open", "over_midnight"
        if totals["in_flight"]:
            return "open", "in_flight"
        return "agrees", ""


_TROUBLE: Final = frozenset({"late", "corrupt", "refused"})


def days_to_look_at(*, now_us: int) -> list[tuple[int, str]]:
    """Days of accounts that are over and do not agree yet, or whose bill is newer than what came of it."""
    out = []
    with transaction.atomic(), connection.cursor() as cursor:
        for account in MerchantAccount.objects.filter(provider__in=BILLING).order_by("pk"):
            billing = BILLING[account.provider]
            oldest = billing.day_of(max(account.created_us, now_us - AGAIN_DAYS * US_PER_DAY))
            newest = billing.day_of(now_us - US_PER_DAY - billing.ready_us)
            if oldest > newest:
                continue
            books = Book.objects.filter(organisation=account.organisation_id).values_list("pk", flat=True)
            facts.see_books(cursor=cursor, books=list(books))
            known = {one.day: one for one in records.newest(cursor=cursor, accounts=[account.pk])}
            for day in days_between(oldest, newest):
                last = known.get(day)
                found = bills.in_force(bills.heard(cursor=cursor, account=account.pk, day=day))
                bill = None if found is None else found.id
                if last is None or last.state in ("open", "differs") or last.bill != bill:
                    out.append((account.pk, day))
    return out


@transaction.atomic(durable=True)
def settle_difference(
    *, book: Book, account_id: int, day: str, key: str, words: str, user_id: int, now_us: int
) -> Reconciled:
    """Write down what a person found a difference to be; after the last one the day agrees. Raises DeskRefused."""
    user = acting(user_id=user_id, book=book)
    if key.startswith(f"{Drift.NOT_BILLED}:") and user.role != Role.ADMIN:
        raise NotAllowed(
            "Refunds of this account wait for the answer, so an administrator gives it. Nothing was changed; ask one."
        )
    account = MerchantAccount.objects.filter(pk=account_id, organisation=book.organisation_id).first()
    if account is None:
        raise NotFound("There is no such account. Nothing was changed; look at the list.")
    said = " ".join(words.split())
    if not 5 <= len(said) <= 400:
        raise DeskRefused("Say in 5 to 400 characters what it was. Nothing was changed.")
    with connection.cursor() as cursor:
        facts.see_books(cursor=cursor, books=[book.pk])
        last = next(iter(records.versions(cursor=cursor, account=account.pk, day=day)), None)
        items = [] if last is None else records.items_of(cursor=cursor, reconciliation=last.id)
        if key not in {one.key for one in items}:
            raise NotFound(
                "This difference is not there any more. Nothing was changed; look at the day again."
            )
        if not records.add_word(
            cursor=cursor, account=account.pk, day=day, key=key, author=user.pk, words=said, now_us=now_us
        ):
            raise DeskRefused("Somebody has settled this difference already. Nothing was changed.")
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.difference_settled",
            author=user.pk,
            now_us=now_us,
            evidence={"account": account.pk, "day": day, "difference": key, "words": said},
        )
    return _reconcile(account, BILLING[account.provider], day, now_us)
