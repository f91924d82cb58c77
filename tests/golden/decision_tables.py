"""The decision tables of credit control, worked out by the very function that decides.

Written by hand are the situations; action, reason and rule are filled in. After a change that is meant, write the
tables anew with `PYTHONPATH=tests python -m golden.decision_tables` and read the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from core.builders import instant
from fairwatt.core.credit.contract import Contract
from fairwatt.core.credit.decide import SupplyFacts, decide_supply
from fairwatt.core.credit.owing import Debt, DebtPlan, least_to_restore, split_top_up
from fairwatt.core.credit.policy import CreditPolicy, CutRule, Shelter, Why
from fairwatt.core.units import MICRO, US_PER_HOUR, US_PER_MINUTE

FOLDER: Final = Path(__file__).parent / "decisions"
POLICY: Final = CreditPolicy(
    zone="Asia/Shanghai",
    low_micro=20 * MICRO,
    low_wh=10_000,
    critical_micro=5 * MICRO,
    friendly=((0, 480), (1_080, 1_440)),
    friendly_weekends=True,
    warn_lead_us=6 * US_PER_HOUR,
    stale_after_us=2 * US_PER_HOUR,
)
HELD: Final = (
    "Zone Asia/Shanghai; friendly hours 18:00-08:00 and weekends; 6 h between warning and cut; a reading counts for "
    "2 h. Unless a row says otherwise: Wednesday 2026-03-04 12:00, power on, warned a day ago, read a minute ago, "
    "owing 3."
)
NIGHT: Final = "2026-03-04 23:00"
NOON: Final = "2026-03-04 12:00"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One situation: what is told of it, and how it differs from a warned home that owes 3 on a Wednesday noon."""

    says: str
    at: str
    credit: int
    policy: CreditPolicy
    facts: dict[str, Any]


def row(
    says: str, *, at: str = NOON, credit: int = -3 * MICRO, policy: CreditPolicy = POLICY, **facts: Any
) -> Row:
    return Row(says=says, at=at, credit=credit, policy=policy, facts=facts)


def sheltered(start: str, end: str, why: Why, **more: Any) -> CreditPolicy:
    return replace(POLICY, shelters=(Shelter(instant(start), instant(end), why),), **more)


OFF: Final[dict[str, Any]] = {"relay_closed": False, "cut_by_credit": True}
CUTTING: Final[dict[str, Any]] = {"ordered_closed": False, "cut_by_credit": True}
LIMITED: Final = replace(POLICY, max_debt_micro=10 * MICRO)
HOLIDAY: Final = replace(POLICY, holidays=(date(2026, 10, 1).toordinal(),), max_debt_micro=10 * MICRO)
COLD: Final = sheltered("2026-12-01 00:00", "2026-12-04 00:00", Why.WEATHER)
OXYGEN: Final = sheltered("2026-03-01 00:00", "2026-06-01 00:00", Why.PROTECTED)
KEPT: Final = sheltered("2026-03-04 09:00", "2026-03-05 09:00", Why.FORCED_ON)
NEVER: Final = replace(POLICY, cut=CutRule.NEVER)
LIMIT: Final = replace(POLICY, cut=CutRule.LIMIT, steps=((1, 500),))
TRADING: Final = replace(POLICY, friendly=((0, 480), (600, 840), (1_080, 1_440)))
ENDS: Final = Contract(instant(NOON), instant("2026-03-03 12:00"))
HASTY: Final = Contract(instant(NOON), instant("2026-03-04 07:00"))
STAYS: Final = Contract(instant("2026-03-05 12:00"))

DEBT: Final = Debt(1, 80 * MICRO, DebtPlan(share_bp=2_500, week_cap_micro=6 * MICRO))
CAPPED: Final = replace(DEBT, taken_this_week_micro=4 * MICRO)
TABLES: Final[dict[str, tuple[str, list[Row]]]] = {
    "friendly": (
        "Friendly hours",
        [
            row("noon"),
            row("a minute before the friendly hours", at="2026-03-04 17:59"),
            row("their first minute", at="2026-03-04 18:00"),
            row("their last minute", at="2026-03-05 07:59"),
            row("the minute after", at="2026-03-05 08:00"),
            row("Saturday noon", at="2026-03-07 12:00"),
            row("Monday, the minute after the weekend's night", at="2026-03-09 08:00"),
            row("at night, owing 10, and 10 is the debt limit", at=NIGHT, credit=-10 * MICRO, policy=LIMITED),
            row("at night, owing a millionth more", at=NIGHT, credit=-10 * MICRO - 1, policy=LIMITED),
            row("at night, with a cut already on its way", at=NIGHT, **CUTTING),
            row("at night, already off", at=NIGHT, **OFF),
            row("noon, warned six hours ago to the microsecond", warned_at_us=instant("2026-03-04 06:00")),
            row("noon, warned a microsecond later", warned_at_us=instant("2026-03-04 06:00") + 1),
            row("noon, never warned", warned_at_us=None),
            row("noon, not read for more than two hours", newest_reading_us=instant(NOON) - 2 * US_PER_HOUR - 1),
            row("noon, a reading is in doubt", quarantined=True),
            row("noon, a payment is on its way", payment_in_flight=True),
        ],
    ),
    "holiday": (
        "Holidays, heat and cold",
        [
            row("the last noon before the holiday", at="2026-09-30 12:00", policy=HOLIDAY),
            row("noon of the holiday", at="2026-10-01 12:00", policy=HOLIDAY),
            row("owing more than the debt limit of 10", at="2026-10-01 12:00", credit=-11 * MICRO, policy=HOLIDAY),
            row("the day after, 08:00", at="2026-10-02 08:00", policy=HOLIDAY),
            row("an hour before the cold", at="2026-11-30 17:00", policy=COLD),
            row("cold, whatever it owes", at="2026-12-02 12:00", credit=-900 * MICRO, policy=COLD),
            row("cold, off since yesterday", at="2026-12-02 12:00", policy=COLD, **OFF),
            row("cold, a cut on its way when it began", at="2026-12-02 12:00", policy=COLD, **CUTTING),
            row("the cold is over, 08:00", at="2026-12-04 08:00", policy=COLD),
        ],
    ),
    "protected": (
        "Protected people, supply kept on, places where nobody may cut",
        [
            row("on the protected list", protected=True),
            row("on the list, and cut: a wrong to undo", protected=True, **OFF),
            row("on the list, off by its own switch", protected=True, relay_closed=False),
            row("a protected person until June", policy=OXYGEN),
            row("a protected person until June, and cut", policy=OXYGEN, **OFF),
            row("the first of June, 08:00", at="2026-06-01 08:00", policy=OXYGEN),
            row("supply kept on until tomorrow 09:00", policy=KEPT),
            row("supply kept on, and cut", policy=KEPT, **OFF),
            row("tomorrow 09:00", at="2026-03-05 09:00", policy=KEPT),
            row("the law forbids cuts here", policy=NEVER, credit=-900 * MICRO),
            row("the law forbids cuts here, and it was cut", policy=NEVER, **OFF),
            row("the law allows a limit of 500 W only", policy=LIMIT),
            row("a limit only, and it was cut", policy=LIMIT, **OFF),
            row("the meter feeds its own gateway", feeds_gateway=True),
            row("the meter feeds its own gateway, and was cut", feeds_gateway=True, **OFF),
            row("protected, but safety keeps it off", policy=OXYGEN, safety_open=True, **OFF),
        ],
    ),
    "contract": (
        "Booths and lets: the contract ends, circuits that stay on",
        [
            row("20 left, until tomorrow 12:00", credit=20 * MICRO, contract=STAYS),
            row("20 left, until 12:00, told the day before", credit=20 * MICRO, contract=ENDS),
            row("a minute before the end", credit=20 * MICRO, contract=ENDS, at="2026-03-04 11:59"),
            row("20 left, told five hours ago", credit=20 * MICRO, contract=HASTY),
            row("20 left, told of low credit, and not of the end", credit=20 * MICRO, contract=Contract(instant(NOON))),
            row("a minute before the end, owing 3, told of the end alone", at="2026-03-04 11:59", contract=ENDS,
                warned_at_us=None),
            row("owing 3, told of that, not of the end", contract=Contract(instant(NOON))),
            row("20 left, trading until 14:00", credit=20 * MICRO, contract=ENDS, policy=TRADING),
            row("14:00, trading is over", at="2026-03-04 14:00", credit=20 * MICRO, contract=ENDS, policy=TRADING),
            row("over, and off", credit=20 * MICRO, contract=ENDS, **OFF),
            row("over, off, and made longer", credit=20 * MICRO, contract=STAYS, **OFF),
            row("over, a payment is on its way", credit=20 * MICRO, contract=ENDS, payment_in_flight=True),
            row("over, the meter was not read for three hours", credit=20 * MICRO, contract=ENDS,
                newest_reading_us=instant("2026-03-04 09:00")),
            row("over, and a cold store hangs on it", credit=20 * MICRO, contract=ENDS, protected_circuit=True),
            row("owing 3, and a cold store hangs on it", protected_circuit=True),
            row("a cold store that was cut: a wrong to undo", protected_circuit=True, **OFF),
        ],
    ),
    "emergency": (
        "Emergency credit",
        [
            row("owing 3, and emergency credit is taken by itself", emergency_due=True),
            row("owing 3, off, and emergency credit is on its way", emergency_due=True, **OFF),
            row("7 left of 10 of emergency credit", credit=7 * MICRO),
            row("off, then 10 of emergency credit taken: 7 left", credit=7 * MICRO, **OFF),
            row("emergency credit used up as well, warned six hours ago", credit=-MICRO // 2),
            row("emergency credit used up, warned an hour ago", warned_at_us=instant("2026-03-04 11:00")),
            row("emergency credit used up in the night", at=NIGHT),
        ],
    ),
}  # fmt: skip

SPLITS: Final[dict[str, tuple[str, list[tuple[str, int, int, int, list[Debt]]]]]] = {
    "debt": (
        "What a top-up repays, and the least that restores power",
        [
            ("nothing owed beside energy", -3 * MICRO, 20 * MICRO, 0, []),
            ("emergency credit of 10 is repaid first, and whole", -3 * MICRO, 20 * MICRO, 10 * MICRO, []),
            ("a small top-up repays what it can", -3 * MICRO, 4 * MICRO, 10 * MICRO, []),
            ("a quarter goes to a debt of 80", -3 * MICRO, 20 * MICRO, 0, [DEBT]),
            ("emergency credit first, a quarter of the rest", -3 * MICRO, 20 * MICRO, 10 * MICRO, [DEBT]),
            ("4 of the cap of 6 a week were taken already", -3 * MICRO, 20 * MICRO, 0, [CAPPED]),
            ("the debt is paused", -3 * MICRO, 20 * MICRO, 0, [replace(DEBT, paused=True)]),
            ("a debt of 1 takes no more than is owed", -3 * MICRO, 20 * MICRO, 0, [replace(DEBT, owed_micro=MICRO)]),
            ("two debts, the earlier one first", -3 * MICRO, 20 * MICRO, 0, [DEBT, replace(CAPPED, debt=2)]),
        ],
    ),
}  # fmt: skip


def split_table(name: str) -> str:
    """A table of splits as it should be, in Markdown."""
    title, rows = SPLITS[name]
    cells = [("situation", "credit", "paid", "emergency", "debts", "credit after", "least to restore")]
    for says, credit, paid, lent, debts in rows:
        split = split_top_up(paid_micro=paid, emergency_owed_micro=lent, debts=debts)
        least = least_to_restore(
            available_micro=credit, emergency_owed_micro=lent, debts=debts, minor_micro=MICRO // 100
        )
        parts = " + ".join(_money(amount) for _, amount in split.debts) or "0"
        after, restore = _money(credit + split.credit_micro), _money((least or 0) * (MICRO // 100))
        cells.append(
            (says, _money(credit), _money(paid), _money(split.emergency_micro), parts, after, restore)
        )
    return "\n".join([f"# {title}", "", _PLAN, "", *_laid_out(cells)]) + "\n"


_PLAN: Final = (
    "A debt of 80 is recovered by a quarter of each top-up, at most 6 in a week. What time takes (a rate a day, a rate "
    "on a weekday) never goes below the level at which a home is warned."
)


def facts_of(one: Row) -> SupplyFacts:
    at_us = instant(one.at)
    return replace(
        SupplyFacts(
            available_micro=one.credit,
            relay_closed=True,
            warned_at_us=at_us - 24 * US_PER_HOUR,
            payment_in_flight=False,
            protected=False,
            feeds_gateway=False,
            quarantined=False,
            newest_reading_us=at_us - US_PER_MINUTE,
            cut_by_credit=False,
            ordered_closed=None,
        ),
        **one.facts,
    )


def written(name: str) -> str:
    """A table as it should be, in Markdown."""
    if name in SPLITS:
        return split_table(name)
    title, rows = TABLES[name]
    return "\n".join([f"# {title}", "", HELD, "", *_table(rows)]) + "\n"


def _table(rows: list[Row]) -> Iterator[str]:
    cells = [("situation", "at", "credit", "action", "reason", "rule")]
    for one in rows:
        decided = decide_supply(facts=facts_of(one), policy=one.policy, now_us=instant(one.at))
        cells.append((one.says, one.at, _money(one.credit), decided.action, decided.reason, decided.rule))
    yield from _laid_out(cells)


def _laid_out(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(cell[n]) for cell in cells) for n in range(len(cells[0]))]
    for number, cell in enumerate(cells):
        yield "| " + " | ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)) + " |"
        if not number:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def _money(micro: int) -> str:
    whole, part = divmod(abs(micro), MICRO)
    return ("-" if micro < 0 else "") + (f"{whole}.{part:06d}".rstrip("0") if part else str(whole))


if __name__ == "__main__":
    for name in [*TABLES, *SPLITS]:
        (FOLDER / f"{name}.md").write_text(written(name), encoding="utf-8")
