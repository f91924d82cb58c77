"""Facts and readings become lines, exactly once, whatever order and however often they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.house import as_role
from support.street import DAY_US, FLAT, HOUR_US, NOON_US, Street, reading

from fairwatt.server.launcher.services import Services


@pytest.fixture
def street(house: Services) -> Street:
    return Street()


@pytest.fixture
def posting(street: Street) -> Iterator[Any]:
    with as_role("poster"):
        yield Desk(street)


class Desk:
    """The poster of a street, by hand."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.state: Any = None

    def open(self, *, now_us: int = NOON_US) -> None:
        from fairwatt.flows.posting.loading import load_book

        self.state = load_book(book=self.street.book, now_us=now_us)

    def post(self, *frames: tuple[str, bytes], now_us: int) -> Any:
        from fairwatt.flows.posting.post_batch import post_batch

        return post_batch(state=self.state, messages=frames, poster=self.street.poster(), now_us=now_us)

    def lines(self) -> list[Any]:
        from fairwatt.store.models import Line

        return list(Line.objects.filter(book=self.street.book).order_by("wallet", "seq"))

    def quarantine(self) -> list[str]:
        from fairwatt.store.models import Quarantine

        return list(Quarantine.objects.filter(book=self.street.book).order_by("id").values_list("code", flat=True))


def test_a_reading_becomes_a_charge_and_moves_the_wallet(street: Street, posting: Desk) -> None:
    with as_role("web"):
        meter = street.open_home(opening_wh=1000)
    posting.open()
    posting.post(street.readings(reading(meter, NOON_US + HOUR_US, 2000)), now_us=NOON_US + HOUR_US)
    (line,) = posting.lines()
    assert (line.energy_wh, line.energy_micro, line.tax_micro) == (1000, 200_000, 10_000)
    assert line.balance_micro == -210_000
    assert line.seq == 1
