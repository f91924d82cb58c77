"""Read the worked examples that a tariff file carries: what was used or bought, and what it should cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fairwatt.core.rating.elements.base import month_of
from fairwatt.core.rating.elements.energy_blocks import AVERAGE
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_calendar import instant
from fairwatt.core.rating.tariff_yaml import Reader
from fairwatt.core.spans import Span, date_start, local_date, to_datetime

KEYS = (
    *("name", "from", "to", "days", "used", "readings", "counter", "history", "account", "demand_kw"),
    *("total", "parts", "purchases", "elapsed_days", "units", "energy", "note"),
)
DAYS_MAX = 3_660


@dataclass(frozen=True, slots=True)
class Figure:
    """An expected figure: its value in millionths (thousandths for units) and the decimals that are written."""

    text: str
    value: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """Money paid at an instant, in micro-units."""

    at_us: int
    paid_micro: int


@dataclass(frozen=True, slots=True)
class Example:
    """One worked bill or purchase; energies in Wh, parameters in thousandths.

    Use is one figure (``used_wh``), by period, by month, or (instant, Wh) readings.
    """

    name: str
    line: int
    span: Span
    used_wh: int | None
    used_by_period: tuple[tuple[str, int], ...]
    used_by_month: tuple[int, ...]
    readings: tuple[tuple[int, int], ...]
    counter_wh: int
    account: Mapping[str, int]
    demand_w: int | None
    purchases: tuple[Purchase, ...]
    elapsed_days: int
    arrears_micro: int
    total: Figure | None
    units: Figure | None
    energy: Figure | None
    parts: tuple[tuple[str, Figure], ...]


def read_example(node: Reader, *, schedule: Schedule) -> Example:
    """Read one example; raises ``TariffFileError``."""
    node.only(*KEYS)
    purchases = node.find("purchases")
    span = _span(node, schedule)
    total, units, energy = node.find("total"), node.find("units"), node.find("energy")
    account, arrears_micro = _account(node, schedule)
    if purchases is None and total is None and not node.has("parts"):
        raise node.wrong("an example needs its expected `total`", code="missing_key")
    if purchases is not None and units is None and energy is None and not node.has("parts"):
        raise node.wrong("a purchase needs its expected `units`, `energy` or `parts`", code="missing_key")
    made = Example(
        name=node.get("name").text(),
        line=node.node.start_mark.line + 1,
        span=span,
        **_use(node, schedule, required=purchases is None),  # type: ignore[arg-type]
        counter_wh=_energy(node, "counter"),
        account=account,
        demand_w=None if not node.has("demand_kw") else node.get("demand_kw").positive(decimals=3),
        purchases=()
        if purchases is None
        else tuple(_purchase(item, schedule.zone) for item in purchases.items()),
        elapsed_days=0
        if not node.has("elapsed_days")
        else node.get("elapsed_days").whole(low=0, high=DAYS_MAX),
        arrears_micro=arrears_micro,
        total=None if total is None else _figure(total),
        units=None if units is None else _figure(units),
        energy=None if energy is None else _figure(energy),
        parts=_parts(node),
    )
    if made.readings and made.readings[-1][0] > span.end_us:
        raise node.get("readings").wrong(
            "the last reading lies behind the end of the example", code="not_a_date"
        )
    return made


def _span(node: Reader, schedule: Schedule) -> Span:
    zone = schedule.zone
    start, to, days = node.find("from"), node.find("to"), node.find("days")
    start_us = schedule.versions[-1].effective_us if start is None else instant(start, zone=zone)
    if start_us < schedule.versions[0].effective_us:
        first = to_datetime(schedule.versions[0].effective_us)
        raise (start or node).wrong(
            f"no version is in force there; the first takes effect {first:%Y-%m-%d %H:%M} UTC",
            code="no_version",
        )
    until_us = schedule.versions[-1].until_us
    if until_us is not None and start_us >= until_us:
        raise (start or node).wrong(
            f"no version is in force there; the last ended {to_datetime(until_us):%Y-%m-%d %H:%M} UTC",
            code="no_version",
        )
    first_day = local_date(zone=zone, at_us=start_us)
    if to is not None:
        end_us = instant(to, zone=zone)
    elif days is not None:
        end_day = first_day + timedelta(days=days.whole(low=1, high=DAYS_MAX))
        end_us = date_start(zone=zone, day=end_day)
        if start_us > date_start(zone=zone, day=first_day):
            end_us = start_us + (end_day - first_day).days * 86_400_000_000
    else:
        end_us = date_start(zone=zone, day=month_of(first_day, start_day=1)[1])
    if end_us <= start_us:
        raise (to or node).wrong("the example ends before it begins", code="not_a_date")
    if until_us is not None and end_us > until_us and not node.has("purchases"):
        raise (to or days or start or node).wrong(
            f"the example goes on when the last version has ended ({to_datetime(until_us):%Y-%m-%d %H:%M} UTC); "
            "set `to` or `days`",
            code="no_version",
        )
    return Span(start_us, end_us)


def _use(node: Reader, schedule: Schedule, *, required: bool) -> dict[str, object]:
    made: dict[str, object] = {
        "used_wh": None,
        "used_by_period": (),
        "used_by_month": (),
        "readings": (),
    }
    if not required:
        return made
    kind, found = node.one_of("used", "readings")
    if kind == "readings":
        made["readings"] = _readings(found, schedule.zone)
    elif found.is_list():
        made["used_by_month"] = tuple(item.positive(decimals=3) for item in found.items())
    elif found.is_mapping():
        known = [p.name for version in schedule.versions for p in version.energy.periods]
        made["used_by_period"] = tuple(
            (key.word(*dict.fromkeys(known)), value.positive(decimals=3)) for key, value in found.pairs()
        )
    else:
        made["used_wh"] = found.positive(decimals=3)
    return made


def _readings(node: Reader, zone: str) -> tuple[tuple[int, int], ...]:
    rows: list[tuple[int, int]] = []
    for item in node.items():
        item.only("at", "used")
        at_us = instant(item.get("at"), zone=zone)
        if rows and at_us <= rows[-1][0]:
            raise item.wrong("readings stand in order of time", code="not_a_date")
        rows.append((at_us, item.get("used").positive(decimals=3)))
    return tuple(rows)


def _account(node: Reader, schedule: Schedule) -> tuple[dict[str, int], int]:
    account: dict[str, int] = {}
    arrears_micro = 0
    known = [parameter.name for parameter in schedule.parameters]
    given = node.find("account")
    for key, value in [] if given is None else given.pairs():
        if key.text() == "arrears":
            arrears_micro = value.positive(decimals=6)
        else:
            account[key.word(*known, "arrears")] = value.positive(decimals=3)
    history = node.find("history")
    if history is not None:
        past = [item.positive(decimals=3) for item in history.items()]
        account[AVERAGE] = sum(past) // len(past)
    return account, arrears_micro


def _energy(node: Reader, key: str) -> int:
    found = node.find(key)
    return 0 if found is None else found.positive(decimals=3)


def _purchase(node: Reader, zone: str) -> Purchase:
    node.only("at", "paid")
    return Purchase(instant(node.get("at"), zone=zone), node.get("paid").positive(decimals=6))


def _parts(node: Reader) -> tuple[tuple[str, Figure], ...]:
    parts = node.find("parts")
    return () if parts is None else tuple((key.text(), _figure(value)) for key, value in parts.pairs())


def _figure(node: Reader) -> Figure:
    value = node.scaled(decimals=6)
    return Figure(node.text(), value, len(node.text().partition(".")[2]))
