"""Statements agree with the ledger and with each other, to the micro-unit, whatever was posted when."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.conftest import Lived, at
from support.house import as_role


def lines_of(lived: Lived, home: int) -> list[Any]:
    from fairwatt.store.models import Line

    with as_role("poster"):
        return list(Line.objects.filter(book=lived.book, wallet=lived.street.wallets[home]).order_by("seq"))


@pytest.mark.parametrize("home", [0, 1, 2])
def test_a_month_opens_where_the_month_before_closed(lived: Lived, home: int) -> None:
    months = [lived.make("statement", home=home, month=month)["figures"] for month in (7, 8)]
    assert months[0]["opening"] == 0
    assert months[1]["opening"] == months[0]["closing"]
    for month in months:
        taken = sum(month[key] for key in ("charged", "fees", "shared", "corrected"))
        assert month["closing"] == month["opening"] - taken + month["adjusted"] + month["topped_up"]
        assert month["charged"] == month["energy"] + month["standing"] + month["tax"]


def test_the_whole_story_is_the_ledgers_own(lived: Lived) -> None:
    lines = lines_of(lived, 0)
    whole = lived.make("statement", month=None)["figures"]
    assert whole["closing"] == lines[-1].balance_micro
    assert whole["used"] == sum(line.energy_wh for line in lines)
    assert whole["topped_up"] == sum(line.amount_micro for line in lines if line.kind == 2) == 85_000_000
    assert whole["charged"] == -sum(line.amount_micro for line in lines if line.kind in (1, 7))
    assert whole["corrected"] == -sum(line.amount_micro for line in lines if line.kind == 3) != 0


def test_a_correction_counts_where_it_was_posted_and_says_what_it_is_for(lived: Lived) -> None:
    corrections = [line for line in lines_of(lived, 0) if line.kind == 3]
    assert corrections
    september = lived.make("statement", month=9)["figures"]
    assert september["corrected"] == -sum(line.amount_micro for line in corrections)
    assert september["earlier"] == september["corrected"]
    assert lived.make("statement", month=7)["figures"]["corrected"] == 0


def test_a_reading_at_midnight_closes_the_day_before_and_a_payment_opens_the_new_one(lived: Lived) -> None:
    from fairwatt.core.ledger.model import Kind
    from fairwatt.reports.asking import reading
    from fairwatt.reports.ledger import Movement, day_of

    with reading(ask=lived.ask()) as asked:
        read, paid = (
            Movement(
                *(at(8, 5) if name == "at_us" else int(kind) * (name == "kind") for name in Movement._fields)
            )
            for kind in (Kind.READING, Kind.TOPUP)
        )
        assert (day_of(asked, read), day_of(asked, paid)) == (at(8, 4), at(8, 5))


def test_as_of_a_batch_says_what_the_ledger_said_then(lived: Lived) -> None:
    lines = lines_of(lived, 0)
    cut = lines[20]
    then = lived.make("statement", month=None, as_of_batch=cut.batch)
    assert then["figures"]["closing"] == cut.balance_micro
    assert then["digest"] == lived.make("statement", month=None, as_of_batch=cut.batch)["digest"]
    assert then["digest"] != lived.make("statement", month=None, as_of_batch=cut.batch + 1)["digest"]


def test_every_deduction_has_its_registers_prices_and_balance(lived: Lived) -> None:
    lines = {line.seq: line for line in lines_of(lived, 0)}
    (table,) = lived.make("fees", month=None)["tables"]
    keys = [column["key"] for column in table["columns"]]
    rows = [dict(zip(keys, row, strict=True)) for row in table["rows"]]
    assert [row["seq"] for row in rows] == [seq for seq, line in lines.items() if line.kind != 2]
    for row in rows:
        line = lines[row["seq"]]
        assert (row["deducted_micro"], row["balance_micro"]) == (-line.amount_micro, line.balance_micro)
        if line.kind == 1:
            assert row["register_to_wh"] - row["register_from_wh"] == line.energy_wh
            assert "×" in row["prices"], row
    assert any(" + " in row["prices"] for row in rows), "a day has two prices"


def test_nobody_gets_a_statement_of_a_home_in_another_book(lived: Lived) -> None:
    from fairwatt.reports.model import CannotAsk

    with pytest.raises(CannotAsk, match="no such home"):
        lived.make("statement", wallet=1_000_000_000)
    with pytest.raises(CannotAsk, match="not begun"):
        lived.make("statement", start_us=at(12, 1), end_us=at(12, 2))
    with pytest.raises(CannotAsk, match="no batch"):
        lived.make("statement", as_of_batch=10**9)


@settings(max_examples=12)
@given(cuts=st.lists(st.integers(1, 64 * 24), min_size=1, max_size=4, unique=True), home=st.integers(0, 2))
def test_however_the_time_is_cut_statements_chain_and_add_up(
    lived: Lived, cuts: list[int], home: int
) -> None:
    """Periods that follow each other: each opens where the one before closed, and together they are the whole."""
    edges = [at(7, 1), *(at(7, 1) + hour * 3_600_000_000 for hour in sorted(cuts)), at(9, 4)]
    parts = [
        lived.make("statement", home=home, month=None, start_us=start, end_us=end, now_us=at(9, 10))[
            "figures"
        ]
        for start, end in itertools.pairwise(edges)
        if start < end
    ]
    whole = lived.make("statement", home=home, month=None, now_us=at(9, 10))["figures"]
    for earlier, later in itertools.pairwise(parts):
        assert later["opening"] == earlier["closing"]
    for key in ("used", "charged", "energy", "standing", "tax", "corrected", "topped_up", "adjusted"):
        assert sum(part[key] for part in parts) == whole[key], key
    assert (parts[0]["opening"], parts[-1]["closing"]) == (whole["opening"], whole["closing"])
