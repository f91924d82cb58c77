"""M-PESA paid from the telephone's own menu: the real platform, the web's answers, collector, poster, two people.

Numbers are those of the table in docs/guides/payments.md. What M-PESA calls about is unsigned and moves nothing.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from fairwatt.core.account_numbers import account_number, in_groups
from fairwatt.simulate.pay.books import PayError
from fairwatt.simulate.pay.talking import Report
from support.costs import flush
from support.credit import document, rule
from support.desk import opened_desk
from support.house import as_role
from support.moves import clerk_of
from support.phone import Phone
from support.street import Street
from support.till import at, suspense

TABLE = Path(__file__).parent.parent / "golden" / "checks" / "paybill.md"
TEN = 10_000_000


@at("mpesa")
def test_a_payment_from_the_menu_is_credited_to_the_home_that_was_named(phone: Phone) -> None:
    from fairwatt.store import cash_desk

    paid = phone.dial(in_groups(number=phone.number()))
    assert phone.answers == ["0"], "asked before the money is taken"
    assert phone.till.balance() == 0
    phone.settle()
    (intent,) = phone.intents()
    assert (intent.state, intent.provider_ref, phone.till.balance()) == ("credited", paid.number, TEN)
    assert intent.our_ref.startswith(f"{paid.number}--"), "the bill names it so"
    with connection.cursor() as cursor:
        (receipt,) = cash_desk.receipts_of_wallet(cursor=cursor, wallet=intent.wallet_id)
    assert (receipt.amount_micro, receipt.provider) == (TEN, "mpesa")
    phone.look(after_s=3_600)
    assert phone.till.balance() == TEN, "the list has it again, and it is known"


@at("mpesa")
def test_the_collector_tells_m_pesa_where_we_listen_once(phone: Phone) -> None:
    from fairwatt.flows.unasked import tell_again

    known = phone.till.world.mpesa.paybills.addresses[phone.till.shop.number]
    assert known.tell.endswith(f"/pay/callback/incoming/{phone.till.token}/paid") and known.completes
    assert phone.stands().state == "told"
    with as_role("migrate"):
        tell_again(account_id=phone.till.account, now_us=phone.till.clock.us)
    assert phone.stands().state == "telling"
    phone.look(after_s=1)
    assert phone.stands().state == "kept", "M-PESA keeps what it was told before, and the page says so"


def table() -> list[tuple[str, str, str]]:
    rows = [line.strip("|").split("|") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    return [(one[0].strip(), one[1].strip(), one[2].strip()) for one in rows if len(one) == 4][2:]


@at("mpesa")
def test_the_table_of_checks(phone: Phone) -> None:
    till = phone.till
    terms = document('top_up: {least: "20", most: "1000", credit_most: "1200"}')
    rule(till.desk.street, clerk_of(till.desk, "admin"), body=terms, role="migrate", now_us=till.clock.us)
    till.desk.home()
    till.desk.home()
    left = phone.left(2)
    other = Street(currency="KES")
    with opened_desk(other) as neighbours:
        neighbours.home()
    home = phone.number()
    last = max(n for n in range(1, len(home)) if home[n] != home[n - 1])
    typed = {
        "the home": home,
        "the home in groups": in_groups(number=home),
        "the home with dashes": f"{home[:4]}-{home[4:]}",
        "words and the home": f"rent {home}",
        "the home, a digit wrong": home[:-3] + str((int(home[-3]) + 1) % 10) + home[-2:],
        "the home, two digits exchanged": home[: last - 1] + home[last] + home[last - 1] + home[last + 1 :],
        "the home, a digit left out": home[:-1],
        "a number nobody has": account_number(wallet=899_999_999),
        "another organisation's home": account_number(wallet=other.wallets[0]),
        "a home that was left": account_number(wallet=left),
        "two homes": f"{home} {phone.number(1)}",
        "a telephone's number": "254712345678",
        "nothing": "",
    }
    rows, heard = table(), list[tuple[str, str, str]]()
    assert len(rows) == 23
    for words, amount, _ in rows:
        if words.endswith("900 of credit") and not till.balance():
            phone.dial(amount_minor=900_00)
            phone.settle()
            flush(till.desk, till.clock.us)
            assert till.balance() == 900_000_000
        shop = "999999" if words == "the home at another PayBill" else till.shop.number
        named = typed.get(words, home)
        heard.append((words, amount, check(phone, named, amount, shop)))
    assert heard == rows


def check(phone: Phone, named: str, amount: str, shop: str) -> str:
    """One question before a payment, as M-PESA puts it."""
    said = {"TransID": "RKTQDM7W6S", "TransAmount": amount, "BusinessShortCode": shop, "BillRefNumber": named}
    known = phone.till.world.mpesa.paybills.addresses[phone.till.shop.number]
    phone.asked(Report(known.check, {}, json.dumps(said).encode()))
    return phone.answers[-1]


@at("mpesa")
def test_a_check_writes_nothing_and_what_is_refused_is_not_paid(phone: Phone) -> None:
    wrong = phone.number()[:-1] + str((int(phone.number()[-1]) + 1) % 10)
    with pytest.raises(PayError, match="C2B00012"):
        phone.dial(wrong)
    phone.look(after_s=300)
    assert (phone.intents(), phone.waiting(), phone.till.balance()) == ([], [], 0)


@at("mpesa")
def test_case_01_the_same_confirmation_many_times_at_once(phone: Phone) -> None:
    phone.dial()
    report = phone.till.world.due()[0].make()

    def deliver(_: int) -> bool:
        try:
            return bool(phone.heard_here(report).status == 200)
        finally:
            connection.close()

    with as_role("web"), ThreadPoolExecutor(6) as callers:
        assert all(callers.map(deliver, range(12)))
    for _ in range(3):
        phone.look(after_s=5)
    assert (phone.till.balance(), len(phone.intents())) == (TEN, 1)


@at("mpesa")
def test_case_04_never_any_confirmation(phone: Phone) -> None:
    phone.dial()
    phone.till.world.sendings.clear()
    phone.look(after_s=121)
    assert phone.till.balance() == TEN, "the list is read every two minutes"


@at("mpesa")
def test_a_list_that_has_a_payment_late_is_asked_again_soon(phone: Phone) -> None:
    phone.dial()
    phone.till.world.faults.set(bill_late=1)
    phone.told()
    phone.look(after_s=3)
    assert phone.till.balance() == 0, "announced, and M-PESA's own list does not have it yet"
    phone.till.world.faults.set(bill_late=0)
    phone.look(after_s=5)
    assert phone.till.balance() == TEN


@at("mpesa")
def test_case_05_what_nobody_checked_is_credited_whatever_the_amount(phone: Phone) -> None:
    terms = document('top_up: {most: "20"}')
    desk = phone.till.desk
    rule(desk.street, clerk_of(desk, "admin"), body=terms, role="migrate", now_us=phone.till.clock.us)
    phone.unchecked(phone.number(), 5_000)
    phone.settle()
    assert phone.till.balance() == 50_000_000, "the money is here: it is the payer's credit"


@at("mpesa")
def test_case_06_another_currency_is_never_counted_in_ours(phone: Phone) -> None:
    from fairwatt.flows.merchants import Seals, add_keys

    till = phone.till
    with as_role("migrate"):
        add_keys(
            account_id=till.account,
            settings={"currency": "USD"},
            seals=Seals(reading=till.reading.public_key(), acting=till.acting.public_key()),
            author="commissioning",
            now_us=till.clock.us,
        )
    with pytest.raises(PayError, match="C2B00012"):
        phone.dial()
    phone.unchecked(phone.number())
    phone.settle()
    assert (till.balance(), suspense(till)) == (0, 0)
    assert [event.reason for event in till.desk.events("payment.review")] == ["amount_differs"]


@at("mpesa")
def test_case_24_a_wrong_number_lies_in_suspense_until_two_people_place_it(phone: Phone) -> None:
    till = phone.till
    for named in ("house 7", account_number(wallet=899_999_999), "254712345678"):
        phone.unchecked(named)
    phone.settle()
    assert (phone.intents(), till.balance(), suspense(till)) == ([], 0, 3 * TEN)
    assert [one.named for one in phone.waiting()] == [
        "house 7",
        account_number(wallet=899_999_999),
        "254712345678",
    ]
    phone.claim(phone.waiting()[0].of)
    assert (till.balance(), suspense(till), len(phone.waiting())) == (TEN, 2 * TEN, 2)
    phone.look(after_s=121)
    assert (till.balance(), suspense(till)) == (TEN, 2 * TEN), "the list has it still, and it is known"


@at("mpesa")
def test_case_24_who_left_is_paid_by_nobody_unseen(phone: Phone) -> None:
    till = phone.till
    till.desk.home()
    left = phone.left(1)
    phone.unchecked(account_number(wallet=left))
    phone.settle()
    (waiting,) = phone.waiting()
    assert (waiting.named, suspense(till)) == (account_number(wallet=left), TEN)


@at("mpesa")
def test_while_we_do_not_answer_m_pesa_takes_the_payment(phone: Phone) -> None:
    phone.till.world.asks = lambda _: (503, b"")
    phone.dial()
    phone.till.world.sendings.clear()
    phone.look(after_s=121)
    assert phone.till.balance() == TEN, "nobody sits in the dark because we were away"
