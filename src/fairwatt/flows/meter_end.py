"""Where a meter stands at the moment its installation ends, and what the use up to it comes to.

Looked at before anything is asked for: a move and an exchange show the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairwatt.core.rating.scalar import opening_state, rate
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.flows.posting.book_state import Plan
from fairwatt.flows.posting.leaving import PACE_DAYS, expected_wh
from fairwatt.flows.posting.plans import make_plan, values_under
from fairwatt.store import moves
from fairwatt.store.models import Book, Installation, RegisterHead, TariffPublication

type Prices = dict[tuple[int, Any], Plan]
"""Prices that were made already, by plan and parameters: many homes are looked at with one set."""


@dataclass(frozen=True, kw_only=True)
class MeterEnd:
    """Where one meter of a home stands at the instant, as far as is known. Energy in Wh, money in micro-units."""

    installation: int
    number: str
    read_us: int
    read_wh: int
    register_wh: int
    basis: str
    """read: at that very instant; expected: from the days before; past: the readings around it say"""
    charge_micro: int
    """what is still to be charged up to the instant, as far as it can be said"""


def meter_end(
    *, cursor: Any, book: Book, home: Installation, at_us: int, stated: Mapping[int, int], prices: Prices
) -> MeterEnd:
    """Where a meter stands at an instant, and what the use up to it costs; ``stated``: Wh read there by a person."""
    head = RegisterHead.objects.filter(installation=home.pk).first()
    read_us, read_wh = (head.at_us, head.register_wh) if head else (home.opened_us, home.opening_wh)
    known: dict[str, Any] = {
        "installation": home.pk,
        "number": str(home.meter),
        "read_us": read_us,
        "read_wh": read_wh,
    }
    if at_us <= read_us:
        basis = "read" if at_us == read_us else "past"
        return MeterEnd(**known, register_wh=read_wh, basis=basis, charge_micro=0)
    wh = stated.get(home.pk)
    basis = "expected" if wh is None else "stated"
    if wh is None:
        wh = expected_wh(
            day_wh=moves.mean_day_wh(
                cursor=cursor, book=book.pk, installation=home.pk, before_us=read_us, days=PACE_DAYS
            ),
            silent_us=at_us - read_us,
            max_power_w=home.meter.max_power_w,
            register_wh=read_wh,
            modulus_wh=home.meter.modulus_wh,
        )
    charge = _charge(book, home, head, at_us, wh, prices)
    return MeterEnd(**known, register_wh=wh, basis=basis, charge_micro=charge)


def _charge(
    book: Book, home: Installation, head: RegisterHead | None, at_us: int, register_wh: int, prices: Prices
) -> int:
    """What the use from the newest reading up to an instant costs, by the rating core."""
    newest = TariffPublication.objects.filter(plan=home.plan_id).order_by("-pk").first()
    if newest is None:
        return 0
    schedule = parse_schedule(newest.text)
    values = values_under(book=book, homes=[home], schedule=schedule)[home.pk]
    since_us = head.at_us if head else home.opened_us
    plan = prices.get((home.plan_id, values))
    if plan is None:
        plan = make_plan(plan=home.plan_id, schedule=schedule, values=values, since_us=since_us)
        prices[home.plan_id, values] = plan
    if head is None:
        state = opening_state(
            schedule=plan.schedule,
            at_us=home.opened_us,
            register_wh=home.opening_wh,
            counter_wh=home.opening_counter_wh,
        )
    else:
        state = RegisterState(
            at_us=head.at_us,
            register_wh=head.register_wh,
            counter_wh=head.counter_wh,
            window_us=head.window_us,
            carry_nano=head.carry_nano,
            carry_tax=head.carry_tax,
        )
    used = plan.schedule.grown(before=state.register_wh, after=register_wh, modulus=home.meter.modulus_wh)
    charge, _ = rate(table=plan.table, state=state, at_us=at_us, register_wh=register_wh, energy_wh=used)
    return charge.energy_micro + charge.standing_micro + charge.tax_micro
