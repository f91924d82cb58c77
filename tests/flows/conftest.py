"""A street and its poster, fresh for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairwatt.server.launcher.services import Services
from fairwatt.simulate.paysim import PaySim
from support.desk import Desk, opened_desk
from support.laws import check_laws
from support.phone import Phone
from support.refunds import Office
from support.street import HOUR_US, NOON_US, Street
from support.till import CURRENCY, HandClock, Till, open_platform, open_till


@pytest.fixture
def street(house: Services) -> Street:
    return Street()


@pytest.fixture
def desk(street: Street) -> Iterator[Desk]:
    """The poster of the street; whatever a test did, the laws hold at its end."""
    with opened_desk(street) as opened:
        yield opened
        check_laws(street.book, acked=opened.acked)


@pytest.fixture(scope="module")
def clock() -> HandClock:
    return HandClock(NOON_US + HOUR_US)


@pytest.fixture(scope="module")
def sim(clock: HandClock) -> Iterator[PaySim]:
    with open_platform(clock) as platform:
        yield platform


@pytest.fixture
def till(request: pytest.FixtureRequest, house: object, clock: HandClock, sim: PaySim) -> Iterator[Till]:
    """A shop at the provider the test is about, fresh; whatever happened, the laws hold at the end."""
    sim.world.sendings.clear()
    sim.world.faults.set(http="", dup=0, drop=0)
    with opened_desk(Street(currency=CURRENCY[request.param])) as desk:
        desk.home()
        with open_till(desk, request.param, clock, sim) as opened:
            yield opened
        sim.world.faults.set(http="")
        check_laws(desk.street.book, acked=desk.acked)


@pytest.fixture
def office(till: Till) -> Office:
    """The desk of the shop's supplier, that gives money back."""
    return Office(till)


@pytest.fixture
def phone(till: Till) -> Iterator[Phone]:
    kept = till.world.asks
    yield Phone(till)
    till.world.asks = kept
