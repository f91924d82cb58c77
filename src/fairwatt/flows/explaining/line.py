"""Explain one line: a small registry by kind; a kind that is not in it is explained by the fact it stands on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from django.db import connection

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.explain import Difference, Explained, moved_nano
from fairwatt.flows.explaining.account import CorrectedBy, Estimate, GatewayClock, LineAccount
from fairwatt.flows.explaining.corrections import explain_correction, explain_late
from fairwatt.flows.explaining.costs import explain_cost
from fairwatt.flows.explaining.credit import explain_credit
from fairwatt.flows.explaining.ground import Ground, meter_of
from fairwatt.flows.explaining.ids import LineId
from fairwatt.flows.explaining.windows import explain_window
from fairwatt.store.clocks import clock_at
from fairwatt.store.lines import LineRow, line_at, posted_us
from fairwatt.store.models import Book, Correction, Event, Fact, Wallet

NAMES: Final = {
    1: "reading",
    2: "topup",
    3: "correction",
    4: "fee",
    5: "shared",
    6: "adjustment",
    7: "late",
    8: "true_up",
    9: "reversal",
    13: "emergency",
    14: "debt",
    17: "void",
    20: "deposit",
}
_TOLD: Final = 12
_MASKED: Final = ("provider_ref", "reference", "our_ref")
_UNTOLD: Final = ("headers", "signature")

Explainer = Callable[[Any, LineAccount], LineAccount]


class NoSuchLine(LookupError):
    """The wallet has no line of that number, or the reader may not see it."""


def explain_line(*, line_id: LineId, about_us: int | None = None) -> LineAccount:
    """Everything about one line. `about_us`, an instant near the line's, makes finding it quick.

    The caller has named what it may see (row-level security). Raises NoSuchLine.
    """
    with connection.cursor() as cursor:
        line = line_at(
            cursor=cursor, book=line_id.book, wallet=line_id.wallet, seq=line_id.seq, about_us=about_us
        )
        if line is None:
            raise NoSuchLine(
                f"Wallet {line_id.wallet} of book {line_id.book} has no line {line_id.seq}. Nothing changed; take "
                "the id from the account page or from an export."
            )
        return explain_row(cursor=cursor, line=line)


def explain_row(*, cursor: Any, line: LineRow) -> LineAccount:
    """Everything about a line that was read already."""
    book = Book.objects.get(pk=line.book)
    wallet = Wallet.objects.select_related("unit").get(pk=line.wallet)
    account = LineAccount(
        id=LineId(line.book, line.wallet, line.seq),
        line=line,
        what=NAMES.get(line.kind, "entry"),
        currency=book.currency,
        minor_digits=book.minor_digits,
        zone=book.zone,
        home=wallet.unit.label,
        posted_us=posted_us(cursor=cursor, book=line.book, batch=line.batch),
    )
    return EXPLAINERS.get(line.kind, explain_by_fact)(cursor, account)


def explain_reading(cursor: Any, account: LineAccount) -> LineAccount:
    """A charge for use: from the register before to the register after, by the very pieces that charged it."""
    line, ground = account.line, Ground(cursor=cursor, installation=account.line.ref)
    table = ground.table(seq=line.seq)
    interval = ground.explain(line=line, before=ground.state_before(line=line))
    versions = table.schedule.versions
    segment = table.locate(start_us=line.ts_us - 1, end_us=line.ts_us)[1]
    version = versions[table.version[segment]].number
    slips = [
        Difference(name, stored, now)
        for name, stored, now in (
            ("amount_micro", line.amount_micro, -interval.charge.amount_micro),
            ("tariff_version", line.tariff_version, version),
        )
        if stored != now
    ]
    estimate, ended = _estimate(line), _ended(line)
    return replace(
        account,
        meter=meter_of(ground, seq=line.seq),
        interval=interval,
        estimate=estimate,
        ended=ended,
        clock=None if estimate or ended else _clock(cursor, ground, line, interval),
        corrected_by=_corrected_by(line),
        differences=(*interval.differences, *slips),
    )


def _clock(cursor: Any, ground: Ground, line: LineRow, interval: Explained) -> GatewayClock | None:
    """What was known of the gateway's clock when the batch of the line was posted, and what it is worth in money."""
    ahead_us = clock_at(cursor=cursor, gateway=ground.installation.meter.gateway_id, batch=line.batch)
    if ahead_us is None:
        return None
    nano = moved_nano(table=ground.table(seq=line.seq), interval=interval, at_us=line.ts_us, by_us=ahead_us)
    return GatewayClock(ahead_us=ahead_us, costs_nano=nano)


def _estimate(line: LineRow) -> Estimate | None:
    """The approval that a charge stands on when nobody read the meter; the home may see its own."""
    told = Event.objects.filter(
        book=line.book,
        wallet=line.wallet,
        kind="estimate.charged",
        evidence__installation=line.ref,
        evidence__to_us=line.ts_us,
    ).first()
    if told is None:
        return None
    return Estimate(
        approved_by=str(told.evidence.get("person") or f"#{told.evidence['author']}"),
        approval=int(told.evidence["approval"]),
        method=str(told.evidence["method"]),
        fact=int(told.evidence["fact"]),
    )


def _ended(line: LineRow) -> str:
    """How the register at the end of an account was found, where the meter itself had not told it."""
    told = Event.objects.filter(
        book=line.book,
        wallet=line.wallet,
        kind__in=("move.left", "move.vacancy_ended"),
        evidence__at_us=line.ts_us,
    ).first()
    basis = str(told.evidence["bases"].get(str(line.ref), "")) if told else ""
    return basis if basis in ("estimated", "stated") else ""


def explain_by_fact(cursor: Any, account: LineAccount) -> LineAccount:
    """A line that stands on a fact: which one, what it said, and what was answered."""
    fact = Fact.objects.filter(pk=account.line.ref, book=account.line.book).first()
    told: dict[str, str | int] = {"fact": account.line.ref}
    if fact is None:
        return replace(account, facts=told, recomputed=False)
    told |= {"kind": fact.kind, "received_us": fact.created_us}
    for source in (fact.payload, fact.result or {}):
        told |= _scalars(source)
    return replace(account, facts=told, recomputed=False)


def explain_topup(cursor: Any, account: LineAccount) -> LineAccount:
    """Money that a provider confirmed: who, under which reference, and that the fact says the same amount."""
    told = explain_by_fact(cursor, account)
    amount = told.facts.get("amount_micro")
    if not isinstance(amount, int) or amount == account.line.amount_micro:
        return replace(told, recomputed=isinstance(amount, int))
    return replace(told, recomputed=True).with_differences(
        Difference("amount_micro", account.line.amount_micro, amount)
    )


def _corrected_by(line: LineRow) -> tuple[CorrectedBy, ...]:
    rows = Correction.objects.filter(
        wallet=line.wallet, ref=line.ref, first_seq__lte=line.seq, last_seq__gte=line.seq
    ).order_by("seq")
    found = []
    with connection.cursor() as cursor:
        for row in rows:
            by = line_at(cursor=cursor, book=row.book, wallet=row.wallet, seq=row.seq, about_us=row.ts_us)
            if by is not None:
                name = str(LineId(row.book, row.wallet, row.seq))
                found.append(
                    CorrectedBy(
                        id=name, component=row.component, amount_micro=by.amount_micro, day_us=row.day_us
                    )
                )
    return tuple(found)


def _scalars(source: Any) -> dict[str, str | int]:
    """The plain values of a fact, references masked to their last four characters."""
    content = json.loads(source) if isinstance(source, str) else source
    if not isinstance(content, Mapping):
        return {}
    told: dict[str, str | int] = {}
    for name, value in list(content.items())[:_TOLD]:
        if name in _UNTOLD or isinstance(value, bool) or not isinstance(value, (str, int)):
            continue
        told[str(name)] = masked(str(value)) if name in _MASKED else value
    return told


def masked(reference: str) -> str:
    """A reference that its owner recognises and nobody else can use."""
    return "…" + reference[-4:] if len(reference) > 4 else reference


EXPLAINERS: Final[dict[int, Explainer]] = {
    Kind.READING: explain_reading,
    Kind.TOPUP: explain_topup,
    Kind.CORRECTION: explain_correction,
    Kind.LATE: explain_late,
    Kind.FEE: explain_cost,
    Kind.SHARED: explain_cost,
    Kind.REVERSAL: explain_cost,
    Kind.TRUE_UP: explain_window,
    Kind.EMERGENCY: explain_credit,
    Kind.DEBT: explain_credit,
}
