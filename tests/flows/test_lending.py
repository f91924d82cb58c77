"""Emergency credit and debts: lent once, repaid first, never the reason for a cut, and every line works out again."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.cash import Drawer
from support.costs import flush, legs
from support.credit import document, person, rule, step
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street

AT = NOON_US + HOUR_US
EVENING = NOON_US + 6 * HOUR_US
TEN = 10_000_000


@pytest.fixture
def street(house: Services) -> Street:
    return Street(tariff=FLAT)


@pytest.fixture
def ann(street: Street) -> Any:
    return person(street, "ann")


@pytest.fixture
def lin(street: Street) -> Any:
    from fairwatt.store.models import User

    with as_role("migrate"):
        return User.objects.create_user(f"lin-{street.site.book.organisation.slug}", None, "x")


def offered(street: Street, ann: Any, *, automatic: bool = False, role: str = "migrate") -> Any:
    """Emergency credit of 10, offered below 2."""
    said = document(f'emergency: {{amount: "10", offered_below: "2", automatic: {str(automatic).lower()}}}')
    return rule(street, ann, body=said, role=role)


def take(street: Street, who: Any, home: int = 0, *, now_us: int = AT) -> int:
    from fairwatt.flows.borrow import take_emergency

    with as_role("web"):
        return take_emergency(wallet_id=street.wallets[home], user_id=who.pk, now_us=now_us)


def desk_of(street: Street, home: int = 0, *, now_us: int = AT) -> Any:
    from fairwatt.flows.borrow import credit_desk
    from fairwatt.store.models import Wallet

    with as_role("web"):
        wallet = Wallet.objects.select_related("book").get(pk=street.wallets[home])
        return credit_desk(wallet=wallet, now_us=now_us)


def explained(desk: Desk) -> None:
    """Every line of a loan or a debt works out again to the micro-unit."""
    from django.db import connection, transaction

    from fairwatt.flows.explaining.ids import LineId
    from fairwatt.flows.explaining.line import explain_line
    from fairwatt.store import facts

    told = 0
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=desk.street.book)
        for line in desk.lines():
            if line.kind in (13, 14):
                account = explain_line(line_id=LineId(line.book, line.wallet, line.seq))
                assert account.recomputed and account.agrees, account
                told += 1
    assert told


def test_emergency_credit_is_lent_once_restores_power_and_is_repaid_first(
    street: Street, desk: Desk, ann: Any, lin: Any
) -> None:
    from fairwatt.flows.borrow import BorrowRefused

    offered(street, ann)
    meter = desk.home(tenants=(lin,))
    desk.read(meter, AT, 10_000)
    desk.read(meter, AT + 2 * HOUR_US, 10_010)
    (cut,) = desk.events("supply.cut")
    assert cut.reason == "balance_empty"
    flush(desk, AT)
    assert desk_of(street).offered_micro == TEN
    assert take(street, lin) == take(street, lin), "asked twice is asked once"
    desk.post(now_us=AT + 3 * HOUR_US)
    assert desk.balance(meter) == TEN - 10_010 * 200
    assert [event.reason for event in desk.events("supply.restore")] == ["credit_returned"]
    assert legs(desk)["receivable:emergency"] == -TEN
    flush(desk, AT)
    with pytest.raises(BorrowRefused):
        take(street, lin)
    desk.pay(meter, 4_00, now_us=AT + 4 * HOUR_US)
    desk.post(now_us=AT + 4 * HOUR_US)
    assert desk.balance(meter) == TEN - 10_010 * 200, "all of it repaid"
    desk.pay(meter, 20_00, now_us=AT + 5 * HOUR_US)
    desk.post(now_us=AT + 5 * HOUR_US)
    assert desk.balance(meter) == TEN - 10_010 * 200 + 14_000_000
    assert "receivable:emergency" not in legs(desk)
    explained(desk)


def test_what_is_lent_and_paid_in_one_batch_is_repaid_in_it(
    street: Street, desk: Desk, ann: Any, lin: Any
) -> None:
    """A batch looks up once who ever owed anything; who borrows in that very batch is none of those."""
    offered(street, ann)
    meter = desk.home(tenants=(lin,))
    desk.read(meter, AT, 10_000)
    flush(desk, AT)
    take(street, lin)
    desk.pay(meter, 14_00, now_us=AT)
    desk.post(now_us=AT)
    assert "receivable:emergency" not in legs(desk)
    assert desk.balance(meter) == 14_000_000 - 10_000 * 200
    explained(desk)


def test_lent_credit_is_not_handed_out_as_cash(street: Street, desk: Desk, ann: Any, lin: Any) -> None:
    from fairwatt.flows.two_people import CannotWish

    offered(street, ann)
    meter = desk.home(tenants=(lin,))
    drawer = Drawer(desk)
    drawer.open(0)
    drawer.answer(drawer.take(30_00))
    drawer.now_us += 10 * HOUR_US
    desk.read(meter, drawer.now_us, 145_000)
    both = [drawer.void(1, 1_00) for _ in range(2)]
    flush(desk, AT)
    take(street, lin, now_us=drawer.now_us)
    drawer.post()
    answers = [drawer.answer(drawer.agree(wish) or 0) for wish in both]
    assert answers[0].state == "posted", "what was paid and not used goes back"
    assert answers[1].result["code"] == "spent", "what is left was lent"
    assert desk.balance(meter) == TEN
    flush(desk, AT)
    with pytest.raises(CannotWish, match="spent"):
        drawer.void(1, 5_00)


def test_a_neighbour_takes_no_emergency_credit_and_a_forged_asking_is_refused(
    street: Street, desk: Desk, ann: Any, lin: Any
) -> None:
    from django.db import connection, transaction

    from fairwatt.flows.borrow import BorrowRefused, ask_for

    offered(street, ann)
    meter = desk.home()
    with pytest.raises(BorrowRefused):
        take(street, lin)
    desk.pay(meter, 50_00, now_us=AT)
    desk.post(now_us=AT)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        ask_for(cursor=cursor, book=street.book, wallet=street.wallets[0], after=0, author=1, now_us=AT)
    desk.post(now_us=AT)
    assert desk.balance(meter) == 50_000_000
    assert [event.reason for event in desk.events("fact.refused")] == ["emergency_not_needed"]


def test_a_page_cannot_raise_emergency_credit_above_what_was_commissioned(
    street: Street, desk: Desk, ann: Any, lin: Any
) -> None:
    rule(street, ann, body=document('emergency: {amount: "900", offered_below: "2"}'), role="web")
    desk.home(tenants=(lin,))
    assert desk_of(street).offered_micro == 0
    offered(street, ann)
    rule(street, ann, wallet=street.wallets[0], body=document('emergency: {amount: "900"}'), role="web")
    assert desk_of(street).held.emergency.amount_micro == TEN


def test_automatic_emergency_credit_comes_before_any_cut(street: Street, desk: Desk, ann: Any) -> None:
    from fairwatt.flows.raise_due import raise_due

    offered(street, ann, automatic=True)
    meter = desk.home()
    desk.read(meter, AT, 10_000)
    desk.read(meter, AT + 2 * HOUR_US, 10_010)
    assert [event.reason for event in desk.events("supply.")] == ["emergency_due"]
    flush(desk, AT)
    assert raise_due(book_id=street.book, now_us=AT + 2 * HOUR_US) == 2, (
        "the rule's beginning, and the asking"
    )
    assert raise_due(book_id=street.book, now_us=AT + 2 * HOUR_US) == 0
    desk.post(now_us=AT + 2 * HOUR_US)
    assert desk.balance(meter) == TEN - 10_010 * 200
    desk.read(meter, AT + 5 * HOUR_US, 60_100)
    desk.read(meter, AT + 7 * HOUR_US, 60_200)
    assert [event.reason for event in desk.events("supply.")] == [
        "emergency_due",
        "not_warned",
        "balance_empty",
    ]
    flush(desk, AT)
    assert raise_due(book_id=street.book, now_us=AT + 7 * HOUR_US) == 0, "the last one is not repaid"


def test_who_is_never_cut_for_credit_is_lent_nothing(street: Street, desk: Desk, ann: Any, lin: Any) -> None:
    """A home that a person keeps on, and a protected one: neither takes a loan, by itself or when asked to."""
    from fairwatt.flows.borrow import BorrowRefused
    from fairwatt.flows.raise_due import raise_due

    offered(street, ann, automatic=True)
    meters = [desk.home(tenants=(lin,)), desk.home(), desk.home()]
    kept = rule(street, ann, "force_on", wallet=street.wallets[0], now_us=NOON_US, until_us=AT + DAY_US)
    with as_role("migrate"):
        from fairwatt.store.models import Wallet

        Wallet.objects.filter(pk=street.wallets[1]).update(protected=True)
    desk.open(now_us=AT)
    for meter in meters:
        desk.read(meter, AT, 10_000)
    flush(desk, AT)
    with pytest.raises(BorrowRefused):
        take(street, lin)
    assert raise_due(book_id=street.book, now_us=AT) == 2, "the rules' beginning, and one home that asks"
    desk.post(now_us=AT)
    (lent,) = desk.events("emergency.lent")
    assert lent.wallet == street.wallets[2]
    for who in (ann, person(street, "bob")):
        step(street, who, kept, "ask_end" if who is ann else "end", now_us=AT + HOUR_US)
    desk.open(now_us=AT + HOUR_US)
    flush(desk, AT)
    assert raise_due(book_id=street.book, now_us=AT + HOUR_US) == 2, "what kept it on is over"


def test_a_shelter_that_ends_takes_nothing_from_who_may_borrow(street: Street, desk: Desk, ann: Any) -> None:
    """Who is kept on is lent nothing; a minute after that, before the calendar was looked at, nobody is cut either."""
    from fairwatt.flows.raise_due import raise_due

    offered(street, ann, automatic=True)
    meter, end_us = desk.home(), AT + 20 * HOUR_US
    rule(street, ann, "force_on", wallet=street.wallets[0], now_us=NOON_US, until_us=end_us)
    desk.open(now_us=AT)
    for hour in range(20):
        desk.read(meter, AT + hour * HOUR_US, 10_000 + hour)
    flush(desk, AT)
    raise_due(book_id=street.book, now_us=end_us - HOUR_US)
    desk.post(now_us=end_us - HOUR_US)
    assert not desk.events("emergency.lent")
    desk.read(meter, end_us + 60_000_000, 10_100)
    flush(desk, AT)
    raise_due(book_id=street.book, now_us=end_us + 60_000_000)
    desk.read(meter, end_us + 120_000_000, 10_101)
    assert len(desk.events("emergency.lent")) == 1 and not desk.events("supply.cut")
    lowers = rule(
        street, ann, wallet=street.wallets[0], body=document('emergency: {amount: "1", offered_below: "2"}')
    )
    assert lowers.loosens == ["emergency"], "also of a home that is sheltered today"
    assert not rule(street, ann, body=document("cut: never"), basis="law", source="an act").loosens


def owed(street: Street, desk: Desk, ann: Any, approver: str = "bob", **plan: Any) -> Any:
    """A home that owes 20.02 for energy, which becomes a debt of 20."""
    written = rule(
        street,
        ann,
        "debt",
        wallet=street.wallets[0],
        until_us=None,
        details={"amount_micro": 20_000_000, "origin": "balance", **plan},
    )
    step(street, person(street, approver), written, "approve")
    desk.post(now_us=EVENING + HOUR_US)
    return written


def test_a_debt_is_separate_and_a_share_of_each_top_up_recovers_it_up_to_a_cap_a_week(
    street: Street, desk: Desk, ann: Any
) -> None:
    meter = desk.home()
    desk.read(meter, EVENING, 100_100)
    owed(street, desk, ann, share_bp=2_500, week_cap_micro=6_000_000)
    assert desk.balance(meter) == -20_000
    assert legs(desk)["receivable:debt"] == -20_000_000
    flush(desk, EVENING)
    told = desk_of(street)
    assert (told.least_minor, told.split(minor=20_00).debt_micro) == (3, 5_000_000)
    desk.pay(meter, 20_00, now_us=EVENING + 2 * HOUR_US)
    desk.post(now_us=EVENING + 2 * HOUR_US)
    assert desk.balance(meter) == 15_000_000 - 20_000
    desk.pay(meter, 20_00, now_us=EVENING + 3 * HOUR_US)
    desk.post(now_us=EVENING + 3 * HOUR_US)
    assert desk.balance(meter) == 34_000_000 - 20_000, "one more, then the cap of the week"
    desk.pay(meter, 4_00, now_us=EVENING + 7 * DAY_US)
    desk.post(now_us=EVENING + 7 * DAY_US)
    assert desk.balance(meter) == 37_000_000 - 20_000
    assert legs(desk)["receivable:debt"] == -13_000_000
    explained(desk)


def test_time_takes_a_daily_and_a_weekly_rate_and_never_warns_or_cuts(
    street: Street, desk: Desk, ann: Any
) -> None:
    from fairwatt.flows.raise_due import raise_due

    meter = desk.home()
    desk.read(meter, EVENING, 100_100)
    # NOON_US is a Monday; the weekly rate falls due on Wednesdays.
    owed(street, desk, ann, daily_micro=1_000_000, weekly_micro=3_000_000, weekday=2)
    desk.pay(meter, 7_02, now_us=EVENING + 2 * HOUR_US)
    desk.post(now_us=EVENING + 2 * HOUR_US)
    for day in (1, 2, 3, 4):
        raise_due(book_id=street.book, now_us=EVENING + day * DAY_US)
        desk.post(now_us=EVENING + day * DAY_US)
    assert desk.balance(meter) == 2_000_000, "1 on Tuesday, 4 on Wednesday, then the level of warning stays"
    assert not [event for event in desk.events("supply.cut") if event.at_us > EVENING + 2 * HOUR_US]
    assert raise_due(book_id=street.book, now_us=EVENING + 4 * DAY_US) == 0
    explained(desk)


def test_a_paused_debt_takes_nothing_and_a_debt_above_what_is_owed_is_refused(
    street: Street, desk: Desk, ann: Any
) -> None:
    meter = desk.home()
    desk.read(meter, EVENING, 100_100)
    owed(street, desk, ann, share_bp=5_000)
    rule(street, ann, "debt_pause", wallet=street.wallets[0], now_us=EVENING)
    desk.pay(meter, 10_00, now_us=EVENING + 2 * HOUR_US)
    desk.post(now_us=EVENING + 2 * HOUR_US)
    assert desk.balance(meter) == 10_000_000 - 20_000
    owed(street, desk, ann, "dan", share_bp=5_000)
    assert [event.reason for event in desk.events("fact.refused")] == ["debt_exceeds"]


def test_a_debt_of_an_earlier_system_is_commissioned_and_moves_no_wallet(
    street: Street, desk: Desk, ann: Any
) -> None:
    meter = desk.home()
    brought = {"amount_micro": 30_000_000, "origin": "brought", "share_bp": 1_000}
    for role in ("web", "migrate"):
        written = rule(
            street, ann, "debt", wallet=street.wallets[0], until_us=None, details=brought, role=role
        )
        step(street, person(street, f"bob{role}"), written, "approve")
    desk.post(now_us=EVENING)
    assert [event.reason for event in desk.events("fact.refused")] == ["not_authorised"]
    assert (desk.balance(meter), legs(desk)) == (
        0,
        {"receivable:debt": -30_000_000, "opening": 30_000_000},
    )


def test_who_leaves_gives_emergency_credit_back_before_anything_is_refunded(
    street: Street, desk: Desk, ann: Any, lin: Any
) -> None:
    from fairwatt.store.models import RefundWish
    from support.moves import ask, follow

    offered(street, ann)
    meter = desk.home(tenants=(lin,))
    desk.read(meter, AT, 0)
    take(street, lin)
    desk.post(now_us=AT)
    desk.pay(meter, 3_00, now_us=AT)
    desk.post(now_us=AT)
    assert desk.balance(meter) == TEN, "the top-up repaid 3 of 10"
    ask(desk, "out", wallet=street.wallets[0], at_us=AT, now_us=AT)
    follow(desk, now_us=AT)
    assert RefundWish.objects.get(wallet=street.wallets[0]).amount_micro == 3_000_000
    assert "receivable:emergency" not in legs(desk)
    explained(desk)
