"""Permits to walk up to a gateway: who gets one is looked at and written down before it is signed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from fairwatt.core.refusal import Refusal
from fairwatt.store import facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Gateway, Meter, Role, User
from fairwatt.wire.permits import HOURS_MAX, METERS_MAX, Permit, Right


class PermitRefused(Refusal):
    """No permit can be given as asked. Nothing was signed."""


@transaction.atomic(durable=True)
def give_permit(
    *,
    gateways: Sequence[str],
    holder: str,
    holder_key: bytes,
    meters: Sequence[int],
    rights: int,
    hours_max: int,
    last_us: int,
    author: str,
    now_us: int,
    serial: bytes,
) -> Permit:
    """The permit to be signed, noted in the book with who gave it. Raises PermitRefused."""
    found = list(Gateway.objects.select_related("site__book").filter(slug__in=gateways).order_by("slug"))
    if not found or len(found) != len(set(gateways)) or len({row.site_id for row in found}) != 1:
        raise PermitRefused("Name gateways of one site, each as the books call it. No permit was given.")
    site = found[0].site
    person = User.objects.filter(
        username=author, is_active=True, organisation_id=site.book.organisation_id
    ).first()
    if person is None or person.role != Role.ADMIN:
        raise PermitRefused("Only an administrator of the organisation gives permits. No permit was given.")
    if not holder.strip() or len(holder) > 80 or not 0 <= hours_max <= HOURS_MAX or len(meters) > METERS_MAX:
        raise PermitRefused("The holder has no name, or the limits are too wide. No permit was given.")
    known = set(Meter.objects.filter(gateway__in=found, number__in=meters).values_list("number", flat=True))
    if known != set(meters):
        raise PermitRefused("A meter is not behind these gateways. No permit was given; check the numbers.")
    permit = Permit(
        serial=serial,
        holder=holder.strip(),
        holder_key=holder_key,
        book=str(site.book_id),
        site=site.slug,
        gateways=tuple((row.slug, bytes(row.public_key)) for row in found),
        meters=tuple(sorted(known)),
        rights=Right(rights),
        hours_max=hours_max,
        from_us=now_us - 120_000_000,
        until_us=now_us + last_us,
    )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=site.book_id)
        note_deed(
            cursor=cursor,
            book=site.book_id,
            kind="desk.permit_given",
            author=person.pk,
            now_us=now_us,
            evidence={
                "serial": serial.hex(),
                "holder": permit.holder,
                "gateways": [row.slug for row in found],
                "rights": rights,
                "until_us": permit.until_us,
            },
        )
    return permit
