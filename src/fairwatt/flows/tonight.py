"""Who would be cut tonight and why: the rules of now, or of a change that is only proposed, on the facts of now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection, transaction

from fairwatt.core.credit.decide import Reason, SupplyFacts, decide_supply
from fairwatt.core.credit.levels import low_threshold_micro
from fairwatt.core.credit.policy import CreditPolicy, CutRule, Windows, policy_from_obj
from fairwatt.core.credit.terms import Merged
from fairwatt.core.credit.tonight import Outlook, look_ahead, quiet_until
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import local_day_start
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.credit_terms import PACE_DAYS, HeldTo, held_to
from fairwatt.store import facts as inbox
from fairwatt.store import lets
from fairwatt.store.alarms import held_open
from fairwatt.store.credit_rules import Rule, mean_days, policies
from fairwatt.store.credit_supply import Standing, standing_of_book
from fairwatt.store.heads import newest_quarantine, payments_in_review
from fairwatt.store.models import Book, TariffPublication
from fairwatt.store.restore_codes import restored_until

REVIEW_US = 72 * 3_600_000_000


class Home(NamedTuple):
    """A home that runs out: where it stands, what it is held to, and what would be decided."""

    standing: Standing
    held: Merged
    outlook: Outlook
    day_micro: int


class Off(NamedTuple):
    """A home that has no power already, and why.

    `Reason.ALREADY_ORDERED` where an order to switch it on is on its way, `Reason.ALREADY_OFF` where it is off for
    neither credit nor safety.
    """

    standing: Standing
    reason: Reason


class Hours(NamedTuple):
    """Hours without cuts by the local clock, and how many meters' homes are held to them."""

    friendly: Windows
    weekends: bool
    max_debt_micro: int | None
    """beyond this debt the hours shelter nobody"""
    never: bool
    """homes that are not cut at any hour"""
    homes: int


@dataclass(frozen=True, kw_only=True)
class Tonight:
    """Every home of a book that runs out of credit until its next quiet hours end; the first to be cut first."""

    homes: Sequence[Home]
    off: Sequence[Off]
    """homes without power now: nothing more is decided for them tonight"""
    hours: Sequence[Hours]
    """the hours without cuts, those of most homes first"""
    unreadable: Mapping[int, tuple[Rule, Exception]]
    """by wallet: homes whose rules cannot be read; nobody cuts them"""

    @property
    def cut(self) -> list[Home]:
        """Those that would be cut."""
        return [home for home in self.homes if home.outlook.cut]

    @property
    def withheld(self) -> list[Home]:
        """Those that would run out and keep power, by a rule."""
        return [home for home in self.homes if not home.outlook.cut]


def who_tonight(
    *, book: Book, now_us: int, also: Iterable[Rule] = (), without: Iterable[int] = ()
) -> Tonight:
    """Work out who would be cut until the end of the next quiet hours. Reads; the transaction is its own.

    `also` and `without`: rules that are proposed, as if they held, or ended.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        inbox.see_book(cursor=cursor, book=book.pk)
        held = held_now(cursor=cursor, book=book, now_us=now_us, also=also, without=without)
        return look(cursor=cursor, book=book, held=held, now_us=now_us)


def held_now(
    *,
    cursor: Any,
    book: Book,
    now_us: int,
    also: Iterable[Rule] = (),
    without: Iterable[int] = (),
    wallet: int | None = None,
) -> HeldTo:
    """What every home of a book, or one, is held to, as the poster would read it now."""
    bases: dict[int, CreditPolicy] = {}
    for policy, body in policies(cursor=cursor, book=book.pk, wallet=wallet):
        try:
            bases[policy] = policy_from_obj(body)
        except ValueError:
            continue  # the poster raises the alarm; nobody under it is cut
    return held_to(
        cursor=cursor,
        book=book.pk,
        zone=book.zone,
        bases=bases,
        now_us=now_us,
        also=also,
        without=without,
        wallet=wallet,
    )


def look(*, cursor: Any, book: Book, held: HeldTo, now_us: int) -> Tonight:
    """The homes that run out or are off already, given what each is held to."""
    known = _Known(cursor, book, now_us)
    quiet: dict[CreditPolicy, int] = {}
    homes, off = [], []
    hours: dict[int, Hours] = {}
    for one in standing_of_book(cursor=cursor, book=book.pk):
        merged = held.homes.get(one.wallet)
        if merged is None:
            continue
        policy = merged.policy
        never = policy.cut is not CutRule.ALLOWED
        hours[one.wallet] = Hours(policy.friendly, policy.friendly_weekends, policy.max_debt_micro, never, 1)
        if one.off:
            off.append(Off(one, _why_off(known.facts(one), policy, now_us)))
        if policy not in quiet:
            quiet[policy] = quiet_until(policy=policy, now_us=now_us)
        day_micro = known.paces.get(one.wallet, 0)
        outlook = look_ahead(
            facts=known.facts(one),
            policy=policy,
            low_micro=low_threshold_micro(
                policy=policy, dearest_micro_per_kwh=known.dearest.get(one.plan, 0)
            ),
            day_micro=day_micro,
            now_us=now_us,
            until_us=quiet[policy],
        )
        if outlook is not None:
            homes.append(Home(one, merged, outlook, day_micro))
    return Tonight(
        homes=sorted(homes, key=lambda home: (not home.outlook.cut, home.outlook.at_us, home.standing.label)),
        off=sorted(off, key=lambda home: home.standing.label),
        hours=[kind._replace(homes=n) for kind, n in Counter(hours.values()).most_common()],
        unreadable=held.broken,
    )


def _why_off(facts: SupplyFacts, policy: CreditPolicy, now_us: int) -> Reason:
    """Why a home has no power now, in the word of the decision that keeps it so."""
    if facts.ordered_closed:
        return Reason.ALREADY_ORDERED
    reason = decide_supply(facts=facts, policy=policy, now_us=now_us).reason
    if reason is Reason.ALREADY_OFF and facts.cut_by_credit:
        over = facts.contract is not None and facts.contract.over_at(at_us=now_us)
        return Reason.CONTRACT_ENDED if over else Reason.BALANCE_EMPTY
    return Reason.ALREADY_OFF if reason is Reason.HAS_CREDIT else reason


class _Known:
    """What is known of a book beside its homes."""

    def __init__(self, cursor: Any, book: Book, now_us: int) -> None:
        today_us = local_day_start(zone=book.zone, at_us=now_us)
        self.paces = mean_days(cursor=cursor, book=book.pk, before_us=today_us, days=PACE_DAYS)
        self.dearest = _dearest(book)
        self._held, self._doubted = held_open(book=book.pk), newest_quarantine(book=book.pk)
        self._restored = restored_until(book=book.pk, now_us=now_us)
        self._paying = _paying(cursor, book.pk)
        self._spared = lets.spared_circuits(book=book.pk)
        self._contracts = {one.wallet: one.contract for one in lets.running_of(cursor=cursor, book=book.pk)}
        reviewed = payments_in_review(book=book.pk, since_us=now_us - REVIEW_US)
        self._review = {
            wallet: sum(
                micro_from_minor(amount_minor=minor, minor_digits=book.minor_digits) for minor, _ in some
            )
            for wallet, some in reviewed.items()
        }

    def facts(self, one: Standing) -> SupplyFacts:
        """What the poster would go by for one meter."""
        meter = (one.gateway, one.meter)
        spared = one.balance_micro + self._review.get(one.wallet, 0) > 0 >= one.balance_micro
        return SupplyFacts(
            available_micro=one.balance_micro,
            relay_closed=None if one.relay == 2 else one.relay == 1,
            warned_at_us=one.warned_us or None,
            payment_in_flight=one.wallet in self._paying or spared,
            protected=one.protected,
            feeds_gateway=one.feeds_gateway,
            quarantined=self._doubted.get(meter, 0) > one.at_us,
            newest_reading_us=one.at_us if one.read_us else None,
            cut_by_credit=one.cut_by_credit,
            ordered_closed=None if one.ordered is None else one.ordered == 1,
            safety_open=meter in self._held,
            restored_until_us=self._restored.get(meter),
            contract=self._contracts.get(one.wallet),
            protected_circuit=meter in self._spared,
        )


def _dearest(book: Book) -> dict[int, int]:
    """{tariff plan: the highest price a kWh may have}; a text that cannot be read has none."""
    newest: dict[int, TariffPublication] = {}
    for row in TariffPublication.objects.filter(plan__book=book).order_by("pk"):
        newest[row.plan_id] = row
    dearest = {}
    for plan, row in newest.items():
        try:
            dearest[plan] = parse_schedule(row.text).dearest_micro_per_kwh
        except ValueError:
            continue
    return dearest


def _paying(cursor: Any, book: int) -> set[int]:
    cursor.execute(
        "SELECT wallet FROM fact WHERE book = %s AND state = 'waiting' AND kind = 'payment' AND wallet IS NOT NULL",
        [book],
    )
    return {int(wallet) for (wallet,) in cursor.fetchall()}


def rows_of(tonight: Tonight) -> list[dict[str, str | int]]:
    """The same as plain rows, for a file: amounts in micro-units, instants in microseconds UTC."""
    return [
        {
            "home": home.standing.label,
            "meter": home.standing.meter,
            "would_be_cut": int(home.outlook.cut),
            "reason": str(home.outlook.decision.reason),
            "rule": home.outlook.decision.rule,
            "at_us": home.outlook.at_us,
            "available_micro": home.standing.balance_micro,
            "a_day_micro": home.day_micro,
            "forecast_micro": home.outlook.available_micro,
            "forecast_for_us": home.outlook.until_us,
        }
        for home in tonight.homes
    ]
