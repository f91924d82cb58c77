"""Each provider's day, held against ledger and meters once its bill is there, and again until it agrees."""

from __future__ import annotations

from typing import Final

import structlog
from django.db import connection

from fairwatt.flows.reconciling.reconcile_day import days_to_look_at, reconcile_day

log = structlog.get_logger()

LOOK_S: Final = 30.0
"""How often days that do not agree yet are looked at again."""


def look(*, now_us: int) -> int:
    """Reconcile what is due; how many days came to something new. No day stops another."""
    fresh = 0
    for account, day in days_to_look_at(now_us=now_us):
        try:
            done = reconcile_day(account_id=account, day=day, now_us=now_us)
        except Exception:
            # Nothing is moved by it: it is tried again at the next look.
            log.error("reconciling.failed", account=account, day=day, exc_info=True)
            connection.close()
            continue
        fresh += done.fresh
        if done.fresh:
            log.info(
                "reconciling.looked", account=account, day=day, state=done.version.state, open=len(done.open)
            )
    return fresh
