"""Areas, people, landlords and the rule for fees are commissioned by command; a file with a mistake changes nothing."""

from __future__ import annotations

from pathlib import Path

from support.commands import Said, fairwatt
from support.desk import Desk
from support.house import as_role
from support.street import Street


def run(*words: str) -> Said:
    return fairwatt("units", *words)


def test_units_are_measured_a_landlord_is_named_and_the_rule_is_set(
    street: Street, desk: Desk, tmp_path: Path
) -> None:
    from fairwatt.store.models import FeeRule, LandlordAccount, UnitMeasure

    desk.home()
    desk.home()
    book, file = str(street.book), tmp_path / "units.csv"
    file.write_text("unit,area_m2,people,common\n0001,89.5,3,\n0009,1,1,\n")
    wrong = run("measure", str(file), "--book", book, "--from", "2013-07-01")
    assert wrong.code == 1 and "line 3" in wrong.err
    file.write_text("unit,area_m2,people,common\n0001,89.5,3,\n0002,12,0,yes\n")
    said = run("measure", str(file), "--book", book, "--from", "2013-07-01")
    assert said.code == 0, said.err
    assert run("landlord", "--book", book, "--unit", "0002").code == 0
    assert run("fee-rule", "--book", book, "--reserve-days", "10", "--reserve", "25.50").code == 0
    refused = run("fee-rule", "--book", book, "--recovery", "120")
    assert refused.code == 1 and "was not changed" in refused.err
    with as_role("migrate"):
        measured = UnitMeasure.objects.filter(unit__site=street.site).order_by("unit__label")
        assert list(measured.values_list("area_dm2", "heads", "common")) == [
            (8_950, 3, False),
            (1_200, 0, True),
        ]
        rule = FeeRule.objects.get(book_id=street.book)
        assert (rule.reserve_days, rule.reserve_micro, rule.fees_may_cut) == (10, 25_500_000, False)
        assert LandlordAccount.objects.get(site=street.site).wallet_id == street.wallets[1]


def test_no_page_can_set_whether_fees_may_cut(street: Street, desk: Desk) -> None:
    import pytest
    from django.db import DatabaseError, transaction

    from fairwatt.core.costs.taking import FeePolicy
    from fairwatt.flows.fees import set_fee_rule

    with as_role("web"), pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        set_fee_rule.__wrapped__(book_id=street.book, policy=FeePolicy(), by=None, now_us=1)  # type: ignore[attr-defined]


def test_what_prices_depend_on_is_noted_by_command(tmp_path: Path) -> None:
    from flows.test_windows import PERSONS, windows

    with windows(PERSONS) as desk:
        desk.home()
        book, file = str(desk.street.book), tmp_path / "persons.csv"
        words = ("account", str(file), "--book", book, "--from", "2013-07-01", "--author", "ada")
        file.write_text("unit,parameter,value\n0001,rooms,3\n")
        wrong = run(*words)
        assert wrong.code == 1 and "'rooms'" in wrong.err
        file.write_text("unit,parameter,value\n0001,persons,3\n")
        said = run(*words)
        assert said.code == 0, said.err
        assert [event.evidence["values_milli"] for event in desk.events("desk.account_values")] == [
            {"persons": 3_000}
        ]
