"""Checklists of a scene's meters, some whole, some not."""

from __future__ import annotations

from typing import Any

from support.meters import SEEN, record
from web.scene import NOW_US, Scene


def meter_of(scene: Scene, n: int) -> Any:
    """The meter of a home."""
    from fairwatt.store.models import Meter

    return Meter.objects.get(number=scene.homes[n], gateway=scene.gateway)


def photographed(scene: Scene, n: int) -> int:
    """Write down the opening reading of a home as it stands now; return its photo."""
    from fairwatt.store.commissioning import records
    from fairwatt.store.models import RegisterHead
    from fairwatt.web.access import Scope, seeing

    meter = meter_of(scene, n)
    with seeing(scope=Scope(books=(scene.book,))):
        head = RegisterHead.objects.get(installation=scene.installations[n])
    value = {"register_wh": head.register_wh}
    row = record(scene.book, meter.pk, "opening", value, user=scene.operator.pk, now_us=NOW_US)
    with seeing(scope=Scope(books=(scene.book,))):
        [mine] = [
            one for rows in records(book=scene.book, meter=meter.pk).values() for one in rows if one.id == row
        ]
    assert mine.photo is not None
    return mine.photo


def commissioned(scene: Scene, n: int, *, but: tuple[str, ...] = ()) -> None:
    """Take every step at a home's meter but these, and sign when none is left out."""
    from fairwatt.flows.commission import sign_off

    meter = meter_of(scene, n)
    for step in SEEN:
        if step not in but:
            record(scene.book, meter.pk, step, SEEN[step], user=scene.operator.pk, now_us=NOW_US)
    photographed(scene, n)
    if not but:
        sign_off(book_id=scene.book, meter_id=meter.pk, words="", user_id=scene.operator.pk, now_us=NOW_US)
