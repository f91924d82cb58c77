"""A year of half hours of many meters read back and rated again under another tariff."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.town import Town
from fairwatt.server.config import Config
from fairwatt.server.wiring import database_role

HALF_HOUR_US = 1_800_000_000
OPENED_US = 1_735_689_600_000_000
"""2025-01-01"""
A_YEAR = 365 * 48
A_WEEK = 7 * 48


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """How many readings were rated under both tariffs, and the seconds of each round: reading them back alone,
    and the whole of it."""

    readings: int
    read_s: list[float]
    rerated_s: list[float]


ROUNDS = 3


def run_rerating(*, config: Config, meters: int, progress: Callable[[], None]) -> Rerun:
    """Write a year of readings of some meters, then rate them again with each price changed."""
    town = Town(config=config, gateways=1, meters_each=meters, opened_us=OPENED_US, paid_in_minor=0)
    town.build()
    with database_role("poster"):
        from django.db import connection, transaction

        from fairwatt.core.rating.tariff_file import parse_schedule
        from fairwatt.flows.posting.plans import make_plan
        from fairwatt.flows.posting.site_rerating import rerate_site
        from fairwatt.store.models import Installation, TariffPublication
        from fairwatt.store.posting import make_partitions
        from fairwatt.store.registers import opening_of
        from fairwatt.store.site_readings import read_months

        homes = list(Installation.objects.filter(wallet__in=town.wallets).order_by("pk"))
        book = homes[0].wallet.book
        make_partitions(from_us=OPENED_US, until_us=OPENED_US + (A_YEAR + 96) * HALF_HOUR_US)
        installations = np.array([home.pk for home in homes], dtype=np.int64)
        wallets = np.array([home.wallet_id for home in homes], dtype=np.int64)
        for first in range(0, A_YEAR, A_WEEK):
            _write(book.pk, installations, wallets, first, min(A_WEEK, A_YEAR - first))
            progress()
        text = TariffPublication.objects.get(plan_id=homes[0].plan_id).text
        texts = (text, text.replace('"0.', '"1.'))
        until_us = OPENED_US + A_YEAR * HALF_HOUR_US
        read_s, rerated_s = [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            with transaction.atomic(), connection.cursor() as cursor:
                read = sum(
                    len(month.at_us)
                    for month in read_months(
                        cursor=cursor,
                        book=book.pk,
                        installations=installations,
                        from_us=OPENED_US,
                        until_us=until_us,
                    )
                )
            read_s.append(time.perf_counter() - began)
            progress()
            began = time.perf_counter()
            old, new = (make_plan(plan=1, schedule=parse_schedule(t), since_us=OPENED_US) for t in texts)
            with transaction.atomic(), connection.cursor() as cursor:
                change = rerate_site(
                    cursor=cursor,
                    book=book.pk,
                    zone=book.zone,
                    installations=installations,
                    modulus_wh=np.full(len(homes), 10**9, dtype=np.int64),
                    starts=[opening_of(cursor=cursor, installation=home.pk) for home in homes],
                    old=old,
                    new=new,
                    until_us=until_us,
                    by_day=True,
                )
            days = sum(len(change.change(n).days) for n in range(len(homes)))
            rerated_s.append(time.perf_counter() - began)
            progress()
            assert read == int(change.readings.sum()) == len(homes) * A_YEAR, "readings were left out"
            assert days >= len(homes) * 365 * 2, "days were left out"
        return Rerun(readings=read, read_s=read_s, rerated_s=rerated_s)


def _write(book: int, installations: np.ndarray, wallets: np.ndarray, first: int, steps: int) -> None:
    from django.db import connection, transaction

    from fairwatt.store.posting import LINE, copying_lines

    lines = np.zeros(len(installations) * steps, dtype=LINE)
    step = np.repeat(np.arange(first + 1, first + steps + 1), len(installations))
    lines["ts"] = OPENED_US + step * HALF_HOUR_US
    lines["ref"], lines["wallet"] = np.tile(installations, steps), np.tile(wallets, steps)
    lines["seq"] = step
    lines["energy_wh"] = 180
    lines["register_wh"] = step * 180
    lines["kind"], lines["book"], lines["batch"] = 1, book, 1
    with transaction.atomic(), connection.cursor() as cursor, copying_lines(cursor=cursor, lines=lines):
        pass
