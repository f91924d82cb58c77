"""More ways in which payments go wrong: sick and hostile platforms, keys, clocks, crashes, look-alikes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fairwatt.collector.breaker import FAILURES_MAX
from support.house import as_role
from support.street import HOUR_US
from support.till import Dead, Till, at, dies, suspense

ALL = ("wechat", "alipay", "stripe", "mpesa")
SIGNED = ("wechat", "alipay", "stripe")
CLOSABLE = ("wechat", "alipay", "stripe")
MINUTE_US = 60_000_000


@at(*ALL)
@pytest.mark.parametrize("fault", ["5xx", "429", "cut"])
def test_case_10_a_sick_provider_is_left_alone_and_not_offered(till: Till, fault: str) -> None:
    _left_alone(till, fault)


@at("wechat", "alipay")
def test_case_10_an_unsigned_answer_is_none(till: Till) -> None:
    """Stripe and M-PESA sign no answers: there TLS is all there is."""
    _left_alone(till, "unsigned")


def _left_alone(till: Till, fault: str) -> None:
    from fairwatt.flows.merchants import offers
    from fairwatt.store.models import Book

    ref, order = till.made()
    till.world.pay(order)
    till.world.sendings.clear()
    book = Book.objects.get(pk=till.desk.street.book)
    till.world.faults.set(http=fault)
    collector = till.collector()
    for _ in range(FAILURES_MAX + 1):
        till.clock.us += 400_000_000
        with as_role("collector"):
            collector.look()
    till.post()
    assert till.balance() == 0
    with as_role("web"):
        assert bool(offers(book=book)) == (fault == "unsigned"), "what does not answer is not offered"
    till.world.faults.set(http="")
    till.clock.us += 400_000_000
    till.carrier.close()
    till.carrier = type(till.carrier)()
    till.ask()
    till.post()
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)
    with as_role("web"):
        assert offers(book=book), "and it is offered again once it answers"


@at(*ALL)
def test_case_10_a_slow_drip_holds_nobody_up(till: Till) -> None:
    till.world.faults.set(http="slow", slow_s=4)
    ref = till.start()
    till.ask()
    assert till.intent(ref).trouble == "no_answer"


@at(*ALL)
def test_case_11_forged_stale_replayed_tampered(till: Till) -> None:
    ref, order = till.made()
    platform = till.world.platforms[till.dialect]
    ghost = replace_payment(till, order)
    forged = platform.report(ghost, forged=True)
    stale = platform.report(ghost, at_s=till.clock.us // 1_000_000 - 40 * 86_400)
    good = platform.report(ghost)
    tampered = replace(good, body=good.body.replace(b"1", b"7"))
    for report in (forged, stale, tampered):
        till.deliver(report)
    till.told(ref)
    till.post()
    assert (till.balance(), suspense(till)) == (0, 0), "money that nobody paid is no money"
    if till.dialect != "mpesa":
        assert till.heard[0] == "bad_signature"
        assert "stale" in till.heard
    from fairwatt.store.models import CallbackCount

    with as_role("web"):
        counted = CallbackCount.objects.filter(account=till.account)
        assert sum(one.count for one in counted) == len(till.heard)


def replace_payment(till: Till, order: Any) -> Any:
    """A payment the platform itself knows nothing of."""
    from fairwatt.simulate.pay.books import Payment

    return Payment(order, "42ghost", order.amount_minor, order.currency, till.clock.us)


@at("wechat", "alipay", "stripe")
def test_case_11_another_merchants_callback(till: Till) -> None:
    ref, order = till.made()
    other, _ = till.world.open_shop(till.dialect)
    mine, order.shop = order.shop, other
    report = till.world.platforms[till.dialect].report(replace_payment(till, order))
    order.shop = mine
    if till.dialect == "stripe":
        report = replace(report, url=f"http://x/pay/callback/stripe/{till.token}")
    assert not till.deliver(report)
    till.told(ref)
    till.post()
    assert till.balance() == 0


@at("wechat")
def test_case_12_key_rotation_old_and_new_in_one_day(till: Till) -> None:
    from fairwatt.flows.merchants import Seals, add_keys

    _, old = till.made()
    till.world.pay(old)
    before = till.world.due()[0].make()
    settings = till.world.rotate_key(till.shop)
    new_ref = till.start()
    till.ask()
    assert till.intent(new_ref).trouble == "reply_not_believed", "a key nobody gave us signs nothing"
    with as_role("migrate"):
        add_keys(
            account_id=till.account,
            settings={"keys": settings["keys"], "public_key_id": settings["public_key_id"]},
            seals=Seals(reading=till.reading.public_key(), acting=till.acting.public_key()),
            author="commissioning",
            now_us=till.clock.us,
        )
    assert till.deliver(before), "what the old key signed is still believed"
    till.ask(after_s=10)
    till.world.pay(till.order(new_ref))
    till.deliver_due()
    till.post()
    assert till.balance() == 20_000_000


@at(*ALL)
def test_case_21_midnight_belongs_to_the_providers_own_day(till: Till) -> None:
    from fairwatt.payments.contract import BillKind
    from fairwatt.payments.exchange import Moment

    zone_h = {"wechat": 8, "alipay": 8, "stripe": 0, "mpesa": 3}[till.dialect]
    midnight_us = (till.clock.us // 86_400_000_000 + 1) * 86_400_000_000 - zone_h * HOUR_US
    if midnight_us < till.clock.us:
        midnight_us += 86_400_000_000
    for before_us, day in ((MINUTE_US, 0), (-MINUTE_US, 1)):
        till.clock.us = midnight_us - before_us
        ref, order = till.made()
        till.world.pay(order)
        till.settle(ref)
        with as_role("collector"):
            merchant = till.merchants(acting=True).of(account=till.account)
        local_day = _day(midnight_us + zone_h * HOUR_US - before_us)
        bill = till.carrier.carry(
            merchant.provider.fetch_bill(
                day=local_day, kind=BillKind.TRADE, at=Moment(now_us=till.clock.us, nonce="0" * 32)
            ),
            account="bills",
        )
        assert [row.amount_minor for row in bill.rows] == [1000], day
        assert ref.startswith(bill.rows[0].our_ref)


def _day(local_us: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(local_us // 1_000_000, tz=UTC).date().isoformat()


@at("wechat", "stripe")
@pytest.mark.parametrize("away_s", [600, -600])
def test_case_23_our_clock_is_wrong_and_the_payment_is_credited_all_the_same(till: Till, away_s: int) -> None:
    from fairwatt.store.models import CallbackCount

    _, order = till.made()
    till.world.pay(order)
    report = till.world.platforms[till.dialect].report(
        order.payments[0], at_s=till.clock.us // 1_000_000 + away_s
    )
    assert not till.deliver(report)
    with as_role("web"):
        assert CallbackCount.objects.get(account=till.account, code="stale").count == 1, "seen, not silent"
    till.world.sendings.clear()
    till.ask(after_s=6)
    till.post()
    assert till.balance() == 10_000_000


@at(*ALL)
@pytest.mark.parametrize("step", ["hear_queried", "next_ask_us"])
def test_case_25_crash_between_the_providers_success_and_the_commit(
    till: Till, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, order = till.made()
    till.world.pay(order)
    till.world.sendings.clear()
    with monkeypatch.context() as broken:
        broken.setattr(f"fairwatt.flows.collecting.{step}", dies)
        with pytest.raises(Dead):
            till.ask(after_s=6)
    till.post()
    assert till.balance() == 0
    till.ask(after_s=31)
    till.post()
    assert (till.intent(ref).state, till.balance()) == ("credited", 10_000_000)


@at("alipay")
def test_case_27_a_refund_that_looks_like_a_payment(till: Till) -> None:
    ref, order = till.made()
    paid = till.world.pay(order)
    till.settle(ref)
    till.world.books.refund(paid, refund_ref="r1", amount_minor=200, state="done")
    assert till.deliver_due() == [True]
    assert till.deliver(till.world.alipay.finished(paid))
    till.world.books.refund(paid, refund_ref="r2", amount_minor=800, state="done")
    assert till.deliver_due() == [True], "fully refunded comes as TRADE_CLOSED"
    till.post()
    assert (till.balance(), suspense(till)) == (10_000_000, 0), "nothing is credited a second time"
    assert [event.kind for event in till.events(ref)] == ["payment", "refund", "payment", "refund"]


@at("wechat")
def test_case_28_probes_are_counted_and_never_processed(till: Till) -> None:
    from fairwatt.store.models import CallbackCount

    _, order = till.made()
    assert not till.deliver(till.world.wechat.probe(order))
    till.post()
    assert till.heard == ["probe"]
    with as_role("web"):
        assert CallbackCount.objects.get(account=till.account).code == "probe"
    assert till.balance() == 0
