"""What the cloud knows about a dark home, gathered for core.alarms.dark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.translation import get_language

from fairwatt.core.alarms.dark import Cause, DarkFacts, Darkness, Heard, Sign, why_dark
from fairwatt.core.alarms.dark_words import Said, said
from fairwatt.core.spans import to_datetime
from fairwatt.core.units import US_PER_DAY, US_PER_MINUTE
from fairwatt.store.models import Event, GatewayHead, Installation, Line, RegisterHead, Wallet, WalletHead
from fairwatt.web.access import scope_of_book, scope_of_wallet, seeing
from fairwatt.wire.records import Relay

EVENTS_LOOKED_AT: Final = 200
SILENT_AFTER_US: Final = 30 * US_PER_MINUTE
_SIGNS: Final = {
    "gateway.power_fail": Sign.POWER_FAIL,
    "gateway.power_back": Sign.POWER_BACK,
    "gateway.meter_silent": Sign.METER_SILENT,
    "gateway.meter_back": Sign.METER_BACK,
    "gateway.alarm_raised": Sign.ALARM_RAISED,
    "gateway.alarm_cleared": Sign.ALARM_CLEARED,
    "gateway.safety_cut": Sign.SAFETY_CUT,
    "gateway.safety_released": Sign.SAFETY_RELEASED,
    "gateway.local_trip": Sign.CREDIT_CUT,
    "gateway.local_restore": Sign.CREDIT_RESTORED,
    "supply.cut_void": Sign.CREDIT_RESTORED,
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Why a home is dark, in the reader's language; `also` are causes that will remain when the first is gone."""

    dark: Darkness
    said: Said
    also: tuple[Said, ...]
    facts: DarkFacts

    @property
    def besides_credit(self) -> bool:
        """Whether something is known to keep the power off that no top-up removes."""
        return self.dark.cause not in (Cause.CREDIT, Cause.UNKNOWN)

    @property
    def by_credit(self) -> bool:
        """Whether a top-up brings the power back."""
        return self.dark.cause is Cause.CREDIT


def is_off(*, head: WalletHead | None, registers: Iterable[RegisterHead]) -> bool:
    """Whether a home has no power: a relay was read open; or credit cut it, and since the poster began anew nothing was
    read that says otherwise.
    """
    relays = {register.relay for register in registers}
    return Relay.OPEN in relays or (Relay.UNKNOWN in relays and head is not None and head.cut_by_credit)


def answer(*, wallet: Wallet, now_us: int, said_dark: bool) -> Answer:
    """Say why a home is dark. `said_dark`: somebody who lives there says that it is."""
    facts = facts_of(wallet=wallet, now_us=now_us, said_dark=said_dark)
    dark = why_dark(facts=facts)
    language = get_language() or "en"
    return Answer(
        dark=dark,
        facts=facts,
        said=said(cause=dark.cause, language=language),
        also=tuple(
            said(cause=cause, language=language) for cause in dark.also if dark.cause is not Cause.UNKNOWN
        ),
    )


def facts_of(*, wallet: Wallet, now_us: int, said_dark: bool) -> DarkFacts:
    """What is known of a wallet's supply: its darkest meter, its gateway, its neighbours, its last events."""
    neighbours, silent = _neighbours(wallet, now_us)
    with seeing(scope=scope_of_wallet(wallet=wallet)):
        registers = list(RegisterHead.objects.filter(wallet=wallet.pk))
        head = _darkest(registers)
        installation = (
            Installation.objects.select_related("meter").filter(wallet=wallet, closed_us__isnull=True).first()
        )
        gateway = installation.meter.gateway_id if installation else 0
        events = list(
            Event.objects.filter(wallet=wallet.pk, at_us__gte=now_us - 7 * US_PER_DAY).order_by("-id")[
                :EVENTS_LOOKED_AT
            ]
        )
        used = (
            Line.objects.filter(
                book=wallet.book_id,
                wallet=wallet.pk,
                energy_wh__gt=0,
                ts__gt=to_datetime(now_us - US_PER_DAY),
            )
            .order_by("-ts")
            .values_list("ts", flat=True)
            .first()
        )
    heard_us = _heard_us(wallet, gateway)
    signs = tuple(_signs(events))
    used_us = None if used is None else int(used.timestamp()) * 1_000_000
    closed = None if head is None or head.relay == 2 else head.relay == 1
    read_us = None if head is None else head.at_us
    return DarkFacts(
        now_us=now_us,
        said_dark=said_dark,
        read_us=read_us,
        relay_closed=closed,
        power_w=None if head is None else head.power_w,
        # A zero here may be a voltage that was not read: it says nothing.
        voltage_dv=head.voltage_dv if head is not None and head.voltage_dv else None,
        voltage_us=read_us if head is not None and head.voltage_dv else None,
        closed_us=read_us if closed else max(filter(None, (used_us, _proven_closed(events))), default=None),
        used_us=used_us,
        gateway_us=heard_us,
        neighbours=neighbours,
        neighbours_silent=silent,
        heard=signs,
    )


def _darkest(registers: list[RegisterHead]) -> RegisterHead | None:
    """The meter that explains a dark home: one with an open relay before others, then the one silent longest."""
    return min(registers, key=lambda head: (head.relay != 0, head.at_us), default=None)


def _neighbours(wallet: Wallet, now_us: int) -> tuple[int, int]:
    """How many other meters hang on the same gateway and feeder, and how many of them are silent.

    Counted over the whole book: two numbers leave here, and nothing about anybody.
    """
    mine = Installation.objects.select_related("meter").filter(wallet=wallet, closed_us__isnull=True).first()
    if mine is None:
        return 0, 0
    others = Installation.objects.filter(
        meter__gateway=mine.meter.gateway_id, meter__feeder=mine.meter.feeder, closed_us__isnull=True
    ).exclude(wallet=wallet)
    ids = list(others.values_list("pk", flat=True))
    with seeing(scope=scope_of_book(book=wallet.book)):
        read = list(RegisterHead.objects.filter(installation__in=ids).values_list("at_us", flat=True))
    return len(read), sum(now_us - at_us > SILENT_AFTER_US for at_us in read)


def _heard_us(wallet: Wallet, gateway: int) -> int | None:
    with seeing(scope=scope_of_book(book=wallet.book)):
        return GatewayHead.objects.filter(gateway=gateway).values_list("heard_us", flat=True).first()


def _signs(events: Iterable[Event]) -> Iterable[Heard]:
    for event in events:
        if event.kind == "supply.cut":
            kind = Sign.OPERATOR_CUT if event.reason == "operator" else Sign.CREDIT_CUT
            yield Heard(event.at_us, kind)
        elif event.kind == "supply.proven" and event.reason == "closed":
            yield Heard(event.at_us, Sign.CREDIT_RESTORED)
            yield Heard(event.at_us, Sign.OPERATOR_RESTORED)
        elif event.kind == "alarm.relay_disobeys" and event.reason == "closed":
            yield Heard(event.at_us, Sign.STAYS_OPEN)
        elif event.kind in _SIGNS:
            yield Heard(event.at_us, _SIGNS[event.kind], event.reason)
            if event.kind == "gateway.safety_released" and event.evidence.get("empty") is True:
                yield Heard(event.at_us, Sign.CREDIT_CUT)


def _proven_closed(events: Iterable[Event]) -> int | None:
    return max(
        (event.at_us for event in events if (event.kind, event.reason) == ("supply.proven", "closed")),
        default=None,
    )
