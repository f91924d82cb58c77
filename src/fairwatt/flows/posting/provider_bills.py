"""What a provider's bill proves: a payment that nothing else told of, and what the provider kept of a day.

The collector left only where it stands; the rows are looked up here, and that it was the collector who wrote them the
database notes.
"""

from __future__ import annotations

from typing import Any, Final

from fairwatt.core.ledger.recipes import provider_fee_legs
from fairwatt.core.units import micro_from_minor
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.payments.billing import BILLING
from fairwatt.payments.contract import Assurance, NotAsked, ProviderFact
from fairwatt.store.facts import written_by_collector
from fairwatt.store.posting import FactAnswer

_NEWEST: Final = (
    "b.by_role = 'fairwatt_collector' AND b.state = 'got' AND NOT EXISTS (SELECT 1 FROM provider_bill later "
    "WHERE later.account = b.account AND later.day = b.day AND later.state = 'got' AND later.id > b.id)"
)


def billed_payment(
    cursor: Any, *, provider: str, account: int, bill: int, row: int, our_ref: str
) -> ProviderFact:
    """A payment in the newest issue of an account's bill. Raises NotAsked where no such row was downloaded."""
    cursor.execute(
        "SELECT r.our_ref, r.provider_ref, r.amount_minor, r.currency, r.occurred_us FROM provider_bill_row r "
        "JOIN provider_bill b ON b.id = r.bill "
        f"WHERE r.bill = %s AND r.n = %s AND r.kind = 'payment' AND b.account = %s AND {_NEWEST}",
        [bill, row, account],
    )
    found = cursor.fetchone()
    if (
        found is None
        or not found[0]
        or provider not in BILLING
        or BILLING[provider].short(our_ref) != found[0]
    ):
        raise NotAsked("no bill that was downloaded says so; no money was moved")
    return ProviderFact(
        provider=provider,
        our_ref=our_ref,
        provider_ref=found[1],
        event_id=f"bill:{bill}:{row}",
        amount_minor=int(found[2]),
        currency=found[3],
        occurred_at_us=int(found[4]),
        assurance=Assurance.BILL,
    )


def post_provider_fee(bench: Bench, *, account: int, day: str, bill: int) -> PostedFacts:
    """Book what the provider kept of the payments of this book; an issue that says otherwise books the difference."""
    if not written_by_collector(cursor=bench.cursor, fact=bench.fact):
        return refuse_fact(bench, "not_asked", "only who fetches bills may say what a provider kept")
    bench.cursor.execute(
        "SELECT a.provider FROM provider_bill b JOIN store_merchantaccount a ON a.id = b.account "
        "JOIN store_book k ON k.organisation_id = a.organisation_id AND k.id = %s "
        f"WHERE b.id = %s AND b.account = %s AND b.day = %s AND {_NEWEST}",
        [bench.state.book, bill, account, day],
    )
    found = bench.cursor.fetchone()
    if found is None or found[0] not in BILLING:
        return refuse_fact(bench, "no_such_bill", "no bill that was downloaded says so; nothing was booked")
    provider = str(found[0])
    bench.cursor.execute(
        "SELECT coalesce(sum(r.fee_minor), 0)::bigint FROM (SELECT DISTINCT ON (kind, provider_ref) our_ref, fee_minor "
        "FROM provider_bill_row WHERE bill = %s AND currency = %s ORDER BY kind, provider_ref, n) r "
        "JOIN store_paymentintent i ON i.account_id = %s AND i.book_id = %s AND left(i.our_ref, %s) = r.our_ref",
        [bill, bench.state.currency, account, bench.state.book, BILLING[provider].ref_chars],
    )
    kept_minor = int(bench.cursor.fetchone()[0])
    bench.cursor.execute(
        "SELECT coalesce(sum((result->>'booked_minor')::bigint), 0)::bigint FROM fact WHERE book = %s "
        "AND kind = 'provider_fee' AND state = 'posted' AND starts_with(natural_key, %s)",
        [bench.state.book, f"provider_fee:{account}:{day}:"],
    )
    booked_minor = kept_minor - int(bench.cursor.fetchone()[0])
    micro = micro_from_minor(amount_minor=booked_minor, minor_digits=bench.state.minor_digits)
    legs = provider_fee_legs(currency=bench.state.currency, provider=provider, fee_micro=micro)
    result = {
        "account": account,
        "day": day,
        "bill": bill,
        "kept_minor": kept_minor,
        "booked_minor": booked_minor,
    }
    return PostedFacts(legs=list(legs), answers=[FactAnswer(fact=bench.fact, state="posted", result=result)])
