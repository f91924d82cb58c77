"""A bill against our side: every difference that was put into it is found by its name, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from fairwatt.payments.alipay.bills import _unzipped
from fairwatt.payments.alipay.bills import read_trades as read_alipay
from fairwatt.payments.billing import BILLING
from fairwatt.payments.contract import BillRow, Kind
from fairwatt.payments.mpesa.paybill import bill_row as mpesa_row
from fairwatt.payments.reconcile import Compared, Drift, Known, OurRefund, Ours, Side, Told, compare
from fairwatt.payments.wechat.bills import read_trades as read_wechat
from fairwatt.simulate.pay.bills import Moved, Seeded, alipay_trades, moved, seeded, wechat_trades
from fairwatt.simulate.pay.books import Books, Dialect, Payment, Shop
from fairwatt.simulate.pay.faults import Faults
from fairwatt.simulate.pay.mpesa import MPesaPlatform
from fairwatt.simulate.pay.stripe import StripePlatform
from fairwatt.simulate.pay.talking import Asked

DAY = "2026-11-20"
HOUR_US = 3_600_000_000


class Clock:
    us = 0


class Day:
    """A shop's day at one platform, with a payment or refund beside each midnight, and our side of it."""

    def __init__(self, dialect: Dialect, seed: int, keys: object) -> None:
        self.dialect, self.billing, self.clock = dialect, BILLING[dialect], Clock()
        draw = Random(f"{dialect}/{seed}")
        self.books = Books(seed=seed, now_us=lambda: self.clock.us)
        self.shop = Shop(dialect, "1900000001", keys)  # type: ignore[arg-type]
        self.books.shops.append(self.shop)
        start_us, end_us = self.billing.span(DAY)
        instants = [start_us - HOUR_US, start_us, end_us - 1_000_000, end_us, end_us + HOUR_US]
        instants += [draw.randrange(start_us, end_us) for _ in range(draw.randint(40, 90))]
        self.paid = [self._pay(at_us, draw) for at_us in sorted(instants)]
        for one in draw.sample(self.paid, 4) if dialect != "mpesa" else ():
            self.clock.us = one.at_us + HOUR_US // 4
            self.books.refund(one, refund_ref=f"r{one.number}", amount_minor=100, state="done")

    def _pay(self, at_us: int, draw: Random) -> Payment:
        self.clock.us = at_us
        order = self.books.make(
            self.shop,
            f"{draw.getrandbits(128):032x}",
            prefix="",
            amount_minor=draw.randint(2, 900) * 100,
            currency={"stripe": "GBP", "mpesa": "KES"}.get(self.dialect, "CNY"),
            notify_url="",
            return_url="",
            expires_us=1 << 62,
            subject="x",
            way="qr",
        )
        return self.books.pay(order)

    def side(self, *, without: frozenset[str] = frozenset()) -> Side:
        """What we have: everything, but for payments nobody told us of."""
        orders = {
            self.billing.short(one.order.our_ref): Known(our_ref=one.order.our_ref, book=1, wallet=2)
            for one in self.paid
        }
        return Side(
            payments=[self._ours(one) for one in self.paid if one.order.our_ref not in without],
            refunds=[
                OurRefund(
                    our_ref=one.order.our_ref,
                    refund_ref=back.refund_ref,
                    amount_minor=back.amount_minor,
                    currency=one.currency,
                    occurred_at_us=back.at_us,
                    book=1,
                    wallet=2,
                )
                for one in self.paid
                for back in one.refunds
            ],
            orders=orders,
        )

    def _ours(self, one: Payment) -> Ours:
        number = {"stripe": f"pi_{one.number}", "mpesa": f"ws_CO_{one.number}"}.get(self.dialect, one.number)
        late_us = 4_000_000 if self.dialect in ("stripe", "mpesa") else 0  # by our clock, when we asked
        micro = one.settled_minor * 10_000
        return Ours(
            our_ref=one.order.our_ref,
            provider_ref=number,
            amount_minor=one.settled_minor,
            currency=one.currency,
            occurred_at_us=one.at_us + late_us,
            book=1,
            wallet=2,
            posted_micro=micro,
            ledger_micro=micro,
            told=Told.CONFIRMED,
        )

    def bill(self, faults: Faults, *, day: str = DAY) -> list[BillRow]:
        """The day's bill, written as this platform writes it and read as we read it."""
        if self.dialect == "wechat":
            raw = wechat_trades(self.books, self.shop, day, faults)
            return list(read_wechat(raw)) if raw else []
        if self.dialect == "alipay":
            raw = alipay_trades(self.books, self.shop, day, faults)
            return list(read_alipay(_unzipped(raw))) if raw else []
        return self._by_pages(faults, day)

    def _by_pages(self, faults: Faults, day: str) -> list[BillRow]:
        from fairwatt.payments.fields import Fields
        from fairwatt.payments.stripe.bills import _row as stripe_row

        start_us, end_us = self.billing.span(day)
        if self.dialect == "stripe":
            query = f"created[gte]={start_us // 1_000_000}&created[lt]={end_us // 1_000_000}&limit=1000"
            asked = Asked(method="GET", target="", path="", query=query, headers={}, body=b"")
            data = StripePlatform(self.books, faults, "")._transactions(self.shop, asked)["data"]
            return [row for row in (stripe_row(Fields(one, wrong=ValueError)) for one in data) if row]
        said, rows = {"StartDate": f"{day} 00:00:00", "EndDate": f"{day} 23:59:59"}, []
        while True:
            page = MPesaPlatform(self.books, faults, "")._pull(
                self.shop, {**said, "OffSetValue": str(len(rows))}
            )["Response"]
            if not page:
                return rows
            rows += [mpesa_row(Fields(one, wrong=ValueError), "KES") for one in page[0]]

    def told(self, faults: Faults) -> list[Seeded]:
        """What was put into the bill."""
        start_us, end_us = self.billing.span(DAY)
        plain: list[Moved] = moved(self.books, self.shop, from_us=start_us, until_us=end_us, faults=Faults())
        return seeded(plain, faults, from_us=start_us)[1]


@pytest.fixture(scope="module")
def keys() -> object:
    from fairwatt.simulate.pay.keys import ShopKeys

    return ShopKeys.make()


def found(day: Day, faults: Faults, *, without: frozenset[str] = frozenset()) -> Compared:
    return compare(
        billing=day.billing,
        day=DAY,
        rows=day.bill(faults),
        before=day.bill(Faults(), day="2026-11-19"),
        after=day.bill(Faults(), day="2026-11-21"),
        side=day.side(without=without),
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dialect", BILLING)
def test_every_seeded_difference_is_found_by_its_name_and_no_other(
    dialect: Dialect, seed: int, keys: object
) -> None:
    day, draw = Day(dialect, seed, keys), Random(seed)
    assert found(day, Faults()).differences == [], "a bill that is right has none"
    # M-Pesa's bill knows no number of ours: there a changed reference is another order's payment.
    names = ["bill_omit", "bill_extra", "bill_amount", "bill_twice", "bill_refund"]
    names += ["bill_refs"] if day.billing.numbers_agree else []
    faults = Faults(**{name: draw.randint(1, 4) for name in names})
    told = {(one.kind, day.billing.short(one.our_ref)) for one in day.told(faults)}
    start_us, end_us = day.billing.span(DAY)
    inside = [one.order.our_ref for one in day.paid if start_us <= one.at_us < end_us]
    unheard = frozenset(draw.sample(inside[25:], 2))
    told |= {("not_credited", day.billing.short(one)) for one in unheard}
    assert {kind for kind, _ in told} >= {"not_billed", "unknown_payment", "not_credited", "billed_twice"}
    said = found(day, faults, without=unheard).differences
    assert {(str(one.kind), day.billing.short(one.our_ref)) for one in said} == told
    assert len({one.key for one in said}) == len(said) == len(told)


@pytest.mark.parametrize("dialect", BILLING)
def test_what_fell_over_midnight_waits_for_the_next_bill(dialect: Dialect, keys: object) -> None:
    day = Day(dialect, 1, keys)
    late = max((one for one in day.paid if one.at_us < day.billing.span(DAY)[1]), key=lambda one: one.at_us)
    mine = day.side()
    moved_on = [
        replace(one, occurred_at_us=day.billing.span(DAY)[1] - 1)
        if one.our_ref == late.order.our_ref
        else one
        for one in mine.payments
    ]
    rows = [row for row in day.bill(Faults()) if day.billing.short(late.order.our_ref) != row.our_ref]
    before = day.bill(Faults(), day="2026-11-19")
    side = replace(mine, payments=moved_on)
    said = compare(billing=day.billing, day=DAY, rows=rows, before=before, after=None, side=side)
    assert [one.our_ref for one in said.over_midnight] == [late.order.our_ref]
    assert said.differences == [], "nobody can say yet"
    there = compare(
        billing=day.billing,
        day=DAY,
        rows=rows,
        before=before,
        after=[row for row in day.bill(Faults()) if row not in rows],
        side=side,
    )
    assert (there.differences, there.over_midnight) == ([], []), "it stands on the next bill"
    gone = compare(billing=day.billing, day=DAY, rows=rows, before=before, after=[], side=side)
    assert [one.kind for one in gone.differences] == [Drift.NOT_BILLED]


def test_our_own_two_ends_are_looked_at_too(keys: object) -> None:
    day = Day("wechat", 3, keys)
    mine = day.side()
    first, second, third, *rest = (
        one for one in mine.payments if one.occurred_at_us >= day.billing.span(DAY)[0]
    )
    broken = [
        replace(first, ledger_micro=None),
        replace(second, ledger_micro=second.posted_micro - 1),
        replace(third, told=Told.LATE),
    ]
    said = compare(
        billing=day.billing,
        day=DAY,
        rows=day.bill(Faults()),
        before=[],
        after=[],
        side=replace(mine, payments=[*broken, *rest]),
    )
    kinds = sorted(str(one.kind) for one in said.differences)
    assert kinds == ["ledger_differs", "ledger_differs", "meter_not_told"]


def test_a_refund_that_we_were_told_of_and_the_bill_has_not(keys: object) -> None:
    day = Day("alipay", 2, keys)
    rows = day.bill(Faults())
    backs = [row for row in rows if row.kind is Kind.REFUND]
    said = compare(
        billing=day.billing,
        day=DAY,
        rows=[row for row in rows if row is not backs[0]],
        before=[],
        after=[],
        side=day.side(),
    )
    assert [(one.kind, one.refund_ref) for one in said.differences] == [
        (Drift.REFUND_NOT_BILLED, backs[0].refund_ref)
    ]


@pytest.mark.parametrize(
    ("number", "after_us", "typed", "kinds"),
    [
        ("ws_CO_1", 0, False, []),
        ("ws_CO_1", 3 * HOUR_US, False, [Drift.NOT_CREDITED]),
        ("ws_CO_1", 0, True, [Drift.NOT_CREDITED]),
        ("RKTQDM7W00", 0, False, [Drift.NOT_CREDITED]),
    ],
    ids=["the push", "after it was paid", "typed", "the day before has its row"],
)
def test_a_second_payment_under_an_orders_reference_is_not_the_order(
    number: str, after_us: int, typed: bool, kinds: list[Drift]
) -> None:
    """M-PESA's answer has another number than its bill, and payers type references they once read."""
    billing, ref = BILLING["mpesa"], f"{7:032x}"
    at_us = billing.span(DAY)[0] + 2 * HOUR_US
    about = {"our_ref": ref, "amount_minor": 1000, "currency": "KES", "book": 1, "wallet": 2}
    mine = Ours(
        provider_ref=number,
        occurred_at_us=at_us,
        posted_micro=10_000_000,
        ledger_micro=10_000_000,
        typed=typed,
        **about,  # type: ignore[arg-type]
    )
    row = BillRow(
        kind=Kind.PAYMENT,
        our_ref=billing.short(ref),
        provider_ref="RKTQDM7W99",
        amount_minor=1000,
        currency="KES",
        occurred_at_us=at_us + after_us,
    )
    orders = {billing.short(ref): Known(our_ref=ref, book=1, wallet=2)}
    done = compare(
        billing=billing,
        day=DAY,
        rows=[row],
        before=[replace(row, provider_ref="RKTQDM7W00", occurred_at_us=at_us - 5 * HOUR_US)],
        after=[],
        side=Side(payments=[mine], refunds=[], orders=orders),
    )
    found = [one.kind for one in done.differences if one.kind is not Drift.NOT_BILLED]
    assert found == kinds
