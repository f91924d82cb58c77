"""What goes wrong with payments from the telephone's own menu: forged, reversed, lost, over midnight, crashed.

Numbers are those of the table in docs/guides/payments.md.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from fairwatt.core.account_numbers import account_number
from fairwatt.payments.billing import BILLING
from fairwatt.simulate.pay.talking import Report
from flows.test_reconciling import Counter
from support.house import as_role
from support.phone import Phone
from support.street import HOUR_US
from support.till import Dead, Till, at, dies, suspense

TEN = 10_000_000


@at("mpesa")
def test_case_11_a_forged_confirmation_moves_nothing(phone: Phone) -> None:
    from fairwatt.store.models import CallbackCount

    till = phone.till
    paid = phone.dial()
    sending = till.world.due()[0]
    sending.tries = 99
    true = sending.make()
    forged = till.world.mpesa.report(paid, forged=True)
    richer = replace(true, body=true.body.replace(b'"10.00"', b'"9999.00"'))
    till.desk.home()
    me, thief = phone.number().encode(), phone.number(1).encode()
    elsewhere = replace(true, body=true.body.replace(me, thief))
    other_shop = replace(true, body=true.body.replace(till.shop.number.encode(), b"999999"))
    with as_role("web"):
        for report in (forged, richer, elsewhere, other_shop, replace(true, body=b"{}")):
            assert phone.heard_here(report).status == 200
    for _ in range(4):
        phone.look(after_s=10)
    assert till.balance() == TEN, "the list says how much, and whose"
    assert till.desk.balance(till.desk.street.homes[1]) == 0
    assert suspense(till) == 0
    with as_role("web"):
        counted = CallbackCount.objects.filter(account=till.account).order_by("code")
        assert [(one.code, one.count) for one in counted] == [("malformed", 1), ("other_merchant", 1)]


@at("mpesa")
def test_case_11_however_much_is_announced_m_pesa_is_asked_no_more_often(phone: Phone) -> None:
    from fairwatt.collector.unasked import REST_S

    known = phone.till.world.mpesa.paybills.addresses[phone.till.shop.number]
    collector, asked, begun_s = phone.till.collector(), set[int](), time.monotonic()
    for n in range(30):
        said = {"TransID": f"RKTQDM{n:04d}", "TransAmount": "5.00", "BillRefNumber": phone.number()}
        body = json.dumps({**said, "BusinessShortCode": phone.till.shop.number}).encode()
        phone.till.clock.us += 100_000
        with as_role("web"):
            phone.heard_here(Report(known.tell, {}, body))
        with as_role("collector"):
            collector.look()
        asked.add(phone.stands().asked_us)
    assert len(asked) <= 2 + (time.monotonic() - begun_s) / REST_S, "not once for each"


@at("mpesa")
def test_case_11_a_web_process_can_neither_write_such_an_intent_nor_say_what_is_listed(phone: Phone) -> None:
    from fairwatt.store import facts
    from fairwatt.store.models import PaymentIntent

    till = phone.till
    about = {
        "book_id": till.desk.street.book,
        "wallet_id": till.desk.street.wallets[0],
        "our_ref": "RKTQDM7W6S--0123456789",
        "provider": "mpesa",
        "amount_minor": 1000,
        "currency": "KES",
        "created_us": till.clock.us,
        "account_id": till.account,
    }
    with as_role("web"):
        with pytest.raises(ProgrammingError, match="only the collector"), transaction.atomic():
            PaymentIntent.objects.create(method="paybill", **about)
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("INSERT INTO listed_payment SELECT * FROM listed_payment")
        PaymentIntent.objects.create(method="push", **about)
        said = {
            "our_ref": about["our_ref"],
            "provider_ref": "RKTQDM7W6S",
            "event_id": "x",
            "amount_minor": 1000,
            "currency": "KES",
            "occurred_at_us": till.clock.us,
            "named": phone.number(),
        }
        with transaction.atomic(), connection.cursor() as cursor:
            fact, _ = facts.add(
                cursor=cursor,
                book=till.desk.street.book,
                kind="payment",
                natural_key="paid:mpesa:RKTQDM7W6S",
                wallet=till.desk.street.wallets[0],
                payload={"provider": "mpesa", "account": till.account, "queried": said},
                raw=b"",
                now_us=till.clock.us,
            )
    with (
        as_role("collector"),
        pytest.raises(ProgrammingError, match="only the collector"),
        transaction.atomic(),
    ):
        PaymentIntent.objects.create(method="push", **{**about, "our_ref": "another"})
    till.post()
    assert (till.desk.fact(fact).state, till.balance()) == ("refused", 0)


@at("mpesa")
def test_the_poster_believes_the_payers_words_over_the_intent(phone: Phone) -> None:
    from fairwatt.store.models import PaymentIntent

    till = phone.till
    till.desk.home()
    phone.dial()
    phone.told()
    till.ask(after_s=3)
    with as_role("migrate"):
        PaymentIntent.objects.filter(pk=phone.intents()[0].pk).update(wallet=till.desk.street.wallets[1])
    till.post()
    assert (till.balance(), till.desk.balance(till.desk.street.homes[1]), suspense(till)) == (0, 0, TEN)


@at("mpesa")
def test_case_17_a_reversal_is_found_by_the_bill(phone: Phone) -> None:
    counter = Counter(phone.till)
    paid = phone.dial()
    phone.settle()
    phone.till.world.give_back(paid, amount_minor=1000)
    phone.told()
    counter.morning()
    counter.fetch()
    counter.meter_answers()
    done = counter.compare()
    assert [str(one.kind) for one in done.open] == ["refund_unknown"], "as of a push: a person acts"
    assert done.open[0].our_ref == phone.number(), "and its account number names the home"
    assert phone.till.balance() == TEN


@at("mpesa")
def test_case_18_what_only_the_bill_tells_of_is_credited_and_no_difference(phone: Phone) -> None:
    counter = Counter(phone.till)
    phone.dial()
    phone.settle()
    counter.meter_answers()
    phone.dial(amount_minor=2500)
    phone.till.world.sendings.clear()
    counter.morning()
    assert phone.till.balance() == TEN
    counter.fetch()
    assert phone.till.balance() == 35_000_000
    counter.meter_answers()
    done = counter.compare()
    assert (done.version.state, done.open) == ("agrees", ())
    totals = done.version.totals
    assert (totals["billed"], totals["matched"], totals["found_by_bill"]) == (2, 2, 1)
    phone.look(after_s=121)
    assert phone.till.balance() == 35_000_000, "the list tells of it too: credited once"


@at("mpesa")
def test_what_was_typed_is_no_push_because_one_begins_so(phone: Phone) -> None:
    ref, _ = phone.till.made()
    phone.unchecked(ref[:5])
    phone.settle()
    assert suspense(phone.till) == TEN, "money without a home, until two people place it"


@at("mpesa")
@pytest.mark.parametrize(("later", "amount_minor"), [(True, 1000), (True, 2500), (False, 2500)])
def test_who_types_what_m_pesa_wrote_of_an_earlier_payment_has_paid_again(
    phone: Phone, later: bool, amount_minor: int
) -> None:
    """M-PESA's message names the reference of a push, and people type what stands there."""
    counter = Counter(phone.till)
    (ref,) = counter.paid(1)
    if later:
        counter.morning()
        counter.day = counter.billing.day_of(phone.till.clock.us)
    phone.unchecked(ref[: counter.billing.ref_chars], amount_minor)
    phone.settle()
    assert (phone.till.balance(), suspense(phone.till)) == (TEN, amount_minor * 10_000)
    counter.morning()
    counter.fetch()
    counter.meter_answers()
    assert counter.stands() == ("agrees", "", [])
    phone.claim(phone.waiting()[0].of)
    counter.meter_answers()
    assert phone.till.balance() == TEN + amount_minor * 10_000
    assert counter.stands() == ("agrees", "", [])


@at("mpesa")
def test_where_no_list_is_read_what_is_typed_again_is_a_difference(till: Till) -> None:
    """The row of another day under the same reference is not that day's payment."""
    counter = Counter(till)
    (ref,) = counter.paid(1)
    counter.morning()
    counter.fetch()
    assert counter.stands() == ("agrees", "", [])
    counter.day = counter.billing.day_of(till.clock.us)
    till.world.mpesa.paybills.validates = False
    till.world.dial(shop=till.shop.number, named=ref[: counter.billing.ref_chars], amount_minor=1000)
    counter.morning()
    counter.fetch()
    assert counter.stands() == ("differs", "", ["not_credited"])


@at("mpesa")
def test_a_day_of_pushes_menus_and_money_without_a_home_agrees(phone: Phone) -> None:
    counter = Counter(phone.till)
    counter.paid(2)
    phone.dial()
    phone.unchecked("rent")
    phone.settle()
    counter.meter_answers()
    counter.morning()
    counter.fetch()
    done = counter.compare()
    assert (done.version.state, done.open) == ("agrees", ())
    assert (done.version.totals["matched"], done.version.totals["in_review"]) == (4, 1)


@at("mpesa")
def test_case_21_midnight_in_nairobi(phone: Phone) -> None:
    till, billing = phone.till, BILLING["mpesa"]
    end_us = billing.span(billing.day_of(till.clock.us))[1]
    for before_us in (60_000_000, -60_000_000):
        till.clock.us = end_us - before_us
        phone.dial()
        phone.settle()
    assert till.balance() == 2 * TEN
    assert billing.day_of(end_us - 1) != billing.day_of(end_us)
    with as_role("collector"):
        merchant = till.merchants(acting=True).of(account=till.account)
    counter = Counter(till)
    counter.meter_answers()
    for day in (billing.day_of(end_us - 1), billing.day_of(end_us)):
        counter.day = day
        counter.morning()
        counter.fetch()
        counter.meter_answers()
        state, _, open_ = counter.stands()
        assert (state, open_) == ("agrees", []), day
    assert merchant is not None


@at("mpesa")
@pytest.mark.parametrize("step", ["leave_queried", "note_event"])
def test_case_25_a_crash_between_the_list_and_the_commit(
    phone: Phone, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.dial()
    phone.told()
    with monkeypatch.context() as broken:
        broken.setattr(f"fairwatt.flows.unasked.{step}", dies)
        with pytest.raises(Dead):
            phone.till.ask(after_s=3)
    phone.till.post()
    assert (phone.till.balance(), phone.intents()) == (0, [])
    phone.look(after_s=31)
    assert phone.till.balance() == TEN


@at("mpesa")
def test_two_accounts_with_one_number_credit_a_payment_once(phone: Phone) -> None:
    from fairwatt.flows.merchants import Seals, add_account, offer
    from fairwatt.store.models import Book

    till = phone.till
    with as_role("migrate"):
        again = add_account(
            organisation_id=Book.objects.get(pk=till.desk.street.book).organisation_id,
            provider="mpesa",
            label="the same once more",
            settings=till.world.mpesa.settings(till.shop),
            seals=Seals(reading=till.reading.public_key(), acting=till.acting.public_key()),
            token="5" * 32 + till.token[:8],
            author="commissioning",
            now_us=till.clock.us,
        )
        offer(account_id=again.account_id, methods=["paybill"], author="commissioning", now_us=till.clock.us)
    phone.look(after_s=1)
    phone.dial()
    phone.settle()
    phone.look(after_s=200)
    assert till.balance() == TEN


@at("mpesa")
def test_a_sick_m_pesa_is_asked_again_and_loses_nothing(phone: Phone) -> None:
    phone.dial()
    phone.told()
    phone.till.world.faults.set(http="5xx")
    phone.look(after_s=3)
    assert (phone.stands().trouble, phone.till.balance()) == ("busy", 0)
    phone.till.world.faults.set(http="")
    phone.look(after_s=4)
    phone.look(after_s=60)
    assert (phone.stands().trouble, phone.till.balance()) == ("", TEN)


@at("mpesa")
def test_what_came_before_we_listened_is_nobodys_to_take(till: Till) -> None:
    till.world.mpesa.paybills.validates = False
    till.world.dial(
        shop=till.shop.number,
        named=account_number(wallet=till.desk.street.wallets[0]),
        amount_minor=1000,
    )
    till.clock.us += HOUR_US
    phone = Phone(till)
    phone.look(after_s=121)
    assert till.balance() == 0, "the manager had placed it by hand"
