"""One bill: readings under a tariff over a span, by element, version, period and block, exact to the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fairwatt.core.rating.elements.base import month_of
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.elements.use_charge import UseCharge
from fairwatt.core.rating.model import Element, Rounding, Schedule
from fairwatt.core.rating.peaks import highest_powers, uses_of
from fairwatt.core.rating.scalar import opening_state, pieces
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.settle import Cell, WindowUse, included_taxes, settle_window, true_up
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.windows import window_at
from fairwatt.core.spans import Span, date_start, local_date
from fairwatt.core.units import NANO_PER_MICRO

Reading = tuple[int, int]
"""An instant and the use since the reading before, in Wh (or litres)."""
Powers = Mapping[tuple[str, int], int]
"""The highest power in W of a demand charge (by name) in a settled month (by its start)."""


@dataclass(frozen=True, slots=True)
class Item:
    """A priced line: use of an element in a period and block, or so many days of it, or an amount of its own.

    ``block`` counts from 1, 0 without blocks. ``kind`` is ``use``, ``fixed``, ``true_up`` or ``settled``.
    """

    version: int
    element: str
    word: str
    kind: str
    period: str
    block: int
    energy_wh: int
    count: int
    price_micro: int
    exact_micro: Fraction


@dataclass(frozen=True, slots=True)
class ElementTotal:
    """What one element of one version comes to; ``rounded_micro`` is what a document prints."""

    version: int
    name: str
    word: str
    exact_micro: Fraction
    rounded_micro: Fraction
    included: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill over a span. The wallet was charged ``energy``, ``standing`` and ``tax`` in time order; ``settled``
    is what closing windows added. ``residue`` is what the exact sum has beyond these whole micro-units; the
    wallet carries it on. ``total_micro`` is the document's total after the tariff's rounding.
    """

    span: Span
    energy_wh: int
    items: tuple[Item, ...]
    elements: tuple[ElementTotal, ...]
    energy_micro: int
    standing_micro: int
    tax_micro: int
    settled_micro: int
    exact_micro: Fraction
    total_micro: Fraction

    @property
    def wallet_micro(self) -> int:
        """What the wallet was charged."""
        return self.energy_micro + self.standing_micro + self.tax_micro + self.settled_micro

    @property
    def residue(self) -> Fraction:
        """Fractions of a micro-unit that are used and not yet charged: below one for each kind of charge."""
        return self.exact_micro - self.wallet_micro

    def element(self, name: str) -> Fraction:
        """The exact amount of an element over all versions."""
        return sum((e.exact_micro for e in self.elements if e.name == name), Fraction(0))


def bill(
    *,
    schedule: Schedule,
    readings: Sequence[Reading],
    span: Span,
    account: Mapping[str, int] | None = None,
    counter_wh: int = 0,
    demand_w: int | None = None,
    settle_open: bool = False,
    register: int = 0,
) -> Bill:
    """Price readings over a span: each an instant and the use since the one before, the first since the start.

    ``account`` holds parameters in thousandths, ``counter_wh`` what the counting window held before the span.
    ``demand_w`` stands for the highest power where intervals do not tell it. ``settle_open`` settles also the
    windows that are open at the end. ``register`` is what the meter showed at the start, where the tariff converts
    its litres. Raises ``NoTariff``, ``MissingPrice`` or another ``TariffError``.
    """
    resolved = schedule.for_account(account)
    table = SegmentTable(schedule=resolved, span=span, bill=span)
    rows = list(resolved.converted_all(readings, register=register))
    opened = {"at_us": span.start_us, "register_wh": 0, "counter_wh": counter_wh}
    state = opening_state(schedule=resolved, **opened, bill=span)
    cells = cells_of(table=table, state=state, readings=rows)
    uses = uses_of(readings=rows, start_us=span.start_us)
    powers = highest_powers(schedule=resolved, uses=uses, known_w=demand_w)
    return bill_of_cells(
        table=table, span=span, cells=cells, counter_wh=counter_wh, powers=powers, settle_open=settle_open
    )


def cells_of(*, table: SegmentTable, state: RegisterState, readings: Iterable[Reading]) -> dict[Cell, int]:
    """Sort use into cells, in time order."""
    cells: dict[Cell, int] = {}
    for at_us, energy_wh in readings:
        counter_wh, window_us = state.counter_wh, state.window_us
        for piece in pieces(table=table, state=state, at_us=at_us, energy_wh=energy_wh):
            n = piece.segment
            cell = Cell(piece.version, table.rate[n], piece.block, table.window_us[n], table.settle_us[n])
            cells[cell] = cells.get(cell, 0) + piece.energy_wh
            counter_wh, window_us = piece.counter_wh + piece.energy_wh, piece.window_us
        state = RegisterState(at_us, 0, counter_wh, window_us, 0, 0)
    return cells


def bill_of_cells(
    *,
    table: SegmentTable,
    span: Span,
    cells: Mapping[Cell, int],
    counter_wh: int,
    powers: Powers,
    settle_open: bool,
) -> Bill:
    """Make the bill from use in cells; the vector path and the scalar path meet here."""
    maker = _Maker(table, span, settle_open)
    maker.take_use(cells)
    maker.take_fixed()
    maker.take_true_ups(cells, counter_wh)
    return maker.finish(powers, sum(cells.values()))


class _Maker:
    """Gathers items and amounts by (settled month, version), then settles each."""

    def __init__(self, table: SegmentTable, span: Span, settle_open: bool) -> None:
        self.table, self.span, self.settle_open = table, span, settle_open
        self.versions = table.schedule.versions
        self.settles = [version.settles for version in self.versions]
        self.items: list[Item] = []
        self.charged: dict[tuple[int, int], dict[str, Fraction]] = {}
        self.used: dict[int, int] = {}
        self.settled = Fraction(0)

    def take_use(self, cells: Mapping[Cell, int]) -> None:
        lines: dict[tuple[int, str, int, int, int], int] = {}
        first, last = self.table.locate(start_us=self.span.start_us, end_us=self.span.end_us)
        settled, version_of = self.table.settle_us, self.table.version
        spans = zip(settled[first : last + 1], version_of[first : last + 1], strict=True)
        for in_force in dict.fromkeys(spans):
            self.charged.setdefault(in_force, {})
        for cell, wh in cells.items():
            for part in cell.rate.parts:
                block = sum(bound <= cell.from_wh for bound in part.bounds_wh)
                price = part.prices_micro[block]
                if price is None:  # use in such a block was refused; this is none
                    continue
                key = (cell.version, part.element, part.period, (block + 1) * bool(part.bounds_wh), price)
                lines[key] = lines.get(key, 0) + wh
                amount = Fraction(wh * price, NANO_PER_MICRO)
                self._charge(cell.settle_us, cell.version, part.element, amount)
            self.used[cell.settle_us] = self.used.get(cell.settle_us, 0) + wh
        for (version, name, period, block, price), wh in sorted(lines.items()):
            element = self._element(version, name)
            said = element.periods[period].name if isinstance(element, EnergyBlocks) else ""
            exact = Fraction(wh * price, NANO_PER_MICRO)
            self._item(version, name, "use", exact, period=said, block=block, wh=wh, price=price)

    def take_fixed(self) -> None:
        # A year has hundreds of days: whole numbers are summed first, fractions are made once.
        lines: dict[tuple[int, str], tuple[int, int]] = {}
        sums: dict[tuple[int, int, str], int] = {}
        for due in self.table.dues(start_us=self.span.start_us, end_us=self.span.end_us):
            count, micro = lines.get((due.version, due.element), (0, 0))
            lines[(due.version, due.element)] = count + 1, micro + due.micro
            settled_as = (self._settle_us(due.version, due.at_us - 1), due.version, due.element)
            sums[settled_as] = sums.get(settled_as, 0) + due.micro
        for (settle_us, version, name), micro in sums.items():
            self._charge(settle_us, version, name, Fraction(micro))
        for (version, name), (count, micro) in lines.items():
            self._item(version, name, "fixed", Fraction(micro), count=count)

    def take_true_ups(self, cells: Mapping[Cell, int], counter_wh: int) -> None:
        """Price whole bands again by the totals of the counting windows that have closed."""
        totals: dict[int, int] = {}
        zone = self.table.schedule.zone
        for cell, wh in cells.items():
            totals[cell.window_us] = totals.get(cell.window_us, 0) + wh
        # What was counted before the bill began was counted under the version in force then, in its window.
        first, _ = self.table.locate(start_us=self.span.start_us, end_us=self.span.end_us)
        opened = self.table.version[first], self.table.window_us[first]
        for index, version in enumerate(self.versions):
            for energy in version.energies:
                for window_us in sorted(totals) if energy.cases else []:
                    mine = [
                        (c, wh) for c, wh in cells.items() if (c.version, c.window_us) == (index, window_us)
                    ]
                    at_us = max(window_us, self.span.start_us)
                    window = window_at(energy=version.counting, zone=zone, at_us=at_us, bill=self.span)
                    end_us = date_start(zone=zone, day=window.end)
                    if not mine or not (self.settle_open or end_us <= self.span.end_us):
                        continue
                    before_wh = counter_wh * (window_us == opened[1])
                    amount = true_up(
                        energy=energy,
                        cells=mine,
                        before_wh=before_wh * (index == opened[0]),
                        total_wh=totals[window_us] + before_wh,
                        days=window.days,
                    )
                    if amount:
                        settle_us = max(cell.settle_us for cell, _ in mine)
                        self._charge(settle_us, index, energy.name, amount)
                        self._item(index, energy.name, "true_up", amount)
                        self.settled += amount

    def finish(self, powers: Powers, energy_wh: int) -> Bill:
        totals: dict[tuple[int, str], Fraction] = {}
        included: dict[tuple[int, str], Fraction] = {}
        earlier: dict[int, dict[str, Fraction]] = {}
        for settle_us, version in sorted(self.charged):
            element_of = self.versions[version]
            before = earlier.setdefault(settle_us, {})
            amounts = settle_window(
                version=element_of, use=self._window_use(settle_us, version, powers, before)
            )
            for name, amount in amounts.items():
                before[name] = before.get(name, Fraction(0)) + amount
                totals[(version, name)] = totals.get((version, name), Fraction(0)) + amount
            for name, amount in included_taxes(version=element_of, amounts=amounts).items():
                included[(version, name)] = included.get((version, name), Fraction(0)) + amount
        settled_names = {(n, e.name) for n, v in enumerate(self.versions) for e in v.settled}
        for (version, name), amount in totals.items():
            if (version, name) in settled_names and amount:
                self._item(version, name, "settled", amount)
        return self._bill(totals, included, energy_wh)

    def _bill(
        self,
        totals: Mapping[tuple[int, str], Fraction],
        included: Mapping[tuple[int, str], Fraction],
        energy_wh: int,
    ) -> Bill:
        schedule = self.table.schedule
        elements = []
        for (version, name), amount in totals.items():
            word = word_of(self._element(version, name))
            is_included = (version, name) in included
            exact = included.get((version, name), amount)
            rounded = rounded_to(exact, schedule.round_line)
            elements.append(ElementTotal(version, name, word, exact, rounded, is_included))
        exact = sum(totals.values(), Fraction(0))
        printed = sum((e.rounded_micro for e in elements if not e.included), Fraction(0))
        in_order = self._in_order()
        energy, standing, tax = (amount.__floor__() for amount in in_order)
        # Where nothing was settled, the fractions stay with the wallet; a settlement takes them in.
        settled = exact.__floor__() - energy - standing - tax if exact != sum(in_order) else 0
        return Bill(
            span=self.span,
            energy_wh=energy_wh,
            items=tuple(self.items),
            elements=tuple(elements),
            energy_micro=energy,
            standing_micro=standing,
            tax_micro=tax,
            settled_micro=settled,
            exact_micro=exact,
            total_micro=rounded_to(printed, schedule.round_total),
        )

    def _in_order(self) -> tuple[Fraction, Fraction, Fraction]:
        """Energy, standing and tax as charged in time order; the wallet pays the floors of these running totals."""
        energy = sum((i.exact_micro for i in self.items if i.kind == "use"), Fraction(0))
        standing = sum((i.exact_micro for i in self.items if i.kind == "fixed"), Fraction(0))
        tax = Fraction(0)
        for index in range(len(self.versions)):
            shares = self.table.shares[index]
            for item in self.items:
                if item.version == index and item.kind in {"use", "fixed"}:
                    tax += item.exact_micro * shares[item.element]
        return energy, standing, tax

    def _window_use(
        self, settle_us: int, version: int, powers: Powers, earlier: Mapping[str, Fraction]
    ) -> WindowUse:
        zone, spec = self.table.schedule.zone, self.versions[version]
        first = local_date(zone=zone, at_us=self.span.start_us)
        end = local_date(zone=zone, at_us=self.span.end_us - 1)
        days, closed, name_of = (end - first).days + 1, self.settle_open, settle_us
        if spec.settles == "month":
            start, following = month_of(
                local_date(zone=zone, at_us=settle_us), start_day=spec.month_start_day
            )
            days = (following - start).days
            closed = closed or date_start(zone=zone, day=following) <= self.span.end_us
        elif spec.settles == "bill":
            closed, name_of = True, 0
        last = max(v for at_us, v in self.charged if at_us == settle_us)
        return WindowUse(
            charged=self.charged[(settle_us, version)],
            energy_wh=self.used.get(settle_us, 0),
            days=days,
            highest_w={
                e.name: powers.get((e.name, name_of), powers.get((e.name, -1), 0)) for e in spec.settled
            },
            closed=closed and version == last,
            earlier=earlier,
        )

    def _settle_us(self, version: int, at_us: int) -> int:
        if self.settles[version] != "month":
            return 0
        zone, spec = self.table.schedule.zone, self.versions[version]
        first, _ = month_of(local_date(zone=zone, at_us=at_us), start_day=spec.month_start_day)
        return date_start(zone=zone, day=first)

    def _charge(self, settle_us: int, version: int, name: str, amount: Fraction) -> None:
        amounts = self.charged.setdefault((settle_us, version), {})
        amounts[name] = amounts.get(name, Fraction(0)) + amount

    def _element(self, version: int, name: str) -> Element:
        return next(e for e in self.versions[version].elements if e.name == name)

    def _item(
        self,
        version: int,
        name: str,
        kind: str,
        exact: Fraction,
        *,
        period: str = "",
        block: int = 0,
        wh: int = 0,
        count: int = 0,
        price: int = 0,
    ) -> None:
        word = word_of(self._element(version, name))
        self.items.append(Item(version, name, word, kind, period, block, wh, count, price, exact))


def word_of(element: Element) -> str:
    """The word that a tariff file has for an element."""
    match element:
        case EnergyBlocks():
            return "energy"
        case Tax():
            return element.word
        case UseCharge():
            return "standing"
        case _:
            return type(element).__name__.removesuffix("Charge").lower()


def rounded_to(exact_micro: Fraction, rounding: Rounding | None) -> Fraction:
    """Round an amount for a document; without a rule it stays exact."""
    if rounding is None:
        return exact_micro
    units = exact_micro / rounding.unit_micro
    match rounding.mode:
        case "half_up":
            whole = (abs(units) + Fraction(1, 2)).__floor__() * (1 if units >= 0 else -1)
        case "half_even":
            whole = round(units)
        case "up":
            whole = units.__ceil__()
        case "down":
            whole = units.__floor__()
    return Fraction(whole * rounding.unit_micro)
