"""Nothing that a gateway, a provider or a broken-into web process sends may stop a book."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from django.db import IntegrityError, connection, transaction

from fairwatt.flows.posting import charging as charging_module
from fairwatt.flows.posting import intake as intake_module
from fairwatt.wire import cose
from fairwatt.wire.frames import Event, Kind
from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, reading

T1, T2 = NOON_US + HOUR_US, NOON_US + 2 * HOUR_US
charging: Any = charging_module
intake: Any = intake_module


def as_migrate(desk: Desk, query: str, *parameters: Any) -> None:
    with as_role("migrate"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
            [str(desk.street.book)],
        )
        cursor.execute(query, list(parameters))


def forge(desk: Desk, payload: str, *, kind: str = "payment") -> int:
    """A fact with any jsonb at all, written as a broken-into process could; the web is kept from most kinds."""
    with (
        as_role("web" if kind == "payment" else "migrate"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', '*', true)",
            [str(desk.street.book)],
        )
        cursor.execute(
            "INSERT INTO fact (book, kind, natural_key, payload, created_us) "
            f"VALUES (%s, %s, 'forged', ({payload})::jsonb, 1) RETURNING id",
            [desk.street.book, kind],
        )
        return int(cursor.fetchone()[0])


def rows(desk: Desk) -> list[Any]:
    from fairwatt.store.models import Quarantine

    return list(Quarantine.objects.filter(book=desk.street.book).order_by("id"))


@pytest.mark.parametrize(
    "data",
    [
        cbor2.dumps([10**5000], canonical=True),
        bytes.fromhex("d823d280"),
        b"\x81" * 100_000 + b"\x00",
        b"",
    ],
    ids=["a version of 5000 digits", "a tag in itself", "deep", "empty"],
)
def test_a_frame_that_breaks_decoders_is_quarantined_and_the_next_is_posted(desk: Desk, data: bytes) -> None:
    meter = desk.home()
    desk.post((desk.street.gateway.slug, data), desk.street.readings(reading(meter, T1, 500)), now_us=T1)
    assert len(desk.quarantine()) == 1
    assert len(desk.lines()) == 1


def test_any_error_of_a_decoder_is_the_frames_fault(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = desk.home()
    real = intake.decode_up

    def fragile(data: bytes) -> Any:
        if data == b"new":
            raise RuntimeError("nobody foresaw this")
        return real(data)

    monkeypatch.setattr(intake, "decode_up", fragile)
    desk.post((desk.street.gateway.slug, b"new"), desk.street.readings(reading(meter, T1, 500)), now_us=T1)
    assert desk.quarantine() == ["unreadable"]
    assert len(desk.lines()) == 1


def test_a_signed_receipt_of_an_endless_version_is_quarantined(desk: Desk) -> None:
    desk.home()
    street = desk.street
    body = cose.sign(
        payload=cbor2.dumps([10**5000, 1], canonical=True),
        key=street.key,
        kid=street.gateway.slug.encode(),
        domain=cose.RECEIPT,
    )
    result = desk.post(street.frame((Kind.RECEIPT, body), clock_us=T1), now_us=T1)
    assert desk.quarantine() == ["receipt_bad_version"]
    assert result.acks == [(street.gateway.pk, 1, 1)]


def test_a_key_that_is_none_can_neither_be_stored_nor_stop_the_book(desk: Desk) -> None:
    desk.home()
    with pytest.raises(IntegrityError):
        as_migrate(
            desk, "UPDATE store_gateway SET public_key = %s WHERE id = %s", b"short", desk.street.gateway.pk
        )
    desk.state.gateways[desk.street.gateway.pk].public_key = b"short"
    frames = [desk.street.frame((Kind.RECEIPT, b"\x00"), (Kind.RECEIPT, b"\x01"), clock_us=T1)]
    desk.post(*frames, now_us=T1)
    assert desk.quarantine() == ["receipt_bad_key"] * 2
    assert len(desk.events("alarm.gateway_key")) == 1


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ("'{\"a\": ' || repeat('9', 5000) || '}'", "payment"),
        ("repeat('[', 5000) || repeat(']', 5000)", "payment"),
        ("'{\"wallets\": [' || repeat('9', 5000) || ']}'", "config"),
    ],
)
def test_a_fact_that_cannot_be_read_is_refused_where_everybody_sees_it(
    desk: Desk, payload: str, kind: str
) -> None:
    meter = desk.home()
    fact = forge(desk, payload, kind=kind)
    paid = desk.pay(meter, 5_00, now_us=T1)
    desk.post(now_us=T1)
    with connection.cursor() as cursor:  # the models would read the payload
        cursor.execute("SELECT state FROM fact WHERE id = %s", [fact])
        assert cursor.fetchone() == ("refused",)
    (refused,) = desk.events("fact.refused")
    assert refused.reason in ("unpostable", "unknown_provider")
    assert desk.fact(paid).result["outcome"] == "credited"
    desk.open(now_us=T2)


def test_a_provider_that_says_what_no_table_can_hold_stops_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.payments import sandbox

    module: Any = sandbox
    meter = desk.home()
    monkeypatch.setattr(module, "_sane", lambda *_: True)
    bad = desk.pay(meter, 5_00, now_us=T1, provider_ref="a\x00b")
    odd = desk.pay(meter, 5_00, now_us=T1, currency="\ud800")
    good = desk.pay(meter, 7_00, now_us=T1)
    desk.post(now_us=T1)
    assert [desk.fact(f).state for f in (bad, odd, good)] == ["refused", "refused", "posted"]
    assert desk.balance(meter) == 7_000_000


@pytest.mark.parametrize(("said", "kept"), [((1 << 63) - 1, T1 + DAY_US), (-(1 << 63), 0), (T1, T1)])
def test_an_event_is_stored_at_an_instant_that_a_page_can_show(desk: Desk, said: int, kept: int) -> None:
    meter = desk.home()
    desk.post(desk.street.event(Event("meter_silent", said, meter, {}), clock_us=T1), now_us=T1)
    assert [event.at_us for event in desk.events("gateway.meter_silent")] == [kept]


def test_an_unreadable_tariff_leaves_its_homes_uncharged_and_says_so_once(desk: Desk) -> None:
    meter = desk.home()
    as_migrate(
        desk,
        "INSERT INTO store_tariffpublication (plan_id, published_us, text) VALUES (%s, 1, 'nonsense: [')",
        desk.street.plan.pk,
    )
    desk.open(now_us=T1)
    desk.read(meter, T1, 500)
    desk.open(now_us=T1)
    assert desk.quarantine() == ["no_tariff"]
    assert [event.evidence["name"] for event in desk.events("alarm.tariff_unusable")] == ["tariff"]
    as_migrate(
        desk,
        "INSERT INTO store_tariffpublication (plan_id, published_us, text) VALUES (%s, 2, %s)",
        desk.street.plan.pk,
        desk.street.tariff,
    )
    desk.open(now_us=T2)
    desk.read(meter, T2, 600)
    assert [line.energy_wh for line in desk.lines()] == [600], "a good text settles the gap"


def test_under_an_unreadable_policy_nobody_is_cut(desk: Desk) -> None:
    meter = desk.home()
    as_migrate(desk, "UPDATE store_policy SET body = '[\"?\"]' WHERE book_id = %s", desk.street.book)
    desk.open(now_us=T1)
    for hour in (1, 3, 26):
        desk.read(meter, NOON_US + hour * HOUR_US, 1_000 * hour)
    assert desk.balance(meter) < 0
    assert desk.events("supply.cut") == []
    assert [event.reason for event in desk.events("supply.withheld")][-1] == "friendly_hours"
    assert len(desk.events("alarm.policy_unusable")) == 1


def test_a_meter_that_cannot_be_rated_stops_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = desk.home(), desk.home()
    real = charging.rate_rows

    def fragile(**columns: Any) -> Any:
        if (columns["energy_wh"] == 666).any():
            raise ValueError("this cannot be rated")
        return real(**columns)

    monkeypatch.setattr(charging, "rate_rows", fragile)
    desk.post(desk.street.readings(reading(bad, T1, 666), reading(good, T1, 500)), now_us=T1)
    assert desk.quarantine() == ["unpriceable"]
    assert [line.energy_wh for line in desk.lines()] == [500]
    desk.read(bad, T2, 700)
    assert sorted(line.energy_wh for line in desk.lines()) == [500, 700]


def test_what_is_too_long_is_kept_in_part_with_its_digest(desk: Desk) -> None:
    desk.home()
    junk = bytes(300_000)
    desk.post((desk.street.gateway.slug, junk), now_us=T1)
    (row,) = rows(desk)
    assert len(bytes(row.raw)) == 4096
    assert "300000 bytes" in row.detail
    assert "SHA-256" in row.detail


def test_the_same_junk_is_stored_once_an_hour(desk: Desk) -> None:
    desk.home()
    slug = desk.street.gateway.slug
    for seconds in range(5):
        desk.post((slug, b"junk"), (slug, b"junk"), now_us=T1 + seconds)
    assert len(rows(desk)) == 1
    desk.post((slug, b"other junk"), now_us=T1 + 5)
    desk.post((slug, b"junk"), now_us=T1 + HOUR_US)
    assert len(rows(desk)) == 3


def test_a_condemned_frame_is_quarantined_item_by_item_and_acknowledged(desk: Desk) -> None:
    from hashlib import sha256

    meter = desk.home()
    slug, data = desk.street.readings(reading(meter, T1, 500))
    desk.state.condemned = frozenset({sha256(data).digest()})
    result = desk.post((slug, data), now_us=T1)
    assert desk.quarantine() == ["poison"]
    assert result.acks == [(desk.street.gateway.pk, 1, 1)]
    assert desk.lines() == []
