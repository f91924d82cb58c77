"""Messages reach who they are for when they go out, and nobody else: not who left, not another organisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from fairwatt.server.launcher.services import Services
from support.cash import person_of
from support.costs import flush
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.moment import together
from support.street import FLAT, HOUR_US, NOON_US, Street, reading
from support.telling import PHONE, Telling, open_telling
from support.till import HandClock

MINUTE_US = 60_000_000
NIGHT_US = NOON_US + 9 * HOUR_US
MORNING_US = NOON_US + 20 * HOUR_US


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    with opened_desk(Street(tariff=FLAT)) as opened:
        yield opened
        check_laws(opened.street.book, acked=opened.acked)


@pytest.fixture
def telling(desk: Desk) -> Iterator[Telling]:
    with open_telling(desk, HandClock(NOON_US)) as opened:
        yield opened


def low_at_night(telling: Telling) -> tuple[Any, int]:
    """A home whose credit is low at ten in the evening, and whose person hears of it at eight; (person, wallet)."""
    desk, person = telling.desk, telling.person()
    meter = desk.home(tenants=(person,))
    desk.pay(meter, 3_00, now_us=NOON_US)
    desk.read(meter, NIGHT_US, 6_000)
    flush(desk, NIGHT_US)
    telling.look(at_us=NIGHT_US + 1)
    assert telling.told() == [("low", "sms", "queued")]
    return person, desk.street.wallets[0]


def address_of(person: Any) -> int:
    """The number of a person's only address."""
    from django.db import connection, transaction

    from fairwatt.store import contacts

    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        contacts.see_person(cursor=cursor, person=person.pk)
        (one,) = contacts.contacts(cursor=cursor, person=person.pk)
    return int(one.id)


def test_what_waits_for_the_morning_is_said(telling: Telling) -> None:
    low_at_night(telling)
    telling.look(at_us=MORNING_US)
    assert telling.told() == [("low", "sms", "sent")]


def test_who_left_the_home_by_night_hears_nothing_of_it_in_the_morning(telling: Telling) -> None:
    from django.db import connection, transaction

    from fairwatt.store import household

    person, wallet = low_at_night(telling)
    with transaction.atomic(), connection.cursor() as cursor:
        household.end_tenancy(cursor=cursor, wallet=wallet, person=person.pk, at_us=NIGHT_US + 2)
    telling.look(at_us=MORNING_US)
    assert telling.box.world.arrived == []
    assert [(one.state, one.reason) for one in telling.messages()] == [("suppressed", "lives_elsewhere")]


def test_an_address_that_was_taken_back_by_night_hears_nothing(telling: Telling) -> None:
    from fairwatt.flows.notifying.reaching import take_back

    person, _ = low_at_night(telling)
    with as_role("web"):
        take_back(user=person, contact_id=address_of(person), now_us=NIGHT_US + 2)
    telling.look(at_us=MORNING_US)
    assert telling.box.world.arrived == []
    assert [(one.state, one.reason) for one in telling.messages()] == [("suppressed", "taken_back")]


def test_what_the_desk_sends_again_keeps_to_the_hours_and_to_who_lives_there(telling: Telling) -> None:
    from fairwatt.core.notices.pacing import TooOften
    from fairwatt.flows.notifying.desk import send_again
    from fairwatt.flows.notifying.reaching import take_back

    person, _ = low_at_night(telling)
    telling.look(at_us=MORNING_US)
    operator = person_of(telling.desk, "again", "operator")
    (first,) = telling.messages()

    def again(at_us: int) -> None:
        with as_role("web"):
            send_again(
                book_id=telling.desk.street.book, message_id=first.id, user_id=operator.pk, now_us=at_us
            )
        telling.look(at_us=at_us + 1)

    again(MORNING_US + HOUR_US)
    assert len(telling.box.world.arrived) == 2
    for n in range(1, 5):
        again(MORNING_US + HOUR_US + n * 2 * MINUTE_US)
    with pytest.raises(TooOften):
        again(MORNING_US + HOUR_US + 20 * MINUTE_US)
    sent = len(telling.box.world.arrived)
    again(NIGHT_US + 24 * HOUR_US)
    assert len(telling.box.world.arrived) == sent, "at ten in the evening nobody is woken"
    telling.look(at_us=MORNING_US + 24 * HOUR_US)
    assert len(telling.box.world.arrived) == sent + 1
    with as_role("web"):
        take_back(user=person, contact_id=address_of(person), now_us=MORNING_US + 24 * HOUR_US)
    again(MORNING_US + 25 * HOUR_US)
    assert len(telling.box.world.arrived) == sent + 1, "no more messages go to an address that was taken back"


def two_low_homes(telling: Telling) -> list[int]:
    """Two homes of one person who hears once a day, both low; their meters."""
    from fairwatt.flows.notifying.reaching import choose

    desk, person = telling.desk, telling.person()
    with as_role("web"):
        choose(user=person, language="en", channels=["sms"], silent=[], digest=True, now_us=NOON_US)
    for _ in range(2):
        desk.pay(desk.home(tenants=(person,)), 3_00, now_us=NOON_US)
    at_us = NOON_US + HOUR_US
    desk.post(
        desk.street.readings(*(reading(meter, at_us, 6_000) for meter in desk.street.homes)), now_us=at_us
    )
    flush(desk, at_us)
    telling.look(at_us=at_us + 1)
    return list(desk.street.homes)


@pytest.mark.parametrize("paid", [0, 1])
def test_a_home_that_was_topped_up_takes_no_other_out_of_the_days_message(
    telling: Telling, paid: int
) -> None:
    desk, homes = telling.desk, two_low_homes(telling)
    at_us = NOON_US + 2 * HOUR_US
    desk.pay(homes[paid], 30_00, now_us=at_us)
    desk.post(now_us=at_us)
    flush(desk, at_us)
    telling.look(at_us=NOON_US + 6 * HOUR_US)
    assert sorted((one.state, one.reason) for one in telling.messages()) == [
        ("sent", ""),
        ("suppressed", "no_longer_true"),
    ]
    (arrived,) = telling.box.world.arrived
    assert arrived.text.count("Maple Court") == 1


def test_the_days_message_that_is_tried_again_still_names_who_has_not_paid(telling: Telling) -> None:
    desk, homes = telling.desk, two_low_homes(telling)
    telling.box.world.faults.sick = 1
    telling.look(at_us=NOON_US + 6 * HOUR_US)
    if telling.box.world.arrived:
        pytest.fail("the line was to be busy")
    at_us = NOON_US + 6 * HOUR_US + 1
    desk.pay(homes[0], 30_00, now_us=at_us)
    desk.post(now_us=at_us)
    flush(desk, at_us)
    telling.look(at_us=NOON_US + 6 * HOUR_US + 10 * MINUTE_US)
    assert len(telling.box.world.arrived) == 1


def test_what_one_organisation_tells_is_never_folded_into_the_message_of_another(telling: Telling) -> None:
    from django.db import connection, transaction

    from fairwatt.store import facts, notices

    person, stranger = telling.person(), Street(tariff=FLAT)
    telling.desk.home(tenants=(person,))
    with as_role("web"):
        stranger.open_home(tenants=(person,))
    made = {}
    for street, home in ((telling.desk.street, "Maple Court 1"), (stranger, "Harbour House 7")):
        with as_role("notifier"), transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=street.book)
            key = f"restored:{street.book}"
            notices.add_notice(
                cursor=cursor,
                book=street.book,
                wallet=street.wallets[0],
                step="restored",
                key=key,
                about={},
                now_us=NOON_US,
            )
            cursor.execute("SELECT id FROM notice WHERE key = %s", [key])
            (notice,) = cursor.fetchone()
            cursor.execute("UPDATE notice SET state = 'over' WHERE id = %s", [notice])
            made[street.book] = notices.add_message(
                cursor=cursor,
                made=notices.NewMessage(
                    notice=notice,
                    book=street.book,
                    wallet=street.wallets[0],
                    person=person.pk,
                    channel="sms",
                    contact=address_of(person),
                    address=PHONE,
                    language="en",
                    step="restored",
                    subject=f"{home} has £1.80",
                    body=f"{home} has £1.80.",
                    params={"home": home},
                    segments=1,
                    key=key,
                    code=notices.new_code(cursor=cursor),
                    digest=True,
                    due_us=NOON_US,
                    state="queued",
                    reason="",
                ),
                now_us=NOON_US,
            )
    telling.look(at_us=NOON_US + 1)
    (ours,) = telling.messages()
    assert "Harbour House" not in ours.body + ours.subject


def test_a_code_is_guessed_five_times_at_most_also_by_many_browsers_at_once(telling: Telling) -> None:
    from django.db import connection, transaction

    from fairwatt.flows.notifying.reaching import NotReached, give_address, prove_address
    from fairwatt.store import contacts
    from fairwatt.store.models import Wallet

    person = telling.person(phone="")
    telling.desk.home(tenants=(person,))
    wallet = Wallet.objects.select_related("book").get(pk=telling.desk.street.wallets[0])
    with as_role("web"):
        contact = give_address(
            wallet=wallet,
            user=person,
            channel="sms",
            address="+44 7700 900731",
            digits="482913",
            ip="198.51.100.7",
            language="en",
            now_us=NOON_US,
        )

        def guess(n: int) -> None:
            about = {"contact_id": contact, "digits": f"{n:06d}", "now_us": NOON_US + 1}
            prove_address(wallet=wallet, user=person, **about)

        raised = together(16, guess)
        assert [type(one) for one in raised] == [NotReached] * 16, raised
        with transaction.atomic(), connection.cursor() as cursor:
            contacts.see_person(cursor=cursor, person=person.pk)
            (one,) = contacts.contacts(cursor=cursor, person=person.pk)
        assert one.guesses == 5, "what comes after the fifth guess is not even compared"
        with pytest.raises(NotReached):
            prove_address(wallet=wallet, user=person, contact_id=contact, digits="482913", now_us=NOON_US + 2)


def test_one_person_sends_codes_to_few_strangers_from_however_many_places(telling: Telling) -> None:
    from fairwatt.core.notices.pacing import TooOften
    from fairwatt.flows.notifying.reaching import NotReached, give_address, take_back
    from fairwatt.store.models import Wallet

    person = telling.person(phone="")
    telling.desk.home(tenants=(person,))
    wallet = Wallet.objects.select_related("book").get(pk=telling.desk.street.wallets[0])
    sent = 0
    with as_role("web"):
        for n in range(40):
            try:
                contact = give_address(
                    wallet=wallet,
                    user=person,
                    channel="sms",
                    address=f"+44770090{n:04d}",
                    digits="482913",
                    ip=f"2001:db8::{n:x}",
                    language="en",
                    now_us=NOON_US + n * 1_000_000,
                )
            except (TooOften, NotReached):
                continue
            sent += 1
            take_back(user=person, contact_id=contact, now_us=NOON_US + n * 1_000_000)
    assert sent <= 6


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1/push",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/push",
        "https://[x/push",
        "https://2130706433/push",
        "https://localhost/push",
        "https://metadata.google.internal/push",
        "https://printer.local/push",
        "https://postgres/push",
        "https://user:word@push.example.com/1",
        "https://push.example.com:22/1",
        "https://push.example.com:x/1",
        "https://push.example.com/1 2",
        "https://push.example.com/\x00",
        "https://push.example.com/\r\nHost: x",
        "http://push.example.com/1",
    ],
)
def test_a_browser_names_no_machine_of_ours_as_its_push_service(telling: Telling, endpoint: str) -> None:
    from fairwatt.flows.notifying.reaching import NotReached, subscribe_push
    from fairwatt.store.models import Wallet

    person = telling.person(phone="")
    telling.desk.home(tenants=(person,))
    wallet = Wallet.objects.select_related("book").get(pk=telling.desk.street.wallets[0])
    about = {"wallet": wallet, "user": person, "p256dh": "B" * 87, "auth": "A" * 22, "now_us": NOON_US}
    with as_role("web"):
        with pytest.raises(NotReached):
            subscribe_push(endpoint=endpoint, **about)
        for wrong in ({"p256dh": "\x00" * 87}, {"auth": "é" * 22}):
            with pytest.raises(NotReached):
                subscribe_push(endpoint="https://push.example.com/1", **{**about, **wrong})
        assert subscribe_push(endpoint="https://push.example.com/1", **about)


def test_one_browsers_dead_server_silences_no_other_browser(desk: Desk) -> None:
    """Each browser names a server of its own; what one of them does says nothing of the line."""
    from django.db import connection, transaction

    from fairwatt.store import contacts

    browser = ec.generate_private_key(ec.SECP256R1())
    got: list[str] = []

    def pushed(asked: Any) -> int:
        got.append(asked.path)
        return 503 if "/push/bad" in asked.path else 201

    with open_telling(desk, HandClock(NOON_US), kinds=("webpush",), pushed=pushed) as telling:
        for n in range(7):
            person = telling.person(phone="")
            address = f"{telling.box.url}/push/{'bad' if n < 6 else 'good'}{n}"
            with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
                contacts.see_person(cursor=cursor, person=person.pk)
                contacts.add_contact(
                    cursor=cursor,
                    person=person.pk,
                    channel="push",
                    address=address,
                    details=telling.browser_keys(browser),
                    proof="",
                    now_us=1,
                )
            desk.pay(desk.home(tenants=(person,)), 3_00, now_us=NOON_US)
        at_us = NOON_US + HOUR_US
        desk.post(
            desk.street.readings(*(reading(meter, at_us, 6_000) for meter in desk.street.homes)), now_us=at_us
        )
        flush(desk, at_us)
        telling.look(at_us=at_us + 1)
        assert any("good" in path for path in got), got
        assert [one.state for one in telling.messages()].count("sent") == 1
        telling.look(at_us=at_us + 6_000_000)
        telling.look(at_us=at_us + 60_000_000)
        with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
            (line,) = contacts.lines_of(cursor=cursor, organisation=telling.organisation.pk)
        assert (line.failures, line.resting_until_us) == (0, 0)
