"""Whose home a door was, and when: what a judge holds each account against where homes changed hands."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, replace

from fairwatt.simulate.estate import Door, Paid
from fairwatt.simulate.eyes import Happened, LedgerLine
from fairwatt.simulate.figures import MOVED
from fairwatt.simulate.movers import Moved
from fairwatt.simulate.oracle import Opening, register_at
from fairwatt.simulate.rollbacks import forgets
from fairwatt.simulate.scenario import REGISTER_MODULUS_WH
from fairwatt.simulate.street import Street


@dataclass(frozen=True, kw_only=True)
class Stay:
    """One account's time at a door. `closing` is the meter where it ended; `gone`: its person left for good."""

    door: Door
    wallet: int
    opening: Opening
    shown: tuple[tuple[int, int], ...]
    """every register it is charged by, the one at its end too"""
    paid: tuple[Paid, ...]
    gone: bool = False
    moved: bool = False
    installation: int = 0
    """which of the wallet's lines are about this stay; 0: all of them. An owner has one account for all empty homes"""

    def of(self, lines: list[LedgerLine]) -> list[LedgerLine]:
        """The lines of this stay."""
        return [x for x in lines if x.wallet == self.wallet and self.installation in (0, x.ref)]


def move_of(street: Street, door: Door) -> Moved | None:
    """The move that was carried out at a door, from one household to the next."""
    return next((m for m in street.movers.moved if m.door is door and m.new_wallet and m.back_us), None)


def lies_of(street: Street, door: Door) -> set[tuple[int, int]]:
    """Registers of a door's meter that cannot be true."""
    moved = move_of(street, door)
    before = moved.old_account.refused if moved is not None and moved.old_account is not None else ()
    return {*door.account.refused, *before}


async def find_moves(street: Street) -> None:
    """Ask the product which installation was the owner's between two households."""
    for moved in street.movers.moved:
        moved.owner_installation = await street.eyes.number(
            "SELECT coalesce(max(new_installation), 0) FROM changeover WHERE book = %(book)s AND fact = %(fact)s",
            fact=moved.facts[0],
        )


def stays_of(street: Street, door: Door) -> list[Stay]:
    """The accounts of a door in their order: one, or who left, the owner's, and who came."""
    shown = [
        (e.at_us, e.register_wh)
        for e in door.meter.emitted
        if not forgets(scenario=street.scenario, gateway=door.home.gateway, at_us=e.at_us)
    ]
    first, moved = door.home.opening, move_of(street, door)
    if moved is None:
        return [Stay(door=door, wallet=door.wallet, opening=first, shown=tuple(shown), paid=tuple(door.paid))]
    true = [one for one in shown if one not in lies_of(street, door)]
    out, came = (
        Opening(at_us, register_at(shown=true, before=first, at_us=at_us, modulus_wh=REGISTER_MODULUS_WH))
        for at_us in (moved.out_us, moved.in_us)
    )
    return [
        Stay(
            door=door,
            wallet=moved.old_wallet,
            opening=first,
            shown=(*(one for one in shown if one[0] < out.at_us), (out.at_us, out.register_wh)),
            paid=tuple(moved.old_paid),
            gone=True,
            moved=True,
        ),
        Stay(
            door=door,
            wallet=moved.owner_wallet,
            opening=out,
            shown=(
                *(one for one in shown if out.at_us < one[0] < came.at_us),
                (came.at_us, came.register_wh),
            ),
            paid=(),
            moved=True,
            installation=moved.owner_installation,
        ),
        Stay(
            door=door,
            wallet=moved.new_wallet,
            opening=came,
            shown=tuple(one for one in shown if one[0] > came.at_us),
            paid=tuple(door.paid),
            moved=True,
        ),
    ]


def supplied(street: Street, door: Door, events: list[Happened]) -> list[tuple[Door, list[Happened]]]:
    """A door as each account supplied it, with what happened to it then.

    A gateway without a line goes on by the grant of who left, also where another lives there by now: until the line
    is back, and at that instant for what it did before it heard.
    """
    moved = move_of(street, door)
    if moved is None or moved.old_account is None:
        return [(door, [e for e in events if e.wallet == door.wallet])]
    wallets, back_us = {moved.old_wallet, moved.owner_wallet, moved.new_wallet}, moved.back_us
    alone = [
        e for e in events if e.wallet in wallets and e.kind.startswith("gateway.") and e.at_us <= back_us
    ]
    trips = {e.at_us for e in alone if e.kind == "gateway.local_trip"}

    def unheard(at_us: int, closed: bool) -> bool:
        return at_us < back_us or (at_us == back_us and not closed and at_us in trips)

    before, after = copy(door.meter), copy(door.meter)
    before.moves = [m for m in door.meter.moves if unheard(m.at_us, m.closed)]
    after.moves = [m for m in door.meter.moves if not unheard(m.at_us, m.closed)]
    before.emitted = [e for e in door.meter.emitted if e.at_us < back_us]
    after.emitted = [e for e in door.meter.emitted if e.at_us >= back_us]
    old_account = copy(moved.old_account)
    for emitted in after.emitted:
        if emitted.at_us == back_us:
            old_account.read(at_us=back_us, register_wh=emitted.register_wh)
    costs = {**moved.old_costs, back_us: old_account.total.amount_micro}
    left = replace(
        door,
        meter=before,
        wallet=moved.old_wallet,
        paid=moved.old_paid,
        costs=costs,
        account=moved.old_account,
    )
    came = replace(door, meter=after)
    ours = [e for e in events if e.wallet == moved.old_wallet and not e.kind.startswith("gateway.")]
    theirs = [e for e in events if e.wallet == moved.new_wallet and e not in alone]
    return [(left, sorted([*ours, *alone], key=lambda e: e.id)), (came, theirs)]


async def judge_moves(street: Street, figures: Counter[str], broken: list[str]) -> None:
    """Every register at a move is known by now, who left is settled, and what was left of her credit is owed to her."""
    for plan in street.scenario.moves:
        moved = next((m for m in street.movers.moved if m.plan == plan and m.new_wallet and m.back_us), None)
        if moved is None:
            figures["moves_not_settled"] += 1
            broken.append(f"home {plan.home}: nobody moved, although the scenario says so")
            continue
        figures["moves_while_offline"] += 1
        known = await street.eyes.number(
            "SELECT count(*) FROM changeover c JOIN changeover_known k ON k.changeover = c.id "
            "WHERE c.book = %(book)s AND c.fact = ANY(%(facts)s)",
            facts=moved.facts,
        )
        figures["moves_trued_up"] += known
        unpaid = await street.eyes.number(
            "SELECT (SELECT coalesce(sum(-amount_micro), 0) FROM line WHERE book = %(book)s AND wallet = %(left)s "
            f"AND kind = {MOVED}) - (SELECT coalesce(sum(amount_micro), 0) FROM refund_wish "
            "WHERE book = %(book)s AND wallet = %(left)s)",
            left=moved.old_wallet,
        )
        settled = await street.eyes.number(
            "SELECT count(*) FROM event WHERE book = %(book)s AND kind = 'move.settled' AND wallet = %(left)s",
            left=moved.old_wallet,
        )
        if unpaid or not settled or moved.provisional != known:
            figures["moves_not_settled"] += 1
            broken.append(
                f"home {plan.home}: {known} of {moved.provisional} registers of its move are known, "
                f"settled {settled} times, {unpaid} micro-units of what was left are owed to nobody"
            )
