"""A tariff that was wrong for a year: from the approved correction to the last durable correction line.

A site's year of half hours is written by the poster's own statements, unpriced: a correction rates it anew under
both tariffs. Then a correction is placed, confirmed and posted as the head-end does it, batch after batch, caches
flushed once a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg

from benchmarks.town import HOUR_US, Town
from fairwatt.server.config import Config
from fairwatt.server.wiring import database_role, poster_for

HALF_HOUR_US = HOUR_US // 2
OPENED_US = 1_735_689_600_000_000
"""2025-01-01"""
A_YEAR = 365 * 48
A_WEEK = 7 * 48
CLOSED_US = OPENED_US + A_YEAR * HALF_HOUR_US
USE_WH = 180
ROUNDS = 3
FLUSH_S = 1.0
RIGHT = ('prices: ["0.20", "0.25", "0.30"]', 'prices: ["0.21", "0.26", "0.31"]')
"""The day prices, wrong and right: energy and tax of every day change."""


@dataclass(kw_only=True)
class Rerun:
    """One correction of the site: its counts, and the seconds of its parts."""

    readings: int = 0
    lines: int = 0
    whole_s: float = 0.0
    """from the approval to the last durable line"""
    preview_s: float = 0.0
    """rated before anything is placed: both tariffs, totals"""
    batches_s: list[float] = field(default_factory=list)


@dataclass(kw_only=True)
class Site:
    """A year of half hours of one site, durable, and the people who correct its tariff."""

    config: Config
    town: Town
    text: str
    closed_us: int
    people: list[Any]

    @classmethod
    def lived_in(cls, *, config: Config, meters: int, progress: Callable[[], None]) -> Site:
        """Build a site and let it live through a year."""
        from fairwatt.store.models import Book, Role, TariffPublication, User

        town = Town(config=config, gateways=1, meters_each=meters, opened_us=OPENED_US)
        town.build()
        with database_role("poster"):
            _live(town, config, progress)
        with psycopg.connect(config.dsn(role="admin"), autocommit=True) as admin:
            admin.execute("VACUUM ANALYZE line")  # as autovacuum does in the course of a year
        with database_role("migrate"):
            company = Book.objects.get(pk=town.book).organisation
            people = [
                User.objects.create_user(
                    f"{name}-{town.book}", None, "x", role=Role.ADMIN, organisation=company
                )
                for name in ("ada", "bea")
            ]
            text = TariffPublication.objects.get(plan__book=town.book).text
        return cls(config=config, town=town, text=text, closed_us=CLOSED_US + HOUR_US, people=people)

    def correct(self) -> Rerun:
        """Correct the tariff once: the price that was right becomes the wrong one and the other way round."""
        from fairwatt.flows.correct_tariff import confirm_tariff_correction, place_tariff_correction
        from fairwatt.store.models import Fact, Line

        run = Rerun()
        wrong, right = RIGHT if RIGHT[0] in self.text else RIGHT[::-1]
        self.text = self.text.replace(wrong, right)
        with database_role("migrate"):
            began = time.perf_counter()
            correction = place_tariff_correction(
                book_id=self.town.book,
                slug="tariff",
                text=self.text,
                author=self.people[0].username,
                reason="the day price was wrong",
                now_us=self.closed_us,
            )
            run.preview_s = time.perf_counter() - began
        with self._pipeline() as post:
            with database_role("web"):
                fact = confirm_tariff_correction(
                    correction_id=correction.pk,
                    user=self.people[1],
                    note="checked the decree",
                    now_us=self.closed_us,
                )
            began = flushed = time.perf_counter()
            while not run.readings:
                self.closed_us += 1_000_000
                one = time.perf_counter()
                flush = one - flushed >= FLUSH_S
                flushed = one if flush else flushed
                result = post(self.closed_us, flush)
                run.batches_s.append(time.perf_counter() - one)
                run.lines += len(result.lines)
                said = Fact.objects.get(pk=fact)
                if said.result is not None and said.state != "waiting":
                    run.whole_s = time.perf_counter() - began
                    run.readings = said.result["readings"]
                    assert said.state == "posted" and not said.result["left"], said.result
        assert run.readings == self.town.homes * A_YEAR, "readings were left out"
        assert run.lines >= self.town.homes * 365 * 2, "days were left out"
        with database_role("poster"):
            stored = Line.objects.filter(book=self.town.book, kind=3, ts__gt=_instant(CLOSED_US)).count()
        assert stored >= run.lines, "lines are not there"
        return run

    @contextmanager
    def _pipeline(self) -> Iterator[Callable[[int, bool], Any]]:
        from django.db import connection

        from fairwatt.flows.posting.flushing import CacheFlusher
        from fairwatt.flows.posting.loading import load_book
        from fairwatt.flows.posting.pipeline import Pipeline

        with (
            database_role("poster"),
            ThreadPoolExecutor(1) as posting,
            ThreadPoolExecutor(1) as caching,
        ):
            state = load_book(book=self.town.book, now_us=self.closed_us)
            flusher = CacheFlusher(state=state, beside=caching)
            flusher.catch_up()
            pipeline = Pipeline(
                state=state,
                flusher=flusher,
                poster=poster_for(self.config),
                posting=posting,
                beside=caching,
            )

            def post(now_us: int, flush: bool) -> Any:
                result = pipeline.submit(messages=(), now_us=now_us).result()
                if flush:
                    pipeline.flush().result()
                return result

            yield post
            pipeline.flush().result()
            pipeline.drain()
            for thread in (posting, caching):
                thread.submit(lambda: connection.close()).result()


def run_rerating(*, config: Config, meters: int, progress: Callable[[], None]) -> list[Rerun]:
    """Let a site live a year, then correct its tariff some times."""
    site = Site.lived_in(config=config, meters=meters, progress=progress)
    runs = []
    for _ in range(ROUNDS):
        runs.append(site.correct())
        progress()
    return runs


def _instant(at_us: int) -> Any:
    from fairwatt.core.spans import to_datetime

    return to_datetime(at_us)


def _live(town: Town, config: Config, progress: Callable[[], None]) -> None:
    from fairwatt.flows.posting.flushing import CacheFlusher
    from fairwatt.flows.posting.loading import load_book
    from fairwatt.store.posting import (
        LINE,
        BatchRows,
        batch_transaction,
        copying_lines,
        make_partitions,
        write_batch,
    )

    make_partitions(from_us=OPENED_US, until_us=CLOSED_US + 62 * 24 * HOUR_US)
    state = load_book(book=town.book, now_us=OPENED_US)
    town.settle(state=state, now_us=OPENED_US)
    registers, many = state.registers, len(state.registers)
    paid = state.wallets[registers["wallet_ix"]]
    for first in range(0, A_YEAR, A_WEEK):
        steps = min(A_WEEK, A_YEAR - first)
        lines = np.zeros(many * steps, dtype=LINE)
        step = np.repeat(np.arange(first + 1, first + steps + 1), many)
        lines["ts"] = OPENED_US + step * HALF_HOUR_US
        lines["register_wh"] = step * USE_WH
        lines["energy_wh"], lines["kind"], lines["book"] = USE_WH, 1, town.book
        lines["ref"], lines["wallet"] = (
            np.tile(registers["installation"], steps),
            np.tile(paid["wallet"], steps),
        )
        lines["seq"] = step + np.tile(paid["seq"], steps)
        lines["balance_micro"] = np.tile(paid["balance_micro"], steps)
        lines["batch"] = batch = state.last_batch + 1
        with batch_transaction(book=town.book, epoch=state.epoch, batch=batch) as turn:
            with copying_lines(cursor=turn.cursor, lines=lines):
                pass
            rows = BatchRows(lines=lines)
            write_batch(
                cursor=turn.cursor, book=town.book, batch=batch, rows=rows, now_us=int(lines["ts"][-1])
            )
        state.last_batch = batch
        progress()
    registers["at_us"], registers["register_wh"] = CLOSED_US, A_YEAR * USE_WH
    state.wallets["seq"] += A_YEAR
    state.wallets["read_us"] = CLOSED_US
    flusher = CacheFlusher(state=state)
    flusher.flush(state=state)
