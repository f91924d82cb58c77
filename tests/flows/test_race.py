"""One poster per book: races, crashes and lost answers leave whole batches or none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from fairwatt.flows.posting.flushing import CacheFlusher
from fairwatt.store.posting import PosterFenced
from support.desk import Desk, part
from support.street import HOUR_US, NOON_US, Street, reading

T1, T2 = NOON_US + HOUR_US, NOON_US + 2 * HOUR_US
MINUTE_US = 60_000_000


class PowerCut(Exception):
    """The process dies here."""


def test_a_second_poster_fences_the_first(street: Street, desk: Desk) -> None:
    meter = desk.home()
    second = Desk(street)
    second.open()
    frame = street.readings(reading(meter, T1, 1_000))
    before = desk.counts()
    known = desk.state.registers.copy()
    with pytest.raises(PosterFenced, match="another process"):
        desk.post(frame, now_us=T1)
    assert desk.counts() == before
    assert (desk.state.registers == known).all()
    assert second.post(frame, now_us=T1).readings == 1


def test_a_fenced_poster_cannot_write_the_caches_either(street: Street, desk: Desk) -> None:
    desk.home()
    flusher = CacheFlusher(state=desk.state)
    Desk(street).open()
    with pytest.raises(PosterFenced, match="caches"):
        flusher.flush(state=desk.state)


def test_posters_racing_over_two_connections_give_exact_totals(street: Street, desk: Desk) -> None:
    meters = [desk.home() for _ in range(3)]
    frames = [
        street.readings(*(reading(meter, NOON_US + n * MINUTE_US, 40 * n) for meter in meters))
        for n in range(1, 31)
    ]
    taken, acked, failures = threading.Barrier(3), [], []

    def poster() -> None:
        mine = Desk(street)
        try:
            taken.wait()
            while True:
                try:
                    mine.open()
                    for frame in frames:
                        mine.post(frame, now_us=T2)
                    return
                except PosterFenced as fenced:
                    failures.append(fenced)
                    if len(failures) > 20:
                        return
        finally:
            acked.extend(mine.acked)
            connection.close()

    threads = [threading.Thread(target=poster) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures, "three posters of one book cannot all have kept it"
    desk.acked += acked
    assert [
        sum(line.energy_wh for line in desk.lines() if line.ref == ref) for ref in street.installations
    ] == [1_200] * 3
    assert len(desk.lines()) == 90


@pytest.mark.parametrize("step", ["spans_of", "_insert_journal", "_insert_orders", "_move_gateways"])
def test_a_crash_before_the_commit_leaves_nothing_and_the_retry_is_exact(
    street: Street, desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    from fairwatt.store import posting

    meter = desk.home()
    fact = desk.pay(meter, 5_00, now_us=T1)
    frame = street.readings(reading(meter, T1, 1_000))
    before, known = desk.counts(), desk.state.wallets.copy()
    real = getattr(posting, step)

    def dies(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(posting, step, dies)
        with pytest.raises(PowerCut):
            desk.post(frame, now_us=T1)
    assert desk.counts() == before
    assert (desk.state.wallets == known).all()
    assert desk.fact(fact).state == "waiting"
    desk.post(frame, now_us=T1)
    assert desk.balance(meter) == 5_000_000 - 210_000
    assert desk.state.last_batch == desk.lines()[-1].batch


def test_a_broken_connection_in_mid_batch_leaves_nothing(
    street: Street, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = desk.home()
    frame = street.readings(reading(meter, T1, 1_000))
    before = desk.counts()

    def hangs_up(**_: Any) -> None:
        connection.connection.close()

    with monkeypatch.context() as patch:
        patch.setattr(part("post_batch"), "save_wallet_heads", hangs_up)
        with pytest.raises(Exception, match="closed"):
            desk.post(frame, now_us=T1)
    connection.close()
    assert desk.counts() == before
    desk.open()
    assert desk.post(frame, now_us=T1).readings == 1


def test_a_commit_whose_answer_was_lost_is_neither_lost_nor_repeated(
    street: Street, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = desk.home()
    desk.pay(meter, 5_00, now_us=T1)
    frame = street.readings(reading(meter, T1, 1_000))
    real = part("post_batch").batch_transaction

    @contextmanager
    def answers_nothing(**wishes: Any) -> Iterator[Any]:
        with real(**wishes) as cursor:
            yield cursor
        raise OperationalError("the connection broke while the server was committing")

    with monkeypatch.context() as patch:
        patch.setattr(part("post_batch"), "batch_transaction", answers_nothing)
        with pytest.raises(OperationalError):
            desk.post(frame, now_us=T1)
    with pytest.raises(PosterFenced):
        desk.post(frame, now_us=T1)
    desk.open()
    result = desk.post(frame, now_us=T1)
    assert (result.readings, result.facts) == (0, 0)
    assert result.acks == [(street.gateway.pk, 1, 1)]
    assert desk.balance(meter) == 5_000_000 - 210_000


def test_a_line_that_is_there_already_stops_the_batch_instead_of_hiding(street: Street, desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, T1, 1_000)
    desk.state.registers["at_us"][0], desk.state.registers["register_wh"][0] = NOON_US, 0  # a poster gone mad
    before = desk.counts()
    with pytest.raises(psycopg.errors.UniqueViolation):
        desk.read(meter, T1, 1_000)
    assert desk.counts() == before
