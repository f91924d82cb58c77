"""A home changes hands: looked at first, with every figure that is known by then, and asked for in one action.

What is asked for is a fact; the book's poster looks everything up again and does it (posting/moving.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.ids import move_key
from fairwatt.core.units import US_PER_HOUR
from fairwatt.flows.desk import DeskRefused, NotFound, acting
from fairwatt.flows.meter_end import MeterEnd, Prices, meter_end
from fairwatt.store import costs, deposits, facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import (
    Book,
    Fact,
    Installation,
    LandlordAccount,
    RegisterHead,
    Role,
    Tenancy,
    Unit,
    User,
    WalletHead,
)

KINDS: Final = ("out", "in", "change", "transfer")
LIVE_US: Final = US_PER_HOUR
"""A meter that was read within this time is live: its newest reading is where a home may change hands now."""
REASON_MAX: Final = 300


class MoveImpossible(DeskRefused):
    """The home cannot change hands as asked. Nothing was changed."""

    code = "move_impossible"


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a move would come to, for a person to look at before it is asked for."""

    kind: str
    unit: Unit
    wallet: int
    at_us: int
    meters: tuple[MeterEnd, ...]
    people: tuple[str, ...]
    balance_micro: int
    owed_micro: int
    """fees and shares that are still open"""
    deposit_micro: int = 0
    """held of who leaves; it pays what is owed, and the rest goes back"""

    @property
    def provisional(self) -> bool:
        """Some meter was not read at that instant: the accounts are settled when it speaks."""
        return any(meter.basis != "read" for meter in self.meters)

    @property
    def left_micro(self) -> int:
        """What is left when everything known is paid; below zero it is a debt of the person."""
        use_micro = sum(meter.charge_micro for meter in self.meters)
        return self.balance_micro + self.deposit_micro - use_micro - self.owed_micro


@dataclass(frozen=True, kw_only=True)
class Coming:
    """Who comes, if anybody: residents by user name, the policy of the account."""

    users: tuple[str, ...] = ()
    policy: int | None = None
    protected: bool = False


@dataclass(frozen=True, kw_only=True)
class MoveAsked:
    """What a person at the desk asks for."""

    kind: str
    unit_id: int
    at_us: int
    wallet: int = 0
    """whose home it was when it was looked at; 0: whoever has it"""
    settle: str = "window"
    coming: Coming = field(default_factory=Coming)
    stated: Mapping[int, int] = field(default_factory=dict)
    reason: str = ""
    to_unit_id: int = 0
    """where a transfer leads"""
    together: str = ""
    """names what was asked for in one action"""


def lives_somebody(*, unit: Unit) -> bool:
    """True for a home with a meter at work for somebody else than its owner."""
    at_work = Installation.objects.filter(unit=unit, closed_us__isnull=True)
    owners = LandlordAccount.objects.filter(site=unit.site_id).values("wallet")
    return at_work.exclude(wallet__in=owners).exists()


@transaction.atomic
def likely_instant(*, book: Book, unit: Unit, now_us: int) -> int:
    """When a home changes hands if it does so now: at the newest reading of its meters if they are live, else now."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
    homes = Installation.objects.filter(unit=unit, wallet__book=book, closed_us__isnull=True)
    read = set(
        RegisterHead.objects.filter(installation__in=homes.values("pk"), book=book.pk).values_list(
            "at_us", flat=True
        )
    )
    newest, begun = max(read, default=0), max((home.opened_us for home in homes), default=0)
    live = len(read) == 1 and now_us - LIVE_US < newest <= now_us
    return newest if live and newest > begun else now_us


@transaction.atomic
def preview_move(*, book: Book, asked: MoveAsked, now_us: int, prices: Prices | None = None) -> Preview:
    """What a move would come to now; nothing is written. Raises DeskRefused."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return _preview(cursor, book, asked, now_us, {} if prices is None else prices)


@transaction.atomic(durable=True)
def ask_move(*, book_id: int, asked: MoveAsked, user_id: int, now_us: int, entropy: bytes) -> int:
    """Ask the poster for a move; return the fact that it answers. The same move twice is one. Raises DeskRefused."""
    return ask_in_transaction(book_id=book_id, asked=asked, user_id=user_id, now_us=now_us, entropy=entropy)


def ask_in_transaction(
    *,
    book_id: int,
    asked: MoveAsked,
    user_id: int,
    now_us: int,
    entropy: bytes,
    prices: Prices | None = None,
) -> int:
    """`ask_move` inside the transaction of who calls."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    reason = asked.reason.strip().replace("\x00", "")
    if len(reason) > REASON_MAX:
        raise MoveImpossible("Say it in at most %(most)d letters. Nothing was changed.", most=REASON_MAX)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        seen = _preview(cursor, book, asked, now_us, {} if prices is None else prices)
        fact, fresh = facts.add(
            cursor=cursor,
            book=book.pk,
            kind="move",
            natural_key=move_key(unit=asked.unit_id, wallet=seen.wallet, at_us=asked.at_us),
            wallet=seen.wallet,
            payload={
                "kind": asked.kind,
                "unit": asked.unit_id,
                "wallet": seen.wallet,
                "at_us": asked.at_us,
                "author": person.pk,
                "reason": reason,
                "entropy": entropy.hex(),
                "settle": asked.settle,
                "users": _users(asked.coming.users),
                "policy": asked.coming.policy,
                "protected": asked.coming.protected,
                "stated": {str(home): wh for home, wh in asked.stated.items()},
                **_destination(book, asked),
                **({"together": asked.together} if asked.together else {}),
            },
            raw=b"",
            now_us=now_us,
        )
        if fresh:
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.move_asked",
                author=person.pk,
                now_us=now_us,
                wallet=seen.wallet,
                evidence={"fact": fact, "move": asked.kind, "unit": asked.unit_id, "at_us": asked.at_us},
            )
    return fact


@dataclass(frozen=True, kw_only=True)
class MoveAnswer:
    """What the poster made of a move: waiting, posted or refused, and the words of it."""

    state: str
    code: str
    result: Mapping[str, Any]


@transaction.atomic
def move_answer(*, book: Book, fact_id: int) -> MoveAnswer | None:
    """How a move that was asked for stands; None where this book has no such."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        fact = Fact.objects.filter(pk=fact_id, book=book.pk, kind="move").first()
    if fact is None:
        return None
    result = fact.result or {}
    return MoveAnswer(state=fact.state, code=str(result.get("code", "")), result=result)


def _preview(cursor: Any, book: Book, asked: MoveAsked, now_us: int, prices: Prices) -> Preview:
    if asked.kind not in KINDS:
        raise MoveImpossible("There is no such move. Nothing was changed; choose one of the three.")
    unit = Unit.objects.select_related("site").filter(pk=asked.unit_id, site__book=book).first()
    if unit is None:
        raise NotFound("There is no such home in this book. Nothing was changed; choose it again.")
    homes = list(
        Installation.objects.filter(unit=unit, wallet__book=book, closed_us__isnull=True)
        .select_related("meter", "wallet")
        .order_by("meter__number")
    )
    wallet = _whose(book, unit, homes, asked)
    if not 0 < asked.at_us <= now_us:
        raise MoveImpossible(
            "A home changes hands when the moment has come. Nothing was changed; ask again then."
        )
    if any(home.opened_us >= asked.at_us for home in homes):
        raise MoveImpossible(
            "The account began only after that moment. Nothing was changed; choose a later moment."
        )
    _users(asked.coming.users)
    _destination(book, asked)
    head = WalletHead.objects.filter(wallet=wallet).first()
    people = Tenancy.objects.filter(wallet=wallet, end_us__isnull=True).select_related("user").order_by("pk")
    owed = costs.open_of_wallet(cursor=cursor, book=book.pk, wallet=wallet)
    return Preview(
        kind=asked.kind,
        unit=unit,
        wallet=wallet,
        at_us=asked.at_us,
        meters=tuple(
            meter_end(
                cursor=cursor, book=book, home=home, at_us=asked.at_us, stated=asked.stated, prices=prices
            )
            for home in homes
        ),
        people=tuple(one.user.get_full_name() or one.user.get_username() for one in people),
        balance_micro=head.balance_micro if head else 0,
        owed_micro=sum(one.open_micro for one in owed),
        deposit_micro=deposits.held_of(cursor=cursor, book=book.pk, wallet=wallet),
    )


def _whose(book: Book, unit: Unit, homes: Sequence[Installation], asked: MoveAsked) -> int:
    """The account that has the home: of who lives there to move out, of the owner to move in."""
    wallets = {home.wallet_id for home in homes}
    if not wallets:
        raise MoveImpossible(
            "No meter is at work in this home, so nothing can be settled. Nothing was changed."
        )
    if len(wallets) > 1:
        raise MoveImpossible(
            "More than one account has meters in this home. Nothing was changed; end them one by one."
        )
    (wallet,) = wallets
    if asked.wallet not in (0, wallet):
        raise MoveImpossible("The home has changed hands meanwhile. Nothing was changed; look at it again.")
    owned = LandlordAccount.objects.filter(site=unit.site, wallet=wallet).exists()
    if asked.kind == "in" and not owned:
        raise MoveImpossible("Somebody lives here. Nothing was changed; let them move out first.")
    if asked.kind != "in" and owned:
        raise MoveImpossible("Nobody lives here. Nothing was changed; let somebody move in.")
    return wallet


def _destination(book: Book, asked: MoveAsked) -> dict[str, int]:
    """The empty home that a transfer leads to, and whose it is until then. Raises MoveImpossible."""
    if asked.kind != "transfer":
        return {}
    unit = Unit.objects.select_related("site").filter(pk=asked.to_unit_id, site__book=book).first()
    if unit is None or unit.pk == asked.unit_id:
        raise MoveImpossible(
            "A transfer leads to another home of this book. Nothing was changed; choose one."
        )
    homes = list(Installation.objects.filter(unit=unit, wallet__book=book, closed_us__isnull=True))
    wallet = _whose(book, unit, homes, MoveAsked(kind="in", unit_id=unit.pk, at_us=asked.at_us))
    return {"to_unit": unit.pk, "to_wallet": wallet}


def _users(names: Sequence[str]) -> list[int]:
    """The residents of these user names. Raises MoveImpossible."""
    known = dict(
        User.objects.filter(username__in=names, role=Role.TENANT, is_active=True).values_list(
            "username", "pk"
        )
    )
    for name in names:
        if name not in known:
            raise MoveImpossible(
                "There is no resident %(name)s who may sign in. Nothing was changed; check the name.",
                name=name,
            )
    return [known[name] for name in dict.fromkeys(names)]
