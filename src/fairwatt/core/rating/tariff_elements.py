"""Read the elements of a tariff version, each by its own word."""

from itertools import pairwise

from fairwatt.core.rating.elements.base import MINUTES_PER_DAY, PPM, RATE, TariffError
from fairwatt.core.rating.elements.demand_charge import DemandCharge
from fairwatt.core.rating.elements.minimum_charge import MinimumCharge
from fairwatt.core.rating.elements.package import Package
from fairwatt.core.rating.elements.rebate import Rebate, RebateCase
from fairwatt.core.rating.elements.standing_charge import Band, Payer, Per, StandingCharge
from fairwatt.core.rating.elements.tax import ALL, ENERGY, STANDING, Tax, Word
from fairwatt.core.rating.elements.use_charge import UseBand, UseCharge
from fairwatt.core.rating.elements.vending_charge import Kind, VendingCharge
from fairwatt.core.rating.model import Element
from fairwatt.core.rating.tariff_calendar import DAY_KEYS, RANGE, instant, read_days, read_hours
from fairwatt.core.rating.tariff_energy import Context, read_energy
from fairwatt.core.rating.tariff_yaml import Reader
from fairwatt.core.spans import Span

PER: dict[str, Per] = {"per_day": "day", "per_month": "month", "per_year": "year"}
SHARES: dict[str, Word] = {"tax": "tax", "levy": "levy", "surcharge": "surcharge", "rebate": "rebate"}
WORDS = (
    "energy",
    "package",
    "standing",
    "minimum",
    "demand",
    "tax",
    "levy",
    "surcharge",
    "rebate",
    "vending",
)


def read_elements(node: Reader, context: Context) -> tuple[Element, ...]:
    """Read the list under ``elements``; faults are noted, and what could be read is returned."""
    made, above = [], set[str]()
    for item in node.items():
        try:
            made.append(read_element(item, context))
            _check_on(item, above)
        except TariffError as error:
            item.note(error)
        above |= _names_in(item)
    return tuple(made)


def _names_in(node: Reader) -> set[str]:
    """The name an element has or would have, also one that cannot be read."""
    if not node.is_mapping():
        return set()
    bodies = [(key, body) for key, body in node.pairs() if body.is_mapping()]
    return {(body.find("name") or key).text() for key, body in bodies}


def _check_on(node: Reader, above: set[str]) -> None:
    _, body = node.single(*WORDS)
    on = body.find("on")
    for item in [] if on is None else on.items() if on.is_list() else [on]:
        if item.text() not in above | {ENERGY, STANDING, ALL}:
            known = ", ".join(dict.fromkeys([*sorted(above), ENERGY, STANDING, ALL]))
            raise item.wrong(
                f"an element can lie on those above it ({known}), not on {item.text()!r}; `energy` stands for all "
                "energy elements and packages above it, `standing` for all standing ones",
                code="unknown_word",
            )


def read_element(node: Reader, context: Context) -> Element:
    """Read one entry of ``elements``."""
    kind, body = node.single(*WORDS)
    try:
        match kind:
            case "energy":
                return read_energy(body, context)
            case "package":
                return _package(body, context)
            case "standing":
                return _standing(body, context)
            case "minimum":
                return _minimum(body, context)
            case "demand":
                return _demand(body, context)
            case "vending":
                return _vending(body, context)
            case "rebate" if any(body.has(key) for key in ("cases", "cap", "amount", "window")):
                return _rebate(body)
            case _:
                return _share(SHARES[kind], body)
    except TariffError as error:
        raise body.because(error) from error


def _name(body: Reader, otherwise: str) -> str:
    named = body.find("name")
    return otherwise if named is None else named.text()


def _money(body: Reader, key: str) -> int:
    found = body.find(key)
    return 0 if found is None else found.positive(decimals=6)


def _on(body: Reader, otherwise: str = "") -> frozenset[str]:
    found = body.find("on") if otherwise else body.get("on")
    if found is None:
        return frozenset({otherwise})
    items = found.items() if found.is_list() else [found]
    return frozenset(item.text() for item in items)


def _times(body: Reader, context: Context) -> str | None:
    found = body.find("times")
    return None if found is None else context.parameter(found)


def _package(body: Reader, context: Context) -> Package:
    body.only("name", "per", "price", "included", "beyond", "events", *DAY_KEYS)
    per = body.get("per").word("day", "event")
    if per == "event":
        events = [_event(item, context.zone) for item in body.get("events").items()]
    elif (found := body.find("events")) is not None:
        raise found.wrong("`events` belong to `per: event`", code="contradiction")
    else:
        events = []
    return Package(
        price_micro=body.get("price").scaled(decimals=6),
        included_wh=body.get("included").positive(decimals=3),
        beyond_micro=body.get("beyond").scaled(decimals=6),
        name=_name(body, "package"),
        days=read_days(body, seasons=context.seasons, day_types=context.calendar.types),
        events=tuple(events),
    )


def _event(node: Reader, zone: str) -> Span:
    start, dots, end = node.text().partition(RANGE)
    if not dots:
        raise node.wrong(
            "an event is FROM..TO, such as 2024-06-14T18:00..2024-06-14T23:00", code="not_a_date"
        )
    start_us, end_us = instant(node, zone=zone, text=start), instant(node, zone=zone, text=end)
    if end_us <= start_us:
        raise node.wrong("this event ends before it begins", code="contradiction")
    return Span(start_us, end_us)


def _standing(body: Reader, context: Context) -> StandingCharge | UseCharge:
    by = body.find("by")
    if by is not None and by.text() == "use":
        return _use_charge(body, context)
    body.only("name", *PER, "times", "by", "bands", "months", "vacant")
    months, vacant = body.find("months"), body.find("vacant")
    bands: tuple[Band, ...] = ()
    if by is not None:
        rows = body.get("bands").items()
        kinds = [row.one_of(*PER) for row in rows]
        key, amount = kinds[0][0], 0
        bands = tuple(_band(row, key, last=n == len(rows) - 1) for n, row in enumerate(rows))
        uptos = [band.upto_milli for band in bands if band.upto_milli is not None]
        if any(b <= a for a, b in pairwise(uptos)):
            raise body.get("bands").wrong("`upto` must rise from band to band", code="contradiction")
    else:
        key, found = body.one_of(*PER)
        amount = found.scaled(decimals=6)
    payers: dict[str, Payer] = {"tenant": "tenant", "owner": "owner", "none": "none"}
    return StandingCharge(
        amount_micro=amount,
        name=_name(body, "standing"),
        per=PER[key],
        months=None if months is None else frozenset(m.whole(low=1, high=12) for m in months.items()),
        times=_times(body, context),
        by=None if by is None else context.parameter(by),
        bands=bands,
        vacant="tenant" if vacant is None else payers[vacant.word(*payers)],
    )


def _use_charge(body: Reader, context: Context) -> UseCharge:
    """A standing charge by the use of the window."""
    body.only("name", "by", "bands", "times", "per_days")
    rows, per_days = body.get("bands").items(), body.find("per_days")
    key, _ = rows[0].one_of("per_month", "per_bill")
    bands = []
    for row in rows:
        row.only("upto", key)
        upto = row.find("upto")
        bands.append(
            UseBand(None if upto is None else upto.positive(decimals=3), row.get(key).scaled(decimals=6))
        )
    return UseCharge(
        name=_name(body, "standing"),
        bands=tuple(bands),
        window="bill" if key == "per_bill" else "month",
        per_days=0 if per_days is None else per_days.whole(low=1, high=366),
        times=_times(body, context),
    )


def _band(row: Reader, key: str, *, last: bool) -> Band:
    row.only("upto", key)
    upto = row.find("upto")
    if (upto is None) != last:
        raise row.wrong("every band but the last has an `upto`", code="missing_key")
    return Band(None if upto is None else upto.positive(decimals=3), row.get(key).scaled(decimals=6))


def _minimum(body: Reader, context: Context) -> MinimumCharge:
    body.only("name", "per_month", "per_bill", "per_day", "window", "on", "times")
    key, amount = body.one_of("per_month", "per_bill", "per_day")
    window = body.find("window")
    if window is not None and key != "per_day":
        raise window.wrong("`window` goes with `per_day` only", code="contradiction")
    by_bill = key == "per_bill" or (window is not None and window.word("month", "bill") == "bill")
    return MinimumCharge(
        amount_micro=amount.positive(decimals=6),
        name=_name(body, "minimum"),
        window="bill" if by_bill else "month",
        per_day=key == "per_day",
        on=_on(body, "energy"),
        times=_times(body, context),
    )


def _demand(body: Reader, context: Context) -> DemandCharge:
    body.only(
        *(
            "name",
            "per_kw",
            "per_kw_day",
            "window",
            "interval_min",
            "hours",
            *DAY_KEYS,
            "least_kw",
            "least",
            "step_kw",
        )
    )
    window, interval, step = body.find("window"), body.find("interval_min"), body.find("step_kw")
    least, least_kw = body.find("least"), body.find("least_kw")
    if least is not None:
        least.only("parameter", "percent")
    key, price = body.one_of("per_kw", "per_kw_day")
    return DemandCharge(
        micro_per_kw=price.positive(decimals=6),
        per_day=key == "per_kw_day",
        name=_name(body, "demand"),
        window="bill" if window is not None and window.word("month", "bill") == "bill" else "month",
        interval_min=30 if interval is None else interval.whole(low=15, high=60),
        days=read_days(body, seasons=context.seasons, day_types=context.calendar.types),
        windows=read_hours(body) if body.has("hours") else ((0, MINUTES_PER_DAY),),
        least_w=0 if least_kw is None else least_kw.positive(decimals=3),
        least_of=None if least is None else context.parameter(least.get("parameter")),
        least_ppm=0 if least is None else least.get("percent").positive(decimals=4),
        step_w=1 if step is None else step.positive(decimals=3),
    )


def _share(word: Word, body: Reader) -> Tax:
    for key, by in (
        ("per_kwh", "energy"),
        ("per_m3", "energy"),
        ("price", "energy"),
        ("per_month", "standing"),
    ):
        if (found := body.find(key)) is not None:
            fit = "price" if by == "energy" else key
            raise found.wrong(
                f"a {word} is a percentage; an amount of money is an `{by}` with a name: "
                f"- {by}: {{name: ..., {fit}: {found.text()}}}",
                code="unknown_key",
            )
    body.only("name", "percent", "on", "included")
    included = body.find("included")
    percent = body.get("percent")
    rate_e10 = percent.scaled(decimals=8)
    if not 0 <= rate_e10 <= 10 * RATE:
        raise percent.wrong(f"{percent.text()!r} is not 0 to 1000 percent", code="out_of_range")
    return Tax(
        name=body.get("name").text(),
        rate_e10=-rate_e10 if word == "rebate" else rate_e10,
        on=_on(body),
        included=included is not None and included.truth(),
        word=word,
    )


def _rebate(body: Reader) -> Rebate:
    body.only("name", "percent", "amount", "cap", "window", "on", "cases")
    amount = body.find("amount")
    if amount is not None and body.has("cases"):
        raise amount.wrong(
            "`amount` is given back at any use. For an amount by use write a `standing` with `by: use` and bands, "
            'such as [{upto: "999.999", per_month: "0"}, {per_month: "-50"}]',
            code="contradiction",
        )
    kind, found = body.one_of("percent", "amount", "cases")
    cap, window = body.find("cap"), body.find("window")
    cases: tuple[RebateCase, ...] = ()
    if kind == "cases":
        cases = tuple(_rebate_case(item) for item in found.items())
    if kind == "percent":
        cases = (RebateCase(None, found.positive(decimals=4), _cap(cap)),)
    elif cap is not None:
        raise cap.wrong(
            "`cap` belongs to a percentage; in cases it stands in each case", code="contradiction"
        )
    return Rebate(
        name=body.get("name").text(),
        on=_on(body),
        window="bill" if window is not None and window.word("month", "bill") == "bill" else "month",
        cases=cases,
        amount_micro=found.positive(decimals=6) if kind == "amount" else 0,
    )


def _rebate_case(node: Reader) -> RebateCase:
    node.only("upto", "percent", "cap")
    upto = node.find("upto")
    rate_ppm = node.get("percent").positive(decimals=4)
    return RebateCase(None if upto is None else upto.positive(decimals=3), rate_ppm, _cap(node.find("cap")))


def _cap(node: Reader | None) -> int | None:
    return None if node is None else node.positive(decimals=6)


def _vending(body: Reader, context: Context) -> VendingCharge:
    kinds: tuple[Kind, ...] = ("per_month", "per_purchase", "percent", "arrears_percent")
    body.only("name", *kinds, "split", "times")
    key, found = body.one_of(*kinds)
    kind = next(k for k in kinds if k == key)
    split = body.find("split")
    below_micro, share_ppm = 0, PPM
    if split is not None:
        if kind != "per_month":
            raise split.wrong("`split` belongs to `per_month`", code="contradiction")
        split.only("below", "percent")
        below_micro = split.get("below").positive(decimals=6)
        share_ppm = split.get("percent").positive(decimals=4)
    money = kind in {"per_month", "per_purchase"}
    return VendingCharge(
        name=body.get("name").text(),
        kind=kind,
        amount_micro=found.positive(decimals=6) if money else 0,
        rate_ppm=0 if money else found.positive(decimals=4),
        times=_times(body, context),
        split_below_micro=below_micro,
        split_ppm=share_ppm,
    )
