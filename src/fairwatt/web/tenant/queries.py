"""Everything the resident's home page shows, read from the caches (and a few recent lines) at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.model import Schedule
from fairwatt.core.spans import local_day_start, next_day_start, to_datetime
from fairwatt.core.units import US_PER_DAY, US_PER_MINUTE, Unit, micro_from_minor
from fairwatt.flows.borrow import CreditDesk, credit_desk
from fairwatt.flows.forecasting import newest_outlook
from fairwatt.store.models import (
    Event,
    Installation,
    Line,
    PaymentIntent,
    RegisterHead,
    UseDay,
    Wallet,
    WalletHead,
)
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.darkness import Answer, answer, is_off
from fairwatt.web.forecast import WINDOW_DAYS, Forecast, Pace, pace_of
from fairwatt.web.least import Least, least_now
from fairwatt.web.prices import SLOTS_A_DAY, Band, bands_of_day, energy_for, published_schedule, unit_of
from fairwatt.web.reviews import Review, reviews_of
from fairwatt.web.tenant.amounts import Advice, Preset, advice_of, outlook_of, presets
from fairwatt.web.tenant.history import Movement, balance_points, movements
from fairwatt.web.tenant.told import Left, Warned, left_of, warned_of

STALE_AFTER_US: Final = 45 * US_PER_MINUTE
RECENT_US: Final = 2 * US_PER_DAY
RECENT_USES: Final = 5
PAST_PAYMENTS_DAYS: Final = 150
RECENT_TOP_UPS: Final = 3
CUT_EVENTS: Final = ("supply.cut", "gateway.local_trip")
LIMIT_EVENTS: Final = ("gateway.power_limited", "gateway.power_limit_lifted")


@dataclass(frozen=True, kw_only=True)
class Supply:
    """What the meter showed last, in one word, and why: `on`, `off`, `kept` (out of credit, not cut), `unknown`.

    When the meter is silent (`Home.silent`) this is history.
    """

    state: str
    reason: str = ""
    rule: str = ""
    since_us: int | None = None
    by_credit: bool = False
    pay_at_least_minor: int = 0

    @property
    def off_us(self) -> int | None:
        """Since when the power is off, where that is known."""
        return self.since_us if self.state == "off" else None


@dataclass(frozen=True, kw_only=True)
class Now:
    """What the meter says at the moment of its newest reading."""

    power_w: int
    at_us: int
    stale: bool


@dataclass(frozen=True, kw_only=True)
class Home:
    """The resident's home at one instant."""

    wallet: Wallet
    currency: str
    zone: str
    now_us: int
    today_us: int
    balance_micro: int
    read_us: int
    supply: Supply
    pace: Pace
    outlook: Forecast | None
    energy_left_wh: int | None
    unit: Unit
    """what its use is counted in"""
    presets: tuple[Preset, ...]
    now: Now | None
    today: UseDay | None
    bands: tuple[Band, ...]
    points: tuple[tuple[int, int], ...]
    recent: tuple[Movement, ...]
    reviews: tuple[Review, ...]
    least: Least | None
    credit: CreditDesk
    """what the home is offered and owes beside its energy"""
    dark: Answer | None = None
    """why the power is off, when it is"""
    limit_w: int | None = None
    """what the meter allows while credit is low"""
    advice: Advice | None = None
    """the one amount suggested"""
    warned: Warned | None = None
    left: Left | None = None
    """who has moved out reads the end of the account here"""

    @property
    def available_micro(self) -> int:
        """What supply looks at."""
        return self.balance_micro

    @property
    def history(self) -> int:
        """How many days of its own use what is said of the days to come rests on."""
        return self.pace.days if self.outlook is None else self.outlook.history

    @property
    def stale(self) -> bool:
        """Whether the newest reading is too old to call this "now"."""
        return self.now_us - self.read_us > STALE_AFTER_US

    @property
    def silent(self) -> bool:
        """Whether a meter that was heard before is heard no more."""
        return self.now is not None and self.now.stale

    @property
    def today_unknown(self) -> bool:
        """Whether no reading says what was used today: a nought would be taken for nothing used."""
        return self.now is not None and self.now.stale and self.now.at_us <= self.today_us


def home(*, wallet: Wallet, now_us: int) -> Home:
    """Read one home. Anticipates a wallet that was never read: then there is no pace, no meter and no chart."""
    book = wallet.book
    with seeing(scope=scope_of_wallet(wallet=wallet)):
        head = WalletHead.objects.filter(wallet=wallet.id).first()
        registers = list(RegisterHead.objects.filter(wallet=wallet.id))
        installation = Installation.objects.filter(wallet=wallet, closed_us__isnull=True).first()
        schedule = published_schedule(plan_id=installation.plan_id) if installation else None
        days = _days(wallet, now_us)
        paid = _paid(wallet, now_us)
        ahead = newest_outlook(wallet=wallet)
        recent = _recent(wallet, now_us, schedule)
        available = head.balance_micro if head else 0
        credit = credit_desk(wallet=wallet, now_us=now_us)
        supply, limit_w = _supply(wallet, head, registers, credit), _limit_w(wallet)
        warned = warned_of(wallet=wallet, head=head, off_us=supply.off_us, now_us=now_us)
        left = left_of(wallet=wallet, balance_micro=available)
        reviews = reviews_of(intents=PaymentIntent.objects.filter(wallet=wallet))
    today_us = local_day_start(zone=book.zone, at_us=now_us)
    whole = [day for day in days if day.day_us < today_us]
    pace = pace_of(costs_micro=[day.cost_micro for day in whole])
    outlook = outlook_of(ahead=ahead, available_micro=available, pace=pace, now_us=now_us, zone=book.zone)
    counter = sum(register.counter_wh for register in registers)
    return Home(
        wallet=wallet,
        currency=book.currency,
        zone=book.zone,
        now_us=now_us,
        today_us=today_us,
        balance_micro=available,
        read_us=head.read_us if head else 0,
        supply=supply,
        pace=pace,
        outlook=outlook,
        advice=advice_of(
            outlook=outlook,
            available_micro=available,
            credit=credit,
            schedule=schedule,
            paid_us=[one.credited_us or 0 for one in paid],
            now_us=now_us,
            zone=book.zone,
        ),
        unit=unit_of(schedule=schedule),
        energy_left_wh=_energy_left(schedule, now_us, counter, available, whole),
        credit=credit,
        presets=presets(
            pace=pace,
            available_micro=min(0, available) - credit.owing.emergency_micro,
            minor_digits=book.minor_digits,
            outlook=None if outlook is None else outlook.ahead,
            now_us=now_us,
        ),
        now=_now(registers, now_us),
        today=next((day for day in days if day.day_us == today_us), None),
        bands=bands_of_day(schedule=schedule, at_us=now_us, counter_wh=counter) if schedule else (),
        points=_points(wallet, days, paid, now_us, available),
        recent=recent,
        reviews=reviews,
        dark=answer(wallet=wallet, now_us=now_us, said_dark=False) if supply.state == "off" else None,
        limit_w=limit_w,
        warned=warned,
        left=left,
        least=least_now(credit=credit, pace=pace) if supply.pay_at_least_minor else None,
    )


def _days(wallet: Wallet, now_us: int) -> list[UseDay]:
    """What was used on each day of late, oldest first."""
    since = now_us - (WINDOW_DAYS + 2) * US_PER_DAY
    lately = UseDay.objects.filter(wallet=wallet.id, day_us__gte=since, day_us__lte=now_us)
    return list(lately.order_by("day_us"))


def _paid(wallet: Wallet, now_us: int) -> list[PaymentIntent]:
    """What was paid in of late, oldest first."""
    since = now_us - PAST_PAYMENTS_DAYS * US_PER_DAY
    return list(PaymentIntent.objects.filter(wallet=wallet, credited_us__gte=since).order_by("credited_us"))


def _energy_left(
    schedule: Schedule | None, now_us: int, counter_wh: int, available_micro: int, whole: list[UseDay]
) -> int | None:
    if schedule is None:
        return None
    return energy_for(
        schedule=schedule,
        at_us=now_us,
        counter_wh=counter_wh,
        available_micro=available_micro,
        slots_wh=_habit(whole[-WINDOW_DAYS:]),
    )


def _points(
    wallet: Wallet, days: list[UseDay], top_ups: list[PaymentIntent], now_us: int, balance_micro: int
) -> tuple[tuple[int, int], ...]:
    book, since = wallet.book, now_us - (WINDOW_DAYS + 2) * US_PER_DAY
    made = balance_points(
        days=days,
        top_ups=[one for one in top_ups if (one.credited_us or 0) >= since],
        minor_micro=micro_from_minor(amount_minor=1, minor_digits=book.minor_digits),
        zone=book.zone,
        now_us=now_us,
        balance_micro=balance_micro,
    )
    return tuple(made)


def movements_of_day(*, wallet: Wallet, day_us: int) -> list[Movement]:
    """Every movement of one local day, newest first."""
    zone = wallet.book.zone
    with seeing(scope=scope_of_wallet(wallet=wallet)):
        installation = Installation.objects.filter(wallet=wallet).order_by("-opened_us").first()
        schedule = published_schedule(plan_id=installation.plan_id) if installation else None
        lines = _lines(wallet, day_us, next_day_start(zone=zone, at_us=day_us))
        return movements(lines=lines, schedule=schedule, zone=zone, currency=wallet.book.currency)


def _lines(wallet: Wallet, start_us: int, end_us: int) -> list[Line]:
    # A reading at midnight closes the day before: its half hour began there.
    return list(
        Line.objects.filter(
            book=wallet.book_id, wallet=wallet.id, ts__gt=to_datetime(start_us), ts__lte=to_datetime(end_us)
        ).order_by("seq")
    )


def _recent(wallet: Wallet, now_us: int, schedule: Schedule | None) -> tuple[Movement, ...]:
    zone, currency = wallet.book.zone, wallet.book.currency
    lines = _lines(wallet, now_us - RECENT_US, now_us)
    made = movements(lines=lines, schedule=schedule, zone=zone, currency=currency)
    uses = [movement for movement in made if movement.is_use][:RECENT_USES]
    others = [movement for movement in made if not movement.is_use]
    if not others:
        older = Line.objects.filter(
            book=wallet.book_id,
            wallet=wallet.id,
            kind=Kind.TOPUP,
            ts__gt=to_datetime(now_us - WINDOW_DAYS * US_PER_DAY),
        ).order_by("-seq")[:RECENT_TOP_UPS]
        others = movements(lines=reversed(older), schedule=schedule, zone=zone, currency=currency)
    return tuple(sorted(uses + others[:RECENT_TOP_UPS], key=lambda movement: -movement.end_us))


def _supply(
    wallet: Wallet, head: WalletHead | None, registers: Sequence[RegisterHead], credit: CreditDesk
) -> Supply:
    least, available = credit.least_minor, credit.available_micro
    if is_off(head=head, registers=registers):
        cause = Event.objects.filter(wallet=wallet.id, kind__in=CUT_EVENTS).order_by("-id").first()
        return Supply(
            state="off",
            reason=cause.reason if cause else "",
            rule=cause.rule if cause else "",
            since_us=cause.at_us if cause else None,
            by_credit=bool(head and head.cut_by_credit) or (cause is not None and available <= 0),
            pay_at_least_minor=least,
        )
    if head is not None and available <= 0:
        return Supply(state="kept", reason=head.withheld, pay_at_least_minor=least)
    if not registers or all(register.relay == 2 for register in registers):
        return Supply(state="unknown")
    return Supply(state="on")


def _limit_w(wallet: Wallet) -> int | None:
    """The power that the soft landing left this home, when the gateway last set one."""
    newest = Event.objects.filter(wallet=wallet.id, kind__in=LIMIT_EVENTS).order_by("-id").first()
    limit_w = newest.evidence.get("limit_w") if newest is not None else None
    return limit_w if type(limit_w) is int else None


def _now(registers: Sequence[RegisterHead], now_us: int) -> Now | None:
    if not registers:
        return None
    at_us = min(register.at_us for register in registers)
    return Now(
        power_w=sum(register.power_w for register in registers),
        at_us=at_us,
        stale=now_us - at_us > STALE_AFTER_US,
    )


def _habit(days: Sequence[UseDay]) -> list[int]:
    """Use per half hour of the day over many days; a 25-hour day is read as its first 24 hours."""
    return [
        sum(day.slots_wh[slot] or 0 for day in days if slot < len(day.slots_wh))
        for slot in range(SLOTS_A_DAY)
    ]
