"""Everything the console shows about one book, read from the caches at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Count, Q, Sum

from fairwatt.core.spans import local_day_start, month_start
from fairwatt.core.units import US_PER_DAY, US_PER_MINUTE, micro_from_minor
from fairwatt.core.units import Unit as Measure
from fairwatt.flows.answer_mass_cut import held_cuts
from fairwatt.flows.billed_unit import unit_of_wallet
from fairwatt.flows.credit_apart import Held, credit_apart
from fairwatt.store import alarms as stored
from fairwatt.store import escalations
from fairwatt.store.models import (
    Book,
    CostStep,
    Event,
    Gateway,
    GatewayHead,
    Journal,
    Meter,
    Outbox,
    PaymentIntent,
    Quarantine,
    Refund,
    Tenancy,
    Unit,
    UseDay,
    Wallet,
)
from fairwatt.store.pushes import pushes
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.building import SOON_DAYS, Square, squares_of
from fairwatt.web.refunding import AT_WINDOW, stuck, unconfirmed
from fairwatt.web.reviews import Review, reviews_of

OFFLINE_AFTER_US: Final = 15 * US_PER_MINUTE
EVENTS_SHOWN: Final = 7
STUCK_AFTER_US: Final = 30 * US_PER_MINUTE
# What a decision orders of the relay: 0 open, 1 closed.
RELAY_EVENTS: Final = {"supply.cut": 0, "supply.restore": 1}
WEEK_US: Final = 7 * US_PER_DAY


@dataclass(frozen=True, kw_only=True)
class Happening:
    """An event with the names of the places it happened at, and whether the meter proved what it ordered."""

    event: Event
    home: str
    gateway: str
    proof: str


@dataclass(frozen=True, kw_only=True)
class Today:
    """A book at one instant: what the cards say and who needs a person."""

    book: Book
    now_us: int
    today_us: int
    squares: tuple[Square, ...]
    held_micro: int
    owed_micro: int
    owing: int
    topped_up_micro: int
    top_ups: int
    top_ups_at_meter: int
    used_wh: int
    cost_micro: int
    newest_us: int
    offline: tuple[tuple[str, int], ...]
    gateways: int
    reviews: tuple[Review, ...]
    stuck: int
    quarantined: int
    quarantined_today: int
    happened: tuple[Happening, ...]
    mass_cut: int = 0
    """homes whose cut waits for an administrator, because too many were due at once"""
    asking: int = 0
    """pushes that wait for a second person"""
    alarms: int = 0
    """open alarms that nobody has seen"""
    held: tuple[str, ...] = ()
    """homes that safety keeps without power until a person comes"""
    objections: int = 0
    """shares of common costs that wait for a decision"""
    refunds: int = 0
    """refunds that wait for a second person, for the window, or for somebody who looks why a word was not booked"""
    calls: int = 0
    """homes that no message was shown to have reached, and that staff has to call"""

    @property
    def soon(self) -> list[Square]:
        """Homes with power whose credit lasts three days or less."""
        return [
            square
            for square in self.squares
            if square.state in ("low", "kept") and (square.days_left is None or square.days_left <= SOON_DAYS)
        ]

    @property
    def dark(self) -> list[Square]:
        """Homes without supply."""
        return [square for square in self.squares if square.state == "cut"]

    @property
    def dark_by_credit(self) -> int:
        """How many of them are out of credit."""
        return sum(square.by_credit for square in self.dark)

    @property
    def silent(self) -> list[Square]:
        """Homes whose meter is not heard; their credit runs on at the gateway."""
        return [square for square in self.squares if square.state == "silent"]

    @property
    def heard(self) -> int:
        """How many homes are lived in and have a meter that is heard."""
        return sum(square.state not in ("silent", "vacant") for square in self.squares)


@dataclass(frozen=True, kw_only=True)
class UnitDetail:
    """One unit with its people and its last events."""

    square: Square
    people: tuple[str, ...]
    happened: tuple[Happening, ...]
    used_today_wh: int
    unit: Measure
    cost_today_micro: int
    apart: tuple[Held, ...]
    """where its credit lies, when its meters hang on several gateways"""
    last_order: Outbox | None
    today_us: int

    @property
    def today_unknown(self) -> bool:
        """Whether no reading says what was used today."""
        return self.square.state == "silent" and self.square.read_us <= self.today_us


def today(*, book: Book, now_us: int) -> Today:
    """Read the whole page."""
    today_us = local_day_start(zone=book.zone, at_us=now_us)
    with seeing(scope=scope_of_book(book=book)):
        squares = squares_of(book=book, now_us=now_us, today_us=today_us)
        used = UseDay.objects.filter(book=book.id, day_us=today_us).aggregate(
            wh=Sum("energy_wh", default=0), micro=Sum("cost_micro", default=0)
        )
        offline, gateways = _offline(book, now_us)
        credited = PaymentIntent.objects.filter(
            book=book, credited_us__gte=today_us, credited_us__lte=now_us
        ).aggregate(n=Count("id"), minor=Sum("amount_minor", default=0))
        at_meter = (
            Outbox.objects.filter(book=book.id, fact__isnull=False, created_us__gte=today_us, state="proven")
            .exclude(reason="operator")
            .values("fact")
            .distinct()
        )
        stuck = Outbox.objects.filter(
            book=book.id, state__in=("queued", "accepted"), created_us__lt=now_us - STUCK_AFTER_US
        ).count()
        waiting = Quarantine.objects.filter(book=book.id)
        held = held_cuts(book=book.id)
        return Today(
            book=book,
            now_us=now_us,
            today_us=today_us,
            squares=tuple(squares),
            held_micro=sum(max(0, square.balance_micro) for square in squares),
            owed_micro=-sum(min(0, square.balance_micro) for square in squares),
            owing=sum(square.balance_micro < 0 for square in squares),
            topped_up_micro=micro_from_minor(amount_minor=credited["minor"], minor_digits=book.minor_digits),
            top_ups=credited["n"],
            top_ups_at_meter=at_meter.count(),
            used_wh=used["wh"],
            cost_micro=used["micro"],
            newest_us=max((square.read_us for square in squares), default=0),
            offline=offline,
            gateways=gateways,
            reviews=reviews_of(intents=PaymentIntent.objects.filter(book=book)),
            stuck=stuck,
            mass_cut=0 if held is None else held.homes,
            asking=sum(push.state == "asking" for push in pushes(book=book.id, only_open=True)),
            quarantined=waiting.count(),
            quarantined_today=waiting.filter(seen_us__gte=now_us - US_PER_DAY).count(),
            happened=happenings(book, limit=EVENTS_SHOWN),
            alarms=stored.open_count(book=book.pk),
            held=_held(book),
            objections=_objections(book),
            refunds=_refunds(book),
            calls=_calls(book),
        )


def _held(book: Book) -> tuple[str, ...]:
    homes = _meter_homes(book)
    waiting = [hold for hold in stored.holds(book=book.pk) if hold.until_us is None]
    return tuple(homes.get((hold.gateway, hold.meter), "") for hold in waiting)


def _calls(book: Book) -> int:
    with connection.cursor() as cursor:
        return escalations.open_count(cursor=cursor, book=book.pk)


def _refunds(book: Book) -> int:
    waits = Q(state="requested") | AT_WINDOW | Q(pk__in=unconfirmed(book=book).values("pk"))
    waits |= Q(pk__in=stuck(book=book))
    return Refund.objects.filter(waits, book=book.id).count()


def _objections(book: Book) -> int:
    """Objections nobody has decided, of costs that still stand."""
    steps = CostStep.objects.filter(book=book.id)
    decided = steps.filter(kind__in=("upheld", "rejected")).values("share")
    back = steps.filter(kind="reversed", share__isnull=True, allocation__isnull=False).values("allocation")
    return steps.filter(kind="objected").exclude(share__in=decided).exclude(allocation__in=back).count()


def load(*, book: Book, now_us: int) -> tuple[list[int | None], list[int | None]]:
    """Mean power in W per half hour of today and of the same day last week; `None` where nothing was read."""
    today_us = local_day_start(zone=book.zone, at_us=now_us)
    before_us = local_day_start(zone=book.zone, at_us=today_us - WEEK_US + US_PER_DAY // 2)
    whole_slots = (now_us - today_us) // (30 * US_PER_MINUTE)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        cursor.execute(
            "SELECT day_us, slot, sum(wh)::bigint FROM use_day, unnest(slots_wh) WITH ORDINALITY AS s (wh, slot)"
            " WHERE book = %s AND day_us IN (%s, %s) AND wh IS NOT NULL GROUP BY day_us, slot",
            [book.id, today_us, before_us],
        )
        sums = {(int(day), int(slot) - 1): int(wh) for day, slot, wh in cursor.fetchall()}
    # The half hour that is running is not over yet: its energy would look like a fall in load.
    now = [_watts(sums.get((today_us, slot))) if slot < whole_slots else None for slot in range(48)]
    return now, [_watts(sums.get((before_us, slot))) for slot in range(48)]


def _watts(wh: int | None) -> int | None:
    return None if wh is None else wh * 2


def month_money(*, book: Book, now_us: int) -> tuple[int, list[tuple[str, int]], int]:
    """What was held at the start of the month, what moved it by account, and what is held now (micro-units).

    The figures are the journal's own: opening plus movements is what the wallets hold.
    """
    since_us = month_start(zone=book.zone, at_us=now_us)
    with seeing(scope=scope_of_book(book=book)):
        legs = Journal.objects.filter(book=book.id)
        held = legs.filter(account="wallet").aggregate(sum=Sum("amount_micro", default=0))["sum"]
        moved = (
            legs.filter(at_us__gte=since_us)
            .exclude(account="wallet")
            .values("account")
            .annotate(sum=Sum("amount_micro"))
            .order_by("account")
        )
        # Every other account is the wallets' counterpart: what it gained the wallets gave.
        rows = [(row["account"], -row["sum"]) for row in moved]
    return held - sum(micro for _, micro in rows), rows, held


def quarantine_page(*, book: Book, before_id: int | None, size: int) -> list[tuple[Quarantine, str, str]]:
    """Entries, newest first, each with the names of its home and its gateway."""
    with seeing(scope=scope_of_book(book=book)):
        entries = Quarantine.objects.filter(book=book.id).order_by("-id")
        if before_id is not None:
            entries = entries.filter(id__lt=before_id)
        found = list(entries[:size])
        homes, gateways = _meter_homes(book), _gateway_names(book)
    return [
        (entry, homes.get((entry.gateway, entry.meter), ""), gateways.get(entry.gateway or 0, ""))
        for entry in found
    ]


def unit_detail(*, book: Book, unit: Unit, now_us: int) -> UnitDetail:
    """Read one unit."""
    today_us = local_day_start(zone=book.zone, at_us=now_us)
    with seeing(scope=scope_of_book(book=book)):
        square = next(
            s for s in squares_of(book=book, now_us=now_us, today_us=today_us) if s.unit.id == unit.id
        )
        used = UseDay.objects.filter(wallet=square.wallet or 0, day_us=today_us).first()
        open_now = Tenancy.objects.filter(wallet=square.wallet or 0, start_us__lte=now_us).exclude(
            end_us__lte=now_us
        )
        return UnitDetail(
            square=square,
            people=tuple(
                t.user.get_full_name() or t.user.get_username() for t in open_now.select_related("user")
            ),
            happened=happenings(book, limit=6, wallet=square.wallet or 0),
            used_today_wh=used.energy_wh if used else 0,
            unit=unit_of_wallet(wallet=square.wallet or 0),
            cost_today_micro=used.cost_micro if used else 0,
            apart=credit_apart(book=book.pk, wallet=square.wallet or 0, now_us=now_us),
            last_order=Outbox.objects.filter(wallet=square.wallet or 0).order_by("-id").first(),
            today_us=today_us,
        )


def _offline(book: Book, now_us: int) -> tuple[tuple[tuple[str, int], ...], int]:
    """Gateways not heard for a quarter of an hour with the instant they were last heard (0: never)."""
    heard = {head.gateway: head.heard_us for head in GatewayHead.objects.filter(book=book.id)}
    gateways = list(Gateway.objects.filter(site__book=book).order_by("slug"))
    missed = tuple(
        (gateway.slug, heard.get(gateway.id, 0))
        for gateway in gateways
        if now_us - heard.get(gateway.id, 0) > OFFLINE_AFTER_US
    )
    return missed, len(gateways)


def happenings(book: Book, *, limit: int, wallet: int | None = None) -> tuple[Happening, ...]:
    """What happened in a book, or to one account, newest first; inside a scope that may see it."""
    events = Event.objects.filter(book=book.id)
    if wallet is not None:
        events = events.filter(wallet=wallet)
    # A gateway that was away tells of earlier hours: stored last, it still happened before.
    newest = sorted(events.order_by("-id")[: limit * 3], key=lambda event: (-event.at_us, -event.id))[:limit]
    labels = _wallet_homes(book, [event.wallet for event in newest if event.wallet is not None])
    by_meter = _meter_homes(book) if any(event.wallet is None and event.meter for event in newest) else {}
    gateways = _gateway_names(book)
    orders = _orders_after(book, [event for event in newest if event.kind in RELAY_EVENTS])
    return tuple(
        Happening(
            event=event,
            home=labels.get(event.wallet or 0) or by_meter.get((event.gateway, event.meter), ""),
            gateway=gateways.get(event.gateway or 0, ""),
            proof=orders.get(event.id, ""),
        )
        for event in newest
    )


def _orders_after(book: Book, events: Sequence[Event]) -> dict[int, str]:
    """For each relay event, the state of the first order its home was sent from then on."""
    if not events:
        return {}
    orders = list(
        Outbox.objects.filter(
            book=book.id,
            wallet__in={event.wallet for event in events},
            created_us__gte=min(event.at_us for event in events),
        ).order_by("id")
    )
    return {
        event.id: next(
            (
                o.state
                for o in orders
                if o.wallet == event.wallet
                and o.relay == RELAY_EVENTS[event.kind]
                and o.created_us >= event.at_us
            ),
            "",
        )
        for event in events
    }


def _wallet_homes(book: Book, wallets: Sequence[int]) -> dict[int, str]:
    found = Wallet.objects.filter(book=book, id__in=wallets).select_related("unit")
    return {wallet.id: wallet.unit.label for wallet in found}


def _meter_homes(book: Book) -> dict[tuple[int | None, int | None], str]:
    meters = Meter.objects.filter(gateway__site__book=book, installation__closed_us__isnull=True)
    rows = meters.values_list("gateway_id", "number", "installation__unit__label")
    return {(gateway, number): label or "" for gateway, number, label in rows}


def _gateway_names(book: Book) -> dict[int, str]:
    return dict(Gateway.objects.filter(site__book=book).values_list("id", "slug"))
