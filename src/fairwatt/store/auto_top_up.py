"""Automatic top-ups in the database: what was agreed and tried, every step; what they mean is in flows.auto_top_up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from fairwatt.core.credit.auto_top_up import AutoTerms


class Plan(NamedTuple):
    """An agreement and how it stands."""

    plan: int
    book: int
    wallet: int
    account: int
    author: int
    our_ref: str
    language: str
    made_us: int
    expires_us: int
    state: str
    below: bool
    fall: int
    fails: int
    url: str
    shown: str
    trouble: str


_PLAN: Final = (
    "id, book, wallet, account, author, our_ref, language, made_us, expires_us, state, below, fall, fails, url, shown, "
    "trouble"
)


class Step(NamedTuple):
    """One step of the history."""

    step: str
    reason: str
    fall: int
    evidence: dict[str, Any]
    person: int | None
    at_us: int


class Try(NamedTuple):
    """A payment that was asked for, and how it stands; `heard` is the newest word of the provider about it."""

    fall: int
    attempt: int
    intent: int
    our_ref: str
    state: str
    amount_minor: int
    at_us: int
    heard: str
    detail: str
    heard_us: int
    noted: str
    """`paid` or `failed`, once the history says so"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """What somebody agreed to."""

    book: int
    wallet: int
    account: int
    author: int
    our_ref: str
    consent: str
    language: str
    return_url: str
    expires_us: int = field(default=0)


def add_plan(*, cursor: Any, new: NewPlan, now_us: int) -> int | None:
    """Write an agreement down that is still to be signed; None where the home has one."""
    cursor.execute(
        "INSERT INTO auto_plan (book, wallet, account, author, our_ref, consent, language, return_url, made_us, "
        "expires_us, ask_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        [
            *(new.book, new.wallet, new.account, new.author, new.our_ref, new.consent, new.language),
            *(new.return_url, now_us, new.expires_us, now_us),
        ],
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def add_terms(*, cursor: Any, plan: Plan, terms: AutoTerms, author: int, now_us: int) -> None:
    """What holds from now on."""
    cursor.execute(
        "INSERT INTO auto_terms (plan, book, wallet, author, below_micro, below_days, amount_minor, times_most, "
        "month_most_minor, at_us) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(plan.plan, plan.book, plan.wallet, author, terms.below_micro, terms.below_days),
            *(terms.amount_minor, terms.times_most, terms.month_most_minor, now_us),
        ],
    )


def terms_of(*, cursor: Any, plan: int) -> AutoTerms:
    """What holds now."""
    cursor.execute(
        "SELECT below_micro, below_days, amount_minor, times_most, month_most_minor FROM auto_terms WHERE plan = %s "
        "ORDER BY id DESC LIMIT 1",
        [plan],
    )
    micro, days, amount, times, month = cursor.fetchone()
    return AutoTerms(
        below_micro=micro, below_days=days, amount_minor=amount, times_most=times, month_most_minor=month
    )


def newest(*, cursor: Any, wallet: int) -> Plan | None:
    """The newest agreement of a home, ended or not."""
    return next(iter(_plans(cursor, "wallet = %s ORDER BY id DESC LIMIT 1", [wallet])), None)


def open_plan(*, cursor: Any, wallet: int) -> Plan | None:
    """The agreement of a home that has not ended, locked."""
    return next(iter(_plans(cursor, "wallet = %s AND state <> 'ended' FOR UPDATE", [wallet])), None)


def active_plans(*, cursor: Any, book: int) -> list[Plan]:
    """The agreements of a book that are signed, in the order of their numbers."""
    return _plans(cursor, "book = %s AND state = 'active' ORDER BY id", [book])


def lock_plan(*, cursor: Any, plan: int) -> Plan | None:
    """One agreement, locked; None while somebody else has it."""
    return next(iter(_plans(cursor, "id = %s FOR UPDATE SKIP LOCKED", [plan])), None)


def move_plan(*, cursor: Any, plan: int, below: bool, fall: int, fails: int) -> None:
    """Where credit stands to the level, and how often a payment failed in a row."""
    cursor.execute(
        "UPDATE auto_plan SET below = %s, fall = %s, fails = %s WHERE id = %s", [below, fall, fails, plan]
    )


def end_plan(*, cursor: Any, plan: int, now_us: int) -> None:
    """Nothing is taken from now on; the collector lets the provider forget what was saved."""
    cursor.execute("UPDATE auto_plan SET state = 'ended', ask_us = %s WHERE id = %s", [now_us, plan])


def add_step(
    *,
    cursor: Any,
    plan: Plan | Asked,
    step: str,
    now_us: int,
    reason: str = "",
    evidence: Mapping[str, Any] | None = None,
    person: int | None = None,
    fall: int | None = None,
) -> bool:
    """Write a step down; False where exactly that was written before."""
    cursor.execute(
        "INSERT INTO auto_step (plan, book, wallet, step, reason, fall, evidence, person, at_us) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [
            *(plan.plan, plan.book, plan.wallet, step, reason, plan.fall if fall is None else fall),
            *(json.dumps(evidence or {}), person, now_us),
        ],
    )
    return bool(cursor.rowcount)


def add_try(*, cursor: Any, plan: Plan, fall: int, attempt: int, intent: int, now_us: int) -> None:
    """Tie a payment to its fall. Raises IntegrityError where that fall has this attempt already."""
    cursor.execute(
        "INSERT INTO auto_try (plan, fall, attempt, book, wallet, intent, at_us) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [plan.plan, fall, attempt, plan.book, plan.wallet, intent, now_us],
    )


def steps_of(*, cursor: Any, wallet: int, limit: int = 60) -> list[Step]:
    """The history of a home's agreements, newest first."""
    cursor.execute(
        "SELECT step, reason, fall, evidence, person, at_us FROM auto_step WHERE wallet = %s ORDER BY id DESC LIMIT %s",
        [wallet, limit],
    )
    return [
        Step(step, reason, int(fall), _object(evidence), person, int(at_us))
        for step, reason, fall, evidence, person, at_us in cursor.fetchall()
    ]


def tries_of(*, cursor: Any, plan: int, since_us: int) -> list[Try]:
    """Payments of an agreement that began since, and those not told of yet; oldest first."""
    cursor.execute(
        "SELECT t.fall, t.attempt, i.id, i.our_ref, i.state, i.amount_minor, t.at_us, coalesce(e.state, ''), "
        "coalesce(e.detail, ''), coalesce(e.heard_us, 0), coalesce(s.step, '') FROM auto_try t "
        "JOIN store_paymentintent i ON i.id = t.intent "
        "LEFT JOIN LATERAL (SELECT state, detail, heard_us FROM store_paymentevent WHERE intent_id = i.id "
        "AND kind = 'payment' AND assurance <> 'hint' ORDER BY id DESC LIMIT 1) e ON true "
        "LEFT JOIN auto_step s ON s.plan = t.plan AND s.evidence ->> 'intent' = i.id::text "
        "AND s.step IN ('paid', 'failed') WHERE t.plan = %s AND (t.at_us >= %s OR s.id IS NULL "
        "OR t.fall = (SELECT fall FROM auto_plan WHERE id = t.plan)) ORDER BY t.fall, t.attempt",
        [plan, since_us],
    )
    return [Try._make(row) for row in cursor.fetchall()]


def consent_of(*, cursor: Any, plan: int) -> str:
    """The words that were agreed to."""
    cursor.execute("SELECT consent FROM auto_plan WHERE id = %s", [plan])
    return str(cursor.fetchone()[0])


# --- the collector's ----------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """An agreement that the provider is to be asked about."""

    plan: int
    book: int
    wallet: int
    account: int
    our_ref: str
    currency: str
    return_url: str
    language: str
    made_us: int
    expires_us: int
    state: str
    url: str
    payer: str
    provider_order: str
    fall: int
    asks: int


_ASKED: Final = (
    "p.id, p.book, p.wallet, p.account, p.our_ref, b.currency, p.return_url, p.language, p.made_us, p.expires_us, "
    "p.state, p.url, p.payer, p.provider_order, p.fall, p.asks"
)


def due(*, cursor: Any, now_us: int, limit: int = 50) -> list[int]:
    """Agreements to be asked about now. What was saved is forgotten only when no payment from it is open."""
    cursor.execute(
        "SELECT id FROM auto_plan p WHERE ask_us <= %s AND NOT (state = 'ended' AND EXISTS (SELECT 1 FROM auto_try t "
        "JOIN store_paymentintent i ON i.id = t.intent WHERE t.plan = p.id AND i.state IN ('created', 'pending'))) "
        "ORDER BY ask_us LIMIT %s",
        [now_us, limit],
    )
    return [int(plan) for (plan,) in cursor.fetchall()]


def take(*, cursor: Any, plan: int, now_us: int, until_us: int) -> Asked | None:
    """Take one in hand until then; None where another process has it, or it is not due."""
    cursor.execute(
        "UPDATE auto_plan SET ask_us = %s, asks = asks + 1 WHERE id = (SELECT id FROM auto_plan WHERE id = %s "
        "AND ask_us <= %s FOR UPDATE SKIP LOCKED) RETURNING id",
        [until_us, plan, now_us],
    )
    if cursor.fetchone() is None:
        return None
    cursor.execute(
        f"SELECT {_ASKED} FROM auto_plan p JOIN store_book b ON b.id = p.book WHERE p.id = %s", [plan]
    )
    return Asked._make(cursor.fetchone())


def note(*, cursor: Any, plan: int, **what: Any) -> None:
    """Write down what the provider said, by column; an agreement that was ended meanwhile stays so."""
    known = {"state", "url", "shown", "payer", "provider_order", "trouble", "ask_us"}
    assert what.keys() <= known, what.keys() - known
    sets = ", ".join(f"{name} = %s" for name in what)
    cursor.execute(f"UPDATE auto_plan SET {sets} WHERE id = %s", [*what.values(), plan])


def payer_of(*, cursor: Any, intent: int) -> tuple[str, bool]:
    """What a payment is taken from, and whether the agreement still stands."""
    cursor.execute(
        "SELECT p.payer, p.state = 'active' FROM auto_try t JOIN auto_plan p ON p.id = t.plan WHERE t.intent = %s",
        [intent],
    )
    row = cursor.fetchone()
    return ("", False) if row is None else (str(row[0]), bool(row[1]))


def _plans(cursor: Any, where: str, values: Sequence[Any]) -> list[Plan]:
    cursor.execute(f"SELECT {_PLAN} FROM auto_plan WHERE {where}", list(values))
    return [Plan._make(row) for row in cursor.fetchall()]


def _object(found: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return made
