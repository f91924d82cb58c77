"""Bills for all homes of an interval file under one tariff: the vector path, home by home only at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from fairwatt.core.insight.past_use import PastUse, of_intervals
from fairwatt.core.rating.bill import Bill, bill_of_cells
from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.peaks import Use, highest_powers
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.vector_cells import use_cells
from fairwatt.core.rating.vector_table import VectorTable
from fairwatt.core.spans import Span, date_start
from fairwatt.intervals.bulk import BulkIntervals
from fairwatt.intervals.contract import OutsideSpan


@dataclass(frozen=True, slots=True)
class HomeBill:
    """The bill of one home, and how many intervals it had and lacked."""

    name: str
    bill: Bill
    intervals: int
    missing: int


def rate_file(
    *,
    schedule: Schedule,
    intervals: BulkIntervals,
    first: date | None = None,
    end: date | None = None,
    account: Mapping[str, int] | None = None,
    counter_wh: int = 0,
    meters: frozenset[str] = frozenset(),
    settle_open: bool = False,
) -> list[HomeBill]:
    """Rate every home (or those in ``meters``) from one local date to another, the last excluded.

    Without dates a home is rated over its own data. Time without data is time without use: standing charges
    go on, and the missing intervals are counted. Raises what rating raises, and ``OutsideSpan``.
    """
    zone = schedule.zone
    asked = Span(
        0 if first is None else date_start(zone=zone, day=first),
        2**62 if end is None else date_start(zone=zone, day=end),
    )
    rows = intervals.between(
        start_us=None if first is None else asked.start_us, end_us=None if end is None else asked.end_us
    )
    unknown = meters - set(rows.names)
    if unknown:
        raise OutsideSpan(f"the file has no data of {', '.join(sorted(unknown))} in the asked span")
    resolved = schedule.for_account(account)
    made = []
    for group, span in _by_span(rows, resolved, first, end, asked, meters):
        made += _rate_group(rows, group, span, resolved, counter_wh, settle_open)
    order = {name: n for n, name in enumerate(rows.names)}
    return sorted(made, key=lambda home: order[home.name])


def past_use(
    *, intervals: BulkIntervals, zone: str, first: date | None = None, end: date | None = None
) -> tuple[PastUse, Span]:
    """Every home of a file as past use over one span: the asked local dates, else all of the data.

    Time without data is time without use. Raises ``OutsideSpan``.
    """
    start_us = None if first is None else date_start(zone=zone, day=first)
    end_us = None if end is None else date_start(zone=zone, day=end)
    rows = intervals.between(start_us=start_us, end_us=end_us)
    span = Span(
        int(rows.start_us.min()) if start_us is None else start_us,
        int(rows.end_us.max()) if end_us is None else end_us,
    )
    use = of_intervals(
        home=rows.home,
        start_at=rows.start_us,
        end_at=rows.end_us,
        energy_wh=rows.wh,
        span=span,
        homes=rows.names,
    )
    return use, span


def _by_span(
    rows: BulkIntervals,
    schedule: Schedule,
    first: date | None,
    end: date | None,
    asked: Span,
    meters: frozenset[str],
) -> list[tuple[list[int], Span]]:
    """Homes with the same span share a table; each with a span of its own has one."""
    starts = np.flatnonzero(np.diff(rows.home, prepend=-1))
    ends = np.append(starts[1:], rows.home.size) - 1
    groups: dict[Span, list[int]] = {}
    for number, (head, tail) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if meters and rows.names[number] not in meters:
            continue
        span = Span(
            int(rows.start_us[head]) if first is None else asked.start_us,
            int(rows.end_us[tail]) if end is None else asked.end_us,
        )
        groups.setdefault(span, []).append(number)
    return [(group, span) for span, group in groups.items()]


def _rate_group(
    rows: BulkIntervals, group: list[int], span: Span, schedule: Schedule, counter_wh: int, settle_open: bool
) -> list[HomeBill]:
    table = SegmentTable(schedule=schedule, span=span, bill=span)
    mine = np.flatnonzero(np.isin(rows.home, group))
    home, wh = rows.home[mine], _billed(rows, mine, schedule)
    cells = use_cells(
        vtable=VectorTable(table),
        home=home,
        first=np.diff(home, prepend=-1) != 0,
        prev_at=rows.start_us[mine],
        at=rows.end_us[mine],
        energy_wh=wh,
        counter_wh=counter_wh,
    )
    whole = (span.end_us - span.start_us) // rows.step_us
    measured = any(isinstance(e, DemandCharge) for v in schedule.versions for e in v.elements)
    made = []
    for number in group:
        at = mine[home == number]
        uses: list[Use] = []
        if measured:
            billed = wh[home == number]
            uses = list(
                zip(rows.start_us[at].tolist(), rows.end_us[at].tolist(), billed.tolist(), strict=True)
            )
        powers = highest_powers(schedule=schedule, uses=uses, known_w=None)
        bill = bill_of_cells(
            table=table,
            span=span,
            cells=cells[number],
            counter_wh=counter_wh,
            powers=powers,
            settle_open=settle_open,
        )
        made.append(HomeBill(rows.names[number], bill, len(at), max(0, whole - len(at))))
    return made


def _billed(
    rows: BulkIntervals, mine: np.ndarray[tuple[int], np.dtype[np.int64]], schedule: Schedule
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Wh as billed: metered litres of gas are converted on each home's running register."""
    wh = rows.wh[mine]
    if schedule.bills_register:
        return wh
    billed = []
    register, before_home = 0, -1
    for number, used in zip(rows.home[mine].tolist(), wh.tolist(), strict=True):
        register = 0 if number != before_home else register
        before_home = number
        before, register = schedule.converted(register), register + used
        billed.append(schedule.converted(register) - before)
    return np.array(billed, dtype=np.int64)
