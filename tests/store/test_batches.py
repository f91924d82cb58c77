"""The row of a batch leads to its lines, wherever on the time line they lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.spans import to_datetime
from store.conftest import Neighbours
from support.desk import Desk, opened_desk
from support.street import DAY_US, HOUR_US, NOON_US, Street

MINUTE_US = 60_000_000
instants = st.lists(st.integers(0, 400 * 24 * 60).map(lambda m: NOON_US + m * MINUTE_US), max_size=12)


def test_every_line_lies_in_the_spans_of_its_batch(neighbours: Neighbours) -> None:
    with neighbours.as_role("poster") as ask:
        (counts,) = ask(
            "SELECT count(*), count(*) FILTER (WHERE l.ts <@ b.spans) FROM line l JOIN batch b USING (book, batch)"
        )
        assert counts[0] == counts[1] > 0
        assert ask(
            "SELECT count(*) FROM batch b WHERE lines <> (SELECT count(*) FROM line l "
            "WHERE l.book = b.book AND l.batch = b.batch)"
        ) == [(0,)]


@given(instants)
def test_spans_hold_every_instant_and_are_few(ts: list[int]) -> None:
    from fairwatt.store.batches import spans_of

    said = spans_of(ts=np.sort(np.array(ts, dtype=np.int64)))
    spans = [part.split(",") for part in said.strip("{}").replace("],[", "];[").split(";") if part]
    bounds = [(start.strip("["), end.strip("]")) for start, end in spans]
    for at in (to_datetime(us).isoformat() for us in ts):
        assert any(start <= at <= end for start, end in bounds)
    assert len(bounds) <= len(ts)


@pytest.mark.parametrize("seen", range(6))
def test_lines_newer_than_a_batch_are_found_among_old_and_late_ones(street: Street, seen: int) -> None:
    from django.db import connection

    from fairwatt.store.batches import newer_lines

    meter = street.open_home()
    with opened_desk(street) as desk:
        start = desk.state.last_batch
        a_long_story(desk, meter)
        with connection.cursor() as cursor:
            after = start + seen
            newer, parameters = newer_lines(cursor=cursor, book=street.book, after_batch=after)
            cursor.execute(f"SELECT batch, kind, ts FROM line WHERE {newer} ORDER BY 1, 2, 3", parameters)
            found = cursor.fetchall()
        lines = [(line.batch, line.kind, line.ts) for line in desk.lines()]
    assert found == sorted(line for line in lines if line[0] > after)
    assert len(lines) == 8


def a_long_story(desk: Desk, meter: int) -> None:
    """Readings weeks apart, a payment, and one reading that comes very late."""
    now = NOON_US + 60 * DAY_US
    for day in (1, 2, 30):
        desk.read(meter, NOON_US + day * DAY_US, 10_000 * day, now_us=now)
    desk.pay(meter, 5_00, now_us=now)
    desk.read(meter, NOON_US + 59 * DAY_US, 600_000, now_us=now)
    desk.read(meter, NOON_US + 10 * DAY_US + HOUR_US, 30_000, now_us=now)


@pytest.fixture
def street(neighbours: Neighbours) -> Street:
    return Street()
