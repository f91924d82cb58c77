"""Stripe's bill of a day: its balance transactions, page by page. Its day is a UTC day."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import Final

from fairwatt.payments.contract import Bill, BillCorrupt, BillKind, BillRow, Kind
from fairwatt.payments.exchange import Exchange, Moment
from fairwatt.payments.fields import Fields
from fairwatt.payments.stripe.signing import StripeAccount, answer, ask

PAGES_MAX: Final = 2_000
_KINDS: Final = {
    "charge": Kind.PAYMENT,
    "payment": Kind.PAYMENT,
    "refund": Kind.REFUND,
    "payment_refund": Kind.REFUND,
    "refund_failure": Kind.REFUND,
    "adjustment": Kind.CHARGEBACK,
}
_EPOCH: Final = date(1970, 1, 1)


def fetch_bill(account: StripeAccount, day: str, kind: BillKind, at: Moment) -> Exchange[Bill]:
    """All movements of a day. Gross amounts with their fees; for FUNDS also what is neither payment nor refund."""
    start_s = (date.fromisoformat(day) - _EPOCH).days * 86_400
    rows: list[BillRow] = []
    raw = bytearray()
    after = ""
    for _ in range(PAGES_MAX):
        form: dict[str, str | int] = {
            "created[gte]": start_s,
            "created[lt]": start_s + 86_400,
            "limit": 100,
            "expand[]": "data.source",
        }
        if after:
            form["starting_after"] = after
        reply = yield ask(account, "GET", "/v1/balance_transactions", form)
        said = answer(reply)
        raw += reply.body + b"\n"
        page = said.rows("data")
        rows += [row for row in map(_row, page) if row is not None]
        if not page or not said.yes("has_more"):
            break
        after = page[-1].word("id")
    else:
        raise BillCorrupt(f"the day {day} has no end; ask again")
    return Bill(day=day, kind=kind, rows=tuple(rows), raw_sha256=sha256(raw).hexdigest(), raw=bytes(raw))


def _row(said: Fields) -> BillRow | None:
    kind = _KINDS.get(said.word("type"))
    if kind is None:
        return None
    source = said.inner("source")
    ours = source.inner("metadata") if "metadata" in source else None
    payment = kind is Kind.PAYMENT
    return BillRow(
        kind=kind,
        our_ref=ours.maybe("our_ref") if ours else "",
        provider_ref=source.word("payment_intent") if payment else source.word("id"),
        refund_ref=ours.maybe("refund_ref") if ours else "",
        amount_minor=said.signed("amount"),
        fee_minor=said.signed("fee"),
        currency=said.word("currency").upper(),
        occurred_at_us=said.whole("created") * 1_000_000,
    )
