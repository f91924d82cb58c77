"""A provider's bill of a day, held against what we posted and what meters were told. Pure: rows in, named drift out.

A payment is matched by the provider's own number of it, never by amount and time: a wrong match would hide two
differences in one. The bills of the days before and after are looked at for what fell over midnight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from fairwatt.core.units import US_PER_HOUR
from fairwatt.payments.billing import Billing
from fairwatt.payments.contract import BillRow, Kind

MIDNIGHT_US: Final = 2 * US_PER_HOUR
"""What we have so near to the end of a provider's day may stand on the next day's bill, which is waited for."""


class Drift(StrEnum):
    """What can differ. The names are stable: pages, files and exit codes are made of them."""

    NOT_CREDITED = "not_credited"
    """they have a payment of an order of ours, and we have no credit for it"""
    NOT_BILLED = "not_billed"
    """we credited a payment that they do not have"""
    UNKNOWN_PAYMENT = "unknown_payment"
    """they have a payment of no order of ours"""
    AMOUNT_DIFFERS = "amount_differs"
    """the same payment with another amount or currency"""
    BILLED_TWICE = "billed_twice"
    """one payment in two rows"""
    REFERENCE_DIFFERS = "reference_differs"
    """the provider's number of one payment with our reference of another"""
    REFUND_UNKNOWN = "refund_unknown"
    """they gave back what nobody here asked for: a refund, a reversal, a chargeback"""
    REFUND_NOT_BILLED = "refund_not_billed"
    """we were told that money went back, and they do not have it"""
    LEDGER_DIFFERS = "ledger_differs"
    """posted as credited, and the ledger's line is missing or another one"""
    METER_NOT_TOLD = "meter_not_told"
    """credited, and the meter has not confirmed its order for a day"""


class Told(StrEnum):
    """How far a credit got on its way to the meter."""

    NOTHING = "nothing"
    """no order was needed: the power was on, or the credit is kept by us"""
    WAITING = "waiting"
    LATE = "late"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A payment as we have it: posted, in the ledger, on its way to the meter."""

    our_ref: str
    provider_ref: str
    amount_minor: int
    currency: str
    occurred_at_us: int
    book: int
    wallet: int
    posted_micro: int
    """what the posted fact says it came to"""
    ledger_micro: int | None
    """what the line says; None: there is no line. Money in suspense has none, and says so by `review`."""
    review: bool = False
    told: Told = Told.NOTHING
    typed: bool = False
    """out of the provider's own list, whose number of it is the bill's; what its payer typed may be an order's"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurRefund:
    """Money that we were told went back, or asked to have go back (`done` False)."""

    our_ref: str
    refund_ref: str
    amount_minor: int
    currency: str
    occurred_at_us: int
    book: int
    wallet: int
    kind: Kind = Kind.REFUND
    done: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An order of ours, paid or not."""

    our_ref: str
    book: int
    wallet: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs. Amounts in minor units; None where a side has nothing."""

    kind: Drift
    our_ref: str
    provider_ref: str = ""
    refund_ref: str = ""
    theirs_minor: int | None = None
    ours_minor: int | None = None
    currency: str = ""
    occurred_at_us: int = 0
    book: int | None = None
    wallet: int | None = None

    @property
    def key(self) -> str:
        """The same for the same difference however often the day is compared."""
        return ":".join((self.kind, self.provider_ref, self.refund_ref, self.our_ref))


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All that we have for a day."""

    payments: Sequence[Ours]
    refunds: Sequence[OurRefund]
    orders: Mapping[str, Known]
    """by our reference, as short as the bill has it"""


@dataclass(slots=True)
class Compared:
    """What a day came to."""

    differences: list[Difference] = field(default_factory=list)
    matched: list[Ours] = field(default_factory=list)
    over_midnight: list[Ours] = field(default_factory=list)
    """ours of this day whose bill row may still come with the next day's bill"""


@dataclass(slots=True, kw_only=True)
class _Desk:
    billing: Billing
    side: Side
    by_number: dict[str, Ours]
    by_ref: dict[str, list[Ours]]
    numbers: frozenset[str]
    """of every payment on this bill and those beside it"""
    out: Compared
    seen: set[int] = field(default_factory=set)


def compare(
    *,
    billing: Billing,
    day: str,
    rows: Sequence[BillRow],
    before: Sequence[BillRow] | None,
    after: Sequence[BillRow] | None,
    side: Side,
) -> Compared:
    """Hold a day's bill against our side. `before` and `after` are None while those days' bills are not here yet."""
    desk = _Desk(
        billing=billing,
        side=side,
        by_number={one.provider_ref: one for one in side.payments if one.provider_ref},
        by_ref={},
        numbers=frozenset(row.provider_ref for row in (*rows, *(before or ()), *(after or ()))),
        out=Compared(),
    )
    for one in side.payments:
        desk.by_ref.setdefault(billing.short(one.our_ref), []).append(one)
    _payments(desk, [row for row in rows if row.kind is Kind.PAYMENT], before)
    _not_billed(desk, day, before, after)
    _refunds(desk, rows, before, after, day)
    for one in desk.out.matched:
        _inside(desk.out, one)
    desk.out.differences.sort(key=lambda found: (list(Drift).index(found.kind), found.key))
    return desk.out


def _payments(desk: _Desk, rows: Iterable[BillRow], before: Sequence[BillRow] | None) -> None:
    numbers = {row.provider_ref for row in before or () if row.kind is Kind.PAYMENT}
    for row in rows:
        if row.provider_ref in numbers:
            desk.out.differences.append(_theirs(desk, Drift.BILLED_TWICE, row))
            continue
        numbers.add(row.provider_ref)
        mine = desk.by_number.get(row.provider_ref)
        if mine is None and not desk.billing.numbers_agree:
            mine = next((one for one in desk.by_ref.get(row.our_ref, ()) if _may_be(desk, one, row)), None)
        if mine is None:
            known = row.our_ref in desk.side.orders
            kind = Drift.NOT_CREDITED if known else Drift.UNKNOWN_PAYMENT
            desk.out.differences.append(_theirs(desk, kind, row))
            continue
        desk.seen.add(id(mine))
        desk.out.matched.append(mine)
        if row.our_ref and row.our_ref != desk.billing.short(mine.our_ref):
            desk.out.differences.append(_both(Drift.REFERENCE_DIFFERS, mine, row))
        if (row.amount_minor, row.currency) != (mine.amount_minor, mine.currency):
            desk.out.differences.append(_both(Drift.AMOUNT_DIFFERS, mine, row))


def _may_be(desk: _Desk, mine: Ours, row: BillRow) -> bool:
    """Whether a row that has our reference and another number is this payment, and no second one under it."""
    another = desk.billing.is_another(at_us=row.occurred_at_us, paid_us=mine.occurred_at_us)
    numbered = mine.typed or mine.provider_ref in desk.numbers
    return id(mine) not in desk.seen and not numbered and not another


def _not_billed(
    desk: _Desk, day: str, before: Sequence[BillRow] | None, after: Sequence[BillRow] | None
) -> None:
    start_us, end_us = desk.billing.span(day)
    beside = [row for row in (*(before or ()), *(after or ())) if row.kind is Kind.PAYMENT]
    numbers, refs = {row.provider_ref for row in beside}, {row.our_ref for row in beside}
    for mine in desk.side.payments:
        if id(mine) in desk.seen or not start_us <= mine.occurred_at_us < end_us:
            continue
        named = desk.billing.short(mine.our_ref)
        if mine.provider_ref in numbers or (not desk.billing.numbers_agree and named in refs):
            continue  # it stands on the bill beside this one, and is held against that
        if _near_midnight(mine.occurred_at_us, (start_us, end_us), before, after):
            desk.out.over_midnight.append(mine)
            continue
        desk.out.differences.append(_mine(Drift.NOT_BILLED, mine))


def _refunds(
    desk: _Desk,
    rows: Sequence[BillRow],
    before: Sequence[BillRow] | None,
    after: Sequence[BillRow] | None,
    day: str,
) -> None:
    short = desk.billing.short
    asked = {(one.refund_ref, short(one.our_ref)): one for one in desk.side.refunds if one.refund_ref}
    taken = {short(one.our_ref) for one in desk.side.refunds if not one.refund_ref}
    for row in rows:
        if row.kind is Kind.PAYMENT:
            continue
        known = (row.refund_ref, row.our_ref) in asked if row.refund_ref else row.our_ref in taken
        if not known:
            desk.out.differences.append(_theirs(desk, Drift.REFUND_UNKNOWN, row))
    start_us, end_us = desk.billing.span(day)
    near = [row for row in (*rows, *(before or ()), *(after or ())) if row.kind is not Kind.PAYMENT]
    billed = {(row.refund_ref, row.our_ref) for row in near} | {("", row.our_ref) for row in near}
    for one in desk.side.refunds:
        if not one.done or not start_us <= one.occurred_at_us < end_us:
            continue
        if (one.refund_ref, short(one.our_ref)) in billed:
            continue
        if _near_midnight(one.occurred_at_us, (start_us, end_us), before, after):
            continue
        desk.out.differences.append(
            Difference(
                kind=Drift.REFUND_NOT_BILLED,
                our_ref=one.our_ref,
                refund_ref=one.refund_ref,
                ours_minor=-one.amount_minor,
                currency=one.currency,
                occurred_at_us=one.occurred_at_us,
                book=one.book,
                wallet=one.wallet,
            )
        )


def _near_midnight(
    at_us: int,
    span: tuple[int, int],
    before: Sequence[BillRow] | None,
    after: Sequence[BillRow] | None,
) -> bool:
    """Whether it may stand on a bill that is not here yet."""
    return (after is None and at_us >= span[1] - MIDNIGHT_US) or (
        before is None and at_us < span[0] + MIDNIGHT_US
    )


def _inside(out: Compared, mine: Ours) -> None:
    """Our own two ends: the ledger, and the meter."""
    if not mine.review and mine.ledger_micro != mine.posted_micro:
        out.differences.append(_mine(Drift.LEDGER_DIFFERS, mine))
    if mine.told is Told.LATE:
        out.differences.append(_mine(Drift.METER_NOT_TOLD, mine))


def _theirs(desk: _Desk, kind: Drift, row: BillRow) -> Difference:
    known = desk.side.orders.get(row.our_ref)
    return Difference(
        kind=kind,
        our_ref=known.our_ref if known else row.our_ref,
        provider_ref=row.provider_ref,
        refund_ref=row.refund_ref,
        theirs_minor=row.amount_minor,
        currency=row.currency,
        occurred_at_us=row.occurred_at_us,
        book=known.book if known else None,
        wallet=known.wallet if known else None,
    )


def _mine(kind: Drift, mine: Ours) -> Difference:
    return Difference(
        kind=kind,
        our_ref=mine.our_ref,
        provider_ref=mine.provider_ref,
        ours_minor=mine.amount_minor,
        currency=mine.currency,
        occurred_at_us=mine.occurred_at_us,
        book=mine.book,
        wallet=mine.wallet,
    )


def _both(kind: Drift, mine: Ours, row: BillRow) -> Difference:
    return Difference(
        kind=kind,
        our_ref=mine.our_ref,
        provider_ref=row.provider_ref,
        theirs_minor=row.amount_minor,
        ours_minor=mine.amount_minor,
        currency=row.currency,
        occurred_at_us=row.occurred_at_us,
        book=mine.book,
        wallet=mine.wallet,
    )
