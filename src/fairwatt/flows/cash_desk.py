"""At a cash desk: a shift begins with a float, takes money, and ends with a count that was not told what to find.

All of it are facts; the book's poster looks everything up again and posts it (posting/cash_desk.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from fairwatt.core.account_numbers import account_number, looks_like_one, wallet_of
from fairwatt.core.ids import cash_out_key, payment_key, shift_end_key, shift_key
from fairwatt.core.spans import local_day_start
from fairwatt.core.units import format_money, is_amount, micro_from_minor
from fairwatt.flows.borrow import CreditDesk, credit_desk
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.flows.start_top_up import check_terms
from fairwatt.store import cash_desk, facts
from fairwatt.store.cash_desk import Shift
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Fact, Installation, PaymentIntent, Role, Tenancy, User, Wallet

FOUND_MAX: Final = 12
TENDERS: Final = ("cash", "terminal")
SLIP_MAX: Final = 40
_TICKET: Final = re.compile(r"[0-9a-f]{32}")


class CannotTake(DeskRefused):
    """The money cannot be taken so; nothing was credited. Give it back, or do what the sentence says."""

    code = "cannot_take"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A home that money may be for, as the cashier says it aloud before taking any."""

    wallet: int
    number: str
    home: str
    site: str
    site_zh: str
    people: tuple[str, ...]
    left: bool = False
    """its person moved out; what is paid now goes to what is still owed"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the poster made of a fact of the desk: waiting, posted or refused, and the words of it."""

    state: str
    code: str
    result: Mapping[str, Any]


@transaction.atomic
def find_homes(*, book: Book, text: str, now_us: int) -> list[Found]:
    """The homes that a room, a person's name or an account number may mean; at most FOUND_MAX.

    Raises NotAnAccount for an account number whose check digits do not fit: nobody else's home is offered then.
    """
    text = text.strip().replace("\x00", "")
    at_work = Wallet.objects.filter(
        book=book, pk__in=Installation.objects.filter(closed_us__isnull=True).values("wallet")
    )
    rooms = at_work.filter(unit__label__iexact=text)
    if rooms.exists():
        found = rooms
    elif looks_like_one(text=text):
        # Who left may still pay what is owed; the number of the account names it, and nothing else does.
        found = Wallet.objects.filter(book=book, pk=wallet_of(text=text))
    elif len(text) < 2:
        found = at_work.none()
    else:
        lives = Tenancy.objects.filter(start_us__lte=now_us).exclude(end_us__lte=now_us)
        named = Q(user__username__icontains=text)
        for word in text.split()[:3]:
            named |= Q(user__first_name__icontains=word) | Q(user__last_name__icontains=word)
        found = at_work.filter(pk__in=lives.filter(named).values("wallet"))
    wallets = found.select_related("unit__site").order_by("unit__site__name", "unit__label")[:FOUND_MAX]
    return [_found(wallet, now_us) for wallet in wallets]


@transaction.atomic
def home_at_desk(*, book: Book, wallet_id: int, now_us: int) -> tuple[Found, CreditDesk]:
    """A home with what it has and owes. Raises NotFound where nothing is at work for such an account."""
    wallet = _wallet(book, wallet_id)
    return _found(wallet, now_us), credit_desk(wallet=wallet, now_us=now_us)


@transaction.atomic(durable=True)
def open_shift(
    *, book_id: int, desk_id: int, float_minor: int, user_id: int, ticket: str, now_us: int
) -> int:
    """Begin a shift at a desk with a float; return the fact. The same form twice is one shift. Raises DeskRefused."""
    book, person = _cashier(book_id, user_id)
    if not is_amount(amount_minor=float_minor, minor_digits=book.minor_digits) or not _TICKET.fullmatch(
        ticket
    ):
        raise CannotTake("A float is an amount of zero or more. No shift was opened; type it again.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        desks = {one.desk: one for one in cash_desk.desks(cursor=cursor, book=book.pk)}
        if desk_id not in desks:
            raise NotFound(
                "There is no such cash desk. No shift was opened; commissioning sets up desks with "
                "`fairwatt shift desk`."
            )
        key = shift_key(desk=desk_id, ticket=ticket)
        known = Fact.objects.filter(book=book.pk, kind="shift", natural_key=key).first()
        if known is not None:
            return known.pk
        for one in cash_desk.open_shifts(cursor=cursor, book=book.pk):
            if one.desk == desk_id or one.cashier == person.pk:
                raise CannotTake(
                    "%(who)s has an open shift at %(desk)s. No shift was opened; count that one first.",
                    who=one.cashier_name,
                    desk=one.desk_name,
                )
        payload = {"desk": desk_id, "cashier": person.pk, "float_minor": float_minor}
        fact, _ = _add(cursor, book, "shift", key, None, payload, now_us)
        _note(cursor, book, "desk.shift_asked", person, now_us, fact=fact, desk=desk_id)
    return fact


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Money on the table. `slip`: the terminal's number, for a card; `ticket` names the form, so twice is once."""

    wallet_id: int
    tender: str
    amount_minor: int
    slip: str = ""
    ticket: str = ""
    deposit: bool = False
    """held apart from the credit"""


@transaction.atomic(durable=True)
def take_money(*, book_id: int, taken: Taken, user_id: int, now_us: int) -> int:
    """Take money for a home in this person's open shift; return the fact that credits it.

    Raises DeskRefused, or TopUpRefused where the home's credit documents let no such amount in.
    """
    book, person = _cashier(book_id, user_id)
    slip = taken.slip.strip()
    if taken.tender not in TENDERS or not _TICKET.fullmatch(taken.ticket):
        raise CannotTake("This is no way to pay at the desk. Nothing was taken; open the page again.")
    if (taken.tender == "terminal") != bool(slip) or len(slip) > SLIP_MAX or not slip.isprintable():
        raise CannotTake(
            "A card payment needs the number on the terminal's slip. Nothing was credited; type it."
        )
    key = payment_key(provider=taken.tender, event=taken.ticket)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        known = PaymentIntent.objects.filter(our_ref=taken.ticket).first()
        if known is not None:
            return _taken_before(book, known, taken, person, key)
        shift = cash_desk.open_shift_of(cursor=cursor, book=book.pk, cashier=person.pk)
        if shift is None:
            raise CannotTake("You have no open shift. Nothing was taken; open one with its float first.")
        _within(cursor, book, shift, taken, slip, now_us)
        wallet = _wallet(book, taken.wallet_id)
        if not taken.deposit:  # what a home may have in credit says nothing of what is held beside it
            check_terms(wallet=wallet, amount_minor=taken.amount_minor, now_us=now_us)
        facts.see_book(cursor=cursor, book=book.pk)
        try:
            with transaction.atomic():
                PaymentIntent.objects.create(
                    book=book,
                    wallet=wallet,
                    our_ref=taken.ticket,
                    provider=taken.tender,
                    amount_minor=taken.amount_minor,
                    currency=book.currency,
                    created_us=now_us,
                    created_by=person,
                )
        except IntegrityError:
            # The same form was sent twice at the same moment, and the other one was a blink faster.
            known = PaymentIntent.objects.get(our_ref=taken.ticket)
            return _taken_before(book, known, taken, person, key)
        payload = {
            "provider": taken.tender,
            "our_ref": taken.ticket,
            "shift": shift.shift,
            "cashier": person.pk,
            "amount_minor": taken.amount_minor,
            "slip": slip,
            **({"deposit": True} if taken.deposit else {}),
        }
        fact, _ = _add(cursor, book, "payment", key, wallet.pk, payload, now_us)
        _note(
            cursor, book, "desk.money_taken", person, now_us, wallet=wallet.pk, fact=fact, shift=shift.shift
        )
    return fact


@transaction.atomic(durable=True)
def end_shift(
    *, book_id: int, shift_id: int, counted_minor: int, slips_minor: int, user_id: int, now_us: int
) -> int:
    """Count a drawer and close its shift; return the fact. Nobody is told before what should be there."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if not all(
        is_amount(amount_minor=one, minor_digits=book.minor_digits) for one in (counted_minor, slips_minor)
    ):
        raise CannotTake(
            "No drawer holds less than nothing, or so much. The shift stays open; count it again."
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        shift = cash_desk.shift_of(cursor=cursor, book=book.pk, shift=shift_id)
        if shift is None:
            raise NotFound("There is no such shift. Nothing was changed.")
        if person.pk != shift.cashier and person.role != Role.ADMIN:
            raise NotAllowed("Its cashier or an administrator counts a shift. The shift stays as it is.")
        if shift.closed_us is not None:
            raise CannotTake("This shift was counted before. Its count stands as it was.")
        payload = {
            "shift": shift_id,
            "author": person.pk,
            "counted_minor": counted_minor,
            "slips_minor": slips_minor,
        }
        key = shift_end_key(shift=shift_id)
        fact, _ = _add(cursor, book, "shift_end", key, None, payload, now_us)
        _note(cursor, book, "desk.shift_counted", person, now_us, fact=fact, shift=shift_id)
    return fact


@transaction.atomic(durable=True)
def pay_back_cash(*, book_id: int, void_id: int, user_id: int, now_us: int) -> int:
    """Hand out the cash of a payment that was taken back, out of this person's open drawer; return the fact."""
    book, person = _cashier(book_id, user_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        shift = cash_desk.open_shift_of(cursor=cursor, book=book.pk, cashier=person.pk)
        if shift is None:
            raise CannotTake("You have no open shift. Nothing was handed out; open one first.")
        key = facts.fresh_key(
            cursor=cursor, book=book.pk, kind="cash_out", key=cash_out_key(of_kind="void", of_id=void_id)
        )
        payload = {"void": void_id, "shift": shift.shift, "cashier": person.pk}
        fact, _ = _add(cursor, book, "cash_out", key, None, payload, now_us)
        _note(cursor, book, "desk.cash_out_asked", person, now_us, fact=fact, void=void_id)
    return fact


@transaction.atomic
def answer_of(*, book: Book, fact_id: int) -> Answer | None:
    """How something that was done at a desk stands; None where this book has no such."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        fact = Fact.objects.filter(pk=fact_id, book=book.pk, kind__in=KINDS).first()
    if fact is None:
        return None
    result = fact.result or {}
    return Answer(state=fact.state, code=str(result.get("code", "")), result=result)


KINDS: Final = ("payment", "shift", "shift_end", "void", "claim", "cash_out", "deposit")


def _cashier(book_id: int, user_id: int) -> tuple[Book, User]:
    """The book and who sits at its desk: an operator. Raises NotAllowed."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if person.role != Role.OPERATOR:
        raise NotAllowed(
            "Operators take money; administrators agree to what they ask. Nothing was taken; ask an operator."
        )
    return book, person


def _within(cursor: Any, book: Book, shift: Shift, taken: Taken, slip: str, now_us: int) -> None:
    """Refuse what the desk may not take. Raises CannotTake."""
    desk = next(one for one in cash_desk.desks(cursor=cursor, book=book.pk) if one.desk == shift.desk)

    def shown(minor: int) -> str:
        micro = micro_from_minor(amount_minor=minor, minor_digits=book.minor_digits)
        return format_money(micro=micro, currency=book.currency)

    if taken.amount_minor <= 0:
        raise CannotTake("The amount must be above zero. Nothing was taken; type what was handed over.")
    if taken.amount_minor > desk.taking_most_minor:
        raise CannotTake(
            "This desk takes %(most)s at most at once. Nothing was taken; choose another amount.",
            most=shown(desk.taking_most_minor),
        )
    from_us = local_day_start(zone=book.zone, at_us=now_us)
    today = cash_desk.taken_on_desk(cursor=cursor, desk=desk.desk, from_us=from_us)
    if today + taken.amount_minor > desk.day_most_minor:
        raise CannotTake(
            "This desk takes %(most)s a day, and that is nearly reached. Nothing was taken; send the payer to another "
            "desk or to a payment by telephone.",
            most=shown(desk.day_most_minor),
        )
    if cash_desk.slip_is_known(cursor=cursor, shift=shift.shift, slip=slip):
        raise CannotTake(
            "Slip %(slip)s was entered in this shift before. Nothing was credited; check its number.",
            slip=slip,
        )


def _taken_before(book: Book, known: PaymentIntent, taken: Taken, person: User, key: str) -> int:
    """The fact of the same form, sent again. Raises CannotTake where it says something else now."""
    same = (known.book_id, known.wallet_id, known.provider, known.amount_minor, known.created_by_id)
    fact = Fact.objects.filter(book=book.pk, kind="payment", natural_key=key).first()
    if fact is None or same != (book.pk, taken.wallet_id, taken.tender, taken.amount_minor, person.pk):
        raise CannotTake(
            "This form took a payment already, and that one stands. Nothing more was taken; open the desk again."
        )
    return fact.pk


def _wallet(book: Book, wallet_id: int) -> Wallet:
    found = Wallet.objects.select_related("book", "unit__site").filter(pk=wallet_id, book=book).first()
    if found is None:
        raise NotFound("There is no such account here. Nothing was taken; look for the home again.")
    return found


def _found(wallet: Wallet, now_us: int) -> Found:
    lives = Tenancy.objects.filter(wallet=wallet, start_us__lte=now_us).exclude(end_us__lte=now_us)
    people = [one.user.get_full_name() or one.user.get_username() for one in lives.select_related("user")]
    return Found(
        wallet=wallet.pk,
        number=account_number(wallet=wallet.pk),
        home=wallet.unit.label,
        site=wallet.unit.site.name,
        site_zh=wallet.unit.site.name_zh,
        people=tuple(people),
        left=not Installation.objects.filter(wallet=wallet, closed_us__isnull=True).exists(),
    )


def _add(
    cursor: Any,
    book: Book,
    kind: str,
    key: str,
    wallet: int | None,
    payload: dict[str, Any],
    now_us: int,
) -> tuple[int, bool]:
    return facts.add(
        cursor=cursor,
        book=book.pk,
        kind=kind,
        natural_key=key,
        wallet=wallet,
        payload=payload,
        raw=b"",
        now_us=now_us,
    )


def _note(
    cursor: Any, book: Book, kind: str, person: User, now_us: int, wallet: int | None = None, **evidence: Any
) -> None:
    note_deed(
        cursor=cursor,
        book=book.pk,
        kind=kind,
        author=person.pk,
        now_us=now_us,
        wallet=wallet,
        evidence=evidence,
    )
