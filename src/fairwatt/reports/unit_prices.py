"""The prices behind a charge: the reading is rated again, and its prices are named only if they give its amount."""

from __future__ import annotations

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.scalar import pieces
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import from_datetime, to_datetime
from fairwatt.core.units import NANO_PER_MICRO
from fairwatt.reports.asking import Reading
from fairwatt.reports.cells import exact_text
from fairwatt.reports.ledger import Movement
from fairwatt.reports.model import Shape
from fairwatt.store.models import Installation, TariffPublication


class UnitPrices:
    """Rates lines of one wallet again, in their order, from where the register stood before each."""

    def __init__(self, asked: Reading, lines: list[Movement]) -> None:
        self._asked = asked
        refs = {line.ref for line in lines}
        self._installations = {
            row.pk: row for row in Installation.objects.filter(pk__in=refs).select_related("meter")
        }
        self._tables: dict[int, SegmentTable | None] = {}
        self._before: dict[int, tuple[int, int, int]] = {}

    def modulus_wh(self, ref: int) -> int:
        """Where the register of an installation begins again at zero."""
        return self._installations[ref].meter.modulus_wh

    def of(self, line: Movement) -> str:
        """The prices of a reading per kWh, with what was used at each: "0.300 x 0.568 + 0.120 x 0.618"."""
        if line.ref not in self._installations:
            return ""
        before_us, counter_wh, carry = self._before.get(line.ref) or self._look_up(line)
        # A late reading and its correction leave the register where it was, counted anew.
        at_us = line.at_us if line.kind == Kind.READING else before_us
        self._before[line.ref] = (at_us, line.counter_wh, line.carry_nano)
        if line.kind != Kind.READING or not line.energy_wh:
            return ""
        table = self._table(line.ref)
        if table is None or line.energy_wh < 0 or before_us >= line.at_us:
            return ""
        found: dict[int, int] = {}
        nano = carry
        try:
            first, _ = table.locate(start_us=before_us, end_us=line.at_us)
            state = RegisterState(before_us, 0, counter_wh, table.window_us[first], carry, 0)
            for piece in pieces(table=table, state=state, at_us=line.at_us, energy_wh=line.energy_wh):
                found[piece.price_micro] = found.get(piece.price_micro, 0) + piece.energy_wh
                nano += piece.nano
        except (ValueError, LookupError):
            return ""
        if nano // NANO_PER_MICRO != line.energy_micro:
            return (
                ""  # priced by what was known then and is not known now: the line's own explanation says how
            )
        used = [(wh, price) for price, wh in found.items() if wh]
        return " + ".join(
            f"{self._text(wh, Shape.ENERGY)} × {self._text(price, Shape.PRICE)}" for wh, price in used
        )

    def _text(self, cell: int, shape: Shape) -> str:
        return exact_text(cell=cell, shape=shape, zone=self._asked.zone)

    def _look_up(self, line: Movement) -> tuple[int, int, int]:
        """Where the register stood before the first line of the period."""
        rows = self._asked.rows(
            "SELECT ts, counter_wh, carry_nano FROM line WHERE book = %s AND ref = %s AND kind = 1 AND ts < %s "
            "AND ts > %s ORDER BY ts DESC LIMIT 1",
            self._asked.book.pk,
            line.ref,
            to_datetime(line.at_us),
            to_datetime(self._installations[line.ref].opened_us),
        )
        if rows:
            return from_datetime(rows[0][0]), int(rows[0][1]), int(rows[0][2])
        opened = self._installations[line.ref]
        return opened.opened_us, opened.opening_counter_wh, 0

    def _table(self, ref: int) -> SegmentTable | None:
        plan = self._installations[ref].plan_id
        if plan not in self._tables:
            newest = TariffPublication.objects.filter(
                plan_id=plan, published_us__lte=self._asked.as_of_us
            ).last()
            schedule: Schedule | None = None
            try:
                schedule = parse_schedule(newest.text) if newest else None
            except ValueError:
                schedule = None
            self._tables[plan] = None if schedule is None else SegmentTable(schedule=schedule)
        return self._tables[plan]
