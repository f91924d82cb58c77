"""A provider's bill against ledger and meters: real platforms, the collector, the poster, and who compares.

Numbers are those of the table in docs/guides/payments.md: what only one side has, bills that are late or lie, fees.
"""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.payments.billing import BILLING
from fairwatt.payments.reconcile import Drift
from support.desk import opened_desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, Street
from support.till import CURRENCY, Dead, Till, at, dies, open_till, suspense

ALL = ("wechat", "alipay", "stripe", "mpesa")
NO_FAULT = {
    "bill_omit": 0,
    "bill_extra": 0,
    "bill_amount": 0,
    "bill_twice": 0,
    "bill_refs": 0,
    "bill_refund": 0,
    "bill_again": 0,
    "bill_corrupt": False,
    "bill_late": False,
}


class Counter:
    """The desk of one till's reconciliation: fetches its bill, compares its day."""

    def __init__(self, till: Till) -> None:
        self.till, self.billing = till, BILLING[till.dialect]
        self.day = self.billing.day_of(till.clock.us)
        till.world.faults.set(**NO_FAULT)

    def paid(self, count: int) -> list[str]:
        """So many payments of this day, all told and posted."""
        refs = [self.till.made(1000 + 100 * n)[0] for n in range(count)]
        for ref in refs:
            self.till.world.pay(self.till.order(ref))
        self.till.deliver_due()
        for ref in refs:
            self.till.told(ref)
        self.till.post()
        self.meter_answers()
        return refs

    def meter_answers(self) -> None:
        """The home's gateway says that it has carried out its newest order."""
        desk = self.till.desk
        waiting = [order for order in desk.orders() if order.state == "queued"]
        if waiting:
            answer = desk.receipt(waiting[-1], at_us=self.till.clock.us)
            desk.post(answer, now_us=self.till.clock.us)

    def morning(self) -> None:
        """The day is over, and its bill promised."""
        self.till.clock.us = self.billing.span(self.day)[1] + self.billing.ready_us + HOUR_US

    def fetch(self, *, after_s: int = 0, **faults: Any) -> bool:
        """The collector fetches the bill, whose row says how it went."""
        from fairwatt.flows.reconciling.bill_desk import BillDue

        self.till.clock.us += after_s * 1_000_000
        self.till.world.faults.set(**faults)
        with as_role("collector"):
            collector = self.till.collector()
            due = BillDue(account=self.till.account, provider=self.till.dialect, day=self.day)
            came = collector.bills.fetch(due)
        self.till.post()
        return bool(came)

    def compare(self) -> Any:
        from fairwatt.flows.reconciling.reconcile_day import reconcile_day

        with as_role("web"):
            return reconcile_day(account_id=self.till.account, day=self.day, now_us=self.till.clock.us)

    def stands(self) -> tuple[str, str, list[str]]:
        """State, why it is open, and what differs."""
        done = self.compare()
        return done.version.state, done.version.reason, [str(one.kind) for one in done.open]

    def frozen(self) -> bool:
        from django.db import connection

        from fairwatt.flows.reconciling.records import frozen

        with as_role("collector"), connection.cursor() as cursor:
            return frozen(cursor=cursor, accounts=[self.till.account]) != set()


@at(*ALL)
def test_a_days_bill_with_differences_becomes_work_and_a_right_one_becomes_none(till: Till) -> None:
    counter = Counter(till)
    refs = counter.paid(7)
    counter.morning()
    pairs = int(counter.billing.numbers_agree)
    faults = dict.fromkeys(("bill_omit", "bill_extra", "bill_amount", "bill_twice", "bill_refund"), 1)
    assert counter.stands() == ("open", "no_bill", [])
    counter.fetch(**faults, bill_refs=pairs)
    done = counter.compare()
    kinds = {one.kind: one for one in done.open}
    assert done.version.state == "differs"
    assert sorted(str(one.kind) for one in done.open) == sorted(
        ["not_billed", "unknown_payment", "amount_differs", "billed_twice", "refund_unknown"]
        + ["reference_differs"] * 2 * pairs
    )
    assert kinds[Drift.NOT_BILLED].our_ref == refs[0]
    assert (kinds[Drift.AMOUNT_DIFFERS].ours_minor, kinds[Drift.AMOUNT_DIFFERS].theirs_minor) == (1100, 1200)
    assert done.version.totals["meter_confirmed"] == 6, "every one of them is known to the meter"
    assert not counter.compare().fresh, "the same look again changes nothing"
    assert till.balance() == 10_000 * sum(1000 + 100 * n for n in range(7)), "and nothing was credited by it"
    counter.fetch(**NO_FAULT)
    state, reason, _ = counter.stands()
    assert (state, reason) == ("open", "issued_again"), (
        "a bill that changed is had twice before it is believed"
    )
    counter.fetch(after_s=600)
    assert counter.stands() == ("agrees", "", [])
    version = counter.compare().version
    assert (version.version, version.totals["matched"], version.totals["billed"]) == (4, 7, 7)


@at(*ALL)
def test_case_18_they_have_it_and_we_do_not(till: Till) -> None:
    """Nobody told us, and asking stopped long ago: the bill makes us ask, or speaks for itself where asking cannot."""
    counter = Counter(till)
    ref = counter.paid(1)[0]
    lost, order = till.made(2500)
    till.ask(after_s=6)
    till.world.pay(order)
    till.world.sendings.clear()
    intent = till.intent(lost)
    if till.dialect == "mpesa":
        # The push's own number was lost on the way: no question leads to it.
        with as_role("collector"):
            type(intent).objects.filter(pk=intent.pk).update(action=None, provider_order="", ask_us=None)
    counter.day = counter.billing.day_of(till.clock.us)
    counter.morning()
    assert till.intent(lost).state != "credited"
    counter.fetch()
    assert (till.intent(lost).state, till.balance()) == ("credited", 35_000_000)
    counter.meter_answers()
    done = counter.compare()
    assert (done.version.state, done.open) == ("agrees", ())
    assert done.version.totals["found_by_bill"] == 1, "found, credited, and said"
    counter.fetch(after_s=60, bill_again=1)
    counter.fetch(after_s=600)
    if till.dialect == "mpesa":
        _the_push_is_found_after_all(till, lost, order)
    assert (till.balance(), suspense(till)) == (35_000_000, 0), "issued again, told again: credited once"
    assert till.intent(ref).state == "credited"


@at("wechat")
def test_case_18_who_dies_over_a_bill_follows_it_the_next_time(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bill was kept already, and has nothing new when it is had again."""
    counter = Counter(till)
    lost, order = till.made(2500)
    till.world.pay(order)
    till.world.sendings.clear()
    counter.day = counter.billing.day_of(till.clock.us)
    counter.morning()
    with monkeypatch.context() as broken, pytest.raises(Dead):
        broken.setattr("fairwatt.flows.reconciling.bill_desk.unheard", dies)
        counter.fetch()
    assert till.balance() == 0
    counter.fetch(after_s=86_400)
    assert (till.intent(lost).state, till.balance()) == ("credited", 25_000_000)


@at("wechat")
def test_case_18_an_answer_that_the_poster_could_not_read_is_credited_by_the_bill(till: Till) -> None:
    """Its keys were missing for a while; the same answer again would be the same fact, refused already."""
    counter = Counter(till)
    lost, order = till.made(2500)
    till.world.pay(order)
    till.world.sendings.clear()
    till.ask(after_s=6)
    till.desk.street.merchants = None
    till.desk.post(now_us=till.clock.us)
    assert (till.intent(lost).state, till.balance()) == ("paid", 0)
    counter.day = counter.billing.day_of(till.clock.us)
    counter.morning()
    counter.fetch()
    assert (till.intent(lost).state, till.balance()) == ("credited", 25_000_000)


def _the_push_is_found_after_all(till: Till, lost: str, order: Any) -> None:
    with as_role("collector"):
        type(till.intent(lost)).objects.filter(our_ref=lost).update(
            action={"method": "push", "url": "", "sheet": {}}, provider_order=order.number
        )
    till.ask(hint=lost)
    till.post()


@at("wechat", "mpesa")
def test_case_19_we_have_it_and_they_do_not(till: Till) -> None:
    from fairwatt.flows.desk import DeskRefused
    from fairwatt.flows.reconciling.reconcile_day import settle_difference
    from fairwatt.store.models import Book, User

    counter = Counter(till)
    counter.paid(2)
    counter.morning()
    counter.fetch(bill_omit=1)
    (gone,) = counter.compare().open
    assert gone.kind is Drift.NOT_BILLED
    assert counter.frozen(), "no refunds through this account until somebody knows why"
    assert [event.reason for event in till.desk.events("desk.reconciled")] == ["differs"]
    book = Book.objects.get(pk=till.desk.street.book)

    def settle(role: str) -> Any:
        with as_role("migrate"):
            user = User.objects.create_user(
                f"{role}-{book.pk}", None, "maple-court-42", organisation=book.organisation, role=role
            )
        with as_role("web"):
            return settle_difference(
                book=book,
                account_id=till.account,
                day=counter.day,
                key=gone.key,
                words="the provider listed it under another shop; case 4711",
                user_id=user.pk,
                now_us=till.clock.us,
            )

    with pytest.raises(DeskRefused, match="administrator"):
        settle("operator")
    assert counter.frozen()
    assert settle("admin").version.state == "agrees"
    assert not counter.frozen()


@at("alipay", "mpesa")
def test_case_20_a_bill_that_is_late_or_broken_leaves_the_day_open(till: Till) -> None:
    counter = Counter(till)
    counter.paid(1)
    counter.morning()
    assert not counter.fetch(bill_late=True)
    assert counter.stands() == ("open", "late", [])
    assert not counter.fetch(after_s=3 * 86_400, bill_late=True)
    assert counter.stands() == ("open", "late", []), "never 0 differences without a bill"
    assert not counter.fetch(bill_late=False, bill_corrupt=True)
    assert counter.stands() == ("open", "corrupt", [])
    assert counter.fetch(bill_corrupt=False)
    assert counter.stands() == ("agrees", "", [])


@at("wechat", "stripe")
def test_case_22_net_is_not_gross(till: Till) -> None:
    from fairwatt.store.models import Journal

    counter = Counter(till)
    counter.paid(3)
    counter.morning()
    counter.fetch()
    totals = counter.compare().version.totals
    assert (totals["billed_minor"], totals["fee_minor"], totals["net_minor"]) == (3300, 20, 3280)
    counter.fetch(after_s=60, bill_again=1)
    counter.fetch(after_s=600)

    def account(name: str) -> int:
        legs = Journal.objects.filter(book=till.desk.street.book, account=name)
        return sum(legs.values_list("amount_micro", flat=True))

    assert account("cost:providers") == -200_000, "kept once, however often the bill is issued"
    assert account(f"clearing:{till.dialect}") == -32_800_000, "what is still to come is the net"


def test_the_collector_finds_the_days_itself_and_the_clock_compares_them(
    house: object, clock: Any, sim: Any
) -> None:
    """An account of a quiet shop at WeChat, which makes no bill for a day without a movement."""
    from fairwatt.flows.reconciling import bill_desk
    from fairwatt.flows.reconciling.reconcile_day import days_to_look_at, reconcile_day

    with (
        opened_desk(Street(currency=CURRENCY["wechat"])) as desk,
        open_till(desk, "wechat", clock, sim) as till,
    ):
        counter = Counter(till)
        counter.morning()

        def mine() -> list[str]:
            with as_role("collector"):
                return [one.day for one in bill_desk.due(now_us=clock.us) if one.account == till.account]

        assert mine() == [counter.day]
        clock.us += 2 * DAY_US
        assert mine() == [counter.day, *_next_days(counter.day)]
        counter.fetch()
        assert counter.day not in mine(), "asked for again later, not at once"
        assert counter.stands() == ("quiet", "", [])
        with as_role("web"):
            waiting = [day for account, day in days_to_look_at(now_us=clock.us) if account == till.account]
            assert waiting == _next_days(counter.day), "what is quiet is left alone"
            done = reconcile_day(account_id=till.account, day=waiting[0], now_us=clock.us)
        assert (done.version.state, done.version.reason) == ("open", "no_bill")


def _next_days(day: str) -> list[str]:
    from fairwatt.payments.billing import neighbours

    one = neighbours(day)[1]
    return [one, neighbours(one)[1]]
