"""People who leave a home and come into it while its gateway has no line: what the desk does, and what they pay."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fairwatt.simulate.estate import MAX_POWER_W, Door, Gate, Paid
from fairwatt.simulate.moves import LEFT_BEFORE_US, PlannedMove
from fairwatt.simulate.oracle import Account, Opening, Tariff, register_at
from fairwatt.simulate.patience import persistent
from fairwatt.simulate.residents import Habit
from fairwatt.simulate.scenario import REGISTER_MODULUS_WH, Home

if TYPE_CHECKING:
    from fairwatt.simulate.street import Street

ANSWER_S: Final = 60.0


class MoveFailed(RuntimeError):
    """The product did not let a home change hands that could, or did not answer at all."""


@dataclass(slots=True)
class Moved:
    """A home that changed hands: whose it was when, and what was known of who left when the line came back."""

    plan: PlannedMove
    door: Door
    out_us: int
    old_wallet: int
    owner_wallet: int
    provisional: int
    """registers that nobody had read at the move"""
    old_paid: list[Paid]
    facts: list[int]
    """what the desk asked for: the leaving, and the coming"""
    in_us: int = 0
    new_wallet: int = 0
    owner_installation: int = 0
    back_us: int = 0
    """when the line came back: until then the gateway counted by the grant of who left"""
    old_account: Account | None = None
    old_costs: dict[int, int] = field(default_factory=dict)


class Movers:
    """Carries out the moves of a street's scenario."""

    def __init__(self, *, street: Street) -> None:
        self._street = street
        self.newcomers: Mapping[int, str] = {}
        """By home the user name of who comes, where people sign in."""
        self.moved: list[Moved] = []

    async def act(self, tick: int) -> bool:
        """Who leaves and who comes at this tick; True when somebody did."""
        acted = False
        for plan in self._street.scenario.moves:
            if plan.out_tick == tick:
                await self._leave(plan, tick)
                acted = True
            if plan.in_tick == tick:
                await self._come(plan, tick)
                acted = True
        return acted

    def back(self, gate: Gate) -> None:
        """The line is back: from now on the gateway is told by whose credit its homes are lit."""
        for moved in self.moved:
            door = moved.door
            if moved.back_us or not moved.new_wallet or door.home.gateway != gate.index:
                continue
            moved.back_us = self._street.now_us()
            moved.old_account, moved.old_costs = door.account, door.costs
            lies = set(door.account.refused)
            shown = [(e.at_us, e.register_wh) for e in door.meter.emitted[: door.heard]]
            shown = [one for one in shown if one not in lies]
            opening = opening_at(shown, at_us=moved.in_us, before=door.home.opening)
            door.account, door.lived, door.woken = (
                _account(self._street.tariff, opening, shown) for _ in range(3)
            )
            door.costs = {}

    async def _leave(self, plan: PlannedMove, tick: int) -> None:
        door, now_us = self._street.doors[plan.home], self._street.now_us()
        out_us = now_us - LEFT_BEFORE_US
        fact, told = await self._ask(door, kind="out", wallet=door.wallet, at_us=out_us, users=())
        self.moved.append(
            Moved(
                plan=plan,
                door=door,
                out_us=out_us,
                old_wallet=door.wallet,
                owner_wallet=told["new_wallet"],
                provisional=told["provisional"],
                old_paid=door.paid,
                facts=[fact],
            )
        )
        door.wallet, door.paid = told["new_wallet"], []
        door.home = home_at(door.home, plan=plan, tick=tick)

    async def _come(self, plan: PlannedMove, tick: int) -> None:
        door, now_us = self._street.doors[plan.home], self._street.now_us()
        name = self.newcomers.get(plan.home)
        fact, told = await self._ask(
            door, kind="in", wallet=door.wallet, at_us=now_us, users=() if name is None else (name,)
        )
        for moved in self.moved:
            if moved.plan == plan:
                moved.in_us, moved.new_wallet = now_us, told["new_wallet"]
                moved.provisional += told["provisional"]
                moved.facts.append(fact)
        door.wallet, door.paid = told["new_wallet"], []
        door.home = home_at(door.home, plan=plan, tick=tick)
        await self._street.top_up(door, door.home.opening_micro // 10_000)
        door.warned_at_us, door.last_paid_us = None, now_us

    async def _ask(self, door: Door, **asked: Any) -> tuple[int, dict[str, Any]]:
        """Ask as the desk does, and wait for the poster's word. Raises MoveFailed."""
        street = self._street
        fact = await street.as_web(
            partial(persistent, partial(_ask, street.book, door.label, street.now_us(), asked))
        )
        answer = await street.as_web(partial(persistent, partial(_answer, street.book, fact)))
        if answer is None:
            raise MoveFailed(f"home {door.home.index}: no answer to the move within {ANSWER_S:.0f} s")
        state, result = answer
        if state != "posted":
            raise MoveFailed(f"home {door.home.index}: the move was refused: {result}")
        return fact, result


def home_at(home: Home, *, plan: PlannedMove, tick: int) -> Home:
    """The home with who lives there at a tick: nobody pays for an empty one, and who comes has habits of their own."""
    if tick < plan.out_tick:
        return home
    who = home.resident
    if tick < plan.in_tick:
        return replace(home, resident=replace(who, habit=Habit.AWAY))
    return replace(home, resident=replace(who, home=f"{home.series.home}, next", habit=Habit.EVENING))


def opening_at(shown: list[tuple[int, int]], *, at_us: int, before: Opening) -> Opening:
    """Where an account begins that takes over a meter at an instant: its register then, and counters anew."""
    register_wh = register_at(shown=shown, before=before, at_us=at_us, modulus_wh=REGISTER_MODULUS_WH)
    return Opening(at_us, register_wh)


def _account(tariff: Tariff, opening: Opening, shown: list[tuple[int, int]]) -> Account:
    account = Account(tariff, opening, REGISTER_MODULUS_WH, MAX_POWER_W)
    for at_us, register_wh in shown:
        if at_us > opening.at_us:
            account.read(at_us=at_us, register_wh=register_wh)
    return account


def _ask(book: int, label: str, now_us: int, asked: dict[str, Any]) -> int:
    """The fact of a move: the one the book holds already, or a new one."""
    from django.db import connection, transaction

    from fairwatt.core.ids import move_key
    from fairwatt.flows.move_home import Coming, MoveAsked, ask_move
    from fairwatt.store import facts
    from fairwatt.store.models import Book, Fact, Role, Unit, User

    unit = Unit.objects.get(site__book=book, label=label)
    key = move_key(unit=unit.pk, wallet=asked["wallet"], at_us=asked["at_us"])
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        known = Fact.objects.filter(book=book, kind="move", natural_key=key).values_list("pk", flat=True)
        if known:
            return int(known[0])
    organisation = Book.objects.get(pk=book).organisation_id
    clerk = User.objects.filter(organisation=organisation, role=Role.OPERATOR).order_by("pk")[0]
    # A street that an earlier release made has nobody who could come; then the home has an account alone.
    known_users = User.objects.filter(username__in=asked["users"]).values_list("username", flat=True)
    return ask_move(
        book_id=book,
        asked=MoveAsked(
            kind=asked["kind"],
            unit_id=unit.pk,
            at_us=asked["at_us"],
            wallet=asked["wallet"],
            coming=Coming(users=tuple(known_users)),
            reason="The gateway has no line; the meter will tell.",
        ),
        user_id=clerk.pk,
        now_us=now_us,
        entropy=os.urandom(10),
    )


def _answer(book: int, fact: int) -> tuple[str, dict[str, Any]] | None:
    from fairwatt.flows.move_home import move_answer
    from fairwatt.store.models import Book

    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        told = move_answer(book=Book.objects.get(pk=book), fact_id=fact)
        if told is not None and told.state != "waiting":
            return told.state, dict(told.result)
        time.sleep(0.01)
    return None
