"""A payments drill in a fresh installation of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import uvloop

from fairwatt.simulate.paydrill.plan import Plan, Tell
from fairwatt.simulate.runner import scratch_state, show_logs
from fairwatt.simulate.stack import Stack
from fairwatt.simulate.verdict import Verdict

START_US: Final = 1_773_132_600_000_000
"""2026-03-10 08:50 UTC: for seven hours the same date in Beijing, Nairobi and at Stripe, whose bills come in a day."""


def run_payments_drill(
    *, plan: Plan, tell: Tell = lambda *_: None, say: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Run it, judge it, remove it."""
    with scratch_state() as state, Stack(state=state, domain_us=START_US, say=say) as stack:
        from fairwatt.simulate.paydrill.run import PaymentDrill  # models need Django first

        stack.clock.set(domain_us=START_US, speed=1)
        drill = PaymentDrill(
            plan=plan,
            services=stack.services,
            fleet=stack.fleet,
            now_us=stack.clock.now_us,
            clock=stack.clock,
            tell=tell,
        )
        drill.provision()
        stack.open_doors()
        try:
            return uvloop.run(drill.run())
        except BaseException:
            show_logs(state)
            raise
