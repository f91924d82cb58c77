"""A home changes hands: one installation ends, the next begins at the same register, and each is charged its own part.

The fact says who leaves, who comes, and when; whoever wrote it is not trusted, so who acted and what is at work in the
home is looked up here. Where the meter was not read at that instant, what was used up to it is expected from the days
before and marked so: the meter's next readings settle both accounts (truing.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from fairwatt.core.ids import uuid7
from fairwatt.flows.posting.ending import ask_to_settle
from fairwatt.flows.posting.exchanging import post_exchange
from fairwatt.flows.posting.leaving import (
    Left,
    MoveRefused,
    MoveWaits,
    end_readings,
    leave,
    note_change,
)
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store import credit_rules, lets, moves
from fairwatt.store.moves import Change
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.wire.records import Relay

_SETTLES: Final = ("window", "source")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a fact asks for."""

    kind: str
    unit: int
    wallet: int
    """who has the home until then"""
    at_us: int
    author: int
    reason: str
    entropy: bytes
    settle: str = "window"
    users: tuple[int, ...] = ()
    policy: int | None = None
    protected: bool = False
    stated: Mapping[int, int] = field(default_factory=dict)
    """installation -> register that a person read"""
    members: tuple[int, ...] = ()
    """who of the users only sees and fills the account"""
    plan: int | None = None
    """the tariff of who comes; None: that of the meter, as it was before a let"""


def post_move(bench: Bench, about: Mapping[str, Any]) -> PostedFacts:
    """Let a home change hands, or refuse by name."""
    try:
        with transaction.atomic():
            if about.get("kind") == "exchange":
                return post_exchange(bench, about)
            if about.get("kind") == "transfer":
                return _transferred(bench, about)
            return change_hands(bench, _checked(bench, _asked(about)))
    except MoveWaits:
        return PostedFacts(reload=True, more=True)
    except MoveRefused as error:
        return refuse_fact(bench, error.code, str(error))


def _transferred(bench: Bench, about: Mapping[str, Any]) -> PostedFacts:
    """One person leaves a home for another, and the balance goes along, whichever sign it has."""
    match about:
        case {"to_unit": int(to_unit), "to_wallet": int(to_wallet)}:
            leaving = _checked(bench, _asked({**about, "kind": "out"}))
        case _:
            raise MoveRefused("unknown_kind", "the content of this move is not what such a fact says")
    if to_unit == leaving.unit:
        raise MoveRefused("same_home", "a transfer leads to another home")
    terms = moves.terms_of(cursor=bench.cursor, wallet=leaving.wallet)
    coming = replace(
        leaving,
        kind="in",
        unit=to_unit,
        wallet=to_wallet,
        users=tuple(moves.living(cursor=bench.cursor, wallet=leaving.wallet)),
        members=tuple(moves.members(cursor=bench.cursor, wallet=leaving.wallet)),
        policy=terms[0],
        protected=terms[1],
        stated={int(home): wh for home, wh in about.get("to_stated", {}).items() if type(wh) is int},
    )
    entered = change_hands(bench, coming)
    account = int(entered.answers[0].result["new_wallet"])
    out = change_hands(bench, leaving, to_wallet=account)
    carried = credit_rules.carry_rules(
        cursor=bench.cursor, book=bench.state.book, wallet=leaving.wallet, to_wallet=account
    )
    result = {
        **out.answers[0].result,
        "kind": "transfer",
        "to_account": account,
        "rules_carried": carried,
    }
    result["provisional"] += entered.answers[0].result["provisional"]
    out.answers = [FactAnswer(fact=bench.fact, state="posted", result=result)]
    entered.answers = []
    out.add(entered)
    return out


def _asked(about: Mapping[str, Any]) -> Asked:
    match about:
        case {
            "kind": "out" | "in" | "change" as kind,
            "unit": int(unit),
            "wallet": int(wallet),
            "at_us": int(at_us),
            "author": int(author),
            "entropy": str(entropy),
        }:
            asked = Asked(
                kind=str(kind),
                unit=unit,
                wallet=wallet,
                at_us=at_us,
                author=author,
                reason=str(about.get("reason", "")),
                entropy=entropy.encode(),
            )
        case _:
            raise MoveRefused("unknown_kind", "the content of this move is not what such a fact says")
    users, stated = about.get("users", []), about.get("stated", {})
    policy, settle = about.get("policy"), about.get("settle", "window")
    sane = isinstance(users, list) and all(type(user) is int for user in users) and settle in _SETTLES
    sane = sane and isinstance(stated, dict) and all(type(wh) is int for wh in stated.values())
    if not (sane and (policy is None or type(policy) is int) and len(asked.entropy) >= 16):
        raise MoveRefused("unknown_kind", "the content of this move is not what such a fact says")
    return replace(
        asked,
        users=tuple(users),
        policy=policy,
        settle=str(settle),
        protected=about.get("protected") is True,
        stated={int(home): wh for home, wh in stated.items()},
    )


def _checked(bench: Bench, asked: Asked) -> Asked:
    if moves.clerk(cursor=bench.cursor, book=bench.state.book, user=asked.author) is None:
        raise MoveRefused("not_authorised", "only operators and administrators of the book's organisation")
    return asked


def change_hands(bench: Bench, asked: Asked, to_wallet: int | None = None) -> PostedFacts:
    """Let the meters of a home go on for another account; who asked for it was looked up before.

    Raises MoveRefused, and MoveWaits where the next batch can do it.
    """
    cursor, book = bench.cursor, bench.state.book
    owners = moves.owners_wallet(cursor=cursor, unit=asked.unit)
    homes = _homes(bench, asked, owners)
    left = [
        leave(bench=bench, installation=home, at_us=asked.at_us, stated=asked.stated.get(home))
        for home in homes
    ]
    wallet_ix = bench.state.wallet_index[asked.wallet]
    coming = _coming(bench, asked, owners)
    out = PostedFacts(reload=True, regrant={coming})
    changes = [_go_on(bench, asked, one, coming) for one in left]
    for one in left:
        out.left.add(one.register)
        if one.line is not None:
            out.lines.append(one.line)
            out.wallet_ix.append(wallet_ix)
            out.registers_moved.append((one.register, one.state))
    going_over = [one for one in left if one.before_head]
    for one in going_over:
        end_readings(bench=bench, one=one, wallet=asked.wallet)
    out.more |= bool(going_over)
    if asked.wallet != owners:
        _end(bench, asked, to_wallet)
    if asked.wallet != owners and not going_over:
        out.more |= ask_to_settle(
            cursor=cursor, book=book, wallet=asked.wallet, batch=None, now_us=bench.now_us
        )
    if asked.kind != "out":
        for user in asked.users:
            role = "member" if user in asked.members else "owner"
            moves.begin_tenancy(cursor=cursor, wallet=coming, user=user, at_us=asked.at_us, role=role)
        if _dark(bench, wallet_ix, left):
            out.events.append(_event(bench, "supply.taken_over", coming, {"at_us": asked.at_us}))
    moves.set_vacant(cursor=cursor, unit=asked.unit, vacant=asked.kind == "out")
    result: dict[str, Any] = {
        "kind": asked.kind,
        "old_wallet": asked.wallet,
        "new_wallet": coming,
        "at_us": asked.at_us,
        "changeovers": changes,
        "provisional": sum(one.basis == "estimated" for one in left),
    }
    bases = {str(one.installation): one.basis for one in left}
    evidence = {"fact": bench.fact, "author": asked.author, "bases": bases, **result}
    ended = "move.vacancy_ended" if asked.wallet == owners else "move.left"
    out.events.append(_event(bench, ended, asked.wallet, evidence))
    if asked.kind != "out":
        out.events.append(_event(bench, "move.came", coming, evidence))
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def _homes(bench: Bench, asked: Asked, owners: int | None) -> list[int]:
    """The installations that change hands: those at work in the unit, if they are whose the fact says."""
    if not 0 < asked.at_us <= bench.now_us:
        raise MoveRefused("future_instant", "a home changes hands when the instant has come, not before")
    at_work = moves.at_home(cursor=bench.cursor, book=bench.state.book, unit=asked.unit)
    mine = [home for home, wallet, _ in at_work if wallet == asked.wallet]
    if not mine:
        raise MoveRefused("overtaken", "the home was not that account's any more when this was posted")
    if len(mine) < len(at_work):
        raise MoveRefused("shared_home", "more than one account has meters in this home; end them one by one")
    if (asked.kind == "in") != (asked.wallet == owners):
        raise MoveRefused(
            "overtaken",
            "only who lives in a home moves out of it, and only into an empty one moves anybody in",
        )
    if any(opened >= asked.at_us for _, _, opened in at_work):
        raise MoveRefused("before_installation", "the account began after that instant")
    if unknown := set(asked.stated) - set(mine):
        raise MoveRefused("unknown_installation", f"no meter of this home has the number {min(unknown)}")
    return mine


def _coming(bench: Bench, asked: Asked, owners: int | None) -> int:
    """The account that has the home from now on: a new one, or the owner's."""
    cursor = bench.cursor
    if asked.kind == "out":
        if owners is not None:
            return owners
        policy, _ = moves.terms_of(cursor=cursor, wallet=asked.wallet)
        made = moves.open_wallet(
            cursor=cursor,
            book=bench.state.book,
            unit=asked.unit,
            policy=policy,
            protected=True,
            public_id=_public_id(bench, asked, b"owner"),
            at_us=asked.at_us,
        )
        moves.make_owners_wallet(cursor=cursor, unit=asked.unit, wallet=made)
        return made
    policy = asked.policy or moves.terms_of(cursor=cursor, wallet=asked.wallet)[0]
    if not moves.is_policy(cursor=cursor, book=bench.state.book, policy=policy):
        raise MoveRefused("unknown_policy", f"this book has no credit policy {policy}")
    if moves.residents(cursor=cursor, users=asked.users) != set(asked.users):
        raise MoveRefused("unknown_resident", "one of the people is no resident who may sign in")
    return moves.open_wallet(
        cursor=cursor,
        book=bench.state.book,
        unit=asked.unit,
        policy=policy,
        protected=asked.protected,
        public_id=_public_id(bench, asked, b"resident"),
        at_us=asked.at_us,
    )


def _public_id(bench: Bench, asked: Asked, purpose: bytes) -> UUID:
    entropy = sha256(purpose + b":" + str(bench.fact).encode() + b":" + asked.entropy).digest()
    return uuid7(now_us=bench.now_us, entropy=entropy)


def _go_on(bench: Bench, asked: Asked, one: Left, coming: int) -> int:
    """Close an installation and go on with its meter; return the number of the change."""
    cursor = bench.cursor
    _, _, before_let = lets.plan_before(cursor=cursor, installation=one.installation)
    moves.close_installation(cursor=cursor, installation=one.installation, at_us=asked.at_us)
    begun = moves.open_installation(
        cursor=cursor,
        like=one.installation,
        plan=asked.plan or before_let,
        wallet=coming,
        at_us=asked.at_us,
        opening_wh=one.state.register_wh,
        opening_counter_wh=0,
    )
    change = Change(
        kind=asked.kind,
        unit=asked.unit,
        at_us=asked.at_us,
        old_installation=one.installation,
        new_installation=begun,
        old_wallet=asked.wallet,
        new_wallet=coming,
        left=one.state,
        basis=one.basis,
    )
    return note_change(bench=bench, change=change, author=asked.author, reason=asked.reason)


def _end(bench: Bench, asked: Asked, to_wallet: int | None) -> None:
    """The account of who leaves has no home any more."""
    moves.end_tenancies(cursor=bench.cursor, wallet=asked.wallet, at_us=asked.at_us)
    moves.add_end(
        cursor=bench.cursor,
        book=bench.state.book,
        batch=bench.state.last_batch + 1,
        fact=bench.fact,
        wallet=asked.wallet,
        at_us=asked.at_us,
        settle=asked.settle if to_wallet is None else "transfer",
        to_wallet=to_wallet,
        author=asked.author,
        now_us=bench.now_us,
    )


def _dark(bench: Bench, wallet_ix: int, left: Sequence[Left]) -> bool:
    """True for a home that was cut for credit, or may be before this is heard: credit of who comes closes it again."""
    if bench.state.wallets["cut_by_credit"][wallet_ix]:
        return True
    rows = bench.registers.rows
    return any(
        rows["relay"][one.register] == Relay.OPEN
        or (rows["relay"][one.register] == Relay.UNKNOWN and _came_dark(bench, wallet_ix, one))
        for one in left
        if not rows["safety_open"][one.register]
    )


def _came_dark(bench: Bench, wallet_ix: int, one: Left) -> bool:
    """True where nothing was heard of a meter since the account before had been cut."""
    wallet = int(bench.state.wallets["wallet"][wallet_ix])
    before = moves.account_before(
        cursor=bench.cursor, book=bench.state.book, wallet=wallet, installation=one.installation
    )
    ix = None if before is None else bench.state.wallet_index.get(before)
    return ix is not None and bool(bench.state.wallets["cut_by_credit"][ix])


def _event(bench: Bench, kind: str, wallet: int, evidence: dict[str, Any]) -> EventRow:
    return EventRow(kind=kind, at_us=bench.now_us, wallet=wallet, evidence=evidence)
