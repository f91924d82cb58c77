"""Tariffs and readings for the laws: small makers, and strategies that reach the awkward corners."""

from bisect import bisect_left
from datetime import datetime

from hypothesis import strategies as st

from fairwatt.core.rating.elements.energy_blocks import Counter, EnergyBlocks, Period
from fairwatt.core.rating.elements.standing_charge import StandingCharge
from fairwatt.core.rating.elements.tax import Tax
from fairwatt.core.rating.model import Element, Schedule, TariffVersion
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.spans import from_datetime, zone_info
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

# Whole-hour, half-hour and midnight clock changes, and none at all.
ZONES = (
    "Asia/Shanghai",
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
)


def instant(text: str, zone: str = "Asia/Shanghai") -> int:
    """Read ``2024-03-10 02:30`` on the wall clock of a zone."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=zone_info(zone)))


def schedule(*elements: Element, zone: str = "Asia/Shanghai", effective: str = "2000-01-01") -> Schedule:
    """A tariff with one version."""
    return Schedule("CNY", zone, (TariffVersion(1, instant(effective, zone), "only", elements),))


def day_night(*, day_micro: int, night_micro: int) -> EnergyBlocks:
    """Two periods: day from 08:00 to 22:00, night around it."""
    return EnergyBlocks(
        "none",
        (),
        (
            Period("day", ((480, 1320),), None, None, (day_micro,)),
            Period("night", ((0, 480), (1320, 1440)), None, None, (night_micro,)),
        ),
    )


PRICES = st.one_of(
    st.integers(-2_000_000, 2_000_000), st.sampled_from([0, 1, -1, 999, 9_223_372_036, -9_223_372_036])
)


COUNTERS: tuple[Counter, ...] = ("month", "year", "none")


@st.composite
def energy_blocks(draw: st.DrawFn) -> EnergyBlocks:
    counter: Counter = draw(st.sampled_from(COUNTERS))
    bounds = () if counter == "none" else tuple(sorted(draw(st.sets(st.integers(1, 60_000), max_size=3))))
    blocks = len(bounds) + 1
    cuts = sorted(draw(st.sets(st.sampled_from([30, 60, 90, 150, 480, 481, 720, 1320]), max_size=4)))
    edges = [0, *cuts, 1440]
    names = draw(st.lists(st.sampled_from("abc"), min_size=len(edges) - 1, max_size=len(edges) - 1))
    days: list[tuple[str, frozenset[int] | None, frozenset[int] | None]] = [("", None, None)]
    shape = draw(st.sampled_from(["same", "weekend", "season"]))
    if shape == "weekend":
        days = [("work", None, frozenset(range(5))), ("rest", None, frozenset({5, 6}))]
    if shape == "season":
        days = [("warm", frozenset(range(4, 10)), None), ("cold", frozenset({1, 2, 3, 10, 11, 12}), None)]
    periods = []
    for label, months, weekdays in days:
        for name in sorted(set(names)):
            windows = tuple((edges[i], edges[i + 1]) for i, n in enumerate(names) if n == name)
            prices = tuple(draw(PRICES) for _ in range(blocks))
            periods.append(Period(label + name, windows, months, weekdays, prices))
    return EnergyBlocks(counter, bounds, tuple(periods))


@st.composite
def elements(draw: st.DrawFn) -> tuple[Element, ...]:
    parts: list[Element] = [draw(energy_blocks())]
    if draw(st.booleans()):
        parts.append(StandingCharge(draw(st.integers(-1_000_000, 5_000_000))))
    if draw(st.booleans()):
        on = draw(st.sampled_from([{"energy"}, {"standing"}, {"energy", "standing"}]))
        parts.append(Tax("VAT", draw(st.integers(0, 10_000)) * 1_000_000, frozenset(on)))
    return tuple(parts)


START = instant("2024-01-05", "Europe/London")
STEPS = st.one_of(
    st.just(30 * US_PER_MINUTE),
    st.integers(1, 3 * US_PER_HOUR),
    st.integers(1, 40).map(lambda hours: hours * US_PER_HOUR),
    st.integers(1, 70 * US_PER_DAY),
)
ENERGIES = st.one_of(st.integers(0, 3_000), st.just(0), st.integers(0, 200_000), st.just(1_000_000_000))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """One to three versions: the first long before ``START``, the others at odd instants after it."""
    starts = draw(st.sets(st.integers(0, 150 * US_PER_DAY), max_size=2))
    minutes = draw(st.sets(st.integers(0, 150 * 1440), max_size=1))
    later = sorted({START + s for s in starts} | {START + m * US_PER_MINUTE for m in minutes})[:2]
    effective = [START - 400 * US_PER_DAY, *later]
    versions = tuple(
        TariffVersion(n, at_us, f"v{n}", draw(elements())) for n, at_us in enumerate(effective, start=1)
    )
    return Schedule("CNY", draw(st.sampled_from(ZONES)), versions)


def snapped(draw: st.DrawFn, table: SegmentTable, at_us: int) -> int:
    """Keep an instant, or move it on to the next local midnight or price change."""
    to = draw(st.sampled_from(["as it is", "midnight", "price change"]))
    if to == "as it is":
        return at_us
    table.ensure(start_us=at_us, end_us=at_us + 40 * US_PER_DAY)
    instants = table.midnights_us if to == "midnight" else table.starts_us
    index = bisect_left(instants, at_us)
    return instants[index] if index < len(instants) else at_us


@st.composite
def journeys(draw: st.DrawFn, tariff: Schedule, max_size: int = 6) -> tuple[int, list[tuple[int, int]]]:
    """An opening instant and the (instant, energy) readings after it, many of them on round times."""
    table = SegmentTable(schedule=tariff)
    opening = at_us = snapped(draw, table, START + draw(STEPS))
    readings = []
    for _ in range(draw(st.integers(1, max_size))):
        at_us = snapped(draw, table, at_us + draw(STEPS))
        readings.append((at_us, draw(ENERGIES)))
    return opening, readings
