"""What reports read of the ledger: a wallet's lines in posting order, and balances as of any batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from fairwatt.core.ledger.model import WALLET
from fairwatt.core.spans import local_day_start, to_datetime
from fairwatt.core.units import US_PER_DAY
from fairwatt.reports.asking import Reading
from fairwatt.reports.kinds import Heading, treatment
from fairwatt.reports.model import FiguresDisagree
from fairwatt.store.batches import newer_lines

MARGIN_US: Final = US_PER_DAY
"""How far beyond the end of a period we look for its lines: a meter's clock may be minutes ahead of its posting."""
US: Final = "(extract(epoch FROM ts) * 1000000)::bigint"
_COLUMNS: Final = (
    f"seq, {US}, ref, kind, register_wh, energy_wh, energy_micro, standing_micro, tax_micro, amount_micro, "
    "balance_micro, batch, tariff_version, counter_wh, carry_nano, carry_tax"
)


class Movement(NamedTuple):
    """A line as reports read it. Amounts in micro-units, energy in Wh."""

    seq: int
    at_us: int
    ref: int
    kind: int
    register_wh: int
    energy_wh: int
    energy_micro: int
    standing_micro: int
    tax_micro: int
    amount_micro: int
    balance_micro: int
    batch: int
    version: int
    counter_wh: int
    carry_nano: int
    carry_tax: int


class Before(NamedTuple):
    """Where a wallet stood when the period began."""

    seq: int
    balance_micro: int


def movements(asked: Reading, before: Before) -> list[Movement]:
    """The lines of the wallet in the period, by seq, proven to follow `before` and each other without a gap.

    Raises FiguresDisagree when a line is missing or a balance is not the sum of what came before it.
    """
    condition, parameters = asked.lines
    rows = asked.rows(
        f"SELECT {_COLUMNS} FROM line WHERE {condition} AND wallet = %s ORDER BY seq",
        *parameters,
        _wallet(asked),
    )
    found = [Movement(*map(int, row)) for row in rows]
    for line in found:
        _follows(before, line)
        before = Before(line.seq, line.balance_micro)
    return found


def opening(asked: Reading) -> Before:
    """The last line of the wallet before the period: its number and its balance; zero before the first."""
    query = (
        "SELECT seq, balance_micro FROM line WHERE book = %s AND wallet = %s AND batch <= %s AND ts >= %s "
        "AND ts < %s ORDER BY seq DESC LIMIT 1"
    )
    # Most wallets move every day; only one that was still for months is looked for in all of the past.
    for since_us in (asked.ask.start_us - 40 * US_PER_DAY, 0):
        rows = asked.rows(
            query,
            asked.book.pk,
            _wallet(asked),
            asked.opening,
            to_datetime(max(0, since_us)),
            to_datetime(asked.ask.start_us + MARGIN_US),
        )
        if rows:
            return Before(int(rows[0][0]), int(rows[0][1]))
    return Before(0, 0)


def _follows(before: Before, line: Movement) -> None:
    how = treatment(line.kind)
    if line.seq != before.seq + 1:
        raise FiguresDisagree(
            "Line %(before)s of this home is followed by line %(after)s: one is missing, so nothing was printed. "
            "Tell whoever runs the book; the ledger has to be looked at.",
            before=before.seq,
            after=line.seq,
        )
    if line.balance_micro != before.balance_micro + line.amount_micro:
        raise FiguresDisagree(
            "The balance after line %(line)s is not the one before it and what the line moved, so nothing was "
            "printed. Tell whoever runs the book; the ledger has to be looked at.",
            line=line.seq,
        )
    if how.parts and line.amount_micro + line.energy_micro + line.standing_micro + line.tax_micro:
        raise FiguresDisagree(
            "Line %(line)s is not the sum of its components, so nothing was printed. Tell whoever runs the book.",
            line=line.seq,
        )


def belongs_before(asked: Reading, lines: list[Movement]) -> set[int]:
    """Numbers of the lines that settle what was before the period (a reading on its start closes the old one)."""
    start_us = asked.ask.start_us
    early = {line.seq for line in lines if treatment(line.kind).reading and line.at_us <= start_us}
    if any(treatment(line.kind).heading is Heading.CORRECTED for line in lines):
        rows = asked.rows(
            "SELECT seq FROM correction WHERE book = %s AND wallet = %s AND until_us <= %s",
            asked.book.pk,
            _wallet(asked),
            start_us,
        )
        early |= {int(seq) for (seq,) in rows} & {line.seq for line in lines}
    facts = [line.ref for line in lines if treatment(line.kind).heading is Heading.ADJUSTED]
    if facts:
        about = dict(asked.rows("SELECT id, result->>'about_us' FROM fact WHERE id = ANY(%s)", facts))
        early |= {
            line.seq
            for line in lines
            if treatment(line.kind).heading is Heading.ADJUSTED
            and int(about.get(line.ref) or start_us + 1) <= start_us
        }
    return early


def balances(asked: Reading, batch: int) -> dict[int, int]:
    """Every wallet's balance after a batch, from the cache and the lines around it, checked against the journal.

    A cache affects cost, never meaning: whatever it holds, what is not in it is added and what is too much taken off.
    """
    rows = asked.rows("SELECT batch FROM cache_mark WHERE book = %s", asked.book.pk)
    cached = int(rows[0][0]) if rows else 0
    heads = asked.rows("SELECT wallet, balance_micro FROM wallet_head WHERE book = %s", asked.book.pk)
    found = {int(wallet): int(balance) for wallet, balance in heads}
    if batch == 0:
        return dict.fromkeys(found, 0)  # before the first batch nobody had anything
    condition, parameters = newer_lines(
        cursor=asked.cursor, book=asked.book.pk, after_batch=min(batch, cached)
    )
    moved = asked.rows(
        "WITH fresh AS (SELECT l.wallet, l.batch, l.amount_micro, greatest(coalesce(h.batch, 0), %s) AS known "
        f"FROM (SELECT wallet, batch, amount_micro FROM line WHERE {condition}) l "
        "LEFT JOIN wallet_head h ON h.wallet = l.wallet) "
        "SELECT wallet, sum(CASE WHEN batch > known AND batch <= %s THEN amount_micro "
        "WHEN batch > %s AND batch <= known THEN -amount_micro ELSE 0 END) FROM fresh GROUP BY wallet",
        cached,
        *parameters,
        batch,
        batch,
    )
    for wallet, amount in moved:
        found[int(wallet)] = found.get(int(wallet), 0) + int(amount)
    journal = account_total(asked, WALLET, batch)
    if sum(found.values()) != journal:
        raise FiguresDisagree(
            "The balances of all homes come to %(homes)s, the journal says %(journal)s micro-units, so "
            "nothing was printed. Rebuild the caches of the book; if it stays, the ledger has to be looked at.",
            homes=sum(found.values()),
            journal=journal,
        )
    return found


def account_total(asked: Reading, account: str, batch: int) -> int:
    """What an account of the journal holds after a batch."""
    rows = asked.rows(
        "SELECT coalesce(sum(amount_micro), 0) FROM journal WHERE book = %s AND account = %s AND batch <= %s",
        asked.book.pk,
        account,
        batch,
    )
    return int(rows[0][0])


def day_of(asked: Reading, line: Movement) -> int:
    """The start of the local day a line belongs to. A reading at midnight closes the day before it; money does not."""
    closes = treatment(line.kind).reading
    return local_day_start(zone=asked.zone, at_us=line.at_us - 1 if closes else line.at_us)


def by_home(asked: Reading, per_wallet: dict[int, Any]) -> Iterator[tuple[str, str, int, Any]]:
    """(building, home, wallet, what belongs to it) in the order of the buildings."""
    names = asked.units()
    for wallet in sorted(per_wallet, key=lambda w: (*names.get(w, ("", "")), w)):
        site, label = names.get(wallet, ("", str(wallet)))
        yield site, label, wallet, per_wallet[wallet]


def _wallet(asked: Reading) -> int:
    if asked.wallet is None:
        raise AssertionError("only asked of a report about one home")
    return asked.wallet.pk
