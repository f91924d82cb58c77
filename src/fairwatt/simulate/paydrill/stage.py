"""A payments drill in a fresh installation of its own, or in one that waits for it to go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import uvloop

from fairwatt.simulate.paydrill.journal import Journal
from fairwatt.simulate.paydrill.plan import Plan, Tell
from fairwatt.simulate.runner import remove_state, scratch_state, show_logs
from fairwatt.simulate.stack import Stack
from fairwatt.simulate.verdict import Verdict

START_US: Final = 1_773_132_600_000_000
"""2026-03-10 08:50 UTC: for seven hours the same date in Beijing, Nairobi and at Stripe, whose bills come in a day."""
PAUSE_US: Final = 60_000_000
"""What was written last may be a moment older than what the product did last: it goes on so much later."""


def run_payments_drill(
    *,
    plan: Plan,
    folder: Path | None = None,
    tell: Tell = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Run it, judge it, remove it.

    In a `folder` it goes on where it was when it was stopped or killed, and is removed when every law held. Raises
    OtherDrill when the folder holds something else.
    """
    if folder is None:
        with scratch_state() as state:
            return _run(state, plan, None, tell, say)
    folder = folder.absolute()
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    with closing(Journal(folder / "journal.jsonl", plan=plan)) as journal:
        if not journal.place:  # it ended before there was a book
            remove_state(folder / "state")
        verdict = _run(folder / "state", plan, journal, tell, say)
    if verdict.held:
        remove_state(folder / "state")
        shutil.rmtree(folder)
    return verdict


def _run(state: Path, plan: Plan, journal: Journal | None, tell: Tell, say: Callable[[str], None]) -> Verdict:
    last_us = 0 if journal is None else journal.mark.now_us
    begin_us = last_us + PAUSE_US if last_us else START_US
    with Stack(state=state, domain_us=begin_us, say=say) as stack:
        from fairwatt.simulate.paydrill.run import PaymentDrill  # models need Django first

        stack.clock.set(domain_us=begin_us, speed=1)
        drill = PaymentDrill(
            plan=plan,
            services=stack.services,
            fleet=stack.fleet,
            now_us=stack.clock.now_us,
            clock=stack.clock,
            tell=tell,
            journal=journal,
        )
        drill.provision()
        stack.open_doors()
        try:
            return uvloop.run(drill.run())
        except KeyboardInterrupt:
            raise
        except BaseException:
            show_logs(state)
            raise
