"""Many registers rated again at once, in columns, change what one after the other by the simple path would."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from fairwatt.server.launcher.services import Services
from support.corrections import WRONG, confirm, edit, live_on, place
from support.desk import opened_desk
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, NOON_US, TARIFF, Street, reading

MINUTE_US = 60_000_000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_columns_and_the_simple_path_name_the_same_days(
    house: Services, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection, transaction

    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.flows.posting import site_rerating
    from fairwatt.flows.posting.plans import make_plan
    from fairwatt.flows.posting.rerating import compare, rate_track, start_window
    from fairwatt.store.registers import opening_of, readings_between

    monkeypatch.setattr(site_rerating, "_AT_ONCE", 5)
    draw = random.Random(seed)
    street = Street(tariff=WRONG)
    meters = [street.open_home() for _ in range(3)]
    with opened_desk(street) as desk:
        at_us, wh = NOON_US + 20 * DAY_US, [0, 0, 0]
        for _ in range(30):
            at_us += draw.choice([7, 30, 60, 600, 2_000]) * MINUTE_US
            for n, meter in enumerate(meters):
                wh[n] += draw.choice([0, 250, 3_000, 40_000])
                if draw.random() < 0.7:
                    frame = street.readings(reading(meter, at_us, wh[n]))
                    desk.post(frame, now_us=at_us)
        wrong, right = (make_plan(plan=1, schedule=parse_schedule(text)) for text in (WRONG, TARIFF))
        moves = [
            (wrong, right),
            (right, wrong),
            (wrong, right),
        ]  # not every home moves between the same prices
        with transaction.atomic(), connection.cursor() as cursor:
            ground: dict[str, Any] = {"cursor": cursor, "book": street.book}
            starts = [opening_of(cursor=cursor, installation=n) for n in street.installations]
            made = site_rerating.rerate_site(
                **ground,
                zone=street.site.book.zone,
                installations=np.array(street.installations, dtype=np.int64),
                modulus_wh=np.full(3, 10**9, dtype=np.int64),
                starts=starts,
                moves=moves,
                until_us=at_us,
                by_day=True,
            )
            for n, start in enumerate(starts):
                known = readings_between(
                    **ground, installation=street.installations[n], start=start, until_us=at_us
                )
                old, new = (
                    rate_track(
                        vtable=plan.vtable,
                        readings=known,
                        counter_wh=start.counter_wh,
                        window_us=start_window(table=plan.table, at_us=start.at_us, opening=True),
                        modulus_wh=10**9,
                    )
                    for plan in moves[n]
                )
                simple = compare(
                    start_us=start.at_us, old=old, new=new, changed_us=at_us, zone=street.site.book.zone
                )
                change = made.change(n)
                assert sorted(change.days, key=str) == sorted(simple.days, key=str)
                assert change.days, "a wrong tariff changes something"
                assert (change.counter_wh, change.window_us) == (simple.counter_wh, simple.window_us)
                assert change.readings == simple.readings == len(known) - 1
                for component in ("energy", "standing", "tax"):
                    assert made.total(component, n)[0] == sum(old.exact[component].tolist())
                    assert made.total(component, n)[1] == sum(new.exact[component].tolist())


def test_what_is_rated_ahead_and_posted_is_what_the_simple_path_says(
    house: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late readings, before and meanwhile, an edit, clocks put back, a new version: every day is the same."""
    from fairwatt.flows.posting import retariffing, site_ahead
    from fairwatt.store.models import Rerating

    monkeypatch.setattr(retariffing, "READINGS_A_BATCH", 12)
    monkeypatch.setattr(retariffing, "LINES_A_BATCH", 1)
    monkeypatch.setattr(site_ahead, "_GROWTH_MAX", 1)
    wrong, right = (text + _from(text, "2013-10-25").replace('"0.10"', '"0.13"') for text in (WRONG, TARIFF))
    street = Street(tariff=wrong)
    for _ in range(3):
        street.open_home()
    with opened_desk(street) as desk:
        desk.open(now_us=NOON_US + 110 * DAY_US)
        live_on(desk, days=range(110, 122))  # the clocks go back on the 27th of October, day 118
        now = NOON_US + 130 * DAY_US
        edit(desk, NOON_US + 112 * DAY_US + 11 * HOUR_US, 112 * 5_000 + 11 * 97 + 9)
        desk.post(now_us=now)
        desk.open(now_us=now)
        fact = confirm(street, place(street, right))
        for batches in range(1, 60):
            if desk.post(now_us=now).reload:
                desk.open(now_us=now)
            if batches == 4:
                late, wh = NOON_US + 111 * DAY_US + 14 * HOUR_US, 111 * 10_000 + 14 * 98
                assert desk.read(street.homes[1], late, wh, now_us=now).late
                assert not Rerating.objects.filter(book=street.book, cause="tariff").exists()
                live_on(desk, days=range(130, 131))
            if desk.fact(fact).state != "waiting":
                break
        assert desk.fact(fact).result["registers"] == 3
        check_laws(street.book, acked=desk.acked)
        for row in Rerating.objects.filter(book=street.book, cause="tariff"):
            stored, simple = _stored(row), _simply(street, row, wrong, right)
            assert stored == simple and stored


def _from(text: str, day: str) -> str:
    return text[text.index("  - effective") :].replace("2013-01-01", day)


def _stored(row: Any) -> set[tuple[Any, ...]]:
    from fairwatt.store.models import Correction

    mine = Correction.objects.filter(ref=row.installation, batch=row.batch, fact=row.fact)
    return {
        (c.component, c.day_us, c.first_seq, c.last_seq, c.from_us, c.until_us, c.old_exact, c.new_exact)
        for c in mine
    }


def _simply(street: Street, row: Any, wrong: str, right: str) -> set[tuple[Any, ...]]:
    """What one register changes, reading by reading, from what was known before its corrections."""
    from django.db import connection

    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.flows.posting.plans import make_plan
    from fairwatt.flows.posting.rerating import compare, rate_track, start_window
    from fairwatt.store.models import Correction
    from fairwatt.store.registers import opening_of, standing_between

    first_seq = Correction.objects.filter(ref=row.installation, batch=row.batch).order_by("seq")[0].seq
    with connection.cursor() as cursor:
        start = opening_of(cursor=cursor, installation=row.installation)
        known = standing_between(
            cursor=cursor,
            book=street.book,
            installation=row.installation,
            start=start,
            until_us=row.until_us,
            as_of_seq=first_seq,
        )
    old, new = (
        rate_track(
            vtable=plan.vtable,
            readings=known,
            counter_wh=start.counter_wh,
            window_us=start_window(table=plan.table, at_us=start.at_us, opening=True),
            modulus_wh=10**9,
        )
        for plan in (make_plan(plan=1, schedule=parse_schedule(text)) for text in (wrong, right))
    )
    zone = street.site.book.zone
    change = compare(start_us=start.at_us, old=old, new=new, changed_us=row.until_us, zone=zone)
    return {
        (d.component, d.day_us, d.first_seq, d.last_seq, d.from_us, d.until_us, d.old_exact, d.new_exact)
        for d in change.days
    }
