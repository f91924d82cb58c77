"""A home behind two gateways: its credit is leased to both, and used once, whoever has a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.laws import check_laws
from support.street import HOUR_US
from support.two_gateways import MICRO_PER_WH, STRICT, a_home, is_dark

USE_WH = 200


def test_two_gateways_without_a_line_never_use_the_same_money_twice(house: Services, tmp_path: Path) -> None:
    with a_home(folder=tmp_path) as home:
        home.pay(1_000)
        home.step(100, 300)
        assert home.leased_micro() <= home.balance_micro
        left = [side.left_micro(home.wallet) for side in home.sides]
        assert left[0] is not None and left[1] is not None
        assert left[0] + left[1] == home.balance_micro, "all of it is leased"
        for n in (0, 1):
            home.line(n, up=False)
        while not all(map(is_dark, home.sides)) and home.steps < 1_000:
            home.step(USE_WH, 2 * USE_WH)
        # Ten pounds, and what flowed between two readings: not twenty.
        over_micro = home.used_micro - home.paid_micro
        assert 0 <= over_micro <= 3 * 3 * USE_WH * MICRO_PER_WH
        home.settle()
        assert home.balance_micro == home.paid_micro - home.used_micro
        assert home.guard_balances() == {"agrees": 2}
        assert all(map(is_dark, home.sides)), "the wallet is empty"
        home.pay(2_000)
        home.step(0, 0)
        home.step(0, 0)
        assert not any(map(is_dark, home.sides))
        check_laws(home.desk.street.book, acked=home.desk.acked)


def test_a_lease_that_runs_short_on_the_line_is_renewed_before_it_trips(
    house: Services, tmp_path: Path
) -> None:
    with a_home(folder=tmp_path) as home:
        home.pay(2_000)
        home.step(0, 0)
        # Half of it lies at a meter that uses nothing; the other one would be dark at half.
        for _ in range(100):
            home.step(900, 0)
            if home.balance_micro < 1_500_000:
                break
            left = home.sides[0].left_micro(home.wallet)
            assert left is not None and left > 900 * MICRO_PER_WH, "never near its end while there is credit"
        assert not is_dark(home.sides[0])
        assert home.counts["orders"] < 40, "an order for every halving, not for every reading"


def test_what_a_lease_did_not_use_comes_back_with_the_line(house: Services, tmp_path: Path) -> None:
    with a_home(folder=tmp_path) as home:
        home.pay(1_000)
        home.step(100, 100)
        home.line(1, up=False)
        while not is_dark(home.sides[0]) and home.steps < 400:
            home.step(300, 0)
        # It has a line; what keeps it dark is the other's lease, of which nobody knows what is left.
        cuts = home.desk.events("supply.cut")
        assert cuts[-1].evidence["held_micro"] > 4_000_000
        assert home.balance_micro > 4_000_000
        warned = home.desk.events("warning.")
        assert warned and warned[0].at_us < cuts[-1].at_us
        near, far = told_apart(home)
        assert (near.away, near.held_micro) == (False, 0)
        assert far.away and far.held_micro == cuts[-1].evidence["held_micro"]
        home.settle()
        assert not is_dark(home.sides[0]), "it came back unused"
        assert home.guard_balances() == {"agrees": 1}
        assert home.balance_micro == home.paid_micro - home.used_micro


def told_apart(home: Any) -> Any:
    """What the pages say of where the credit lies: the desk's and the resident's own."""
    from fairwatt.flows.credit_apart import credit_apart
    from fairwatt.store.models import Wallet
    from fairwatt.web.access import scope_of_book, scope_of_wallet, seeing

    wallet = Wallet.objects.get(pk=home.wallet)
    told = []
    for scope in (scope_of_book(book=wallet.book), scope_of_wallet(wallet=wallet)):
        with seeing(scope=scope):
            told.append(credit_apart(book=wallet.book_id, wallet=wallet.pk, now_us=home.now_us))
    assert told[0] == told[1]
    return told[0]


def test_a_poster_that_starts_again_knows_every_lease_as_before(house: Services, tmp_path: Path) -> None:
    with a_home(folder=tmp_path) as home:
        home.pay(1_000)
        for _ in range(5):
            home.step(100, 400)
        home.line(1, up=False)
        home.pay(700)
        for _ in range(5):
            home.step(100, 100)
        before = {
            n: (one.held_micro, one.newest_micro, one.used) for n, one in home.desk.state.leases.items()
        }
        given = {n: one.given for n, one in home.desk.state.leases.items()}
        home.desk.open(now_us=home.now_us)
        after = home.desk.state.leases
        assert {n: (one.held_micro, one.newest_micro, one.used) for n, one in after.items()} == before
        assert {n: one.given[-1] for n, one in after.items()} == {n: one[-1] for n, one in given.items()}


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_lines_do_credit_is_used_once_and_both_sides_agree(
    seed: int, house: Services, tmp_path: Path
) -> None:
    draw = Random(seed)
    # What flows between the reading that empties a lease and the one that shows the relay open is in no lease.
    between_micro = 3 * (400 + 1_200) * MICRO_PER_WH
    with a_home(folder=tmp_path) as home:
        home.pay(600)
        worst = 0
        for _ in range(150):
            if draw.random() < 0.08:
                n = draw.randrange(2)
                home.line(n, up=not home.lines_up[n])
            if draw.random() < 0.04:
                home.pay(draw.choice((50, 200, 500)))
            home.step(draw.randrange(0, 410, 10), draw.randrange(0, 1_210, 10))
            worst = max(worst, home.used_micro - home.paid_micro)
            assert home.leased_micro() <= max(0, home.balance_micro) + between_micro
        assert worst <= between_micro
        home.settle()
        assert home.balance_micro == home.paid_micro - home.used_micro
        assert set(home.guard_balances()) <= {"agrees"}
        if home.balance_micro > 0:
            assert not any(map(is_dark, home.sides))
            left = [side.left_micro(home.wallet) for side in home.sides]
            assert sum(one for one in left if one is not None) <= home.balance_micro
        check_laws(home.desk.street.book, acked=home.desk.acked)


@pytest.mark.parametrize(
    ("policy", "wishes"),
    [
        (replace(STRICT, friendly=((0, 1_440),)), {}),
        (STRICT, {"protected": True}),
        (replace(STRICT, warn_lead_us=400 * HOUR_US), {}),
    ],
    ids=["friendly hours", "protected", "not warned long enough"],
)
def test_what_spares_a_home_with_a_whole_grant_spares_it_with_a_lease(
    policy: object, wishes: dict[str, object], house: Services, tmp_path: Path
) -> None:
    with a_home(folder=tmp_path, policy=policy, **wishes) as home:  # type: ignore[arg-type]
        home.pay(100)
        home.step(100, 100)
        for n in (0, 1):
            home.line(n, up=False)
        for _ in range(30):
            home.step(400, 400)
        assert not any(map(is_dark, home.sides))
        home.settle()
        assert home.balance_micro == home.paid_micro - home.used_micro < 0
        assert home.guard_balances() == {"agrees": 2}
