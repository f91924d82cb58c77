"""A notice becomes messages; while nobody was reached it goes one way further, and in the end to staff."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import InterfaceError, OperationalError, connection, transaction

from fairwatt.core.notices import router
from fairwatt.core.notices.icu import BadWording
from fairwatt.core.notices.model import MANNERS, MINUTE_US, Channel, State, Step
from fairwatt.core.notices.router import Choice, Contact, Person, Plan, Routed
from fairwatt.core.notices.wording import DEFAULTS, Wording, language_of, say
from fairwatt.core.spans import local_date
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.flows.notifying.sending import still_to_be_said
from fairwatt.flows.notifying.values import values_of, wallet_with_home
from fairwatt.store import contacts, escalations, facts, notices
from fairwatt.store.models import Book, Wallet
from fairwatt.store.notices import NewMessage, Notice

AGAIN: Final = "again"
_OF_STAFF: Final = frozenset({Step.ALARM, Step.CALL})
DEFERRED_US: Final = 5 * MINUTE_US
STALE_US: Final = 12 * US_PER_HOUR
_TO_ONE: Final = frozenset({Step.CODE, Step.BALANCE, Step.TRY})
"""Sent to the address they are about, whatever else is known."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """What can be sent by: the channels of each organisation, its lines to staff, and where our pages are."""

    channels: Callable[[int], frozenset[Channel]]
    staff: Callable[[int], tuple[str, ...]]
    origin: str


class NotRouted(Exception):
    """A notice could not be made into messages; nothing of it was written."""

    def __init__(self, notice: int) -> None:
        super().__init__(f"notice {notice} could not be told")
        self.notice = notice


@transaction.atomic(durable=True)
def route_one(*, lines: Lines, now_us: int) -> bool:
    """Look at the notice that waits longest; whether there was one. All of it is one transaction."""
    with connection.cursor() as cursor:
        notice = notices.take_due(cursor=cursor, now_us=now_us)
        if notice is None:
            return False
        try:
            facts.see_book(cursor=cursor, book=notice.book)
            book = Book.objects.select_related("organisation").get(pk=notice.book)
            _Routing(cursor, notice, book, lines, now_us).go()
        except (OperationalError, InterfaceError):
            raise
        except Exception as failure:
            raise NotRouted(notice.id) from failure
    return True


@transaction.atomic(durable=True)
def defer(*, notice: int, now_us: int) -> None:
    """Look at a notice that could not be told later: others are not to wait for it."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notice SET next_us = %s WHERE id = %s", [now_us + DEFERRED_US, notice])


@transaction.atomic(durable=True)
def call_for_escalations(*, now_us: int) -> int:
    """Write a notice to staff for every escalation that has none; how many."""
    with connection.cursor() as cursor:
        found = escalations.uncalled(cursor=cursor, since_us=now_us - STALE_US)
        for number, book, wallet, because in found:
            facts.see_book(cursor=cursor, book=book)
            about = {"escalation": number, "because": because}
            notices.add_notice(
                cursor=cursor,
                book=book,
                wallet=wallet,
                step=Step.CALL,
                key=f"call:{number}",
                about=about,
                now_us=now_us,
            )
    return len(found)


@dataclass
class _Routing:
    """One look at one notice."""

    cursor: Any
    notice: Notice
    book: Book
    lines: Lines
    now_us: int

    def go(self) -> None:
        notice = self.notice
        if notice.step == AGAIN:
            self._again()
            return
        step = Step(notice.step)
        if step in _OF_STAFF:
            self._to_staff(step)
            return
        if notices.is_past(cursor=self.cursor, wallet=notice.wallet, step=step):
            self._look_next(notice.wave, None)
            return
        wallet = wallet_with_home(wallet=notice.wallet)
        people = self._people(step)
        if step in _TO_ONE:
            routed = self._to_one(people)
        elif step is Step.CONTACT:
            routed = self._to_the_others(people)
        else:
            routed = router.route(
                step=step,
                persons=people,
                zone=self.book.zone,
                now_us=self.now_us,
                wave=notice.wave,
                reached=self._reached(step),
                offered=self.lines.channels(self.book.organisation_id),
            )
        if self.now_us - notice.at_us > STALE_US and step not in _TO_ONE:
            # What happened half a day ago is no news: it is written down as not said.
            late = (
                replace(one, state=State.SUPPRESSED, reason="too_late", digest=False) for one in routed.plans
            )
            routed = Routed(tuple(late), routed.next_wave, None)
        for plan in routed.plans:
            self._write(step, plan, wallet, routed.next_wave)
        if routed.call_staff and notice.wallet is not None:
            told = contacts.staff(cursor=self.cursor, organisation=self.book.organisation_id)
            escalations.escalate(
                cursor=self.cursor,
                book=notice.book,
                wallet=notice.wallet,
                notice=notice.id,
                because=routed.call_staff,
                told=told,
                now_us=self.now_us,
            )
        self._look_next(routed.next_wave, routed.next_us)

    def _look_next(self, wave: int, next_us: int | None) -> None:
        notices.move_notice(cursor=self.cursor, notice=self.notice.id, wave=wave, next_us=next_us)

    def _reached(self, step: Step) -> bool:
        """Whether it arrived; where nothing hangs on it, a letter that a mail server took is enough."""
        if self.notice.reached_us is not None:
            return True
        if MANNERS[step].calls or self.notice.wave == 0:
            return False
        sent = notices.messages_of_notice(cursor=self.cursor, notice=self.notice.id)
        return any(
            one.state in (State.SENT, State.DELIVERED, State.READ) and one.channel == Channel.EMAIL
            for one in sent
        )

    def _people(self, step: Step) -> list[Person]:
        notice, cursor = self.notice, self.cursor
        if notice.wallet is not None:
            living = contacts.residents(cursor=cursor, wallet=notice.wallet, at_us=self.now_us)
        else:
            living = [(notice.person, "")] if notice.person is not None else []
        if notice.person is not None:
            living = [one for one in living if one[0] == notice.person]
        numbers = [person for person, _ in living]
        chosen = contacts.choices(cursor=cursor, persons=numbers)
        known = contacts.usable(cursor=cursor, persons=numbers)
        people = []
        for person, email in living:
            mine = [
                Contact(n, Channel(ch), address, more) for n, who, ch, address, more in known if who == person
            ]
            if email and (step is Step.CONTACT or not any(one.channel is Channel.EMAIL for one in mine)):
                mine.append(Contact(None, Channel.EMAIL, email))
            kept = tuple(mine) if step is Step.CONTACT else _newest(mine)
            people.append(self._person(person, kept, chosen.get(person, {})))
        return people

    def _person(self, person: int, mine: tuple[Contact, ...], chosen: Mapping[str, Any]) -> Person:
        since_us = self.now_us - 2 * US_PER_DAY
        lately = notices.lately(cursor=self.cursor, person=person, since_us=since_us)
        today = local_date(zone=self.book.zone, at_us=self.now_us)
        told = {
            Step(step)
            for step, at_us, state, wallet in lately
            if state != State.SUPPRESSED
            and wallet == self.notice.wallet
            and local_date(zone=self.book.zone, at_us=at_us) == today
        }
        counted = tuple(
            at_us
            for step, at_us, state, _ in lately
            if state != State.SUPPRESSED and MANNERS[Step(step)].capped
        )
        choice = choice_of(chosen)
        language = language_of(wanted=choice.language, currency=self.book.currency)
        return Person(person, language, mine, choice, counted, frozenset(told))

    def _to_one(self, people: list[Person]) -> Routed:
        """To the address itself, proven or not: that is what a code finds out."""
        about = self.notice.about
        address = Contact(
            about.get("contact"), Channel(about["channel"]), str(about["to"]), about.get("details", {})
        )
        first = people[0] if people else None
        language = str(about.get("language") or (first.language if first else ""))
        language = language_of(wanted=language, currency=self.book.currency)
        person = Person(self.notice.person, language, (address,))
        return Routed((Plan(person, address, address.channel, self.now_us),), 1, None)

    def _to_the_others(self, people: list[Person]) -> Routed:
        """To every address but the new one, at once: whoever added it may not be who lives there."""
        offered = self.lines.channels(self.book.organisation_id)
        plans = [
            Plan(person, one, one.channel, self.now_us)
            for person in people
            for one in person.contacts
            if one.channel in offered and one.id != self.notice.about.get("contact")
        ]
        return Routed(tuple(plans), 1, None)

    def _to_staff(self, step: Step) -> None:
        wallet = wallet_with_home(wallet=self.notice.wallet)
        language = language_of(wanted="", currency=self.book.currency)
        for account in self.lines.staff(self.book.organisation_id):
            contact = Contact(None, Channel.STAFF, account)
            self._write(
                step, Plan(Person(None, language, (contact,)), contact, Channel.STAFF, self.now_us), wallet, 1
            )
        self._look_next(1, None)

    def _write(self, step: Step, plan: Plan, wallet: Wallet | None, wave: int) -> None:
        contact, language = plan.contact, plan.person.language
        assert contact is not None, "a plan has an address"
        code = notices.new_code(cursor=self.cursor)
        link = f"{self.lines.origin}/n/{code}/"
        if step in _OF_STAFF:
            link = f"{self.lines.origin}/console/{self.book.slug}/messages/"
        values = values_of(
            cursor=self.cursor,
            step=step,
            wallet=wallet,
            book=self.book,
            about=self.notice.about,
            language=language,
            link=link,
            now_us=self.now_us,
        )
        wording = wording_of(
            cursor=self.cursor, organisation=self.book.organisation_id, step=step, language=language
        )
        try:
            said = say(wording=wording, step=step, values=values, language=language, channel=plan.channel)
        except BadWording:
            # An organisation's own words want what is not known this time: the house's are said rather than none.
            house = DEFAULTS[language][step]
            said = say(wording=house, step=step, values=values, language=language, channel=plan.channel)
        made = NewMessage(
            notice=self.notice.id,
            book=self.notice.book,
            wallet=self.notice.wallet,
            person=plan.person.id,
            channel=plan.channel,
            contact=contact.id,
            address=contact.address,
            language=language,
            step=step,
            subject=said.subject,
            body=said.body,
            params={
                **values,
                "link": link,
                "contact_details": dict(contact.details),
                **({"code": values["code"]} if "code" in values else {}),
            },
            segments=said.segments.messages if said.segments else 0,
            key=self._key(step, plan, contact),
            code=code,
            digest=plan.digest,
            due_us=plan.due_us,
            state=plan.state,
            reason=plan.reason,
        )
        notices.add_message(cursor=self.cursor, made=made, now_us=self.now_us)

    def _key(self, step: Step, plan: Plan, contact: Contact) -> str:
        """Once a local day for a person and an address, where the step says so; else once for the notice."""
        whom = f"{plan.person.id}:{plan.channel}:{contact.id or contact.address}"
        if not MANNERS[step].once_a_day or plan.state is State.SUPPRESSED:
            return f"{self.notice.id}:{whom}"
        day = local_date(zone=self.book.zone, at_us=self.now_us)
        return f"{step}:{self.notice.wallet}:{whom}:{day.isoformat()}"

    def _again(self) -> None:
        """A person asked for a message once more: the same words to the same address."""
        old = notices.message(cursor=self.cursor, number=int(self.notice.about["message"]))
        if old is not None and old.book == self.notice.book:
            made = NewMessage(
                **{name: getattr(old, name) for name in _COPIED},
                notice=old.notice,
                key=f"again:{self.notice.id}",
                code=notices.new_code(cursor=self.cursor),
                digest=False,
                due_us=router.due_at(step=Step(old.step), zone=self.book.zone, now_us=self.now_us),
                state=State.QUEUED,
                reason="",
            )
            notices.add_message(cursor=self.cursor, made=made, now_us=self.now_us)
        self._look_next(1, None)


_COPIED: Final = (
    *("book", "wallet", "person", "channel", "contact", "address", "language", "step", "subject", "body"),
    *("params", "segments"),
)


def _newest(mine: list[Contact]) -> tuple[Contact, ...]:
    """One address a channel, the newest; but each browser that subscribed is one of its own."""
    kept: list[Contact] = []
    for one in mine:
        if one.channel is Channel.PUSH or not any(other.channel is one.channel for other in kept):
            kept.append(one)
    return tuple(kept)


def choice_of(body: Mapping[str, Any]) -> Choice:
    """What somebody chose, as it was written down; words that are no more are left out."""
    channels = body.get("channels")
    return Choice(
        language=str(body.get("language", "")),
        channels=None
        if channels is None
        else frozenset(Channel(one) for one in channels if one in set(Channel)),
        silent=frozenset(Step(one) for one in body.get("silent", []) if one in set(Step)),
        digest=bool(body.get("digest", False)),
    )


def wording_of(*, cursor: Any, organisation: int, step: Step, language: str) -> Wording:
    """An organisation's own wording, or the house's."""
    own = contacts.own_wordings(cursor=cursor, organisation=organisation).get((step, language))
    return DEFAULTS[language][step] if own is None else Wording(own[0], own[1], own[2])


@transaction.atomic(durable=True)
def fold_digests(*, now_us: int) -> int:
    """Make one message of those that were to wait for each other; how many went into others."""
    folded = 0
    with connection.cursor() as cursor:
        for group in notices.digests_due(cursor=cursor, now_us=now_us):
            facts.see_book(cursor=cursor, book=group[0].book)
            whole = [one for one in group if still_to_be_said(cursor=cursor, row=one, now_us=now_us)]
            if len(whole) < 2:
                continue
            first, *rest = whole
            book = Book.objects.select_related("organisation").get(pk=first.book)
            listed = "\n".join(f"– {one.subject}: {one.params.get('home', '')}" for one in whole)
            wording = wording_of(
                cursor=cursor, organisation=book.organisation_id, step=Step.DIGEST, language=first.language
            )
            values: dict[str, str | int] = {
                "organisation": book.organisation.name,
                "count": len(whole),
                "list": listed,
            }
            said = say(
                wording=wording,
                step=Step.DIGEST,
                values=values,
                language=first.language,
                channel=Channel(first.channel),
            )
            notices.fold(cursor=cursor, number=first.id, subject=said.subject, body=said.body, of=whole)
            for one in rest:
                notices.move_message(
                    cursor=cursor, number=one.id, state=State.SUPPRESSED, now_us=now_us, reason="in_digest"
                )
                folded += 1
    return folded
