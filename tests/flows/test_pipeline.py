"""Two batches at a time give the ledger that one at a time would, also when one of them fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby, pairwise
from typing import Any

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.server.launcher.services import Services
from fairwatt.store.posting import PosterFenced, make_durable
from support.desk import Desk, opened_desk, part
from support.house import as_role
from support.laws import check_laws
from support.street import HOUR_US, NOON_US, TARIFF, Street, reading

MINUTE_US = 60_000_000
LATE, CORRECTION = 7, 3
DEARER = """
  - effective: 2013-07-01T12:30:00Z
    elements:
      - energy: {price: "0.90"}
"""


class Line:
    """A pipeline over a desk's book, and what it acknowledged."""

    def __init__(self, desk: Desk, posting: ThreadPoolExecutor, beside: ThreadPoolExecutor) -> None:
        self.desk = desk
        self.posting = posting
        self.beside = beside
        self.take()

    def take(self) -> None:
        """Know the book again, as the head-end does after any failure."""
        from fairwatt.flows.posting.pipeline import Pipeline

        self.desk.open()
        flusher = CacheFlusher(state=self.desk.state)
        flusher.catch_up()
        poster: Any = self.desk.street.poster()
        self.pipeline = Pipeline(
            state=self.desk.state,
            flusher=flusher,
            poster=poster,
            posting=self.posting,
            beside=self.beside,
        )
        self.futures: list[Any] = []

    def submit(self, *frames: tuple[str, bytes], now_us: int, ahead: bool = True) -> Any:
        future = self.pipeline.submit(messages=list(frames), now_us=now_us, ahead=ahead)
        self.futures.append(future)
        return future

    def settle(self) -> None:
        self.pipeline.settle()
        self.desk.acked += [ack for future in self.futures for ack in future.result().acks]
        self.futures = []
        self.desk.state = self.pipeline.state


@contextmanager
def a_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread
        thread.submit(lambda: connection.close()).result()


@pytest.fixture
def posting() -> Iterator[ThreadPoolExecutor]:
    with a_thread() as thread:
        yield thread


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with a_thread() as thread:
        yield thread


@pytest.fixture
def line(desk: Desk, posting: ThreadPoolExecutor, beside: ThreadPoolExecutor) -> Line:
    desk.home()
    desk.home()
    return Line(desk, posting, beside)


def hours(desk: Desk, n: int, *, of: int = 0) -> tuple[str, bytes]:
    """The n-th hourly reading of a home."""
    return desk.street.readings(reading(desk.street.homes[of], NOON_US + n * HOUR_US, 500 * n))


def energies(desk: Desk, of: int = 0) -> list[int]:
    ref = desk.street.installations[of]
    return [row.energy_wh for row in desk.lines() if row.ref == ref]


@contextmanager
def held_back(monkeypatch: pytest.MonkeyPatch, failure: Exception | None = None) -> Iterator[threading.Event]:
    """The next commit waits for the event, and fails if told to."""
    go, real = threading.Event(), part("post_batch").batch_transaction
    failures = [failure]

    @contextmanager
    def slowly(**wishes: Any) -> Iterator[Any]:
        with real(**wishes) as cursor:
            yield cursor
            assert go.wait(20)
            if failures and (error := failures.pop()) is not None:
                raise error

    with monkeypatch.context() as patch:
        patch.setattr(part("post_batch"), "batch_transaction", slowly)
        try:
            yield go
        finally:
            go.set()


def test_a_batch_is_planned_while_the_one_before_it_commits(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, now = line.desk, NOON_US + 3 * HOUR_US
    from fairwatt.flows.posting import pipeline

    planning: Any = pipeline
    planned = threading.Event()
    real = planning.plan_batch

    def seen(**wishes: Any) -> Any:
        plan = real(**wishes)
        planned.set()
        return plan

    line.submit(
        hours(desk, 1), now_us=now
    )  # its gateway is new and gets orders; the next plan waits for those
    line.settle()
    with held_back(monkeypatch) as go:
        first = line.submit(hours(desk, 2), now_us=now)
        with monkeypatch.context() as patch:
            patch.setattr(planning, "plan_batch", seen)
            waiting = threading.Thread(target=lambda: line.submit(hours(desk, 3), now_us=now))
            waiting.start()
            assert planned.wait(20)
        assert not first.done(), "and nobody was answered before the commit"
        assert energies(desk) == [500]
        go.set()
        waiting.join()
        line.settle()
    assert energies(desk) == [500, 500, 500]


def test_a_payment_amid_a_flood_is_posted_by_the_next_batch(line: Line) -> None:
    desk, now = line.desk, NOON_US + 9 * HOUR_US
    line.submit(hours(desk, 1), now_us=now)
    line.settle()
    fact = desk.pay(desk.street.homes[0], 5_00, now_us=now)
    left = line.submit(hours(desk, 2), now_us=now)
    line.settle()
    assert left.result().facts_wait
    assert desk.fact(fact).state == "waiting"
    asked = line.submit(hours(desk, 3), now_us=now)
    line.settle()
    assert asked.result().facts == 1
    assert not line.submit(hours(desk, 4), now_us=now).result(20).facts_wait
    assert desk.fact(fact).state == "posted"
    assert energies(desk) == [500] * 4


def test_a_lone_batch_waits_for_nobody(line: Line) -> None:
    assert line.submit(hours(line.desk, 1), now_us=NOON_US + HOUR_US).result(20).readings == 1


def test_a_failed_commit_takes_the_prepared_batch_with_it(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, now = line.desk, NOON_US + 3 * HOUR_US
    frames = [hours(desk, 1), hours(desk, 2), hours(desk, 3)]
    line.submit(frames[0], now_us=now)
    line.settle()
    before = desk.counts()
    with held_back(monkeypatch, OperationalError("the server went away")) as go:
        line.submit(frames[1], now_us=now)
        threading.Timer(0.2, go.set).start()
        with pytest.raises(OperationalError):
            line.submit(frames[2], now_us=now).result()
        with pytest.raises(OperationalError):
            line.pipeline.flush().result()
    assert desk.counts() == before
    line.take()
    for frame in frames:
        line.submit(frame, now_us=now)
    line.settle()
    assert energies(desk) == [500, 500, 500]


def test_a_commit_whose_answer_was_lost_is_not_repeated_by_what_was_prepared(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, now = line.desk, NOON_US + 3 * HOUR_US
    frames = [hours(desk, 1), hours(desk, 2)]
    real = part("post_batch").batch_transaction

    @contextmanager
    def answers_nothing(**wishes: Any) -> Iterator[Any]:
        with real(**wishes) as cursor:
            yield cursor
        raise OperationalError("the connection broke while the server was committing")

    with monkeypatch.context() as patch:
        patch.setattr(part("post_batch"), "batch_transaction", answers_nothing)
        line.submit(frames[0], now_us=now)
        with pytest.raises(OperationalError):
            line.submit(frames[1], now_us=now).result()
    line.take()
    for frame in frames:
        line.submit(frame, now_us=now)
    line.settle()
    assert energies(desk) == [500, 500]
    assert desk.acked[-1] == (desk.street.gateway.pk, 1, 2)


def test_a_fenced_poster_keeps_neither_batch(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, now = line.desk, NOON_US + 3 * HOUR_US
    frames = [hours(desk, 1), hours(desk, 2)]
    other = Desk(desk.street)
    other.open()
    before = desk.counts()
    with pytest.raises(PosterFenced):
        for frame in frames:
            line.submit(frame, now_us=now)
        line.settle()
    assert desk.counts() == before
    other.post(*frames, now_us=now)
    assert energies(desk) == [500, 500]


def test_readings_behind_their_head_are_settled_before_the_next_batch_goes_on(line: Line) -> None:
    desk, now = line.desk, NOON_US + 40 * HOUR_US
    meter = desk.street.homes[0]
    shown = [(20, 20_000), (10, 1_000), (25, 21_000), (15, 19_000), (30, 22_000)]
    for hour, wh in shown:
        line.submit(desk.street.readings(reading(meter, NOON_US + hour * HOUR_US, wh)), now_us=now)
    line.settle()
    kinds = [kind for kind, _ in groupby(row.kind for row in desk.lines())]
    assert kinds == [1, LATE, CORRECTION, 1, LATE, CORRECTION, 1]
    in_time = desk.street.homes[1]
    line.submit(
        desk.street.readings(*(reading(in_time, NOON_US + h * HOUR_US, wh) for h, wh in sorted(shown))),
        now_us=now,
    )
    line.settle()
    heads = desk.state.registers
    metered = ["at_us", "register_wh", "counter_wh", "window_us", "carry_nano", "carry_tax"]
    assert heads[metered][0] == heads[metered][1]
    balances = {int(row["wallet"]): int(row["balance_micro"]) for row in desk.state.wallets}
    assert len(set(balances.values())) == 1


def test_a_new_tariff_prices_the_batch_that_was_prepared_before_it(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows import provision

    desk, street = line.desk, line.desk.street
    now = NOON_US + HOUR_US
    dearer = street.tariff + DEARER
    with held_back(monkeypatch) as go:
        with as_role("migrate"):
            provision.publish_tariff(
                book_id=street.book, slug="tariff", name="Tariff", text=dearer, now_us=NOON_US
            )
        old, meter = line.pipeline.state, street.homes[0]
        line.submit(street.readings(reading(meter, NOON_US + HOUR_US // 2, 500)), now_us=now)
        threading.Timer(0.2, go.set).start()
        line.submit(street.readings(reading(meter, NOON_US + HOUR_US, 1_000)), now_us=now)
        line.settle()
    assert line.pipeline.state is not old
    assert not line.pipeline.owes_grants, "they went out with the second batch"
    assert [row.energy_micro for row in desk.lines() if row.kind == 1] == [100_000, 450_000]


def test_a_batch_of_a_flood_is_told_when_it_is_on_the_disk_and_not_before(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, now = line.desk, NOON_US + 4 * HOUR_US
    on_disk, asked, real = threading.Event(), threading.Event(), part("pipeline").make_durable

    def slowly(**wishes: Any) -> None:
        asked.set()
        assert on_disk.wait(20)
        real(**wishes)

    monkeypatch.setattr(part("pipeline"), "make_durable", slowly)
    line.submit(hours(desk, 1), now_us=now, ahead=False).result(20)
    second = line.submit(hours(desk, 2), now_us=now)
    assert asked.wait(20)
    line.pipeline.settle()
    assert energies(desk)[-1] == 500  # committed, and seen by others
    assert not second.done()  # but acknowledged to nobody
    third = line.submit(hours(desk, 3), now_us=now)  # what follows does not wait for it
    line.pipeline.settle()
    assert len(energies(desk)) >= 3
    assert not third.done()
    on_disk.set()
    assert second.result(20).acks < third.result(20).acks


def test_a_batch_that_the_server_lost_is_never_told(line: Line) -> None:
    desk, now = line.desk, NOON_US + 4 * HOUR_US
    line.submit(hours(desk, 1), now_us=now).result(20)
    state = line.pipeline.state
    make_durable(book=state.book, epoch=state.epoch, batch=state.last_batch)
    with pytest.raises(PosterFenced, match="was lost"):
        make_durable(book=state.book, epoch=state.epoch, batch=state.last_batch + 1)
    with pytest.raises(PosterFenced, match="another process"):
        make_durable(book=state.book, epoch=state.epoch + 1, batch=state.last_batch)


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_cut_into_batches_equals_one_after_another(house: Services, data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 12), label="readings of each home")
    shown = [
        (home, NOON_US + n * 47 * MINUTE_US, 311 * n + 7 * home)
        for n in range(1, count + 1)
        for home in (0, 1)
    ]
    shown = data.draw(st.permutations(shown), label="arrivals")
    cuts = sorted(data.draw(st.sets(st.integers(1, len(shown) - 1)), label="batches end after"))
    now = NOON_US + 24 * HOUR_US
    outcomes = []
    for ahead in (False, True):
        street = Street(tariff=TARIFF)
        with opened_desk(street) as desk, a_thread() as posting, a_thread() as beside:
            for _ in range(2):
                desk.home()
            line = Line(desk, posting, beside)
            for start, end in pairwise([0, *cuts, len(shown)]):
                frame = street.readings(*(reading(street.homes[h], at, wh) for h, at, wh in shown[start:end]))
                line.submit(frame, now_us=now, ahead=ahead)
                if not ahead:
                    line.settle()
            line.settle()
            outcomes.append(
                [
                    (
                        street.installations.index(row.ref),
                        row.seq,
                        row.kind,
                        row.ts,
                        row.energy_wh,
                        row.amount_micro,
                        row.balance_micro,
                        row.counter_wh,
                        row.batch,
                    )
                    for row in desk.lines()
                ]
            )
            posting.submit(lambda: connection.close()).result()
            check_laws(street.book, acked=desk.acked)
    assert outcomes[0] == outcomes[1]
