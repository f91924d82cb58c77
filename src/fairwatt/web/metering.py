"""Meters as people see them: how far commissioning has got, the opening reading, its picture."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.http import Http404, HttpResponse

from fairwatt.core.metering.checklist import Checklist, Item, Step, checklist_of
from fairwatt.core.metering.transformer import Transformer
from fairwatt.core.units import Unit
from fairwatt.drivers.profile import ProfileError, load_profile
from fairwatt.store import commissioning as store
from fairwatt.store.models import Book, Installation, Meter, RegisterHead, Site
from fairwatt.store.models import Unit as Room
from fairwatt.web import access
from fairwatt.web.design import checklist_words as words


@dataclass(frozen=True, kw_only=True)
class MeterRow:
    """A meter of a home and what its checklist lacks."""

    meter: Meter
    checklist: Checklist
    left: str

    @property
    def complete(self) -> bool:
        """Signed off, and nothing changed since."""
        return self.checklist.complete


@dataclass(frozen=True, kw_only=True)
class HomeRow:
    """A home: done when every one of its meters is."""

    unit: Room
    meters: tuple[MeterRow, ...]

    @property
    def begun(self) -> bool:
        """Somebody has written down a step of one of its meters."""
        return any(item.record is not None for one in self.meters for item in one.checklist.items)

    @property
    def complete(self) -> bool:
        """Every meter signed off."""
        return bool(self.meters) and all(one.complete for one in self.meters)


@dataclass(frozen=True, kw_only=True)
class Building:
    """A site and its homes."""

    site: Site
    homes: tuple[HomeRow, ...]
    lacking: tuple[tuple[str, int], ...] = field(default=())
    """(step in words, homes that lack it), most first"""

    @property
    def total(self) -> int:
        """Homes that have a meter or should have one."""
        return len(self.homes)

    @property
    def done(self) -> int:
        """Homes that are signed off."""
        return sum(home.complete for home in self.homes)

    @property
    def open(self) -> tuple[HomeRow, ...]:
        """Those that are begun and not done, and those without a meter."""
        return tuple(home for home in self.homes if not home.complete and (home.begun or not home.meters))

    @property
    def untouched(self) -> tuple[HomeRow, ...]:
        """Those at whose meters nobody has been."""
        return tuple(home for home in self.homes if home.meters and not home.begun)


def overview(*, book: Book) -> list[Building]:
    """Every building of a book. Vacant units without a meter are left out. Needs a transaction that sees the book."""
    records = store.records(book=book.pk)
    found: dict[int, dict[int, MeterRow]] = {}
    installed = Installation.objects.filter(wallet__book=book, closed_us__isnull=True).select_related("meter")
    for home in installed.order_by("meter__number"):
        rows = records.get(store.Place(meter=home.meter_id, unit=home.unit_id), [])
        row = _row(
            home.meter,
            checklist_of(records=rows, transformer=Transformer(home.ct_primary, home.ct_secondary)),
        )
        found.setdefault(home.unit_id, {})[home.meter_id] = row
    taken = {meter for rows in found.values() for meter in rows}
    waiting = {place: rows for place, rows in records.items() if place.meter not in taken}
    known = Meter.objects.in_bulk({place.meter for place in waiting})
    for place, rows in waiting.items():
        listed = checklist_of(records=rows, transformer=None)
        if listed.of(Step.MAPPED).record is not None:
            found.setdefault(place.unit, {})[place.meter] = _row(known[place.meter], listed)
    return [_building(site, found) for site in Site.objects.filter(book=book).order_by("id")]


def _building(site: Site, found: dict[int, dict[int, MeterRow]]) -> Building:
    homes = tuple(
        HomeRow(unit=unit, meters=tuple(found.get(unit.pk, {}).values()))
        for unit in Room.objects.filter(site=site).order_by("floor", "position")
        if unit.pk in found or not unit.vacant
    )
    lacking: dict[str, int] = {}
    for home in homes:
        for step in {step for row in home.meters for step in row.checklist.missing}:
            lacking[step] = lacking.get(step, 0) + 1
    ranked = sorted(lacking.items(), key=lambda pair: (-pair[1], pair[0]))
    return Building(site=site, homes=homes, lacking=tuple((words.step_name(step), n) for step, n in ranked))


def _row(meter: Meter, listed: Checklist) -> MeterRow:
    left = words.still_missing(listed.missing) if listed.missing else words.still_missing([Step.SIGNED])
    return MeterRow(meter=meter, checklist=listed, left="" if listed.complete else left)


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What stands of a meter's opening reading on its page: the sentence, the picture, when."""

    said: str
    photo: int | None
    at_us: int
    transformer: str
    signed_us: int | None


def opening_of(*, book: Book, home: Installation) -> Opening | None:
    """The opening reading of a home's meter, for the desk. Needs a transaction that sees the book."""
    rows = store.records(book=book.pk, meter=home.meter_id).get(
        store.Place(meter=home.meter_id, unit=home.unit_id), []
    )
    ratio = Transformer(home.ct_primary, home.ct_secondary)
    listed = checklist_of(records=rows, transformer=ratio)
    item, signed = listed.of(Step.OPENING), listed.of(Step.SIGNED)
    if item.record is None or not item.record.value:
        return None
    return Opening(
        said=words.found(record=item.record, unit=unit_of_meter(home.meter)),
        photo=item.record.photo,
        at_us=item.record.at_us,
        transformer=str(ratio),
        signed_us=_signed_us(signed, listed),
    )


def _signed_us(signed: Item, listed: Checklist) -> int | None:
    return signed.record.at_us if listed.complete and signed.record is not None else None


def reported(*, home: Installation | None) -> RegisterHead | None:
    """What the meter itself said last."""
    return None if home is None else RegisterHead.objects.filter(installation=home.pk).first()


def unit_of_meter(meter: Meter) -> Unit:
    """What its register counts: kWh, or m³ where the model counts a volume."""
    try:
        return "m3" if load_profile(key=meter.profile).medium.unit == "l" else "kWh"
    except ProfileError:
        return "kWh"


def photo_response(*, scope: access.Scope, photo_id: int) -> HttpResponse:
    """A picture as far as the scope may see it; Http404 otherwise. It is a JPEG that we made, and nothing else."""
    with access.seeing(scope=scope):
        kept = store.photo(photo_id=photo_id)
    if kept is None:
        raise Http404
    response = HttpResponse(kept.content, content_type="image/jpeg")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response
