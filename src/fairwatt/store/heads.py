"""The last word of `line` on each wallet and register, for lines newer than the caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import connection

from fairwatt.core.ledger.model import Kind
from fairwatt.store.batches import newer_lines

_US = "(extract(epoch FROM ts) * 1000000)::bigint"


@dataclass(frozen=True, slots=True)
class RegisterLine:
    """Where the newest lines left a register; `at_us` 0 when only re-rating is new, `register_wh` None when no line
    shows the head's."""

    installation: int
    at_us: int
    register_wh: int | None
    counter_wh: int
    carry_nano: int
    carry_tax: int
    window_us: int | None = None
    """known where the register was rated again last"""


def last_wallet_lines(*, book: int, after_batch: int) -> list[tuple[int, int, int]]:
    """(wallet, seq, balance_micro) of the newest line of each wallet touched since a batch."""
    with connection.cursor() as cursor:
        newer, parameters = newer_lines(cursor=cursor, book=book, after_batch=after_batch)
        cursor.execute(
            "SELECT DISTINCT ON (wallet) wallet, seq, balance_micro FROM line "
            f"WHERE {newer} ORDER BY wallet, seq DESC",
            parameters,
        )
        return [(int(w), int(s), int(b)) for w, s, b in cursor.fetchall()]


def last_register_lines(
    *, book: int, after_batch: int, of: Sequence[int] | None = None
) -> Iterator[RegisterLine]:
    """The state of each register touched since a batch: newest reading, and what re-rating left behind.

    The line with the highest seq tells: late readings and corrections carry the state after the re-rating too. Only
    a late reading shows another register than the head's. `of` names installations to ask about; None: all.
    """
    with connection.cursor() as cursor:
        newer, parameters = newer_lines(cursor=cursor, book=book, after_batch=after_batch)
        reading, asked = int(Kind.READING), None if of is None else list(of)
        cursor.execute(
            "SELECT ref, max(last_at), max(register_wh) FILTER (WHERE n_shown = 1), "
            "max(counter_wh) FILTER (WHERE n = 1), max(carry_nano) FILTER (WHERE n = 1), "
            "max(carry_tax) FILTER (WHERE n = 1), max(seq) FROM ("
            f"  SELECT ref, seq, CASE WHEN kind = {reading} THEN {_US} ELSE 0 END AS last_at, register_wh, counter_wh, "
            "   carry_nano, carry_tax, row_number() OVER (PARTITION BY ref ORDER BY seq DESC) AS n, "
            f"  CASE WHEN kind <> {int(Kind.LATE)} THEN "
            f"    row_number() OVER (PARTITION BY ref, kind = {int(Kind.LATE)} ORDER BY seq DESC) END AS n_shown "
            f"  FROM line WHERE {newer} AND kind = ANY(%s) AND (%s::bigint[] IS NULL OR ref = ANY(%s::bigint[]))"
            ") newest GROUP BY ref",
            [*parameters, [Kind.READING, Kind.LATE, Kind.CORRECTION], asked, asked],
        )
        lines = cursor.fetchall()
        again = _rated_again(cursor, book, after_batch)
        for ref, at, register, counter, nano, tax, seq in lines:
            row = again.pop(int(ref), None)
            if row is not None and row[0] >= seq:
                yield replace(row[1], at_us=int(at))
            else:
                shown = None if register is None else int(register)
                yield RegisterLine(int(ref), int(at), shown, int(counter), int(nano), int(tax))
        yield from (line for ref, (_, line) in again.items() if of is None or ref in of)


def _rated_again(cursor: Any, book: int, after_batch: int) -> dict[int, tuple[int, RegisterLine]]:
    """Where registers stood after they were rated again: a change that cost nothing left no line."""
    cursor.execute(
        "SELECT DISTINCT ON (installation) installation, last_seq, register_wh, counter_wh, carry_nano, carry_tax, "
        "window_us FROM rerating WHERE book = %s AND batch > %s ORDER BY installation, batch DESC, last_seq DESC",
        [book, after_batch],
    )
    return {
        int(ref): (
            int(seq),
            RegisterLine(int(ref), 0, int(wh), int(counter), int(nano), int(tax), int(window)),
        )
        for ref, seq, wh, counter, nano, tax, window in cursor.fetchall()
    }


@dataclass(frozen=True, slots=True)
class Told:
    """What the events say a wallet was told: nothing here is in `line`."""

    cut_by_credit: bool = False
    warned_us: int = 0
    level: int = 0
    withheld: str = ""

    def after(self, *, kind: str, reason: str, at_us: int, available_micro: int | None = None) -> Told:
        """Return what the wallet had been told once this event was stored, too.

        `available_micro`: what a payment left in the wallet; a wallet that stays empty begins no new story.
        """
        match kind:
            case "warning.low" | "warning.critical" | "warning.empty":
                return replace(self, warned_us=self.warned_us or at_us, level=_LEVELS[kind])
            case "payment.credited" | "emergency.lent" if available_micro is None or available_micro > 0:
                return replace(self, warned_us=0, level=0)
            case "credit.corrected":
                return replace(self, warned_us=0, level=0)
            case "credit.recovered":
                return replace(self, warned_us=0, level=0, withheld="")
            case "supply.taken_over":
                return replace(self, cut_by_credit=True)
            case "supply.cut":
                return replace(self, cut_by_credit=True, withheld="")
            case "gateway.local_trip":
                return replace(self, cut_by_credit=True)
            case "supply.restore":
                return replace(self, withheld="")
            case "supply.withheld":
                return replace(self, withheld=reason)
            case "supply.cut_void":
                return replace(self, cut_by_credit=False)
            case "supply.proven" if reason == "closed":
                return replace(self, cut_by_credit=False)
            case _:
                return self


_LEVELS: Final = {"warning.low": 1, "warning.critical": 2, "warning.empty": 3}


def told_wallets(*, book: int, wallets: list[int]) -> dict[int, Told]:
    """What each of these wallets was told so far. Only asked for wallets whose cached head was dropped."""
    told: dict[int, Told] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wallet, kind, reason, at_us, "
            "CASE WHEN kind IN ('payment.credited', 'emergency.lent') THEN (evidence->>'available_micro')::bigint END "
            "FROM event WHERE book = %s AND wallet = ANY(%s) ORDER BY id",
            [book, wallets],
        )
        for wallet, kind, reason, at_us, available in cursor.fetchall():
            before = told.get(int(wallet), Told())
            told[int(wallet)] = before.after(
                kind=kind, reason=reason, at_us=int(at_us), available_micro=available
            )
    return told


def payments_in_review(*, book: int, since_us: int) -> dict[int, list[tuple[int, int]]]:
    """{wallet: [(amount in minor units, instant)]} of payments that wait for a person.

    Only of wallets that no payment was credited to afterwards.
    """
    waiting: dict[int, list[tuple[int, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wallet, kind, at_us, evidence->>'amount_minor' FROM event "
            "WHERE book = %s AND kind IN ('payment.review', 'payment.credited') AND at_us >= %s AND wallet = ANY("
            "SELECT wallet_id FROM store_paymentintent WHERE book_id = %s AND state = 'review') ORDER BY id",
            [book, since_us, book],
        )
        for wallet, kind, at_us, amount in cursor.fetchall():
            if kind == "payment.review":
                waiting.setdefault(int(wallet), []).append((int(amount), int(at_us)))
            else:
                waiting.pop(int(wallet), None)
    return waiting


def newest_quarantine(*, book: int) -> dict[tuple[int, int], int]:
    """{(gateway, meter): instant} at which something unbelievable was last heard of each meter."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT gateway, meter, max(seen_us) FROM quarantine "
            "WHERE book = %s AND gateway IS NOT NULL AND meter IS NOT NULL GROUP BY 1, 2",
            [book],
        )
        return {(int(gateway), int(meter)): int(seen) for gateway, meter, seen in cursor.fetchall()}
