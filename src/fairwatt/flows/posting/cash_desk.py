"""Money that people took by hand: shifts begin and end, takings become credit, cash goes out of a drawer.

Nobody signs for cash. What stands in for a signature is looked up here: who took it works for this organisation and has
an open shift, and the desk was commissioned for as much. The count at the end finds what a lie would leave.
"""

from __future__ import annotations

from typing import Any, Final

from fairwatt.core.ledger.recipes import counted_legs, handed_out_legs
from fairwatt.core.spans import local_day_start
from fairwatt.core.units import is_amount, micro_from_minor
from fairwatt.flows.posting.claiming import post_claim, post_transfer
from fairwatt.flows.posting.depositing import set_aside
from fairwatt.flows.posting.money import post_proven
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.flows.posting.voiding import post_void
from fairwatt.payments.contract import Assurance, ProviderFact
from fairwatt.store import cash_desk, money_wishes
from fairwatt.store.cash_desk import Shift
from fairwatt.store.posting import EventRow, FactAnswer

CASHIER: Final = "operator"
"""Who takes money. An administrator commissions, approves and never sits at the drawer."""


def post_at_desk(bench: Bench, before: PostedFacts, kind: str, about: dict[str, Any]) -> PostedFacts:
    """One fact of a cash desk: what it may do is looked up, whoever wrote it."""
    match kind, about:
        case (
            "payment",
            {
                "provider": ("cash" | "terminal") as tender,
                "our_ref": str(our_ref),
                "shift": int(shift),
                "cashier": int(cashier),
                "amount_minor": int(amount_minor),
                "slip": str(slip),
            },
        ):
            out = _take(bench, before, tender, our_ref, shift, cashier, amount_minor, slip)
            return _as_deposit(bench, out, cashier) if about.get("deposit") is True else out
        case "payment", {"provider": "transfer", "wish": int(wish)}:
            return post_transfer(bench, before, wish=wish)
        case "shift", {"desk": int(desk), "cashier": int(cashier), "float_minor": int(float_minor)}:
            return _open(bench, desk=desk, cashier=cashier, float_minor=float_minor)
        case (
            "shift_end",
            {
                "shift": int(shift),
                "author": int(author),
                "counted_minor": int(counted),
                "slips_minor": int(slips),
            },
        ):
            return _count(bench, shift=shift, author=author, counted_minor=counted, slips_minor=slips)
        case "void", {"wish": int(wish)}:
            return post_void(bench, wish=wish)
        case "claim", {"wish": int(wish)}:
            return post_claim(bench, wish=wish)
        case "cash_out", {"void": int(void), "shift": int(shift), "cashier": int(cashier)}:
            return _pay_back(bench, void=void, shift=shift, cashier=cashier)
        case _:
            return refuse_fact(bench, "unknown_kind", "nobody at a cash desk says such a thing")


def _open(bench: Bench, *, desk: int, cashier: int, float_minor: int) -> PostedFacts:
    book, cursor = bench.state.book, bench.cursor
    if cash_desk.staff_role(cursor=cursor, book=book, user=cashier) != CASHIER:
        return refuse_fact(
            bench, "not_a_cashier", "only an operator of this organisation sits at a cash desk"
        )
    known = desk in {one.desk for one in cash_desk.desks(cursor=cursor, book=book)}
    if not known or not is_amount(amount_minor=float_minor, minor_digits=bench.state.minor_digits):
        return refuse_fact(bench, "unknown_desk", "this book has no such cash desk")
    if any(
        one.desk == desk or one.cashier == cashier for one in cash_desk.open_shifts(cursor=cursor, book=book)
    ):
        return refuse_fact(bench, "shift_is_open", "this desk or this cashier has an open shift already")
    cash_desk.add_shift(
        cursor=cursor,
        fact=bench.fact,
        book=book,
        desk=desk,
        cashier=cashier,
        float_minor=float_minor,
        now_us=bench.now_us,
        batch=bench.state.last_batch + 1,
    )
    said = {"shift": bench.fact, "desk": desk, "cashier": cashier}
    return _done(bench, said, EventRow(kind="shift.opened", at_us=bench.now_us, evidence=said))


def _take(
    bench: Bench,
    before: PostedFacts,
    tender: str,
    our_ref: str,
    shift: int,
    cashier: int,
    amount_minor: int,
    slip: str,
) -> PostedFacts:
    """Credit what was taken, if everything that stands in for a signature is there; money is never half taken."""
    cursor, state = bench.cursor, bench.state
    found = _open_shift(bench, shift=shift, cashier=cashier)
    if found is None:
        return refuse_fact(
            bench, "no_open_shift", "this cashier has no such open shift; nothing was credited"
        )
    desk = next(one for one in cash_desk.desks(cursor=cursor, book=state.book) if one.desk == found.desk)
    today = cash_desk.taken_on_desk(
        cursor=cursor, desk=desk.desk, from_us=local_day_start(zone=state.zone, at_us=bench.now_us)
    )
    if not 0 < amount_minor <= desk.taking_most_minor or today + amount_minor > desk.day_most_minor:
        return refuse_fact(bench, "beyond_the_desk", "this desk may not take so much; nothing was credited")
    if (tender == "terminal") != bool(slip) or cash_desk.slip_is_known(cursor=cursor, shift=shift, slip=slip):
        return refuse_fact(bench, "slip", "a card payment has a slip of its own; nothing was credited")
    cursor.execute(
        "SELECT wallet_id FROM store_paymentintent WHERE our_ref = %s AND provider = %s AND book_id = %s "
        "AND account_id IS NULL AND amount_minor = %s AND currency = %s AND state = 'created'",
        [our_ref, tender, state.book, amount_minor, state.currency],
    )
    row = cursor.fetchone()
    if row is None or int(row[0]) not in state.wallet_index:
        return refuse_fact(bench, "not_as_asked", "nobody meant to pay this in; nothing was credited")
    paid = ProviderFact(
        provider=tender,
        our_ref=our_ref,
        provider_ref=f"{shift}-{slip}" if slip else our_ref,
        event_id=our_ref,
        amount_minor=amount_minor,
        currency=state.currency,
        occurred_at_us=bench.now_us,
        assurance=Assurance.MANUAL,
    )
    out = post_proven(bench, before, paid, account=None, cashier=cashier)
    if not out.credited:
        return out
    cash_desk.add_taking(
        cursor=cursor,
        fact=bench.fact,
        book=state.book,
        wallet=int(row[0]),
        shift=shift,
        tender=tender,
        amount_minor=amount_minor,
        slip=slip,
        cashier=cashier,
        now_us=bench.now_us,
        batch=state.last_batch + 1,
    )
    return out


def _as_deposit(bench: Bench, out: PostedFacts, cashier: int) -> PostedFacts:
    """What was just credited is held apart at once: paid in as a deposit, no use ever takes it."""
    for ix in list(out.credited):
        amount = sum(int(line["amount_micro"]) for line in out.lines)
        if amount > 0:
            out.answers[0].result["deposit"] = True
            out.add(set_aside(bench, wallet_ix=ix, amount_micro=amount, author=cashier, words=""))
    return out


def _count(bench: Bench, *, shift: int, author: int, counted_minor: int, slips_minor: int) -> PostedFacts:
    """Close a shift: what the drawer holds more or less than it should is gain or loss on an account of its own."""
    book = bench.state.book
    found = cash_desk.shift_of(cursor=bench.cursor, book=book, shift=shift)
    if found is None or found.closed_us is not None:
        return refuse_fact(bench, "no_open_shift", "this shift is not open; its count stands as it was")
    role = cash_desk.staff_role(cursor=bench.cursor, book=book, user=author)
    if not (role == CASHIER and author == found.cashier) and role != "admin":
        return refuse_fact(bench, "not_your_shift", "its cashier or an administrator counts a shift")
    digits = bench.state.minor_digits
    if not all(is_amount(amount_minor=one, minor_digits=digits) for one in (counted_minor, slips_minor)):
        return refuse_fact(bench, "no_count", "a drawer holds nothing or more, and no sum past all sums")
    cash_desk.end_shift(
        cursor=bench.cursor,
        shift=found,
        fact=bench.fact,
        book=book,
        counted_minor=counted_minor,
        slips_minor=slips_minor,
        author=author,
        now_us=bench.now_us,
        batch=bench.state.last_batch + 1,
    )
    over = counted_minor - found.expected_minor
    evidence = {
        "shift": shift,
        "expected_minor": found.expected_minor,
        "counted_minor": counted_minor,
        "over_minor": over,
        "card_minor": found.card_minor,
        "slips_minor": slips_minor,
        "author": author,
    }
    out = _done(bench, evidence, EventRow(kind="shift.closed", at_us=bench.now_us, evidence=evidence))
    if over:
        out.legs += counted_legs(
            currency=bench.state.currency, provider="cash", over_micro=_micro(bench, over)
        )
    return out


def _pay_back(bench: Bench, *, void: int, shift: int, cashier: int) -> PostedFacts:
    """Hand out the cash of a payment that was taken back."""
    taken = money_wishes.cash_void_of(cursor=bench.cursor, book=bench.state.book, fact=void)
    if taken is None:
        return refuse_fact(bench, "nothing_owed", "nothing is to be handed out for this")
    minor, rest = divmod(taken.amount_micro, _micro(bench, 1))
    if rest:
        return refuse_fact(bench, "nothing_owed", "what is owed is finer than the smallest coin")
    return hand_out(
        bench,
        wallet=taken.wallet,
        shift=shift,
        cashier=cashier,
        amount_minor=minor,
        of_kind="void",
        of_id=void,
    )


def hand_out(
    bench: Bench, *, wallet: int, shift: int, cashier: int, amount_minor: int, of_kind: str, of_id: int
) -> PostedFacts:
    """Let cash leave a drawer once for what is owed, out of an open shift. The caller looked up that it is owed."""
    book = bench.state.book
    found = _open_shift(bench, shift=shift, cashier=cashier)
    if found is None:
        return refuse_fact(
            bench, "no_open_shift", "this cashier has no such open shift; nothing left the drawer"
        )
    if cash_desk.is_handed_out(cursor=bench.cursor, book=book, of_kind=of_kind, of_id=of_id):
        return refuse_fact(bench, "handed_out", "the cash for this was handed out before")
    if not 0 < amount_minor <= found.expected_minor:
        return refuse_fact(bench, "drawer_too_low", "the drawer holds less than that; nothing left it")
    cash_desk.add_cash_out(
        cursor=bench.cursor,
        fact=bench.fact,
        book=book,
        wallet=wallet,
        shift=shift,
        amount_minor=amount_minor,
        of_kind=of_kind,
        of_id=of_id,
        cashier=cashier,
        now_us=bench.now_us,
        batch=bench.state.last_batch + 1,
    )
    evidence = {
        "shift": shift,
        "cashier": cashier,
        "amount_minor": amount_minor,
        "of": of_kind,
        "of_id": of_id,
    }
    event = EventRow(kind="cash.handed_out", at_us=bench.now_us, wallet=wallet, evidence=evidence)
    out = _done(bench, evidence, event)
    out.legs += handed_out_legs(
        currency=bench.state.currency, provider="cash", amount_micro=_micro(bench, amount_minor)
    )
    return out


def _open_shift(bench: Bench, *, shift: int, cashier: int) -> Shift | None:
    """The shift, if it is open and this cashier's, who works here still."""
    found = cash_desk.shift_of(cursor=bench.cursor, book=bench.state.book, shift=shift)
    if found is None or found.closed_us is not None or found.cashier != cashier:
        return None
    works = cash_desk.staff_role(cursor=bench.cursor, book=bench.state.book, user=cashier) == CASHIER
    return found if works else None


def _done(bench: Bench, result: dict[str, Any], event: EventRow) -> PostedFacts:
    return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=result)], events=[event])


def _micro(bench: Bench, minor: int) -> int:
    return micro_from_minor(amount_minor=minor, minor_digits=bench.state.minor_digits)
