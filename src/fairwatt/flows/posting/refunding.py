"""Refunds under the book's one writer: what people answered moves the money, and nothing goes out that may be used yet.

From the moment it leaves the wallet a refund lies in the liability account; only a provider's own word, or two people
at the window, take it out of there. Before that the credit is called back from every gateway, and the meter believed.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairwatt.core.ledger.model import DRAWER, SUSPENSE, WINDOW, Kind
from fairwatt.core.ledger.recipes import refund_found_legs, refund_held_legs, refund_paid_legs, rounded_legs
from fairwatt.core.ledger.refunds import HELD, RefundState, Room, advance_refund, refund_room, shortfall_minor
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.leasing import NOWHERE, apart_of
from fairwatt.flows.posting.lending import owing_of
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.payments.accounts import refunds_to_source
from fairwatt.store import cash_desk, refunds
from fairwatt.store.posting import LINE, EventRow, FactAnswer
from fairwatt.store.refunds import Recall, RefundRow
from fairwatt.wire.commands import verify_receipt
from fairwatt.wire.errors import FrameError

_DUPLICATE: Final = {"outcome": "duplicate"}


def post_refund(bench: Bench, *, refund: int, answer: int | None) -> PostedFacts:
    """What a person answered to a refund; without an answer, a resident's own small wish."""
    row = refunds.lock_refund(cursor=bench.cursor, book=bench.state.book, refund=refund)
    if row is None:
        return refuse_fact(
            bench, "unknown_refund", "no such refund was asked for in this book; no money moved"
        )
    said = None
    if answer is not None:
        said = refunds.answer_of(cursor=bench.cursor, book=bench.state.book, answer=answer)
        if said is None or said.refund != refund:
            return refuse_fact(bench, "unknown_answer", "nobody answered this refund so; no money moved")
    match "approve" if said is None else said.answer:
        case "paid_out" if said is not None:
            return _handed_out(bench, row, said.author)
        case "approve":
            return _approve(bench, row, None if said is None else said.author)
        case "refuse":
            return _ended(bench, row, RefundState.REFUSED, "second_person")
        case "withdraw":
            return _withdraw(bench, row)
        case "confirm":
            return _confirmed(bench, row)
        case _:
            return refuse_fact(bench, "unknown_answer", "such an answer moves nothing")


def _approve(bench: Bench, row: RefundRow, approver: int | None) -> PostedFacts:
    if row.state != RefundState.REQUESTED:
        return _answered(bench, dict(_DUPLICATE))
    if not _authorised(bench, row, approver):
        return refuse_fact(
            bench, "not_authorised", "a refund needs an administrator who did not ask for it; no money moved"
        )
    ix = bench.state.wallet_index.get(row.wallet)
    if ix is None:
        return PostedFacts(reload=True, more=True)
    if ix in bench.reworked:
        return PostedFacts(more=True)
    room = _room(bench, row, ix)
    if room is None or not room.amount_minor:
        return _ended(bench, row, RefundState.REFUSED, "nothing_left")
    if row.payment is not None:
        refunds.move_paid(cursor=bench.cursor, fact=row.payment, open_minor=room.amount_minor)
    amount = _micro(bench, room.amount_minor)
    out = PostedFacts()
    if row.wish is None:
        _move_wallet(bench, out, ix, -amount)
    _move(
        bench,
        row,
        RefundState.APPROVED,
        amount_minor=room.amount_minor,
        held_batch=bench.state.last_batch + 1,
    )
    about = {"refund": row.id, "amount_micro": amount, "bound": str(room.bound), "approver": approver or 0}
    out.events.append(_event("refund.held", bench, row, about))
    if row.wish is not None or not bench.state.registers_of(ix):
        _submit(bench, out, row, room.amount_minor)
    out.answers.append(_answer(bench, {"outcome": "held", **about}))
    return out


def _authorised(bench: Bench, row: RefundRow, approver: int | None) -> bool:
    book = bench.state.book
    if approver is None:
        limit = refunds.auto_minor(cursor=bench.cursor, book=book)
        asked = refunds.asked_lately_minor(
            cursor=bench.cursor, wallet=row.wallet, upto=row.id, now_us=bench.now_us
        )
        return row.origin == "resident" and row.way == "source" and max(asked, row.asked_minor) <= limit
    if row.author is None or approver == row.author:
        return False
    return cash_desk.staff_role(cursor=bench.cursor, book=book, user=approver) == "admin"


def _room(bench: Bench, row: RefundRow, ix: int) -> Room | None:
    """How much may go back; None where the refund names a payment or a wish that is not this wallet's."""
    cursor, book, minor = bench.cursor, bench.state.book, _micro(bench, 1)
    left = None
    if row.payment is not None:
        paid = refunds.lock_paid(cursor=cursor, book=book, fact=row.payment)
        if paid is None or (paid.wallet, paid.account) != (row.wallet, row.account):
            return None
        if row.way == "source" and not refunds_to_source(provider=paid.provider):
            return None
        left = paid.left_minor
    if row.wish is not None:
        wishes = refunds.wishes_left(cursor=cursor, book=book, wallet=row.wallet, minor_micro=minor)
        left_micro = dict(wishes).get(row.wish, 0)
    else:
        left_micro = unspent(bench, ix)
    return refund_room(
        asked_minor=row.asked_minor, payment_left_minor=left, unspent_micro=left_micro, minor_micro=minor
    )


def unspent(bench: Bench, ix: int) -> int:
    """Credit that was paid, not lent, and that no gateway that is away may still let be used."""
    wallet = int(bench.state.wallets["wallet"][ix])
    apart = apart_of(state=bench.state, leases=bench.state.leases, heard=(), now_us=bench.now_us)
    held = apart.get(ix, NOWHERE).beside(0)
    return int(bench.available[ix]) - owing_of(bench, wallet).emergency_micro - held


def post_recalled(bench: Bench, *, refund: int) -> PostedFacts:
    """Every gateway gave back what it held: the amount is fixed by what the meters showed since."""
    row = refunds.lock_refund(cursor=bench.cursor, book=bench.state.book, refund=refund)
    if row is None or row.state != RefundState.APPROVED or row.held_batch is None:
        return _answered(bench, dict(_DUPLICATE))
    ix = bench.state.wallet_index.get(row.wallet)
    if ix is None:
        return PostedFacts(reload=True, more=True)
    if ix in bench.reworked:
        return PostedFacts(more=True)
    if not _given_back(bench, row, ix):
        return _answered(bench, {"outcome": "not_yet", "refund": row.id})
    out = PostedFacts()
    short = shortfall_minor(
        available_micro=int(bench.available[ix]),
        amount_minor=row.amount_minor,
        minor_micro=_micro(bench, 1),
    )
    if short:
        _give_back(bench, out, row, ix, short)
        about = {"refund": row.id, "amount_micro": _micro(bench, short)}
        out.events.append(_event("refund.used_meanwhile", bench, row, about))
    if short == row.amount_minor:
        _move(bench, row, RefundState.FAILED, code="used_meanwhile", amount_minor=0)
        out.events.append(_event("refund.failed", bench, row, {"refund": row.id}, reason="used_meanwhile"))
    else:
        _submit(bench, out, row, row.amount_minor - short)
    left = _micro(bench, row.amount_minor - short)
    out.answers.append(_answer(bench, {"outcome": "recalled", "refund": row.id, "amount_micro": left}))
    return out


def _given_back(bench: Bench, row: RefundRow, ix: int) -> bool:
    """Whether nobody may use the credit any more, and the meters have said since what was used."""
    state = bench.state
    if ix in state.across:
        held = sum(state.leases[n].held_micro for n in state.across[ix])
        return held <= max(0, int(bench.available[ix]))
    found = refunds.recalls(
        cursor=bench.cursor, book=state.book, wallet=row.wallet, since_batch=row.held_batch or 0
    )
    heads = {
        int(bench.registers.rows["installation"][n]): int(bench.registers.rows["at_us"][n])
        for n in state.registers_of(ix)
    }
    return all(gave_back(one, read_us=heads.get(one.installation, 0)) for one in found)


def gave_back(one: Recall, *, read_us: int) -> bool:
    """Whether a gateway took a newer grant and its meter was read after that, both by the gateway's own clock."""
    if one.receipt is None:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(one.public_key)
        taken = verify_receipt(message=one.receipt, keys={one.slug.encode(): key})
    except (FrameError, ValueError):
        return False  # the gateway has another key by now: a newer receipt will do
    return read_us >= taken.meter_time_us


def _submit(bench: Bench, out: PostedFacts, row: RefundRow, amount_minor: int) -> None:
    """Let the provider be asked, or the window pay."""
    ask_us = bench.now_us if row.way == "source" else None
    _move(
        bench, row, RefundState.SUBMITTED, amount_minor=amount_minor, ask_us=ask_us, held=RefundState.APPROVED
    )
    about = {"refund": row.id, "amount_micro": _micro(bench, amount_minor)}
    out.events.append(_event("refund.submitted", bench, row, about, reason=row.way))


def _withdraw(bench: Bench, row: RefundRow) -> PostedFacts:
    """Take a refund back; not once a provider may have been asked, nor once somebody paid it out."""
    if row.state == RefundState.REQUESTED:
        return _ended(bench, row, RefundState.WITHDRAWN, "")
    answered = refunds.who_answered(cursor=bench.cursor, refund=row.id)
    at_window = row.state == RefundState.SUBMITTED and row.way == "window" and "paid_out" not in answered
    if row.state != RefundState.APPROVED and not at_window:
        return refuse_fact(bench, "too_late", "this refund is under way or over; it stays as it is")
    return fail_refund(bench, row, RefundState.WITHDRAWN, "")


def _handed_out(bench: Bench, row: RefundRow, cashier: int) -> PostedFacts:
    """Somebody paid cash out: a drawer of theirs holds so much less from now on, whenever it is counted.

    What is owed follows once a second person saw it. What no drawer held came out of the safe.
    """
    drawer = cash_desk.open_shift_of(cursor=bench.cursor, book=bench.state.book, cashier=cashier)
    if drawer is None or row.amount_minor > drawer.expected_minor:
        return _answered(bench, {"outcome": "from_safe", "refund": row.id})
    cash_desk.add_cash_out(
        cursor=bench.cursor,
        fact=bench.fact,
        book=bench.state.book,
        wallet=row.wallet,
        shift=drawer.shift,
        amount_minor=row.amount_minor,
        of_kind="refund",
        of_id=row.id,
        cashier=cashier,
        now_us=bench.now_us,
        batch=bench.state.last_batch + 1,
    )
    return _answered(bench, {"outcome": "from_drawer", "refund": row.id, "shift": drawer.shift})


def _confirmed(bench: Bench, row: RefundRow) -> PostedFacts:
    """Two people say that the window paid."""
    answered = refunds.who_answered(cursor=bench.cursor, refund=row.id)
    one, other = answered.get("paid_out", 0), answered.get("confirm", 0)
    staff = cash_desk.staff_role(cursor=bench.cursor, book=bench.state.book, user=other)
    if not one or not other or one == other or not staff:
        return refuse_fact(bench, "not_authorised", "two people say together that the window paid")
    # The provider was faster than the second person: the cash had gone out by then.
    twice = row.state == RefundState.SUCCEEDED and row.paid_by == "source"
    if row.state == RefundState.SUCCEEDED and not twice:
        return _answered(bench, dict(_DUPLICATE))
    at_window = row.state == RefundState.ABNORMAL or (row.state, row.way) == (RefundState.SUBMITTED, "window")
    if not at_window and not twice:
        return refuse_fact(bench, "not_at_window", "this refund is not one for the window; no money moved")
    done = paid_twice if twice else succeed_refund
    handed_out = cash_desk.is_handed_out(
        cursor=bench.cursor, book=bench.state.book, of_kind="refund", of_id=row.id
    )
    return done(bench, row, provider=DRAWER if handed_out else WINDOW)


def paid_twice(bench: Bench, row: RefundRow, *, provider: str) -> PostedFacts:
    """The window and the provider both paid: what `provider` paid last was owed no more, and has to be asked for."""
    amount = _micro(bench, row.amount_minor)
    refunds.move_refund(
        cursor=bench.cursor, refund=row.id, state=RefundState.SUCCEEDED, now_us=bench.now_us, paid_by="both"
    )
    about = {"refund": row.id, "amount_micro": amount}
    return PostedFacts(
        legs=list(
            refund_found_legs(currency=row.currency, provider=provider, amount_micro=amount, account=SUSPENSE)
        ),
        events=[_event("refund.paid_twice", bench, row, about)],
        answers=[_answer(bench, {"outcome": "succeeded", "refund": row.id, "paid_by": "both"})],
    )


def succeed_refund(bench: Bench, row: RefundRow, *, provider: str, provider_refund: str = "") -> PostedFacts:
    """A refund was paid: what is owed leaves the liability account, by the provider or by the window."""
    out = PostedFacts()
    amount = _micro(bench, row.amount_minor)
    out.legs += refund_paid_legs(currency=bench.state.currency, provider=provider, amount_micro=amount)
    by = "window" if provider in (WINDOW, DRAWER) else "source"
    number = provider_refund or row.provider_refund
    _move(bench, row, RefundState.SUCCEEDED, paid_by=by, ask_us=None, provider_refund=number)
    if row.payment is not None:
        moved = {"open_minor": -row.amount_minor, "done_minor": row.amount_minor}
        refunds.move_paid(cursor=bench.cursor, fact=row.payment, **moved)
        fold_payment(bench, row.payment)
    if row.wish is not None:
        rest = refunds.wish_rest(
            cursor=bench.cursor, book=bench.state.book, wish=row.wish, minor_micro=_micro(bench, 1)
        )
        if rest:
            out.legs += rounded_legs(currency=bench.state.currency, amount_micro=rest)
    out.events.append(
        _event("refund.succeeded", bench, row, {"refund": row.id, "amount_micro": amount}, reason=by)
    )
    out.answers.append(_answer(bench, {"outcome": "succeeded", "refund": row.id, "amount_micro": amount}))
    return out


def fail_refund(bench: Bench, row: RefundRow, to: RefundState, code: str) -> PostedFacts:
    """A refund is not made: a compensating entry brings the money back to its wallet, or leaves it owed to who left."""
    ix = bench.state.wallet_index.get(row.wallet)
    if ix is None:
        return PostedFacts(reload=True, more=True)
    out = PostedFacts()
    if RefundState(row.state) in HELD:
        _give_back(bench, out, row, ix, row.amount_minor)
    _move(bench, row, to, code=code, ask_us=None)
    about = {"refund": row.id, "amount_micro": _micro(bench, row.amount_minor)}
    out.events.append(
        _event("refund.withdrawn", bench, row, about)
        if to is RefundState.WITHDRAWN
        else _event("refund.failed", bench, row, about, reason=code)
    )
    out.answers.append(_answer(bench, {"outcome": str(to), **about}))
    return out


def _give_back(bench: Bench, out: PostedFacts, row: RefundRow, ix: int, amount_minor: int) -> None:
    if row.payment is not None:
        refunds.move_paid(cursor=bench.cursor, fact=row.payment, open_minor=-amount_minor)
    if row.wish is None:
        _move_wallet(bench, out, ix, _micro(bench, amount_minor))


def _move_wallet(bench: Bench, out: PostedFacts, ix: int, amount_micro: int) -> None:
    """Between a wallet and the liability account; below zero the wallet gives."""
    out.lines.append(wallet_line(bench, kind=Kind.REFUND, amount_micro=amount_micro))
    out.wallet_ix.append(ix)
    out.moved.add(ix)
    out.legs += refund_held_legs(currency=bench.state.currency, amount_micro=-amount_micro)


def wallet_line(bench: Bench, *, kind: Kind, amount_micro: int) -> Any:
    """A line of this fact that moves a wallet now."""
    line = np.zeros((), dtype=LINE)
    line["ts"], line["ref"], line["kind"] = bench.now_us, bench.fact, kind
    line["amount_micro"], line["book"] = amount_micro, bench.state.book
    return line


def fold_payment(bench: Bench, payment: int) -> None:
    """Let the top-up that a payment belongs to say what became of it."""
    paid = refunds.lock_paid(cursor=bench.cursor, book=bench.state.book, fact=payment)
    assert paid is not None, "a refund names a payment of its book"
    refunds.fold_intent(cursor=bench.cursor, intent=paid.intent)


def _ended(bench: Bench, row: RefundRow, to: RefundState, code: str) -> PostedFacts:
    """A refund ends before any money moved."""
    if row.state != RefundState.REQUESTED:
        return _answered(bench, dict(_DUPLICATE))
    _move(bench, row, to, code=code)
    out = PostedFacts()
    about = {"refund": row.id}
    out.events.append(
        _event("refund.withdrawn", bench, row, about)
        if to is RefundState.WITHDRAWN
        else _event("refund.refused", bench, row, about, reason=code)
    )
    out.answers.append(_answer(bench, {"outcome": str(to), "refund": row.id, "code": code}))
    return out


def _move(
    bench: Bench, row: RefundRow, to: RefundState, *, held: RefundState | None = None, **changes: Any
) -> None:
    """One step; `held`: the step before it, when this very fact took that too."""
    advance_refund(held or RefundState(row.state), to)
    refunds.move_refund(cursor=bench.cursor, refund=row.id, state=to, now_us=bench.now_us, **changes)


def _event(
    kind: str, bench: Bench, row: RefundRow, evidence: dict[str, Any], *, reason: str = ""
) -> EventRow:
    return EventRow(kind=kind, at_us=bench.now_us, wallet=row.wallet, reason=reason, evidence=evidence)


def _answer(bench: Bench, result: dict[str, Any]) -> FactAnswer:
    return FactAnswer(fact=bench.fact, state="posted", result=result)


def _answered(bench: Bench, result: dict[str, Any]) -> PostedFacts:
    return PostedFacts(answers=[_answer(bench, result)])


def _micro(bench: Bench, amount_minor: int) -> int:
    return micro_from_minor(amount_minor=amount_minor, minor_digits=bench.state.minor_digits)
