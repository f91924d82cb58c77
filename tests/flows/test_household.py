"""A home is shared by a code that works once; members see and pay, owners alone borrow, invite and take out."""

from __future__ import annotations

import os
from typing import Any

import pytest

from support.desk import Desk
from support.house import as_role
from support.moves import ask, follow
from support.street import HOUR_US, NOON_US

NOW_US = NOON_US + HOUR_US


def resident(name: str) -> Any:
    from fairwatt.store.models import User

    with as_role("migrate"):
        return User.objects.create_user(f"{name}-{os.urandom(4).hex()}", None, "x")


@pytest.fixture
def shared(desk: Desk) -> dict[str, Any]:
    """A home with its owner, and somebody who was invited and joined."""
    from fairwatt.flows.household import invite, join_home, look_at_code

    mei, bo = resident("mei"), resident("bo")
    meter = desk.home(tenants=(mei,))
    (wallet,) = desk.street.wallets
    desk.pay(meter, 50_00, now_us=NOON_US)
    desk.read(meter, NOW_US, 1_000)
    with as_role("web"):
        code = invite(wallet_id=wallet, name="Bo", user_id=mei.pk, now_us=NOW_US, entropy=os.urandom(10))
        assert look_at_code(code=code.lower(), user_id=bo.pk, now_us=NOW_US).by == mei.username
        join_home(code=code, user_id=bo.pk, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    return {"mei": mei, "bo": bo, "wallet": wallet, "code": code, "meter": meter}


def parts(wallet: int) -> dict[int, str]:
    from fairwatt.store.models import Tenancy

    with as_role("web"):
        return dict(Tenancy.objects.filter(wallet=wallet, end_us__isnull=True).values_list("user_id", "role"))


def test_a_code_lets_one_person_in_once_and_not_for_ever(desk: Desk, shared: dict[str, Any]) -> None:
    from fairwatt.flows.household import HouseholdRefused, invite, join_home, look_at_code, withdraw_invite

    mei, bo, wallet = shared["mei"], shared["bo"], shared["wallet"]
    assert parts(wallet) == {mei.pk: "owner", bo.pk: "member"}
    late = resident("late")
    about: dict[str, Any] = {"wallet_id": wallet, "name": "", "now_us": NOW_US}
    with as_role("web"):
        for code in (shared["code"], "0000-0000-0000-0000", ""):
            with pytest.raises(HouseholdRefused, match="used, taken back"):
                look_at_code(code=code, user_id=late.pk, now_us=NOW_US)
        with pytest.raises(HouseholdRefused, match="Only an owner"):
            invite(user_id=bo.pk, entropy=os.urandom(10), **about)
        codes = [invite(user_id=mei.pk, entropy=os.urandom(10), **about) for _ in range(5)]
        with pytest.raises(HouseholdRefused, match="At most 5"):
            invite(user_id=mei.pk, entropy=os.urandom(10), **about)
        with pytest.raises(HouseholdRefused, match="too old"):
            join_home(code=codes[0], user_id=late.pk, now_us=NOW_US + 72 * HOUR_US)
        join_home(code=codes[0], user_id=late.pk, now_us=NOW_US)
        again = resident("again")
        join_home(code=codes[0], user_id=again.pk, now_us=NOW_US)
        withdraw_invite(wallet_id=wallet, invite_id=newest_invite(wallet), user_id=mei.pk, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    assert set(parts(wallet)) == {mei.pk, bo.pk, late.pk}, "the second to use it came too late"
    with as_role("web"), pytest.raises(HouseholdRefused):
        look_at_code(code=codes[4], user_id=again.pk, now_us=NOW_US)


def newest_invite(wallet: int) -> int:
    from django.db import connection, transaction

    from fairwatt.store.models import Wallet

    book = Wallet.objects.get(pk=wallet).book_id
    from fairwatt.store import facts, household

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        return household.invites_of(cursor=cursor, book=book, wallet=wallet)[0].invite


def test_a_member_sees_and_pays_but_does_not_borrow_take_back_or_take_out(
    desk: Desk, shared: dict[str, Any]
) -> None:
    from fairwatt.flows.ask_refund import RefundImpossible, wish_refund
    from fairwatt.flows.borrow import BorrowRefused, take_emergency
    from fairwatt.flows.household import HouseholdRefused, leave_home
    from fairwatt.store.models import Wallet
    from fairwatt.web.access import wallets_of

    mei, bo, wallet = shared["mei"], shared["bo"], shared["wallet"]
    row = Wallet.objects.select_related("book").get(pk=wallet)
    with as_role("web"):
        assert wallet in [one.pk for one in wallets_of(user=bo, at_us=NOW_US)]
        with pytest.raises(BorrowRefused, match="Only an owner"):
            take_emergency(wallet_id=wallet, user_id=bo.pk, now_us=NOW_US)
        with pytest.raises(RefundImpossible, match="Only an owner"):
            wish_refund(wallet=row, user_id=bo.pk, amount_minor=100, now_us=NOW_US)
        about: dict[str, Any] = {"wallet_id": wallet, "now_us": NOW_US}
        with pytest.raises(HouseholdRefused, match="no member"):
            leave_home(person_id=mei.pk, user_id=bo.pk, **about)
        leave_home(person_id=bo.pk, user_id=mei.pk, **about)
    follow(desk, now_us=NOW_US)
    assert parts(wallet) == {mei.pk: "owner"}
    with as_role("web"):
        assert wallet not in [one.pk for one in wallets_of(user=bo, at_us=NOW_US + HOUR_US)]


def test_a_forged_fact_lets_nobody_in_and_a_member_who_goes_along_stays_one(
    desk: Desk, shared: dict[str, Any]
) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store.models import Installation, Wallet

    mei, bo, wallet = shared["mei"], shared["bo"], shared["wallet"]
    thief = resident("thief")
    forged: list[dict[str, Any]] = [
        {"step": "join", "code": "0" * 16, "person": thief.pk},
        {"step": "leave", "wallet": wallet, "person": mei.pk, "author": thief.pk},
        {"step": "leave", "wallet": wallet, "person": bo.pk, "author": thief.pk},
        {"step": "withdraw", "invite": 1, "person": thief.pk},
        {"step": "own", "person": thief.pk},
    ]
    made = []
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        for n, payload in enumerate(forged):
            fact, _ = facts.add(
                cursor=cursor,
                book=desk.street.book,
                kind="household",
                natural_key=f"forged:{n}",
                wallet=wallet,
                payload=payload,
                raw=b"",
                now_us=NOW_US,
            )
            made.append(fact)
    follow(desk, now_us=NOW_US)
    assert {desk.fact(fact).state for fact in made} == {"refused"}
    assert parts(wallet) == {mei.pk: "owner", bo.pk: "member"}

    other = desk.home()
    desk.read(other, NOW_US, 100)
    there = desk.street.wallets[1]
    ask(desk, "out", wallet=there, at_us=NOW_US, now_us=NOW_US)
    follow(desk, now_us=NOW_US)
    empty = Wallet.objects.get(pk=there).unit_id
    owner = Installation.objects.get(unit=empty, closed_us__isnull=True).wallet_id
    at_us = NOW_US + HOUR_US
    for meter, wh in ((shared["meter"], 1_500), (other, 100)):
        desk.read(meter, at_us, wh)
    fact = ask(desk, "transfer", wallet=wallet, at_us=at_us, now_us=at_us, to_unit=empty, to_wallet=owner)
    follow(desk, now_us=at_us)
    assert parts(desk.fact(fact).result["to_account"]) == {mei.pk: "owner", bo.pk: "member"}
