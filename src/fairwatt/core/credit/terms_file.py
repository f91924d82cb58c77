"""A credit document as people write it: YAML, every fault named with its line, dates as tariffs write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

from fairwatt.core.credit.policy import CutRule, Windows
from fairwatt.core.credit.terms import NO_LIMIT, Emergency, Terms, windows_joined
from fairwatt.core.rating.elements.periods import Calendar
from fairwatt.core.rating.tariff_calendar import RANGE, date_range, local_day
from fairwatt.core.rating.tariff_yaml import Reader, TariffFileError
from fairwatt.core.units import US_PER_MINUTE

FORMAT: Final = 1
HOLIDAY: Final = "holiday"
_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_DAY: Final = 1_440
_DATES_MAX: Final = 400
CUTS: Final = {"allowed": CutRule.ALLOWED, "limit": CutRule.LIMIT, "never": CutRule.NEVER}

TermsFileError = TariffFileError
"""A credit document that cannot be read; it names the line. Nothing was changed."""


def parse_terms(text: str) -> Terms:
    """Turn the text of a credit document into terms. Raises TermsFileError with the line and what is wrong there."""
    top = Reader.of_text(text)
    top.only("fairwatt_credit", "warn", "friendly", "holidays", "debt_limit", "stale_after_minutes", "cut", "limit_w",
             "emergency", "top_up")  # fmt: skip
    if top.get("fairwatt_credit").text() != str(FORMAT):
        raise top.get("fairwatt_credit").wrong(f"this program reads credit format {FORMAT}", code="format")
    said: dict[str, Any] = {}
    for key, read in _SECTIONS.items():
        node = top.find(key)
        if node is not None:
            said |= read(node)
    if said.get("cut") is CutRule.LIMIT and "limit_w" not in said:
        raise top.get("cut").wrong(
            "where power is only limited, `limit_w` says to how many watts", code="missing_key"
        )
    low, critical = said.get("low_micro"), said.get("critical_micro")
    if low is not None and critical is not None and critical > low:
        raise top.get("warn").wrong("`critical` lies below `below`, never above it", code="contradiction")
    return Terms(**said)


def write_terms(terms: Terms) -> str:
    """The text of a document; read again it says the same."""
    return "\n".join([f"fairwatt_credit: {FORMAT}", *_written(terms)]) + "\n"


def _warn(node: Reader) -> dict[str, Any]:
    node.only("below", "energy_kwh", "days", "critical", "lead_minutes")
    return {
        **_each(node, "below", "low_micro", _money),
        **_each(node, "energy_kwh", "low_wh", lambda one: one.positive(decimals=3)),
        **_each(node, "days", "low_days", lambda one: one.whole(low=0, high=60)),
        **_each(node, "critical", "critical_micro", _money),
        **_each(node, "lead_minutes", "warn_lead_us", _minutes),
    }


def _friendly(node: Reader) -> dict[str, Any]:
    node.only("hours", "weekends")
    said: dict[str, Any] = _each(node, "weekends", "friendly_weekends", lambda one: one.truth())
    hours = node.find("hours")
    if hours is not None:
        none = hours.is_list() and not hours.node.value
        said["friendly"] = () if none else windows_joined(w for item in hours.items() for w in _windows(item))
    return said


def _windows(node: Reader) -> Windows:
    match = _CLOCK.fullmatch(node.text())
    start, end = (int(match[n]) * 60 + int(match[n + 1]) for n in (1, 3)) if match else (0, 0)
    if match is None or start == end or max(start, end) > _DAY:
        raise node.wrong(
            f"{node.text()!r} are no hours of a day; write them such as 18:00-08:00", code="not_hours"
        )
    if start < end:
        return ((start, end),)
    return tuple(one for one in ((start, _DAY), (0, end)) if one[0] < one[1])


def _holidays(node: Reader) -> dict[str, Any]:
    """Dates as the calendar of a tariff has them: 2026-10-01..2026-10-07, or 12-25 of every year."""
    dated: dict[date, str] = {}
    yearly: dict[tuple[int, int], str] = {}
    for item in [] if node.is_list() and not node.node.value else node.items():
        first, _, last = item.text().partition(RANGE)
        if len(first) == len("12-25"):
            span = date_range(item)
            start, end = date(2024, *span.first), date(2024, *span.last)
            yearly |= {(day.month, day.day): HOLIDAY for day in _days(item, start, end)}
        else:
            dated |= dict.fromkeys(
                _days(item, local_day(item, first), local_day(item, last or first)), HOLIDAY
            )
    return {"holidays": Calendar(tuple(sorted(dated.items())), tuple(sorted(yearly.items())))}


def _days(node: Reader, first: date, last: date) -> Iterator[date]:
    if not 0 <= (last - first).days < _DATES_MAX:
        raise node.wrong(f"{node.text()!r} does not run forward over at most a year", code="not_a_date")
    return (date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1))


def _debt_limit(node: Reader) -> dict[str, Any]:
    return {"max_debt_micro": NO_LIMIT if node.text() == "none" else _money(node)}


def _emergency(node: Reader) -> dict[str, Any]:
    if not node.is_mapping():
        node.word("none")
        return {"emergency": Emergency(0)}
    node.only("amount", "offered_below", "automatic")
    below, automatic = node.find("offered_below"), node.find("automatic")
    lent = Emergency(
        amount_micro=_money(node.get("amount")),
        offered_below_micro=0 if below is None else _money(below),
        automatic=automatic is not None and automatic.truth(),
    )
    return {"emergency": lent}


def _top_up(node: Reader) -> dict[str, Any]:
    node.only("least", "most", "credit_most")
    said = {
        **_each(node, "least", "least_micro", _money),
        **_each(node, "most", "most_micro", _money),
        **_each(node, "credit_most", "credit_most_micro", _money),
    }
    if said.get("least_micro", 0) > said.get("most_micro", said.get("least_micro", 0)):
        raise node.wrong("the least top-up is above the most", code="contradiction")
    return said


def _each[T](node: Reader, key: str, name: str, read: Callable[[Reader], T]) -> dict[str, T]:
    found = node.find(key)
    return {} if found is None else {name: read(found)}


def _money(node: Reader) -> int:
    return node.positive(decimals=6)


def _minutes(node: Reader) -> int:
    return node.whole(low=0, high=60 * 24 * 30) * US_PER_MINUTE


def _stale(node: Reader) -> dict[str, Any]:
    return {"stale_after_us": node.whole(low=1, high=60 * 24 * 30) * US_PER_MINUTE}


_SECTIONS: Final[dict[str, Callable[[Reader], dict[str, Any]]]] = {
    "warn": _warn,
    "friendly": _friendly,
    "holidays": _holidays,
    "debt_limit": _debt_limit,
    "stale_after_minutes": _stale,
    "cut": lambda node: {"cut": CUTS[node.word(*CUTS)]},
    "limit_w": lambda node: {"limit_w": node.whole(low=1, high=10**6)},
    "emergency": _emergency,
    "top_up": _top_up,
}


def _written(terms: Terms) -> Iterator[str]:
    yield from _mapping(
        "warn",
        {
            "below": _shown(terms.low_micro),
            "energy_kwh": None if terms.low_wh is None else f'"{_fixed(terms.low_wh, 3)}"',
            "days": terms.low_days,
            "critical": _shown(terms.critical_micro),
            "lead_minutes": _in_minutes(terms.warn_lead_us),
        },
    )
    hours = None
    if terms.friendly is not None:
        hours = "[" + ", ".join(f'"{_clock(start)}-{_clock(end)}"' for start, end in terms.friendly) + "]"
    yield from _mapping("friendly", {"hours": hours, "weekends": _truth(terms.friendly_weekends)})
    if terms.holidays is not None:
        dates = [day.isoformat() for day, _ in terms.holidays.dated]
        dates += [f"{month:02d}-{day:02d}" for (month, day), _ in terms.holidays.yearly]
        yield f"holidays: [{', '.join(dates)}]"
    if terms.max_debt_micro is not None:
        yield f"debt_limit: {'none' if terms.max_debt_micro == NO_LIMIT else _shown(terms.max_debt_micro)}"
    if terms.stale_after_us is not None:
        yield f"stale_after_minutes: {_in_minutes(terms.stale_after_us)}"
    if terms.cut is not None:
        yield f"cut: {next(word for word, rule in CUTS.items() if rule is terms.cut)}"
    if terms.limit_w is not None:
        yield f"limit_w: {terms.limit_w}"
    lent = terms.emergency
    if lent is not None and not lent.amount_micro:
        yield "emergency: none"
    elif lent is not None:
        yield from _mapping(
            "emergency",
            {
                "amount": _shown(lent.amount_micro),
                "offered_below": _shown(lent.offered_below_micro),
                "automatic": _truth(lent.automatic),
            },
        )
    paid = {"least": terms.least_micro, "most": terms.most_micro, "credit_most": terms.credit_most_micro}
    yield from _mapping("top_up", {name: _shown(micro) for name, micro in paid.items()})


def _mapping(name: str, said: dict[str, Any]) -> Iterator[str]:
    there = [f"{key}: {value}" for key, value in said.items() if value is not None]
    if there:
        yield f"{name}: {{{', '.join(there)}}}"


def _shown(micro: int | None) -> str | None:
    return None if micro is None else f'"{_fixed(micro, 6)}"'


def _fixed(scaled: int, places: int) -> str:
    whole, part = divmod(scaled, 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")


def _truth(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _in_minutes(us: int | None) -> int | None:
    return None if us is None else us // US_PER_MINUTE


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
