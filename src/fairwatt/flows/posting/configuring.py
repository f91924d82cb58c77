"""The configuration of a book as its poster takes it: what is unusable is left out with an alarm, never raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from fairwatt.core.credit.policy import CreditPolicy, policy_from_obj
from fairwatt.core.credit.terms import Merged
from fairwatt.flows.credit_terms import held_to
from fairwatt.flows.posting.book_state import BookState
from fairwatt.store.credit_entries import wallets_lent_to
from fairwatt.store.models import Book
from fairwatt.store.posting import EventRow

_HOUR_US: Final = 3_600_000_000


class Alarms:
    """What was found unusable: one event for each row of configuration, ever."""

    def __init__(self, *, book: int, now_us: int) -> None:
        self.rows: list[EventRow] = []
        self.now_us = now_us
        self._book = book

    def about(self, *, row: int, name: str, error: Exception) -> dict[str, Any]:
        """The evidence: which row of configuration, and what reading it said."""
        return {"row": row, "name": name, "detail": ascii(f"{type(error).__name__}: {error}"[:200])}

    def add(self, alarm: EventRow) -> None:
        """Note that a row cannot be used, unless that was said before."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM event WHERE book = %s AND kind = %s AND evidence->>'row' = %s LIMIT 1",
                [self._book, alarm.kind, str(alarm.evidence["row"])],
            )
            if cursor.fetchone() is None:
                self.rows.append(alarm)


@dataclass(frozen=True, kw_only=True)
class Policies:
    """Every policy of a book, at index 0 the one that cuts nobody; which wallet is held to which, and to what else."""

    policies: list[CreditPolicy]
    index: Mapping[int, int]
    """by wallet"""
    held: Mapping[int, Merged]
    """by wallet"""


def read_policies(*, book: Book, alarms: Alarms) -> Policies:
    """What each wallet of a book is held to now; homes whose rules cannot be read are cut by nobody."""
    bases = _bases(book, alarms)
    with connection.cursor() as cursor:
        held = held_to(cursor=cursor, book=book.pk, zone=book.zone, bases=bases, now_us=alarms.now_us)
    for rule, error in {rule.rule: (rule, error) for rule, error in held.broken.values()}.values():
        evidence = alarms.about(row=rule.rule, name=rule.kind, error=error)
        alarms.add(EventRow(kind="alarm.credit_rule_unusable", at_us=alarms.now_us, evidence=evidence))
    policies: list[CreditPolicy] = [never_cuts()]
    known: dict[CreditPolicy, int] = {}
    index: dict[int, int] = {}
    for wallet, merged in held.homes.items():
        if merged.policy not in known:
            known[merged.policy] = len(policies)
            policies.append(merged.policy)
        index[wallet] = known[merged.policy]
    return Policies(policies=policies, index=index, held=held.homes)


def _bases(book: Book, alarms: Alarms) -> dict[int, CreditPolicy]:
    """The policies that homes were opened under, by id."""
    bases: dict[int, CreditPolicy] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, slug, body::text FROM store_policy WHERE book_id = %s ORDER BY id", [book.pk]
        )
        rows = cursor.fetchall()
    for pk, slug, body in rows:
        try:
            bases[int(pk)] = policy_from_obj(json.loads(body))
        except Exception as error:
            evidence = alarms.about(row=int(pk), name=slug, error=error)
            alarms.add(EventRow(kind="alarm.policy_unusable", at_us=alarms.now_us, evidence=evidence))
    return bases


def never_cuts() -> CreditPolicy:
    """For homes whose own policy cannot be read: every hour is a friendly one."""
    return CreditPolicy(
        zone="UTC",
        low_micro=0,
        low_wh=0,
        critical_micro=0,
        friendly=((0, 1_440),),
        friendly_weekends=True,
        warn_lead_us=_HOUR_US,
        stale_after_us=_HOUR_US,
    )


def lent_to(*, state: BookState) -> frozenset[int]:
    """Indices of wallets with emergency credit that is not repaid."""
    with connection.cursor() as cursor:
        lent = wallets_lent_to(cursor=cursor, book=state.book)
    return frozenset(state.wallet_index[wallet] for wallet in lent if wallet in state.wallet_index)


def held_to_another(*, before: BookState, now: BookState) -> set[int]:
    """Wallets that are held to another policy than the grants at their gateways say."""
    known = {
        int(w): before.policies[int(ix)]
        for w, ix in zip(before.wallets["wallet"], before.wallets["policy_ix"], strict=True)
    }
    return {
        int(w)
        for w, ix in zip(now.wallets["wallet"], now.wallets["policy_ix"], strict=True)
        if known.get(int(w), now.policies[int(ix)]) != now.policies[int(ix)]
    }


def owed_grants(*, state: BookState) -> set[int]:
    """Wallet ids with a meter whose newest order is older than the newest configuration it should carry.

    A poster that ended between answering a configuration and signing the grants leaves such wallets behind.
    What still waits to be answered brings its own grants.
    """
    configured, waiting = _configurations(state.book)
    signed = _last_signed(state.book)
    owed = set()
    for head in state.registers:
        wallet = int(state.wallets["wallet"][head["wallet_ix"]])
        last = signed.get((int(head["gateway"]), int(head["meter"])), 0)
        if wallet not in waiting and last <= configured.get(wallet, 0):
            owed.add(wallet)
    return owed


def _configurations(book: int) -> tuple[dict[int, int], set[int]]:
    """({wallet: newest batch that answered a configuration of it}, wallets with one that waits)."""
    answered: dict[int, int] = {}
    waiting: set[int] = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payload, state, batch FROM fact "
            "WHERE book = %s AND kind IN ('config', 'credit_rule', 'let_change') "
            "AND state IN ('posted', 'waiting') ORDER BY id",
            [book],
        )
        for payload, state, batch in cursor.fetchall():
            for wallet in _wallets_in(payload):
                if state == "waiting":
                    waiting.add(wallet)
                else:
                    answered[wallet] = max(answered.get(wallet, 0), int(batch))
    return answered, waiting


def _wallets_in(payload: Any) -> list[int]:
    try:
        content = json.loads(payload) if isinstance(payload, str) else payload
    except (ValueError, RecursionError):
        return []
    match content:
        case {"wallets": list(wallets)}:
            return [wallet for wallet in wallets if type(wallet) is int]
        case _:
            return []


def _last_signed(book: int) -> dict[tuple[int, int], int]:
    """{(gateway, meter): batch of its newest order}"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT gateway, meter, max(batch) FROM outbox WHERE book = %s GROUP BY 1, 2", [book])
        return {(int(gateway), int(meter)): int(batch) for gateway, meter, batch in cursor.fetchall()}
