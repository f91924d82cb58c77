"""Power comes back to a street one after the other, and nobody who paid waits longer than one turn."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fairwatt.core.alarms.restoring import Closing, Spacing, stagger

NOW = 1_700_000_000_000_000
SPACING = Spacing(homes=3, interval_us=10_000_000)
CLOSINGS = st.lists(
    st.builds(
        Closing,
        key=st.integers(1, 500),
        feeder=st.sampled_from(["north", "south"]),
        load_w=st.integers(0, 5_000),
        asked=st.booleans(),
    ),
    max_size=40,
    unique_by=lambda one: one.key,
)


def plan(closings: list[Closing], closed_us: dict[str, list[int]] | None = None) -> dict[int, int]:
    return stagger(closings=closings, closed_us=closed_us or {}, spacing=SPACING, now_us=NOW)


@given(CLOSINGS, st.lists(st.integers(NOW - 30_000_000, NOW), max_size=6))
def test_no_feeder_ever_gets_more_of_the_crowd_than_its_spacing_allows(
    closings: list[Closing], before: list[int]
) -> None:
    crowd = [one for one in closings if not one.asked]
    due = plan(crowd, {"north": before})
    for feeder in ("north", "south"):
        instants = sorted(due[one.key] for one in crowd if one.feeder == feeder)
        for first, fourth in zip(instants, instants[SPACING.homes :], strict=False):
            assert fourth - first >= SPACING.interval_us


@given(CLOSINGS, st.lists(st.integers(NOW - 30_000_000, NOW), max_size=20))
def test_whoever_paid_waits_one_interval_at_most(closings: list[Closing], before: list[int]) -> None:
    due = plan(closings, {"north": before, "south": before})
    assert set(due) == {one.key for one in closings}
    assert all(at_us >= NOW for at_us in due.values())
    assert all(due[one.key] <= NOW + SPACING.interval_us for one in closings if one.asked)


@given(CLOSINGS)
def test_the_largest_loads_come_last_and_the_order_is_no_matter(closings: list[Closing]) -> None:
    due = plan(closings)
    assert plan(closings[::-1]) == due
    for feeder in ("north", "south"):
        crowd = [one for one in closings if one.feeder == feeder and not one.asked]
        crowd.sort(key=lambda one: due[one.key])
        by_turn: dict[int, list[int]] = {}
        for one in crowd:
            by_turn.setdefault(due[one.key], []).append(one.load_w)
        turns = [loads for _, loads in sorted(by_turn.items())]
        assert all(max(a) <= min(b) for a, b in pairwise(turns))


def test_a_single_home_is_closed_at_once_and_feeders_do_not_wait_for_each_other() -> None:
    assert plan([Closing(1, "north", 0)]) == {1: NOW}
    crowd = [Closing(n, "north" if n % 2 else "south", n) for n in range(1, 13)]
    assert Counter(plan(crowd).values()) == {NOW: 6, NOW + 10_000_000: 6}
    assert plan([Closing(7, "south", 0)], {"north": [NOW] * 9}) == {7: NOW}
