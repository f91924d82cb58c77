"""PayBill: a payer types our short code and an account number into the telephone; M-Pesa asks, takes and tells.

Source: developer.safaricom.co.ke, "Customer To Business (C2B)" v2 and "Pull Transactions". Nothing of it is signed, so
what is told is worth a question only. The question is the list of what came in: M-Pesa answers about a single payment
by callbacks alone, and those nobody signs either.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import Final

from fairwatt.payments.amounts import minor_from_text
from fairwatt.payments.clocks import NAIROBI, wall, wall_us
from fairwatt.payments.contract import (
    Ack,
    Assurance,
    BillCorrupt,
    BillRow,
    Kind,
    MalformedCallback,
    ProviderFact,
)
from fairwatt.payments.exchange import Exchange, ProviderRefused
from fairwatt.payments.fields import Fields
from fairwatt.payments.mpesa.asking import MPesaAccount, answer, asked
from fairwatt.payments.unasked import Announced, Listed, Verdict

REF_CHARS: Final = 12
"""So much of our reference does M-Pesa carry for a push; its list names a push by it."""
NAMED_MAX: Final = 40
NOTHING: Final = "1001"
"""M-Pesa's word for a span in which nothing came in, and for a list that is not there yet."""
ON_ITS_OWN: Final = "Completed"
"""What M-Pesa does with a payment while we do not answer: it takes it. See payments/README.md for why."""
_PUSHED: Final = re.compile(rf"(?!254[0-9]{{9}})[0-9a-f]{{{REF_CHARS}}}")
"""A push in the list; people type their telephone's number where an account's is asked for, and that is none."""
_NUMBER: Final = re.compile(r"[A-Za-z0-9]{6,12}")
_PAGES_MAX: Final = 5_000
_TOLD_BEFORE: Final = "already registered"
_WORDS: Final = {
    Verdict.NO_ACCOUNT: ("C2B00012", "Invalid Account Number"),
    Verdict.NO_AMOUNT: ("C2B00013", "Invalid Amount"),
    Verdict.OTHER_SHOP: ("C2B00015", "Invalid Shortcode"),
    Verdict.UNREADABLE: ("C2B00016", "Other Error"),
}


def bill_ref(number: str) -> str:
    """The beginning of our reference of a payment that M-Pesa numbered: as long as that of a push in the list."""
    return number.ljust(REF_CHARS, "-")[:REF_CHARS]


def parse_announced(body: bytes, *, currency: str) -> Announced:
    """What M-Pesa says before or after a payment. Raises MalformedCallback."""
    said = Fields.of_json(body, wrong=MalformedCallback)
    number = said.word("TransID")
    if not _NUMBER.fullmatch(number):
        raise MalformedCallback("its number is none of M-Pesa's; no money was moved")
    amount = said.maybe("TransAmount")
    try:
        amount_minor = minor_from_text(amount, digits=2)
    except ValueError:
        raise MalformedCallback("its amount cannot be read; no money was moved") from None
    return Announced(
        provider_ref=number,
        named=typed(said, "BillRefNumber"),
        amount_minor=amount_minor,
        currency=currency,
        shop=said.word("BusinessShortCode"),
    )


def answer_check(verdict: Verdict) -> Ack:
    """Yes or no to a payment, in M-Pesa's codes."""
    code, words = _WORDS.get(verdict, ("0", "Accepted"))
    return Ack(200, json.dumps({"ResultCode": code, "ResultDesc": words}).encode(), "application/json")


def typed(said: Fields, name: str) -> str:
    """What a payer typed: any text, without what no database keeps."""
    text = said.text(name) if name in said and not said.maybe(name) else said.maybe(name)
    return "".join(char for char in text if char.isprintable())[:NAMED_MAX].strip()


def listen(account: MPesaAccount, *, check_url: str, tell_url: str) -> Exchange[bool]:
    """Register both addresses, and the short code for the list where a number to do so is given."""
    if account.nominated_number:
        pulling = {
            "ShortCode": account.short_code,
            "RequestType": "Pull",
            "NominatedNumber": account.nominated_number,
            "CallBackURL": tell_url,
        }
        reply = yield from asked(account, "/pulltransactions/v1/register", pulling, answers=frozenset({500}))
        answer(reply)  # 1000 and 1001 both say that it is registered
    content = {
        "ShortCode": account.short_code,
        "ResponseType": ON_ITS_OWN,
        "ConfirmationURL": tell_url,
        "ValidationURL": check_url,
    }
    reply = yield from asked(account, "/mpesa/c2b/v2/registerurl", content, answers=frozenset({500}))
    if _TOLD_BEFORE in reply.body[:4_000].decode("utf-8", "replace").lower():
        return False
    said = answer(reply)
    if said.word("ResponseCode") not in ("0", "00000000"):
        raise ProviderRefused(
            "M-Pesa did not take our addresses; payments are found by its list all the same",
            reason=said.word("ResponseCode"),
        )
    return True


def pulled(
    account: MPesaAccount, *, since_us: int, until_us: int
) -> Exchange[tuple[list[Fields], bytes, bool]]:
    """The rows of M-Pesa's list of a span, page by page, its bytes, and whether it had a list at all."""
    rows: list[Fields] = []
    raw = bytearray()
    for _ in range(_PAGES_MAX):
        content: dict[str, object] = {
            "ShortCode": account.short_code,
            "StartDate": wall(since_us, zone=NAIROBI),
            "EndDate": wall(until_us, zone=NAIROBI),
            "OffSetValue": str(len(rows)),
        }
        reply = yield from asked(account, "/pulltransactions/v1/query", content)
        said = answer(reply)
        if said.maybe("ResponseCode") == NOTHING:
            return rows, bytes(raw), bool(rows)
        page = said.nested_rows("Response")
        raw += reply.body + b"\n"
        rows += page
        if not page:
            return rows, bytes(raw), True
    raise BillCorrupt("the list has no end; ask again")


def listed(account: MPesaAccount, *, since_us: int, until_us: int) -> Exchange[Listed]:
    """See TakesUnasked: all of the list that did not go back, pushes too."""
    rows, _, answered = yield from pulled(account, since_us=since_us, until_us=until_us)
    found = [(said, bill_row(said, account.currency)) for said in rows]
    payments = tuple(
        ProviderFact(
            provider="mpesa",
            our_ref=row.our_ref,
            provider_ref=row.provider_ref,
            event_id=f"{row.provider_ref}:listed",
            amount_minor=row.amount_minor,
            currency=row.currency,
            occurred_at_us=row.occurred_at_us,
            assurance=Assurance.QUERIED,
            raw_sha256=sha256(f"{row}".encode()).hexdigest(),
            detail="listed",
            named=typed(said, "billreference"),
        )
        for said, row in found
        if row.kind is Kind.PAYMENT and row.our_ref and row.amount_minor > 0
    )
    return Listed(payments=payments, answered=answered)


def bill_row(said: Fields, currency: str) -> BillRow:
    """One row of the list. A push has our reference in it; any other payment is named by M-Pesa's own number."""
    try:
        amount = minor_from_text(said.text("amount"), digits=2)
        at_us = wall_us(said.text("trxDate")[:19].replace("T", " "), zone=NAIROBI)
    except ValueError as wrong:
        raise BillCorrupt(f"a row of the list cannot be read: {wrong}") from wrong
    back = "reversal" in said.text("transactiontype").lower()
    named, number = typed(said, "billreference"), said.word("transactionId")
    row = BillRow(
        kind=Kind.CHARGEBACK if back else Kind.PAYMENT,
        our_ref=named,
        provider_ref=number,
        amount_minor=-amount if back else amount,
        currency=currency,
        occurred_at_us=at_us,
    )
    if back or _PUSHED.fullmatch(named) or not _NUMBER.fullmatch(number):
        return row
    return replace(row, our_ref=bill_ref(number))
