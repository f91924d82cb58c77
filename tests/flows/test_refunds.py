"""Refunds and chargebacks, each named case for every provider it can happen at, with real platforms and collector.

Numbers are those of the table in docs/guides/payments.md. The laws (support/laws.py) hold at the end of every one.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from support.house import as_role
from support.moves import ask as move
from support.moves import follow
from support.refunds import Office, person
from support.street import HOUR_US, NOON_US
from support.till import Dead, HandClock, at, dies

REFUNDING = ("wechat", "alipay", "stripe")
ALL = (*REFUNDING, "mpesa")
TEN, FOUR = 10_000_000, 4_000_000


@pytest.fixture(autouse=True)
def noon(clock: HandClock) -> None:
    """Every case begins at the hour its home was opened: no case pays for the days of another."""
    clock.us = NOON_US + HOUR_US


@at(*REFUNDING)
def test_a_refund_goes_back_to_its_source_through_every_state(office: Office) -> None:
    till, ref = office.till, office.paid()
    (refund,) = office.ask(400)
    till.post()
    assert (office.row(refund).state, till.balance()) == ("requested", TEN), "asking moves nothing"
    with pytest.raises(Exception, match="did not ask"):
        office.answer(refund, "approve", office.asker)
    office.answer(refund, "approve")
    till.post()
    assert office.row(refund).state == "approved"
    assert (till.balance(), office.account("payable:refunds")) == (TEN - FOUR, FOUR)
    office.go()
    assert not till.order(ref).payments[0].refunds, "the provider hears nothing before the credit came back"
    office.recall(read=False)
    assert office.row(refund).state == "approved", "an acknowledgement proves nothing"
    office.recall()
    assert office.row(refund).state == "submitted"
    office.go()
    office.go(after_s=3)
    row = office.row(refund)
    assert (row.state, row.paid_by, row.amount_minor) == ("succeeded", "source", 400)
    assert (till.balance(), office.account("payable:refunds")) == (TEN - FOUR, 0)
    assert till.intent(ref).state == "part_refunded"
    assert len(till.order(ref).payments[0].refunds) == 1
    till.deliver_due(times=2)
    office.go()
    till.settle(ref)
    assert office.states() == ["succeeded"], "its own callbacks are matched by our reference"
    office.agree()


@at(*REFUNDING)
def test_case_13_staff_and_back_office_race(office: Office) -> None:
    """A refund of ours is under way while somebody makes another one in the provider's own back office."""
    from fairwatt.flows import collect_refunds

    till, ref = office.till, office.paid()
    refund = office.agreed(400)
    office.recall()
    kept = collect_refunds.note_refund
    try:
        # The collector dies between the provider's answer and its own note of it: the reference was committed before.
        collect_refunds.note_refund = dies
        with pytest.raises(Dead):
            till.ask()
    finally:
        collect_refunds.note_refund = kept
    paid = till.order(ref).payments[0]
    till.world.give_back(paid, amount_minor=250)
    till.deliver_due(times=2)
    for _ in range(3):
        office.go(after_s=40)
    assert sorted(office.states()) == ["succeeded", "succeeded"]
    assert office.row(refund).amount_minor == 400
    assert len(paid.refunds) == 2, "asked again under the same reference, it is one refund"
    assert till.balance() == TEN - FOUR - 2_500_000
    till.deliver_due(times=2)
    office.go(after_s=40)
    assert till.balance() == TEN - FOUR - 2_500_000, "never twice"
    office.agree()


@at("wechat")
def test_case_14_partial_refunds_never_come_to_more_than_was_paid(office: Office) -> None:
    from fairwatt.store.models import Paid

    till = office.till
    office.paid()
    office.paid()
    paid = Paid.objects.get(fact=min(Paid.objects.filter(book=office.book.pk).values_list("fact", flat=True)))
    some = [office.ask(400, payment=paid.fact)[0] for _ in range(3)]
    for refund in some:
        office.answer(refund, "approve")
    till.post()
    assert [office.row(refund).amount_minor for refund in some] == [400, 400, 200], (
        "there is credit, but not of this"
    )
    assert office.look(payment=paid.fact).bound == "payment"
    with pytest.raises(DatabaseError, match="more than was paid"), transaction.atomic():
        Paid.objects.filter(pk=paid.fact).update(open_minor=1001)
    with pytest.raises(DatabaseError), transaction.atomic():
        Paid.objects.filter(pk=paid.fact).update(done_minor=1001)
    for _ in range(3):
        office.recall()
    for _ in range(3):
        office.go(after_s=70)
    assert till.world.order(our_ref=paid.our_ref).payments[0].refunded_minor == 1000
    assert till.intent(paid.our_ref).state == "refunded"
    office.agree()


@at("wechat")
def test_case_15_only_what_was_truly_recalled_goes_back(office: Office) -> None:
    till = office.till
    office.paid()
    office.use(10_000)
    before = till.balance()
    look = office.look()
    assert (look.bound, look.most_minor) == ("asked", before // 10_000)
    refund = office.agreed(before // 10_000)
    left = till.balance()
    assert 0 <= left < 10_000
    # The gateway was away, counted on by its old grant, and lets another two kilowatt-hours through before it hears.
    office.recall(wh=2_000)
    used = before - office.row(refund).amount_minor * 10_000 - till.balance()
    row = office.row(refund)
    assert row.state == "submitted" and used > 0
    assert 0 <= till.balance() < 10_000, "the wallet bears its own use, and the refund is what is left"
    assert row.amount_minor < row.asked_minor
    office.go()
    office.go(after_s=3)
    assert office.row(refund).state == "succeeded"
    office.agree()


@at("wechat")
def test_case_15_what_was_used_up_meanwhile_does_not_go_back(office: Office) -> None:
    till = office.till
    office.paid()
    refund = office.agreed(1000)
    office.recall(wh=90_000)
    assert (office.row(refund).state, office.row(refund).code) == ("failed", "used_meanwhile")
    assert office.account("payable:refunds") == 0
    assert till.balance() < 0
    assert "cut" not in [event.kind for event in office.desk.events("supply.")], "warned first"
    office.agree()


@at("wechat", "stripe")
def test_case_16_a_bounced_refund_is_paid_out_at_the_window_by_two(office: Office) -> None:
    till, ref = office.till, office.paid()
    till.world.faults.set(refund_abnormal=True)
    try:
        refund = office.agreed(400)
        office.recall()
        for _ in range(3):
            office.go(after_s=3)
    finally:
        till.world.faults.set(refund_abnormal=False)
    assert office.row(refund).state == "abnormal"
    assert office.account("payable:refunds") == FOUR, "it stays owed"
    with pytest.raises(Exception, match="gone on"):
        office.answer(refund, "confirm")
    office.answer(refund, "paid_out", office.asker)
    with pytest.raises(Exception, match="alone"):
        office.answer(refund, "confirm", office.asker)
    till.post()
    assert office.row(refund).state == "abnormal"
    office.answer(refund, "confirm")
    till.post()
    row = office.row(refund)
    assert (row.state, row.paid_by) == ("succeeded", "window")
    assert (office.account("payable:refunds"), office.account("clearing:window")) == (0, FOUR)
    assert till.intent(ref).state == "part_refunded"
    office.agree()


@at("mpesa")
def test_case_16_what_no_provider_pays_back_goes_to_the_window(office: Office) -> None:
    office.paid()
    refund = office.agreed(400)
    assert office.row(refund).way == "window"
    office.recall()
    assert office.row(refund).state == "submitted"
    office.answer(refund, "paid_out", office.asker)
    office.answer(refund, "confirm")
    office.till.post()
    assert office.row(refund).state == "succeeded"
    office.agree()


@at("stripe")
@pytest.mark.parametrize("ends", ["won", "lost"])
def test_case_17_a_chargeback_after_consumption(office: Office, ends: str) -> None:
    till, ref = office.till, office.paid()
    office.use(20_000)
    left = till.balance()
    assert left < TEN
    paid = till.order(ref).payments[0]
    till.world.chargeback(paid, status="needs_response")
    till.deliver_due(times=2)
    office.go()
    assert till.balance() == left - TEN
    assert till.intent(ref).state == "chargeback"
    supply = [event.kind for event in office.desk.events("supply.")]
    assert "supply.cut" not in supply, "nobody is cut at once"
    assert office.desk.events("warning.empty"), "but warned"
    till.clock.us += 1_000_000
    till.world.chargeback(paid, status=ends)
    till.deliver_due(times=2)
    office.go()
    office.go(after_s=61)
    assert till.balance() == (left if ends == "won" else left - TEN)
    assert till.intent(ref).state == ("credited" if ends == "won" else "chargeback")
    assert office.look().most_minor == (left // 10_000 if ends == "won" else 0)
    office.agree()


@at("mpesa")
def test_case_17_a_reversal_in_the_bill_is_a_debt_and_no_instant_cut(office: Office) -> None:
    from fairwatt.flows.collect_refunds import add_word
    from fairwatt.payments.contract import Assurance, Kind, ProviderFact, State

    till, ref = office.till, office.paid()
    office.use(20_000)
    left = till.balance()
    paid = till.order(ref).payments[0]
    said = ProviderFact(
        provider="mpesa",
        kind=Kind.CHARGEBACK,
        state=State.SUCCEEDED,
        our_ref=ref,
        provider_ref="RVRSL1",
        event_id="RVRSL1",
        amount_minor=1000,
        currency="KES",
        occurred_at_us=till.clock.us,
        assurance=Assurance.BILL,
    )
    for role in ("web", "collector", "collector"):
        with as_role(role), transaction.atomic():
            if role == "web":
                with pytest.raises(DatabaseError), transaction.atomic():
                    add_word(intent=till.intent(ref), said=said, now_us=till.clock.us)
                continue
            add_word(intent=till.intent(ref), said=said, now_us=till.clock.us)
    paid.charged_back = True
    till.post()
    assert till.balance() == left - TEN
    assert not office.desk.events("supply.cut")
    office.agree()


@at("wechat", "alipay")
def test_case_08_the_second_payment_of_an_order_goes_back(office: Office) -> None:
    from fairwatt.store.models import Paid

    till, ref = office.till, office.paid()
    again = till.world.pay(till.order(ref), anyway=True)
    till.deliver_due()
    till.post()
    assert till.balance() == 2 * TEN
    second = Paid.objects.get(book=office.book.pk, provider_ref=again.number)
    refund = office.agreed(1000, payment=second.fact)
    office.recall()
    for _ in range(2):
        office.go(after_s=3)
    assert office.row(refund).state == "succeeded"
    assert (again.refunded_minor, till.order(ref).payments[0].refunded_minor) == (1000, 0)
    assert till.balance() == TEN
    office.agree()


@at("wechat")
def test_what_is_owed_to_who_left_goes_back_and_the_rest_is_rounded(office: Office) -> None:
    from fairwatt.store.models import RefundWish

    till = office.till
    ref = office.paid()
    office.use(3_330)
    left, old = till.balance(), office.desk.street.wallets[0]
    move(office.desk, "out", wallet=old, at_us=till.clock.us, now_us=till.clock.us, settle="source")
    follow(office.desk, now_us=till.clock.us)
    wish = RefundWish.objects.get(wallet=old)
    assert (wish.amount_micro, wish.way) == (left, "source") and left % 10_000
    assert office.look().wish == wish.pk
    with pytest.raises(Exception, match="At most"):
        office.ask(left // 10_000 + 1)
    refund = office.agreed(left // 10_000)
    assert office.row(refund).state == "submitted", "no gateway holds anything of it"
    office.go()
    office.go(after_s=3)
    assert (office.row(refund).state, office.row(refund).origin) == ("succeeded", "move")
    assert till.order(ref).payments[0].refunded_minor == left // 10_000
    assert (office.account("payable:refunds"), office.account("rounding")) == (0, left % 10_000)
    assert office.look().most_minor == 0


@at("wechat")
def test_people_and_processes_do_only_what_is_theirs(office: Office) -> None:
    """Two people, small wishes of residents, taking it back; what a page cannot write."""
    from django.db import connection

    from fairwatt.flows.ask_refund import answer_refund
    from fairwatt.flows.desk import DeskRefused
    from fairwatt.store.models import RefundAnswer

    till = office.till
    office.paid()
    refund = office.agreed(300)
    office.answer(refund, "withdraw", office.asker)
    till.post()
    assert (office.row(refund).state, till.balance()) == ("withdrawn", TEN)
    (refused,) = office.ask(300)
    other = person(office.desk, "operator", "other")
    with as_role("web"), pytest.raises(DeskRefused):
        answer_refund(
            book=office.book, refund_id=refused, user_id=other.pk, answer="approve", now_us=till.clock.us
        )
    office.answer(refused, "refuse")
    till.post()
    assert (office.row(refused).state, till.balance()) == ("refused", TEN)
    (third,) = office.ask(300)
    from fairwatt.store.facts import see_book

    with as_role("web"):
        for state in ("succeeded", "approved"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                see_book(cursor=cursor, book=office.book.pk)
                cursor.execute("UPDATE refund SET state = %s WHERE id = %s", [state, third])
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            see_book(cursor=cursor, book=office.book.pk)
            RefundAnswer.objects.create(
                refund=third,
                book=office.book.pk,
                wallet=office.desk.street.wallets[0],
                answer="approve",
                author=office.asker.pk,
                at_us=till.clock.us,
            )
    assert till.balance() == TEN


def _wishing(office: Office, *, limit: int) -> Any:
    """A resident of the home, and what the supplier lets residents take back by themselves."""
    from django.db import connection

    from fairwatt.store.models import Tenancy, User

    with as_role("migrate"), transaction.atomic(), connection.cursor() as cursor:
        user = User.objects.create_user(f"lin-{office.book.slug}", None, "x")
        Tenancy.objects.create(user=user, wallet_id=office.desk.street.wallets[0], start_us=0)
        cursor.execute("SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
                       [str(office.book.pk)])  # fmt: skip
        cursor.execute(
            "INSERT INTO refund_policy (book, auto_minor, author, at_us) VALUES (%s, %s, 'x', 0)",
            [office.book.pk, limit],
        )
    return user


@at("alipay")
def test_a_residents_small_wish_needs_nobody_and_a_large_one_does(office: Office) -> None:
    from fairwatt.flows.ask_refund import wish_refund
    from fairwatt.store.models import Wallet

    till = office.till
    office.paid()
    user = _wishing(office, limit=300)
    office.flush()
    with as_role("web"):
        wallet = Wallet.objects.select_related("book").get(pk=office.desk.street.wallets[0])
        (small,) = wish_refund(wallet=wallet, user_id=user.pk, amount_minor=200, now_us=till.clock.us)
        (large,) = wish_refund(wallet=wallet, user_id=user.pk, amount_minor=200, now_us=till.clock.us)
    till.post()
    assert (office.row(small).state, office.row(large).state) == ("approved", "requested")
    office.answer(large, "approve")
    till.post()
    assert office.row(large).state == "approved", "one person agrees: it was not she who asked"
    assert till.balance() == TEN - FOUR
