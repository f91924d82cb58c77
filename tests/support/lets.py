"""Lets as the desk writes them down, and the clock of the poster's process that carries them on."""

from __future__ import annotations

import os
from typing import Any

from support.desk import Desk
from support.house import as_role
from support.moves import ask, clerk_of, follow

MARKET = """
fairwatt_tariff: 1
name: Market day
currency: GBP
zone: Europe/London
versions:
  - effective: 2013-01-01
    elements:
      - package: {name: day pass, per: day, price: "2.00", included: "5", beyond: "0.60"}
"""


SEASON = """
fairwatt_tariff: 1
name: Season
currency: GBP
zone: Europe/London
versions:
  - effective: 2013-01-01
    elements:
      - energy: {price: "0.60"}
"""


def publish_packages(desk: Desk) -> None:
    """A day's package and a price for merchants in the street's book."""
    from fairwatt.flows import provision

    with as_role("migrate"):
        for slug, text in (("market", MARKET), ("season", SEASON)):
            provision.publish_tariff(
                book_id=desk.street.book, slug=slug, name=slug, text=text, now_us=desk.street.opened_us
            )


def emptied(desk: Desk, *, now_us: int) -> tuple[int, int]:
    """Let the first home's resident move out at its newest reading; return (unit, the owner's account)."""
    from fairwatt.store.models import Wallet

    old = desk.street.wallets[0]
    fact = ask(desk, "out", wallet=old, at_us=now_us, now_us=now_us)
    follow(desk, now_us=now_us)
    return Wallet.objects.get(pk=old).unit_id, int(desk.fact(fact).result["new_wallet"])


def let(desk: Desk, unit: int, *, begin_us: int, end_us: int, now_us: int, **changes: Any) -> int:
    """Write a let down as the desk does; return its number."""
    from fairwatt.flows.plan_let import LetAsked, plan_let

    said: dict[str, Any] = {"merchant": "Li, noodles", **changes}
    asked = LetAsked(unit_id=unit, begin_us=begin_us, end_us=end_us, **said)
    with as_role("web"):
        return plan_let(
            book_id=desk.street.book,
            asked=asked,
            ticket=os.urandom(10).hex(),
            user_id=clerk_of(desk).pk,
            now_us=now_us,
        )


def tick(desk: Desk, *, now_us: int) -> None:
    """What falls due by the clock is raised and posted."""
    from fairwatt.flows.posting.flushing import CacheFlusher
    from fairwatt.flows.raise_due import raise_due

    flusher = CacheFlusher(state=desk.state)
    flusher.catch_up()
    flusher.flush(state=desk.state)
    raise_due(book_id=desk.street.book, now_us=now_us)
    follow(desk, now_us=now_us)


def state_of(desk: Desk, number: int) -> Any:
    """A let as it stands."""
    from django.db import connection, transaction

    from fairwatt.store import facts, lets

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=desk.street.book)
        return lets.let_of(cursor=cursor, book=desk.street.book, let=number)
