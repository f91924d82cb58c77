"""Lets in a scene, made by the real flows."""

from __future__ import annotations

import os

from support.house import as_role
from web.scene import DAY_US, MINUTE_US, NOW_US, Scene

MARKET = """
fairwatt_tariff: 1
name: Market day
currency: CNY
zone: Asia/Shanghai
versions:
  - effective: 2026-01-01
    elements:
      - package: {name: day pass, per: day, price: "20.00", included: "5", beyond: "1.20"}
"""


def publish_market(scene: Scene) -> None:
    """A tariff with a day's package."""
    from fairwatt.flows import provision

    with as_role("migrate"):
        provision.publish_tariff(
            book_id=scene.book, slug="market", name="Market day", text=MARKET, now_us=NOW_US
        )


def let_of(scene: Scene) -> int:
    """A let of the last home's unit, far ahead: written down as it is, whoever lives there; return its number."""
    from django.db import connection, transaction

    from fairwatt.store import facts, lets
    from fairwatt.store.models import Wallet

    unit = Wallet.objects.get(pk=scene.wallets[-1]).unit_id
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=scene.book)
        new = lets.NewLet(
            book=scene.book,
            unit=unit,
            begin_us=NOW_US + 90 * DAY_US,
            end_us=NOW_US + 91 * DAY_US,
            merchant="Li, noodles",
            settle="window",
            ticket=os.urandom(10).hex(),
            author=scene.operator.pk,
        )
        return lets.add_let(cursor=cursor, new=new, now_us=NOW_US)


def emptied(scene: Scene, n: int = 0) -> int:
    """Let the n-th home's resident move out at its newest reading; return the unit."""
    from fairwatt.flows.move_home import MoveAsked, ask_move
    from fairwatt.store.models import Wallet

    unit = int(Wallet.objects.get(pk=scene.wallets[n]).unit_id)
    ask_move(
        book_id=scene.book,
        asked=MoveAsked(kind="out", unit_id=unit, at_us=NOW_US - 10 * MINUTE_US),
        user_id=scene.operator.pk,
        now_us=NOW_US,
        entropy=os.urandom(10),
    )
    settle(scene)
    return unit


def settle(scene: Scene, *, now_us: int = NOW_US) -> None:
    """Let the clock and the poster of the scene come to rest."""
    from fairwatt.flows.raise_due import raise_due

    with as_role("poster"):
        raise_due(book_id=scene.book, now_us=now_us)
    for _ in range(4):
        scene.post(now_us=now_us)
