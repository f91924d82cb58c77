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

from fairwatt.core.ids import uuid7
from fairwatt.core.metering.register import ReadingRejected, advance
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.flows.posting.backdating import end_payload
from fairwatt.flows.posting.ending import ask_to_settle
from fairwatt.flows.posting.estimates import charged_to
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.reworking import state_after
from fairwatt.flows.posting.truing import on_the_line, register_spec
from fairwatt.store import facts, moves
from fairwatt.store import registers as ledger
from fairwatt.store.moves import Change
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.wire.records import Relay

PACE_DAYS: Final = 14
"""What is expected of a meter that is silent is its mean use over so many days."""
_SETTLES: Final = ("window", "source")


class MoveRefused(ValueError):
    """A home that cannot change hands as asked; nothing was changed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class MoveWaits(Exception):
    """The register moves in this very batch, or the poster does not know the home yet: the next batch does it."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
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


@dataclass(frozen=True, kw_only=True)
class _Left:
    """Where one register is left."""

    register: int
    installation: int
    state: RegisterState
    basis: str
    line: Any | None
    before_head: bool = False
    """it was read, and charged, after that moment"""


def post_move(bench: Bench, about: Mapping[str, Any]) -> PostedFacts:
    """Let a home change hands, or refuse by name."""
    try:
        asked = _asked(about)
        return _moved(bench, asked)
    except MoveWaits:
        return PostedFacts(reload=True, more=True)
    except MoveRefused as error:
        return refuse_fact(bench, error.code, str(error))


def _asked(about: Mapping[str, Any]) -> _Asked:
    match about:
        case {
            "kind": "out" | "in" | "change" as kind,
            "unit": int(unit),
            "wallet": int(wallet),
            "at_us": int(at_us),
            "author": int(author),
            "entropy": str(entropy),
        }:
            asked = _Asked(
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


def _moved(bench: Bench, asked: _Asked) -> PostedFacts:
    cursor, book = bench.cursor, bench.state.book
    if moves.clerk(cursor=cursor, book=book, user=asked.author) is None:
        raise MoveRefused("not_authorised", "only operators and administrators of the book's organisation")
    owners = moves.owners_wallet(cursor=cursor, unit=asked.unit)
    homes = _homes(bench, asked, owners)
    left = [_leave(bench, asked, home) for home in homes]
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
        _end_readings(bench, asked, one)
    out.more |= bool(going_over)
    if asked.wallet != owners:
        _end(bench, asked)
    if asked.wallet != owners and not going_over:
        out.more |= ask_to_settle(
            cursor=cursor, book=book, wallet=asked.wallet, batch=None, now_us=bench.now_us
        )
    if asked.kind != "out":
        for user in asked.users:
            moves.begin_tenancy(cursor=cursor, wallet=coming, user=user, at_us=asked.at_us)
        if _dark(bench, wallet_ix, left):
            out.events.append(_event(bench, "supply.taken_over", coming, {"at_us": asked.at_us}))
    moves.set_vacant(cursor=cursor, unit=asked.unit, vacant=asked.kind == "out")
    result = {
        "kind": asked.kind,
        "old_wallet": asked.wallet,
        "new_wallet": coming,
        "at_us": asked.at_us,
        "changeovers": changes,
        "provisional": sum(one.basis == "estimated" for one in left),
    }
    evidence = {"fact": bench.fact, "author": asked.author, **result}
    if asked.wallet != owners:
        out.events.append(_event(bench, "move.left", asked.wallet, evidence))
    if asked.kind != "out":
        out.events.append(_event(bench, "move.came", coming, evidence))
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def _homes(bench: Bench, asked: _Asked, owners: int | None) -> list[int]:
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


def _leave(bench: Bench, asked: _Asked, installation: int) -> _Left:
    """Where a register stands at the instant, and what that still charges."""
    n = bench.state.installation_index.get(installation)
    if n is None or n in bench.registers.moving:
        raise MoveWaits
    if moves.waits_for_readings(cursor=bench.cursor, book=bench.state.book, installation=installation):
        raise MoveWaits
    head = bench.registers.rows[n]
    if int(head["plan_ix"]) < 0:
        raise MoveRefused("no_tariff", "no tariff is in force for a meter of this home")
    at_us, head_us = asked.at_us, int(head["at_us"])
    if at_us < head_us:
        return _left_before(bench, asked, n)
    if at_us == head_us:
        basis = "estimated" if head["estimated"] else "read"
        return _Left(register=n, installation=installation, state=state_after(head), basis=basis, line=None)
    basis, register_wh = "estimated", asked.stated.get(installation)
    if register_wh is None:
        register_wh = _expected(bench, head, at_us)
    else:
        basis = "stated"
        _check_stated(head, at_us, register_wh)
    line, after = charged_to(state=bench.state, head=head, at_us=at_us, register_wh=register_wh)
    return _Left(register=n, installation=installation, state=after, basis=basis, line=line)


def _left_before(bench: Bench, asked: _Asked, n: int) -> _Left:
    """Where a register stood before its newest reading: as it was read then, or between the readings around it."""
    head, at_us = bench.registers.rows[n], asked.at_us
    installation = int(head["installation"])
    ground: dict[str, Any] = {"cursor": bench.cursor, "book": bench.state.book, "installation": installation}
    start = ledger.start_before(**ground, before_us=at_us)
    assert start is not None, "a home is left after it was entered"
    around = ledger.standing_between(**ground, start=start, until_us=at_us)
    before = [one for one in around if one.at_us <= at_us][-1]
    after = around[-1]
    spec = register_spec(head)
    read = before.at_us == at_us
    register_wh = (
        before.register_wh
        if read
        else on_the_line(spec, (before.at_us, before.register_wh), at_us, (after.at_us, after.register_wh))
    )
    left = replace(state_after(head), at_us=at_us, register_wh=register_wh)
    return _Left(
        register=n,
        installation=installation,
        state=left,
        basis="read" if read else "between",
        line=None,
        before_head=True,
    )


def _end_readings(bench: Bench, asked: _Asked, one: _Left) -> None:
    """What was read after the moment goes over to who came, in the next batch."""
    facts.add(
        cursor=bench.cursor,
        book=bench.state.book,
        kind="reading_edit",
        natural_key=f"end:{one.installation}:{asked.at_us}",
        wallet=asked.wallet,
        payload=end_payload(
            installation=one.installation,
            at_us=asked.at_us,
            register_wh=one.state.register_wh,
            read=one.basis == "read",
        ),
        raw=b"",
        now_us=bench.now_us,
    )


def _check_stated(head: Any, at_us: int, register_wh: int) -> None:
    try:
        advance(
            spec=register_spec(head),
            prev_at_us=int(head["at_us"]),
            prev_wh=int(head["register_wh"]),
            at_us=at_us,
            wh=register_wh,
        )
    except ReadingRejected as error:
        raise MoveRefused(f"{error.code}_register", str(error)) from error


def _expected(bench: Bench, head: Any, at_us: int) -> int:
    """The register at an instant after its last reading: what its days before lead to expect, if it can carry that."""
    silent_us = at_us - int(head["at_us"])
    day_wh = moves.mean_day_wh(
        cursor=bench.cursor,
        book=bench.state.book,
        installation=int(head["installation"]),
        before_us=int(head["at_us"]),
        days=PACE_DAYS,
    )
    return expected_wh(
        day_wh=day_wh,
        silent_us=silent_us,
        max_power_w=int(head["max_power_w"]),
        register_wh=int(head["register_wh"]),
        modulus_wh=int(head["modulus_wh"]),
    )


def expected_wh(
    *, day_wh: int | None, silent_us: int, max_power_w: int, register_wh: int, modulus_wh: int
) -> int:
    """Where a register is expected after a silence: by the use of a day before it, and no more than it can carry."""
    expected = (day_wh or 0) * silent_us // US_PER_DAY
    carried = max_power_w * silent_us // US_PER_HOUR
    return (register_wh + max(0, min(expected, carried))) % modulus_wh


def _coming(bench: Bench, asked: _Asked, owners: int | None) -> int:
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


def _public_id(bench: Bench, asked: _Asked, purpose: bytes) -> UUID:
    entropy = sha256(purpose + b":" + str(bench.fact).encode() + b":" + asked.entropy).digest()
    return uuid7(now_us=bench.now_us, entropy=entropy)


def _go_on(bench: Bench, asked: _Asked, one: _Left, coming: int) -> int:
    """Close an installation and go on with its meter; return the number of the change."""
    cursor = bench.cursor
    moves.close_installation(cursor=cursor, installation=one.installation, at_us=asked.at_us)
    begun = moves.open_installation(
        cursor=cursor,
        like=one.installation,
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
    number = moves.add_change(
        cursor=cursor,
        book=bench.state.book,
        batch=bench.state.last_batch + 1,
        fact=bench.fact,
        change=change,
        author=asked.author,
        reason=asked.reason,
        now_us=bench.now_us,
    )
    if one.basis != "estimated":
        moves.note_known(
            cursor=cursor,
            book=bench.state.book,
            batch=bench.state.last_batch + 1,
            changeover=number,
            basis=one.basis,
            register_wh=one.state.register_wh,
            now_us=bench.now_us,
        )
    return number


def _end(bench: Bench, asked: _Asked) -> None:
    """The account of who leaves has no home any more."""
    moves.end_tenancies(cursor=bench.cursor, wallet=asked.wallet, at_us=asked.at_us)
    moves.add_end(
        cursor=bench.cursor,
        book=bench.state.book,
        batch=bench.state.last_batch + 1,
        fact=bench.fact,
        wallet=asked.wallet,
        at_us=asked.at_us,
        settle=asked.settle,
        to_wallet=None,
        author=asked.author,
        now_us=bench.now_us,
    )


def _dark(bench: Bench, wallet_ix: int, left: Sequence[_Left]) -> bool:
    """True for a home that was cut for credit, or may be before this is heard: credit of who comes closes it again."""
    if bench.state.wallets["cut_by_credit"][wallet_ix]:
        return True
    rows = bench.registers.rows
    return any(
        rows["relay"][one.register] == Relay.OPEN and not rows["safety_open"][one.register] for one in left
    )


def _event(bench: Bench, kind: str, wallet: int, evidence: dict[str, Any]) -> EventRow:
    return EventRow(kind=kind, at_us=bench.now_us, wallet=wallet, evidence=evidence)
