"""A slow bus: every meter's energy in each pass, closer looks in turn, the next pass in time."""

from fairwatt.edge.pace import Pace

SECOND_US = 1_000_000


def passes(
    pace: Pace, *, meters: int, quick_us: int, close_us: int, interval_s: int, count: int
) -> list[tuple[int, set[int]]]:
    """Seconds and closely seen meters of some passes."""
    now_us, seen = 0, []
    for _ in range(count):
        began_us, closely = now_us, set()
        pace.begin(meters=range(meters), interval_us=interval_s * SECOND_US, now_us=now_us)
        for meter in range(meters):
            now_us += quick_us
            pace.was_quick(took_us=quick_us)
            if pace.may_look(meter=meter, now_us=now_us):
                now_us += close_us
                pace.was_close(meter=meter, took_us=close_us)
                closely.add(meter)
        seen.append(((now_us - began_us) // SECOND_US, closely))
        now_us = began_us + interval_s * SECOND_US
    return seen


def test_sixty_four_meters_at_2400_baud_are_read_in_time_and_each_is_looked_at_in_turn() -> None:
    # 0.6 s for energy, relay and power; 1.5 s for everything else.
    seen = passes(Pace(), meters=64, quick_us=600_000, close_us=1_500_000, interval_s=120, count=4)
    assert all(seconds <= 100 for seconds, _ in seen)
    assert all(len(closely) >= 35 for _, closely in seen)
    assert set.union(*(closely for _, closely in seen[:2])) == set(range(64)), "nobody waits longer than two"


def test_a_fast_bus_looks_at_everybody_in_every_pass() -> None:
    for quick_us, close_us in ((0, 0), (10_000, 30_000)):
        seen = passes(Pace(), meters=10, quick_us=quick_us, close_us=close_us, interval_s=60, count=3)
        assert all(closely == set(range(10)) for _, closely in seen)


def test_a_bus_with_no_time_to_spare_still_reads_everybody() -> None:
    seen = passes(Pace(), meters=64, quick_us=2_000_000, close_us=4_000_000, interval_s=120, count=3)
    assert all(seconds <= 64 * 2 + 4 for seconds, _ in seen)
