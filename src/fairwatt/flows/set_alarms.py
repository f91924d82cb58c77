"""An administrator sets what the alarms of a site, a feeder or a meter are to be; gateways prove that they go by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.alarms.model import AlarmError
from fairwatt.core.alarms.provision import effective_policy
from fairwatt.core.metering.transformer import DIRECT, Transformer
from fairwatt.drivers.profile import ProfileError, load_profile
from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.store import alarm_settings, facts, pushes
from fairwatt.store.alarm_settings import Setting
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Gateway, Installation, Meter, Role, Site
from fairwatt.wire.standing import Watch

WORDS_MAX: Final = 400
CANARY_PM: Final = 50


class BadAlarms(DeskRefused):
    """The settings cannot be used; nothing was set."""

    code = "bad_alarms"


@dataclass(frozen=True, kw_only=True)
class AlarmScope:
    """Whose alarms: a site, one feeder of a gateway, or one meter by its number."""

    site: str = ""
    gateway: str = ""
    feeder: str = ""
    meter: int | None = None


@dataclass(frozen=True, kw_only=True)
class AlarmsSet:
    """The row, which is the version, and the push that takes it to the gateways (None where no meter is there yet)."""

    setting: int
    push: int | None
    meters: int


@transaction.atomic(durable=True)
def set_alarms(
    *,
    book_id: int,
    scope: AlarmScope,
    rules: Mapping[str, Any],
    words: str,
    user_id: int,
    now_us: int,
    canary_pm: int = CANARY_PM,
) -> AlarmsSet:
    """Write down what differs from the wider scope, by rule and setting; an empty table goes back to the wider one.

    Powers and currents are those of the wires; a duration may be in seconds (``restore_after_s``). Every meter of the
    scope is tried with it before anything is written. Raises NotAllowed, NotFound, BadAlarms.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if person.role != Role.ADMIN:
        raise NotAllowed(
            "What alarms are set to decides when a home goes dark: an administrator does it. Nothing was set."
        )
    said = words.strip()
    if not 0 < len(said) <= WORDS_MAX or not 0 <= canary_pm <= 1000:
        raise BadAlarms("Write why, in at most %(most)d letters. Nothing was set.", most=WORDS_MAX)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        site, gateway, meter = _found(book, scope)
        at = _at(scope, site, gateway, meter)
        homes = _homes(book, at)
        setting = alarm_settings.add_setting(
            cursor=cursor, book=book.pk, scope=at, rules=rules, words=said, author=person.pk, now_us=now_us
        )
        _tried(book, homes, rules)
        push = _push(cursor, book, homes, setting, said, canary_pm, person.pk, now_us) if homes else None
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.alarms_set",
            author=person.pk,
            now_us=now_us,
            meter=None if meter is None else (meter.gateway_id, meter.number),
            evidence={
                "setting": setting,
                "site": site.slug,
                "gateway": None if gateway is None else gateway.slug,
                "feeder": scope.feeder.strip(),
                "rules": dict(rules),
                "push": push,
                "meters": len(homes),
            },
        )
    return AlarmsSet(setting=setting, push=push, meters=len(homes))


@transaction.atomic(durable=True)
def send_alarms(
    *, book_id: int, scope: AlarmScope, words: str, user_id: int, now_us: int, canary_pm: int = CANARY_PM
) -> AlarmsSet:
    """Take what is set to the meters of a scope once more: new ones, exchanged ones, ones on another feeder now.

    Raises NotAllowed, NotFound, BadAlarms.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    said = words.strip()
    if not 0 < len(said) <= WORDS_MAX or not 0 <= canary_pm <= 1000:
        raise BadAlarms("Write why, in at most %(most)d letters. Nothing was set.", most=WORDS_MAX)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        homes = _homes(book, _at(scope, *_found(book, scope)))
        known = alarm_settings.settings(book=book.pk)
        if not homes:
            raise NotFound("No meter of that scope feeds a home. Nothing was sent.")
        _tried(book, homes, {})
        newest = max((one.id for one in known), default=0)
        push = _push(cursor, book, homes, newest, said, canary_pm, person.pk, now_us)
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.push_started",
            author=person.pk,
            now_us=now_us,
            reason="watch",
            evidence={"push": push, "targets": len(homes), "wish": {"setting": newest}},
        )
    return AlarmsSet(setting=newest, push=push, meters=len(homes))


def _at(
    scope: AlarmScope, site: Site, gateway: Gateway | None, meter: Meter | None
) -> tuple[int, int | None, str, int | None]:
    return (
        site.pk,
        None if gateway is None else gateway.pk,
        scope.feeder.strip(),
        None if meter is None else meter.pk,
    )


def watch_of(*, book: Book, meter: Meter, known: Sequence[Setting]) -> Watch:
    """What a meter is to be watched for, by everything that was said. Raises AlarmError and ProfileError."""
    home = Installation.objects.filter(meter=meter, closed_us__isnull=True).first()
    transformer = DIRECT if home is None else Transformer(*home.transformer)
    said = [
        one.rules
        for one in sorted(known, key=lambda one: one.width)
        if one.site == meter.gateway.site_id
        and (one.meter is None or one.meter == meter.pk)
        and (not one.feeder or (one.gateway, one.feeder) == (meter.gateway_id, meter.feeder))
    ]
    policy = effective_policy(zone=book.zone, rated_w=_rated_w(meter), transformer=transformer, said=said)
    return Watch(policy, meter.feeder, meter.feeds_gateway)


def _rated_w(meter: Meter) -> int:
    # What no reading can exceed is a fifth above what the connection may carry.
    try:
        return load_profile(key=meter.profile).max_power_w * 5 // 6
    except ProfileError:
        return meter.max_power_w * 5 // 6


def _found(book: Book, scope: AlarmScope) -> tuple[Site, Gateway | None, Meter | None]:
    if scope.meter is not None:
        meter = (
            Meter.objects.filter(number=scope.meter, gateway__site__book=book)
            .select_related("gateway__site")
            .first()
        )
        if meter is None or scope.site or scope.gateway or scope.feeder:
            raise NotFound(
                "Book %(book)s has no meter %(meter)d, or a site or feeder was named beside it. Nothing was set.",
                book=book.slug,
                meter=scope.meter,
            )
        return meter.gateway.site, meter.gateway, meter
    if scope.feeder.strip():
        gateway = Gateway.objects.filter(slug=scope.gateway, site__book=book).select_related("site").first()
        if gateway is None or not Meter.objects.filter(gateway=gateway, feeder=scope.feeder.strip()).exists():
            raise NotFound(
                "No meter of gateway %(gateway)s is on feeder %(feeder)s. Nothing was set; say first which meters are.",
                gateway=scope.gateway[:60] or "-",
                feeder=scope.feeder[:40],
            )
        return gateway.site, gateway, None
    site = Site.objects.filter(slug=scope.site, book=book).first()
    if site is None:
        raise NotFound(
            "Book %(book)s has no site %(site)s. Nothing was set.",
            book=book.slug,
            site=scope.site[:50] or "-",
        )
    return site, None, None


def _homes(book: Book, at: tuple[int, int | None, str, int | None]) -> list[Installation]:
    site, gateway, feeder, meter = at
    homes = Installation.objects.filter(
        wallet__book=book, closed_us__isnull=True, meter__gateway__site_id=site
    ).select_related("meter__gateway")
    if meter is not None:
        homes = homes.filter(meter_id=meter)
    elif gateway is not None:
        homes = homes.filter(meter__gateway_id=gateway, meter__feeder=feeder)
    return list(homes.order_by("meter__number"))


def _tried(book: Book, homes: Sequence[Installation], rules: Mapping[str, Any]) -> None:
    """Make the policy of every meter of the scope, so that what no rule can be is refused here and by name."""
    known = alarm_settings.settings(book=book.pk)
    try:
        effective_policy(zone=book.zone, rated_w=1_000, transformer=DIRECT, said=[rules])
        for home in homes:
            watch_of(book=book, meter=home.meter, known=known)
    except (AlarmError, TypeError, ValueError) as error:
        raise BadAlarms("These settings cannot be used: %(why)s. Nothing was set.", why=str(error)) from error


def _push(
    cursor: Any,
    book: Book,
    homes: Sequence[Installation],
    setting: int,
    words: str,
    canary_pm: int,
    author: int,
    now_us: int,
) -> int:
    return pushes.add_push(
        cursor=cursor,
        book=book.pk,
        kind="watch",
        wish={"setting": setting},
        words=words,
        canary_pm=canary_pm,
        author=author,
        targets=[(home.meter.gateway_id, home.meter.number) for home in homes],
        now_us=now_us,
    )
