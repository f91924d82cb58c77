"""The figures of a run, as `demo-check`, `simulate`, `replay` and the drill print them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import ceil
from statistics import median_low
from typing import Any

from fairwatt.core.units import US_PER_DAY
from fairwatt.simulate.eyes import Eyes, Happened, LedgerLine
from fairwatt.simulate.foresight import BY_FORECAST, told_of
from fairwatt.simulate.street import Street

READING, TOPUP, CORRECTION, LATE, MOVED = 1, 2, 3, 7, 12
LAWS = (
    "readings_lost",
    "readings_doubled",
    "energy_difference_wh",
    "money_difference_micro",
    "journal_difference_micro",
    "false_cuts",
    "missed_cuts",
    "cuts_not_warned",
    "cuts_unheard",
    "missed_warnings",
    "paid_but_dark",
    "restores_not_proven",
    "payments_not_credited",
    "moved_bills_difference_micro",
    "moves_not_settled",
)
"""Figures that must be zero."""


async def journal_difference(eyes: Eyes) -> int:
    """Sum of all legs, and the control leg against the lines."""
    return await eyes.number(
        "SELECT coalesce(sum(abs(s)), 0) FROM (SELECT sum(amount_micro) AS s FROM journal "
        "WHERE book = %(book)s GROUP BY currency) t"
    ) + await eyes.number(
        "SELECT abs((SELECT coalesce(sum(amount_micro), 0) FROM journal WHERE book = %(book)s AND account = 'wallet') "
        "- (SELECT coalesce(sum(amount_micro), 0) FROM line WHERE book = %(book)s))"
    )


async def cuts_unheard(eyes: Eyes) -> int:
    """Cuts that neither a warning which arrived nor a row of the call list came before."""
    return await eyes.number(
        "SELECT count(*) FROM event e WHERE e.book = %(book)s AND e.kind IN ('supply.cut', 'gateway.local_trip') "
        "AND e.wallet IS NOT NULL AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.wallet = e.wallet "
        "AND n.reached_us <= e.at_us) AND NOT EXISTS (SELECT 1 FROM escalation x WHERE x.wallet = e.wallet "
        "AND x.at_us <= e.at_us)"
    )


async def figures_of(
    street: Street,
    lines: list[LedgerLine],
    events: list[Happened],
    found: Counter[str],
    leads_us: list[int],
) -> dict[str, Any]:
    """Everything a person wants to know of a run; `found` is what the judge counted."""
    scenario, kinds = street.scenario, Counter(e.kind for e in events)
    ups = [gate.link.up for gate in street.gates if gate.link]
    downs = [gate.link.down for gate in street.gates if gate.link]
    waits = sorted(street.restore_s)
    ahead_us = [one.cut_us - one.warned_us for one in told_of(events) if one.cut_us is not None]
    return {
        "seed": scenario.seed,
        "homes": scenario.homes,
        "gateways": scenario.gateways,
        "days": scenario.days,
        "energy_wh": sum(line.energy_wh for line in lines),
        "charged_micro": -sum(line.amount_micro for line in lines if line.kind not in (TOPUP, MOVED)),
        "paid_micro": sum(line.amount_micro for line in lines if line.kind == TOPUP),
        "readings": sum(line.kind in (READING, LATE) for line in lines),
        "lines": len(lines),
        "corrections": sum(line.kind == CORRECTION for line in lines),
        "topups": sum(line.kind == TOPUP for line in lines),
        "topups_in_outage": street.counts["topups_in_outage"],
        "warnings": sum(n for kind, n in kinds.items() if kind.startswith("warning.")),
        "warnings_by_forecast": sum(e.rule == BY_FORECAST for e in events),
        "warned_days_before_cut_median": _days(leads_us, median_low),
        "warned_days_before_cut_min": _days(leads_us, min),
        "forecast_days_before_cut_median": _days(ahead_us, median_low),
        "forecast_days_before_cut_min": _days(ahead_us, min),
        "cuts": found["cuts"],
        "local_trips": found["local_trips"],
        "withheld": kinds["supply.withheld"],
        "restores": found["restores"],
        "restores_proven": found["restores"] - found["restores_not_proven"],
        "outages": street.counts["outages"],
        "outages_of_6h": sum(o.end_tick - o.start_tick >= 12 for o in scenario.outages),
        "price_changes_in_outages": sum(
            o.start_tick < scenario.change_tick < o.end_tick for o in scenario.outages
        ),
        "moves_while_offline": found["moves_while_offline"],
        "moves_trued_up": found["moves_trued_up"],
        "codes_accepted": street.counts["codes_accepted"],
        "memories_rolled_back": street.counts["rollbacks"],
        "readings_forgotten": found["readings_forgotten"],
        "kills_poster": street.counts["kills_poster"],
        "kills_postgres": street.counts["kills_postgres"],
        "kills_nats": street.counts["kills_nats"],
        "frames_lost": sum(c.lost for c in [*ups, *downs]),
        "frames_doubled": sum(c.doubled for c in [*ups, *downs]),
        "frames_delayed": sum(c.delayed for c in [*ups, *downs]),
        "frames_reordered": sum(c.reordered for c in [*ups, *downs]),
        "payment_reports_repeated": street.pay.counters.deliveries - street.pay.counters.payments,
        "quarantined": await street.eyes.number("SELECT count(*) FROM quarantine WHERE book = %(book)s"),
        "lies_told": found["lies_told"],
        "payments_in_review": kinds["payment.review"],
        "unlucky_cuts": found["unlucky_cuts"],
        **{law: found[law] for law in LAWS},
        "restore_p50_s": _quantile(waits, 50),
        "restore_p99_s": _quantile(waits, 99),
        "restore_max_s": round(waits[-1], 3) if waits else None,
        "restores_timed": len(waits),
        "return_max_s": round(max(street.return_s), 3) if street.return_s else None,
    }


def _days(leads_us: list[int], pick: Callable[[list[int]], int]) -> float | None:
    return round(pick(leads_us) / US_PER_DAY, 2) if leads_us else None


def _quantile(values: list[float], percent: int) -> float | None:
    return round(values[max(0, ceil(len(values) * percent / 100) - 1)], 3) if values else None
