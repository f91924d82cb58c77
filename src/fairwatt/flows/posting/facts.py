"""Waiting facts become lines, or a visible refusal: the fold of facts under the book's one writer.

Whoever wrote a fact is not trusted: no content of it may stop the book. Each is posted in a savepoint of its own,
and one that cannot be posted, for whatever reason, is refused where everybody sees it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import InterfaceError, OperationalError, transaction

from fairwatt.core.commands.restore_code import KeepsCodeKeys
from fairwatt.core.spans import local_day_start
from fairwatt.flows.merchants import Merchants
from fairwatt.flows.posting.adjusting import AdjustmentRefused, adjustment_of
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.by_hand import post_hand_reading
from fairwatt.flows.posting.carrying import post_token
from fairwatt.flows.posting.cash_desk import post_at_desk
from fairwatt.flows.posting.counting import given_now
from fairwatt.flows.posting.depositing import post_deposit
from fairwatt.flows.posting.estimates import EstimateRefused, Registers, charge_estimate, move_register
from fairwatt.flows.posting.fees import post_entry_reversal, post_fee_run
from fairwatt.flows.posting.households import post_household
from fairwatt.flows.posting.lending import post_debt, post_emergency, post_instalments, repay
from fairwatt.flows.posting.letting import post_let
from fairwatt.flows.posting.mass_cuts import post_answer
from fairwatt.flows.posting.money import post_payment
from fairwatt.flows.posting.moving import post_move
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.provider_bills import post_provider_fee
from fairwatt.flows.posting.refund_words import post_word
from fairwatt.flows.posting.refunding import post_recalled, post_refund
from fairwatt.flows.posting.releasing import post_release
from fairwatt.flows.posting.restoring import post_restore_code
from fairwatt.flows.posting.settlement import post_settlement
from fairwatt.flows.posting.settling import post_window
from fairwatt.flows.posting.shares import (
    post_allocation,
    post_allocation_reversal,
    post_publication,
    post_share,
)
from fairwatt.flows.posting.supply_orders import post_supply_order
from fairwatt.flows.posting.switching import post_switch
from fairwatt.flows.posting.taking import CostDesk, CostRefused, CostsPosted, CostWaits, recover_arrears
from fairwatt.payments.contract import PaymentProvider
from fairwatt.store import costs
from fairwatt.store.facts import written_by_web
from fairwatt.store.posting import FactAnswer

FACTS_MAX = 500
_BEFORE_READINGS = ["reading_edit", "tariff_correction"]
"""What correcting.py answers, or leaves to the next batch: no other fact waits behind it."""


def post_facts(
    *,
    cursor: Any,
    state: BookState,
    providers: Mapping[str, PaymentProvider],
    registers: Registers,
    available: npt.NDArray[np.int64],
    now_us: int,
    reworked: frozenset[int] = frozenset(),
    codes: KeepsCodeKeys | None = None,
    merchants: Merchants | None = None,
) -> PostedFacts:
    """Answer the facts that wait for this book, oldest first; move `registers` where an estimate is charged.

    `available`: what each wallet has after the readings of this batch; it is moved along with the facts.
    `reworked`: wallet indices that corrections of this batch move; rulings on their lines wait for the next one.
    """
    out = PostedFacts()
    cursor.execute(
        "SELECT id, kind, payload, raw, wallet FROM fact WHERE book = %s AND state = 'waiting' "
        "AND kind <> ALL(%s) ORDER BY id LIMIT %s",
        [state.book, _BEFORE_READINGS, FACTS_MAX],
    )
    rows = cursor.fetchall()
    out.more = len(rows) == FACTS_MAX
    paying = [int(wallet) for _, kind, _, _, wallet in rows if kind == "payment" and wallet is not None]
    free = costs.owe_nothing(cursor=cursor, book=state.book, wallets=paying)
    opened: dict[int, PaymentProvider] = {}
    for fact, kind, payload, raw, _ in rows:
        if kind != "payment":
            free = frozenset()  # it may lend, or charge a fee: from here on everybody is looked up
        bench = Bench(
            cursor,
            state,
            providers,
            registers,
            int(fact),
            now_us,
            available,
            reworked,
            codes,
            merchants,
            opened,
            free,
        )
        try:
            with transaction.atomic():
                one = _post_fact(bench, out, kind, payload, bytes(raw))
                _recover(bench, one)
                _prove_storable(cursor, one)
        except (OperationalError, InterfaceError):
            raise  # the database is away: that says nothing about the fact
        except Exception as error:
            one = refuse_fact(bench, "unpostable", f"posting it failed with {type(error).__name__}")
        for register, after in one.registers_moved:
            move_register(rows=registers.rows, register=register, after=after)
        for register, after in one.registers_read:
            move_register(rows=registers.rows, register=register, after=after, estimated=False)
        out.add(one)
        for line, ix in zip(one.lines, one.wallet_ix, strict=True):
            available[ix] += line["amount_micro"]
    return out


def _post_fact(bench: Bench, before: PostedFacts, kind: str, payload: Any, raw: bytes) -> PostedFacts:
    """What one fact comes to; `before` is what the facts of this batch before it came to."""
    content = json.loads(payload) if isinstance(payload, str) else payload
    match kind, content:
        case ("payment", {"provider": "cash" | "terminal" | "transfer"}) | (
            ("shift" | "shift_end" | "void" | "claim" | "cash_out"),
            dict(),
        ):
            return post_at_desk(bench, before, kind, content)
        case "payment", dict(about):
            return post_payment(bench, before, about, raw)
        case "refund", {"refund": int(refund), "answer": int() | None as answer}:
            return post_refund(bench, refund=refund, answer=answer)
        case "refund_recalled", {"refund": int(refund)}:
            return post_recalled(bench, refund=refund)
        case "refund_word", dict(about):
            return post_word(bench, about)
        case "payment", _:
            return refuse_fact(bench, "unknown_provider", "no provider here made this callback")
        case "provider_fee", {"account": int(account), "day": str(day), "bill": int(bill)}:
            return post_provider_fee(bench, account=account, day=day, bill=bill)
        case "config", {"wallets": list(wallets)}:
            return PostedFacts(
                reload=True,
                regrant={wallet for wallet in wallets if type(wallet) is int},
                answers=[FactAnswer(fact=bench.fact, state="posted", result={"reloaded": True})],
            )
        case "credit_change", {"at_us": int(at_us)}:
            return _credit_change(bench, at_us)
        case "emergency", {"wallet": int(wallet), "author": int() | None as author}:
            return post_emergency(bench, wallet=wallet, author=author)
        case (("switch" | "hand_reading"), dict(about)):
            return _from_postpaid(bench, kind, about)
        case "debt", {"rule": int(rule)}:
            return post_debt(bench, rule=rule)
        case (("deposit" | "household" | "let"), dict(about)):
            return {"deposit": post_deposit, "household": post_household, "let": post_let}[kind](bench, about)
        case (("credit_rule" | "forecast" | "let_change"), {"wallets": list(wallets)}):
            return PostedFacts(
                reload=True,
                regrant={wallet for wallet in wallets if type(wallet) is int},
                answers=[FactAnswer(fact=bench.fact, state="posted", result={"reloaded": True})],
            )
        case "safety_reset", {"gateway": int(gateway), "meter": int(meter), "author": int(author)}:
            return post_release(bench, gateway=gateway, meter=meter, author=author)
        case "supply_order", {
            "push": int(push),
            "gateway": int(gateway),
            "meter": int(meter),
            "relay": str(relay),
        }:
            return post_supply_order(bench, push=push, gateway=gateway, meter=meter, relay=relay)
        case "mass_cut_answer", {"allow": bool(allow), "since_us": int(since_us), "author": int(author)}:
            return post_answer(bench, allow=allow, since_us=since_us, author=author)
        case "estimate", {"approval": int(approval)}:
            return _estimate(bench, approval)
        case (("fee_run" | "allocation" | "share" | "reversal" | "publication"), dict(about)):
            return _cost(bench, before, kind, about)
        case "move", dict(about):
            return post_move(bench, about)
        case "settlement", {"wallet": int(wallet)}:
            return post_settlement(bench, wallet=wallet)
        case (("restore_code" | "carried_payment"), dict(about)):
            return (post_token if kind == "carried_payment" else post_restore_code)(bench, about)
        case "window_close", {"installation": int(installation), "window_us": int(window_us)}:
            return post_window(bench, before, installation=installation, window_us=window_us)
        case (("adjustment" | "opening"), dict(about)):
            return _adjustment(bench, before, kind, about)
        case _:
            return refuse_fact(bench, "unknown_kind", f"nobody here posts such a fact of kind {kind[:60]}")


def _from_postpaid(bench: Bench, kind: str, about: dict[str, Any]) -> PostedFacts:
    """A home that pays first from now on, or a register that a person read."""
    match kind, about:
        case "switch", {"wave": int(wave), "wallet": int(wallet)}:
            return post_switch(bench, wave=wave, wallet=wallet)
        case "hand_reading", {"reading": int(reading)}:
            return post_hand_reading(bench, reading=reading)
        case _:
            return refuse_fact(
                bench, "unknown_kind", f"the content of this {kind} is not what such a fact says"
            )


def _credit_change(bench: Bench, at_us: int) -> PostedFacts:
    """Credit rules began or ended at an instant: the poster reads them again, and a new day takes its instalments."""
    new_day = at_us == local_day_start(zone=bench.state.zone, at_us=at_us)
    out = post_instalments(bench, at_us=at_us) if new_day else PostedFacts()
    out.reload = True
    result = {"reloaded": True, "instalments": len(out.lines)}
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def _estimate(bench: Bench, approval: int) -> PostedFacts:
    try:
        made = charge_estimate(
            cursor=bench.cursor,
            state=bench.state,
            registers=bench.registers,
            approval=approval,
            fact=bench.fact,
            now_us=bench.now_us,
        )
    except EstimateRefused as error:
        return refuse_fact(bench, "estimate_refused", str(error))
    return PostedFacts(
        lines=[made.line],
        wallet_ix=[made.wallet_ix],
        answers=[FactAnswer(fact=bench.fact, state="posted", result=made.result)],
        events=[made.event],
        quarantine=[made.doubt],
        registers_moved=[(made.register, made.after)],
    )


def _cost(bench: Bench, before: PostedFacts, kind: str, about: dict[str, Any]) -> PostedFacts:
    """A fee run, the shares of an allocation, or a reversal."""
    desk = replace(_cost_desk(bench), before=[answer.result for answer in before.answers])
    try:
        match kind, about:
            case "fee_run", {"fee": int(fee), "due": str(due)}:
                posted = post_fee_run(desk, fee_id=fee, due=due)
            case "allocation", {"allocation": int(allocation)}:
                posted = post_allocation(desk, allocation=allocation)
            case "publication", {"allocation": int(allocation)}:
                posted = post_publication(desk, allocation=allocation)
            case "share", {"share": int(share)}:
                posted = post_share(desk, share=share)
            case "reversal", {"allocation": int(allocation)}:
                posted = post_allocation_reversal(desk, allocation=allocation)
            case "reversal", {"entry": int(entry)}:
                posted = post_entry_reversal(desk, entry=entry)
            case _:
                return refuse_fact(
                    bench, "unknown_kind", f"the content of this {kind} is not what such a fact says"
                )
    except CostWaits:
        return PostedFacts(reload=True, more=True)
    except CostRefused as error:
        return refuse_fact(bench, error.code, str(error))
    answer = FactAnswer(fact=bench.fact, state="posted", result=posted.result)
    return _costs_as_facts(posted, [answer])


def _cost_desk(bench: Bench) -> CostDesk:
    return CostDesk(
        cursor=bench.cursor,
        state=bench.state,
        fact=bench.fact,
        now_us=bench.now_us,
        available=bench.available,
    )


def _costs_as_facts(posted: CostsPosted, answers: list[FactAnswer]) -> PostedFacts:
    return PostedFacts(
        lines=posted.lines,
        wallet_ix=posted.wallet_ix,
        legs=posted.legs,
        events=posted.events,
        answers=answers,
        moved=set(posted.wallet_ix),
    )


def _recover(bench: Bench, one: PostedFacts) -> None:
    """Let a top-up repay emergency credit and debts, then what its home owes besides energy, as the rules allow."""
    for ix in list(one.credited):
        if int(bench.state.wallets["wallet"][ix]) in bench.owe_nothing:
            continue
        paid = _came_in(one, ix)
        if paid <= 0:
            continue
        repaid = repay(bench, wallet_ix=ix, paid_micro=paid)
        if repaid is not None:
            one.add(repaid)
        desk = _cost_desk(replace(bench, available=_with_lines(bench.available, one)))
        posted = recover_arrears(desk, wallet_ix=ix, topped_up_micro=paid)
        if posted is not None:
            one.add(_costs_as_facts(posted, []))


def _came_in(one: PostedFacts, wallet_ix: int) -> int:
    """What a fact brought one wallet: of money that moves between two homes, the part of the one that gets it."""
    lines = zip(one.lines, one.wallet_ix, strict=True)
    return sum(int(line["amount_micro"]) for line, ix in lines if ix == wallet_ix)


def _with_lines(available: npt.NDArray[np.int64], one: PostedFacts) -> npt.NDArray[np.int64]:
    after = available.copy()
    for line, ix in zip(one.lines, one.wallet_ix, strict=True):
        after[ix] += line["amount_micro"]
    return after


def _adjustment(bench: Bench, before: PostedFacts, kind: str, about: dict[str, Any]) -> PostedFacts:
    """Money given back by a ruling, or a balance brought over: what is posted rests on rows looked up here."""
    if kind == "opening" and written_by_web(cursor=bench.cursor, fact=bench.fact):
        return refuse_fact(
            bench, "not_authorised", "a web process asked for it; commissioning may, and nobody else"
        )
    try:
        answers = [answer.result for answer in before.answers]
        given = adjustment_of(bench.cursor, bench.state, kind, about, answers)
    except AdjustmentRefused as error:
        return refuse_fact(bench, error.code, str(error))
    settled_now = [event.wallet for event in before.events if event.kind == "window.settled"]
    busy = given.wallet_ix in bench.reworked or given.wallet in [*given_now(answers), *settled_now]
    if kind == "adjustment" and busy:
        return PostedFacts(more=True)  # what this batch gives back already counts in the next one
    if not given.amount_micro:
        return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=given.result)])
    return PostedFacts(
        lines=[given.line(fact=bench.fact, book=bench.state.book, now_us=bench.now_us)],
        wallet_ix=[given.wallet_ix],
        legs=list(given.legs),
        moved={given.wallet_ix},
        answers=[FactAnswer(fact=bench.fact, state="posted", result=given.result)],
        events=[given.event(fact=bench.fact, now_us=bench.now_us)],
    )


def _prove_storable(cursor: Any, one: PostedFacts) -> None:
    """Let PostgreSQL say now, inside the savepoint, whether it can keep the answer: later it would stop the batch."""
    words = [[answer.result for answer in one.answers], [[e.reason, e.evidence] for e in one.events]]
    cursor.execute("SELECT %s::jsonb", [json.dumps(words)])
