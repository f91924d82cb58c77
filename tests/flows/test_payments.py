"""Confirmed money is credited once or kept in suspense; nothing else is money."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction

from fairwatt.payments.contract import CallbackRejected
from support.desk import Desk
from support.house import as_role
from support.street import HOUR_US, NOON_US, Street, reading

T1, T2 = NOON_US + HOUR_US, NOON_US + 2 * HOUR_US


def outcome(desk: Desk, fact: int) -> Any:
    return desk.fact(fact).result


def suspense(desk: Desk) -> int:
    from fairwatt.store.models import Journal

    legs = Journal.objects.filter(book=desk.street.book, account="suspense")
    return sum(legs.values_list("amount_micro", flat=True))


def our_ref(fact_row: Any) -> str:
    return str(json.loads(bytes(fact_row.raw))["our_ref"])


def deliver(desk: Desk, *, now_us: int, **content: Any) -> Any:
    """Deliver a callback as the web takes it."""
    from fairwatt.flows.receive_payment import receive_callback

    headers, body = desk.street.callback(now_us=now_us, **content)
    provider: Any = desk.street.poster()
    with as_role("web"):
        return receive_callback(
            provider=provider.providers["sandbox"], headers=headers, body=body, now_us=now_us
        )


def forge(desk: Desk, payload: Any, *, raw: bytes = b"{}", key: str = "forged") -> int:
    """Write a fact row straight into the table, as a broken-into web process could."""
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
            [str(desk.street.book)],
        )
        cursor.execute(
            "INSERT INTO fact (book, kind, natural_key, wallet, payload, raw, created_us) "
            "VALUES (%s, 'payment', %s, %s, %s, %s, 1) RETURNING id",
            [desk.street.book, key, desk.street.wallets[0], json.dumps(payload), raw],
        )
        return int(cursor.fetchone()[0])


def test_a_payment_is_credited_to_the_micro_unit(desk: Desk) -> None:
    meter = desk.home()
    fact = desk.pay(meter, 12_34, now_us=T1)
    desk.post(now_us=T1)
    assert desk.balance(meter) == 12_340_000
    assert outcome(desk, fact)["outcome"] == "credited"


def test_a_payment_and_a_reading_of_one_instant_share_a_batch(desk: Desk) -> None:
    meter = desk.home()
    desk.pay(meter, 5_00, now_us=T1)
    desk.read(meter, T1, 1_000)
    charge, top_up = desk.lines()
    assert (charge.seq, charge.balance_micro) == (1, -210_000)
    assert (top_up.seq, top_up.balance_micro) == (2, 4_790_000)
    assert charge.ts == top_up.ts
    assert charge.batch == top_up.batch


def test_a_callback_delivered_again_is_the_same_fact(street: Street, desk: Desk) -> None:
    meter = desk.home()
    fact = desk.pay(meter, 5_00, now_us=T1)
    ref = our_ref(desk.fact(fact))
    again = deliver(desk, our_ref=ref, amount_minor=5_00, now_us=T1)
    assert (again.fact_id, again.duplicate) == (fact, True)
    desk.post(now_us=T1)
    again = deliver(desk, our_ref=ref, amount_minor=5_00, now_us=T2, paid_at_us=T1)
    assert (again.fact_id, again.duplicate) == (fact, True)
    desk.post(now_us=T2)
    assert desk.balance(meter) == 5_000_000


@pytest.mark.parametrize("together", [True, False])
def test_one_payment_under_two_events_is_credited_once(desk: Desk, together: bool) -> None:
    meter = desk.home()
    first = desk.pay(meter, 5_00, now_us=T1)
    if not together:
        desk.post(now_us=T1)
    ref = our_ref(desk.fact(first))
    second = deliver(desk, our_ref=ref, amount_minor=5_00, event_id="another", now_us=T1)
    assert not second.duplicate
    desk.post(now_us=T1)
    assert desk.balance(meter) == 5_000_000
    assert outcome(desk, second.fact_id) == {"outcome": "duplicate"}
    assert suspense(desk) == 0


@pytest.mark.parametrize("together", [True, False])
def test_a_top_up_paid_twice_is_credited_twice_and_a_person_is_told(desk: Desk, together: bool) -> None:
    meter = desk.home()
    first = desk.pay(meter, 5_00, now_us=T1)
    if not together:
        desk.post(now_us=T1)
    deliver(
        desk,
        our_ref=our_ref(desk.fact(first)),
        amount_minor=5_00,
        event_id="e2",
        provider_ref="p2",
        now_us=T1,
    )
    desk.post(now_us=T1)
    assert (desk.balance(meter), suspense(desk)) == (10_000_000, 0)
    assert [event.reason for event in desk.events("payment.credited")] == ["", "paid_twice"]


def test_a_second_payment_of_another_amount_leaves_the_first_credited(desk: Desk) -> None:
    from fairwatt.store.models import PaymentIntent

    meter = desk.home()
    first = desk.pay(meter, 5_00, now_us=T1)
    desk.post(now_us=T1)
    ref = our_ref(desk.fact(first))
    deliver(desk, our_ref=ref, amount_minor=4_99, event_id="e2", provider_ref="p2", now_us=T1)
    desk.post(now_us=T1)
    assert (desk.balance(meter), suspense(desk)) == (5_000_000, 4_990_000)
    assert PaymentIntent.objects.get(our_ref=ref).state == "credited"


def test_another_amount_than_asked_for_goes_to_suspense_and_to_a_person(desk: Desk) -> None:
    from fairwatt.store.models import PaymentIntent

    meter = desk.home()
    with as_role("web"):
        from fairwatt.flows.start_top_up import start_top_up

        started = start_top_up(
            wallet_id=desk.street.wallets[0], amount_minor=5_00, provider="sandbox", user_id=None, now_us=T1
        )
    deliver(desk, our_ref=started.our_ref, amount_minor=4_99, now_us=T1)
    desk.post(now_us=T1)
    assert desk.balance(meter) == 0
    assert suspense(desk) == 4_990_000
    assert PaymentIntent.objects.get(our_ref=started.our_ref).state == "review"
    assert [event.reason for event in desk.events("payment.review")] == ["amount_differs"]


def test_another_currency_is_never_counted_in_ours(desk: Desk) -> None:
    meter = desk.home()
    fact = desk.pay(meter, 5_00, now_us=T1, currency="CNY")
    desk.post(now_us=T1)
    assert desk.balance(meter) == 0
    assert suspense(desk) == 0
    assert outcome(desk, fact)["outcome"] == "review"
    assert [event.evidence["currency"] for event in desk.events("payment.review")] == ["CNY"]


def test_a_bad_signature_is_refused_at_the_door(desk: Desk) -> None:
    from fairwatt.flows.receive_payment import receive_callback

    desk.home()
    headers, body = desk.street.callback(our_ref="x", amount_minor=5_00, now_us=T1)
    provider: Any = desk.street.poster()
    with as_role("web"), pytest.raises(CallbackRejected) as refused:
        receive_callback(
            provider=provider.providers["sandbox"],
            headers=headers,
            body=body.replace(b"500", b"900"),
            now_us=T1,
        )
    assert refused.value.code == "bad_signature"


def test_a_reference_nobody_gave_out_is_refused_at_the_door(desk: Desk) -> None:
    desk.home()
    with pytest.raises(CallbackRejected) as refused:
        deliver(desk, our_ref="unknown", amount_minor=5_00, now_us=T1)
    assert refused.value.code == "unknown_reference"


def test_signed_money_for_a_reference_nobody_gave_out_is_kept_in_suspense(desk: Desk) -> None:
    desk.home()
    headers, body = desk.street.callback(our_ref="unknown", amount_minor=5_00, now_us=T1)
    fact = forge(desk, {"provider": "sandbox", "headers": headers}, raw=body)
    desk.post(now_us=T1)
    assert outcome(desk, fact)["reason"] == "unknown_reference"
    assert suspense(desk) == 5_000_000


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"provider": "sandbox", "headers": {"X-Sandbox-Signature": "AAAA"}}, "bad_signature"),
        ({"provider": "sandbox", "headers": {"X-Sandbox-Signature": 7}}, "bad_signature"),
        ({"provider": "sandbox", "headers": []}, "unknown_provider"),
        ({"provider": "nobody", "headers": {}}, "unknown_provider"),
        ([], "unknown_provider"),
        (None, "unknown_provider"),
    ],
)
def test_a_forged_fact_is_refused_by_the_poster_and_stops_nobody(desk: Desk, payload: Any, code: str) -> None:
    meter = desk.home()
    body = desk.street.callback(our_ref="x", amount_minor=900_00, now_us=T1)[1]
    fact = forge(desk, payload, raw=body)
    desk.read(meter, T1, 1_000)
    assert (desk.fact(fact).state, outcome(desk, fact)["code"]) == ("refused", code)
    assert desk.balance(meter) == -210_000
    assert [event.reason for event in desk.events("fact.refused")] == [code]


def test_signed_bytes_replayed_by_a_forger_move_no_money_twice(desk: Desk) -> None:
    meter = desk.home()
    fact = desk.pay(meter, 5_00, now_us=T1)
    desk.post(now_us=T1)
    row = desk.fact(fact)
    forge(desk, row.payload, raw=bytes(row.raw), key="another key")
    desk.post(now_us=T2)
    assert desk.balance(meter) == 5_000_000
    assert suspense(desk) == 0


def test_a_home_in_debt_is_restored_by_the_batch_that_credits_it(street: Street, desk: Desk) -> None:
    meter = desk.home()
    desk.pay(meter, 1_00, now_us=T1)
    desk.post(street.readings(reading(meter, T1, 10_000)), now_us=T1)
    assert desk.balance(meter) == 1_000_000 - 2_100_000
