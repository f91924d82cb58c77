"""A package that had begun when an account opened: its price fell due before, so no use of the account pays it."""

from __future__ import annotations

from dataclasses import dataclass

from fairwatt.core.rating.bill import bill
from fairwatt.core.rating.day_prices import DayPrices
from fairwatt.core.rating.model import Schedule
from fairwatt.core.spans import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What an account owes for the package it opened in; micro-units, the taxes on it beside it."""

    name: str
    start_us: int
    net_micro: int
    tax_micro: int


def package_begun_before(*, schedule: Schedule, at_us: int) -> Begun | None:
    """The package that prices an instant, if it fell due earlier; ``None`` where none does, or it begins there.

    Raises ``NoTariff`` where no version is in force.
    """
    version = schedule.versions[schedule.version_index_at(at_us=at_us)]
    found = DayPrices(schedule=schedule).package_at(version, at_us)
    if found is None or found[1] >= at_us or not found[0].price_micro:
        return None
    package, start_us = found
    # A price falls due an instant behind the beginning: so short a bill holds it, and what lies on it, alone.
    due = bill(schedule=schedule, readings=[(start_us + 2, 0)], span=Span(start_us, start_us + 2))
    return Begun(
        name=package.name,
        start_us=start_us,
        net_micro=due.wallet_micro - due.tax_micro,
        tax_micro=due.tax_micro,
    )
