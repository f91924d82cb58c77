"""What holds for each home of a book now: the policy it was opened under, documents, laws and shelters, merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from fairwatt.core.credit.levels import with_days
from fairwatt.core.credit.policy import CreditPolicy, Shelter, Why, Windows
from fairwatt.core.credit.terms import (
    DATES_AHEAD,
    Basis,
    ByDays,
    Layer,
    Merged,
    Terms,
    merge,
    windows_joined,
)
from fairwatt.core.credit.terms_file import parse_terms
from fairwatt.core.spans import local_date, local_day_start
from fairwatt.core.units import US_PER_DAY
from fairwatt.store.credit_rules import Place, Rule, mean_days, places, rules_of_book
from fairwatt.store.forecasts import levels
from fairwatt.store.lets import trading_of
from fairwatt.store.postpaid import Postpaid, postpaid_of_book

PACE_DAYS: Final = 14
FORECAST_LASTS_US: Final = 3 * US_PER_DAY
"""As long a level is taken from a forecast; an older one may be of another season."""
_WHY: Final = {"protection": Why.PROTECTED, "weather": Why.WEATHER, "force_on": Why.FORCED_ON}


@dataclass(frozen=True, kw_only=True)
class HeldTo:
    """The homes of a book and what each is held to; homes that are held to the same share one `Merged`."""

    homes: Mapping[int, Merged]
    """by wallet"""
    broken: Mapping[int, tuple[Rule, Exception]]
    """by wallet: the rule that cannot be read, and why; such a home is not cut"""
    rules: Sequence[Rule]


def held_to(
    *,
    cursor: Any,
    book: int,
    zone: str,
    bases: Mapping[int, CreditPolicy],
    now_us: int,
    also: Iterable[Rule] = (),
    without: Iterable[int] = (),
    wallet: int | None = None,
) -> HeldTo:
    """Merge what holds at an instant for every home of a book that the transaction may see, or for one.

    `bases`: the policies homes were opened under, by id; a home with another one is left out. `also`: rules that are
    not written yet, as if they held; `without`: numbers of rules as if they had ended.
    """
    gone = set(without)
    rules = [one for one in rules_of_book(cursor=cursor, book=book) if one.rule not in gone]
    standing = [one for one in rules if one.holds(at_us=now_us)]
    coming = [
        one
        for one in rules
        if one.kind in _WHY and one.agreed and now_us < one.start_us < now_us + DATES_AHEAD * US_PER_DAY
    ]
    postpaid = postpaid_of_book(cursor=cursor, book=book, wallet=wallet)
    maker = _Maker([*standing, *coming, *also], zone, now_us, postpaid)
    homes: dict[int, Merged] = {}
    broken: dict[int, tuple[Rule, Exception]] = {}
    for place in places(cursor=cursor, book=book, wallet=wallet):
        base = bases.get(place.policy)
        if base is None:
            continue
        made = maker.of(place, base)
        if isinstance(made, Merged):
            homes[place.wallet] = made
        else:
            broken[place.wallet] = made
    if any(one.low_days for one in homes.values()):
        homes = _warned_by_days(cursor, book, zone, homes, now_us)
    for one, hours in trading_of(cursor=cursor, book=book, wallet=wallet).items():
        if one in homes:
            homes[one] = _trading(homes[one], hours)
    return HeldTo(homes=homes, broken=broken, rules=[*rules, *also])


def _trading(merged: Merged, hours: Windows) -> Merged:
    """What holds for a merchant: nobody is cut while it trades either."""
    friendly = windows_joined((*merged.policy.friendly, *hours))
    return replace(merged, policy=replace(merged.policy, friendly=friendly))


Made = Merged | tuple[Rule, Exception]


class _Maker:
    """Merges once for all homes that are held to the same."""

    def __init__(
        self, rules: Sequence[Rule], zone: str, now_us: int, postpaid: Mapping[int, Postpaid]
    ) -> None:
        self._now_us, self._zone, self._postpaid = now_us, zone, postpaid
        self._cap_micro = max(
            (_lent(one) for one in rules if one.kind == "terms" and not one.by_web), default=0
        )
        self._rules = rules
        self._own = {one.wallet for one in rules if one.wallet is not None}
        self._known: dict[tuple[int, int, int, Shelter | None, bool], Made] = {}

    def of(self, place: Place, base: CreditPolicy) -> Made:
        moving = self._moving(place.wallet)
        own = place.wallet if place.wallet in self._own else 0
        key = (place.policy, place.site, own, moving, place.protected)
        if key not in self._known:
            self._known[key] = self._make(place, base, moving)
        return self._known[key]

    def _moving(self, wallet: int) -> Shelter | None:
        """What shelters a home on its way from postpaid, until it is over."""
        one = self._postpaid.get(wallet)
        shelter = None if one is None else one.shelter()
        return None if shelter is None or shelter.end_us <= self._now_us else shelter

    def _make(self, place: Place, base: CreditPolicy, moving: Shelter | None) -> Made:
        mine = [
            one
            for one in self._rules
            if one.site in (None, place.site) and one.wallet in (None, place.wallet)
        ]
        newest: dict[tuple[int, str], Rule] = {}
        for one in mine:
            if one.kind == "terms":
                rank = 2 if one.wallet is not None else 1 if one.site is not None else 0
                known = newest.get((rank, one.basis))
                if known is None or (known.from_us, known.rule) <= (one.from_us, one.rule):
                    newest[rank, one.basis] = one
        shelters = [shelter for one in mine if (shelter := _shelter(one)) is not None]
        shelters += [] if moving is None else [moving]
        rule = None
        try:
            layers = []
            for (rank, basis), rule in newest.items():
                layers.append(Layer(rule.rule, rank, Basis(basis), self._terms(rule)))
            today = local_date(zone=self._zone, at_us=self._now_us)
            merged = merge(base=base, layers=layers, shelters=shelters, today=today)
            return replace(merged, protected=place.protected)
        except Exception as error:
            if rule is None:
                raise
            return rule, error

    def _terms(self, rule: Rule) -> Terms:
        terms = parse_terms(rule.body)
        lent = terms.emergency
        if lent is None or not rule.by_web:
            return terms
        # Emergency credit is money: a page may give less of it than was commissioned, never more.
        return replace(terms, emergency=replace(lent, amount_micro=min(lent.amount_micro, self._cap_micro)))


def _lent(rule: Rule) -> int:
    try:
        emergency = parse_terms(rule.body).emergency
    except Exception:
        return 0  # whose home it is says so
    return 0 if emergency is None else emergency.amount_micro


def _shelter(rule: Rule) -> Shelter | None:
    why = _WHY.get(rule.kind)
    if why is None or rule.end_us is None or rule.end_us <= rule.start_us:  # it was ended before it began
        return None
    return Shelter(rule.start_us, rule.end_us, why)


def _warned_by_days(
    cursor: Any, book: int, zone: str, homes: Mapping[int, Merged], now_us: int
) -> dict[int, Merged]:
    days = {wallet: one.low_days for wallet, one in homes.items() if one.low_days}
    told = levels(cursor=cursor, book=book, days=days, since_us=now_us - FORECAST_LASTS_US)
    found = {wallet: ByDays(one.forecast, rounded_level(one.level_micro)) for wallet, one in told.items()}
    if len(found) < len(days):
        today_us = local_day_start(zone=zone, at_us=now_us)
        paces = mean_days(cursor=cursor, book=book, before_us=today_us, days=PACE_DAYS)
        for wallet, ahead in days.items():
            if wallet not in found and (pace := paces.get(wallet, 0)) > 0:
                # Too new for a forecast, or none was made for days: as many mean days, and the half one more.
                found[wallet] = ByDays(0, rounded_level(pace * (2 * ahead + 1) // 2))
    return {
        wallet: one
        if (by_days := found.get(wallet)) is None
        else replace(
            one, policy=with_days(policy=one.policy, level_micro=by_days.level_micro), by_days=by_days
        )
        for wallet, one in homes.items()
    }


def rounded_level(micro: int) -> int:
    """A level that does not move with every watt-hour: up to 3 % higher, so that grants stay as they are."""
    step = 1 << max(0, micro.bit_length() - 6)
    return -(-micro // step) * step
