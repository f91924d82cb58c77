"""A let begins, its people are told that it ends, its power goes off, its account closes: each by the clock.

What was agreed is looked up here; power goes off by the ordinary decision (core.credit), the account closes as when
anybody moves out, and what is left goes back by the refunds that are there.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from django.db import transaction

from fairwatt.core.credit.contract import closes_at, warn_at
from fairwatt.core.ledger.model import REVENUE_FEE
from fairwatt.core.rating.begun import package_begun_before
from fairwatt.flows.posting.leaving import MoveRefused, MoveWaits
from fairwatt.flows.posting.moving import Asked, change_hands
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.taking import CostDesk, Owed, charge_owed
from fairwatt.store import lets, moves
from fairwatt.store.caches import WITHHELD
from fairwatt.store.facts import written_by_web
from fairwatt.store.lets import Let, Step
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.wire.records import Relay

PACKAGE_PRIORITY: Final = 1
"""Before every fee that a person wrote down."""


def post_let(bench: Bench, about: dict[str, Any]) -> PostedFacts:
    """Take one step of a let, or refuse it by name: what was refused is asked again."""
    let, step = about.get("let"), about.get("step")
    if written_by_web(cursor=bench.cursor, fact=bench.fact):
        return refuse_fact(bench, "not_authorised", "a let goes on by the clock of the poster's own process")
    about_let: dict[str, Any] = {"cursor": bench.cursor, "book": bench.state.book, "let": let}
    one = lets.let_of(**about_let) if type(let) is int else None
    if one is not None:
        if not lets.try_unit(cursor=bench.cursor, unit=one.unit):
            return PostedFacts(reload=True, more=True)  # somebody at the desk is changing it
        one = lets.let_of(**about_let)
    if one is None or not one.is_open:
        return refuse_fact(bench, "no_such_let", "this let is not open any more")
    try:
        with transaction.atomic():
            match step:
                case "begin":
                    return _begun(bench, one)
                case "package":
                    return _packages(bench, one)
                case "warn":
                    return _warned(bench, one)
                case "end":
                    return _ended(bench, one)
                case "close":
                    return _closed(bench, one)
                case _:
                    return refuse_fact(bench, "unknown_kind", "no let has such a step")
    except MoveWaits:
        return PostedFacts(reload=True, more=True)
    except MoveRefused as error:
        return refuse_fact(bench, error.code, str(error))


def _begun(bench: Bench, one: Let) -> PostedFacts:
    """Who rented comes: into an empty unit, or after a let that is over and whose power is still on."""
    cursor, book = bench.cursor, bench.state.book
    if one.wallet is not None or one.contract.over_at(at_us=bench.now_us):
        raise MoveRefused("overtaken", "this let has begun, or is over")
    if moves.clerk(cursor=cursor, book=book, user=one.author) is None:
        raise MoveRefused("not_authorised", "who wrote this let down may not do so any more")
    at_work = moves.at_home(cursor=cursor, book=book, unit=one.unit)
    wallets = {wallet for _, wallet, _ in at_work}
    if len(wallets) != 1:
        raise MoveRefused(
            "shared_home", "no meter is at work in this unit, or those of more than one account"
        )
    (wallet,) = wallets
    kind, settle = "in", "window"
    if wallet != moves.owners_wallet(cursor=cursor, unit=one.unit):
        before = next(iter(lets.running_of(cursor=cursor, book=book, wallet=wallet)), None)
        if before is None or not before.contract.over_at(at_us=bench.now_us):
            raise MoveRefused("occupied", "somebody has this unit, and no let of it is over")
        kind, settle = "change", before.settle
    plans = _plans_before(bench, [home for home, _, _ in at_work])
    asked = Asked(
        kind=kind,
        unit=one.unit,
        wallet=wallet,
        at_us=_begins_at(bench, one, at_work),
        author=one.author,
        reason=one.merchant,
        entropy=sha256(one.ticket.encode()).digest(),
        settle=settle,
        users=tuple(one.users),
        policy=one.policy,
        plan=one.plan,
    )
    out = change_hands(bench, asked)
    coming = int(out.answers[0].result["new_wallet"])
    _step(bench, one, "begun", wallet=coming, plans=plans, at_us=asked.at_us)
    evidence = {"let": one.let, "merchant": one.merchant, "end_us": one.end_us, "at_us": asked.at_us}
    out.events.append(EventRow(kind="let.begun", at_us=bench.now_us, wallet=coming, evidence=evidence))
    out.answers[0].result["let"] = one.let
    if warn_at(begin_us=one.begin_us, end_us=one.end_us) <= bench.now_us:
        out.events.append(_tell(bench, one, coming))
    return out


def _plans_before(bench: Bench, homes: list[int]) -> dict[int, int]:
    """The tariff each meter has when nobody rents, to be put back."""
    plans = {}
    for home in homes:
        meter, plan, before = lets.plan_before(cursor=bench.cursor, installation=home)
        plans[meter] = plan if before is None else before
    return plans


def _begins_at(bench: Bench, one: Let, at_work: list[tuple[int, int, int]]) -> int:
    """At the first reading since the let began, where all meters have the same; else when it was agreed."""
    read = set()
    for home, _, _ in at_work:
        n = bench.state.installation_index.get(home)
        if n is None or n in bench.registers.moving:
            raise MoveWaits
        read.add(int(bench.registers.rows[n]["at_us"]))
    newest, opened = max(read), max(at_us for _, _, at_us in at_work)
    # A gateway's clock may be a little ahead: nothing changes hands in the future.
    if len(read) == 1 and max(one.begin_us, opened + 1) <= newest <= bench.now_us:
        return newest
    return max(one.begin_us, opened + 1)


def _packages(bench: Bench, one: Let) -> PostedFacts:
    """Let a day or an event that had begun be paid too, beside energy: its price fell due before the account opened."""
    wallet = _account(one)
    ix = bench.state.wallet_index.get(wallet)
    if ix is None or one.begun_us is None:
        raise MoveWaits
    owed = []
    for n in bench.state.registers_of(ix):
        row = bench.registers.rows[n]
        plan_ix = int(row["plan_ix"])
        found = (
            None
            if plan_ix < 0
            else package_begun_before(schedule=bench.state.plans[plan_ix].schedule, at_us=one.begun_us)
        )
        if found is not None:
            owed.append(
                Owed(
                    key=f"let:{one.let}:package:{int(row['installation'])}",
                    kind="fee",
                    account=f"{REVENUE_FEE}other",
                    wallet=wallet,
                    unit=one.unit,
                    priority=PACKAGE_PRIORITY,
                    net_micro=found.net_micro,
                    tax_micro=found.tax_micro,
                    inputs={"package": found.name, "begun_us": found.start_us, "let": one.let},
                )
            )
    out = _answer(bench, one, "package")
    if owed:
        desk = CostDesk(
            cursor=bench.cursor,
            state=bench.state,
            fact=bench.fact,
            now_us=bench.now_us,
            available=bench.available,
        )
        posted, _ = charge_owed(desk, owed)
        out.add(PostedFacts(lines=posted.lines, wallet_ix=posted.wallet_ix, legs=posted.legs))
        out.moved = set(posted.wallet_ix)
    return out


def _warned(bench: Bench, one: Let) -> PostedFacts:
    """Tell who rents that it ends; from now on the time to be told before a cut runs."""
    wallet = _account(one)
    if one.warned_us is not None:
        return _answer(bench, one, "warn")
    out = _answer(bench, one, "warn")
    out.events.append(_tell(bench, one, wallet))
    out.reload = True
    return out


def _tell(bench: Bench, one: Let, wallet: int) -> EventRow:
    _step(bench, one, "warned", wallet=wallet, until_us=one.end_us, at_us=bench.now_us)
    evidence = {"let": one.let, "merchant": one.merchant, "end_us": one.end_us}
    return EventRow(
        kind="warning.contract", at_us=bench.now_us, wallet=wallet, reason="contract", evidence=evidence
    )


def _ended(bench: Bench, one: Let) -> PostedFacts:
    """The end has come: its supply is decided now, and with every reading until it is off."""
    wallet = _account(one)
    out = _answer(bench, one, "end")
    evidence = {"let": one.let, "merchant": one.merchant, "end_us": one.end_us}
    out.events.append(EventRow(kind="let.ended", at_us=bench.now_us, wallet=wallet, evidence=evidence))
    out.reload = True
    out.regrant = {wallet}
    return out


def _closed(bench: Bench, one: Let) -> PostedFacts:
    """Power is off, or may never be: the account closes, and the unit is its owner's again."""
    wallet = _account(one)
    if not one.contract.over_at(at_us=bench.now_us):
        raise MoveRefused("not_over", "the let was made longer meanwhile")
    cursor, book = bench.cursor, bench.state.book
    at_work = moves.at_home(cursor=cursor, book=book, unit=one.unit)
    rows = bench.registers.rows
    mine = [bench.state.installation_index.get(home, -1) for home, whose, _ in at_work if whose == wallet]
    if -1 in mine:
        raise MoveWaits
    spared = bool(bench.state.wallets["protected"][bench.state.wallet_index[wallet]])
    never = [n for n in mine if spared or bool(rows["spared_circuit"][n]) or bool(rows["feeds_gateway"][n])]
    if any(int(rows["relay"][n]) == Relay.CLOSED for n in mine if n not in never) and not _withheld(
        bench, wallet
    ):
        raise MoveRefused("still_on", "a meter of this let still has power")
    dark_us = None
    if len(never) < len(mine):
        dark_us = lets.dark_since(cursor=cursor, book=book, wallet=wallet, after_us=one.end_us)
    opened = max((at_us for _, _, at_us in at_work), default=0)
    asked = Asked(
        kind="out",
        unit=one.unit,
        wallet=wallet,
        at_us=min(max(closes_at(end_us=one.end_us, dark_us=dark_us), opened + 1), bench.now_us),
        author=one.author,
        reason=one.merchant,
        entropy=sha256(b"close:" + one.ticket.encode()).digest(),
        settle=one.settle,
    )
    return change_hands(bench, asked)


_FOR_GOOD = ("law_forbids", "power_limited", "forced_on", "protected")


def _withheld(bench: Bench, wallet: int) -> bool:
    """Whether a rule that does not end with the hour keeps this account's power on."""
    ix = bench.state.wallet_index[wallet]
    return WITHHELD[int(bench.state.wallets["withheld_ix"][ix])] in _FOR_GOOD


def _account(one: Let) -> int:
    if one.wallet is None:
        raise MoveRefused("overtaken", "this let has not begun")
    return one.wallet


def _answer(bench: Bench, one: Let, step: str) -> PostedFacts:
    result = {"let": one.let, "step": step, "wallet": one.wallet}
    return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=result)])


def _step(
    bench: Bench,
    one: Let,
    step: str,
    *,
    wallet: int,
    at_us: int,
    until_us: int = 0,
    plans: dict[int, int] | None = None,
) -> None:
    lets.add_step(
        cursor=bench.cursor,
        step=Step(
            let=one.let,
            book=bench.state.book,
            step=step,
            wallet=wallet,
            plans=plans or {},
            until_us=until_us,
            fact=bench.fact,
            at_us=at_us,
            batch=bench.state.last_batch + 1,
        ),
    )
