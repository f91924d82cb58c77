"""What a settled window took comes back once: by a ruling, by the window settled again, or a part by each."""

from __future__ import annotations

from typing import Any

import pytest

from flows.test_windows import AUGUST_US, JULY_US, MINIMUM, close
from support.corrections import edit
from support.disputes import Case, doubting
from support.street import DAY_US, Street

pytestmark = pytest.mark.usefixtures("house")


def settle(case: Case) -> None:
    """Batches until nothing waits, and what falls due between them."""
    for _ in range(3):
        case.now_us += 1
        case.desk.open(now_us=case.now_us)
        close(case.desk, case.now_us)
        case.desk.post(now_us=case.now_us)


def true_ups(case: Case) -> list[Any]:
    return [line for line in case.desk.lines() if line.kind == 8]


@pytest.mark.parametrize("percent", [30, 100])
@pytest.mark.parametrize("steps", [("ruling", "edit"), ("edit", "ruling"), ("ruling+edit",)])
def test_a_ruling_and_a_window_settled_again_give_back_once_in_either_order(
    steps: tuple[str, ...], percent: int
) -> None:
    street = Street(tariff=MINIMUM, opened_us=JULY_US)
    with doubting(street, judged=False) as case:
        case.desk.read(case.meter, AUGUST_US, 6_000)
        case.desk.read(case.meter, AUGUST_US + DAY_US, 90_000)
        case.now_us = AUGUST_US + DAY_US
        assert close(case.desk, case.now_us) == 1
        [first] = true_ups(case)
        before = case.desk.balance(case.meter)
        refund = -first.amount_micro * percent // 100
        opened = case.open(line_seq=first.seq)
        case.rule(opened, refund)
        for step in steps:
            for one in step.split("+"):
                if one == "ruling":
                    case.answer(opened)
                else:
                    edit(case.desk, AUGUST_US, 25_000, now_us=case.now_us)
            settle(case)
        again = sum(line.amount_micro for line in true_ups(case)[1:])
        assert 0 < again < -first.amount_micro, "the minimum was partly reached after all"
        corrections = sum(line.amount_micro for line in case.desk.lines() if line.kind == 3)
        assert case.desk.balance(case.meter) == before + corrections + max(refund, again)
        assert not case.desk.events("fact.refused")
