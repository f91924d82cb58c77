"""Many registers rated again at once, in columns, change what one after the other by the simple path would."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from fairwatt.server.launcher.services import Services
from support.corrections import WRONG
from support.desk import opened_desk
from support.street import DAY_US, NOON_US, TARIFF, Street, reading

MINUTE_US = 60_000_000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_columns_and_the_simple_path_name_the_same_days(
    house: Services, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection, transaction

    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.flows.posting import site_rerating
    from fairwatt.flows.posting.loading import make_plan
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
        plans = [make_plan(plan=1, schedule=parse_schedule(text)) for text in (WRONG, TARIFF)]
        with transaction.atomic(), connection.cursor() as cursor:
            ground: dict[str, Any] = {"cursor": cursor, "book": street.book}
            starts = [opening_of(cursor=cursor, installation=n) for n in street.installations]
            made = site_rerating.rerate_site(
                **ground,
                zone=street.site.book.zone,
                installations=np.array(street.installations, dtype=np.int64),
                modulus_wh=np.full(3, 10**9, dtype=np.int64),
                starts=starts,
                old=plans[0],
                new=plans[1],
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
                    for plan in plans
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
