"""Asking for readings and tariffs to be set right, and living on meanwhile."""

from __future__ import annotations

from typing import Any

from support.desk import Desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, TARIFF, Street, reading

WRONG = TARIFF.replace("0.20", "0.29").replace("counter: month", "counter: year").replace('"0.25"', '"0.20"')


def edit(
    desk: Desk, at_us: int, wh: int | None, *, n: int = 0, role: Any = "migrate", now_us: int = NOON_US
) -> int:
    """Ask for a reading to be set right; return the fact."""
    from fairwatt.flows.correct_reading import correct_reading

    with as_role(role):
        return correct_reading(
            installation_id=desk.street.installations[n],
            at_us=at_us,
            register_wh=wh,
            author="ada",
            reason="read off wrongly",
            now_us=now_us,
        )


def place(street: Street, text: str = TARIFF, **wishes: Any) -> Any:
    from fairwatt.flows.correct_tariff import place_tariff_correction

    known(street, "ada")
    said = {
        "author": f"ada-{street.book}",
        "reason": "the day price was wrong",
        "now_us": NOON_US + 60 * DAY_US,
        **wishes,
    }
    with as_role("migrate"):
        return place_tariff_correction(book_id=street.book, slug="tariff", text=text, **said)


def known(street: Street, name: str) -> Any:
    """An administrator of the street's organisation."""
    from fairwatt.store.models import Role, User

    with as_role("migrate"):
        username, organisation = f"{name}-{street.book}", street.site.book.organisation
        return User.objects.filter(username=username).first() or User.objects.create_user(
            username, None, "x", role=Role.ADMIN, organisation=organisation
        )


def confirm(street: Street, correction: Any, *, person: str = "bea") -> int:
    from fairwatt.flows.correct_tariff import confirm_tariff_correction

    user = known(street, person)
    with as_role("web"):
        return confirm_tariff_correction(
            correction_id=correction.pk, user=user, note="checked the decree", now_us=NOON_US + 60 * DAY_US
        )


def live_on(desk: Desk, *, days: range) -> None:
    """Readings of three homes, some of them late."""
    for day in days:
        for n, meter in enumerate(desk.street.homes):
            for hour in (11, 5, 23):
                at = NOON_US + day * DAY_US + hour * HOUR_US
                wh = day * 5_000 * (n + 1) + hour * (97 + n)
                desk.post(desk.street.readings(reading(meter, at, wh)), now_us=at)


def drain(desk: Desk, fact: int, *, now_us: int, restart: bool = False, reads: bool = False) -> int:
    """Post batches until the fact is answered; return how many it took."""
    for batches in range(1, 30):
        result = desk.post(now_us=now_us)
        if restart or result.reload:
            desk.open(now_us=now_us)
        if reads and desk.fact(fact).state == "waiting":
            live_on(desk, days=range(33 + batches, 34 + batches))
        if desk.fact(fact).state != "waiting":
            return batches
    raise AssertionError("the correction never ends")
