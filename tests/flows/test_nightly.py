"""What is done once a night: by each book's own clock, once, and no book stops another."""

from __future__ import annotations

from typing import Any

from support.desk import opened_desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street

HALF_US = HOUR_US // 2


def read_with_a_gap(street: Street) -> None:
    """Four half hours of use; the third reading never came."""
    with as_role("web"):
        meter = street.open_home()
    with opened_desk(street) as desk:
        for n, wh in ((1, 100), (2, 250), (4, 700), (5, 800)):
            desk.read(meter, NOON_US + n * HALF_US, wh)


def looks(street: Street) -> list[Any]:
    from fairwatt.store.models import Event
    from fairwatt.web.access import Scope, seeing

    with as_role("web"), seeing(scope=Scope(books=(street.book,))):
        return list(Event.objects.filter(book=street.book, kind="desk.days_checked"))


def test_a_book_is_looked_at_once_a_night_by_its_own_clock(street: Street) -> None:
    from fairwatt.core.spans import local_day_start
    from fairwatt.worker.nightly import NIGHT_ENDS_US, Nightly

    read_with_a_gap(street)
    zone = street.site.book.zone
    midnight = local_day_start(zone=zone, at_us=NOON_US + DAY_US)
    nightly = Nightly(books=[street.book])
    with as_role("web"):
        assert nightly.look(now_us=midnight) == 1, "a start looks at the night that is past"
        assert nightly.look(now_us=midnight + NIGHT_ENDS_US - 1) == 0, "the next one is not over yet"
        assert nightly.look(now_us=midnight + NIGHT_ENDS_US) == 1
        assert nightly.look(now_us=midnight + NIGHT_ENDS_US + DAY_US - 1) == 0
    (found,) = looks(street)
    assert found.evidence["author"] is None and found.evidence["estimated"] == 2, (
        "the clock did it, nobody else"
    )


def test_a_book_that_fails_stops_no_other_and_is_tried_again(street: Street) -> None:
    from fairwatt.store.models import Book
    from fairwatt.worker.nightly import Nightly

    read_with_a_gap(street)
    nightly = Nightly(books=[street.book])
    with as_role("auditor"):
        assert nightly.look(now_us=NOON_US + DAY_US) == 0, "this role may not write values"
        assert Book.objects.filter(pk=street.book).exists(), "and the connection is sound again"
    assert looks(street) == []
    with as_role("web"):
        assert nightly.look(now_us=NOON_US + DAY_US) == 1
    assert len(looks(street)) == 1
