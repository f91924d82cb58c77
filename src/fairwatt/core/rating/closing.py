"""When what is settled at the end is settled: the windows of a schedule that close, and what closing one adds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from fairwatt.core.rating.bill import Bill, Reading, bill_of_cells
from fairwatt.core.rating.elements.base import TariffError, month_of
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.live import LAST_BILL_DAY, as_live
from fairwatt.core.rating.model import Schedule, TariffVersion
from fairwatt.core.rating.peaks import highest_powers, uses_of
from fairwatt.core.rating.scalar import pieces
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.settle import Cell
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.windows import window_at
from fairwatt.core.spans import Span, date_start, local_date


class NotLive(TariffError):
    """A tariff that bills can charge and a wallet that is charged as energy flows cannot."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The calendar by which windows close: days, billing months, or years; ``energy`` counts by it."""

    per: Literal["day", "month", "year"]
    start_day: int = 1
    start_date: tuple[int, int] = (1, 1)

    def window_at(self, *, zone: str, at_us: int) -> Span:
        """The window that contains an instant."""
        if self.per == "month":
            first, end = month_of(local_date(zone=zone, at_us=at_us), start_day=self.start_day)
            return Span(date_start(zone=zone, day=first), date_start(zone=zone, day=end))
        counting = EnergyBlocks(
            self.per, (), EnergyBlocks.flat(price_micro=0).periods, start_date=self.start_date
        )
        found = window_at(energy=counting, zone=zone, at_us=at_us)
        return Span(found.start_us, date_start(zone=zone, day=found.end))


@dataclass(frozen=True, slots=True)
class Settled:
    """What closing a window adds to what was charged in it, in micro-units by component; less is below zero.

    ``bill`` is the whole of it: the window's bill, of which the wallet paid all but the sum of these.
    """

    energy_micro: int
    standing_micro: int
    tax_micro: int
    bill: Bill

    @property
    def amount_micro(self) -> int:
        """What the wallet falls by."""
        return self.energy_micro + self.standing_micro + self.tax_micro


def closing_of(schedule: Schedule) -> Closing | None:
    """By which calendar a schedule settles; None when nothing waits for the end of anything. Raises ``NotLive``."""
    found = [made for version in schedule.versions if (made := _closing(version)) is not None]
    if any(made != found[0] for made in found):
        raise NotLive(
            "versions settle in different windows (another length or another first day), so one window would be "
            "cut by the other; give all versions the same `counter` and first day"
        )
    return found[0] if found else None


def closed_windows(*, schedule: Schedule, since_us: int, until_us: int) -> Iterator[Span]:
    """The windows since an instant that ended by another and in which something was to be settled, oldest first."""
    closing = closing_of(schedule)
    if closing is None:
        return
    waiting = [n for n, version in enumerate(schedule.versions) if _closing(version) is not None]
    since_us = max(since_us, schedule.versions[waiting[0]].effective_us)
    window = closing.window_at(zone=schedule.zone, at_us=since_us)
    while window.end_us <= until_us:
        first = schedule.version_index_at(at_us=max(window.start_us, since_us))
        last = schedule.version_index_at(at_us=window.end_us - 1)
        if any(first <= n <= last for n in waiting):
            yield window
        window = closing.window_at(zone=schedule.zone, at_us=window.end_us)


def settle_register(
    *,
    table: SegmentTable,
    window: Span,
    opened_us: int,
    state: RegisterState,
    readings: Sequence[Reading],
) -> Settled:
    """What a closed window of a register comes to beyond what its readings were charged.

    ``state`` is where the register stood at a reading at or before the window's start (or at its opening),
    ``readings`` are all since, up to the first at or after its end. Raises what rating raises.
    """
    span = Span(max(window.start_us, opened_us), window.end_us)
    table.ensure(start_us=state.at_us, end_us=max(readings[-1][0], span.end_us))
    cells: dict[Cell, int] = {}
    before_wh = state.counter_wh if state.at_us == opened_us else 0
    clipped = readings_in(readings, since_us=state.at_us, span=span)
    for at_us, energy_wh in readings:
        counter_wh, window_us = state.counter_wh, state.window_us
        for piece in pieces(table=table, state=state, at_us=at_us, energy_wh=energy_wh):
            counter_wh, window_us = piece.counter_wh + piece.energy_wh, piece.window_us
            if span.start_us <= piece.start_us < span.end_us:
                n = piece.segment
                cell = Cell(piece.version, table.rate[n], piece.block, table.window_us[n], table.settle_us[n])
                cells[cell] = cells.get(cell, 0) + piece.energy_wh
        state = RegisterState(at_us, 0, counter_wh, window_us, 0, 0)
    return _of(table, span, cells, before_wh, clipped)


def readings_in(readings: Sequence[Reading], *, since_us: int, span: Span) -> list[Reading]:
    """Readings as a span sees them: what crosses its edges is cut there, evenly and down to whole Wh."""
    cut: list[Reading] = []
    for at_us, energy_wh in readings:
        if at_us > span.start_us and since_us < span.end_us:
            length_us = at_us - since_us
            first = energy_wh * (max(since_us, span.start_us) - since_us) // length_us
            last = energy_wh * (min(at_us, span.end_us) - since_us) // length_us
            cut.append((min(at_us, span.end_us), last - first))
        since_us = at_us
    return cut


def refuse_unchargeable(schedule: Schedule, *, since_us: int | None = None) -> None:
    """Refuse what a wallet charged as energy flows cannot be charged; raises ``NotLive`` that says what to use.

    Versions that were over by ``since_us`` charge nobody any more and may say what they like.
    """
    begun = since_us is not None and schedule.versions[0].effective_us <= since_us
    first = schedule.begun_index_at(at_us=since_us) if begun and since_us is not None else 0
    for version in schedule.versions[first:]:
        _refuse_version(version)
    # By bill each account has a day of its own: versions that agree on one day only would differ for the others.
    for bill_day in (1, LAST_BILL_DAY):
        closing_of(as_live(schedule, bill_day=bill_day))


def live_from(schedule: Schedule) -> tuple[int | None, str]:
    """The version (from 0) from which on live wallets can be charged, None for none; and why not before it."""
    try:
        closing_of(as_live(schedule, bill_day=LAST_BILL_DAY))
    except NotLive as error:
        return None, str(error)
    for index in reversed(range(len(schedule.versions))):
        try:
            _refuse_version(schedule.versions[index])
        except NotLive as error:
            return (index + 1 if index + 1 < len(schedule.versions) else None), str(error)
    return 0, ""


def _refuse_version(version: TariffVersion) -> None:
    if not version.energies and not version.packages:
        raise NotLive(f"version {version.name!r} has no price for use; a live wallet pays for what flows")
    for element in version.elements:
        _refuse_element(element)


def _refuse_element(element: object) -> None:
    match element:
        case EnergyBlocks(counter="purchase_month") if element.counts:
            raise NotLive(
                f"{element.name!r} has blocks of what is bought in a month; a live wallet holds money and counts what "
                "is used: count by `month`"
            )
        case VendingCharge():
            raise NotLive(
                f"{element.name!r} is taken at a till; a live wallet has none: use a fee (page Fees), or `standing`"
            )
        case StandingCharge(vacant="owner"):
            raise NotLive(
                f"{element.name!r} is the owner's while a unit is empty, and the wallet of the meter is not his: write "
                "`vacant: none` and let a fee charge the landlord"
            )


def _closing(version: TariffVersion) -> Closing | None:
    banded = next((e for e in version.energies if e.cases), None)
    if version.settles == "never" and banded is None:
        return None
    counting = version.counting
    if version.settles == "never" and counting.counter in {"day", "year"}:
        per: Literal["day", "year"] = "day" if counting.counter == "day" else "year"
        return Closing(per, start_date=counting.start_date)
    if banded is not None and counting.counter == "year":
        raise NotLive(
            f"{banded.name!r} is priced by the whole year and {version.settled[0].name!r} settles by month, so its "
            "amount would change after it was settled; count both by `month`"
        )
    return Closing("month", start_day=version.month_start_day)


def _of(
    table: SegmentTable, span: Span, cells: dict[Cell, int], before_wh: int, readings: Sequence[Reading]
) -> Settled:
    uses = uses_of(readings=readings, start_us=span.start_us)
    powers = highest_powers(schedule=table.schedule, uses=uses, known_w=None)
    bill = bill_of_cells(
        table=table, span=span, cells=cells, counter_wh=before_wh, powers=powers, settle_open=False
    )
    taxed = Fraction(0)
    for item in bill.elements:
        element = next(e for e in table.schedule.versions[item.version].elements if e.name == item.name)
        if isinstance(element, Tax) and not item.included:
            taxed += item.exact_micro
    charged = sum((i.exact_micro for i in bill.items if i.kind == "use"), Fraction(0))
    whole = sum((i.exact_micro for i in bill.items if i.kind == "true_up"), Fraction(0))
    energy_micro = (charged + whole).__floor__() - bill.energy_micro
    tax_micro = taxed.__floor__() - bill.tax_micro
    return Settled(
        energy_micro=energy_micro,
        standing_micro=bill.settled_micro - energy_micro - tax_micro,
        tax_micro=tax_micro,
        bill=bill,
    )
