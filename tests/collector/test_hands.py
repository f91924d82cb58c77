"""Pieces of work are done at the same time, each once, and once more where something new was heard meanwhile."""

from __future__ import annotations

import threading
from functools import partial

from fairwatt.collector.hands import Hands, Piece

PATIENCE_S = 20


class Desk:
    """Work that notes that it was begun, and ends when it is let go."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, bool]] = []
        self.seen = threading.Condition()
        self.open: set[int] = set()

    def ask(self, *, one: int, hinted: bool = False) -> None:
        with self.seen:
            self.begun.append((one, hinted))
            self.seen.notify_all()
            assert self.seen.wait_for(lambda: one in self.open, PATIENCE_S)

    def let(self, *some: int) -> None:
        with self.seen:
            self.open.update(some)
            self.seen.notify_all()

    def until(self, *begun: tuple[int, bool]) -> None:
        with self.seen:
            assert self.seen.wait_for(lambda: sorted(self.begun) == sorted(begun), PATIENCE_S), self.begun


def do(piece: Piece) -> None:
    piece()


def test_nobody_waits_for_a_slow_answer() -> None:
    desk = Desk()
    with Hands(most=2, working=2, do=do) as hands:
        hands.put(partial(desk.ask, one=1))
        desk.let(2, 3, 4)
        for n in (2, 3, 4):
            hands.put(partial(desk.ask, one=n))
        desk.until((1, False), (2, False), (3, False), (4, False))
        desk.let(1)


def test_few_work_while_many_are_away() -> None:
    """Of four hands two work at a time; who waits for somebody outside leaves his place to another one."""
    seen, home, inside, most = threading.Condition(), threading.Event(), set[int](), [0]
    outside, pairs = set[int](), threading.Barrier(2)

    def ask(*, one: int) -> None:
        with hands.away():
            with seen:
                outside.add(one)
                seen.notify_all()
            assert home.wait(PATIENCE_S)
        with seen:
            inside.add(one)
            most[0] = max(most[0], len(inside))
        pairs.wait(PATIENCE_S)
        with seen:
            inside.discard(one)

    with Hands(most=4, working=2, do=do) as hands:
        for n in range(4):
            hands.put(partial(ask, one=n))
        with seen:
            assert seen.wait_for(lambda: len(outside) == 4, PATIENCE_S), outside
        home.set()
    assert most == [2]
    with hands.away():  # the loop's own thread has no place to leave
        pass


def test_the_same_work_is_not_done_twice_while_it_waits_or_is_at_work() -> None:
    desk = Desk()
    with Hands(most=1, working=1, do=do) as hands:
        hands.put(partial(desk.ask, one=1))
        desk.until((1, False))
        for _ in range(3):
            hands.put(partial(desk.ask, one=1))
            hands.put(partial(desk.ask, one=2))
        hands.put(partial(desk.ask, one=2, hinted=True))
        desk.let(1, 2)
        desk.until((1, False), (2, True))
        hands.put(partial(desk.ask, one=3))
        desk.let(3)
        desk.until((1, False), (2, True), (3, False))


def test_a_hint_while_it_is_at_work_is_asked_about_once_more() -> None:
    desk = Desk()
    with Hands(most=2, working=2, do=do) as hands:
        hands.put(partial(desk.ask, one=1))
        desk.until((1, False))
        for _ in range(3):
            hands.put(partial(desk.ask, one=1, hinted=True))
        desk.let(1)
        desk.until((1, False), (1, True))


def test_who_ends_finishes_what_is_at_work_and_begins_nothing_more() -> None:
    desk = Desk()
    with Hands(most=1, working=1, do=do) as hands:
        hands.put(partial(desk.ask, one=1))
        desk.until((1, False))
        hands.put(partial(desk.ask, one=1, hinted=True))
        hands.put(partial(desk.ask, one=2))
        threading.Timer(0.2, desk.let, [1, 2]).start()
    assert desk.begun == [(1, False)]
