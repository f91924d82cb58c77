"""Set up an organisation, its homes, meters and tariffs. Commissioning with a person at the meter builds on this."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction

from fairwatt.core.credit.policy import CreditPolicy, policy_to_obj
from fairwatt.core.ids import account_key, meter_key, tariff_key, uuid7
from fairwatt.core.metering.transformer import DIRECT, Transformer
from fairwatt.core.rating.closing import NotLive, refuse_unchargeable
from fairwatt.core.rating.difference import keeps_past_of
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.rating.tariff_obj import schedule_to_obj
from fairwatt.drivers.profile import load_profile
from fairwatt.store import cash_desk, facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import (
    Book,
    Gateway,
    Installation,
    Meter,
    Organisation,
    Policy,
    Role,
    Site,
    TariffPlan,
    TariffPublication,
    Tenancy,
    Unit,
    User,
    Wallet,
)
from fairwatt.wire import cbor

GRANT_TARIFF_MAX: Final = 32 * 1024
"""Bytes that the prices in force from now on may take in a signed grant: half of what a command may have."""


@dataclass(frozen=True, kw_only=True)
class MeterSpec:
    """What commissioning knows of a meter. Energies in Wh, power in W."""

    number: int
    profile: str
    modulus_wh: int
    resolution_wh: int
    max_power_w: int


@dataclass(frozen=True, kw_only=True)
class OpenedAccount:
    """A home that is now sold prepaid."""

    wallet_id: int
    installation_id: int


class TariffRewritesPast(ValueError):
    """A publication would change prices that were in force already; nothing was published."""


class TariffTooLong(ValueError):
    """A tariff whose coming prices no gateway could be sent; nothing was published."""


class TariffNotLive(ValueError):
    """A tariff with something that only bills can charge; nothing was published."""


class TariffNotInForce(ValueError):
    """The tariff has no version for the opening instant; the home was not opened."""


@transaction.atomic(durable=True)
def create_book(
    *,
    organisation_slug: str,
    organisation_name: str,
    book_slug: str,
    currency: str,
    zone: str,
    site_slug: str,
    site_name: str,
    site_name_zh: str = "",
) -> Site:
    """Make an organisation (or find it), a book of its own, and the book's first site."""
    organisation, _ = Organisation.objects.get_or_create(
        slug=organisation_slug, defaults={"name": organisation_name}
    )
    book = Book.objects.create(organisation=organisation, slug=book_slug, currency=currency, zone=zone)
    return Site.objects.create(book=book, slug=site_slug, name=site_name, name_zh=site_name_zh)


@transaction.atomic(durable=True)
def add_person(
    *, organisation_slug: str, username: str, role: Role, password: str | None, email: str = ""
) -> User:
    """Let a person sign in: staff of an organisation, or a tenant (who then needs a home).

    Without a password they act and cannot sign in until they are given one.
    """
    organisation = Organisation.objects.get(slug=organisation_slug)
    return User.objects.create_user(
        username=username,
        email=email or None,
        password=password,
        role=role,
        organisation=None if role is Role.TENANT else organisation,
    )


@transaction.atomic(durable=True)
def add_vacant_unit(*, site_id: int, label: str, floor: int, position: int) -> None:
    """Note a home nobody lives in, so that the building is drawn whole."""
    Unit.objects.create(site_id=site_id, label=label, floor=floor, position=position, vacant=True)


@transaction.atomic(durable=True)
def add_gateway(*, site_id: int, slug: str, public_key: bytes) -> Gateway:
    """Admit a gateway: only receipts signed by this Ed25519 key count as its own."""
    return Gateway.objects.create(site_id=site_id, slug=slug, public_key=public_key)


@transaction.atomic(durable=True)
def add_policy(*, book_id: int, slug: str, policy: CreditPolicy) -> Policy:
    """Store a credit policy under a name."""
    return Policy.objects.create(book_id=book_id, slug=slug, body=policy_to_obj(policy))


@transaction.atomic(durable=True)
def set_cash_desk(
    *, book_id: int, name: str, taking_most_minor: int, day_most_minor: int, now_us: int
) -> None:
    """Let cash be taken at a desk of this name, up to so much at once and on a local day; again sets the limits anew.

    What a desk may take bounds what a page could ever credit by itself, so no page sets it up. Raises ValueError.
    """
    if not name.strip() or len(name.strip()) > 40 or not 0 < taking_most_minor <= day_most_minor:
        raise ValueError(
            "a cash desk needs a name of up to 40 letters, and limits: at once, and a day at least that"
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        cash_desk.set_desk(
            cursor=cursor,
            book=book_id,
            name=name.strip(),
            taking_most_minor=taking_most_minor,
            day_most_minor=day_most_minor,
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book_id,
            kind="desk.cash_desk_set",
            author=None,
            now_us=now_us,
            reason=name.strip(),
            evidence={"taking_most_minor": taking_most_minor, "day_most_minor": day_most_minor},
        )


@transaction.atomic(durable=True)
def publish_tariff(*, book_id: int, slug: str, name: str, text: str, now_us: int) -> TariffPlan:
    """Publish a tariff text; edges get fresh grants under it.

    Raises TariffFileError for a bad text, TariffTooLong for one that no grant can carry, TariffNotLive for one that
    asks what a wallet cannot be charged as energy flows, and TariffRewritesPast
    when it changes a price that is or was in force: use is charged under the version of its own day, also when
    its reading comes late.
    """
    schedule = parse_schedule(text)
    check_live(slug, schedule, now_us)
    check_grantable(slug, schedule, now_us)
    plan, _ = TariffPlan.objects.get_or_create(book_id=book_id, slug=slug, defaults={"name": name})
    newest = TariffPublication.objects.filter(plan=plan).order_by("-pk").first()
    if newest is not None and not keeps_past_of(schedule, parse_schedule(newest.text), now_us=now_us):
        raise TariffRewritesPast(
            f"The new text of tariff {slug} differs in prices, market prices or holidays that have taken effect "
            "already, so it was not published and nobody is charged differently. Put the new prices into a version "
            "that starts later, or correct the past with `fairwatt correct-tariff`."
        )
    publication = TariffPublication.objects.create(plan=plan, published_us=now_us, text=text)
    wallets = Installation.objects.filter(plan=plan, closed_us__isnull=True).values_list(
        "wallet_id", flat=True
    )
    _tell_poster(book_id, tariff_key(publication=publication.pk), list(wallets), now_us)
    return plan


@transaction.atomic(durable=True)
def open_account(
    *,
    site_id: int,
    label: str,
    floor: int,
    position: int,
    gateway_id: int,
    meter: MeterSpec,
    plan_id: int,
    policy_id: int,
    opening_wh: int,
    now_us: int,
    entropy: bytes,
    protected: bool = False,
    tenants: Sequence[User] = (),
    transformer: Transformer = DIRECT,
) -> OpenedAccount:
    """Open a home: unit, meter, wallet, and the installation that starts at the opening reading.

    `entropy`: 10 random bytes for the wallet's public id. `transformer`: the current transformers in front of the
    meter; registers stay as they are read, and what is charged is their rise times the ratio, unless the model
    multiplies by itself. Raises TariffNotInForce, TariffNotLive for a day of old prices that no wallet can be charged,
    and ProfileError.
    """
    plan = _plan_in_force(plan_id=plan_id, label=label, now_us=now_us)
    site = Site.objects.select_related("book").get(pk=site_id)
    unit, _ = Unit.objects.get_or_create(
        site=site, label=label, defaults={"floor": floor, "position": position}
    )
    wallet = Wallet.objects.create(
        book=site.book,
        unit=unit,
        policy_id=policy_id,
        public_id=uuid.UUID(int=uuid7(now_us=now_us, entropy=entropy).int),
        protected=protected,
        opened_us=now_us,
    )
    installation = _install(
        wallet,
        plan,
        gateway_id=gateway_id,
        meter=meter,
        wh=opening_wh,
        now_us=now_us,
        transformer=transformer,
    )
    for tenant in tenants:
        Tenancy.objects.create(wallet=wallet, user=tenant, start_us=now_us)
    _tell_poster(site.book_id, account_key(wallet=wallet.pk), [wallet.pk], now_us)
    return OpenedAccount(wallet_id=wallet.pk, installation_id=installation.pk)


@transaction.atomic(durable=True)
def add_meter(
    *,
    wallet_id: int,
    gateway_id: int,
    meter: MeterSpec,
    plan_id: int,
    opening_wh: int,
    now_us: int,
    transformer: Transformer = DIRECT,
) -> int:
    """Let one more meter draw on a wallet (water beside electricity, a second floor); return the installation.

    Behind another gateway than the wallet's other meters it is granted a lease of its own. Raises as `open_account`.
    """
    wallet = Wallet.objects.select_related("unit").get(pk=wallet_id)
    plan = _plan_in_force(plan_id=plan_id, label=wallet.unit.label, now_us=now_us)
    installation = _install(
        wallet,
        plan,
        gateway_id=gateway_id,
        meter=meter,
        wh=opening_wh,
        now_us=now_us,
        transformer=transformer,
    )
    _tell_poster(wallet.book_id, meter_key(installation=installation.pk), [wallet.pk], now_us)
    return installation.pk


def _plan_in_force(*, plan_id: int, label: str, now_us: int) -> TariffPlan:
    plan = TariffPlan.objects.get(pk=plan_id)
    newest = TariffPublication.objects.filter(plan=plan).order_by("-pk").first()
    schedule = None if newest is None else parse_schedule(newest.text)
    if schedule is None or not schedule.covers(at_us=now_us):
        raise TariffNotInForce(
            f"Tariff {plan.slug} has no price for today, so {label} was not opened and nobody is charged. "
            "Publish a version that is in force, then open the home."
        )
    # A day before its publication may lie in a version that is no live one.
    check_live(plan.slug, schedule, now_us)
    return plan


def _install(
    wallet: Wallet,
    plan: TariffPlan,
    *,
    gateway_id: int,
    meter: MeterSpec,
    wh: int,
    now_us: int,
    transformer: Transformer,
) -> Installation:
    device, _ = Meter.objects.get_or_create(
        gateway_id=gateway_id,
        number=meter.number,
        defaults={
            "profile": meter.profile,
            "modulus_wh": meter.modulus_wh,
            "resolution_wh": meter.resolution_wh,
            "max_power_w": meter.max_power_w,
        },
    )
    return Installation.objects.create(
        meter=device,
        unit=wallet.unit,
        wallet=wallet,
        plan=plan,
        opened_us=now_us,
        opening_wh=wh,
        **transformer_of(device.profile, transformer),
    )


def transformer_of(profile: str, transformer: Transformer) -> dict[str, int | bool]:
    """The columns of an installation behind current transformers; the model says whether it multiplies by itself."""
    through = transformer != DIRECT
    return {
        "ct_primary": transformer.primary,
        "ct_secondary": transformer.secondary,
        "ct_in_register": through and load_profile(key=profile).counts_primary,
    }


def check_live(slug: str, schedule: Schedule, since_us: int) -> None:
    """Refuse what no live wallet can be charged from an instant on, by name; raises TariffNotLive."""
    try:
        refuse_unchargeable(schedule, since_us=since_us)
    except NotLive as error:
        raise TariffNotLive(
            f"Tariff {slug} cannot be charged live, so nothing was done and nobody is charged by it: {error}. "
            "`fairwatt rate` makes bills of it."
        ) from error


def check_grantable(slug: str, schedule: Schedule, now_us: int) -> None:
    """Refuse prices that are too long for a signed grant; raises TariffTooLong."""
    started = [version for version in schedule.versions if version.effective_us <= now_us]
    to_come = schedule.since(at_us=now_us) if started else schedule
    size = len(cbor.encode(schedule_to_obj(to_come)))
    if size > GRANT_TARIFF_MAX:
        raise TariffTooLong(
            f"The prices of tariff {slug} from today on take {size} bytes in a message to a gateway, and "
            f"{GRANT_TARIFF_MAX} are the most, so it was not published. Give fewer future versions or periods; "
            "later ones can be published when they are near."
        )


def _tell_poster(book_id: int, key: str, wallets: list[int], now_us: int) -> None:
    with connection.cursor() as cursor:
        facts.add(
            cursor=cursor,
            book=book_id,
            kind="config",
            natural_key=key,
            wallet=None,
            payload={"wallets": wallets},
            raw=b"",
            now_us=now_us,
        )
