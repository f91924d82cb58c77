"""Top-ups that a resident agreed to: signed at the provider, one payment a fall, limits, refusals, and its end."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.db import connection

from fairwatt.core.credit.auto_top_up import AutoTerms
from support.costs import flush
from support.house import as_role
from support.street import HOUR_US
from support.till import ORIGIN, Till, at

DAY_US = 24 * HOUR_US
GOOD, DECLINED, ASKS_BACK = "4242424242424242", "4000000000000341", "4000002760003184"


def terms(**changes: Any) -> AutoTerms:
    """Ten pounds below two, four times and a hundred pounds a month."""
    figures: dict[str, Any] = {
        "below_micro": 2_000_000,
        "below_days": None,
        "amount_minor": 1000,
        "times_most": 4,
        "month_most_minor": 10_000,
    }
    return AutoTerms(**{**figures, **changes})


class Agreed:
    """A resident of the till's first home, and what the agreement leads to."""

    def __init__(self, till: Till) -> None:
        from fairwatt.flows.merchants import offer
        from fairwatt.store.models import Role, Tenancy, User, Wallet

        self.till, self.wallet, self.wh = till, till.desk.street.wallets[0], 0
        with as_role("migrate"):
            offer(
                account_id=till.account,
                methods=["redirect", "auto"],
                author="commissioning",
                now_us=till.clock.us,
            )
            self.user = User.objects.create_user(f"agreed-{till.token}", None, "x", role=Role.TENANT)
            home = Wallet.objects.get(pk=self.wallet)
            Tenancy.objects.create(user=self.user, wallet=home, start_us=0, role=Tenancy.Part.OWNER)

    def agree(self, **changes: Any) -> str:
        """The resident agrees on our page; the provider's is open."""
        from fairwatt.flows.auto_top_up.agreeing import Consent, agree

        with as_role("web"):
            ref = agree(
                wallet_id=self.wallet,
                account_id=self.till.account,
                terms=terms(**changes),
                consent=Consent(words="I agree.", language="en", return_url=f"{ORIGIN}/back/"),
                user_id=self.user.pk,
                now_us=self.till.clock.us,
                entropy=os.urandom(16),
            )
        self.till.ask()
        return ref

    def sign(self, ref: str, card: str = GOOD) -> None:
        """The resident types a card on the provider's page, and the collector hears of it."""
        self.till.world.stripe.cards.save(self.till.order(ref), digits=card)
        self.till.ask(after_s=5)

    def watch(self, *, after_s: int = 0) -> int:
        """The keeper looks once."""
        from fairwatt.flows.auto_top_up.watching import watch

        self.till.clock.us += after_s * 1_000_000
        with as_role("web"):
            return watch(book_id=self.till.desk.street.book, now_us=self.till.clock.us)

    def settle(self) -> None:
        """The collector takes what is asked for, the poster credits it."""
        self.till.ask()
        self.till.post()
        flush(self.till.desk, self.till.clock.us)

    def taken(self) -> int:
        """What the platform says this shop was paid."""
        return sum(paid.settled_minor for paid in self.till.world.books.payments(self.till.shop))

    def off(self) -> None:
        """Two clicks."""
        from fairwatt.flows.auto_top_up.agreeing import switch_off

        with as_role("web"):
            switch_off(wallet_id=self.wallet, user_id=self.user.pk, now_us=self.till.clock.us)

    def spend(self, kwh: int) -> None:
        """Credit is used up by so much, in as many hours as the meter needs to carry it."""
        self.wh += kwh * 1000
        self.till.clock.us += -(-kwh // 20) * HOUR_US
        self.till.desk.read(self.till.desk.street.homes[0], self.till.clock.us, self.wh)
        flush(self.till.desk, self.till.clock.us)

    def steps(self) -> list[tuple[str, str]]:
        """The history, oldest first."""
        from fairwatt.flows.auto_top_up.agreeing import auto_desk
        from fairwatt.store.models import Wallet

        with as_role("web"):
            home = Wallet.objects.select_related("book").get(pk=self.wallet)
            desk = auto_desk(wallet=home, user_id=self.user.pk, now_us=self.till.clock.us)
            return [(one.step, one.reason) for one in reversed(desk.steps)]

    def told(self) -> list[str]:
        """Which notices were written, in order."""
        with as_role("notifier"), connection.cursor() as cursor:
            cursor.execute(
                "SELECT step FROM notice WHERE wallet = %s AND step LIKE 'auto%%' ORDER BY id", [self.wallet]
            )
            return [step for (step,) in cursor.fetchall()]


@pytest.fixture
def agreed(till: Till) -> Agreed:
    return Agreed(till)


@at("stripe")
def test_one_fall_is_one_payment_and_it_is_credited_by_the_providers_word(till: Till, agreed: Agreed) -> None:
    ref = agreed.agree()
    assert agreed.watch() == 0, "nothing is taken before it is signed"
    agreed.sign(ref)
    assert agreed.watch() == 1
    assert agreed.told() == ["auto"], "who is charged is told when it is asked for"
    assert till.balance() == 0, "nothing is credited before the provider's word"
    assert agreed.watch() == 0, "nothing is taken while a payment is on its way"
    agreed.settle()
    assert (till.balance(), agreed.taken()) == (10_000_000, 1000)
    for _ in range(3):
        agreed.watch(after_s=60)
    till.deliver_due(times=2)
    agreed.settle()
    assert (till.balance(), agreed.taken()) == (10_000_000, 1000)
    assert agreed.steps() == [
        ("agreed", ""),
        ("saved", ""),
        ("fell", "below_money"),
        ("asked", "below_money"),
        ("paid", ""),
        ("rose", ""),
    ]


@at("stripe")
def test_a_refused_card_is_tried_a_day_apart_and_three_times_in_a_row_end_it(
    till: Till, agreed: Agreed
) -> None:
    agreed.sign(agreed.agree(), DECLINED)
    assert agreed.watch() == 1
    for attempt in (2, 3):
        agreed.settle()
        assert agreed.watch() == 0 and agreed.watch(after_s=3600) == 0, "not at once again"
        assert agreed.watch(after_s=86_400) == 1, attempt
    agreed.settle()
    assert agreed.watch() == 0
    orders = [
        one for one in till.world.books.orders.values() if one.shop is till.shop and one.way == "agreed"
    ]
    assert [one.state for one in orders] == ["closed"] * 3, "what was refused can never be paid later"
    assert agreed.steps()[-2:] == [("failed", "card_declined"), ("ended", "three_failures")]
    assert agreed.told() == ["auto", "auto_failed", "auto", "auto_failed", "auto", "auto_ended"]
    till.ask(after_s=60)
    assert agreed.steps()[-1] == ("forgotten", ""), "the card is forgotten at the provider"
    (card,) = [one for one in till.world.stripe.cards.all if one.shop is till.shop]
    assert (card.customer, till.balance()) == ("", 0)
    assert agreed.watch(after_s=86_400) == 0


@at("stripe")
def test_limits_of_the_month_hold_and_say_so_once(till: Till, agreed: Agreed) -> None:
    agreed.sign(agreed.agree(times_most=1))
    assert agreed.watch() == 1
    agreed.settle()
    agreed.watch()
    agreed.spend(50)
    assert agreed.watch() == 0 == agreed.watch(after_s=60)
    assert agreed.steps()[-2:] == [("fell", "limit_times"), ("held", "limit_times")]
    assert agreed.told() == ["auto", "auto_failed"]
    with as_role("web"):
        from fairwatt.flows.auto_top_up.agreeing import AutoRefused, change

        about: dict[str, Any] = {
            "wallet_id": agreed.wallet,
            "user_id": agreed.user.pk,
            "now_us": till.clock.us,
        }
        with pytest.raises(AutoRefused, match="less than one top-up"):
            change(terms=terms(month_most_minor=999), **about)
        change(terms=terms(times_most=2, month_most_minor=1500), **about)
    assert agreed.watch() == 0 and agreed.steps()[-1] == ("held", "limit_money")
    till.clock.us += 31 * DAY_US
    assert agreed.watch() == 1, "the next month allows it again"


@at("stripe")
def test_nothing_is_taken_beside_a_payment_of_ones_own_nor_after_it_was_switched_off(
    till: Till, agreed: Agreed
) -> None:
    agreed.sign(agreed.agree())
    ref, order = till.made(500)
    assert agreed.watch() == 0, "somebody is paying by hand"
    till.world.pay(order)
    till.settle(ref)
    flush(till.desk, till.clock.us)
    agreed.watch()
    agreed.spend(40)
    assert agreed.watch() == 1
    agreed.off()
    till.ask(after_s=1)
    till.post()
    assert agreed.taken() == 500, "what was not asked for yet is not taken"
    till.ask(after_s=1)
    assert agreed.steps()[-2:] == [("ended", "by_resident"), ("forgotten", "")]
    agreed.off()
    assert agreed.watch(after_s=60) == 0


@at("stripe")
def test_an_answer_that_was_lost_is_asked_for_and_never_taken_twice(till: Till, agreed: Agreed) -> None:
    agreed.sign(agreed.agree())
    assert agreed.watch() == 1
    till.world.faults.set(http="cut")
    till.ask()
    assert agreed.taken() == 1000, "it was taken, and the answer was lost"
    till.world.faults.set(http="")
    assert agreed.watch() == 0
    till.ask(after_s=30)
    agreed.settle()
    assert (agreed.taken(), till.balance()) == (1000, 10_000_000)
    assert agreed.watch(after_s=86_400) == 0


@at("stripe")
def test_a_page_that_was_left_ends_and_a_bank_that_wants_its_payer_says_so(
    till: Till, agreed: Agreed
) -> None:
    agreed.agree()
    till.ask(after_s=3 * 3600)
    assert agreed.steps()[-1] == ("not_saved", "")
    agreed.sign(agreed.agree(below_micro=None, below_days=3), ASKS_BACK)
    assert agreed.watch() == 1, "no forecast, no credit: used up is below any number of days"
    agreed.settle()
    agreed.watch()
    assert agreed.steps()[-1] == ("failed", "authentication_required")
    with as_role("migrate"):
        from fairwatt.store.models import Tenancy

        Tenancy.objects.filter(user=agreed.user).update(end_us=till.clock.us)
    assert agreed.watch(after_s=86_400) == 0
    assert agreed.steps()[-1] == ("ended", "moved_out")
    with as_role("notifier"), connection.cursor() as cursor:
        cursor.execute("SELECT person FROM notice WHERE wallet = %s AND step = 'auto_ended'", [agreed.wallet])
        assert cursor.fetchall() == [(None,)], "who stays behind hears of it, whoever it is"


def test_nobody_reads_another_homes_agreement_and_no_page_says_that_it_is_signed(house: object) -> None:
    from psycopg import errors

    from support.street import Street

    street = Street()
    street.open_home()
    for role, statement in (
        ("web", "SELECT payer FROM auto_plan"),
        ("web", "INSERT INTO auto_plan (state) VALUES ('active')"),
        ("web", "UPDATE auto_plan SET payer = 'cus_1/pm_1'"),
        ("web", "DELETE FROM auto_step"),
        ("collector", "UPDATE auto_plan SET consent = ''"),
        ("collector", "INSERT INTO auto_try (plan) VALUES (1)"),
        ("poster", "SELECT count(*) FROM auto_plan"),
        ("auditor", "INSERT INTO auto_step (plan) VALUES (1)"),
    ):
        with as_role(role), connection.cursor() as cursor, pytest.raises(Exception) as refused:  # type: ignore[arg-type]
            cursor.execute(statement)
        assert isinstance(
            refused.value.__cause__, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction
        ), statement
    with as_role("web"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auto_plan")
        assert cursor.fetchone() == (0,), "who names no book sees none"
