"""A meter is commissioned step by step: each step is a row that says who proved what, when, and on what evidence.

A row is never changed: a step that is done again is another row, and one that was wrong is withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.metering.checklist import (
    Checklist,
    Record,
    Step,
    checklist_of,
    compare_opening,
)
from fairwatt.core.metering.register import RegisterSpec
from fairwatt.core.metering.transformer import Transformer, TransformerError
from fairwatt.flows.desk import DeskRefused, NotFound, acting, meter_of
from fairwatt.flows.photos import Photo, take_photo
from fairwatt.store import commissioning as store
from fairwatt.store import facts
from fairwatt.store.intervals import lock_meter, note_deed
from fairwatt.store.models import Book, Installation, Meter, RegisterHead, Unit

WORDS_MAX: Final = 400
WATTS: Final = (100, 50_000)


class BadStep(DeskRefused):
    """The step cannot be written down like this; nothing was."""

    code = "bad_step"


class NotReady(DeskRefused):
    """Something keeps the checklist from being signed."""

    code = "not_ready"


@dataclass(frozen=True)
class Site:
    """A meter, its unit as far as anybody has said, and its installation when the home is open."""

    meter: Meter
    unit: Unit | None
    home: Installation | None
    records: tuple[Record, ...]

    @property
    def transformer(self) -> Transformer | None:
        """The transformers that this meter is charged by; None before the home is open."""
        return None if self.home is None else Transformer(self.home.ct_primary, self.home.ct_secondary)

    @property
    def checklist(self) -> Checklist:
        """How every step stands."""
        return checklist_of(records=self.records, transformer=self.transformer)


def site_of(*, book: Book, meter: Meter) -> Site:
    """What is known of a meter's commissioning. Needs a transaction that sees the book."""
    home = (
        Installation.objects.filter(meter=meter, closed_us__isnull=True)
        .select_related("unit", "wallet")
        .first()
    )
    known = store.records(book=book.pk, meter=meter.pk)
    unit = home.unit if home is not None else None
    if unit is None:
        mapped = [
            (row.id, place.unit)
            for place, rows in known.items()
            for row in rows
            if row.step is Step.MAPPED and row.state == "done"
        ]
        unit = Unit.objects.filter(pk=max(mapped)[1]).first() if mapped else None
    rows = known.get(store.Place(meter=meter.pk, unit=unit.pk), []) if unit is not None else []
    return Site(meter, unit, home, tuple(rows))


@transaction.atomic(durable=True)
def record_step(
    *,
    book_id: int,
    meter_id: int,
    step: str,
    value: Mapping[str, Any],
    words: str,
    user_id: int,
    now_us: int,
    photo: bytes | None = None,
    unit_label: str = "",
) -> int:
    """Write down a step that a person took at a meter; return its row. The same again is the same row.

    ``value`` by step: scanned {address}, mapped {}, ratio {primary, secondary}, pulse {watts, verdict, meter}, opening
    {register_wh} with a photo, certificate {number}, seal {seal}; any step {withdrawn: true}. Before the home is open
    ``unit_label`` says which room it is. Raises NotAllowed, NotFound, BadStep, BadPhoto.
    """
    book = Book.objects.select_related("organisation").get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, meter_id=meter_id)
    kind = _step(step)
    said = words.strip()
    if len(said) > WORDS_MAX:
        raise BadStep("A comment has at most %(most)d letters. Nothing was written down.", most=WORDS_MAX)
    made = None if photo is None else take_photo(photo)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        lock_meter(cursor=cursor, meter=meter.pk)
        site = site_of(book=book, meter=meter)
        unit = _unit(book, site, kind, unit_label)
        place = store.Place(meter=meter.pk, unit=unit.pk)
        rows = store.records(book=book.pk, meter=meter.pk).get(place, [])
        state, kept = _judged(site, unit, kind, value, now_us)
        picture = None
        if made is not None and state != "withdrawn":
            picture = _keep(cursor, book, place, site, made, person.pk, now_us)
        if kind is Step.OPENING and state != "withdrawn" and picture is None:
            raise BadStep(
                "An opening reading has a photo of the register. Nothing was written down; take one and send both."
            )
        return _add(cursor, book, site, place, rows, kind, state, kept, said, picture, person.pk, now_us)


@transaction.atomic(durable=True)
def sign_off(*, book_id: int, meter_id: int, words: str, user_id: int, now_us: int) -> int:
    """Sign a checklist whose every step is done; return the row. Raises NotAllowed, NotFound, NotReady."""
    book = Book.objects.select_related("organisation").get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    meter = meter_of(book=book, meter_id=meter_id)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        lock_meter(cursor=cursor, meter=meter.pk)
        site = site_of(book=book, meter=meter)
        found = site.checklist
        if site.unit is None or found.missing:
            raise NotReady(
                "%(count)d steps are not done: %(steps)s. Nothing was signed; do them, then sign.",
                count=len(found.missing),
                steps=", ".join(found.missing),
            )
        place = store.Place(meter=meter.pk, unit=site.unit.pk)
        value = {
            "records": [item.record.id for item in found.items if item.record and item.step != Step.SIGNED]
        }
        return _add(
            cursor,
            book,
            site,
            place,
            list(site.records),
            Step.SIGNED,
            "done",
            value,
            words.strip()[:WORDS_MAX],
            None,
            person.pk,
            now_us,
        )


def _add(
    cursor: Any,
    book: Book,
    site: Site,
    place: store.Place,
    rows: list[Record],
    step: Step,
    state: str,
    value: Mapping[str, Any],
    words: str,
    photo: int | None,
    author: int,
    now_us: int,
) -> int:
    last = next((row for row in reversed(rows) if row.step is step), None)
    if last is not None and (last.state, dict(last.value), last.words, last.photo) == (
        state,
        dict(value),
        words,
        photo,
    ):
        return last.id
    row = store.add_record(
        cursor=cursor,
        book=book.pk,
        place=place,
        step=step,
        state=state,
        value=value,
        words=words,
        photo=photo,
        author=author,
        now_us=now_us,
    )
    note_deed(
        cursor=cursor,
        book=book.pk,
        kind="desk.meter_signed_off" if step is Step.SIGNED else "desk.commission_step",
        author=author,
        now_us=now_us,
        meter=(site.meter.gateway_id, site.meter.number),
        wallet=None if site.home is None else site.home.wallet_id,
        reason=str(step),
        evidence={"record": row, "state": state},
    )
    return row


def _step(name: str) -> Step:
    try:
        step = Step(name)
    except ValueError:
        step = Step.SIGNED
    if step is Step.SIGNED:
        raise BadStep("There is no step %(step)s. Nothing was written down.", step=name[:30])
    return step


def _unit(book: Book, site: Site, step: Step, label: str) -> Unit:
    """The room: of the open home, or as it was mapped; mapping says which."""
    said = label.strip()
    if site.home is not None:
        if said and said != site.home.unit.label:
            raise BadStep(
                "Meter %(meter)d is charged to %(home)s, not to %(said)s. Nothing was written down; if the meter is "
                "in the wrong home, close that home first.",
                meter=site.meter.number,
                home=site.home.unit.label,
                said=said[:20],
            )
        return site.home.unit
    if step is Step.MAPPED and said:
        found = list(Unit.objects.filter(site__book=book, site=site.meter.gateway.site, label=said))
        if not found:
            raise NotFound(
                "There is no unit %(unit)s at this site. Nothing was written down.", unit=said[:20]
            )
        return found[0]
    if site.unit is None:
        raise BadStep(
            "Nobody has said yet which room this meter is for. Say that first; nothing was written down."
        )
    return site.unit


def _judged(
    site: Site, unit: Unit, step: Step, value: Mapping[str, Any], now_us: int
) -> tuple[str, dict[str, Any]]:
    """Whether what was found is as it should be, and what of it is kept."""
    if value.get("withdrawn") is True:
        return "withdrawn", {}
    match step:
        case Step.SCANNED:
            return _scanned(site, value)
        case Step.MAPPED:
            return "done", {"unit": unit.label}
        case Step.RATIO:
            return _ratio(site, value)
        case Step.PULSE:
            return _pulse(site, value)
        case Step.OPENING:
            return _opening(site, value, now_us)
        case Step.CERTIFICATE:
            return "done", {"number": _text(value, "number", 80)}
        case _:
            return "done", {"seal": _text(value, "seal", 80)}


def _scanned(site: Site, value: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    trouble = str(value.get("trouble") or "")[:40]
    answered = value.get("answered", True) is True and not trouble
    kept: dict[str, Any] = {"address": _text(value, "address", 40), "answered": answered}
    return "done" if answered else "failed", kept | ({"trouble": trouble} if trouble else {})


def _ratio(site: Site, value: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    try:
        read = Transformer(_whole(value, "primary"), _whole(value, "secondary"))
    except TransformerError as error:
        raise BadStep("Nothing was written down: %(why)s", why=str(error)) from error
    kept = {"primary": read.primary, "secondary": read.secondary}
    if site.transformer is not None and site.transformer != read:
        return "failed", kept | {"charged": str(site.transformer)}
    return "done", kept


def _pulse(site: Site, value: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    watts, verdict = _whole(value, "watts"), str(value.get("verdict") or "proven")
    if not WATTS[0] <= watts <= WATTS[1] or verdict not in ("proven", "ambiguous", "none"):
        raise BadStep("A pulse test has a load of 100 W to 50 kW and an outcome. Nothing was written down.")
    kept: dict[str, Any] = {"watts": watts, "verdict": verdict}
    if value.get("meter") is not None:
        kept["meter"] = _whole(value, "meter")
    if value.get("confidence_per_mille") is not None:
        kept["confidence_per_mille"] = _whole(value, "confidence_per_mille")
    mine = kept.get("meter", site.meter.number) == site.meter.number
    return "done" if verdict == "proven" and mine else "failed", kept


def _opening(site: Site, value: Mapping[str, Any], now_us: int) -> tuple[str, dict[str, Any]]:
    read_wh, meter = _whole(value, "register_wh"), site.meter
    if not 0 <= read_wh < meter.modulus_wh:
        raise BadStep(
            "The register of this model cannot show that. Nothing was written down; read it again, with its decimals."
        )
    kept: dict[str, Any] = {"register_wh": read_wh}
    head = None if site.home is None else RegisterHead.objects.filter(installation=site.home.pk).first()
    if head is None:
        return "done", kept | {"reported_wh": None}
    spec = RegisterSpec(meter.modulus_wh, meter.resolution_wh, meter.max_power_w)
    found = compare_opening(
        spec=spec,
        read_wh=read_wh,
        read_us=now_us,
        reported_wh=head.register_wh,
        reported_us=head.at_us,
    )
    kept |= {
        "reported_wh": head.register_wh,
        "reported_us": head.at_us,
        "difference_wh": found.difference_wh,
    }
    return "done" if found.agrees else "failed", kept


def _keep(
    cursor: Any, book: Book, place: store.Place, site: Site, made: Photo, author: int, now_us: int
) -> int:
    return store.add_photo(
        cursor=cursor,
        book=book.pk,
        place=place,
        wallet=None if site.home is None else site.home.wallet_id,
        content=made.content,
        digest=made.sha256,
        size=(made.width, made.height),
        author=author,
        now_us=now_us,
    )


def _text(value: Mapping[str, Any], name: str, most: int) -> str:
    text = str(value.get(name) or "").strip()
    if not 0 < len(text) <= most:
        raise BadStep(
            "%(name)s is missing or longer than %(most)d letters. Nothing was written down.",
            name=name,
            most=most,
        )
    return text


def _whole(value: Mapping[str, Any], name: str) -> int:
    number = value.get(name)
    if type(number) is not int or abs(number) >= 1 << 62:
        raise BadStep("%(name)s is a whole number. Nothing was written down.", name=name)
    return number
