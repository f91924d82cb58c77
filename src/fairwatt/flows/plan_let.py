"""A unit is let for a while: looked at with what it costs and what it meets, then written down in one action.

From then on it goes by itself: it begins, its people are told of the end, power goes off, the rest goes back
(raise_lets.py, posting/letting.py). What may be said of it later is in change_let.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.credit.contract import LONGEST_US, HoursError, trading_hours, warn_at
from fairwatt.core.credit.policy import Windows
from fairwatt.core.rating.begun import package_begun_before
from fairwatt.core.rating.bill import bill
from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.live import as_live
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.desk import DeskRefused, NotFound, acting
from fairwatt.flows.move_home import lives_somebody
from fairwatt.store import facts, lets
from fairwatt.store.intervals import note_deed
from fairwatt.store.lets import Let, NewLet
from fairwatt.store.models import Book, Installation, Role, TariffPlan, TariffPublication, Unit, User

MERCHANT_MAX: Final = 80
WORDS_MAX: Final = 300
SETTLES: Final = ("window", "source")
_TICKET: Final = re.compile(r"[0-9a-f]{20,64}")


class LetImpossible(DeskRefused):
    """The unit cannot be let as asked. Nothing was changed."""

    code = "let_impossible"


@dataclass(frozen=True, kw_only=True)
class LetAsked:
    """What a person at the desk agrees with a merchant. Instants UTC; `trading` as typed: 08:00-14:00, 18:00-02:00."""

    unit_id: int
    begin_us: int
    end_us: int
    merchant: str
    users: tuple[str, ...] = ()
    package: str = ""
    """short name of the tariff with the package; empty: that of the meter"""
    trading: str = ""
    settle: str = "window"
    words: str = ""


@dataclass(frozen=True, kw_only=True)
class PackageSeen:
    """One package of a tariff: what a day or an event of it costs and holds."""

    name: str
    price_micro: int
    included_wh: int
    by_event: bool


@dataclass(frozen=True, kw_only=True)
class LetSeen:
    """What a let comes to, for a person to look at before it is written down."""

    unit: Unit
    asked: LetAsked
    fixed_micro: int
    """packages and daily charges over the whole let, without use"""
    packages: tuple[PackageSeen, ...]
    warn_us: int
    trading: Windows
    spared: Mapping[int, str]
    """{meter: what hangs on it} of its meters that stay on whatever happens"""
    meters: int
    before: Let | None
    """the let that ends last before it"""


@transaction.atomic
def look_at_let(*, book: Book, asked: LetAsked, now_us: int) -> LetSeen:
    """What a let would come to; nothing is written. Raises DeskRefused."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return _checked(cursor, book, asked, now_us)[0]


@transaction.atomic(durable=True)
def plan_let(*, book_id: int, asked: LetAsked, ticket: str, user_id: int, now_us: int) -> int:
    """Write a let down; return its number. The same form twice is one let. Raises DeskRefused."""
    return plan_in_transaction(
        book_id=book_id, asked=asked, ticket=ticket, user_id=user_id, now_us=now_us, together=""
    )


def plan_in_transaction(
    *, book_id: int, asked: LetAsked, ticket: str, user_id: int, now_us: int, together: str
) -> int:
    """`plan_let` inside the transaction of who calls; `together` names what was asked for in one action."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if not _TICKET.fullmatch(ticket):
        raise LetImpossible("This form is too old or was changed. Nothing was done; open it again.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        lets.lock_unit(cursor=cursor, unit=asked.unit_id)
        known = lets.let_by_ticket(cursor=cursor, book=book.pk, ticket=ticket)
        if known is not None:
            return known.let
        _, new = _checked(cursor, book, asked, now_us, person.pk, ticket, together)
        let = lets.add_let(cursor=cursor, new=new, now_us=now_us)
        evidence = {"let": let, "unit": new.unit, "begin_us": new.begin_us, "end_us": new.end_us}
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.let_planned",
            author=person.pk,
            now_us=now_us,
            evidence={**evidence, "merchant": new.merchant},
        )
    return let


# --- what is looked at --------------------------------------------------------------------------------------


def _checked(
    cursor: Any,
    book: Book,
    asked: LetAsked,
    now_us: int,
    author: int = 0,
    ticket: str = "",
    together: str = "",
) -> tuple[LetSeen, NewLet]:
    unit = Unit.objects.select_related("site").filter(pk=asked.unit_id, site__book=book).first()
    if unit is None:
        raise NotFound("There is no such unit in this book. Nothing was changed; choose it again.")
    homes = list(
        Installation.objects.filter(unit=unit, wallet__book=book, closed_us__isnull=True).select_related(
            "meter"
        )
    )
    if not homes:
        raise LetImpossible("No meter is at work in this unit, so it cannot be let. Nothing was changed.")
    begin_us, trading = _span(asked, now_us), _hours(asked.trading)
    merchant, words = _said(asked)
    before = meets(cursor, book, unit.pk, begin_us, asked.end_us, now_us, but=0)
    if not before and not _rented(cursor, book, homes) and lives_somebody(unit=unit):
        raise LetImpossible("Somebody lives here. Nothing was changed; let them move out first.")
    plan = _plan(book, asked.package, homes)
    texts = {home.plan_id if plan is None else plan.pk for home in homes}
    fixed_micro, packages = _cost(texts, begin_us, asked.end_us)
    spared = lets.spared_circuits(book=book.pk)
    seen = LetSeen(
        unit=unit,
        asked=asked,
        fixed_micro=fixed_micro,
        packages=packages,
        warn_us=warn_at(begin_us=begin_us, end_us=asked.end_us),
        trading=trading,
        spared={
            home.meter.number: spared[home.meter.gateway_id, home.meter.number]
            for home in homes
            if (home.meter.gateway_id, home.meter.number) in spared
        },
        meters=len(homes),
        before=before[-1] if before else None,
    )
    new = NewLet(
        book=book.pk,
        unit=unit.pk,
        begin_us=begin_us,
        end_us=asked.end_us,
        merchant=merchant,
        users=_users(asked.users),
        plan=None if plan is None else plan.pk,
        settle=asked.settle,
        trading=trading,
        words=words,
        ticket=ticket,
        together=together,
        author=author,
    )
    return seen, new


def _span(asked: LetAsked, now_us: int) -> int:
    """When it begins: not before now."""
    begin_us = max(asked.begin_us, now_us)
    if asked.begin_us < now_us - US_PER_DAY or not begin_us < asked.end_us <= begin_us + LONGEST_US:
        raise LetImpossible(
            "A let begins now or later, ends after it begins, and within two years. Nothing was changed."
        )
    return begin_us


def _hours(text: str) -> Windows:
    try:
        return trading_hours(text)
    except HoursError as error:
        raise LetImpossible(
            "Trading hours are written as 08:00-14:00, 18:00-02:00. Nothing was changed; type them again."
        ) from error


def _said(asked: LetAsked) -> tuple[str, str]:
    merchant = asked.merchant.strip().replace("\x00", "")
    words = asked.words.strip().replace("\x00", "")
    if not 0 < len(merchant) <= MERCHANT_MAX or len(words) > WORDS_MAX or asked.settle not in SETTLES:
        raise LetImpossible(
            "A let says who rents, in at most %(most)d letters, and how credit goes back. Nothing was changed.",
            most=MERCHANT_MAX,
        )
    return merchant, words


def meets(
    cursor: Any, book: Book, unit: int, begin_us: int, end_us: int, now_us: int, *, but: int
) -> list[Let]:
    """The lets of a unit that end before this one; raises where one would be at the same time."""
    before = []
    for one in lets.lets_of_unit(cursor=cursor, book=book.pk, unit=unit):
        if one.let == but:
            continue
        # A let that runs over its end gives way to the next: its account closes as that begins.
        kept_us = one.end_us if one.closed_us is None else one.closed_us
        if one.begin_us < end_us and begin_us < kept_us:
            raise LetImpossible(
                "%(merchant)s has this unit then. Nothing was changed; choose another time.",
                merchant=one.merchant,
            )
        if kept_us <= begin_us and one.is_open:
            before.append(one)
    return sorted(before, key=lambda one: one.end_us)


def _rented(cursor: Any, book: Book, homes: Sequence[Installation]) -> bool:
    """Whether who has the unit now has it as a let, which ends by itself."""
    whose = {home.wallet_id for home in homes}
    return any(one.wallet in whose for one in lets.running_of(cursor=cursor, book=book.pk))


def _plan(book: Book, package: str, homes: Sequence[Installation]) -> TariffPlan | None:
    if not package:
        return None
    plan = TariffPlan.objects.filter(book=book, slug=package).first()
    if plan is None or not TariffPublication.objects.filter(plan=plan).exists():
        raise LetImpossible("There is no such package in this book. Nothing was changed; choose one.")
    if len({home.plan_id for home in homes}) > 1:
        raise LetImpossible(
            "The meters of this unit have more than one tariff, and one package is not all of them. "
            "Nothing was changed; let it without a package."
        )
    return plan


def _cost(plans: set[int], begin_us: int, end_us: int) -> tuple[int, tuple[PackageSeen, ...]]:
    """What is due over the span without any use, and the packages that are in force."""
    fixed, packages = 0, list[PackageSeen]()
    for plan in sorted(plans):
        newest = TariffPublication.objects.filter(plan=plan).order_by("-pk").first()
        try:
            if newest is None:
                raise TariffError("this tariff was never published")
            schedule = as_live(parse_schedule(newest.text))
            if not schedule.covers(at_us=begin_us):
                raise TariffError("no version is in force when the let begins")
            begun = package_begun_before(schedule=schedule, at_us=begin_us)
            made = bill(schedule=schedule, readings=[(end_us, 0)], span=Span(begin_us, end_us))
        except TariffError as error:
            raise LetImpossible(
                "The tariff has no price for the whole of this time, so it cannot be charged. Nothing was changed."
            ) from error
        fixed += made.wallet_micro + (begun.net_micro + begun.tax_micro if begun else 0)
        packages += [
            PackageSeen(
                name=one.name,
                price_micro=one.price_micro,
                included_wh=one.included_wh,
                by_event=bool(one.events),
            )
            for version in schedule.since(at_us=begin_us).versions[:1]
            for one in version.packages
        ]
    return fixed, tuple(packages)


def _users(names: Sequence[str]) -> list[int]:
    known = dict(
        User.objects.filter(username__in=names, role=Role.TENANT, is_active=True).values_list(
            "username", "pk"
        )
    )
    for name in names:
        if name not in known:
            raise LetImpossible(
                "There is no resident %(name)s who may sign in. Nothing was changed; check the name.",
                name=name,
            )
    return [known[name] for name in dict.fromkeys(names)]
