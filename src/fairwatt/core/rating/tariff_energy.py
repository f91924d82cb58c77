"""Read an energy element of a tariff file: blocks, periods, cases, market prices."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from fairwatt.core.rating.elements.base import MINUTES_PER_DAY, PPM, TariffError
from fairwatt.core.rating.elements.energy_blocks import (
    COUNTERS,
    Case,
    Counter,
    EnergyBlocks,
    Extra,
    Period,
    SeasonBounds,
    provisional,
)
from fairwatt.core.rating.elements.market_price import MarketPrice, Series
from fairwatt.core.rating.elements.periods import ALL, Calendar
from fairwatt.core.rating.tariff_calendar import (
    DAY_KEYS,
    Seasons,
    clock_offset,
    month_day,
    read_days,
    read_hours,
    season_of,
)
from fairwatt.core.rating.tariff_yaml import Reader

KEYS = (
    *("name", "price", "prices", "counter", "start_day", "start_date", "blocks", "blocks_kwh"),
    *("blocks_per_day", "per_days", "block_unit", "extra", "free", "band", "decide_by", "cases"),
    *("periods", "dynamic", "clock"),
)
ALWAYS = Period("all", ((0, MINUTES_PER_DAY),), None, None, (0,))


@dataclass(frozen=True, slots=True)
class Context:
    """What the file says elsewhere, and an element may refer to."""

    zone: str
    unit: str
    seasons: Seasons
    calendar: Calendar
    series: tuple[Series, ...]
    parameters: frozenset[str]

    def parameter(self, node: Reader) -> str:
        """Read the name of a declared parameter."""
        if node.text() not in self.parameters:
            known = ", ".join(sorted(self.parameters)) or "none"
            raise node.wrong(
                f"parameter {node.text()!r} is not declared; add it to `parameters` at the top (there: {known})",
                code="unknown_word",
            )
        return node.text()


def read_energy(body: Reader, context: Context) -> EnergyBlocks:
    """Read one energy element; raises ``TariffFileError`` or another ``TariffError``."""
    body.only(*KEYS)
    base = EnergyBlocks(counter="none", bounds_wh=(), periods=(ALWAYS,), day_types=context.calendar.types)
    name, counter, clock = body.find("name"), body.find("counter"), body.find("clock")
    day, first = body.find("start_day"), body.find("start_date")
    unit, free, extra = body.find("block_unit"), body.find("free"), body.find("extra")
    bounds, by_season, per_days = _blocks(body, context)
    settings: dict[str, object] = {
        "counter": "none" if counter is None else _counter(counter),
        "name": "energy" if name is None else name.text(),
        "clock_min": None if clock is None else clock_offset(clock),
        "start_day": 1 if day is None else day.whole(low=1, high=28),
        "start_date": (1, 1) if first is None else _start_date(first),
        "per_days": per_days,
        "block_unit_wh": 1 if unit is None else max(1, unit.positive(decimals=3)),
        "free_wh": 0 if free is None else free.positive(decimals=3),
        "extra": () if extra is None else tuple(extra.each(lambda item: _extra(item, context))),
        "market": None if not body.has("dynamic") else _market(body.get("dynamic"), context),
        "by_season": by_season,
        "decide_by": _decide_by(body),
    }
    periods = _periods(body, context)
    if body.has("cases"):
        return _with_cases(base, settings, periods, _cases(body, periods))
    periods = _with_prices(body, periods)
    if not _whole(body):
        _check_count(body, bounds, periods)
        return _made(base, settings, bounds, periods)
    if by_season:
        raise body.get("band").wrong(
            "a whole band has one list of blocks for all seasons", code="contradiction"
        )
    return _with_cases(base, settings, periods, _whole_cases(body, bounds, periods))


def _made(
    base: EnergyBlocks, settings: dict[str, object], bounds: tuple[int, ...], periods: tuple[Period, ...]
) -> EnergyBlocks:
    # Bounds, seasons and periods only make sense together, so they meet their check in one step.
    return replace(base, bounds_wh=bounds, periods=periods, **settings)  # type: ignore[arg-type]


def _with_cases(
    base: EnergyBlocks, settings: dict[str, object], periods: tuple[Period, ...], cases: tuple[Case, ...]
) -> EnergyBlocks:
    bounds, prices = provisional(cases)
    priced = tuple(replace(p, prices_micro=row) for p, row in zip(periods, prices, strict=True))
    return _made(base, {**settings, "cases": cases}, bounds, priced)


def _counter(node: Reader) -> Counter:
    node.word(*COUNTERS)
    match node.text():
        case "none" | "day" | "month" | "year" | "bill" | "purchase_month" as word:
            return word
    raise AssertionError("checked above")


def _decide_by(body: Reader) -> str:
    node = body.find("decide_by")
    return "total" if node is None else node.word("total", "average")


def _whole(body: Reader) -> bool:
    node = body.find("band")
    return node is not None and node.word("incremental", "whole") == "whole"


def _start_date(node: Reader) -> tuple[int, int]:
    found = month_day(node, node.text())
    if found == (2, 29):
        raise node.wrong("a counting year cannot begin on 29 February", code="not_a_date")
    return found


def _blocks(body: Reader, context: Context) -> tuple[tuple[int, ...], tuple[SeasonBounds, ...], int]:
    """Bounds, bounds by season, and the days they are for."""
    there = [key for key in ("blocks", "blocks_kwh", "blocks_per_day") if body.has(key)]
    per_days = body.find("per_days")
    if not there:
        days = 0 if per_days is None else per_days.whole(low=1, high=366)
        return (), (), days
    if len(there) > 1:
        raise body.get(there[1]).wrong(
            f"`{there[0]}` and `{there[1]}` do not go together", code="contradiction"
        )
    node = body.get(there[0])
    if there[0] == "blocks_kwh" and context.unit != "kWh":
        raise node.wrong("this tariff is in m3; write `blocks`", code="contradiction")
    if there[0] == "blocks_per_day":
        if per_days is not None:
            raise per_days.wrong("`blocks_per_day` are for one day already", code="contradiction")
        days = 1
    else:
        days = 0 if per_days is None else per_days.whole(low=1, high=366)
    if not node.is_mapping():
        return _bounds(node), (), days
    seasons = tuple(
        SeasonBounds(season_of(key, context.seasons), _bounds(value)) for key, value in node.pairs()
    )
    return seasons[0].bounds_wh, seasons, days


def _bounds(node: Reader) -> tuple[int, ...]:
    items = node.items()
    bounds = tuple(item.scaled(decimals=3) for item in items)
    for item, (below, bound) in zip(items, pairwise((0, *bounds)), strict=True):
        if bound <= below:
            raise item.wrong(
                f"block bounds must rise from above zero; {item.text()} does not", code="contradiction"
            )
    return bounds


def _extra(node: Reader, context: Context) -> Extra:
    node.only("parameter", "above", "each", "from", "add")
    name = context.parameter(node.get("parameter"))
    kind, at = node.one_of("above", "from")
    amount = node.get("each" if kind == "above" else "add")
    return Extra(name, kind == "above", at.positive(decimals=3), amount.positive(decimals=3))


def _market(node: Reader, context: Context) -> MarketPrice:
    node.only("series", "coefficient", "add", "floor", "cap", "round_to")
    name = node.get("series")
    if name.text() not in {series.name for series in context.series}:
        raise name.wrong(
            f"there is no series called {name.text()!r}; add it to `series` at the top", code="unknown_word"
        )
    coefficient, unit = node.find("coefficient"), node.find("round_to")
    limits = {key: node.find(key) for key in ("add", "floor", "cap")}
    money = {key: None if found is None else found.scaled(decimals=6) for key, found in limits.items()}
    return MarketPrice(
        series=name.text(),
        coefficient_ppm=PPM if coefficient is None else coefficient.scaled(decimals=6),
        add_micro=money["add"] or 0,
        floor_micro=money["floor"],
        cap_micro=money["cap"],
        round_micro=1 if unit is None else unit.positive(decimals=6),
    )


def _periods(body: Reader, context: Context) -> tuple[Period, ...]:
    """The periods without prices; one that is always there when none are written."""
    node = body.find("periods")
    if node is None:
        return (ALWAYS,)
    before = len(node.found)
    periods = tuple(node.each(lambda item: _period(item, context)))
    if len(node.found) > before:
        # The periods that could be read leave gaps; what is wrong has been said.
        raise node.found.pop()
    names = {period.name for period in periods}
    if len(names) < len(periods):
        doubled = next(n for n in names if sum(p.name == n for p in periods) > 1)
        raise node.wrong(f"two periods are called {doubled!r}; give each its own name", code="doubled_name")
    for item, period in zip(node.items(), periods, strict=True):
        if not period.over <= names | {ALL}:
            unknown = sorted(period.over - names)[0]
            raise item.get("over").wrong(f"there is no period called {unknown!r}", code="unknown_word")
    return periods


def _period(node: Reader, context: Context) -> Period:
    node.only("name", "hours", *DAY_KEYS, "over", "otherwise", "price", "prices", "add", "coefficient")
    over, otherwise, add = node.find("over"), node.find("otherwise"), node.find("add")
    coefficient = node.find("coefficient")
    days = read_days(node, seasons=context.seasons, day_types=context.calendar.types)
    return Period(
        name=node.get("name").text(),
        windows=read_hours(node),
        months=days.months,
        weekdays=days.weekdays,
        prices_micro=(),
        dates=days.dates,
        types=days.types,
        over=frozenset() if over is None else frozenset(_names(over)),
        otherwise=otherwise is not None and otherwise.truth(),
        add_micro=0 if add is None else add.scaled(decimals=6),
        coefficient_ppm=None if coefficient is None else coefficient.scaled(decimals=6),
    )


def _names(node: Reader) -> Iterator[str]:
    if node.is_list():
        yield from (item.text() for item in node.items())
    else:
        yield node.text()


def _with_prices(body: Reader, periods: tuple[Period, ...]) -> tuple[Period, ...]:
    """Put in the prices that stand in the element or in each period."""
    node = body.find("periods")
    _only_in_periods(body, *(("price", "prices") if body.has("dynamic") else ("add", "coefficient")))
    if body.has("dynamic"):
        for key in ("price", "prices", "cases", "blocks", "blocks_per_day", "free"):
            if (found := body.find(key)) is not None:
                raise found.wrong(
                    f"a `dynamic` price has no `{key}`; put a second energy element beside it",
                    code="contradiction",
                )
        return tuple(replace(period, prices_micro=(0,)) for period in periods)
    if node is None:
        return (replace(periods[0], prices_micro=_prices(body)),)
    for key in ("price", "prices"):
        if (found := body.find(key)) is not None:
            raise found.wrong("with `periods`, each period has its own price", code="contradiction")
    items = zip(node.items(), periods, strict=True)
    return tuple(replace(period, prices_micro=_prices(item)) for item, period in items)


def _check_count(body: Reader, bounds: tuple[int, ...], periods: tuple[Period, ...]) -> None:
    """Each period has one price more than there are bounds."""
    node = body.find("periods")
    for place, period in enumerate(periods):
        if len(period.prices_micro) != len(bounds) + 1:
            where = body if node is None else node.items()[place]
            found = where.find("prices") or where.find("price") or where
            raise found.wrong(
                f"{len(period.prices_micro)} prices for {len(bounds) + 1} blocks: `blocks` has {len(bounds)} upper "
                "bounds, and the last block has none, so there is one price more than bounds",
                code="contradiction",
            )


def _only_in_periods(body: Reader, *wrong: str) -> None:
    """Refuse what periods may not say: prices beside a market price, a market's formula without one."""
    periods = body.find("periods")
    for item in [] if periods is None else periods.items():
        for key in wrong:
            if (found := item.find(key)) is not None:
                with_it = "with" if body.has("dynamic") else "without"
                raise found.wrong(f"{with_it} `dynamic`, a period has no `{key}`", code="contradiction")


def _prices(node: Reader) -> tuple[int | None, ...]:
    kind, found = node.one_of("price", "prices")
    if kind == "price":
        return (found.price_or_unknown(),)
    return tuple(item.price_or_unknown() for item in found.items())


def _known_prices(node: Reader) -> tuple[int, ...]:
    kind, found = node.one_of("price", "prices")
    return (found.price(),) if kind == "price" else _price_list(found)


def _price_list(node: Reader) -> tuple[int, ...]:
    return tuple(item.price() for item in node.items())


def _cases(body: Reader, periods: tuple[Period, ...]) -> tuple[Case, ...]:
    for key in ("blocks", "blocks_kwh", "blocks_per_day", "price", "prices", "band", "dynamic"):
        if (found := body.find(key)) is not None:
            raise found.wrong(f"with `cases`, `{key}` stands inside each case", code="contradiction")
    return tuple(_case(item, periods) for item in body.get("cases").items())


def _case(node: Reader, periods: tuple[Period, ...]) -> Case:
    node.only("upto", "blocks", "price", "prices", "period_prices")
    upto, blocks = node.find("upto"), node.find("blocks")
    bounds = () if blocks is None else _bounds(blocks)
    kind, found = node.one_of("price", "prices", "period_prices")
    if kind == "period_prices":
        by_name = {key.text(): _price_list(value) for key, value in found.pairs()}
        if set(by_name) != {period.name for period in periods}:
            raise found.wrong(
                f"prices are needed for exactly: {', '.join(p.name for p in periods)}", code="missing_key"
            )
        prices = tuple(by_name[period.name] for period in periods)
    else:
        prices = tuple(_known_prices(node) for _ in periods)
    if any(len(row) != len(bounds) + 1 for row in prices):
        raise found.wrong(f"{len(bounds) + 1} prices belong here, one for each block", code="contradiction")
    return Case(None if upto is None else upto.positive(decimals=3), bounds, prices)


def _whole_cases(body: Reader, bounds: tuple[int, ...], periods: tuple[Period, ...]) -> tuple[Case, ...]:
    _check_count(body, bounds, periods)
    rows = [tuple(map(_known, period.prices_micro)) for period in periods]
    return tuple(Case(upto, (), tuple((row[n],) for row in rows)) for n, upto in enumerate((*bounds, None)))


def _known(price: int | None) -> int:
    if price is None:
        raise TariffError("a `band: whole` needs all its prices: the total decides what every unit costs")
    return price
