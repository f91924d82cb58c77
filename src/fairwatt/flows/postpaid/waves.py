"""A wave: homes that pay first from a date on. Looked at, written by one administrator, agreed to by
another, noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import IntegrityError, connection, transaction

from fairwatt.core.credit.owing import DebtError, DebtPlan
from fairwatt.core.spans import date_start, local_date, local_day_start
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.desk import NotAllowed, NotFound, acting
from fairwatt.flows.postpaid.homes import PostpaidRefused, open_wallets
from fairwatt.store import credit_entries, credit_rules, facts, postpaid
from fairwatt.store.credit_rules import NewRule
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Role, User, Wallet, WalletHead
from fairwatt.store.postpaid import Wave, WaveHome, plan_obj

START_DAYS: Final = 7
"""The credit that a home is advised to begin with: so many of its own days."""
PACE_DAYS: Final = 60


@dataclass(frozen=True, kw_only=True)
class NewWave:
    """A wave as it is asked for. ``day``: the first day on which its homes pay first."""

    book_id: int
    name: str
    day: date
    homes: Sequence[str]
    notice_days: int
    grace_days: int
    plan: DebtPlan


@dataclass(frozen=True, kw_only=True)
class Changing:
    """One home of a wave as it stands. Amounts in micro-units.

    ``owed_micro`` becomes a debt with a plan on the date, beside ``debt_micro`` that it owes already;
    ``advised_micro``:
    the credit that lasts a week; ``why_not``: what keeps it from being in a wave.
    """

    wallet: int
    home: str
    owed_micro: int
    debt_micro: int
    day_micro: int
    advised_micro: int
    why_not: str = ""


def preview_wave(*, new: NewWave, now_us: int) -> list[Changing]:
    """Look at the homes a wave would change; nothing is written. Raises PostpaidRefused."""
    book = Book.objects.get(pk=new.book_id)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        return _looked_at(cursor, book, new, now_us)


@transaction.atomic(durable=True)
def write_wave(*, new: NewWave, user_id: int, now_us: int) -> int:
    """Write a wave down; it holds when another administrator agreed. Raises DeskRefused."""
    book = Book.objects.get(pk=new.book_id)
    person = _admin(user_id, book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = _looked_at(cursor, book, new, now_us)
        wrong = [one for one in found if one.why_not]
        if wrong:
            raise PostpaidRefused(
                "%(count)d homes cannot be in this wave, the first is %(home)s. Nothing was written; look at the list.",
                count=len(wrong),
                home=wrong[0].home,
            )
        wave = Wave(
            wave=0,
            book=book.pk,
            name=new.name.strip(),
            switch_us=date_start(zone=book.zone, day=new.day),
            notice_days=new.notice_days,
            grace_days=new.grace_days,
            debt_plan=plan_obj(new.plan),
            author=person.pk,
            at_us=now_us,
            agreed=None,
            off=False,
            homes=0,
            done=0,
        )
        try:
            with transaction.atomic():
                number = postpaid.add_wave(cursor=cursor, wave=wave, now_us=now_us)
        except IntegrityError as error:
            raise PostpaidRefused(
                "There is a wave of that name. Nothing was written; give it another."
            ) from error
        rules = [(one.wallet, _debt_rule(cursor, book, one.wallet, wave, person, now_us)) for one in found]
        postpaid.add_wave_homes(cursor=cursor, book=book.pk, wave=number, homes=rules)
        _note(cursor, "desk.wave_written", book, person, now_us, {"wave": number, "homes": len(found)})
    return number


@transaction.atomic(durable=True)
def step_wave(
    *,
    book_id: int,
    wave_id: int,
    step: str,
    user_id: int,
    now_us: int,
    wallets: Sequence[int] = (),
    day: date | None = None,
    words: str = "",
) -> int:
    """`agreed` or `called_off` for a wave; `noticed` or `postponed` for homes of it. Return how many rows are new.

    Raises DeskRefused.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book) if step == "noticed" else _admin(user_id, book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        wave = postpaid.wave_of(cursor=cursor, book=book.pk, wave=wave_id)
        if wave is None:
            raise NotFound("There is no such wave in this book. Nothing was changed; look at the list.")
        if wave.off:
            raise PostpaidRefused("This wave was called off. Nothing was changed; write another one.")
        homes = {one.wallet: one for one in postpaid.homes_of_wave(cursor=cursor, book=book.pk, wave=wave_id)}
        to_us = None
        if step in ("noticed", "postponed"):
            chosen: list[int | None] = [_home_for(step, homes, wallet) for wallet in wallets]
            chosen = [one for one in chosen if one is not None]
            to_us = _postponed_to(book, day, now_us) if step == "postponed" else None
        else:
            _check_whole(step, wave, person)
            chosen = [None]
        for wallet in chosen:
            postpaid.add_wave_step(
                cursor=cursor,
                book=book.pk,
                wave=wave_id,
                step=step,
                author=person.pk,
                now_us=now_us,
                wallet=wallet,
                to_us=to_us,
                words=words.strip()[:300],
            )
        if chosen:
            told = {"wave": wave_id, "step": step, "homes": len(chosen), "to_us": to_us or 0}
            _note(cursor, "desk.wave_step", book, person, now_us, told)
    return len(chosen)


def state_of(*, home: WaveHome, wave: Wave, now_us: int) -> str:
    """Where a home of a wave is: done, grace, off, due, unnoticed, waiting."""
    if home.switched_us is not None:
        return "grace" if home.grace_us is not None and home.grace_us > now_us else "done"
    if wave.off:
        return "off"
    if home.noticed_us is None:
        return "unnoticed"
    ready_us = max(home.due_us, home.noticed_us + wave.notice_days * US_PER_DAY)
    return "due" if wave.agreed is not None and ready_us <= now_us else "waiting"


def _looked_at(cursor: Any, book: Book, new: NewWave, now_us: int) -> list[Changing]:
    if not 1 <= len(new.name.strip()) <= 60 or not new.homes:
        raise PostpaidRefused("A wave has a name of at most 60 letters, and homes. Nothing was written.")
    if not 0 <= new.notice_days <= 365 or not 1 <= new.grace_days <= 90:
        raise PostpaidRefused(
            "A notice is 0 to 365 days before the date, and grace is 1 to 90 days after it. Nothing was written."
        )
    today = local_date(zone=book.zone, at_us=now_us)
    if (new.day - today).days < new.notice_days or new.day <= today:
        raise PostpaidRefused(
            "The date is nearer than the days of notice, so nobody could be told in time. Nothing was "
            "written; choose a "
            "later date."
        )
    known, homes = open_wallets(book), list(dict.fromkeys(new.homes))
    pays_after = postpaid.postpaid_of_book(cursor=cursor, book=book.pk)
    taken = postpaid.in_open_waves(cursor=cursor, book=book.pk)
    balances = dict(WalletHead.objects.filter(book=book.pk).values_list("wallet", "balance_micro"))
    today_us = local_day_start(zone=book.zone, at_us=now_us)
    paces = credit_rules.mean_days(cursor=cursor, book=book.pk, before_us=today_us, days=PACE_DAYS)
    owing = credit_entries.owing(cursor=cursor, book=book.pk, week_us=now_us, now_us=now_us)
    made = []
    for label in homes:
        wallet = known.get(label, 0)
        after, why = pays_after.get(wallet), ""
        if not wallet:
            why = "unknown"
        elif after is None:
            why = "prepaid"
        elif after.switched_us is not None:
            why = "done"
        elif wallet in taken:
            why = "taken"
        debts = owing[wallet].debts if wallet in owing else ()
        pace = paces.get(wallet, 0)
        made.append(
            Changing(
                wallet=wallet,
                home=label,
                owed_micro=max(0, -int(balances.get(wallet, 0))),
                debt_micro=sum(one.owed_micro for one in debts),
                day_micro=pace,
                advised_micro=pace * START_DAYS,
                why_not=why,
            )
        )
    return made


def _debt_rule(cursor: Any, book: Book, wallet: int, wave: Wave, person: User, now_us: int) -> int:
    """How what the home owes on the date is recovered. The amount is the poster's to find; nobody can
    begin it alone."""
    details = {"origin": "switch", "amount_micro": 0, **wave.debt_plan}
    new = NewRule(
        book=book.pk,
        kind="debt",
        from_us=wave.switch_us,
        words=wave.name,
        author=person.pk,
        wallet=wallet,
        details=details,
    )
    return credit_rules.add_rule(cursor=cursor, new=new, now_us=now_us)


def plan_from(*, daily_micro: int, share_bp: int, week_cap_micro: int | None) -> DebtPlan:
    """How debts of a wave are recovered. Raises PostpaidRefused where nothing would be."""
    try:
        return DebtPlan(daily_micro=daily_micro, share_bp=share_bp, week_cap_micro=week_cap_micro)
    except DebtError as error:
        raise PostpaidRefused(
            "Nothing could be recovered like this: give an amount a day, or a share of top-ups up to all of one. "
            "Nothing was written."
        ) from error


def _admin(user_id: int, book: Book) -> User:
    person = acting(user_id=user_id, book=book)
    if person.role != Role.ADMIN:
        raise NotAllowed("Only administrators change how homes pay. Nothing was changed; ask one of them.")
    return person


def _check_whole(step: str, wave: Wave, person: User) -> None:
    if step not in ("agreed", "called_off"):
        raise PostpaidRefused("There is no such step. Nothing was changed; choose one of the list.")
    if step == "agreed" and wave.agreed is not None:
        raise PostpaidRefused("Somebody agreed to this wave already. Nothing was changed.")
    if step == "agreed" and person.pk == wave.author:
        raise NotAllowed(
            "Another administrator than who wrote the wave must agree to it. Nothing was changed; ask one of them."
        )


def _home_for(step: str, homes: dict[int, WaveHome], wallet: int) -> int | None:
    one = homes.get(wallet)
    if one is None or one.switched_us is not None:
        raise PostpaidRefused("That home is not in this wave, or it changed already. Nothing was changed.")
    return None if step == "noticed" and one.noticed_us is not None else wallet


def _postponed_to(book: Book, day: date | None, now_us: int) -> int:
    if day is None or day <= local_date(zone=book.zone, at_us=now_us):
        raise PostpaidRefused("A home is postponed to a day that is still to come. Nothing was changed.")
    return date_start(zone=book.zone, day=day)


def _note(cursor: Any, kind: str, book: Book, person: User, now_us: int, evidence: dict[str, Any]) -> None:
    note_deed(cursor=cursor, book=book.pk, kind=kind, author=person.pk, now_us=now_us, evidence=evidence)


def labels_of(*, book: Book) -> dict[int, str]:
    """{wallet: label of its home} of a book."""
    return dict(Wallet.objects.filter(book=book).values_list("pk", "unit__label"))
