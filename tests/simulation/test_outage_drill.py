"""Fifty homes without a line for days: prices change, people pay, gateways cut alone, one loses its memory.

A day here; `fairwatt drill outage` makes it three days.
"""

from __future__ import annotations

import json
import subprocess
import sys

RUN = """
import json, logging, structlog
from fairwatt.simulate.outage import outage_drill
from fairwatt.simulate.runner import run_scenario
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
verdict = run_scenario(scenario=outage_drill(hours=24, homes=50, seed=2))
print(json.dumps({**verdict.figures, "broken": verdict.broken}))
"""


def test_after_days_without_a_line_every_law_holds() -> None:
    # A process of its own: the run sets Django up under its own state folder.
    run = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, timeout=400, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    figures = json.loads(run.stdout.splitlines()[-1])
    assert figures["broken"] == []
    assert figures["price_changes_in_outages"] == 4
    assert figures["local_trips"] > 5
    assert figures["topups_in_outage"] >= 4
    assert figures["memories_rolled_back"] == 1
    assert figures["codes_accepted"] == 1
    assert figures["readings_forgotten"] > 100
    assert figures["leases_agreed"] == 2, "one household behind two gateways, each with its lease"
    assert figures["return_max_s"] is not None
