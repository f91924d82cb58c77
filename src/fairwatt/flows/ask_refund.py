"""Somebody wants money back: how much may go back and why no more, the asking, and what a second person answers.

Nothing here moves money: the poster judges every condition anew, under its lock, when it posts the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, connection, transaction

from fairwatt.core.ids import refund_key
from fairwatt.core.ledger.refunds import Bound, RefundState, refund_room
from fairwatt.core.units import format_money, micro_from_minor
from fairwatt.flows.borrow import credit_desk
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.payments.accounts import refunds_to_source
from fairwatt.store import facts, refunds
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import (
    AccountEnd,
    Book,
    Fact,
    Paid,
    Refund,
    RefundAnswer,
    Role,
    Tenancy,
    User,
    Wallet,
)

WORDS_MAX: Final = 300
PARTS_MAX: Final = 20
ANSWERS: Final = ("approve", "refuse", "withdraw", "paid_out", "confirm")


class RefundImpossible(DeskRefused):
    """This refund cannot be asked for, or not be answered so. No money moved."""

    code = "refund_impossible"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One refund that comes of an asking: of which payment (None: of none), by which way, how much."""

    payment: int | None
    account: int | None
    provider: str
    way: str
    amount_minor: int


@dataclass(frozen=True, kw_only=True)
class RefundLook:
    """What may go back to whom, and what bounds it. Micro-units where not said otherwise."""

    wallet: Wallet
    payment: Paid | None
    wish: int | None
    wish_way: str
    available_micro: int
    lent_micro: int
    unspent_micro: int
    most_minor: int
    bound: Bound
    """what keeps `most_minor` from being larger"""
    parts: tuple[Part, ...]
    """how the asked amount would go back, or all of it"""

    @property
    def minor_micro(self) -> int:
        """The smallest unit of the currency."""
        return micro_from_minor(amount_minor=1, minor_digits=self.wallet.book.minor_digits)

    @property
    def most_micro(self) -> int:
        """The most that may go back."""
        return self.most_minor * self.minor_micro

    @property
    def amount_minor(self) -> int:
        """What the parts come to."""
        return sum(part.amount_minor for part in self.parts)


def look_at_refund(
    *, wallet: Wallet, now_us: int, payment: int | None = None, asked_minor: int | None = None, way: str = ""
) -> RefundLook:
    """What of a wallet, or of one payment, may go back now. Raises NotFound for a payment that is not the wallet's."""
    desk = credit_desk(wallet=wallet, now_us=now_us)
    minor = desk.minor_micro
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=wallet.book_id)
        wishes = refunds.wishes_left(cursor=cursor, book=wallet.book_id, wallet=wallet.pk, minor_micro=minor)
        wish_way = _way_of_wish(cursor, wishes[0][0]) if wishes else ""
        mine = list(Paid.objects.filter(wallet=wallet.pk).order_by("-fact")[:200])
    one = next((paid for paid in mine if paid.fact == payment), None)
    if payment is not None and one is None:
        raise NotFound("There is no such payment of this home. No money moved; look at the list.")
    unspent = wishes[0][1] if wishes else desk.available_micro - desk.owing.emergency_micro
    most, bound = _most(one, unspent, minor)
    wanted = min(most, asked_minor) if asked_minor else most
    chosen = way or wish_way or "source"
    return RefundLook(
        wallet=wallet,
        payment=one,
        wish=wishes[0][0] if wishes else None,
        wish_way=wish_way,
        available_micro=desk.available_micro,
        lent_micro=desk.owing.emergency_micro,
        unspent_micro=max(0, unspent),
        most_minor=most,
        bound=bound,
        parts=_parts(chosen, [one] if one else mine, wanted, one),
    )


def _way_of_wish(cursor: Any, wish: int) -> str:
    cursor.execute("SELECT way FROM refund_wish WHERE id = %s", [wish])
    return str(cursor.fetchone()[0])


def _most(one: Paid | None, unspent_micro: int, minor: int) -> tuple[int, Bound]:
    asked = one.paid_minor if one else max(0, unspent_micro) // minor
    if asked <= 0:
        return 0, Bound.UNSPENT
    room = refund_room(
        asked_minor=asked,
        payment_left_minor=one.left_minor if one else None,
        unspent_micro=unspent_micro,
        minor_micro=minor,
    )
    return room.amount_minor, room.bound


def _parts(way: str, payments: list[Paid], wanted_minor: int, one: Paid | None) -> tuple[Part, ...]:
    """To the source: the newest payments first, and the window for what no provider pays back. Else the window."""
    parts: list[Part] = []
    if way == "source":
        for paid in payments:
            amount = min(wanted_minor, paid.left_minor)
            if amount > 0 and refunds_to_source(provider=paid.provider) and len(parts) < PARTS_MAX:
                parts.append(
                    Part(
                        payment=paid.fact,
                        account=paid.account,
                        provider=paid.provider,
                        way="source",
                        amount_minor=amount,
                    )
                )
                wanted_minor -= amount
    if wanted_minor > 0:
        parts.append(
            Part(
                payment=one.fact if one else None,
                account=one.account if one else None,
                provider=one.provider if one else "",
                way="window",
                amount_minor=wanted_minor,
            )
        )
    return tuple(parts)


@transaction.atomic(durable=True)
def ask_refund(
    *,
    book: Book,
    wallet_id: int,
    user_id: int,
    amount_minor: int,
    way: str,
    reason: str,
    now_us: int,
    payment: int | None = None,
) -> list[int]:
    """Ask for a refund at the desk; return the refunds that came of it. A second person has to agree to each."""
    acting(user_id=user_id, book=book)
    wallet = Wallet.objects.select_related("book").filter(pk=wallet_id, book=book).first()
    if wallet is None:
        raise NotFound("There is no such account in this book. No money moved.")
    words = reason.strip()
    if not words:
        raise RefundImpossible("Say why the money goes back: who agrees to it reads that. No money moved.")
    return _asked(wallet, user_id, amount_minor, way, words, now_us, payment=payment, origin="desk")


@transaction.atomic(durable=True)
def wish_refund(*, wallet: Wallet, user_id: int, amount_minor: int, now_us: int) -> list[int]:
    """A resident wants credit back, to where it was paid from. What is small enough needs no second person."""
    _check_own(wallet, user_id, now_us)
    made = _asked(wallet, user_id, amount_minor, "source", "", now_us, payment=None, origin="resident")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=wallet.book_id)
        limit = refunds.auto_minor(cursor=cursor, book=wallet.book_id)
        asked = refunds.asked_lately_minor(cursor=cursor, wallet=wallet.pk, upto=max(made), now_us=now_us)
        ways = dict(Refund.objects.filter(pk__in=made).values_list("pk", "way"))
        for refund in made:
            if asked <= limit and ways[refund] == "source":
                _add_fact(cursor, wallet.book_id, wallet.pk, refund, None, now_us)
    return made


def _check_own(wallet: Wallet, user_id: int, now_us: int) -> None:
    """Whether it is this person's credit: who lives there, or who left with the account. Raises RefundImpossible."""
    mine = Tenancy.objects.filter(
        wallet=wallet, user_id=user_id, start_us__lte=now_us, role=Tenancy.Part.OWNER
    )
    if mine.exclude(end_us__lte=now_us).exists():
        return
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=wallet.book_id)
        ended = AccountEnd.objects.filter(wallet=wallet.pk).values_list("at_us", flat=True)
        if mine.filter(end_us__in=list(ended)).exists():
            return
    raise RefundImpossible("Only an owner of the home asks for its credit. No money moved.")


def _asked(
    wallet: Wallet,
    user_id: int,
    amount_minor: int,
    way: str,
    reason: str,
    now_us: int,
    *,
    payment: int | None,
    origin: str,
) -> list[int]:
    if amount_minor <= 0 or way not in ("source", "window"):
        raise RefundImpossible("Choose an amount above zero, and how it goes back. No money moved.")
    look = look_at_refund(wallet=wallet, now_us=now_us, payment=payment, asked_minor=amount_minor, way=way)
    if amount_minor > look.most_minor:
        raise RefundImpossible(
            "At most %(most)s can go back now. No money moved; choose a smaller amount.",
            most=format_money(micro=look.most_micro, currency=wallet.book.currency),
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=wallet.book_id)
        made = [
            _write(cursor, look, part, user_id, reason, now_us, "move" if look.wish else origin)
            for part in look.parts
        ]
        if origin == "desk":
            note_deed(
                cursor=cursor,
                book=wallet.book_id,
                kind="desk.refund_asked",
                author=user_id,
                now_us=now_us,
                wallet=wallet.pk,
                reason=reason[:WORDS_MAX],
                evidence={"refunds": made, "amount_micro": amount_minor * look.minor_micro},
            )
    return made


def _write(
    cursor: Any, look: RefundLook, part: Part, user_id: int, reason: str, now_us: int, origin: str
) -> int:
    cursor.execute(
        "INSERT INTO refund (book, wallet, origin, way, payment, account, wish, asked_minor, currency, "
        "reason, author, asked_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            *(look.wallet.book_id, look.wallet.pk, origin, part.way, part.payment, part.account),
            *(look.wish, part.amount_minor, look.wallet.book.currency, reason[:WORDS_MAX], user_id, now_us),
        ],
    )
    return int(cursor.fetchone()[0])


@transaction.atomic(durable=True)
def answer_refund(
    *, book: Book, refund_id: int, user_id: int, answer: str, now_us: int, words: str = ""
) -> None:
    """Agree to a refund, refuse it, take it back, or say that the window paid it. Raises DeskRefused."""
    user = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        refunds.hold_refund(cursor=cursor, refund=refund_id)  # answers are given one after the other
        row = Refund.objects.filter(pk=refund_id, book=book.pk).first()
        if row is None or answer not in ANSWERS:
            raise NotFound("There is no such refund in this book. No money moved; look at the list.")
        given = dict(RefundAnswer.objects.filter(refund=row.pk).values_list("answer", "author"))
        _may(row, user, answer, given)
        if answer == "paid_out" and _waits(row):
            raise RefundImpossible(
                "Somebody answered this refund a moment ago, and it may be taken back by that. Pay nothing out; "
                "look at it again."
            )
        number = _note(cursor, row, user, answer, words, now_us)
        if answer == "paid_out":
            # No poster moves this refund on before we end, for the answer names it: what it did before counts.
            row.refresh_from_db()
            _may(row, user, answer, given)
        _add_fact(cursor, row.book, row.wallet, row.pk, number, now_us)
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind=f"desk.refund_{answer}",
            author=user.pk,
            now_us=now_us,
            wallet=row.wallet,
            reason=words[:WORDS_MAX],
            evidence={"refund": row.pk},
        )


def _waits(row: Refund) -> bool:
    """Whether something that was answered is still to be looked at by the poster."""
    waiting = Fact.objects.filter(book=row.book, wallet=row.wallet, kind="refund", state="waiting")
    return waiting.filter(payload__refund=row.pk).exists()


def may_answer(*, row: Refund, user: User, given: dict[str, int]) -> list[str]:
    """What a person may answer to a refund as it stands."""
    out = []
    for answer in ANSWERS:
        try:
            _may(row, user, answer, given)
        except DeskRefused:
            continue
        out.append(answer)
    return out


def _may(row: Refund, user: User, answer: str, given: dict[str, int]) -> None:
    """Whether this person may answer so. Raises DeskRefused."""
    if user.role not in (Role.OPERATOR, Role.ADMIN):
        raise NotAllowed("Only operators and administrators answer refunds. No money moved; ask one of them.")
    at_window = row.state == RefundState.ABNORMAL or (row.state, row.way) == (RefundState.SUBMITTED, "window")
    # The provider paid before the second person had said so: the cash that went out is in the books only by that word.
    overtaken = (row.state, row.paid_by) == (RefundState.SUCCEEDED, "source")
    waits = row.state == RefundState.REQUESTED
    open_to = {
        "approve": waits,
        "refuse": waits,
        "withdraw": waits
        or row.state == RefundState.APPROVED
        or (at_window and row.way == "window" and "paid_out" not in given),
        "paid_out": at_window,
        "confirm": (at_window or overtaken) and "paid_out" in given,
    }
    if not open_to[answer] or answer in given or ("approve" in given and answer == "refuse"):
        raise RefundImpossible("This refund has gone on meanwhile. No money moved by this; look at it again.")
    if answer == "approve" and (user.role != Role.ADMIN or user.pk == row.author):
        raise NotAllowed(
            "A refund is agreed to by an administrator who did not ask for it. No money moved; ask another one."
        )
    if answer == "refuse" and user.role != Role.ADMIN:
        raise NotAllowed("Only administrators refuse a refund. Nothing changed; ask one.")
    if answer == "confirm" and given["paid_out"] == user.pk:
        raise NotAllowed(
            "Who paid the money out does not confirm it alone. Nothing changed; ask a colleague who saw it."
        )


def _note(cursor: Any, row: Refund, user: User, answer: str, words: str, now_us: int) -> int:
    try:
        with transaction.atomic():
            cursor.execute(
                "INSERT INTO refund_answer (refund, book, wallet, answer, author, words, at_us) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
                [row.pk, row.book, row.wallet, answer, user.pk, words.strip()[:WORDS_MAX], now_us],
            )
            return int(cursor.fetchone()[0])
    except IntegrityError:
        raise RefundImpossible("Somebody answered so a moment ago. Nothing was done twice.") from None


def _add_fact(cursor: Any, book: int, wallet: int, refund: int, answer: int | None, now_us: int) -> None:
    facts.add(
        cursor=cursor,
        book=book,
        kind="refund",
        natural_key=refund_key(refund=refund, answer=answer),
        wallet=wallet,
        payload={"refund": refund, "answer": answer},
        raw=b"",
        now_us=now_us,
    )
