"""The notifier's loop: told by the database what is new, and by the clock what is due."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import psycopg
import structlog
from django.db import InterfaceError, OperationalError, connection, transaction

from fairwatt.core.notices.model import MANNERS, Channel, State, Step
from fairwatt.flows.notifying import hearing, ladder, routing, sending
from fairwatt.flows.notifying.routing import Lines
from fairwatt.flows.notifying.sending import Taken
from fairwatt.notifier.carrier import Carrier, NoAnswer, post, to_staff
from fairwatt.notifier.lines import Apprise, Line, LineBook
from fairwatt.notify.contract import CannotSay, Heard, Letter, LooksUp, Moment, Outcome, Reports
from fairwatt.notify.mail import Mail
from fairwatt.store import contacts
from fairwatt.store.models import Organisation

log = structlog.get_logger(__name__)

HANDS: Final = 8
LOOK_S: Final = 1.0
BATCH: Final = 64
CLIMB_US: Final = 60_000_000
NO_LINE_US: Final = 300_000_000
"""So long a message waits for a line that its organisation does not have (yet)."""


class Clock(Protocol):
    """Domain time."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


class Notifier:
    """Tells people for every organisation; `run` until `stop`."""

    def __init__(
        self,
        *,
        book: LineBook,
        carrier: Carrier,
        clock: Clock,
        origin: str,
        dsn: str,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._book, self._carrier, self._clock, self._dsn, self._nonce = book, carrier, clock, dsn, nonce
        self._stop, self._wake = threading.Event(), threading.Event()
        self._slugs: dict[int, str] = {}
        self._climbed_us = 0
        self._failures: dict[str, int] = {}
        self._rests: dict[str, int] = {}
        self._lock = threading.Lock()
        self._lines = Lines(channels=self._channels, staff=self._staff, origin=origin)

    def stop(self) -> None:
        """End after what is in hand."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Tell people until stopped; a database that is away is waited for."""
        threading.Thread(target=self._listen, name="ear", daemon=True).start()
        told = False
        with ThreadPoolExecutor(HANDS, thread_name_prefix="telling") as hands:
            while not self._stop.is_set():
                busy = False
                try:
                    if not told:
                        self.announce()
                        told = True
                    busy = self.look(hands=hands)
                except (OperationalError, InterfaceError):
                    log.warning("notifier.waiting", exc_info=True)
                    connection.close()
                except Exception:
                    # One thing that cannot be told must not silence all others.
                    log.error("notifier.failed", exc_info=True)
                    connection.close()
                if not busy:
                    self._wake.wait(LOOK_S)
                self._wake.clear()

    def announce(self) -> None:
        """Say which lines there are: pages offer no other channels."""
        known = {one.slug: one.pk for one in Organisation.objects.all()}
        now_us = self._clock.now_us()
        with transaction.atomic(), connection.cursor() as cursor:
            for line in self._book.lines:
                if line.organisation not in known:
                    log.warning("notifier.no_organisation", account=line.account)
                    continue
                contacts.tell_line(
                    cursor=cursor,
                    account=line.account,
                    organisation=known[line.organisation],
                    channel=line.sender.channel,
                    kind=line.kind,
                    public=line.public,
                    token_sha256=line.token_sha256,
                    now_us=now_us,
                )

    def look(self, *, hands: ThreadPoolExecutor | None = None) -> bool:
        """Do everything that is due once; whether there was anything."""
        now_us = self._clock.now_us()
        busy = False
        while hearing.hear_one(judge_of=self._judge, organisation_of=self._organisation, now_us=now_us):
            busy = True
        if now_us - self._climbed_us >= CLIMB_US:
            self._climbed_us = now_us
            ladder.climb(now_us=now_us)
        routing.call_for_escalations(now_us=now_us)
        while self._route(now_us):
            busy = True
        routing.fold_digests(now_us=now_us)
        taken = sending.take_messages(now_us=now_us, limit=BATCH)
        if hands is None:
            for one in taken:
                self.hand_over(one)
        else:
            list(hands.map(self._safely, taken))
        return busy or bool(taken)

    def _route(self, now_us: int) -> bool:
        try:
            return routing.route_one(lines=self._lines, now_us=now_us)
        except routing.NotRouted as failed:
            log.error("notifier.not_routed", notice=failed.notice, exc_info=True)
            routing.defer(notice=failed.notice, now_us=now_us)
            return True

    def _safely(self, taken: Taken) -> None:
        try:
            self.hand_over(taken)
        except Exception:
            # It is in hand, and taken up again when its time there is over.
            log.error("notifier.failed", message=taken.row.id, exc_info=True)
        finally:
            connection.close()

    def hand_over(self, taken: Taken) -> None:
        """Bring one message to its provider, or find out whether it was there before."""
        line = self._line_for(taken)
        if line is None:
            return
        now_us = self._clock.now_us()
        at, letter = Moment(now_us=now_us, nonce=self._nonce()), _letter(taken)
        found = False
        try:
            outcome: Outcome | None = None
            if taken.again_since_us is not None and isinstance(line.sender, LooksUp):
                outcome = self._carrier.carry(
                    line.sender.look_up(letter=letter, since_us=taken.again_since_us, at=at)
                )
                found = outcome is not None and outcome.state is not State.QUEUED
            if outcome is None:
                outcome = self._deliver(line, letter, at)
        except CannotSay as refused:
            outcome = Outcome(State.FAILED, code=f"cannot_say: {refused}")
        except NoAnswer as none:
            if none.asked:
                self._count(line, str(none), now_us)
                sending.note_unknown(taken=taken, code=str(none), now_us=self._clock.now_us())
                return
            outcome = Outcome(State.QUEUED, code=str(none), line=True)
        self._count(line, outcome.code if outcome.line else "", now_us)
        sending.note_outcome(
            taken=taken, outcome=outcome, account=line.account, now_us=self._clock.now_us(), found=found
        )

    def _deliver(self, line: Line, letter: Letter, at: Moment) -> Outcome:
        if isinstance(line.sender, Mail):
            return post(mail=line.sender, letter=letter, at=at)
        if isinstance(line.sender, Apprise):
            return to_staff(line=line.sender, letter=letter)
        return self._carrier.carry(line.sender.deliver(letter=letter, at=at))

    def _line_for(self, taken: Taken) -> Line | None:
        """A line that does not rest; without one the message waits, and that counts as no try."""
        now_us, row = self._clock.now_us(), taken.row
        if row.channel == Channel.STAFF:
            lines = [one for one in [self._book.of.get(row.address)] if one is not None]
        else:
            lines = self._book.sending(
                organisation=self._slug(taken.organisation), channel=Channel(row.channel)
            )
        if row.account and taken.again_since_us is not None:
            lines = [one for one in lines if one.account == row.account] or lines
        for line in lines:
            if self._rests.get(line.account, 0) <= now_us:
                return line
        until_us = min((self._rests[one.account] for one in lines), default=now_us + NO_LINE_US)
        sending.hold_back(
            taken=taken, code="line_rests" if lines else "no_line", until_us=until_us, now_us=now_us
        )
        return None

    def _count(self, line: Line, trouble: str, now_us: int) -> None:
        """Note how a line did; what fails again and again is left alone for a while."""
        if line.sender.channel is Channel.PUSH:
            return  # each browser names a server of its own: what one of them does says nothing of the line
        with self._lock:
            before = self._failures.get(line.account, 0)
            failures = self._failures[line.account] = before + 1 if trouble else 0
        if failures or before:
            self._rests[line.account] = sending.note_line(
                account=line.account, failures=failures, trouble=trouble, now_us=now_us
            )

    def _judge(self, account: str) -> hearing.Judge | None:
        line = self._book.of.get(account)
        if line is None or not isinstance(line.sender, Reports):
            return None
        sender = line.sender

        def judge(url: str, headers: Mapping[str, str], body: bytes) -> Heard:
            at = Moment(now_us=self._clock.now_us(), nonce="")
            return sender.hear(url=url, headers=headers, body=body, at=at)

        return judge

    def _organisation(self, account: str) -> int:
        slug = self._book.of[account].organisation
        return int(Organisation.objects.values_list("pk", flat=True).get(slug=slug))

    def _slug(self, organisation: int) -> str:
        if organisation not in self._slugs:
            self._slugs[organisation] = Organisation.objects.values_list("slug", flat=True).get(
                pk=organisation
            )
        return self._slugs[organisation]

    def _channels(self, organisation: int) -> frozenset[Channel]:
        slug = self._slug(organisation)
        return frozenset(one.sender.channel for one in self._book.lines if one.organisation == slug)

    def _staff(self, organisation: int) -> tuple[str, ...]:
        return tuple(
            one.account
            for one in self._book.sending(organisation=self._slug(organisation), channel=Channel.STAFF)
        )

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True, connect_timeout=5) as ear:
                    ear.execute("LISTEN notices")
                    self._wake.set()
                    for _ in ear.notifies():
                        self._wake.set()
                        if self._stop.is_set():
                            return
            except (psycopg.Error, OSError) as error:
                log.warning("notifier.listen_broken", error=type(error).__name__)
            self._stop.wait(LOOK_S)


def _letter(taken: Taken) -> Letter:
    row = taken.row
    step = Step(row.step)
    return Letter(
        ref=row.ref,
        step=row.step,
        language=row.language,
        address=row.address,
        subject=row.subject,
        body=row.body,
        link=str(row.params.get("link", "")),
        made_us=row.made_us,
        urgent=MANNERS[step].at_night,
        params=row.params,
        details=row.params.get("contact_details", {}),
    )
