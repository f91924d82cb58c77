"""A deposit is held apart from credit, and becomes credit again when its account ends: it pays what is owed, the rest
goes back the way a refund goes. Before that it becomes credit where two people say so."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairwatt.core.ledger.model import Kind
from fairwatt.core.ledger.recipes import declared_deposit_legs, deposit_legs
from fairwatt.core.units import is_amount, micro_from_minor
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.refunding import unspent
from fairwatt.flows.posting.voiding import agreed_wish
from fairwatt.store import deposits, moves
from fairwatt.store.deposits import Entry
from fairwatt.store.money_wishes import FREED, Wish
from fairwatt.store.posting import LINE, EventRow, FactAnswer


def post_deposit(bench: Bench, about: dict[str, Any]) -> PostedFacts:
    """Set credit aside by a clerk's word, or take over a deposit by two people's; refused by name otherwise."""
    match about:
        case {
            "wallet": int(wallet),
            "amount_minor": int(amount_minor),
            "author": int(author),
            "words": str(words),
        }:
            return _set_aside(bench, wallet, amount_minor, author, words)
        case {"wish": int(wish)}:
            return _agreed(bench, wish)
        case _:
            return refuse_fact(
                bench, "unknown_kind", "the content of this deposit is not what such a fact says"
            )


def set_aside(bench: Bench, *, wallet_ix: int, amount_micro: int, author: int, words: str) -> PostedFacts:
    """Let credit become a deposit; the caller knows that it is there and may."""
    wallet = int(bench.state.wallets["wallet"][wallet_ix])
    _add(bench, wallet, "taken", amount_micro, author=author, words=words)
    evidence = {"amount_micro": amount_micro, "fact": bench.fact, "author": author}
    return PostedFacts(
        lines=[_line(bench, -amount_micro)],
        wallet_ix=[wallet_ix],
        legs=list(deposit_legs(currency=bench.state.currency, amount_micro=amount_micro)),
        moved={wallet_ix},
        events=[EventRow(kind="deposit.taken", at_us=bench.now_us, wallet=wallet, evidence=evidence)],
    )


def release(bench: Bench, *, wallet: int, wallet_ix: int) -> PostedFacts | None:
    """Let the deposit of an account that ended be credit again, once; None where none is held."""
    held = deposits.held_of(cursor=bench.cursor, book=bench.state.book, wallet=wallet)
    if held <= 0:
        return None
    evidence = {"amount_micro": held, "fact": bench.fact}
    event = EventRow(kind="deposit.released", at_us=bench.now_us, wallet=wallet, evidence=evidence)
    return _back(bench, wallet, wallet_ix, held, event)


def _back(
    bench: Bench, wallet: int, wallet_ix: int, amount_micro: int, event: EventRow, author: int | None = None
) -> PostedFacts:
    _add(bench, wallet, "back", -amount_micro, author=author)
    return PostedFacts(
        lines=[_line(bench, amount_micro)],
        wallet_ix=[wallet_ix],
        legs=list(deposit_legs(currency=bench.state.currency, amount_micro=-amount_micro)),
        events=[event],
    )


def carry(bench: Bench, *, wallet: int, to_wallet: int) -> None:
    """Let the deposit of a person go along to another home: it stays a deposit, and no money moves."""
    held = deposits.held_of(cursor=bench.cursor, book=bench.state.book, wallet=wallet)
    if held > 0:
        _add(bench, wallet, "carried", -held)
        _add(bench, to_wallet, "carried", held)


def _set_aside(bench: Bench, wallet: int, amount_minor: int, author: int, words: str) -> PostedFacts:
    if moves.clerk(cursor=bench.cursor, book=bench.state.book, user=author) is None:
        return refuse_fact(
            bench, "not_authorised", "only operators and administrators of the book's organisation"
        )
    ix = bench.state.wallet_index.get(wallet)
    if ix is None or ix in bench.state.left:
        return refuse_fact(bench, "unknown_wallet", "this book has no such home; no money was moved")
    amount = micro_from_minor(amount_minor=amount_minor, minor_digits=bench.state.minor_digits)
    if not 0 < amount <= max(0, unspent(bench, ix)):
        return refuse_fact(bench, "deposit_beyond_credit", "the home has less credit than that to set aside")
    out = set_aside(bench, wallet_ix=ix, amount_micro=amount, author=author, words=words)
    result = {"wallet": wallet, "amount_micro": amount, "kind": "taken"}
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def _agreed(bench: Bench, wish: int) -> PostedFacts:
    """What two people say of a deposit: that it is held from an earlier time, or that it becomes credit again."""
    asked = agreed_wish(bench, wish=wish, kind="deposit")
    if asked is None or asked.wallet is None:
        return refuse_fact(bench, "not_agreed", "no two people here say so; no money was moved")
    if not is_amount(amount_minor=asked.amount_minor, minor_digits=bench.state.minor_digits):
        return refuse_fact(bench, "no_amount", "nobody holds so much; no money was moved")
    ix = bench.state.wallet_index.get(asked.wallet)
    if ix is None or ix in bench.state.left:
        return refuse_fact(bench, "unknown_wallet", "this book has no such home; no money was moved")
    amount = micro_from_minor(amount_minor=asked.amount_minor, minor_digits=bench.state.minor_digits)
    if asked.details.get("way") == FREED:
        return _freed(bench, asked, asked.wallet, ix, amount)
    _add(bench, asked.wallet, "declared", amount, author=asked.author, words=asked.words)
    result = {"wallet": asked.wallet, "amount_micro": amount, "kind": "declared"}
    evidence = {**result, "asked_by": asked.author, "agreed_by": asked.step_author}
    return PostedFacts(
        legs=list(declared_deposit_legs(currency=bench.state.currency, amount_micro=amount)),
        answers=[FactAnswer(fact=bench.fact, state="posted", result=result)],
        events=[
            EventRow(kind="deposit.declared", at_us=bench.now_us, wallet=asked.wallet, evidence=evidence)
        ],
    )


def _freed(bench: Bench, asked: Wish, wallet: int, ix: int, amount_micro: int) -> PostedFacts:
    if not 0 < amount_micro <= deposits.held_of(cursor=bench.cursor, book=bench.state.book, wallet=wallet):
        return refuse_fact(bench, "beyond_the_deposit", "less than that is held; no money was moved")
    result = {"wallet": wallet, "amount_micro": amount_micro, "kind": FREED}
    evidence = {**result, "asked_by": asked.author, "agreed_by": asked.step_author}
    event = EventRow(kind="deposit.freed", at_us=bench.now_us, wallet=wallet, evidence=evidence)
    out = _back(bench, wallet, ix, amount_micro, event, author=asked.author)
    out.moved.add(ix)
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def _add(
    bench: Bench, wallet: int, kind: str, amount_micro: int, *, author: int | None = None, words: str = ""
) -> None:
    deposits.add_entry(
        cursor=bench.cursor,
        entry=Entry(
            book=bench.state.book,
            wallet=wallet,
            kind=kind,
            amount_micro=amount_micro,
            fact=bench.fact,
            at_us=bench.now_us,
            batch=bench.state.last_batch + 1,
            author=author,
            words=words,
        ),
    )


def _line(bench: Bench, amount_micro: int) -> Any:
    line = np.zeros((), dtype=LINE)
    line["ts"], line["ref"], line["kind"] = bench.now_us, bench.fact, Kind.DEPOSIT
    line["amount_micro"], line["book"] = amount_micro, bench.state.book
    return line
