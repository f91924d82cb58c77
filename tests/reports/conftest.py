"""A book that has lived through two months, posted by the real poster, with late readings and corrections."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, Street, reading

US = 1_000_000


def at(month: int, day: int, hour: int = 0) -> int:
    """An instant of summer 2013 on the wall clock of London."""
    return int(datetime(2013, month, day, hour, tzinfo=UTC).timestamp()) * US - HOUR_US


@dataclass
class Lived:
    """A street with three homes: one pays, one owes, one moved out with a debt."""

    street: Street
    now_us: int = at(9, 3)
    homes: list[int] = field(default_factory=list)

    @property
    def book(self) -> int:
        return self.street.book

    def ask(self, *, home: int | None = 0, month: int | None = 8, **more: Any) -> Any:
        """A question about a month of 2013, or all of it."""
        from fairwatt.reports.asking import Ask

        start, end = (at(7, 1), at(9, 4)) if month is None else (at(month, 1), at(month + 1, 1))
        asked = {
            "book": self.book,
            "wallet": None if home is None else self.street.wallets[home],
            "start_us": start,
            "end_us": end,
            "now_us": self.now_us,
        }
        return Ask(**{**asked, **more})

    def make(self, name: str, **question: Any) -> dict[str, Any]:
        """A report as its JSON says it, read under the web's role."""
        import io
        import json

        from fairwatt.reports.document import opened
        from fairwatt.reports.forms import FORMS
        from fairwatt.reports.registry import REPORTS

        out = io.BytesIO()
        with opened(report=REPORTS[name], ask=self.ask(**question)) as document:
            FORMS["json"].write(document, out)
        made: dict[str, Any] = json.loads(out.getvalue())
        return made


def live(desk: Desk, homes: list[int]) -> None:
    """Two months: daily readings at 10, top-ups, a day that is missing and comes late, over the month's end."""
    total = dict.fromkeys(homes, 0)
    desk.pay(homes[0], 60_00, now_us=at(7, 2, 9))
    desk.pay(homes[1], 10_00, now_us=at(7, 2, 9))
    desk.pay(homes[2], 5_00, now_us=at(7, 2, 9))
    for day in range(1, 62):
        now = at(7, 1, 22) + day * DAY_US
        frame = []
        for n, home in enumerate(homes):
            total[home] += 3_000 + 40 * ((day * 7 + n * 11) % 50)
            if not (n == 0 and day == 29):
                frame.append(reading(home, now, total[home] // 10 * 10))
            else:
                missing = total[home] // 10 * 10
        if day == 40:
            desk.pay(homes[0], 25_00, now_us=now)
        desk.post(desk.street.readings(*frame), now_us=now)
    late = at(7, 1, 22) + 29 * DAY_US - 7 * HOUR_US
    desk.post(desk.street.readings(reading(homes[0], late, missing - 2_000)), now_us=at(9, 2, 9))


@pytest.fixture(scope="session")
def lived(house: Services) -> Lived:
    street = Street(opened_us=at(7, 1, 22))
    homes = [street.open_home() for _ in range(3)]
    with opened_desk(street) as desk:
        live(desk, homes)
        check_laws(street.book, acked=desk.acked)
    from fairwatt.store.models import Installation

    with as_role("migrate"):
        Installation.objects.filter(pk=street.installations[2]).update(closed_us=at(9, 1, 12))
    return Lived(street=street, homes=homes)
