"""A cash desk in the scene: a shift that is open, and a payment with its receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from support.house import as_role
from web.scene import NOW_US, Scene

HOME = 30


@dataclass(frozen=True)
class Window:
    """What stands at the window of a scene."""

    desk: int
    shift: int
    code: str
    number: int


def at_the_window(scene: Scene, *, name: str = "Lobby", cashier: Any = None, home: int = HOME) -> Window:
    """Set a desk up, open a shift and take five for a home in the middle of the building."""
    from django.db import connection

    from fairwatt.flows.cash_desk import Taken, open_shift, take_money
    from fairwatt.flows.provision import set_cash_desk
    from fairwatt.store import cash_desk
    from fairwatt.web.access import Scope, seeing

    who = cashier or scene.operator
    with as_role("migrate"):
        set_cash_desk(
            book_id=scene.book, name=name, taking_most_minor=500_00, day_most_minor=5_000_00, now_us=NOW_US
        )
    with seeing(scope=Scope(books=(scene.book,))), connection.cursor() as cursor:
        (desk,) = [one.desk for one in cash_desk.desks(cursor=cursor, book=scene.book) if one.name == name]
    shift = open_shift(
        book_id=scene.book,
        desk_id=desk,
        float_minor=100_00,
        user_id=who.pk,
        ticket=f"{desk:032x}",
        now_us=NOW_US,
    )
    scene.post(now_us=NOW_US)
    taken = Taken(
        wallet_id=scene.wallets[home], tender="cash", amount_minor=5_00, ticket=f"{desk + 10**6:032x}"
    )
    fact = take_money(book_id=scene.book, taken=taken, user_id=who.pk, now_us=NOW_US)
    scene.post(now_us=NOW_US)
    with seeing(scope=Scope(books=(scene.book,))), connection.cursor() as cursor:
        paper = cash_desk.receipt_of(cursor=cursor, book=scene.book, fact=fact)
    assert paper is not None
    return Window(desk=desk, shift=shift, code=paper.code, number=paper.number)
