"""A street that could not notice a broken law would prove nothing: break one, and see it noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.mutant import MUTANTS

PROGRAM = Path(__file__).parent.parent / "support" / "mutant.py"
RUN = """
import json, logging, structlog, sys
from fairwatt.simulate.runner import run_scenario
from fairwatt.simulate.scenario import Scenario
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
verdict = run_scenario(scenario=Scenario.from_seed(7, days=5, homes=8), program=sys.argv[1:])
print(json.dumps({**verdict.figures, "broken": verdict.broken}))
"""
NOTICED_BY = {
    "ack_before_commit": "readings_lost",
    "charge_a_duplicate": "energy_difference_wh",
    "round_per_interval": "money_difference_micro",
    "never_warn": "missed_warnings",
    "never_cut": "missed_cuts",
    "lease_it_twice": "leases_beyond_credit",
}


IN_GATE = ("ack_before_commit", "charge_a_duplicate", "round_per_interval")
"""The three that lose or invent money; `make soak` runs the others as well."""
CHOSEN = MUTANTS if os.environ.get("FAIRWATT_MUTANTS") == "all" else IN_GATE


@pytest.mark.parametrize("name", CHOSEN)
def test_the_street_notices_a_broken_law(name: str) -> None:
    import json

    # A process of its own: the run sets Django up under its own state folder.
    run = subprocess.run(
        [sys.executable, "-c", RUN, sys.executable, str(PROGRAM), name],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    figures = json.loads(run.stdout.splitlines()[-1])
    assert figures[NOTICED_BY[name]] != 0
    assert figures["broken"]
