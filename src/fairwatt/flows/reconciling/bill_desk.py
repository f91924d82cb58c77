"""A provider's bill of a day, as the collector takes it in: which are due, what was heard, what only it tells of.

A day is asked for again until its bill is there, and some days longer, for bills are issued again. What we never heard
of is asked for first; only what nobody can be asked about is credited on the bill's word.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from fairwatt.core.ids import billed_payment_key, provider_fee_key
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE
from fairwatt.flows.reconciling import bills
from fairwatt.payments.billing import BILLING, days_between
from fairwatt.payments.contract import Bill
from fairwatt.store import facts
from fairwatt.store.models import MerchantAccount, PaymentIntent

LOOK_BACK_DAYS: Final = 7
"""So many days are asked for that were not; later a person reconciles by hand."""
AGAIN_DAYS: Final = 2
"""So many days after a bill was had it is fetched once more a day: some are issued again."""
HELD_US: Final = 5 * US_PER_MINUTE
WAIT_US_MAX: Final = US_PER_HOUR
CONFIRM_US: Final = 10 * US_PER_MINUTE
"""A bill that came with another content is fetched again so much later, before anything is judged by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillDue:
    """A day of an account whose bill is to be fetched."""

    account: int
    provider: str
    day: str


def due(*, now_us: int) -> list[BillDue]:
    """Bills to be fetched now, oldest day first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT account_id FROM merchant_key_in_force")
        ready = {int(account) for (account,) in cursor.fetchall()}
        out = []
        for account in MerchantAccount.objects.filter(pk__in=ready, provider__in=BILLING).order_by("pk"):
            asked = bills.asked(cursor=cursor, account=account.pk)
            for day in _days(account, now_us):
                ask_us, _ = asked.get(day, (0, 0))
                if ask_us is not None and ask_us <= now_us:
                    out.append(BillDue(account=account.pk, provider=account.provider, day=day))
    return sorted(out, key=lambda one: (one.day, one.account))


def _days(account: MerchantAccount, now_us: int) -> list[str]:
    billing = BILLING[account.provider]
    newest = billing.day_of(now_us - billing.ready_us - US_PER_DAY)
    back = min(LOOK_BACK_DAYS, billing.days)
    oldest = billing.day_of(max(account.created_us, now_us - back * US_PER_DAY))
    return days_between(oldest, newest)


@transaction.atomic(durable=True)
def take(*, due: BillDue, now_us: int) -> bool:
    """Take a day in hand, unless another process has it."""
    with connection.cursor() as cursor:
        return bills.take(
            cursor=cursor, account=due.account, day=due.day, now_us=now_us, until_us=now_us + HELD_US
        )


@transaction.atomic(durable=True)
def note_bill(*, due: BillDue, bill: Bill, now_us: int) -> tuple[int, bool]:
    """Keep a bill that came; its number, and whether its content is new. What was had before is only counted."""
    with connection.cursor() as cursor:
        found = bills.heard(cursor=cursor, account=due.account, day=due.day)
        last = bills.in_force(found)
        new = last is None or last.sha256 != bill.raw_sha256
        number = None
        if new or found[-1].state not in ("got", "again") or not bills.confirmed(found):
            number = bills.add_heard(
                cursor=cursor,
                account=due.account,
                day=due.day,
                state="got" if new else "again",
                sha256=bill.raw_sha256,
                rows=len(bill.rows),
                detail="",
                raw=zlib.compress(bill.raw) if new and len(bill.raw) <= bills.RAW_BYTES_MAX else b"",
                now_us=now_us,
            )
        if new and number is not None:
            bills.add_rows(cursor=cursor, bill=number, rows=bill.rows)
            for book in bills.books_with_fees(
                cursor=cursor, bill=number, account=due.account, ref_chars=BILLING[due.provider].ref_chars
            ):
                _fee_fact(due, book, number, now_us)
        ask_us = now_us + CONFIRM_US if new and last is not None else _once_more(due, now_us)
        bills.ask_again(cursor=cursor, account=due.account, day=due.day, ask_us=ask_us)
    if new or last is None:
        assert number is not None  # a new content is always written down
        return number, True
    return last.id, False


def _once_more(due: BillDue, now_us: int) -> int | None:
    until_us = BILLING[due.provider].span(due.day)[1] + (1 + AGAIN_DAYS) * US_PER_DAY
    return now_us + US_PER_DAY if now_us + US_PER_DAY < until_us else None


def _fee_fact(due: BillDue, book: int, bill: int, now_us: int) -> None:
    """Leave to the book's poster what the provider kept: between what payers paid and what comes to the bank."""
    with connection.cursor() as cursor:
        facts.add(
            cursor=cursor,
            book=book,
            kind="provider_fee",
            natural_key=provider_fee_key(account=due.account, day=due.day, bill=bill),
            wallet=None,
            payload={"account": due.account, "day": due.day, "bill": bill},
            raw=b"",
            now_us=now_us,
        )


@transaction.atomic(durable=True)
def note_no_bill(*, due: BillDue, state: str, detail: str, now_us: int) -> None:
    """The bill is late, corrupt or refused: the day stays open, and is asked for again, sooner at first."""
    with connection.cursor() as cursor:
        found = bills.heard(cursor=cursor, account=due.account, day=due.day)
        if not found or found[-1].state != state:
            bills.add_heard(
                cursor=cursor,
                account=due.account,
                day=due.day,
                state=state,
                sha256="",
                rows=0,
                detail=detail,
                raw=b"",
                now_us=now_us,
            )
        _, tries = bills.asked(cursor=cursor, account=due.account).get(due.day, (0, 0))
        wait_us = min(US_PER_MINUTE << min(tries, 10), WAIT_US_MAX)
        bills.ask_again(cursor=cursor, account=due.account, day=due.day, ask_us=now_us + wait_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """A payment that only the bill tells of. `open`: its order is not credited, so its provider can be asked."""

    n: int
    intent: int
    our_ref: str
    book: int
    open: bool


def unheard(*, due: BillDue, bill: int) -> list[Unheard]:
    """What a bill has and nobody told us of, by the provider's number or, where that says nothing, by its order."""
    billing = BILLING[due.provider]
    out = []
    with transaction.atomic(), connection.cursor() as cursor:
        rows = dict(enumerate(bills.rows_of(cursor=cursor, bill=bill), 1))
        for one in bills.unheard(cursor=cursor, bill=bill, account=due.account, ref_chars=billing.ref_chars):
            credited = one.state in _CREDITED
            if credited and not billing.numbers_agree:
                continue  # a push is paid once, whatever number the bill has for it
            facts.see_book(cursor=cursor, book=one.book)
            if bills.posted_number(cursor=cursor, book=one.book, provider_ref=rows[one.n].provider_ref):
                continue
            out.append(
                Unheard(n=one.n, intent=one.intent, our_ref=one.our_ref, book=one.book, open=not credited)
            )
    return out


_CREDITED: Final = frozenset({"credited", "part_refunded", "refunded", "chargeback", "review"})


@transaction.atomic(durable=True)
def note_asked(*, due: BillDue, bill: int, one: Unheard, now_us: int) -> None:
    """The provider was asked about a payment that only its bill told of."""
    _heal(due, bill, one, "asked", now_us)


def _heal(due: BillDue, bill: int, one: Unheard, how: str, now_us: int) -> None:
    with connection.cursor() as cursor:
        bills.add_heal(
            cursor=cursor,
            bill=bill,
            n=one.n,
            account=due.account,
            day=due.day,
            intent=one.intent,
            how=how,
            now_us=now_us,
        )


@transaction.atomic
def paid_by_now(*, one: Unheard) -> bool:
    """Whether asking told that it was paid: it is credited, or the poster has what was told and has not refused it."""
    state = PaymentIntent.objects.filter(pk=one.intent).values_list("state", flat=True).first()
    if state != "paid":
        return state in _CREDITED
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=one.book)
        return bills.answer_stands(cursor=cursor, book=one.book, intent=one.intent)


@transaction.atomic(durable=True)
def leave_billed(*, due: BillDue, bill: int, one: Unheard, now_us: int) -> None:
    """Leave a payment to the poster on the bill's word; the poster looks it up in the bill itself."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=one.book)
        cursor.execute("SELECT wallet_id FROM store_paymentintent WHERE id = %s", [one.intent])
        wallet = int(cursor.fetchone()[0])
        facts.add(
            cursor=cursor,
            book=one.book,
            kind="payment",
            natural_key=billed_payment_key(account=due.account, bill=bill, row=one.n),
            wallet=wallet,
            payload={
                "provider": due.provider,
                "account": due.account,
                "billed": {"bill": bill, "row": one.n, "our_ref": one.our_ref},
            },
            raw=b"",
            now_us=now_us,
        )
    _heal(due, bill, one, "billed", now_us)
