"""Tokens that carry a payment: the poster makes them, because the web must not hold the key of any meter.

No money moves. What is looked up here: that the payment is in this book and still the home's, that its gateway cannot
know it yet, and that no other gateway could give out the same credit meanwhile.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from fairwatt.core.commands.carried_payment import TYPED_WITHIN_DAYS, TooMuch, write_token
from fairwatt.core.commands.restore_code import KeepsCodeKeys
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store import carried_payments, cash_desk, refunds, restore_codes
from fairwatt.store.cash_desk import Receipt
from fairwatt.store.posting import EventRow, FactAnswer

_DAY_US: Final = 86_400_000_000
_MINUTE_US: Final = 60_000_000
STAFF: Final = ("operator", "admin")


def post_token(bench: Bench, about: dict[str, Any]) -> PostedFacts:
    """Make the token a fact asks for: whoever wrote the fact is not trusted, so all is looked up again."""
    match about:
        case {"installation": int(installation), "receipt": int(receipt), "author": int(author)}:
            pass
        case _:
            return refuse_fact(
                bench, "unknown_kind", "the content of this token is not what such a fact says"
            )
    keys, cursor, book = bench.codes, bench.cursor, bench.state.book
    if keys is None:
        return refuse_fact(bench, "no_code_keys", "this poster holds no keys of codes")
    if cash_desk.staff_role(cursor=cursor, book=book, user=author) not in STAFF:
        return refuse_fact(bench, "not_authorised", "nobody of this desk asked for it")
    place = carried_payments.place_of(cursor=cursor, book=book, installation=installation)
    paid = cash_desk.receipt_of(cursor=cursor, book=book, number=receipt)
    if place is None or paid is None or paid.wallet != place.wallet:
        return refuse_fact(
            bench, "not_of_this_home", "this home has no such payment, or no such meter at work"
        )
    why = _refused(bench, place, paid)
    if why is not None:
        return refuse_fact(bench, *why)
    return _made(bench, keys, _Asked(place, paid, author))


class _Asked(NamedTuple):
    """A token that may be made."""

    place: carried_payments.Place
    paid: Receipt
    author: int


def _refused(bench: Bench, place: carried_payments.Place, paid: Receipt) -> tuple[str, str] | None:
    """Why this payment is not carried to this meter: (code, detail). None when it may be."""
    if bench.now_us - paid.at_us > TYPED_WITHIN_DAYS * _DAY_US:
        return "too_old", f"the payment is more than {TYPED_WITHIN_DAYS} days old; no gateway would take it"
    if carried_payments.is_known_there(cursor=bench.cursor, place=place, paid_us=paid.at_us):
        return "known_there", "the gateway has a grant that knows this payment: it is in the balance there"
    ix = bench.state.wallet_index.get(place.wallet)
    behind = (
        {} if ix is None else {int(bench.registers.rows["gateway"][n]) for n in bench.state.registers_of(ix)}
    )
    if behind != {place.gateway}:
        return "several_gateways", "the account has meters behind several gateways; each could give it out"
    return None


def _made(bench: Bench, keys: KeepsCodeKeys, asked: _Asked) -> PostedFacts:
    place, paid, cursor = asked.place, asked.paid, bench.cursor
    before = carried_payments.made_for(cursor=cursor, place=place)
    # Asked again, the same payment has the same token: the gateway takes it once.
    again = next((one for one in before if one.receipt == paid.number), None)
    slug = bench.state.gateways[place.gateway].slug
    try:
        made = write_token(
            marker=lambda number, said: keys.mark(gateway=slug, meter=number, said=said),
            meter=place.meter,
            amount_micro=again.amount_micro if again else _left(bench, paid),
            paid_us=again.minute_us if again else _minute_us(bench, place, paid),
            taken=[one.tid for one in before if one is not again],
        )
    except TooMuch:
        return refuse_fact(bench, "nothing_to_carry", "nothing of this payment is left as credit to carry")
    except TokenError as error:
        return refuse_fact(bench, error.code, str(error))
    restore_codes.leave_answer(
        cursor=cursor,
        book=bench.state.book,
        fact=bench.fact,
        author=asked.author,
        digits=made.digits,
        now_us=bench.now_us,
    )
    said = {"receipt": paid.number, "amount_micro": made.amount_micro, "meter": place.meter}
    event = EventRow(
        kind="supply.token_made",
        at_us=bench.now_us,
        wallet=place.wallet,
        gateway=place.gateway,
        meter=place.meter,
        evidence={
            **said,
            "tid": made.tid,
            "minute_us": made.minute_us,
            "fact": bench.fact,
            "author": asked.author,
        },
    )
    return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=said)], events=[event])


def _left(bench: Bench, paid: Receipt) -> int:
    """What a payment left as credit: less what went back since, and what it repaid or set aside as it came."""
    payment = refunds.lock_paid(cursor=bench.cursor, book=bench.state.book, fact=paid.fact)
    digits = bench.state.minor_digits
    kept = (
        paid.amount_micro
        if payment is None
        else micro_from_minor(amount_minor=payment.left_minor, minor_digits=digits)
    )
    taken = carried_payments.taken_with(cursor=bench.cursor, wallet=paid.wallet, at_us=paid.at_us)
    return min(kept, paid.amount_micro - paid.void_micro) - taken


def _minute_us(bench: Bench, place: carried_payments.Place, paid: Receipt) -> int:
    """The minute that tells grants which know the payment from those which do not.

    That is its own, as long as no grant was written earlier in it; then it is the next one.
    """
    floor_us = paid.at_us // _MINUTE_US * _MINUTE_US
    just_before = carried_payments.was_granted(
        cursor=bench.cursor, place=place, from_us=floor_us, until_us=paid.at_us
    )
    return floor_us + _MINUTE_US if just_before else floor_us
