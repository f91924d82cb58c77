"""The account of a person who left is settled: what is owed beside energy is taken, the rest of the credit is hers.

Debt stays where it is: with the person's account, which has no home any more, and never with the home.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fairwatt.core.ledger.model import Kind
from fairwatt.core.ledger.recipes import leaving_legs
from fairwatt.flows.posting.depositing import carry, release
from fairwatt.flows.posting.lending import repay_all
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.taking import CostDesk, take_all_open
from fairwatt.store import moves
from fairwatt.store.moves import End
from fairwatt.store.posting import LINE, EventRow, FactAnswer


def post_settlement(bench: Bench, *, wallet: int) -> PostedFacts:
    """Settle an account, as often as something changes it after its person left."""
    cursor, book = bench.cursor, bench.state.book
    end = moves.end_of(cursor=cursor, book=book, wallet=wallet)
    ix = bench.state.wallet_index.get(wallet)
    if end is None or ix is None:
        return refuse_fact(bench, "not_ended", "this account still has a home")
    if moves.provisional_of(cursor=cursor, book=book, wallet=wallet):
        return refuse_fact(bench, "provisional", "a meter of this account has not been read since its end")
    if ix in bench.reworked:
        return PostedFacts(more=True)
    if end.to_wallet is not None and end.to_wallet not in bench.state.wallet_index:
        return PostedFacts(reload=True, more=True)
    out = PostedFacts()
    if end.to_wallet is not None:
        carry(bench, wallet=wallet, to_wallet=end.to_wallet)
    elif (back := release(bench, wallet=wallet, wallet_ix=ix)) is not None:
        out.add(back)  # a deposit pays what is owed first; the rest goes back with the credit
    available = _after(bench, out, ix)
    repaid = repay_all(replace(bench, available=available), wallet_ix=ix)
    if repaid is not None:
        out.add(repaid)
    available = _after(bench, out, ix)
    desk = CostDesk(
        cursor=cursor,
        state=bench.state,
        fact=bench.fact,
        now_us=bench.now_us,
        available=available,
    )
    owed = take_all_open(desk, wallet_ix=ix)
    if owed is not None:
        out.add(PostedFacts(lines=owed.lines, wallet_ix=owed.wallet_ix, legs=owed.legs, events=owed.events))
    left_micro = int(bench.available[ix]) + sum(int(line["amount_micro"]) for line in out.lines)
    if end.settle == "transfer":
        _take_along(bench, out, end, ix, left_micro)
    elif left_micro > 0:
        _pay_out(bench, out, end, ix, left_micro)
    back_micro = max(0, left_micro) if end.settle != "transfer" else 0
    result = {
        "wallet": wallet,
        "balance_micro": left_micro,
        "owed_back_micro": back_micro,
        "settle": end.settle,
    }
    evidence = {"fact": bench.fact, **result}
    out.events.append(EventRow(kind="move.settled", at_us=bench.now_us, wallet=wallet, evidence=evidence))
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def _after(bench: Bench, out: PostedFacts, ix: int) -> Any:
    """What each wallet has after the lines so far, which are all of one account."""
    available = bench.available.copy()
    available[ix] += sum(int(line["amount_micro"]) for line in out.lines)
    return available


def _pay_out(bench: Bench, out: PostedFacts, end: End, ix: int, amount_micro: int) -> None:
    """What is left is owed to the person from now on; a refund pays it out."""
    out.lines.append(_line(bench, -amount_micro))
    out.wallet_ix.append(ix)
    out.legs += leaving_legs(currency=bench.state.currency, amount_micro=amount_micro)
    moves.add_refund_wish(
        cursor=bench.cursor,
        book=bench.state.book,
        batch=bench.state.last_batch + 1,
        fact=bench.fact,
        wallet=end.wallet,
        amount_micro=amount_micro,
        way=end.settle,
        now_us=bench.now_us,
    )


def _take_along(bench: Bench, out: PostedFacts, end: End, ix: int, amount_micro: int) -> None:
    """The balance goes to the person's account at another home, credit or debt."""
    to_ix = bench.state.wallet_index[end.to_wallet or 0]
    if not amount_micro:
        return
    going, coming = _line(bench, -amount_micro), _line(bench, amount_micro)
    coming["ts"] += 1  # the key of a line names its instant and its fact, not its wallet
    out.lines += [going, coming]
    out.wallet_ix += [ix, to_ix]
    if amount_micro > 0:
        out.credited[to_ix] = bench.fact
    out.moved.add(to_ix)
    out.brought.add(to_ix)


def _line(bench: Bench, amount_micro: int) -> Any:
    line = np.zeros((), dtype=LINE)
    line["ts"], line["ref"], line["kind"] = bench.now_us, bench.fact, Kind.MOVED
    line["amount_micro"], line["book"] = amount_micro, bench.state.book
    return line
