"""PayBill at M-Pesa: what it says and hears, byte for byte, without a network."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from fairwatt.payments.contract import Assurance, BillNotReady, Kind, MalformedCallback
from fairwatt.payments.exchange import HttpAsk, HttpReply, ProviderBusy, ProviderRefused
from fairwatt.payments.fields import Fields
from fairwatt.payments.mpesa import MPesa
from fairwatt.payments.mpesa.paybill import bill_row
from fairwatt.payments.unasked import Verdict, addresses, unasked
from payments.shops import AT, NOW_US, carried, mpesa

CHECK, TELL = addresses(origin="https://homes.example", token="0f" * 16)
HOUR_US = 3_600_000_000


def confirmation(**more: Any) -> bytes:
    """As version 2 of C2B sends it."""
    said = {
        "TransactionType": "Pay Bill",
        "TransID": "RKTQDM7W6S",
        "TransTime": "20261122184538",
        "TransAmount": "500.00",
        "BusinessShortCode": "174379",
        "BillRefNumber": "1000 0197",
        "InvoiceNumber": "",
        "OrgAccountBalance": "49197.00",
        "ThirdPartyTransID": "",
        "MSISDN": "2547 ***** 126",
        "FirstName": "JOHN",
    }
    return json.dumps({**said, **more}).encode()


def row(**more: Any) -> dict[str, Any]:
    said = {
        "transactionId": "RKTQDM7W6S",
        "trxDate": "2026-11-22T18:45:38+03:00",
        "msisdn": 254700000126,
        "sender": "JOHN",
        "transactiontype": "c2b-pay-bill-debit",
        "billreference": "10000197",
        "amount": "500.00",
        "organizationname": "Maple",
    }
    return {**said, **more}


def daraja(*answers: Any) -> Any:
    """A gateway that grants the login and then says one answer after another."""
    left = list(answers)

    def answer(ask: HttpAsk) -> HttpReply:
        if "oauth" in ask.url:
            return HttpReply(status=200, body=b'{"access_token": "t", "expires_in": "3599"}')
        status, body = left.pop(0)
        return HttpReply(status=status, body=json.dumps(body).encode())

    return answer


def listing(*rows: dict[str, Any]) -> tuple[int, Any]:
    return 200, {
        "ResponseCode": "1000",
        "ResponseMessage": "Success",
        "Response": [list(rows)] if rows else [],
    }


def test_what_is_announced_is_read_and_proves_nothing() -> None:
    said = MPesa(mpesa()).parse_announced(body=confirmation())
    assert (said.provider_ref, said.named, said.amount_minor) == ("RKTQDM7W6S", "1000 0197", 500_00)
    assert (said.currency, said.shop) == ("KES", "174379")
    assert MPesa(mpesa()).parse_announced(body=confirmation(TransAmount=20)).amount_minor == 20_00


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        confirmation(TransID=None),
        confirmation(TransID="RKT'; DROP"),
        confirmation(TransID="R" * 40),
        confirmation(TransAmount="5.001"),
        confirmation(TransAmount="lots"),
        confirmation(BusinessShortCode=""),
        confirmation(BillRefNumber=["10000197"]),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedCallback):
        MPesa(mpesa()).parse_announced(body=body)


def test_what_no_database_keeps_is_left_out_of_what_was_typed() -> None:
    said = MPesa(mpesa()).parse_announced(body=confirmation(BillRefNumber="10\x0000 0197\n" + "9" * 200))
    assert said.named == ("1000 0197" + "9" * 200)[:40]


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.TAKE, "0"),
        (Verdict.NO_ACCOUNT, "C2B00012"),
        (Verdict.NO_AMOUNT, "C2B00013"),
        (Verdict.OTHER_SHOP, "C2B00015"),
        (Verdict.UNREADABLE, "C2B00016"),
    ],
)
def test_a_check_is_answered_in_m_pesas_own_codes(verdict: Verdict, code: str) -> None:
    ack = MPesa(mpesa()).answer_check(verdict=verdict)
    assert (ack.status, json.loads(ack.body)["ResultCode"]) == (200, code)


def test_both_addresses_are_told_and_neither_names_the_provider() -> None:
    done, asked = carried(
        MPesa(mpesa(nominated_number="254722000000")).listen(check_url=CHECK, tell_url=TELL, at=AT),
        daraja(
            (200, {"ResponseStatus": "1001", "ResponseDescription": "before"}), (200, {"ResponseCode": "0"})
        ),
    )
    assert done
    # The login is asked for anew here; a carrier keeps it for an hour.
    pulling, both = (json.loads(one.body) for one in asked if one.method == "POST")
    assert pulling["NominatedNumber"] == "254722000000"
    assert both == {
        "ShortCode": "174379",
        "ResponseType": "Completed",
        "ConfirmationURL": TELL,
        "ValidationURL": CHECK,
    }
    for url in (CHECK, TELL):
        assert not any(word in urlsplit(url).path for word in ("mpesa", "m-pesa", "safaricom")), (
            "M-Pesa refuses these"
        )


def test_addresses_that_were_told_before_are_kept_there() -> None:
    answer = daraja((500, {"errorCode": "500.003.1001", "errorMessage": "Urls are already registered."}))
    assert not carried(MPesa(mpesa()).listen(check_url=CHECK, tell_url=TELL, at=AT), answer)[0]


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ((500, {"errorCode": "500.003.02", "errorMessage": "System is busy"}), ProviderBusy),
        ((400, {"errorCode": "400.003.02", "errorMessage": "Bad Request"}), ProviderRefused),
        ((200, {"ResponseCode": "1", "ResponseDescription": "no"}), ProviderRefused),
    ],
)
def test_addresses_that_are_not_taken_are_told_again_later(
    answer: tuple[int, Any], trouble: type[Exception]
) -> None:
    with pytest.raises(trouble):
        carried(MPesa(mpesa()).listen(check_url=CHECK, tell_url=TELL, at=AT), daraja(answer))


def test_the_list_is_the_word_that_money_moves_by() -> None:
    first = [row(transactionId=f"RKTQDM7W{n:02d}") for n in range(100)]
    back = row(transactionId="RKTQDM7WZZ", transactiontype="organization-reversal")
    pushed = row(transactionId="RKTQDM7WYY", billreference="0f0e0d0c0b0a")
    telephone = row(transactionId="RKTQDM7WXX", billreference="254712345678")
    nobody = row(transactionId="RKTQDM7WWW", billreference="")
    found, asked = carried(
        MPesa(mpesa()).listed(since_us=NOW_US - HOUR_US, until_us=NOW_US, at=AT),
        daraja(listing(*first), listing(back, pushed, telephone, nobody), listing()),
    )
    assert found.answered
    assert [one.provider_ref for one in found.payments[:2]] == ["RKTQDM7W00", "RKTQDM7W01"]
    assert [one.provider_ref for one in found.payments[100:]] == ["RKTQDM7WYY", "RKTQDM7WXX", "RKTQDM7WWW"]
    assert [one.our_ref == one.named for one in found.payments[99:]] == [False, True, False, False], "a push"
    assert {one.assurance for one in found.payments} == {Assurance.QUERIED}
    assert [one.named for one in found.payments[99:]] == ["10000197", "0f0e0d0c0b0a", "254712345678", ""]
    assert [json.loads(one.body)["OffSetValue"] for one in asked if "pull" in one.url] == ["0", "100", "104"]
    assert len({one.our_ref for one in found.payments}) == 103


def test_an_empty_list_and_none_are_told_apart_by_nobody() -> None:
    nothing = (200, {"ResponseCode": "1001", "ResponseMessage": "none", "Response": [[]]})
    found, _ = carried(MPesa(mpesa()).listed(since_us=0, until_us=NOW_US, at=AT), daraja(nothing))
    assert (found.payments, found.answered) == ((), False)
    with pytest.raises(BillNotReady):
        carried(
            MPesa(mpesa()).fetch_bill(day="2026-11-22", kind=Any, at=AT),  # type: ignore[arg-type]
            daraja(nothing),
        )


def test_a_row_of_the_bill_is_named_by_the_push_or_by_m_pesas_number() -> None:
    def read(**more: Any) -> Any:
        return bill_row(Fields(row(**more), wrong=ValueError), "KES")

    assert read().our_ref == "RKTQDM7W6S--"
    assert read(billreference="0f0e0d0c0b0a").our_ref == "0f0e0d0c0b0a"
    back = read(transactiontype="organization-reversal")
    assert (back.kind, back.our_ref, back.amount_minor) == (Kind.CHARGEBACK, "10000197", -500_00)


def test_a_till_is_paid_without_a_number_so_nobody_can_name_a_home_there() -> None:
    assert unasked(provider=MPesa(mpesa(till=True))) is None
    assert unasked(provider=MPesa(mpesa())) is not None
