"""What was heard at the door is judged: receipts move messages, a resident's question is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.notices.model import Channel, State, Step, may_move
from fairwatt.core.notices.pacing import TooOften
from fairwatt.flows.notifying.sending import settle
from fairwatt.flows.pacing import hold_pace
from fairwatt.notify.contract import BadReport, Heard, Inbound, Receipt
from fairwatt.store import contacts, facts, notices
from fairwatt.store.models import Book

type Judge = Callable[[str, Mapping[str, str], bytes], Heard]
BALANCE_WORDS: Final = frozenset({"balance", "bal", "ye", "余额", "查余额", "查询余额", "查询"})


@transaction.atomic(durable=True)
def hear_one(
    *, judge_of: Callable[[str], Judge | None], organisation_of: Callable[[str], int], now_us: int
) -> bool:
    """Judge the oldest thing that was heard; whether there was one. What is not proven is written down as refused."""
    with connection.cursor() as cursor:
        heard = contacts.take_heard(cursor=cursor)
        if heard is None:
            return False
        if heard.what != "provider":
            state = _seen(cursor, heard.account, State(heard.what), now_us)
            contacts.judged(cursor=cursor, number=heard.id, state=state)
            return True
        judge = judge_of(heard.account)
        if judge is None:
            contacts.judged(cursor=cursor, number=heard.id, state="refused", code="no_such_line")
            return True
        try:
            said = judge(heard.url, heard.headers, heard.body)
        except BadReport as refused:
            contacts.judged(cursor=cursor, number=heard.id, state="refused", code=str(refused))
            return True
        except Exception as failure:
            # A sender that stumbles over a report must not leave all others unheard.
            contacts.judged(
                cursor=cursor, number=heard.id, state="refused", code=f"failed: {type(failure).__name__}"
            )
            return True
        for receipt in said.receipts:
            _receive(cursor, heard.account, receipt, now_us)
        for inbound in said.inbound:
            _answer(cursor, heard.account, organisation_of(heard.account), inbound, now_us)
        contacts.judged(cursor=cursor, number=heard.id, state="done")
    return True


def _seen(cursor: Any, code: str, state: State, now_us: int) -> str:
    """A browser showed a message, or its reader opened it: both know an address that only the message carries."""
    row = notices.message_by_code(cursor=cursor, code=code)
    if row is None:
        return "refused"
    facts.see_book(cursor=cursor, book=row.book)
    if may_move(State(row.state), state):
        notices.move_message(cursor=cursor, number=row.id, state=state, now_us=now_us)
        settle(row=row, state=state, gone=False, now_us=now_us)
    return "done"


def _receive(cursor: Any, account: str, receipt: Receipt, now_us: int) -> None:
    row = notices.of_provider(
        cursor=cursor, account=account, ref=receipt.ref, provider_ref=receipt.provider_ref
    )
    # Reports come twice, late and out of order: what cannot follow is not written again.
    if row is None or not may_move(State(row.state), receipt.state):
        return
    facts.see_book(cursor=cursor, book=row.book)
    notices.move_message(
        cursor=cursor, number=row.id, state=receipt.state, now_us=now_us, reason=receipt.code
    )
    settle(row=row, state=receipt.state, gone=False, now_us=now_us)


def _answer(cursor: Any, account: str, organisation: int, inbound: Inbound, now_us: int) -> None:
    """Somebody asks for the balance by a short message: who is known by that number is told, at that number."""
    if " ".join(inbound.text.lower().split()) not in BALANCE_WORDS:
        return
    number = normal_number(inbound.sender)
    if number is None:
        return
    try:
        hold_pace(cursor=cursor, keys={"answer": number}, now_us=now_us)
    except TooOften:
        return
    books = set(Book.objects.filter(organisation_id=organisation).values_list("pk", flat=True))
    for contact, person in contacts.holders(cursor=cursor, channel=Channel.SMS, address=number):
        for wallet, book in contacts.wallets_of(cursor=cursor, person=person, at_us=now_us):
            if book not in books:
                continue
            facts.see_book(cursor=cursor, book=book)
            notices.add_notice(
                cursor=cursor,
                book=book,
                wallet=wallet,
                person=person,
                step=Step.BALANCE,
                key=f"asked:{account}:{inbound.key}:{wallet}",
                about={"contact": contact, "channel": Channel.SMS, "to": number},
                now_us=now_us,
            )


def normal_number(text: str) -> str | None:
    """A phone number as it is kept: a plus, the country, the number; one of the mainland without its country too."""
    digits = "".join(one for one in text if one not in " -().")
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if digits.isascii() and digits.isdecimal() and len(digits) == 11 and digits[0] == "1":
        digits = f"+86{digits}"
    elif digits.isascii() and digits.isdecimal() and len(digits) == 13 and digits.startswith("861"):
        digits = f"+{digits}"
    rest = digits.removeprefix("+")
    good = (
        digits.startswith("+")
        and rest.isascii()
        and rest.isdecimal()
        and 8 <= len(rest) <= 15
        and rest[0] != "0"
    )
    return digits if good else None
