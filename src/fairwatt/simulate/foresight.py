"""Warned days ahead: a rule about days, a look ahead every night, and how long before a cut the first warning came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from fairwatt.core.units import US_PER_HOUR
from fairwatt.simulate.patience import persistent

if TYPE_CHECKING:
    from fairwatt.simulate.eyes import Happened
    from fairwatt.simulate.street import Street

AHEAD_DAYS: Final = 3
BY_FORECAST: Final = "credit.forecast"
_LOOK_US: Final = 4 * US_PER_HOUR
"""Local time of the nightly look: by then what the day before used is in the books."""


@dataclass(frozen=True, slots=True)
class Told:
    """A first warning that named days, and what came of it: the power went off, money came, or neither yet."""

    wallet: int
    warned_us: int
    cut_us: int | None = None
    open: bool = True


class Foresight:
    """Writes the rule down on the first day, and looks ahead each night, as the keeper of an installation does."""

    def __init__(self, *, street: Street) -> None:
        self._street = street
        self.everybody = False
        """whether all homes of the book are warned so, and not only the one the scenario names"""

    async def act(self, tick: int) -> bool:
        """What is due at this tick; True when the poster has to read something for it."""
        street = self._street
        home, now_us = street.scenario.foreseen, street.now_us()
        if home is None:
            return False
        local = street.tariff.local(now_us)
        wallet = None if self.everybody else street.doors[home].wallet
        if tick == 1:
            await street.as_web(partial(persistent, partial(_write_rule, street.book, wallet, now_us)))
            return True
        if local.hour * US_PER_HOUR != _LOOK_US or local.minute:
            return False
        look = partial(_look, street.book, wallet, now_us)
        return await street.as_web(partial(persistent, look)) > 0


def told_of(events: Iterable[Happened]) -> list[Told]:
    """Every first warning that named days, in its order, with the cut that came of it."""
    told: list[Told] = []
    standing: dict[int, int] = {}
    for event in events:
        wallet = event.wallet
        if wallet is None:
            continue
        if event.kind in ("payment.credited", "credit.recovered"):
            if (n := standing.pop(wallet, None)) is not None:
                told[n] = replace(told[n], open=False)
        elif event.kind.startswith("warning.") and event.rule == BY_FORECAST and wallet not in standing:
            standing[wallet] = len(told)
            told.append(Told(wallet, event.at_us))
        elif event.kind in ("supply.cut", "gateway.local_trip") and wallet in standing:
            n = standing.pop(wallet)
            told[n] = replace(told[n], cut_us=event.at_us, open=False)
    return told


def _write_rule(book: int, wallet: int | None, now_us: int) -> None:
    """An administrator writes down that people are told days ahead; a street that has the rule keeps it."""
    from django.db import connection, transaction

    from fairwatt.flows.credit_rules import write_rule
    from fairwatt.store import credit_rules, facts
    from fairwatt.store.credit_rules import NewRule
    from fairwatt.store.models import Book, Role, User

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        if credit_rules.rules_of_book(cursor=cursor, book=book):
            return
    organisation = Book.objects.get(pk=book).organisation_id
    manager = User.objects.filter(organisation=organisation, role=Role.ADMIN).order_by("pk")[0]
    new = NewRule(
        book=book,
        kind="terms",
        wallet=wallet,
        from_us=now_us,
        body=f"fairwatt_credit: 1\nwarn: {{days: {AHEAD_DAYS}}}\n",
        words="Nobody learns of an empty account the day it is empty.",
        author=manager.pk,
    )
    write_rule(new=new, now_us=now_us)


def _look(book: int, wallet: int | None, now_us: int) -> int:
    from fairwatt.flows.forecasting import forecast_book, forecast_night

    if wallet is None:
        found = forecast_night(book_id=book, now_us=now_us)
        return 0 if found is None else found.levels_moved
    return forecast_book(book_id=book, now_us=now_us, because="night", wallets=[wallet]).levels_moved
