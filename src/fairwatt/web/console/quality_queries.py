"""What the desk sees of interval values and of meters: read at one instant, in the book's scope."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import connection

from fairwatt.core.metering.accuracy import Due, due
from fairwatt.core.spans import date_start, local_date, next_day_start
from fairwatt.core.units import US_PER_DAY
from fairwatt.store.models import (
    Book,
    Installation,
    IntervalDefect,
    IntervalValue,
    Meter,
    MeterCertificate,
    MeterCheck,
    User,
)
from fairwatt.web.access import scope_of_book, seeing

DAYS: Final = 35
FINDINGS: Final = 40


@dataclass(frozen=True, kw_only=True)
class DayCell:
    """One day of one meter: how many intervals of each status, and whether anything was found."""

    day: date
    counts: dict[str, int]
    findings: int

    @property
    def state(self) -> str:
        """The worst that is true of the day, as one word for its square."""
        if not self.counts:
            return "none"
        if self.counts.get("E") or self.counts.get("S"):
            return "guess"
        return "edited" if self.counts.get("X") else "measured"


@dataclass(frozen=True, kw_only=True)
class MeterRow:
    """One meter over the days shown."""

    meter: Meter
    home: str
    cells: tuple[DayCell, ...]

    def _sum(self, *statuses: str) -> int:
        return sum(cell.counts.get(status, 0) for cell in self.cells for status in statuses)

    @property
    def total(self) -> int:
        """Intervals with any value."""
        return self._sum("A", "E", "S", "X")

    @property
    def guesses(self) -> int:
        """Intervals nobody measured."""
        return self._sum("E", "S")

    @property
    def edits(self) -> int:
        """Intervals a person set."""
        return self._sum("X")

    @property
    def measured_per_mille(self) -> int:
        """Share of measured intervals, cut to thousandths."""
        return self._sum("A") * 1000 // self.total if self.total else 0


@dataclass(frozen=True, kw_only=True)
class DataPage:
    """All meters of a book, those with the most guesses first."""

    rows: tuple[MeterRow, ...]
    first: date
    last: date

    @property
    def total(self) -> int:
        """Intervals with any value."""
        return sum(row.total for row in self.rows)

    @property
    def guesses(self) -> int:
        """Intervals nobody measured."""
        return sum(row.guesses for row in self.rows)

    @property
    def measured_per_mille(self) -> int:
        """Share of measured intervals, cut to thousandths so that it is never called whole when it is not."""
        return sum(row._sum("A") for row in self.rows) * 1000 // self.total if self.total else 0


@dataclass(frozen=True, kw_only=True)
class DayPage:
    """One meter's local day: the value in force of each interval, older versions, and findings."""

    meter: Meter
    home: str
    day: date
    start_us: int
    end_us: int
    values: tuple[IntervalValue, ...]
    history: tuple[tuple[IntervalValue, str], ...]
    findings: tuple[IntervalDefect, ...]


@dataclass(frozen=True, kw_only=True)
class MeterQuality:
    """How a meter stands: its newest certificate, whether it is due, its newest test."""

    meter: Meter
    home: str
    certificate: MeterCertificate | None
    due: Due
    days_left: int | None
    check: MeterCheck | None


def data_page(*, book: Book, now_us: int) -> DataPage:
    """Read the last five weeks of every meter."""
    last = local_date(zone=book.zone, at_us=now_us)
    first = local_date(zone=book.zone, at_us=now_us - (DAYS - 1) * US_PER_DAY)
    since_us = date_start(zone=book.zone, day=first)
    with seeing(scope=scope_of_book(book=book)), connection.cursor() as cursor:
        meters = _meters(book)
        ids = [meter.pk for meter, _ in meters]
        cursor.execute(
            "SELECT meter, day, status, count(*) FROM (SELECT DISTINCT ON (meter, at_us) meter, status, "
            "(to_timestamp(at_us / 1000000) AT TIME ZONE %s)::date AS day FROM interval_value "
            "WHERE meter = ANY(%s) AND at_us >= %s AND at_us <= %s ORDER BY meter, at_us, version DESC) v "
            "GROUP BY meter, day, status",
            [book.zone, ids, since_us, now_us],
        )
        counts: dict[tuple[int, date], dict[str, int]] = {}
        for meter, day, status, n in cursor.fetchall():
            counts.setdefault((int(meter), day), {})[status] = int(n)
        cursor.execute(
            "SELECT meter, (to_timestamp(at_us / 1000000) AT TIME ZONE %s)::date, count(*) FROM interval_defect "
            "WHERE meter = ANY(%s) AND at_us >= %s AND at_us <= %s GROUP BY 1, 2",
            [book.zone, ids, since_us, now_us],
        )
        found = {(int(meter), day): int(n) for meter, day, n in cursor.fetchall()}
    days = [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]
    rows = [
        MeterRow(
            meter=meter,
            home=home,
            cells=tuple(
                DayCell(
                    day=day, counts=counts.get((meter.pk, day), {}), findings=found.get((meter.pk, day), 0)
                )
                for day in days
            ),
        )
        for meter, home in meters
    ]
    rows.sort(key=lambda row: (-row.guesses, row.home))
    return DataPage(rows=tuple(rows), first=first, last=last)


def day_page(*, book: Book, meter: Meter, day: date) -> DayPage:
    """Read one local day of one meter."""
    start_us = date_start(zone=book.zone, day=day)
    end_us = next_day_start(zone=book.zone, at_us=start_us)
    with seeing(scope=scope_of_book(book=book)):
        versions = list(
            IntervalValue.objects.filter(meter=meter.pk, at_us__gte=start_us, at_us__lt=end_us).order_by(
                "at_us", "version"
            )
        )
        found = IntervalDefect.objects.filter(meter=meter.pk, at_us__lt=end_us, end_us__gt=start_us)
        findings = tuple(found.order_by("at_us", "id")[:FINDINGS])
        homes = {one.pk: home for one, home in _meters(book)}
    newest = {value.at_us: value for value in versions}
    names = dict(
        User.objects.filter(pk__in={v.author for v in versions if v.author}).values_list("pk", "username")
    )
    history = tuple((value, names.get(value.author or 0, "")) for value in _told(versions))
    return DayPage(
        meter=meter,
        home=homes.get(meter.pk, ""),
        day=day,
        start_us=start_us,
        end_us=end_us,
        values=tuple(newest.values()),
        history=history,
        findings=findings,
    )


def newest_day(*, book: Book, meter: Meter) -> date | None:
    """The last local day with a value."""
    with seeing(scope=scope_of_book(book=book)):
        last = IntervalValue.objects.filter(meter=meter.pk).order_by("-at_us").first()
    return local_date(zone=book.zone, at_us=last.at_us) if last else None


def meters_page(*, book: Book, today: date) -> list[MeterQuality]:
    """Every meter of a book: those without a certificate or with the next end first."""
    with seeing(scope=scope_of_book(book=book)):
        meters = _meters(book)
        ids = [meter.pk for meter, _ in meters]
        papers = {
            paper.meter: paper
            for paper in MeterCertificate.objects.filter(meter__in=ids).order_by("issued_on", "id")
        }
        checks = {
            check.meter: check
            for check in MeterCheck.objects.filter(meter__in=ids).order_by("tested_us", "id")
        }
    rows = [
        _quality(meter, home, papers.get(meter.pk), checks.get(meter.pk), today) for meter, home in meters
    ]
    rows.sort(key=lambda row: (row.certificate.expires_on if row.certificate else date.min, row.home))
    return rows


def meter_page(
    *, book: Book, meter: Meter, today: date
) -> tuple[MeterQuality, list[MeterCertificate], list[tuple[MeterCheck, str]]]:
    """One meter with all its certificates and tests, newest first, and who made each test."""
    with seeing(scope=scope_of_book(book=book)):
        papers = list(MeterCertificate.objects.filter(meter=meter.pk).order_by("-issued_on", "-id"))
        checks = list(MeterCheck.objects.filter(meter=meter.pk).order_by("-tested_us", "-id"))
        home = {found.pk: label for found, label in _meters(book)}.get(meter.pk, "")
    names = dict(User.objects.filter(pk__in={check.author for check in checks}).values_list("pk", "username"))
    row = _quality(meter, home, papers[0] if papers else None, checks[0] if checks else None, today)
    return row, papers, [(check, names.get(check.author, "")) for check in checks]


def ratio_of(*, book: Book, meter: Meter) -> tuple[int, int]:
    """What the meter's register is multiplied and divided by to be charged, where it is at work."""
    home = Installation.objects.filter(meter=meter, wallet__book=book, closed_us__isnull=True).first()
    return home.transformer if home else (1, 1)


def find_meter(*, book: Book, meter_id: int) -> Meter | None:
    """A meter of this book."""
    return Meter.objects.filter(pk=meter_id, gateway__site__book=book).first()


def _quality(
    meter: Meter, home: str, paper: MeterCertificate | None, check: MeterCheck | None, today: date
) -> MeterQuality:
    ends = paper.expires_on if paper else None
    return MeterQuality(
        meter=meter,
        home=home,
        certificate=paper,
        due=due(expires_on=ends, today=today),
        days_left=(ends - today).days if ends else None,
        check=check,
    )


def _told(versions: list[IntervalValue]) -> Iterator[IntervalValue]:
    """All versions of the intervals that have more than one, newest first."""
    many = {value.at_us for value in versions if value.version > 1}
    return (value for value in reversed(versions) if value.at_us in many)


def _meters(book: Book) -> list[tuple[Meter, str]]:
    """Every meter of the book with the home it serves now."""
    homes = {
        row.meter_id: row.unit.label
        for row in Installation.objects.filter(wallet__book=book, closed_us__isnull=True).select_related(
            "unit"
        )
    }
    meters = Meter.objects.filter(gateway__site__book=book).order_by("number")
    return sorted(
        ((meter, homes.get(meter.pk, "")) for meter in meters), key=lambda pair: (pair[1], pair[0].number)
    )
