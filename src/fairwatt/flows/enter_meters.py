"""Meters are entered from a list, compared with the units and the meters that the books know already.

Nothing is charged by an entered meter: that begins when its home is opened. A list with one fault enters nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.ids import wiring_key
from fairwatt.core.metering.checklist import Step
from fairwatt.core.metering.transformer import DIRECT, Transformer
from fairwatt.drivers.profile import ProfileError, load_profile
from fairwatt.flows.desk import DeskRefused, NotFound, acting, meter_of
from fairwatt.store import commissioning as store
from fairwatt.store import facts
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Gateway, Installation, Meter, Unit

FEEDER_MAX: Final = 40


class ListRefused(DeskRefused):
    """A list with a fault; no meter of it was entered."""

    code = "list_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMeter:
    """One meter of a list, as it was understood."""

    line: int
    room: str
    number: int
    address: str
    profile: str
    transformer: Transformer = DIRECT
    feeder: str = ""
    feeds_gateway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What becomes of a line: ``new``, ``entered``, ``open`` (a home is charged by it), or ``fault`` and the reason."""

    line: int
    room: str
    number: int
    state: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A list held against the books. ``without_meter``: rooms that neither has a meter for."""

    findings: tuple[Finding, ...]
    not_listed: tuple[int, ...]
    without_meter: tuple[str, ...]
    applied: bool = False

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The lines that keep it from being entered."""
        return tuple(one for one in self.findings if one.state == "fault")


@transaction.atomic(durable=True)
def enter_meters(
    *, book_id: int, gateway: str, rows: Sequence[ListedMeter], apply: bool, user_id: int, now_us: int
) -> Compared:
    """Compare a list of a gateway's meters with the books; with ``apply`` and no fault, enter what is new.

    For the role that commissions. A second time it changes nothing. Raises NotAllowed, NotFound, ListRefused.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    at = Gateway.objects.select_related("site").filter(slug=gateway, site__book=book).first()
    if at is None:
        raise NotFound(
            "Book %(book)s has no gateway %(gateway)s. Nothing was entered.",
            book=book.slug,
            gateway=gateway[:60],
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = _compare(at, rows)
        if not apply:
            return found
        if found.faults:
            raise ListRefused(
                "%(count)d lines are wrong, the first is line %(line)d: %(why)s Nothing was entered.",
                count=len(found.faults),
                line=found.faults[0].line,
                why=found.faults[0].text,
            )
        made = [_enter(cursor, book, at, row, person.pk, now_us) for row in rows]
        if any(made):
            note_deed(
                cursor=cursor,
                book=book.pk,
                kind="desk.meters_entered",
                author=person.pk,
                now_us=now_us,
                evidence={"gateway": at.slug, "meters": sum(made)},
            )
    return Compared(
        findings=found.findings,
        not_listed=found.not_listed,
        without_meter=found.without_meter,
        applied=True,
    )


def _compare(at: Gateway, rows: Sequence[ListedMeter]) -> Compared:
    units = {unit.label: unit for unit in Unit.objects.filter(site=at.site)}
    meters = {meter.number: meter for meter in Meter.objects.filter(gateway=at)}
    open_homes = {
        home.meter_id: home
        for home in Installation.objects.filter(meter__gateway=at, closed_us__isnull=True).select_related(
            "unit"
        )
    }
    elsewhere = dict(
        Installation.objects.filter(
            meter__number__in=[row.number for row in rows], unit__site=at.site, closed_us__isnull=True
        )
        .exclude(meter__gateway=at)
        .values_list("meter__number", "unit__label")
    )
    findings = tuple(_finding(row, units, meters, open_homes, elsewhere) for row in rows)
    listed = {row.number for row in rows}
    supplied = {
        home.unit.label
        for home in Installation.objects.filter(unit__site=at.site, closed_us__isnull=True).select_related(
            "unit"
        )
    }
    rooms = supplied | {row.room for row in rows}
    return Compared(
        findings=findings,
        not_listed=tuple(sorted(number for number in meters if number not in listed)),
        without_meter=tuple(
            sorted(unit.label for unit in units.values() if unit.label not in rooms and not unit.vacant)
        ),
    )


def _finding(
    row: ListedMeter,
    units: dict[str, Unit],
    meters: dict[int, Meter],
    open_homes: dict[int, Installation],
    elsewhere: dict[int, str],
) -> Finding:
    def told(state: str, text: str = "") -> Finding:
        return Finding(line=row.line, room=row.room, number=row.number, state=state, text=text)

    wrong = _row_fault(row, units, elsewhere)
    if wrong:
        return told("fault", wrong)
    meter = meters.get(row.number)
    if meter is None:
        return told("new")
    if meter.profile != row.profile:
        return told(
            "fault", f"the books know meter {row.number} as a {meter.profile}, not as a {row.profile}."
        )
    home = open_homes.get(meter.pk)
    if home is None:
        return told("entered")
    if home.unit.label != row.room:
        return told(
            "fault",
            f"meter {row.number} is charged to {home.unit.label}; {row.room} would pay for another. Close that home "
            "first, or correct the line.",
        )
    charged = Transformer(home.ct_primary, home.ct_secondary)
    if charged != row.transformer:
        return told(
            "fault",
            f"{row.room} is charged by transformers of {charged}, the list says {row.transformer}. Other transformers "
            "are a new installation.",
        )
    return told("open")


def _row_fault(row: ListedMeter, units: dict[str, Unit], elsewhere: dict[int, str]) -> str:
    if row.room not in units:
        return f"there is no unit {row.room} at this site; enter it, or correct the line."
    if row.number in elsewhere:
        return (
            f"another gateway has meter {row.number}, for {elsewhere[row.number]}; a meter has one gateway."
        )
    if len(row.feeder) > FEEDER_MAX:
        return f"a feeder's name has at most {FEEDER_MAX} letters."
    try:
        load_profile(key=row.profile)
    except ProfileError as error:
        return str(error)
    return ""


def _enter(cursor: Any, book: Book, at: Gateway, row: ListedMeter, author: int, now_us: int) -> bool:
    """Enter a meter, or bring its wiring and room up to the list; say whether anything changed."""
    profile = load_profile(key=row.profile)
    meter, new = Meter.objects.get_or_create(
        gateway=at,
        number=row.number,
        defaults={
            "profile": row.profile,
            "modulus_wh": profile.modulus_wh,
            "resolution_wh": profile.resolution_wh,
            "max_power_w": profile.max_power_w,
            "feeder": row.feeder,
            "feeds_gateway": row.feeds_gateway,
        },
    )
    place = store.Place(meter=meter.pk, unit=Unit.objects.get(site=at.site, label=row.room).pk)
    known = [
        one for one in store.records(book=book.pk, meter=meter.pk).get(place, []) if one.step is Step.MAPPED
    ]
    if known and known[-1].state == "done":
        return new
    store.add_record(
        cursor=cursor,
        book=book.pk,
        place=place,
        step=Step.MAPPED,
        state="done",
        value={"unit": row.room, "line": row.line, "address": row.address},
        words="",
        photo=None,
        author=author,
        now_us=now_us,
    )
    return True


@transaction.atomic(durable=True)
def wire_meter(
    *,
    book_id: int,
    number: str,
    user_id: int,
    now_us: int,
    feeder: str | None = None,
    feeds_gateway: bool | None = None,
) -> Meter:
    """Write down which feeder a meter is on, and whether it feeds its own gateway (then nobody cuts it).

    For the role that commissions; homes get fresh grants. The same again changes nothing. Raises NotAllowed, NotFound,
    ListRefused.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, number=number)
    was = (meter.feeder, meter.feeds_gateway)
    if feeder is not None:
        meter.feeder = feeder.strip()
    if feeds_gateway is not None:
        meter.feeds_gateway = feeds_gateway
    if len(meter.feeder) > FEEDER_MAX:
        raise ListRefused(
            "A feeder's name has at most %(most)d letters. Nothing was changed.", most=FEEDER_MAX
        )
    if (meter.feeder, meter.feeds_gateway) == was:
        return meter
    meter.save(update_fields=["feeder", "feeds_gateway"])
    home = Installation.objects.filter(meter=meter, closed_us__isnull=True).first()
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.meter_wired",
            author=person.pk,
            now_us=now_us,
            meter=(meter.gateway_id, meter.number),
            wallet=None if home is None else home.wallet_id,
            evidence={
                "feeder": meter.feeder,
                "feeds_gateway": meter.feeds_gateway,
                "before": {"feeder": was[0], "feeds_gateway": was[1]},
            },
        )
        if home is not None:
            facts.add(
                cursor=cursor,
                book=book.pk,
                kind="config",
                natural_key=wiring_key(meter=meter.pk, at_us=now_us),
                wallet=None,
                payload={"wallets": [home.wallet_id]},
                raw=b"",
                now_us=now_us,
            )
    return meter
