"""Forecasts are made once a night and as money moves; residents are warned by them once a descent, and say by which."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.credit import document, person, rule
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street

MIDNIGHT_US = NOON_US + 11 * HOUR_US
"""2013-07-02 00:00 in London"""
POUND = 1_000_000


@pytest.fixture
def street(house: Services) -> Street:
    return Street(tariff=FLAT)


class Days:
    """A home that is read every six hours and lives evenly: 10 kWh a day, £2.00."""

    def __init__(self, desk: Desk, **wishes: Any) -> None:
        self.desk, self.meter = desk, desk.home(**wishes)
        self.at_us, self.wh = MIDNIGHT_US, 0
        desk.read(self.meter, MIDNIGHT_US, 0)

    def live(self, days: int, wh_a_day: int = 10_000) -> None:
        for _ in range(4 * days):
            self.at_us += 6 * HOUR_US
            self.wh += wh_a_day // 4
            self.desk.read(self.meter, self.at_us, self.wh)

    def look(self, after_us: int | None = None) -> int:
        """What the keeper does twenty minutes later; the poster then reads what it was told."""
        from fairwatt.worker.ahead import DAY_READ_US, Ahead

        flush(self.desk)
        with as_role("web"):
            found = Ahead(books=[self.desk.street.book]).look(
                now_us=self.at_us + (DAY_READ_US if after_us is None else after_us)
            )
        self.reload()
        return found

    def reload(self) -> None:
        from fairwatt.flows.posting.loading import reload_book

        self.desk.post(now_us=self.at_us)
        flush(self.desk)
        self.desk.state = reload_book(state=self.desk.state, now_us=self.at_us)

    def warned(self) -> list[Any]:
        return self.desk.events("warning.low")

    @property
    def low_micro(self) -> int:
        return int(self.desk.state.wallets["low_micro"][0])


def flush(desk: Desk) -> None:
    from fairwatt.flows.posting.flushing import CacheFlusher

    flusher = CacheFlusher(state=desk.state)
    flusher.catch_up()
    flusher.flush(state=desk.state)


def said(street: Street, wallet: int, seen: int | None = None) -> list[Any]:
    from django.db import connection

    from fairwatt.store import forecasts
    from fairwatt.web.access import Scope, seeing

    scope = Scope(books=(street.book,), wallets=None if seen is None else (seen,))
    with as_role("web"), seeing(scope=scope), connection.cursor() as cursor:
        return forecasts.said(cursor=cursor, wallet=wallet, limit=50)


def test_a_home_is_warned_by_its_forecast_once_a_descent_and_the_warning_names_it(
    street: Street, desk: Desk
) -> None:
    home = Days(desk)
    rule(street, person(street, "ann"), body=document("warn: {days: 3}"))
    desk.pay(home.meter, 40_00, now_us=home.at_us)
    home.live(2)
    assert home.look() == 0, "two days are no history"
    home.live(8)
    assert home.look() == 1
    assert home.look() == 0, "once a day"
    (first,) = said(street, street.wallets[0])
    assert (first.because, first.history) == ("night", 10)
    # Twenty pounds at two a day: ten days, of which twenty minutes are over.
    assert abs(first.mid_us - home.at_us - 10 * DAY_US) <= 2 * HOUR_US
    assert first.early_us < first.mid_us - DAY_US and first.late_us > first.mid_us + DAY_US
    assert 7 * POUND <= home.low_micro <= 7.25 * POUND, "three days and a half, rounded so that grants rest"
    home.live(6)
    assert not home.warned()
    home.live(1)
    (warning,) = home.warned()
    assert warning.rule == "credit.forecast"
    assert warning.evidence["days"] == 3 and warning.evidence["forecast"] == first.forecast
    assert warning.evidence["low_micro"] == home.low_micro
    # Two frugal days: the forecast falls below what is left, then rises again. Nobody is told twice.
    home.live(2, wh_a_day=400)
    home.look()
    assert home.low_micro < warning.evidence["available_micro"]
    home.live(1, wh_a_day=14_000)
    home.look()
    home.live(1)
    home.look()
    assert len(home.warned()) == 1
    # Paid in: a forecast at once, and the next descent is told of again.
    desk.pay(home.meter, 20_00, now_us=home.at_us)
    desk.post(now_us=home.at_us + 1)
    assert home.look() == 1
    assert said(street, street.wallets[0])[0].because == "credit"
    # A payment just after midnight does not stand for the night's look at the whole book.
    home.live(1)
    desk.pay(home.meter, 1_00, now_us=home.at_us)
    desk.post(now_us=home.at_us + 1)
    assert [home.look(after_us=5 * 60_000_000), home.look()] == [1, 1]
    assert [one.because for one in said(street, street.wallets[0])[:2]] == ["night", "credit"]
    home.live(9)
    assert len(home.warned()) == 2


def test_the_same_day_gives_the_same_forecast_and_neither_a_neighbour_nor_an_update_reaches_it(
    street: Street, desk: Desk
) -> None:
    from django.db import connection, transaction
    from django.db.utils import DatabaseError

    from fairwatt.cli.forecast import _obj, _told
    from fairwatt.flows.forecasting import account_of, forecast_book
    from fairwatt.store import facts

    home = Days(desk)
    neighbour = desk.home()
    desk.pay(home.meter, 60_00, now_us=home.at_us)
    home.live(6)
    home.live(2, wh_a_day=25_000)
    assert home.look() == 1, "nothing was ever read next door"
    mine, other = street.wallets
    with as_role("web"):
        before = newest(street)[mine]
        forecast_book(book_id=street.book, now_us=home.at_us + HOUR_US, because="credit")
        again = newest(street)[mine]
        assert again.outlook == before.outlook and again.forecast > before.forecast
        account = account_of(book_id=street.book, wallet=mine)
        assert account is not None and account.agrees is True and len(account.said) == 2
        assert account_of(book_id=street.book, wallet=other) is None
        assert _told(account).startswith("£38.00 was left") and "Works out again" in _told(account)
        assert [len(_obj(account)[name]) for name in ("days", "said")] == [60, 2]
        with transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=street.book)
            cursor.execute(
                "SELECT count(DISTINCT (inputs, seed, method)) FROM forecast WHERE wallet = %s", [mine]
            )
            assert cursor.fetchone() == (1,), "and says so itself"
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            facts.see_book(cursor=cursor, book=street.book)
            cursor.execute("UPDATE forecast SET mid_us = 0 WHERE wallet = %s", [mine])
    with (
        as_role("migrate"),
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        facts.see_book(cursor=cursor, book=street.book)
        cursor.execute("UPDATE forecast SET mid_us = 0 WHERE wallet = %s", [mine])
    assert len(said(street, mine, seen=mine)) == 2
    assert said(street, mine, seen=other) == [] and neighbour
    assert not desk.events("alarm")


WATER = """
fairwatt_tariff: 1
name: Water
currency: GBP
zone: Europe/London
unit: m3
versions:
  - effective: 2013-01-01
    elements:
      - energy: {price: "2"}
      - standing: {per_day: "0.10"}
"""


def test_electricity_and_water_of_one_wallet_are_forecast_each_by_its_own_tariff(street: Street) -> None:
    from fairwatt.flows import provision

    with opened_desk(street) as desk:
        home = Days(desk)
        with as_role("migrate"):
            plan = provision.publish_tariff(
                book_id=street.book, slug="water", name="Water", text=WATER, now_us=NOON_US
            )
            meter = provision.MeterSpec(
                number=100_000_000_900, profile="test", modulus_wh=10**9, resolution_wh=10, max_power_w=20_000
            )
            provision.add_meter(
                wallet_id=street.wallets[0],
                gateway_id=street.gateway.pk,
                meter=meter,
                plan_id=plan.pk,
                opening_wh=0,
                now_us=MIDNIGHT_US,
            )
        desk.open(now_us=MIDNIGHT_US)
        desk.pay(home.meter, 90_00, now_us=home.at_us)
        for day in range(1, 7):
            home.live(1)
            desk.read(meter.number, home.at_us, 500 * day)
        assert home.look() == 1
        with as_role("web"):
            told = newest(street)[street.wallets[0]].outlook
        # Ten kWh at 20 p, half a m³ at £2, and ten pence a day for being there.
        assert abs(told.mid[0] - 3 * POUND) <= POUND // 100 and told.last[0] == POUND // 10
        assert abs(told.cost_by(at_us=told.from_us + 10 * DAY_US) - 31 * POUND) <= POUND // 10
        check_laws(street.book, acked=desk.acked, judged=False)


def newest(street: Street) -> dict[int, Any]:
    from django.db import connection, transaction

    from fairwatt.store import facts, forecasts

    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=street.book)
        return forecasts.newest(cursor=cursor, book=street.book)
