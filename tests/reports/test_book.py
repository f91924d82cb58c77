"""Reports about a whole book: each figure is the ledger's, and one that is not is never printed."""

from __future__ import annotations

from typing import Any

import pytest

from reports.conftest import Lived, at
from support.house import as_role


def table(made: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = next(one for one in made["tables"] if one["name"] == name)
    keys = [column["key"] for column in found["columns"]]
    return [dict(zip(keys, row, strict=True)) for row in found["rows"]]


def lines(lived: Lived) -> list[Any]:
    from fairwatt.store.models import Line

    with as_role("poster"):
        return list(Line.objects.filter(book=lived.book).order_by("wallet", "seq"))


def test_every_report_of_the_list_can_be_made(lived: Lived) -> None:
    from fairwatt.reports.registry import REPORTS

    for name, report in REPORTS.items():
        made = lived.make(name, home=0 if report.scope == "wallet" else None, month=None)
        assert len(made["digest"]) == 64, name


def test_bad_debt_is_more_than_zero_where_somebody_left_owing(lived: Lived) -> None:
    owed = {}
    for line in lines(lived):
        owed[line.wallet] = -line.balance_micro
    mover, stayer = lived.street.wallets[2], lived.street.wallets[1]
    made = lived.make("bad-debt", home=None, month=9)
    assert made["figures"]["bad"] == owed[mover] > 0
    assert made["figures"]["at_risk"] == owed[stayer] > 0
    rows = {row["home"]: row for row in table(made, "homes")}
    assert rows["0003"]["class"] == "moved_out" and rows["0002"]["class"] == "at_risk"
    mine = [line for line in lines(lived) if line.wallet == stayer]
    last_good = max(n for n, line in enumerate(mine) if line.balance_micro >= 0)
    assert rows["0002"]["owing_since"] == int(mine[last_good + 1].ts.timestamp()) * 1_000_000
    # Before the move nobody had left: the same wallet is at risk, not bad.
    assert lived.make("bad-debt", home=None, month=8)["figures"]["bad"] == 0


def test_the_trial_balance_is_the_journal_and_sums_to_zero(lived: Lived) -> None:
    from fairwatt.store.models import Journal

    made = lived.make("month-end", home=None, month=8)
    trial = {row["account"]: row for row in table(made, "trial_balance")}
    with as_role("poster"):
        legs = list(Journal.objects.filter(book=lived.book))
    for account, row in trial.items():
        mine = [leg for leg in legs if leg.account == account and leg.at_us < at(9, 1)]
        assert row["closing"] == sum(leg.amount_micro for leg in mine)
        assert row["opening"] == sum(leg.amount_micro for leg in mine if leg.at_us < at(8, 1))
        assert row["closing"] == row["opening"] + row["credit"] - row["debit"]
    assert sum(row["closing"] for row in trial.values()) == 0
    august = [leg for leg in legs if at(8, 1) <= leg.at_us < at(9, 1)]
    assert len(table(made, "journal")) == len(august)
    days = table(made, "journal_by_day")
    assert len({(row["day"], row["account"]) for row in days}) == len(days) <= len(august)
    for account, row in trial.items():
        mine = [day for day in days if day["account"] == account]
        assert (sum(day["debit"] for day in mine), sum(day["credit"] for day in mine)) == (
            row["debit"],
            row["credit"],
        )
    assert made["figures"]["tax"] == sum(leg.amount_micro for leg in august if leg.account == "tax:output")
    assert made["figures"]["tax_elsewhere"] == 0


def test_unspent_money_is_split_by_age_first_in_first_out(lived: Lived) -> None:
    made = lived.make("liability", home=None, month=8)
    (row,) = table(made, "buildings")
    credit = [line for line in lines(lived) if line.wallet == lived.street.wallets[0]]
    left = next(line for line in reversed(credit) if line.ts.timestamp() * 1_000_000 < at(9, 1)).balance_micro
    assert row["unspent"] == made["figures"]["unspent"] == left
    newest = 25_000_000
    assert (row["age_0"], row["age_1"], row["age_2"]) == (min(left, newest), max(0, left - newest), 0)


def test_collection_counts_what_was_charged_and_not_covered(lived: Lived) -> None:
    made = lived.make("collection", home=None, month=8)
    (row,) = table(made, "buildings")
    august = [line for line in lines(lived) if at(8, 1) <= int(line.ts.timestamp()) * 1_000_000 < at(9, 1)]
    assert row["charged"] == -sum(line.amount_micro for line in august if line.kind != 2)
    assert row["rate"] == (row["charged"] - row["new_debt"]) * 10_000 // row["charged"]
    assert 0 < row["rate"] < 10_000


def test_a_vacant_home_that_uses_energy_is_named(lived: Lived) -> None:
    from fairwatt.store.models import Unit, Wallet

    unit = Wallet.objects.get(pk=lived.street.wallets[1]).unit_id
    with as_role("migrate"):
        Unit.objects.filter(pk=unit).update(vacant=True)
    try:
        made = lived.make("vacancy", home=None, month=8)
    finally:
        with as_role("migrate"):
            Unit.objects.filter(pk=unit).update(vacant=False)
    (ghost,) = table(made, "homes")
    assert (ghost["home"], ghost["state"]) == ("0002", "ghost")
    assert made["figures"]["ghost_wh"] == ghost["energy_wh"] > 80_000


def test_standing_charges_that_nobody_lives_behind_are_counted(lived: Lived) -> None:
    from fairwatt.store.models import LandlordAccount, Tenancy, User, Wallet

    wallet = Wallet.objects.select_related("unit").get(pk=lived.street.wallets[1])
    with as_role("migrate"):
        who = User.objects.create_user(f"left-{lived.book}", None, "x")
        stay = Tenancy.objects.create(wallet=wallet, user=who, start_us=at(7, 1), end_us=at(8, 10))
    try:
        left = lived.make("vacancy", home=None, month=8)
        with as_role("migrate"):
            owner = LandlordAccount.objects.create(site=wallet.unit.site, wallet=wallet)
        owned = lived.make("vacancy", home=None, month=8)
        with as_role("migrate"):
            owner.delete()
    finally:
        with as_role("migrate"):
            stay.delete()
    since = [
        line
        for line in lines(lived)
        if line.wallet == wallet.pk and at(8, 10) < int(line.ts.timestamp()) * 1_000_000 < at(9, 1)
    ]
    (row,) = table(left, "homes")
    assert row["left"] == left["figures"]["left"] == sum(line.standing_micro for line in since) > 0
    assert owned["figures"]["left"] == 0


def test_a_figure_that_disagrees_is_an_error_and_not_a_print(lived: Lived) -> None:
    """The cache is made to lie; the journal knows better."""
    from fairwatt.reports.model import FiguresDisagree
    from fairwatt.store.models import WalletHead

    with as_role("poster"):
        head = WalletHead.objects.filter(book=lived.book).first()
        assert head is not None
        honest = head.balance_micro
        WalletHead.objects.filter(pk=head.pk).update(balance_micro=honest + 1)
    try:
        with pytest.raises(FiguresDisagree, match="Rebuild the caches"):
            lived.make("liability", home=None, month=8)
    finally:
        with as_role("poster"):
            WalletHead.objects.filter(pk=head.pk).update(balance_micro=honest)


def test_a_kind_nobody_treats_stops_the_report(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairwatt.core.ledger.model import Kind
    from fairwatt.reports import kinds
    from fairwatt.reports.model import FiguresDisagree

    assert set(Kind) <= set(kinds.KINDS), "a new kind of line needs its row"
    monkeypatch.setattr(kinds, "KINDS", {kind: how for kind, how in kinds.KINDS.items() if kind != 3})
    with pytest.raises(FiguresDisagree, match="kind 3"):
        lived.make("statement", month=None)
