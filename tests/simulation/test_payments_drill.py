"""Payments through the real stack while reports double, vanish and overtake each other, and two processes die.

A hundred here; `fairwatt drill payments` makes it a hundred thousand, with every process killed and the keys changed.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from pathlib import Path

import pytest

from fairwatt.server.clock import WallClock
from fairwatt.server.launcher.fleet import Fleet
from fairwatt.server.launcher.services import Services
from fairwatt.server.wiring import STEPS_BACK
from fairwatt.simulate.paydrill.journal import Journal, OtherDrill
from fairwatt.simulate.paydrill.plan import Plan, Tell
from fairwatt.simulate.verdict import Verdict


def test_the_platforms_truth_equals_the_ledger(house: Services) -> None:
    from fairwatt.simulate.paydrill.run import PaymentDrill

    plan = Plan(
        count=100,
        seed=11,
        homes=5,
        timed=30,
        # What M-Pesa's collector leaves half done only a bill tells, and this drill is over before there is one.
        dialects=("wechat", "alipay", "stripe"),
        hits=((30, "web"), (60, "poster")),
    )
    fleet = Fleet(house)
    drill = PaymentDrill(
        plan=plan, services=house, fleet=fleet, now_us=WallClock().now_us, name=f"drill-{os.getpid()}"
    )
    drill.provision()
    fleet.start_headend(drill.book)
    fleet.start_web()
    try:
        verdict = asyncio.run(drill.run())
        assert _nice(house, "collector") - _nice(house, "web") == STEPS_BACK, "callbacks are answered first"
    finally:
        for name in ("web", "collector", f"headend-{drill.book}"):
            house.supervisor.stop(name)
    figures = verdict.figures
    assert (figures["paid"], figures["credited"]) == (100, 100), verdict.broken
    assert (figures["lost"], figures["doubled"], figures["difference_micro"]) == (0, 0, 0)
    assert (figures["journal_micro"], figures["suspense_micro"]) == (0, 0)
    assert int(figures["reports_sent"] or 0) > 100, "some were doubled"
    assert figures["timed_reports"] == 30
    assert "web at" in str(figures["broken_on_purpose"])
    assert "poster at" in str(figures["broken_on_purpose"])


def test_a_drill_that_was_stopped_goes_on_where_it_was(house: Services, tmp_path: Path) -> None:
    from fairwatt.simulate.paydrill.run import PaymentDrill

    plan = Plan(count=30, seed=12, homes=3, timed=10, dialects=("wechat", "alipay", "stripe"), hits=())
    paper, name = tmp_path / "journal.jsonl", f"stopped-{os.getpid()}"

    class Stopped(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("orders"):
            raise Stopped

    def life(tell: Tell) -> tuple[Verdict, int]:
        fleet = Fleet(house)
        with closing(Journal(paper, plan=plan)) as journal:
            drill = PaymentDrill(
                plan=plan,
                services=house,
                fleet=fleet,
                now_us=WallClock().now_us,
                name=name,
                tell=tell,
                journal=journal,
            )
            drill.provision()
            fleet.start_headend(drill.book)
            fleet.start_web()
            try:
                return asyncio.run(drill.run()), journal.paid
            finally:
                for process in ("web", "collector", f"headend-{drill.book}"):
                    house.supervisor.stop(process)

    with pytest.raises(Stopped):
        life(stop)
    with paper.open("a") as half:
        half.write('["payment", {"ord')  # killed while it wrote
    verdict, before = life(lambda *_: None)
    assert before == 20
    assert (verdict.figures["paid"], verdict.figures["credited"]) == (30, 30), verdict.broken
    assert (verdict.figures["lost"], verdict.figures["doubled"], verdict.figures["difference_micro"]) == (
        0,
        0,
        0,
    )
    assert "all at 20" in str(verdict.figures["broken_on_purpose"])


@pytest.mark.parametrize("text", ['["plan", {"count": 60, "seed": 13}]\n', "something else\n"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, text: str) -> None:
    paper = tmp_path / "journal.jsonl"
    paper.write_text(text)
    with pytest.raises(OtherDrill):
        Journal(paper, plan=Plan.of(count=60, seed=12))
    assert paper.read_text() == text


def _nice(house: Services, name: str) -> int:
    pid = next(one.pid for one in house.supervisor.status() if one.name == name)
    assert pid is not None
    return os.getpriority(os.PRIO_PROCESS, pid)


@pytest.mark.parametrize("count", [19, 2_000_001])
def test_a_drill_has_a_size(count: int) -> None:
    with pytest.raises(ValueError, match="payments, not"):
        Plan.of(count=count, seed=1)
