"""The stretches of time over which use is counted: days, billing months, years, one bill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from fairwatt.core.rating.elements.base import month_of
from fairwatt.core.rating.elements.energy_blocks import EnergyBlocks
from fairwatt.core.spans import Span, date_start, local_date

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CountWindow:
    """A counting window: where it starts (0: nothing is counted), and its local dates, the last excluded."""

    start_us: int
    first: date
    end: date

    @property
    def days(self) -> int:
        """How many local dates it has."""
        return (self.end - self.first).days

    def dates(self) -> list[date]:
        """Its local dates in order."""
        return [self.first + n * _DAY for n in range(self.days)]


def window_at(*, energy: EnergyBlocks, zone: str, at_us: int, bill: Span | None = None) -> CountWindow:
    """Return the counting window of an energy element that contains an instant.

    ``bill`` is the span of the bill for elements that count by bill; without one they count by month.
    """
    today = local_date(zone=zone, at_us=at_us)
    match energy.counter:
        case "none":
            return CountWindow(0, today, today + _DAY)
        case "day":
            return _window(zone, today, today + _DAY)
        case "year":
            first = today.replace(month=energy.start_date[0], day=energy.start_date[1])
            if first > today:
                first = first.replace(year=first.year - 1)
            return _window(zone, first, first.replace(year=first.year + 1))
        case "bill" if bill is not None:
            return _bill_window(zone, bill, at_us)
        case "month" | "bill" | "purchase_month":
            return _window(zone, *month_of(today, start_day=energy.start_day))


def _bill_window(zone: str, bill: Span, at_us: int) -> CountWindow:
    first, end = (local_date(zone=zone, at_us=us) for us in (bill.start_us, bill.end_us))
    end = max(end, first + _DAY)
    if at_us < bill.start_us:
        # What was used before the bill began is another bill's; it never mixes with this one.
        return CountWindow(1, first - (end - first), first)
    if at_us >= bill.end_us:
        return CountWindow(bill.end_us, end, end + (end - first))
    return CountWindow(bill.start_us, first, end)


def _window(zone: str, first: date, end: date) -> CountWindow:
    return CountWindow(date_start(zone=zone, day=first), first, end)
