"""What a home's use is counted in: the unit its tariff prices, litres of a m³ or watt-hours of a kWh."""

from __future__ import annotations

from functools import lru_cache

from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.units import UNIT_WORDS, Unit
from fairwatt.store.models import Installation, TariffPublication


def unit_of_wallet(*, wallet: int) -> Unit:
    """The unit of the tariff of a wallet's newest meter; kWh where it has none that can be read."""
    plans = Installation.objects.filter(wallet=wallet).order_by("-opened_us", "-pk").values("plan_id")[:1]
    newest = TariffPublication.objects.filter(plan_id__in=plans).order_by("-id").first()
    return "kWh" if newest is None else _unit(newest.text)


def words_of_book(*, book: int) -> str:
    """How people read the units of a book's homes: one, or both where its tariffs price kWh and m³."""
    newest = TariffPublication.objects.filter(plan__book=book).order_by("plan_id", "-pk").distinct("plan_id")
    units = {_unit(row.text) for row in newest}
    return " / ".join(word for unit, word in UNIT_WORDS.items() if unit in units) or UNIT_WORDS["kWh"]


def counted_in_kwh(*, site: int) -> set[int]:
    """The installations of a site whose tariffs price kWh: energies of these may be added up, others are litres."""
    plans = Installation.objects.filter(unit__site=site).values_list("id", "plan_id")
    newest = TariffPublication.objects.filter(plan_id__in={plan for _, plan in plans})
    units = {row.plan_id: _unit(row.text) for row in newest.order_by("plan_id", "-pk").distinct("plan_id")}
    return {installation for installation, plan in plans if units.get(plan, "kWh") == "kWh"}


@lru_cache(maxsize=256)
def _unit(text: str) -> Unit:
    try:
        return parse_schedule(text).unit
    except TariffError:
        return "kWh"
