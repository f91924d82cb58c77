"""What providers say of money on its way back, as the collector was told: refunds of ours and of others, chargebacks.

Matched by our reference first, by the provider's number then; each is posted once, whoever tells of it and how often.
"""

from __future__ import annotations

from typing import Any, Final

from fairwatt.core.ledger.model import PAYABLE_REFUNDS, WALLET, Kind
from fairwatt.core.ledger.recipes import chargeback_legs, refund_found_legs
from fairwatt.core.ledger.refunds import RefundState
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.money import merchant_of
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.refunding import (
    fail_refund,
    fold_payment,
    paid_twice,
    succeed_refund,
    wallet_line,
)
from fairwatt.flows.posting.returned import come_back
from fairwatt.payments.contract import (
    MOVES_MONEY,
    Assurance,
    CallbackRejected,
    MalformedCallback,
    NotAsked,
    ProviderFact,
    State,
    UnknownProvider,
)
from fairwatt.payments.contract import Kind as Kinds
from fairwatt.store import chargebacks, refunds
from fairwatt.store.chargebacks import ChargebackRow
from fairwatt.store.facts import written_by_collector
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.store.refunds import PaidRow, RefundRow

_NOTHING: Final = {"outcome": "nothing"}
_DUPLICATE: Final = {"outcome": "duplicate"}


def post_word(bench: Bench, about: dict[str, Any]) -> PostedFacts:
    """A provider's word about a refund or a chargeback."""
    try:
        account, said = _believed(bench, about)
    except CallbackRejected as error:
        return refuse_fact(bench, error.code, str(error))
    if said.currency != bench.state.currency:
        return refuse_fact(bench, "other_currency", f"it speaks of {said.currency}; no money moved")
    if said.kind is Kinds.CHARGEBACK:
        return _chargeback(bench, account, said)
    ours = (
        refunds.lock_by_ref(
            cursor=bench.cursor, book=bench.state.book, account=account, refund_ref=said.refund_ref
        )
        if said.refund_ref
        else None
    )
    if ours is not None and ours.origin != "provider":
        return _of_ours(bench, ours, said)
    return _of_others(bench, account, said)


def _believed(bench: Bench, about: dict[str, Any]) -> tuple[int, ProviderFact]:
    """The word, if the collector wrote it down of an account of this book's organisation. Raises CallbackRejected."""
    match about:
        case {"provider": str(name), "account": int(account), "said": dict(said)}:
            pass
        case _:
            raise UnknownProvider("no provider here said this")
    if not written_by_collector(cursor=bench.cursor, fact=bench.fact):
        raise NotAsked("somebody says that a provider was asked who cannot have asked; no money was moved")
    if merchant_of(bench, account).name != name:
        raise UnknownProvider("the account is one at another provider")
    return account, word_of(name, said)


def word_of(provider: str, said: dict[str, Any]) -> ProviderFact:
    """A refund or a chargeback as the collector left it. Raises MalformedCallback."""
    match said:
        case {
            "kind": "refund" | "chargeback" as kind,
            "state": str(state),
            "our_ref": str(our_ref),
            "provider_ref": str(provider_ref),
            "refund_ref": str(refund_ref),
            "amount_minor": int(amount_minor),
            "currency": str(currency),
            "assurance": str(assurance),
            "detail": str(detail),
        } if (provider_ref or refund_ref) and amount_minor > 0:
            try:
                return ProviderFact(
                    provider=provider,
                    kind=Kinds(kind),
                    state=State(state),
                    our_ref=our_ref,
                    provider_ref=provider_ref,
                    refund_ref=refund_ref,
                    event_id="",
                    amount_minor=amount_minor,
                    currency=currency,
                    occurred_at_us=0,
                    assurance=Assurance(assurance),
                    detail=detail,
                )
            except ValueError as wrong:
                raise MalformedCallback(f"the collector left a word nobody knows: {wrong}") from None
    raise MalformedCallback("what the collector left is no word of a refund; no money was moved")


# --- refunds of ours ----------------------------------------------------------------------------------------


def _of_ours(bench: Bench, row: RefundRow, said: ProviderFact) -> PostedFacts:
    if said.assurance not in MOVES_MONEY:
        return refuse_fact(bench, "hint", "hearsay moves no money")
    waits = row.state in (RefundState.SUBMITTED, RefundState.ABNORMAL)
    if said.state is State.SUCCEEDED:
        if said.amount_minor != row.amount_minor:
            return refuse_fact(
                bench,
                "amount_differs",
                f"{said.provider} says it gave back {said.amount_minor}, asked were {row.amount_minor} "
                f"{row.currency} in minor units",
            )
        if waits:
            return succeed_refund(bench, row, provider=said.provider, provider_refund=said.provider_ref)
        return _done_all_the_same(bench, row, said)
    if said.state not in (State.FAILED, State.CLOSED, State.ABNORMAL):
        return _answered(bench, _DUPLICATE)
    if not waits:
        return come_back(bench, row, said)
    if said.state is not State.ABNORMAL:
        if "paid_out" in refunds.who_answered(cursor=bench.cursor, refund=row.id):
            # The window's cash went out: the money stays owed until the second person says that it did.
            return _answered(bench, {"outcome": "at_window", "refund": row.id})
        return fail_refund(bench, row, RefundState.FAILED, said.detail[:60] or str(said.state))
    if row.state == RefundState.ABNORMAL:
        return _answered(bench, _DUPLICATE)
    refunds.move_refund(
        cursor=bench.cursor,
        refund=row.id,
        state=RefundState.ABNORMAL,
        now_us=bench.now_us,
        code=said.detail[:60],
        provider_refund=said.provider_ref,
        ask_us=None,
    )
    amount = _micro(bench, row.amount_minor)
    out = _answered(bench, {"outcome": "abnormal", "refund": row.id})
    out.events.append(
        _event("refund.abnormal", bench, row.wallet, {"refund": row.id, "amount_micro": amount})
    )
    return out


def _done_all_the_same(bench: Bench, row: RefundRow, said: ProviderFact) -> PostedFacts:
    """The provider paid what was given up as failed, or what the window had paid by then."""
    if row.state == RefundState.SUCCEEDED and row.paid_by != "window":
        return _answered(bench, _DUPLICATE)
    if row.state == RefundState.SUCCEEDED:
        return paid_twice(bench, row, provider=said.provider)
    if row.state != RefundState.FAILED or row.payment is None:
        return refuse_fact(bench, "not_submitted", "this refund was never asked of its provider")
    amount = _micro(bench, row.amount_minor)
    out = PostedFacts()
    refunds.move_paid(cursor=bench.cursor, fact=row.payment, done_minor=row.amount_minor)
    fold_payment(bench, row.payment)
    _take(bench, out, row.wallet, said.provider, amount, row.wish)
    refunds.move_refund(
        cursor=bench.cursor, refund=row.id, state=RefundState.SUCCEEDED, now_us=bench.now_us, paid_by="source"
    )
    about = {"refund": row.id, "amount_micro": amount}
    out.events.append(_event("refund.succeeded", bench, row.wallet, about, reason="source"))
    out.add(_answered(bench, {"outcome": "succeeded", "refund": row.id, "paid_by": "source"}))
    return out


# --- refunds of others --------------------------------------------------------------------------------------


def _of_others(bench: Bench, account: int, said: ProviderFact) -> PostedFacts:
    """Somebody gave money back in the provider's own back office: it is posted as what it is."""
    if said.state is not State.SUCCEEDED or said.assurance not in MOVES_MONEY or not said.provider_ref:
        return _answered(bench, _NOTHING)
    if refunds.found_before(cursor=bench.cursor, account=account, provider_refund=said.provider_ref):
        return _answered(bench, _DUPLICATE)
    paid = refunds.paid_by_ref(
        cursor=bench.cursor,
        book=bench.state.book,
        account=account,
        our_ref=said.our_ref,
        amount_minor=said.amount_minor,
    )
    if paid is None:
        return refuse_fact(
            bench,
            "unknown_payment",
            f"{said.provider} gave {said.amount_minor} {said.currency} in minor units back of a payment that was "
            "never credited here",
        )
    # What the window paid of it does not bind the provider: both went out, and the wallet owes what was too much.
    if refunds.given_back_minor(cursor=bench.cursor, paid=paid) + said.amount_minor > paid.paid_minor:
        return refuse_fact(bench, "more_than_paid", "more went back than was ever paid; somebody has to look")
    if paid.wallet not in bench.state.wallet_index:
        return PostedFacts(reload=True, more=True)
    amount = _micro(bench, said.amount_minor)
    wish = _wish_for(bench, paid.wallet, amount)
    out = PostedFacts()
    _take(bench, out, paid.wallet, said.provider, amount, wish)
    refunds.add_found(
        cursor=bench.cursor,
        book=bench.state.book,
        paid=paid,
        refund_ref=f"found:{account}:{said.provider_ref}"[:200],
        provider_refund=said.provider_ref,
        amount_minor=said.amount_minor,
        wish=wish,
        now_us=bench.now_us,
    )
    refunds.move_paid(cursor=bench.cursor, fact=paid.fact, done_minor=said.amount_minor)
    fold_payment(bench, paid.fact)
    about = {"payment": paid.fact, "amount_micro": amount, "provider": said.provider}
    out.events.append(_event("refund.found", bench, paid.wallet, about))
    out.add(_answered(bench, {"outcome": "found", **about}))
    return out


def _wish_for(bench: Bench, wallet: int, amount_micro: int) -> int | None:
    """What is owed to a person who left, where it is at least so much."""
    left = refunds.wishes_left(
        cursor=bench.cursor, book=bench.state.book, wallet=wallet, minor_micro=_micro(bench, 1)
    )
    return next((wish for wish, micro in left if micro >= amount_micro), None)


def _take(
    bench: Bench, out: PostedFacts, wallet: int, provider: str, amount_micro: int, wish: int | None
) -> None:
    """Money that went out already: of what is owed to who left, or of the wallet, into debt where it has to be."""
    owed = wish is not None and _wish_for(bench, wallet, amount_micro) == wish
    out.legs += refund_found_legs(
        currency=bench.state.currency,
        provider=provider,
        amount_micro=amount_micro,
        account=PAYABLE_REFUNDS if owed else WALLET,
    )
    if not owed:
        ix = bench.state.wallet_index[wallet]
        out.lines.append(wallet_line(bench, kind=Kind.REFUND, amount_micro=-amount_micro))
        out.wallet_ix.append(ix)
        out.moved.add(ix)


# --- chargebacks --------------------------------------------------------------------------------------------


def _chargeback(bench: Bench, account: int, said: ProviderFact) -> PostedFacts:
    """A provider took a payment back, or gave it back after a dispute: the wallet follows, nobody is cut at once."""
    if said.assurance not in MOVES_MONEY:
        return refuse_fact(bench, "hint", "hearsay moves no money")
    known = chargebacks.lock_chargeback(cursor=bench.cursor, account=account, provider_ref=said.provider_ref)
    if known is not None:
        return _follow(bench, known, said)
    takes = said.state is State.SUCCEEDED or (
        said.state is State.PENDING and not said.detail.startswith("warning")
    )
    if not takes:
        return _answered(bench, _NOTHING)  # an inquiry, or a dispute that ended before it cost anything
    paid = refunds.paid_by_ref(
        cursor=bench.cursor, book=bench.state.book, account=account, our_ref=said.our_ref
    )
    if paid is None:
        return refuse_fact(
            bench, "unknown_payment", f"{said.provider} took back a payment that was never credited here"
        )
    ix = bench.state.wallet_index.get(paid.wallet)
    if ix is None:
        return PostedFacts(reload=True, more=True)
    state = "lost" if said.state is State.SUCCEEDED else "open"
    chargebacks.add_chargeback(
        cursor=bench.cursor,
        book=bench.state.book,
        paid=paid,
        provider_ref=said.provider_ref,
        amount_minor=said.amount_minor,
        state=state,
        now_us=bench.now_us,
    )
    out = PostedFacts()
    _charge(bench, out, paid, said.provider, said.amount_minor)
    after = int(bench.available[ix]) - _micro(bench, said.amount_minor)
    about = {
        "payment": paid.fact,
        "amount_micro": _micro(bench, said.amount_minor),
        "debt_micro": max(0, -after),
        "provider": said.provider,
    }
    out.events.append(_event("payment.charged_back", bench, paid.wallet, about, reason=state))
    out.add(_answered(bench, {"outcome": "charged_back", **about}))
    return out


def _follow(bench: Bench, known: ChargebackRow, said: ProviderFact) -> PostedFacts:
    """How a dispute that is known goes on."""
    cursor = bench.cursor
    paid = refunds.lock_paid(cursor=cursor, book=bench.state.book, fact=known.payment)
    if paid is None:
        return refuse_fact(bench, "other_book", "this payment belongs to another book")
    state = {State.SUCCEEDED: "lost", State.FAILED: "won"}.get(said.state, "open")
    if state == known.state or (state == "open" and known.state != "open"):
        return _answered(bench, _DUPLICATE)
    out = PostedFacts()
    amount_minor = known.amount_minor
    if state == "won" and known.taken:
        _charge(bench, out, paid, said.provider, -amount_minor)
    elif state == "lost" and not known.taken:
        _charge(bench, out, paid, said.provider, amount_minor)
    chargebacks.move_chargeback(
        cursor=cursor, chargeback=known.id, state=state, taken=state != "won", now_us=bench.now_us
    )
    about = {"payment": paid.fact, "amount_micro": _micro(bench, amount_minor), "provider": said.provider}
    out.events.append(
        _event("payment.dispute_won", bench, paid.wallet, about)
        if state == "won"
        else _event("payment.dispute_lost", bench, paid.wallet, about)
    )
    out.add(_answered(bench, {"outcome": state, **about}))
    return out


def _charge(bench: Bench, out: PostedFacts, paid: PaidRow, provider: str, amount_minor: int) -> None:
    """Take from the wallet what the provider took from the supplier; below zero give it back."""
    amount = _micro(bench, amount_minor)
    lost = min(amount_minor, paid.paid_minor - paid.lost_minor) if amount_minor > 0 else amount_minor
    refunds.move_paid(cursor=bench.cursor, fact=paid.fact, lost_minor=max(lost, -paid.lost_minor))
    refunds.fold_intent(cursor=bench.cursor, intent=paid.intent)
    ix = bench.state.wallet_index[paid.wallet]
    out.lines.append(wallet_line(bench, kind=Kind.CHARGEBACK, amount_micro=-amount))
    out.wallet_ix.append(ix)
    out.moved.add(ix)
    out.legs += chargeback_legs(currency=bench.state.currency, provider=provider, amount_micro=amount)


def _event(kind: str, bench: Bench, wallet: int, evidence: dict[str, Any], *, reason: str = "") -> EventRow:
    return EventRow(kind=kind, at_us=bench.now_us, wallet=wallet, reason=reason, evidence=evidence)


def _answered(bench: Bench, result: dict[str, Any]) -> PostedFacts:
    return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=dict(result))])


def _micro(bench: Bench, amount_minor: int) -> int:
    return micro_from_minor(amount_minor=amount_minor, minor_digits=bench.state.minor_digits)
