"""Debts of an earlier system come with their homes: looked at row by row, then brought over as debts with a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from fairwatt.core.credit.owing import DebtError, DebtPlan
from fairwatt.core.ids import debt_key
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.credit_rules import AMOUNT_MICRO_MAX
from fairwatt.flows.desk import NotAllowed, acting
from fairwatt.flows.postpaid.homes import PostpaidRefused, open_wallets
from fairwatt.store import credit_rules, facts, postpaid
from fairwatt.store.credit_rules import NewRule
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Role, User
from fairwatt.store.postpaid import plan_obj

ROWS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtRow:
    """One row of a list, as it was read. Amounts in minor units; ``share_bp`` of each top-up."""

    line: int
    home: str
    amount_minor: int
    daily_minor: int = 0
    share_bp: int = 0
    week_cap_minor: int | None = None
    reference: str
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What becomes of a row: ``new``, ``known`` (brought over before), or ``fault`` and why."""

    line: int
    home: str
    amount_minor: int
    state: str
    text: str = ""


@transaction.atomic(durable=True)
def bring_debts(
    *, book_id: int, rows: Sequence[DebtRow], apply: bool, user_id: int, agreed_by: int | None, now_us: int
) -> list[Finding]:
    """Look at a list of debts; with ``apply`` and no fault, bring them over. No wallet moves by it.

    For the role that commissions, in the names of two administrators: who brings it, and who agreed.
    The reference makes
    a debt the same debt: a second time it is known. Raises NotAllowed or PostpaidRefused, and then nothing is written.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        if apply:
            postpaid.hold_debts(cursor=cursor, book=book.pk)  # lists are brought over one after the other
        found = _compare(cursor, book, rows)
        if not apply:
            return found
        other = _second(book, person, agreed_by)
        faults = [one for one in found if one.state == "fault"]
        if faults:
            raise PostpaidRefused(
                "%(count)d rows are wrong, the first is line %(line)d: %(why)s Nothing was brought over.",
                count=len(faults),
                line=faults[0].line,
                why=faults[0].text,
            )
        known = open_wallets(book)
        fresh = [row for row, one in zip(rows, found, strict=True) if one.state == "new"]
        for row in fresh:
            _bring(cursor, book, row, known[row.home], person, other, now_us)
        if fresh:
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.debts_brought",
                author=person.pk,
                now_us=now_us,
                evidence={"debts": len(fresh), "agreed_by": other.pk},
            )
    return found


def _compare(cursor: Any, book: Book, rows: Sequence[DebtRow]) -> list[Finding]:
    if len(rows) > ROWS_MAX:
        raise PostpaidRefused("A list has at most %(most)d rows. Nothing was read.", most=ROWS_MAX)
    known = open_wallets(book)
    brought = {
        (rule.wallet, str(rule.details.get("reference")))
        for rule in credit_rules.rules_of_book(cursor=cursor, book=book.pk)
        if rule.kind == "debt" and rule.details.get("origin") == "brought"
    }
    seen: set[tuple[str, str]] = set()
    made = []
    for row in rows:
        text = row.fault or _fault(row, book, known, seen)
        state = "fault" if text else "known" if (known[row.home], row.reference) in brought else "new"
        seen.add((row.home, row.reference))
        made.append(
            Finding(line=row.line, home=row.home, amount_minor=row.amount_minor, state=state, text=text)
        )
    return made


def _fault(row: DebtRow, book: Book, known: dict[str, int], seen: set[tuple[str, str]]) -> str:
    if row.home not in known:
        return f"there is no home {row.home[:20]} with an account in this book."
    if (row.home, row.reference) in seen:
        return f"{row.home} has {row.reference[:40]} twice in this list."
    if not 1 <= len(row.reference) <= 60:
        return "a debt has a reference of at most 60 letters, such as the number of its last bill."
    amount = micro_from_minor(amount_minor=row.amount_minor, minor_digits=book.minor_digits)
    if not 0 < amount <= AMOUNT_MICRO_MAX:
        return "a debt is above zero; credit is brought over with `fairwatt opening-balance`."
    try:
        _plan(row, book)
    except DebtError:
        return "nothing could be recovered: give an amount a day, or a share of top-ups up to 100 percent."
    return ""


def _plan(row: DebtRow, book: Book) -> DebtPlan:
    digits, cap = book.minor_digits, row.week_cap_minor
    return DebtPlan(
        daily_micro=micro_from_minor(amount_minor=row.daily_minor, minor_digits=digits),
        share_bp=row.share_bp,
        week_cap_micro=None if cap is None else micro_from_minor(amount_minor=cap, minor_digits=digits),
    )


def _second(book: Book, person: User, agreed_by: int | None) -> User:
    other = acting(user_id=agreed_by or 0, book=book)
    if Role.ADMIN not in (person.role, other.role) or other.role != Role.ADMIN or other.pk == person.pk:
        raise NotAllowed(
            "Debts come over in two names: who brings them, and another who is an administrator. Nothing was changed."
        )
    return other


def _bring(
    cursor: Any, book: Book, row: DebtRow, wallet: int, person: User, other: User, now_us: int
) -> None:
    amount = micro_from_minor(amount_minor=row.amount_minor, minor_digits=book.minor_digits)
    details = {
        "origin": "brought",
        "amount_micro": amount,
        "reference": row.reference,
        **plan_obj(_plan(row, book)),
    }
    new = NewRule(
        book=book.pk,
        kind="debt",
        from_us=now_us,
        words=f"Opening debt {row.reference}",
        author=person.pk,
        wallet=wallet,
        details=details,
        loosens=("debt",),
    )
    number = credit_rules.add_rule(cursor=cursor, new=new, now_us=now_us)
    rule = credit_rules.rule_of_book(cursor=cursor, book=book.pk, rule=number)
    assert rule is not None, "it was written a moment ago"
    credit_rules.add_step(
        cursor=cursor, rule=rule, step="approve", author=other.pk, words=row.reference, now_us=now_us
    )
    facts.add(
        cursor=cursor,
        book=book.pk,
        kind="debt",
        natural_key=debt_key(rule=number),
        wallet=wallet,
        payload={"rule": number},
        raw=b"",
        now_us=now_us,
    )
